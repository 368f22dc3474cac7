/*
 * progen.c - random programs
 */
#include "tests/unit/core/translate/progen.h"
#include "tests/unit/core/translate/progen_tables.h"
#include "tests/unit/core/translate/twin.h"

#include <string.h>

uint64_t progen_next(struct progen *g)
{
    g->state += 0x9e3779b97f4a7c15ull;
    uint64_t z = g->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static unsigned below(struct progen *g, unsigned n)
{
    return (unsigned)(progen_next(g) >> 33) % n;
}

/* A register of the code's mode. */
static unsigned any_register(struct progen *g)
{
    return g->narrow ? below(g, 8) : below(g, 16);
}

struct out {
    uint8_t b[48];
    unsigned n;
};

static void put(struct out *o, uint64_t v, unsigned bytes)
{
    memcpy(o->b + o->n, &v, bytes);
    o->n += bytes;
}

static uint64_t pick_address(struct progen *g)
{
    if (below(g, 1000) < g->smc) {
        return g->base + below(g, CODE_PAGES * 4096);
    }
    if (g->narrow && below(g, 40) == 0) { /* around 0 and 4 GiB */
        return (uint32_t)(below(g, 24) - 16);
    }
    uint64_t page = below(g, DATA_PAGES + 1) * 4096ull;
    unsigned off = below(g, 5) == 0 ? 4096 - 8 + below(g, 12) : below(g, 4096);
    if (below(g, 3) != 0) {
        off &= ~15u;
    }
    return g->base + DATA_OFF + page + off;
}

/* mov reg, pointer */
static void put_pointer(struct progen *g, struct out *o, unsigned reg, uint64_t value)
{
    if (!g->narrow && value >= 0xffffffff80000000ull) {
        put(o, 0x48 | (reg >> 3), 1);
        put(o, 0xc7, 1);
        put(o, 0xc0 | (reg & 7), 1);
        put(o, value, 4);
    } else {
        if (reg >= 8) {
            put(o, 0x41, 1);
        }
        put(o, 0xb8 | (reg & 7), 1);
        put(o, value, 4);
    }
}

struct mem {
    int kind; /* 0 [base+disp], 1 absolute, 2 rip-relative, 3 base+index, -1 register */
    unsigned base, index, scale;
    int32_t disp;
    uint64_t address;
    uint8_t seg; /* prefix, or 0 */
};

/* FS and GS have bases in 32-bit programs; the other prefixes change nothing or little.
 */
static void pick_segment(struct progen *g, struct mem *m)
{
    static const uint8_t prefixes[] = {0x64, 0x64, 0x65, 0x65, 0x26, 0x2e, 0x36, 0x3e};
    m->seg = 0;
    if (!g->narrow || below(g, 8) != 0) {
        return;
    }
    m->seg = prefixes[below(g, sizeof(prefixes))];
    if (m->seg == 0x64 || m->seg == 0x65) {
        uint64_t base = g->base + DATA_OFF + (m->seg == 0x64 ? TWIN_FS : TWIN_GS);
        m->address = (uint32_t)(m->address - base);
    }
}

static void pick_mem(struct progen *g, struct out *o, bool reg_only, struct mem *m)
{
    m->base = any_register(g);
    m->index = any_register(g);
    m->scale = below(g, 4);
    m->address = pick_address(g);
    pick_segment(g, m);
    unsigned r = below(g, 10);
    if (reg_only || r < 4) {
        m->kind = -1;
        return;
    }
    if (below(g, 1000) < g->wild) {
        m->kind = below(g, 2) ? 3 : 0;
        m->disp = below(g, 2) ? (int8_t)progen_next(g) : (int32_t)progen_next(g);
        return;
    }
    if (r < 6) {
        m->kind = r == 4 || g->narrow ? 1 : 2;
        return;
    }
    m->kind = 0;
    m->disp = below(g, 2) ? 0 : (int32_t)(int8_t)progen_next(g);
    if (m->base == 4) {
        m->base = 3;
    }
    put_pointer(g, o, m->base, m->address - (uint64_t)(int64_t)m->disp);
}

/* A, V66: what stands behind the opcode is neither ModRM nor a plain immediate. */
static void put_offset(struct progen *g, struct out *o, const struct progen_shape *s)
{
    if (s->flags & V66) {
        put(o, below(g, 64), 2);
        put(o, below(g, 4), 1);
    } else {
        put(o, pick_address(g), g->narrow ? 4 : 8);
    }
}

static unsigned modrm_bits(const struct mem *m, unsigned *x, unsigned *b)
{
    *x = m->kind == 3 ? m->index >> 3 : 0;
    *b = m->kind == 1 || m->kind == 2 ? 0 : m->base >> 3;
    return 0;
}

static void put_modrm(struct out *o, unsigned reg, const struct mem *m, uint64_t at,
                      unsigned imm)
{
    unsigned r = (reg & 7) << 3, b = m->base & 7;
    switch (m->kind) {
    case -1:
        put(o, 0xc0 | r | b, 1);
        break;
    case 1:
        put(o, 0x04 | r, 1);
        put(o, 0x25, 1);
        put(o, m->address, 4);
        break;
    case 2:
        put(o, 0x05 | r, 1);
        put(o, m->address - (at + o->n + 4 + imm), 4);
        break;
    case 3:
        put(o, 0x84 | r, 1);
        put(o, m->scale << 6 | (m->index & 7) << 3 | b, 1);
        put(o, (uint32_t)m->disp, 4);
        break;
    default:
        if (m->disp == 0 && b != 5) {
            put(o, r | b, 1);
        } else {
            put(o, 0x40 | r | b, 1);
        }
        if (b == 4) {
            put(o, 0x24, 1);
        }
        if (!(m->disp == 0 && b != 5)) {
            put(o, m->disp >= -128 && m->disp <= 127 ? (uint8_t)m->disp : 0, 1);
        }
        break;
    }
}

static void put_shape(struct progen *g, struct out *o, const struct progen_shape *s,
                      uint64_t at)
{
    struct mem m = {.kind = -1, .base = any_register(g)};
    unsigned reg = s->ext >= 0    ? (unsigned)s->ext
                   : s->ext == -2 ? below(g, 8)
                   : s->ext == -4 ? below(g, 6)
                                  : any_register(g);
    unsigned size = (s->flags & S) ? below(g, 4) : 1,
             cc = s->ext == -3 ? below(g, 16) : 0;
    unsigned x, b, imm = (s->flags & IB) ? 1 : 0;
    if (s->flags & M) {
        pick_mem(g, o, s->flags & R, &m);
    }
    if (s->ext >= 0 || s->ext == -2) {
        reg &= 7;
    }
    modrm_bits(&m, &x, &b);
    if (m.kind != -1 && m.seg != 0) {
        put(o, m.seg, 1);
    } else if (m.kind != -1 && below(g, 30) == 0) {
        put(o, below(g, 2) ? 0x64 : 0x65, 1);
    }
    if (m.kind == 3 && below(g, 8) == 0) {
        put(o, 0x67, 1);
    }
    if (size == 0 && s->pp == 0) {
        put(o, 0x66, 1);
    }
    if (s->pp) {
        put(o, s->pp, 1);
    }
    if (s->flags & IZ) {
        imm = size == 0 ? 2 : 4;
    }
    unsigned rex = (size == 3 ? 8u : 0u) | (reg >> 3) << 2 | x << 1 | b;
    if (!g->narrow && (rex || below(g, 3) == 0)) {
        put(o, 0x40 | rex, 1);
    }
    for (unsigned i = 0; i < s->n; i++) {
        uint8_t op = s->op[i];
        if (i + 1 == s->n) {
            op = (uint8_t)(op + cc + ((s->flags & O) ? m.base & 7 : 0));
        }
        put(o, op, 1);
    }
    if (s->flags & M) {
        put_modrm(o, reg, &m, at, imm);
    }
    if (s->flags & (A | V66)) {
        put_offset(g, o, s);
    } else if (imm) {
        uint64_t v = progen_next(g);
        put(o, below(g, 3) ? v & 7 : v, imm);
    }
}

static void put_vex(struct progen *g, struct out *o, uint64_t at)
{
    const struct progen_vex *s = &progen_vexes[below(g, progen_vex_count)];
    struct mem m;
    unsigned reg = s->ext >= 0 ? (unsigned)s->ext : any_register(g), x, b;
    unsigned l = s->l ? below(g, 2) : 0, w = s->w == 2 ? below(g, 2) : s->w;
    unsigned v = s->vvvv ? below(g, 16) : 0;
    pick_mem(g, o, s->op == 0xd7 && s->map == 1, &m);
    modrm_bits(&m, &x, &b);
    if (m.kind != -1 && m.seg != 0) {
        put(o, m.seg, 1);
    }
    put(o, 0xc4, 1);
    put(o, ((reg >> 3) ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | s->map, 1);
    put(o, w << 7 | (~v & 15) << 3 | l << 2 | s->pp, 1);
    put(o, s->op, 1);
    if (s->ext != -3) {
        put_modrm(o, reg, &m, at, s->imm);
    }
    if (s->imm) {
        put(o, progen_next(g), 1);
    }
}

static uint64_t pick_slot(struct progen *g)
{
    return g->base + below(g, CODE_PAGES * 4096 / SLOT) * (uint64_t)SLOT;
}

static void put_branch(struct progen *g, struct out *o, uint64_t at)
{
    uint64_t target = pick_slot(g);
    unsigned reg = any_register(g);
    if (below(g, 3) == 0) { /* nearby */
        target = (at & ~(uint64_t)(SLOT - 1)) + below(g, 8) * SLOT - 2 * SLOT;
    }
    if (g->narrow && below(g, 40) == 0) { /* LOOP by CX, or a target cut to 16 bits */
        put(o, below(g, 2) ? 0x66 : 0x67, 1);
    }
    switch (below(g, 9)) {
    case 0:
    case 1:
    case 2:
        put(o, 0x0f, 1);
        put(o, 0x80 | below(g, 16), 1);
        put(o, target - (at + o->n + 4), 4);
        break;
    case 3:
        put(o, 0xe9, 1);
        put(o, target - (at + o->n + 4), 4);
        break;
    case 4:
        put(o, 0xe8, 1);
        put(o, target - (at + o->n + 4), 4);
        break;
    case 5:
    case 6: /* jmp or call register */
        put_pointer(g, o, reg, target);
        if (reg >= 8) {
            put(o, 0x41, 1);
        }
        put(o, 0xff, 1);
        put(o, (below(g, 2) ? 0xe0 : 0xd0) | (reg & 7), 1);
        break;
    case 7: /* push target; ret */
        put_pointer(g, o, 0, target);
        put(o, 0x50, 1);
        put(o, 0xc3, 1);
        break;
    default:
        put(o, below(g, 2) ? 0xe2 : 0xe3, 1);
        put(o, below(g, 40), 1);
        break;
    }
}

/* mov reg, selector; mov segment, reg: mostly back to the flat one */
static void put_segment_load(struct progen *g, struct out *o)
{
    static const uint8_t selectors[] = {0x23, 0x23, 0x23, 0x23, 0x00, 0x10,
                                        0x4b, 0x53, 0x5b, 0x63, 0x1b};
    static const uint8_t segments[] = {CV_DS, CV_ES, CV_FS, CV_GS};
    unsigned reg = below(g, 8), seg = segments[below(g, sizeof(segments))];
    put_pointer(g, o, reg, selectors[below(g, sizeof(selectors))]);
    put(o, 0x8e, 1);
    put(o, 0xc0 | seg << 3 | reg, 1);
    if (seg < CV_FS && below(g, 2) != 0) { /* flat again after an instruction */
        put(o, 0x90, 1);
        put_pointer(g, o, reg, 0x23);
        put(o, 0x8e, 1);
        put(o, 0xc0 | seg << 3 | reg, 1);
    }
}

static void put_narrow(struct progen *g, struct out *o, uint64_t at)
{
    if (below(g, 16) == 0) {
        put_segment_load(g, o);
    } else {
        put_shape(g, o, &progen_legacy[below(g, progen_legacies)], at);
    }
}

static void put_one(struct progen *g, struct out *o, uint64_t at)
{
    o->n = 0;
    unsigned r = below(g, 100);
    if (r < 8) {
        put_branch(g, o, at);
    } else if (r < 10) { /* keep the stack usable */
        put_pointer(g, o, 4, g->base + DATA_OFF + 0x7800 + below(g, 256) * 8);
    } else if (r == 10) { /* flags up and down again */
        put(o, 0x589c, 2);
        put(o, 0x50, 1);
        put(o, below(g, 2) ? 0x9d : 0x58, 1);
    } else if (r == 11) { /* runs of pushes and pops, sometimes a return */
        unsigned m = 1 + below(g, 6), op = below(g, 2) ? 0x50 : 0x58;
        for (unsigned i = 0; i < m; i++) {
            if (!g->narrow && below(g, 3) == 0) {
                put(o, 0x41, 1);
            }
            put(o, op | below(g, 8), 1);
        }
        if (below(g, 4) == 0) {
            put(o, 0xc3, 1);
        }
    } else if (r < 14) {
        put_vex(g, o, at);
    } else if (g->narrow && below(g, 6) == 0) {
        put_narrow(g, o, at);
    } else if (r < 14 + g->vectors) {
        put_shape(g, o, &progen_vector[below(g, progen_vectors)], at);
    } else {
        put_shape(g, o, &progen_integer[below(g, progen_integers)], at);
    }
}

void progen_fill(struct progen *g, uint8_t *code, unsigned bytes)
{
    memset(code, 0x90, bytes);
    for (unsigned slot = 0; slot < bytes; slot += SLOT) {
        unsigned at = slot;
        unsigned room =
            below(g, 16) == 0 ? SLOT + 4 : SLOT; /* some run into the next slot */
        for (unsigned tries = 0; tries < 12; tries++) {
            struct out o;
            put_one(g, &o, g->base + at);
            if (at + o.n <= slot + room && at + o.n <= bytes) {
                memcpy(code + at, o.b, o.n);
                at += o.n;
            }
        }
    }
}
