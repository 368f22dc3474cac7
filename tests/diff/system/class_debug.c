/*
 * class_debug.c - code and data breakpoints by DR0 to DR3, with and without TF and RF
 *
 * The peer finds data breakpoints by its own unit of access, not by the operand's bytes:
 * there they are off, and the outcome is completed by the manual's rule.
 * Spec:    SDM 3B "Debug Registers", "Debug Exceptions", "Breakpoint Field Recognition"
 */
#include "class_system.h"
#include "exec.h"

#define STACK_AT (ARENA + 0x30000)
#define OPERAND  (ARENA + 0x8000)

static u32 dr[4], armed;

/* What an instruction reads and writes: at EDI, or ESI for the source of MOVSB. */
static u32 reads, writes, source;

static void choose_breakpoints(struct tcase *c)
{
    static const u8 lengths[] = {0, 1, 3};
    c->dr7 = 0x400;
    c->extras = 5;
    for (u32 i = 0; i < 4; i++) {
        u32 length = lengths[pick(LEN(lengths))];
        bool code = chance(30);
        dr[i] = ARENA + 0x100 * i; /* nothing there */
        if (chance(40)) {
            continue;
        }
        dr[i] = code ? c->code_linear + (chance(70) ? 0 : 16)
                     : (OPERAND + pick(12)) & ~length;
        u32 kind = code ? 0 : chance(50) ? 1u : 3u | length << 2;
        if (kind == 1) {
            kind |= length << 2;
        }
        c->extra[i] = dr[i];
        c->dr7 |= (1u + pick(3)) << (2 * i) | kind << (16 + 4 * i);
    }
}

void debug_make(struct tcase *c, u32 n)
{
    static const u8 ops[][3] = {
        {0x8a, 0x07}, {0x66, 0x8b, 0x07}, {0x8b, 0x07}, {0x88, 0x07}, {0x66, 0x89, 0x07},
        {0x89, 0x07}, {0x00, 0x07},       {0x01, 0x07}, {0x90},       {0xa4},
        {0xaa},       {0xff, 0x37},       {0x8f, 0x07}, {0xf6, 0x07}};
    static const char *const names[] = {
        "read 1",   "read 2", "read 4", "write 1", "write 2", "write 4", "modify 1",
        "modify 4", "none",   "MOVSB",  "STOSB",   "PUSH",    "POP",     "TEST"};
    u32 i = n % LEN(ops), cpl = chance(60) ? 3 : 0;
    c->name = names[i];
    c->in.seg[CS] = descriptor(1, 0, 0xfffff, D_CODE | D_G | D_BIG | cpl << 5, cpl);
    u32 data = descriptor(2, 0, 0xfffff, D_RW | D_G | D_BIG | cpl << 5, cpl);
    c->in.seg[SS] = c->in.seg[DS] = c->in.seg[ES] = data;
    for (u32 k = 0; k < 8; k++) {
        c->in.gpr[k] = random32();
    }
    c->in.gpr[SP] = STACK_AT + 0x800;
    c->in.gpr[DI] = OPERAND + pick(8);
    c->in.gpr[SI] = OPERAND + pick(8);
    c->in.rip = CODE_AREA + 0x3000 + pick(0xe00);
    c->code_linear = (u32)c->in.rip;
    c->in.rflags =
        2 | (random32() & ARITH) | (chance(30) ? RF : 0) | (chance(20) ? TF : 0);
    c->own_stack = cpl == 0;
    c->stack_mask = 0xffffffff;
    for (u32 k = 0; k < 3 && (k == 0 || ops[i][k] != 0); k++) {
        put8(c, ops[i][k]);
    }
    if (ops[i][0] == 0xf6) {
        put8(c, random32());
    }
    add_window(c, OPERAND - 16, 48);
    static const u8 read_bytes[] = {1, 2, 4, 0, 0, 0, 1, 4, 0, 0, 0, 4, 0, 1};
    static const u8 write_bytes[] = {0, 0, 0, 1, 2, 4, 1, 4, 0, 1, 1, 0, 4, 0};
    reads = read_bytes[i];
    writes = write_bytes[i];
    source = ops[i][0] == 0xa4;
    choose_breakpoints(c);
    c->extra[4] = armed = c->dr7;
    for (u32 k = 0; k < 4 && peer_is_qemu; k++) {
        if ((armed >> (16 + 4 * k) & 3) != 0) {
            c->dr7 &= ~(3u << (2 * k));
        }
    }
}

/* SDM 3B "Breakpoint Field Recognition" */
static u32 hits(const struct tcase *c)
{
    u32 found = 0, di = (u32)c->in.gpr[DI], si = (u32)c->in.gpr[SI];
    for (u32 k = 0; k < 4; k++) {
        u32 kind = armed >> (16 + 4 * k) & 3, length = (armed >> (18 + 4 * k) & 3) + 1;
        if (kind == 0 || (armed >> (2 * k) & 3) == 0) {
            continue;
        }
        bool hit = writes != 0 && di < dr[k] + length && dr[k] < di + writes;
        hit =
            hit || (kind == 3 && reads != 0 && di < dr[k] + length && dr[k] < di + reads);
        hit = hit || (kind == 3 && source && si >= dr[k] && si < dr[k] + length);
        found |= hit ? 1u << k : 0;
    }
    return found;
}

void debug_after(struct tcase *c, struct cpu *o)
{
    u32 end = (u32)c->in.rip + c->code_len, found = hits(c);
    bool stepped = o->vector == 1 && o->rip == end && (o->dr6 & 0x4000) != 0;
    bool passed = o->vector == 3 && o->rip == end + 1;
    if (peer_is_qemu && found != 0 && (stepped || passed)) {
        o->vector = 1;
        o->rip = end;
        o->dr6 = 0xffff0ff0 | found | (stepped ? 0x4000 : 0);
        deviates(c, "SDM 3B \"Breakpoint Field Recognition\"");
    }
}

void debug_before(struct tcase *c)
{
    (void)c;
    __asm__ volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3"
                     :
                     : "r"(dr[0]), "r"(dr[1]), "r"(dr[2]), "r"(dr[3]));
}
