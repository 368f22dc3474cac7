/*
 * class_segment.c - descriptors: loads, probes, far transfers, gates, returns to all
 * rings
 *
 * The GDT's case entries and an LDT are filled with random descriptors and gates. All
 * code segments lie over the INT3 area, so whatever a transfer reaches is told by #BP:
 * CS:EIP, SS:ESP, CPL, flags, and the stack it left.
 * Spec:    SDM 3A "Protection", SDM 2 of each instruction
 */
#include "class_system.h"
#include "exec.h"

#define SLOTS     16u
#define LDT_AT    (ARENA + 0x3f000)
#define RING0_TOP (ARENA + 0x3e000)
#define OPERAND   (ARENA + 0x3c000)
#define STACKS    (ARENA + 0x30000) /* of rings 1 and 2, 4 KiB each */

static u64 *ldt_entry(u32 slot)
{
    return (u64 *)(void *)at(LDT_AT + 8 * slot);
}

static u32 any_selector(void)
{
    u32 slot = pick(SLOTS);
    switch (pick(20)) {
    case 0:
        return pick(4); /* null */
    case 1:
        return 8 * (GDT_ENTRIES + pick(64)) + pick(4); /* past the GDT */
    case 2:
        return (8 * (SLOTS + pick(64)) | 4) + pick(4); /* past the LDT */
    default:
        return (chance(50) ? SEL_CASE + 8 * slot : 8 * slot | 4) + pick(4);
    }
}

static u64 gate(u32 type, u32 sel, u32 offset, u32 dpl, bool present, u32 count)
{
    u32 high =
        (offset & 0xffff0000u) | (present ? 0x8000u : 0) | dpl << 13 | type << 8 | count;
    return (offset & 0xffff) | sel << 16 | (u64)high << 32;
}

static u64 random_descriptor(bool wide)
{
    u64 d;
    u32 dpl = pick(4), p = chance(90) ? 0x80u : 0, kind = pick(10);
    u32 size = (chance(50) ? D_BIG : 0) | (chance(10) ? 0x1000u : 0); /* AVL */
    if (kind < 4) {
        u32 limit =
            wide || chance(85) ? 0xffff : 0xff; /* the peer checks it in JMP only */
        put_descriptor(&d, CODE_AREA + (random32() & 0xffff), limit,
                       0x18u | pick(8) | dpl << 5 | p | size);
    } else if (kind < 7) {
        u32 type = pick(8);
        u32 limit = (type & 4) != 0 ? 7 : chance(70) ? 0xffff : 0x1ff;
        put_descriptor(&d, ARENA + (random32() & 0xffff), limit,
                       0x10u | type | dpl << 5 | p | size);
    } else if (kind < 9) {
        d = gate(chance(50) ? 12 : 4, any_selector(), random32() & 0xffff,
                 chance(50) ? 3 : dpl, p != 0, chance(60) ? pick(4) : pick(32));
    } else {
        u32 type = pick(16);
        if (type == 1 || type == 3 || type == 5 || type == 9 || type == 11) {
            type = 2;
        }
        put_descriptor(&d, ARENA + (random32() & 0xffff),
                       chance(80) ? 0xffff : pick(0x80), type | dpl << 5 | p);
    }
    return d;
}

static void make_tables(struct tcase *c, bool wide)
{
    for (u32 i = 0; i < SLOTS; i++) {
        gdt[SEL_CASE / 8 + i] = random_descriptor(wide);
        *ldt_entry(i) = random_descriptor(wide);
    }
    for (u32 v = 0x40; v < 0x60; v++) {
        static const u8 types[] = {6, 7, 14, 15, 14, 15, 6, 7};
        u32 type = chance(92) ? types[v & 7] : pick(16);
        if (type == 5) {
            type = 4;
        }
        idt32[v] = gate(type, any_selector(), random32() & 0xffff,
                        chance(60) ? 3 : pick(4), chance(92), pick(8) << 5);
    }
    put_descriptor(&gdt[SEL_LDT / 8], LDT_AT, 8 * SLOTS - 1, 0x82);
    c->ldt = SEL_LDT;
    tss32.level[0].sp = RING0_TOP;
    for (u32 ring = 1; ring < 3; ring++) {
        u32 dpl = chance(90) ? ring : pick(4);
        put_descriptor(&gdt[SEL_CASE / 8 + ring], STACKS + 0x1000 * ring, 0xfff,
                       (chance(95) ? 0x13u : 0x11u) | dpl << 5 |
                           (chance(95) ? 0x80u : 0) | (chance(50) ? D_BIG : 0));
        tss32.level[ring].ss = chance(92)
                                   ? SEL_CASE + 8 * ring + (chance(95) ? ring : pick(4))
                                   : any_selector();
        tss32.level[ring].sp = 0x800;
        memset(at(STACKS + 0x1000 * ring + 0x700), 0, 0x100);
        add_window(c, STACKS + 0x1000 * ring + 0x700, 0x100);
        c->window[c->windows - 1].keep = true;
    }
}

/* CS, SS and data segments of the ring the case starts in; slots 12 to 15. */
static void make_ring(struct tcase *c, u32 cpl, bool code32)
{
    u32 stack = ARENA + 0x20000 + (random32() & 0xff0);
    u32 big = chance(60) ? D_BIG : 0;
    c->in.seg[CS] = descriptor(15, CODE_AREA + (random32() & 0xfff), 0xffff,
                               0x9bu | cpl << 5 | (code32 ? D_BIG : 0), cpl);
    c->in.seg[SS] = descriptor(14, stack, 0xffff, D_RW | cpl << 5 | big, cpl);
    c->in.seg[DS] = descriptor(13, 0, 0xfffff, D_RW | D_G | D_BIG | D_DPL3, 3);
    c->in.seg[ES] = descriptor(12, ARENA + (random32() & 0xffff), 0xffff,
                               D_RW | (cpl + pick(4 - cpl)) << 5, cpl);
    c->in.seg[FS] = chance(50) ? 0 : c->in.seg[ES];
    c->in.seg[GS] =
        descriptor(11, CODE_AREA, 0xffff,
                   (chance(50) ? 0x9fu : 0x9bu) | (cpl + pick(4 - cpl)) << 5, cpl);
    for (u32 i = 0; i < 8; i++) {
        c->in.gpr[i] = random32();
    }
    c->in.gpr[SP] = 0x4000 + (random32() & 0x3ff0);
    c->narrow_stack = cpl == 3 && big == 0;
    if (cpl != 0 && big == 0) {
        c->in.gpr[SP] |= (u32)&stack & 0xffff0000u;
    }
    c->in.gpr[BX] = 0x10;
    c->in.rip = 0x200 + pick(0xfc00);
    c->in.rflags = 2 | (random32() & (ARITH | DF | IF | IOPL));
    c->code_linear = CODE_AREA + (u32)c->in.rip; /* set right below */
    c->own_stack = cpl == 0;
    c->stack_base = stack;
    c->stack_mask = big != 0 ? 0xffffffffu : 0xffff;
    c->ring0_top = RING0_TOP;
    add_window(c, stack + (u16)c->in.gpr[SP] - 64, 192);
    add_window(c, RING0_TOP - 160, 160);
    add_window(c, LDT_AT, 8 * SLOTS);
    c->window[c->windows - 1].keep = true;
    c->window[c->windows - 2].keep = true;
    add_window(c, OPERAND, 16);
    random_fill(OPERAND, 16);
    c->window[c->windows - 1].keep = true;
}

static u32 base_of(u32 slot)
{
    u64 d = gdt[SEL_CASE / 8 + slot];
    return (u32)(d >> 16 & 0xffffff) | (u32)(d >> 56) << 24;
}

static bool returning;
static u32 popped_ss;

struct op {
    const char *name;
    u8 kind;
    u8 byte, digit, two;
};
enum {
    O_MOV,
    O_POP,
    O_LDS,
    O_PROBE,
    O_RM16,
    O_JMP,
    O_JMP_M,
    O_RETF,
    O_RETF_I,
    O_IRET,
    O_INT,
    O_ARPL
};

static const struct op ops[] = {
    {"MOV ES", O_MOV, 0x8e, 0, 0},      {"MOV CS", O_MOV, 0x8e, 1, 0},
    {"MOV SS", O_MOV, 0x8e, 2, 0},      {"MOV DS", O_MOV, 0x8e, 3, 0},
    {"MOV FS", O_MOV, 0x8e, 4, 0},      {"MOV GS", O_MOV, 0x8e, 5, 0},
    {"MOV SS", O_MOV, 0x8e, 2, 0},      {"POP ES", O_POP, 0x07, 0, 0},
    {"POP SS", O_POP, 0x17, 2, 0},      {"POP DS", O_POP, 0x1f, 3, 0},
    {"POP FS", O_POP, 0xa1, 4, 1},      {"POP GS", O_POP, 0xa9, 5, 1},
    {"LES", O_LDS, 0xc4, 0, 0},         {"LDS", O_LDS, 0xc5, 3, 0},
    {"LSS", O_LDS, 0xb2, 2, 1},         {"LFS", O_LDS, 0xb4, 4, 1},
    {"LGS", O_LDS, 0xb5, 5, 1},         {"LAR", O_PROBE, 0x02, 0, 1},
    {"LSL", O_PROBE, 0x03, 0, 1},       {"LAR", O_PROBE, 0x02, 0, 1},
    {"LSL", O_PROBE, 0x03, 0, 1},       {"VERR", O_RM16, 0x00, 4, 1},
    {"VERW", O_RM16, 0x00, 5, 1},       {"VERR", O_RM16, 0x00, 4, 1},
    {"VERW", O_RM16, 0x00, 5, 1},       {"LLDT", O_RM16, 0x00, 2, 1},
    {"LTR", O_RM16, 0x00, 3, 1},        {"SLDT", O_RM16, 0x00, 0, 1},
    {"STR", O_RM16, 0x00, 1, 1},        {"ARPL", O_ARPL, 0x63, 0, 0},
    {"JMP ptr", O_JMP, 0xea, 0, 0},     {"CALL ptr", O_JMP, 0x9a, 0, 0},
    {"JMP m", O_JMP_M, 0xff, 5, 0},     {"CALL m", O_JMP_M, 0xff, 3, 0},
    {"JMP ptr", O_JMP, 0xea, 0, 0},     {"CALL ptr", O_JMP, 0x9a, 0, 0},
    {"CALL m", O_JMP_M, 0xff, 3, 0},    {"RETF", O_RETF, 0xcb, 0, 0},
    {"RETF imm", O_RETF_I, 0xca, 0, 0}, {"IRET", O_IRET, 0xcf, 0, 0},
    {"IRET", O_IRET, 0xcf, 0, 0},       {"INT", O_INT, 0xcd, 0, 0},
    {"INT", O_INT, 0xcd, 0, 0},         {"INT", O_INT, 0xcd, 0, 0},
};

static void push_value(struct tcase *c, u32 *off, u32 size, u32 value)
{
    u32 linear = c->stack_base + (((u32)c->in.gpr[SP] + *off) & c->stack_mask);
    size == 2 ? st16(linear, value) : st32(linear, value);
    *off += size;
}

static u32 code_sel(u32 cpl)
{
    /* a ring at or outside of this one, with a code descriptor that fits more often than
     * not */
    u32 rpl = chance(90) ? cpl + pick(4 - cpl) : pick(4);
    if (chance(60)) {
        u32 slot = 7 + rpl;
        put_descriptor(&gdt[SEL_CASE / 8 + slot], CODE_AREA + (random32() & 0xffff),
                       0xffff,
                       (chance(80) ? 0x1bu : 0x1fu) | rpl << 5 |
                           (chance(95) ? 0x80u : 0) | (chance(50) ? D_BIG : 0));
        return SEL_CASE + 8 * slot + rpl;
    }
    return (any_selector() & ~3u) | rpl;
}

static u32 stack_sel(u32 rpl)
{
    if (chance(80)) {
        u32 slot = 3 + rpl;
        put_descriptor(&gdt[SEL_CASE / 8 + slot], ARENA + (random32() & 0xfff0), 0xffff,
                       0x13u | rpl << 5 | (chance(95) ? 0x80u : 0) |
                           (chance(50) ? D_BIG : 0));
        return SEL_CASE + 8 * slot + rpl;
    }
    return any_selector();
}

static void far_frame(struct tcase *c, u32 cpl, u32 size, bool flags, u32 skip)
{
    u32 off = 0, cs = code_sel(cpl);
    push_value(c, &off, size, random32() & 0xffff);
    push_value(c, &off, size, cs | (size == 4 ? random32() << 16 : 0));
    if (flags) {
        push_value(c, &off, size, random32() & ~(u32)(NT | VM | TF | 0xff180000u));
    }
    off += skip;
    push_value(c, &off, size, 0x4000 + (random32() & 0x3ffc));
    popped_ss = stack_sel(cs & 3);
    push_value(c, &off, size, popped_ss);
}

static u64 *entry_of(u32 sel)
{
    u32 slot = (sel >> 3) - ((sel & 4) != 0 ? 0 : SEL_CASE / 8);
    if (slot >= SLOTS) {
        return NULL;
    }
    return (sel & 4) != 0 ? ldt_entry(slot) : &gdt[SEL_CASE / 8 + slot];
}

/*
 * The peer goes to an inner ring through a call gate to a conforming segment, and takes
 * other errors in JMP through one to a segment that is absent or too short. Behind a gate
 * only plain segments are offered. SDM 2A "CALL", "JMP"
 */
static u32 plain_behind_gate(u32 sel)
{
    u64 *d = entry_of(sel);
    if (d != NULL && (*d >> 40 & 0x17) == 4) {
        u64 *to = entry_of((u32)(*d >> 16) & 0xffff);
        if (to != NULL && (*to >> 40 & 0x1c) == 0x1c) {
            *to &= ~(4ull << 40);
        }
        if (to != NULL && (*to >> 40 & 0x18) == 0x18) {
            *to |= 1ull << 47 | 0xffff;
        }
    }
    return sel;
}

static void put_prefix(struct tcase *c, bool code32, u32 size, bool address32)
{
    if (size != (code32 ? 4u : 2u)) {
        put8(c, 0x66);
    }
    if (address32 && !code32) {
        put8(c, 0x67);
    }
}

/* A read through the register just loaded: its base shows. */
static void put_probe(struct tcase *c, u32 seg, u32 sel, bool code32)
{
    static const u8 prefix[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    if (seg == SS || seg == CS || sel < 4) {
        return;
    }
    put8(c, prefix[seg]);
    if (!code32) {
        put8(c, 0x67);
    }
    put8(c, 0x8a);
    put8(c, 0x03); /* MOV AL, [EBX] */
}

static void put_op(struct tcase *c, const struct op *op, u32 cpl, bool code32)
{
    u32 size = chance(50) ? 2 : 4, sel = any_selector(), off = 0;
    bool memory = op->kind == O_LDS || op->kind == O_JMP_M;
    put_prefix(c, code32, size, memory);
    if (op->two) {
        put8(c, 0x0f);
    }
    put8(c, op->byte);
    c->in.gpr[SI] = (c->in.gpr[SI] & 0xffff0000u) | sel;
    switch (op->kind) {
    case O_MOV:
    case O_RM16:
        put8(c, 0xc0u | (u32)op->digit << 3 | SI);
        break;
    case O_PROBE:
        put8(c, 0xc0u | DI << 3 | SI);
        break;
    case O_ARPL:
        put8(c, 0xc0u | DI << 3 | SI);
        break;
    case O_POP:
        push_value(c, &off, size, sel | (size == 4 ? random32() << 16 : 0));
        break;
    case O_LDS:
    case O_JMP_M:
        put8(c, op->kind == O_LDS ? 0x05u | DX << 3 : 0x05u | (u32)op->digit << 3);
        put32(c, OPERAND);
        sel = op->kind == O_JMP_M && chance(60) ? code_sel(cpl) : sel;
        size == 2 ? st16(OPERAND, random32()) : st32(OPERAND, random32() & 0xffff);
        st16(OPERAND + size, plain_behind_gate(sel));
        break;
    case O_JMP:
        size == 2 ? put16(c, random32()) : put32(c, random32() & 0xffff);
        put16(c, plain_behind_gate(chance(60) ? code_sel(cpl) : sel));
        break;
    case O_RETF:
        far_frame(c, cpl, size, false, 0);
        break;
    case O_RETF_I:
        off = pick(9) * 4;
        put16(c, off);
        far_frame(c, cpl, size, false, off);
        break;
    case O_IRET:
        far_frame(c, cpl, size, true, 0);
        break;
    case O_INT:
        put8(c, 0x40 + pick(0x20));
        break;
    default:
        break;
    }
    if (op->kind == O_MOV || op->kind == O_POP || op->kind == O_LDS) {
        put_probe(c, op->digit, sel, code32);
    }
}

void segment_make(struct tcase *c, u32 n)
{
    const struct op *op = &ops[n % LEN(ops)];
    u32 cpl = chance(40) ? 3 : pick(4);
    bool code32 = chance(60);
    c->name = op->name;
    returning = op->kind == O_RETF || op->kind == O_RETF_I || op->kind == O_IRET;
    make_tables(c, op->byte != 0xea && op->digit != 5);
    make_ring(c, cpl, code32);
    random_fill(c->window[2].linear, c->window[2].len);
    c->window[2].keep = true;
    c->code_linear = base_of(15) + (u32)c->in.rip;
    put_op(c, op, cpl, code32);
    if (op->kind == O_RM16 && op->digit == 3 && cpl == 0 &&
        (c->in.gpr[SI] & 0xfffc) == 0) {
        c->predicted = true; /* the peer loads a null TR */
        c->vector = 13;
        c->excuse = "SDM 2A \"LTR-Load Task Register\"";
    }
}

/* The peer does not mark the code segment of a far transfer: SDM 3A "Code- and
 * Data-Segment Descriptor Types" */
static void mark_code(u32 sel)
{
    u64 *d = entry_of(sel);
    if (d != NULL) {
        *d |= 1ull << 40;
    }
}

/* SDM 2A "CALL", "INT n", "IRET", 2B "RET": a stack segment that is not present is #SS;
 * the peer has #NP and #TS. */
static void absent_stack(struct tcase *c, struct cpu *o)
{
    u64 *d = entry_of(o->error);
    if (d == NULL || (*d >> 47 & 1) != 0) {
        return;
    }
    bool hit =
        o->vector == 11 && returning && ((o->error & 0xfffc) == (popped_ss & 0xfffc));
    for (u32 ring = 1; ring < 3 && o->vector == 10; ring++) {
        u32 ss = tss32.level[ring].ss;
        hit = hit || ((ss & 0xfffc) == o->error && (ss & 3) == ring &&
                      (*d >> 45 & 3) == ring && (*d >> 41 & 0xd) == 9);
    }
    if (hit) {
        o->vector = 12;
        deviates(c, "SDM 3A \"Interrupt 12-Stack Fault Exception (#SS)\"");
    }
}

void segment_after(struct tcase *c, struct cpu *o)
{
    u64 sum = 0;
    u16 ldt, tr;
    if (peer_is_qemu && o->seg[CS] != c->in.seg[CS]) {
        mark_code(o->seg[CS]);
    }
    if (peer_is_qemu) {
        absent_stack(c, o);
    }
    __asm__ volatile("sldt %0; str %1" : "=r"(ldt), "=r"(tr));
    for (u32 i = 0; i < SLOTS; i++) { /* accessed and busy bits */
        sum = sum * 31 + (gdt[SEL_CASE / 8 + i] >> 40 & 0xff);
    }
    c->extra[c->extras++] = sum;
    c->extra[c->extras++] = (u32)ldt << 16 | tr;
    if (tr != SEL_TSS) {
        exec_ltr(SEL_TSS);
    }
    tss_defaults();
    gdt[SEL_TSS / 8] |= 2ull << 40; /* busy: it is in TR */
    idt_defaults(0x40, 0x60);
}
