/*
 * nested.c - exceptions while exceptions are delivered: the double-fault table, IST stacks, NMI and its blocking, the #DB trap
 * Spec:    SDM 3A table 6-4 "Interrupt and Exception Classes", table 6-5 "Conditions for Generating a Double Fault", "Error Code"
 *          (6.13), "Interrupt Stack Table" (6.14.5), "Handling Multiple NMIs" (6.7.1); SDM 3B "Debug Exceptions" (17.3)
 */
#include "trap.h"

extern uint64_t idt[512];
extern uint8_t tss[];

#define APIC     0xfee00000ull
#define UNMAPPED 0x650000000000ull
#define BAD      3 /* the IST whose stack is made bad */
#define OWN      4 /* an IST with a stack of its own */

static uint8_t stacks[4][4096] __attribute__((aligned(4096)));

SNIPPET(raise_de, "div %ecx");
SNIPPET(raise_db, ".byte 0xf1");
SNIPPET(raise_ud, "ud2");
SNIPPET(raise_nm, "fld1");
SNIPPET(raise_np, "int $0x85"); /* its gate is absent */
SNIPPET(raise_ss, "push (%rbp)");
SNIPPET(raise_gp, "mov %eax, %ds");
SNIPPET(raise_pf, "mov (%rdx), %rdx");
SNIPPET(raise_ac, "mov 1(%rbx), %edx");
SNIPPET(raise_int, "int $0x84");
SNIPPET(raise_bp, "int3");

enum class { BENIGN, CONTRIBUTORY, PAGE };

static const struct first {
    const uint8_t *code;
    uint8_t vector, class;
    bool soft; /* INT n: EXT stays 0 in what its delivery raises */
    bool trap;
} FIRSTS[] = {
    {raise_de, 0, CONTRIBUTORY, false, false}, {raise_ud, 6, BENIGN, false, false}, {raise_nm, 7, BENIGN, false, false},
    {raise_np, 11, CONTRIBUTORY, false, false}, {raise_ss, 12, CONTRIBUTORY, false, false},
    {raise_gp, 13, CONTRIBUTORY, false, false}, {raise_pf, 14, PAGE, false, false}, {raise_ac, 17, BENIGN, false, false},
    {raise_int, 0x84, BENIGN, true, true}, {raise_bp, 3, BENIGN, true, true}, {raise_db, 1, BENIGN, false, true},
};

enum second { GATE_ABSENT, GATE_KIND, CS_NULL, CS_DATA, STACK_NOWHERE, STACK_HOLE, STACK_READ_ONLY, SECONDS };

static uint64_t *ist(unsigned n)
{
    return (uint64_t *)(tss + 0x24 + 8 * (n - 1));
}

static void set_ist(unsigned n, uint64_t top)
{
    copy(ist(n), &top, 8); /* the TSS fields are not aligned */
}

static void break_gate(unsigned vector, enum second how)
{
    uint64_t *gate = &idt[2 * vector];
    switch (how) {
    case GATE_ABSENT:
        *gate &= ~(1ull << 47);
        break;
    case GATE_KIND:
        *gate &= ~(0xfull << 40);
        break;
    case CS_NULL:
        *gate &= ~0xffff0000ull;
        break;
    case CS_DATA:
        *gate = (*gate & ~0xffff0000ull) | 0x10ull << 16;
        break;
    case STACK_NOWHERE:
    case STACK_HOLE:
    default:
        set_ist(BAD, how == STACK_NOWHERE ? UNMAPPED : how == STACK_HOLE ? 0x0000900000000000ull : UNMAPPED + 0x2000);
        use_ist(vector, BAD);
        break;
    }
}

struct outcome {
    unsigned vector;
    uint64_t error;
};

static struct outcome second_of(const struct first *f, enum second how)
{
    unsigned ext = f->soft ? 0 : 1;
    switch (how) {
    case GATE_ABSENT:
        return (struct outcome){11, f->vector * 8u + 2 + ext};
    case GATE_KIND:
        return (struct outcome){13, f->vector * 8u + 2 + ext};
    case CS_NULL:
        return (struct outcome){13, ext};
    case CS_DATA:
        return (struct outcome){13, 0x10 + ext};
    case STACK_HOLE:
        return (struct outcome){12, ext};
    default: /* supervisor write: absent or read-only */
        return (struct outcome){14, how == STACK_NOWHERE ? 2 : 3};
    }
}

static struct outcome expected(const struct first *f, enum second how)
{
    struct outcome second = second_of(f, how);
    bool contributory = second.vector != 14;
    if ((f->class == PAGE) || (f->class == CONTRIBUTORY && contributory)) {
        return (struct outcome){8, 0};
    }
    return second;
}

static void start(struct frame *frame, const struct first *f, unsigned cpl)
{
    trap_frame(frame, f->code, cpl);
    frame->rax = 0x1234;
    frame->rdx = UNMAPPED + 0x10008;
    frame->rbx = (cpl == 3 ? USER_ALIAS : 0) + (uint64_t)stacks;
    frame->rbp = 0x0000900000000000ull;
    frame->rflags |= FL_AC;
}

static void check_chain(void)
{
    struct frame f;
    write_cr0(read_cr0() | CR0_AM | CR0_TS);
    map_page(UNMAPPED + 0x1000, (uint64_t)stacks[0], PTE_P);
    for (unsigned i = 0; i < sizeof(FIRSTS) / sizeof(FIRSTS[0]); i++) {
        for (enum second how = 0; how < SECONDS; how++) {
            const struct first *one = &FIRSTS[i];
            struct outcome want = expected(one, how);
            if (want.vector == one->vector) {
                continue; /* its own gate is the broken one: a double fault, below */
            }
            uint64_t gate = idt[2 * one->vector];
            start(&f, one, 3);
            uint64_t rip = f.rip;
            break_gate(one->vector, how);
            trap_run(&f);
            idt[2 * one->vector] = gate;
            /* a fault of the delivery of a trap leaves RIP behind the instruction only when the trap was one of hardware */
            bool good = trap_is(&f, want.vector, want.error, one->vector == 1 ? f.rip : rip);
            if (want.vector == 14) {
                good = good && trap_cr2 == UNMAPPED + (how == STACK_NOWHERE ? 0 : 0x2000) - 8;
            }
            if (!good) {
                print("first ");
                print_dec(one->vector);
                print(" second ");
                print_dec(how);
                print(" cr2 ");
                print_hex(trap_cr2);
                print("\n");
            }
            CHECK(good);
        }
    }
    /* three in a row: #UD, whose gate is absent; #NP, whose gate is absent too: two contributory ones, #DF */
    uint64_t six = idt[12], eleven = idt[22], fourteen = idt[28];
    idt[12] &= ~(1ull << 47);
    idt[22] &= ~(1ull << 47);
    start(&f, &FIRSTS[1], 0);
    trap_run(&f);
    CHECK(trap_is(&f, 8, 0, (uint64_t)raise_ud));
    /* #DE on a stack that is nowhere: #PF, whose gate is absent: #DF */
    break_gate(0, STACK_NOWHERE);
    idt[22] = eleven;
    idt[28] &= ~(1ull << 47);
    start(&f, &FIRSTS[0], 0);
    trap_run(&f);
    CHECK(trap_is(&f, 8, 0, (uint64_t)raise_de) && trap_cr2 == UNMAPPED - 8);
    use_ist(0, 1);
    /* #NP through its own absent gate, #PF on its own absent stack */
    idt[22] &= ~(1ull << 47);
    start(&f, &FIRSTS[3], 0);
    trap_run(&f);
    CHECK(trap_is(&f, 8, 0, (uint64_t)raise_np));
    idt[12] = six;
    idt[22] = eleven;
    idt[28] = fourteen;
    break_gate(14, STACK_NOWHERE);
    start(&f, &FIRSTS[6], 3);
    trap_run(&f);
    CHECK(trap_is(&f, 8, 0, user_of(raise_pf)) && trap_cr2 == UNMAPPED - 8); /* CR2 of the second one */
    use_ist(14, 1);
    write_cr0(read_cr0() & ~(CR0_AM | CR0_TS));
}

/* -- IST --------------------------------------------------------------------------------- */

static struct frame *seen[8];
static unsigned depth;
static uint64_t outer_rip;

static void inner(struct frame *frame)
{
    seen[depth++] = frame;
    frame->rip += 2;
}

static void outer(struct frame *frame)
{
    seen[depth++] = frame;
    outer_rip = frame->rip;
    __asm__ volatile("ud2");
    outer_rip ^= frame->rip; /* 0 while the frame is as it was */
    frame->rip += 1;
}

SNIPPET(bp_then_done, "int3\nnop");

/* #BP enters here; #UD's handler is inner(), which moves RIP over UD2 */
SNIPPET(same_frame, "mov %rsp, %rax\nmov (%rsp), %rcx\nud2\nmov %rsp, %rbx\nmov (%rsp), %rdx");

static void check_ist(void)
{
    struct frame f;
    on_vector(6, inner);
    on_vector(3, outer);
    for (unsigned i = 0; i < 4; i++) {
        set_ist(OWN + i, (uint64_t)stacks[i] + 4096);
    }
    /* stacks of their own: both frames stand; the top of each is aligned down to 16 */
    use_ist(3, OWN);
    use_ist(6, OWN + 1);
    set_ist(OWN + 1, (uint64_t)stacks[1] + 4096 - 3);
    depth = 0;
    trap_frame(&f, bp_then_done, 0);
    CHECK(trap_run(&f) == DONE);
    CHECK(depth == 2 && seen[0] + 1 == (void *)(stacks[0] + 4096) && seen[1] + 1 == (void *)(stacks[1] + 4096 - 16) && outer_rip == 0);
    /* no IST: the inner one goes on below the outer one; 16-byte alignment from any RSP */
    use_ist(6, 0);
    for (unsigned off = 0; off < 16; off++) {
        use_ist(3, 0);
        depth = 0;
        trap_frame(&f, bp_then_done, 0);
        f.rsp -= off;
        uint64_t rsp = f.rsp;
        trap_run(&f);
        CHECK(depth == 2 && (uint64_t)(seen[0] + 1) == (rsp & ~15ull) && seen[1] + 1 < seen[0] && seen[0]->rsp == rsp && outer_rip == 0);
    }
    /* from CPL 3 without IST: RSP0, and SS is null with RPL 0 */
    extern uint8_t rsp0_top[];
    depth = 0;
    trap_frame(&f, bp_then_done, 3);
    trap_run(&f);
    CHECK(depth == 2 && seen[0] + 1 == (void *)rsp0_top && seen[0]->ss == 0x1b && seen[0]->cs == 0x23 && seen[1]->ss == 0 &&
          seen[1]->cs == 8);
    /* one IST for both: the inner frame lies where the outer one was; RIP of the outer one is lost */
    use_ist(3, OWN);
    use_ist(6, OWN);
    depth = 0;
    set_ist(OWN, (uint64_t)stacks[0] + 4096);
    trap_frame(&f, bp_then_done, 0);
    idt[6] = (idt[6] & 0x0000ffff00000000ull & ~0ull) | (idt[6] & 0xffff0000ull) | ((uint64_t)same_frame & 0xffff) |
             ((uint64_t)same_frame >> 16 & 0xffff) << 48;
    trap_run(&f);
    CHECK(f.vector == DONE && f.rax == f.rbx && f.rcx != f.rdx);
    CHECK(f.rax == (uint64_t)stacks[0] + 4096 - 40);
    trap_init();
}

/* -- NMI --------------------------------------------------------------------------------- */

static volatile unsigned nmis;
static uint64_t nmi_rip[8];
static bool send_again;

static void send_nmi(void)
{
    *(volatile uint32_t *)(APIC + 0x310) = 0;
    *(volatile uint32_t *)(APIC + 0x300) = 0x400;
}

static void on_nmi(struct frame *frame)
{
    nmi_rip[nmis++ & 7] = frame->rip;
    if (send_again) {
        send_again = false;
        unsigned before = nmis;
        send_nmi();
        send_nmi(); /* one is remembered, no more */
        __asm__ volatile("nop; nop");
        CHECK(nmis == before); /* blocked until IRET */
    }
}

SNIPPET(nmi_now, "movl %ecx, 0x300(%rdx)\nnop\nnop");
SNIPPET(nmi_shadow, "mov %ss, %eax\nmov %eax, %ss\nmovl %ecx, 0x300(%rdx)\nnop");

static void check_nmi(void)
{
    struct frame f;
    *(volatile uint32_t *)(APIC + 0xf0) = 0x1ff;
    on_vector(2, on_nmi);
    use_ist(2, OWN);
    trap_frame(&f, nmi_now, 0);
    f.rcx = 0x400;
    f.rdx = APIC;
    /* at the next boundary, with IF clear: RIP behind the store */
    CHECK(trap_run(&f) == DONE && nmis == 1 && nmi_rip[0] == (uint64_t)nmi_now + 6);
    send_again = true;
    nmis = 0;
    trap_frame(&f, nmi_now, 0);
    f.rcx = 0x400;
    f.rdx = APIC;
    /* the second one comes right after the IRETQ of the first, before another instruction */
    CHECK(trap_run(&f) == DONE && nmis == 2 && nmi_rip[1] == (uint64_t)nmi_now + 6);
    nmis = 0;
    trap_frame(&f, nmi_shadow, 0);
    f.rcx = 0x400;
    f.rdx = APIC;
    CHECK(trap_run(&f) == DONE && nmis == 1 && nmi_rip[0] == (uint64_t)nmi_shadow + 10);
    trap_init();
}

/* -- #DB: TF, and what it meets ------------------------------------------------------------ */

static unsigned steps;
static uint64_t step_rip[32], step_dr6[32];

static bool count_step(struct frame *frame)
{
    if (frame->vector != 1) {
        return false;
    }
    uint64_t dr6;
    __asm__ volatile("mov %%dr6, %0; mov %1, %%dr6" : "=&r"(dr6) : "r"(0xffff0ff0ull));
    step_rip[steps & 31] = frame->rip;
    step_dr6[steps++ & 31] = dr6;
    return true;
}

SNIPPET(stepped, "nop\nmov %ss, %eax\nmov %eax, %ss\nnop\nrep stosb\nnop");

static void check_step(void)
{
    struct frame f;
    trap_fix = count_step;
    trap_frame(&f, stepped, 3);
    f.rdi = user_of(stacks);
    f.rcx = 3;
    f.rflags |= FL_TF;
    CHECK(trap_run(&f) == DONE && f.rcx == 0 && f.rdi == user_of(stacks) + 3);
    /* nop; mov; (mov ss: no trap behind it); nop; 3 x stosb; nop. INT 0x81 clears TF before its own trap. */
    static const uint8_t want[] = {1, 3, 6, 6, 6, 8, 9};
    CHECK(steps == sizeof(want));
    bool good = true;
    for (unsigned i = 0; i < sizeof(want); i++) {
        good = good && step_rip[i] == user_of(stepped) + want[i] && (step_dr6[i] & 0x4000) != 0;
        mix(step_rip[i]);
    }
    CHECK(good);
    /* an instruction that faults is not stepped: the fault, with TF in the pushed flags */
    steps = 0;
    start(&f, &FIRSTS[1], 3);
    f.rflags |= FL_TF;
    CHECK(trap_run(&f) == 6 && steps == 0 && (f.rflags & FL_TF) != 0 && f.rip == user_of(raise_ud));
    trap_fix = NULL;
}

int main(void)
{
    trap_init();
    trap_vector(0x84);
    open_gate(0x84);
    open_gate(0x85);
    idt[2 * 0x85] &= ~(1ull << 47);
    check_chain();
    check_ist();
    check_nmi();
    check_step();
    return finish();
}
