/*
 * class_task.c - hardware task switches: JMP, CALL, INT and IRET, by TSS and by task
 * gate, 16 and 32 bits
 *
 * The new task's code lies over the INT3 area; its registers, the old TSS, both busy
 * bits, TR, NT and CR0.TS are told.
 * Spec:    SDM 3A "Task Switching", "Task Linking"
 */
#include "class_system.h"
#include "exec.h"

#define STACK_AT  (ARENA + 0x30000)
#define NEW_STACK (ARENA + 0x31000)
#define NEW_TOP0  (ARENA + 0x32000)
#define NEW_TSS   (ARENA + 0x3a000)

enum { CODE0 = 1, DATA0, CODE3, DATA3, TSS, GATE, LDT }; /* case slots */
enum { JMP_TSS, CALL_TSS, JMP_GATE, CALL_GATE, INT_GATE, IRET_LINK };

static bool same_ring, narrow;

static u32 sel(u32 slot, u32 rpl)
{
    return SEL_CASE + 8 * slot + rpl;
}

/* With faults only where the ring stays the same: the peer takes them at the old task's
 * CPL. */
static u32 data_selector(u32 cpl)
{
    switch (same_ring ? pick(12) : 11) {
    case 0:
        return 0;
    case 1:
        return sel(TSS, cpl); /* not a data segment */
    case 2:
        return 8 * (GDT_ENTRIES + pick(8)); /* past the table */
    case 3:
        return sel(DATA0, cpl); /* perhaps not allowed */
    default:
        return sel(cpl == 3 ? DATA3 : DATA0, cpl);
    }
}

static void new_tss32(u32 cpl, u32 flags)
{
    struct tss32 *t = (struct tss32 *)(void *)at(NEW_TSS);
    memset(t, 0, 104);
    t->link = SEL_TSS;
    t->level[0].sp = NEW_TOP0;
    t->level[0].ss = sel(DATA0, 0);
    t->eip = CODE_AREA + 0x5000 + pick(0x1000);
    t->eflags = flags;
    for (u32 i = 0; i < 8; i++) {
        t->gpr[i] = random32();
    }
    t->gpr[SP] = NEW_STACK + 0x800;
    for (u32 i = 0; i < 6; i++) {
        t->seg[i] = i == CS   ? sel(cpl == 3 ? CODE3 : CODE0, cpl)
                    : i == SS ? sel(cpl == 3 ? DATA3 : DATA0, cpl)
                              : data_selector(cpl);
    }
    t->ldt = chance(70) ? 0 : sel(LDT, 0);
}

/* SDM 3A "16-Bit Task-State Segment (TSS)"; its 16-bit EIP and ESP need segments of their
 * own. */
static void new_tss16(u32 flags)
{
    memset(at(NEW_TSS), 0, 104);
    st16(NEW_TSS, SEL_TSS);
    st16(NEW_TSS + 2, 0x800);
    st16(NEW_TSS + 4, sel(8, 0));
    st16(NEW_TSS + 14, 0x5000 + pick(0x1000));
    st16(NEW_TSS + 16, flags);
    for (u32 i = 0; i < 8; i++) {
        st16(NEW_TSS + 18 + 2 * i, i == SP ? 0x800 : random32());
    }
    st16(NEW_TSS + 34, data_selector(0));
    st16(NEW_TSS + 36, sel(9, 0));
    st16(NEW_TSS + 38, sel(8, 0));
    st16(NEW_TSS + 40, data_selector(0));
    descriptor(8, NEW_STACK, 0xffff, D_RW, 0);
    descriptor(9, CODE_AREA, 0xffff, D_CODE | (D_BIG), 0);
}

static void make_descriptors(u32 kind, bool wide)
{
    descriptor(CODE0, 0, 0xfffff, D_CODE | D_G | D_BIG, 0);
    descriptor(DATA0, 0, 0xfffff, D_RW | D_G | D_BIG, 0);
    descriptor(CODE3, 0, 0xfffff, D_CODE | D_G | D_BIG | D_DPL3, 0);
    descriptor(DATA3, 0, 0xfffff, D_RW | D_G | D_BIG | D_DPL3, 0);
    descriptor(LDT, ARENA + 0x3f000, 0x7f, 0x82, 0);
    bool back = kind == IRET_LINK;
    u32 type = (wide ? 9u : 1u) | ((back ? chance(85) : chance(15)) ? 2u : 0);
    u32 limit = chance(90) ? (wide ? 103 : 43) : pick(104);
    descriptor(TSS, NEW_TSS, limit, type | pick(4) << 5 | (chance(93) ? 0x80u : 0), 0);
    u32 dpl = chance(60) ? 3 : pick(4);
    u64 gate = (u64)(0x8500 | dpl << 13) << 32 | sel(TSS, 0) << 16;
    gdt[SEL_CASE / 8 + GATE] = gate;
    idt32[0x40] = gate;
}

static void put_switch(struct tcase *c, u32 kind)
{
    switch (kind) {
    case INT_GATE:
        put8(c, 0xcd);
        put8(c, 0x40);
        break;
    case IRET_LINK:
        put8(c, 0xcf);
        c->in.rflags |= NT;
        break;
    default:
        put8(c, kind == JMP_TSS || kind == JMP_GATE ? 0xea : 0x9a);
        put32(c, random32());
        put16(c, sel(kind == JMP_TSS || kind == CALL_TSS ? TSS : GATE, pick(4)));
        break;
    }
}

void task_make(struct tcase *c, u32 n)
{
    static const char *const names[] = {"JMP TSS",   "CALL TSS", "JMP gate",
                                        "CALL gate", "INT gate", "IRET NT"};
    u32 kind = n % LEN(names), cpl = chance(60) ? 0 : 3, to = chance(50) ? 0 : 3;
    bool wide = chance(70);
    c->name = names[kind];
    narrow = !wide;
    same_ring = cpl == (wide ? to : 0);
    make_descriptors(kind, wide);
    u32 flags = 2 | (random32() & (ARITH | DF | IOPL));
    wide ? new_tss32(to, flags) : new_tss16(flags);
    for (u32 i = 0; i < 8; i++) {
        c->in.gpr[i] = random32();
    }
    c->in.gpr[SP] = STACK_AT + 0x800;
    c->in.seg[CS] = sel(cpl == 3 ? CODE3 : CODE0, cpl);
    c->in.seg[SS] = c->in.seg[DS] = c->in.seg[ES] = sel(cpl == 3 ? DATA3 : DATA0, cpl);
    c->in.rip = CODE_AREA + 0x3000 + pick(0xe00);
    c->code_linear = (u32)c->in.rip;
    c->in.rflags = 2 | (random32() & (ARITH | DF | IOPL));
    put_switch(c, kind);
    add_window(c, (u32)&tss32, 104);
    c->window[0].keep = true;
    add_window(c, NEW_TSS, 104);
    c->window[1].keep = true;
}

void task_before(struct tcase *c)
{
    (void)c;
    tss_defaults();
    exec_ltr(SEL_TSS);
    tss32.link = SEL_CASE + 8 * TSS;
}

void task_after(struct tcase *c, struct cpu *o)
{
    u16 tr, ldt;
    __asm__ volatile("str %0; sldt %1" : "=r"(tr), "=r"(ldt));
    c->extra[c->extras++] = (u32)tr << 16 | ldt;
    c->extra[c->extras++] = read_cr0();
    c->extra[c->extras++] = gdt[SEL_CASE / 8 + TSS] >> 40 & 0xff;
    c->extra[c->extras++] = gdt[SEL_TSS / 8] >> 40 & 0xff;
    write_cr0(read_cr0() & ~8u);
    if ((tr & 0xfffc) == sel(TSS, 0) && narrow) {
        for (u32 i = 0; i < 8; i++) {
            o->gpr[i] = (u16)o->gpr[i]; /* what a 16-bit TSS leaves above is not said */
        }
    }
    if (peer_is_qemu && (tr & 0xfffc) == sel(TSS, 0) && o->vector == 10) {
        o->rip = narrow ? *(u16 *)(void *)at(NEW_TSS + 14)
                        : ((struct tss32 *)(void *)at(NEW_TSS))->eip;
        deviates(c, "SDM 3A \"Interrupt 10-Invalid TSS Exception (#TS)\": the saved EIP "
                    "is the new task's");
    }
    memset(at(STACK_AT + 0x600), 0, 0x200); /* frames of the way in and out */
    memset(at(NEW_STACK + 0x600), 0, 0x200);
    memset(at(NEW_TOP0 - 0x100), 0, 0x100);
    exec_ltr(SEL_TSS);
    idt_defaults(0x40, 0x41);
}
