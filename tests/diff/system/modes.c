#include "modes.h"

static void random_segment(struct mode *m, struct tcase *c, u32 i)
{
    struct segment *s = &m->seg[i];
    u32 type = pick(10);
    *s = (struct segment){.base = ARENA + (random32() & 0x1fff0),
                          .limit = 0xffff,
                          .write = true,
                          .read = true};
    if (chance(30)) {
        s->base += pick(16);
    }
    if (type == 0 && i != SS) {
        s->null = true;
        c->in.seg[i] = 0;
        return;
    }
    u32 attributes = D_RW;
    bool granular = false;
    if (type == 1 && i != SS) {
        attributes = 0x91; /* read-only */
        s->write = false;
    } else if (type == 2 && i != SS) {
        attributes = 0x9b; /* code, readable */
        s->write = false;
    } else if (type <= 4 && m->cpl == 3) {
        attributes = 0x97; /* expand-down */
        s->down = true;
        s->limit = random32() & 0x3fff;
    } else if (type == 5) {
        granular = true;
        s->limit = (pick(8) + 8) << 12 | 0xfff;
    } else if (type == 6 && i != SS) {
        s->limit = 0x400 + (random32() & 0xbfff);
    }
    s->big = i == SS ? m->stack32 : chance(50);
    attributes |= s->big ? D_BIG : 0;
    attributes |= granular ? D_G : 0;
    attributes |= m->cpl << 5;
    c->in.seg[i] =
        descriptor(i, s->base, granular ? s->limit >> 12 : s->limit, attributes, m->cpl);
}

static void make_protected(struct mode *m, struct tcase *c)
{
    for (u32 i = 0; i < 6; i++) {
        if (i != CS) {
            random_segment(m, c, i);
        }
    }
    struct segment *cs = &m->seg[CS];
    *cs = (struct segment){
        .base = CODE_AREA + (random32() & 0xffff), .limit = 0xffff, .read = chance(70)};
    c->in.seg[CS] = descriptor(
        CS, cs->base, cs->limit,
        (cs->read ? 0x9bu : 0x99u) | (m->code32 ? D_BIG : 0) | m->cpl << 5, m->cpl);
}

static void make_flat(struct mode *m, struct tcase *c)
{
    for (u32 i = 0; i < 6; i++) {
        u32 sel = (i == CS ? CODE_AREA : ARENA) / 16 +
                  (random32() & (i == CS ? 0xfff : 0x1fff));
        c->in.seg[i] = sel;
        m->seg[i] = (struct segment){
            .base = sel << 4, .limit = 0xffff, .write = true, .read = true};
        c->reload[i] = 1;
        c->real_selector[i] = SEL_REAL_DATA;
    }
}

/* Real mode with limits kept from protected mode: some also keep a base that no selector
 * of real mode gives. */
static void make_unreal(struct mode *m, struct tcase *c)
{
    make_flat(m, c);
    for (u32 i = 0; i < 6; i++) {
        struct segment *s = &m->seg[i];
        if (i == CS || i == SS || chance(20)) {
            continue;
        }
        s->limit = 0xffffffff;
        c->real_selector[i] =
            descriptor(i, s->base, 0xfffff, D_RW | D_G | (chance(50) ? D_BIG : 0), 0);
        if (chance(50)) {
            c->reload[i] = 0;
            s->base = ARENA + (random32() & 0xffff);
            c->real_selector[i] = descriptor(i, s->base, 0xfffff, D_RW | D_G, 0);
            c->in.seg[i] = c->real_selector[i];
        }
    }
}

static u32 stack_pointer(const struct mode *m)
{
    static const u16 edges[] = {0,      4,      8,      0xc,    0x10,  0x20,
                                0xfffc, 0xfff8, 0xfff0, 0xffe0, 0xffdc};
    const struct segment *ss = &m->seg[SS];
    if (!m->stack32 && ss->limit == 0xffff && !ss->down && m->cpl == 3 && chance(20)) {
        return edges[pick(LEN(edges))];
    }
    return 0x4000 + (random32() & 0x3ffc);
}

void mode_make(struct mode *m, struct tcase *c)
{
    c->env = m->env;
    if (m->kind == MODE_PROTECTED) {
        make_protected(m, c);
    } else if (m->kind == MODE_UNREAL) {
        make_unreal(m, c);
    } else {
        make_flat(m, c);
    }
    c->in.rflags = 2 | (random32() & (ARITH | DF | IF | IOPL));
    if (m->kind == MODE_VM86) {
        c->in.rflags |= VM;
    }
    c->in.rflags |= chance(10) && m->kind != MODE_REAL && m->kind != MODE_UNREAL ? AC : 0;
    c->in.rflags |= chance(10) ? NT : 0;
    for (u32 i = 0; i < 8; i++) {
        c->in.gpr[i] = random_value();
    }
    u32 sp = stack_pointer(m);
    c->narrow_stack = m->kind == MODE_PROTECTED && m->cpl == 3 && !m->stack32;
    u32 high = chance(30) ? random32() & 0xffff0000u : 0;
    if (c->narrow_stack) {
        high = (u32)&sp & 0xffff0000u; /* IRET to an outer ring sets SP alone: the rest is
                                          the engine's */
    }
    c->in.gpr[SP] = m->stack32 ? sp : sp | high;
    c->own_stack = m->cpl != 3 && m->env != ENV_LONG;
    c->stack_base = m->seg[SS].base;
    c->stack_mask = m->stack32 ? 0xffffffffu : 0xffff;
    c->in.rip = 0x200 + pick(0xfc00);
    c->code_linear = m->seg[CS].base + (u32)c->in.rip;
}

bool mode_refuses(const struct mode *m, u32 seg, u32 off, u32 bytes, bool write)
{
    const struct segment *s = &m->seg[seg];
    u64 last = (u64)off + bytes - 1;
    if (s->null || (write ? !s->write : !s->read)) {
        return true;
    }
    if (s->down) {
        return off <= s->limit || last > (s->big ? 0xffffffffu : 0xffffu);
    }
    return last > s->limit;
}

bool mode_contains(u32 linear, u32 bytes, bool write)
{
    u32 end = linear + bytes;
    if (end < linear) {
        return false;
    }
    return linear >= ARENA && end <= (write ? ARENA + ARENA_SIZE : CODE_AREA + CODE_SIZE);
}
