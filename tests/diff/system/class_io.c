/*
 * class_io.c - IN, OUT, INS, OUTS by IOPL and the I/O permission map: protected mode at
 * CPL 0 and 3, virtual-8086 mode
 *
 * The ports decode to nothing, so that reads give ones.
 * Spec:    SDM 1 "I/O Privilege Level", "I/O Permission Bit Map"
 */
#include "class_system.h"
#include "exec.h"

#define STACK_AT (ARENA + 0x30000)
#define BUFFER   (ARENA + 0x8000)
#define PORTS    0x5000u
#define MAP_AT   104u

static u32 limit, map;

static void choose_map(void)
{
    for (u32 i = 0; i < 8; i++) {
        tss32.bits[PORTS / 8 + i] = chance(70) ? 0 : (u8)random32();
    }
    map = chance(90) ? MAP_AT : 0xffff;
    limit = chance(60) ? MAP_AT + 8192 : MAP_AT + PORTS / 8 + pick(6);
}

static void virtual_8086(struct tcase *c)
{
    c->in.seg[CS] = CODE_AREA / 16;
    c->in.seg[SS] = STACK_AT / 16;
    c->in.seg[DS] = c->in.seg[ES] = ARENA / 16;
    c->in.gpr[SP] = 0x800;
    c->in.gpr[SI] = c->in.gpr[DI] = BUFFER - ARENA;
    c->in.rip = 0x3000;
    c->in.rflags |= VM;
}

static void protected(struct tcase *c, u32 cpl)
{
    c->in.seg[CS] = descriptor(1, CODE_AREA, 0xffff, D_CODE | D_BIG | cpl << 5, cpl);
    c->in.seg[SS] = c->in.seg[DS] = c->in.seg[ES] =
        descriptor(2, 0, 0xfffff, D_RW | D_G | D_BIG | cpl << 5, cpl);
    c->in.gpr[SP] = STACK_AT + 0x800;
    c->in.gpr[SI] = c->in.gpr[DI] = BUFFER;
    c->in.rip = 0x3000;
    c->own_stack = cpl == 0;
    c->stack_mask = 0xffffffff;
}

void io_make(struct tcase *c, u32 n)
{
    static const u8 ops[] = {0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed,
                             0xee, 0xef, 0x6c, 0x6d, 0x6e, 0x6f};
    u8 op = ops[n % LEN(ops)];
    bool string = op < 0xe0, immediate = op >= 0xe4 && op < 0xe8;
    c->name = string ? "INS/OUTS" : "IN/OUT";
    for (u32 i = 0; i < 8; i++) {
        c->in.gpr[i] = random32();
    }
    c->in.rflags = 2 | (random32() & (ARITH | IF | IOPL | DF));
    if (chance(40)) {
        virtual_8086(c);
    } else {
        protected(c, chance(80) ? 3 : 0);
    }
    c->code_linear = CODE_AREA + 0x3000;
    choose_map();
    c->in.gpr[DX] = (c->in.gpr[DX] & 0xffff0000u) | (PORTS + pick(0x30));
    if (string && chance(40)) {
        put8(c, 0xf3);
        c->in.gpr[CX] = pick(6);
    }
    if (chance(40)) {
        put8(c, 0x66);
    }
    put8(c, op);
    if (immediate) {
        put8(c, 0xe0 + pick(8)); /* decodes to nothing, too; the map says no or yes */
        tss32.bits[0xe0 / 8] = (u8)random32();
        tss32.bits[0xe8 / 8] = (u8)random32();
    }
    add_window(c, BUFFER - 32, 64);
}

void io_before(struct tcase *c)
{
    (void)c;
    tss32.map = (u16)map;
    put_descriptor(&gdt[SEL_TSS / 8], (u32)&tss32, limit, 0x89);
    exec_ltr(SEL_TSS);
}

void io_after(struct tcase *c, struct cpu *o)
{
    u8 op = c->code[c->code_len - 1] >= 0xe0 && c->code_len > 1 &&
                    (c->code[c->code_len - 2] & 0xf6) == 0xe4
                ? c->code[c->code_len - 2]
                : c->code[c->code_len - 1];
    if (o->vector == 3 && (op == 0xe5 || op == 0xed || op == 0x6d)) {
        /* what a port without a device gives for more than a byte is the board's affair,
         * not the processor's */
        o->gpr[AX] = 0;
        memset(at(BUFFER - 32), 0, 64);
    }
    tss_defaults();
    exec_ltr(SEL_TSS);
}
