/*
 * canonical.c - addresses that are none: which fault, which segment, and where the address space ends and begins again
 * Spec:    SDM 1 "Canonical Addressing" (3.3.7.1); SDM 3A 6.15 "Interrupt 12", "Interrupt 13"; SDM 2 per instruction
 */
#include "trap.h"

#define HOLE   0x0000800000000000ull /* first address that is not canonical */
#define HIGH   0xffff800000000000ull /* first one that is again */
#define GP     13
#define SS     12

SNIPPET(load_rax, "mov (%rax), %rdx");
SNIPPET(store_rax, "mov %rdx, (%rax)");
SNIPPET(load_rsp, "mov (%rsp), %rdx");
SNIPPET(store_rsp8, "mov %dl, 8(%rsp)");
SNIPPET(load_rbp, "mov (%rbp), %rdx");
/* in 64-bit mode the overrides of CS, DS, ES, SS are ignored (SDM 1 "Segmentation in 64-Bit Mode", 3.4.2.1): the base tells */
SNIPPET(load_rbp_ds, "mov %ds:(%rbp), %rdx");
SNIPPET(load_rax_ss, "mov %ss:(%rax), %rdx");
SNIPPET(load_rax_rbp, "mov (%rax,%rbp), %rdx"); /* base RAX: DS */
SNIPPET(load_rbp_rax, "mov (%rbp,%rax), %rdx"); /* base RBP: SS */
SNIPPET(load_fs, "mov %fs:(%rbp), %rdx");
SNIPPET(do_push, "push %rdx");
SNIPPET(do_pop, "pop %rdx");
SNIPPET(do_call, "call 1f\n1:");
SNIPPET(do_enter, "enter $16, $0");
SNIPPET(do_leave, "leave");
SNIPPET(push_mem, "pushq (%rax)");
SNIPPET(pop_mem, "popq (%rax)");
SNIPPET(do_ret, "ret");
SNIPPET(do_retf, "lretq");
SNIPPET(do_iret, "iretq");
SNIPPET(do_pushf, "pushfq");
SNIPPET(do_popf, "popfq");
SNIPPET(do_movs, "movsb");
SNIPPET(do_stos, "rep stosq");
SNIPPET(do_cmpxchg, "lock cmpxchg16b (%rax)");
SNIPPET(do_movaps, "movaps (%rax), %xmm0");
SNIPPET(do_xlat, "xlat");
SNIPPET(do_fld, "fldl (%rbp)");
SNIPPET(do_bts, "bts %rdx, (%rax)");
SNIPPET(do_jmp, "jmp *%rax");
SNIPPET(do_call_to, "call *%rax");
SNIPPET(do_jmp_mem, "jmp *(%rax)");
SNIPPET(do_sgdt, "sgdt (%rax)");
SNIPPET(do_lidt, "lidt (%rax)");
SNIPPET(do_nop, "nopw (%rax)\nprefetcht0 (%rax)\nlea (%rax), %rdx\ninvlpg (%rax)");

SNIPPET(shl_cl, "shll %cl, (%rax)");
SNIPPET(rcr_cl, "rcrq %cl, (%rax)");
SNIPPET(sar_1, "sarb $1, (%rax)");
SNIPPET(shld_, "shld %cl, %rdx, (%rax)");
SNIPPET(xadd_, "xadd %rdx, (%rax)");
SNIPPET(xchg_, "xchg %rdx, (%rax)");
SNIPPET(cmpxchg_, "cmpxchg %rdx, (%rax)");
SNIPPET(adc_, "adc %rdx, (%rax)");
SNIPPET(add_from, "add (%rax), %rdx");
SNIPPET(inc_, "incq (%rax)");
SNIPPET(neg_, "negl (%rax)");
SNIPPET(not_, "notb (%rax)");
SNIPPET(mul_, "mulq (%rax)");
SNIPPET(imul_, "imul (%rax), %rdx");
SNIPPET(div_, "divq (%rax)");
SNIPPET(idiv_, "idivl (%rax)");
SNIPPET(bt_, "bt %rdx, (%rax)");
SNIPPET(btr_imm, "btrl $3, (%rax)");
SNIPPET(bsf_, "bsf (%rax), %rdx");
SNIPPET(popcnt_, "popcnt (%rax), %rdx");
SNIPPET(andn_, "andn (%rax), %rcx, %rdx");
SNIPPET(shlx_, "shlx %rcx, (%rax), %rdx");
SNIPPET(pext_, "pext (%rax), %rcx, %rdx");
SNIPPET(mulx_, "mulx (%rax), %rcx, %rdx");
SNIPPET(adcx_, "adcx (%rax), %rdx");
SNIPPET(movzx_, "movzbl (%rax), %edx");
SNIPPET(movsx_, "movslq (%rax), %rdx");
SNIPPET(movbe_, "movbe (%rax), %rdx");
SNIPPET(cmov_, "cmovs (%rax), %rdx");
SNIPPET(setc_, "setc (%rax)");
SNIPPET(mov_imm, "movq $-1, (%rax)");
SNIPPET(test_, "testl $1, (%rax)");
SNIPPET(cmp_, "cmpw $1, (%rax)");
SNIPPET(cmpxchg8b_, "cmpxchg8b (%rax)");
SNIPPET(crc_, "crc32b (%rax), %edx");
SNIPPET(movdqu_, "movdqu (%rax), %xmm1");
SNIPPET(movups_st, "movups %xmm1, (%rax)");
SNIPPET(addps_, "addps (%rax), %xmm1");
SNIPPET(movntq_, "movnti %rdx, (%rax)");
SNIPPET(cvt_, "cvtsi2sdl (%rax), %xmm1");
SNIPPET(ucomi_, "ucomisd (%rax), %xmm1");
SNIPPET(pinsr_, "pinsrw $1, (%rax), %xmm1");
SNIPPET(fldcw_, "fldcw (%rax)");
SNIPPET(fild_, "fildll (%rax)");
SNIPPET(fst_, "fsts (%rax)");
SNIPPET(fnstsw_, "fnstsw (%rax)");
SNIPPET(ldmxcsr_, "ldmxcsr (%rax)");
SNIPPET(fxsave_, "fxsave (%rax)");
SNIPPET(lods_, "lodsq");
SNIPPET(scas_, "scasb");
SNIPPET(cmps_, "repe cmpsb");
SNIPPET(lar_, "lar (%rax), %edx");
SNIPPET(mov_seg, "mov (%rax), %fs");
SNIPPET(sgdt2, "sidt (%rax)");
SNIPPET(smsw_, "smsw (%rax)");
SNIPPET(lss_, "lss (%rax), %edx");
SNIPPET(jmpf_, "ljmp *(%rax)");
SNIPPET(callm_, "call *(%rax)");
SNIPPET(pushes, "push %rdx\npush %rcx\npush %rbx");
SNIPPET(pops, "pop %rdx\npop %rcx\npop %rbx");
SNIPPET(popret, "pop %rdx\npop %rcx\nret");
SNIPPET(leaveret, "leave\nret");
SNIPPET(pushf2, "pushfq\npop %rdx");
SNIPPET(pushi, "push $-2");
SNIPPET(callpush, "call 1f\n1: push %rdx");
SNIPPET(poprsp, "pop %rsp");
SNIPPET(enter3, "enter $16, $3");

struct use {
    const uint8_t *code;
    char reg;         /* which register holds the address: a, s (RSP), b, S (RSI), D (RDI), x (RBX) */
    uint8_t vector;
    int8_t bias;      /* added to the bad address so that the access begins there */
    bool kernel_only; /* #GP for its privilege at CPL 3 */
};

/* What every translated or interpreted form of an access must leave as it was: all registers and flags */
static const struct use USES[] = {
    {load_rax, 'a', GP, 0, 0},      {store_rax, 'a', GP, 0, 0},     {load_rsp, 's', SS, 0, 0},   {store_rsp8, 's', SS, -8, 0},
    {load_rbp, 'b', SS, 0, 0},      {load_rax_ss, 'a', GP, 0, 0},   {load_rbp_ds, 'b', SS, 0, 0}, {load_rax_rbp, 'a', GP, 0, 0},
    {load_rbp_rax, 'b', SS, 0, 0},  {load_fs, 'b', GP, 0, 0},       {do_push, 's', SS, 8, 0},    {do_pop, 's', SS, 0, 0},
    {do_call, 's', SS, 8, 0},       {do_enter, 's', SS, 8, 0},      {do_leave, 'b', SS, 0, 0},   {push_mem, 'a', GP, 0, 0},
    {pop_mem, 'a', GP, 0, 0},       {do_ret, 's', SS, 0, 0},        {do_retf, 's', SS, 0, 0},    {do_iret, 's', SS, 0, 0},
    {do_pushf, 's', SS, 8, 0},      {do_popf, 's', SS, 0, 0},       {do_movs, 'S', GP, 0, 0},    {do_movs, 'D', GP, 0, 0},
    {do_stos, 'D', GP, 0, 0},       {do_cmpxchg, 'a', GP, 0, 0},    {do_movaps, 'a', GP, 0, 0},  {do_xlat, 'x', GP, 0, 0},
    {do_fld, 'b', SS, 0, 0},        {do_bts, 'a', GP, 0, 0},        {do_jmp, 'a', GP, 0, 0},     {do_call_to, 'a', GP, 0, 0},
    {do_jmp_mem, 'a', GP, 0, 0},    {do_sgdt, 'a', GP, 0, 1},       {do_lidt, 'a', GP, 0, 1},
    {shl_cl, 'a', GP, 0, 0}, {rcr_cl, 'a', GP, 0, 0}, {sar_1, 'a', GP, 0, 0}, {shld_, 'a', GP, 0, 0},
    {xadd_, 'a', GP, 0, 0}, {xchg_, 'a', GP, 0, 0}, {cmpxchg_, 'a', GP, 0, 0}, {adc_, 'a', GP, 0, 0},
    {add_from, 'a', GP, 0, 0}, {inc_, 'a', GP, 0, 0}, {neg_, 'a', GP, 0, 0}, {not_, 'a', GP, 0, 0},
    {mul_, 'a', GP, 0, 0}, {imul_, 'a', GP, 0, 0}, {div_, 'a', GP, 0, 0}, {idiv_, 'a', GP, 0, 0},
    {bt_, 'a', GP, 0, 0}, {btr_imm, 'a', GP, 0, 0}, {bsf_, 'a', GP, 0, 0}, {popcnt_, 'a', GP, 0, 0},
    {andn_, 'a', GP, 0, 0}, {shlx_, 'a', GP, 0, 0}, {pext_, 'a', GP, 0, 0}, {mulx_, 'a', GP, 0, 0},
    {adcx_, 'a', GP, 0, 0}, {movzx_, 'a', GP, 0, 0}, {movsx_, 'a', GP, 0, 0}, {movbe_, 'a', GP, 0, 0},
    {cmov_, 'a', GP, 0, 0}, {setc_, 'a', GP, 0, 0}, {mov_imm, 'a', GP, 0, 0}, {test_, 'a', GP, 0, 0},
    {cmp_, 'a', GP, 0, 0}, {cmpxchg8b_, 'a', GP, 0, 0}, {crc_, 'a', GP, 0, 0}, {movdqu_, 'a', GP, 0, 0},
    {movups_st, 'a', GP, 0, 0}, {addps_, 'a', GP, 0, 0}, {movntq_, 'a', GP, 0, 0}, {cvt_, 'a', GP, 0, 0},
    {ucomi_, 'a', GP, 0, 0}, {pinsr_, 'a', GP, 0, 0}, {fldcw_, 'a', GP, 0, 0}, {fild_, 'a', GP, 0, 0},
    {fst_, 'a', GP, 0, 0}, {fnstsw_, 'a', GP, 0, 0}, {ldmxcsr_, 'a', GP, 0, 0}, {fxsave_, 'a', GP, 0, 0},
    {lods_, 'S', GP, 0, 0}, {scas_, 'D', GP, 0, 0}, {cmps_, 'S', GP, 0, 0}, {lar_, 'a', GP, 0, 0},
    {mov_seg, 'a', GP, 0, 0}, {sgdt2, 'a', GP, 0, 0}, {smsw_, 'a', GP, 0, 0}, {lss_, 'a', GP, 0, 0},
    {jmpf_, 'a', GP, 0, 0}, {callm_, 'a', GP, 0, 0}, {pushes, 's', SS, 8, 0}, {pops, 's', SS, 0, 0},
    {popret, 's', SS, 0, 0}, {leaveret, 'b', SS, 0, 0}, {pushf2, 's', SS, 8, 0}, {pushi, 's', SS, 8, 0},
    {callpush, 's', SS, 8, 0}, {poprsp, 's', SS, 0, 0}, {enter3, 's', SS, 8, 0},
};

static uint64_t scratch[64] __attribute__((aligned(64)));

static void prepare(struct frame *f, const struct use *u, unsigned cpl, uint64_t at)
{
    trap_frame(f, u->code, cpl);
    uint64_t good = (cpl == 3 ? USER_ALIAS : 0) + (uint64_t)scratch;
    f->rax = f->rbx = f->rsi = f->rdi = good;
    f->rbp = u->reg == 'b' ? at : u->code == load_rax_rbp ? 0 : good;
    f->rcx = 2;
    f->rdx = 0;
    f->rflags |= 0x8d5; /* CF PF AF ZF SF OF */
    if (u->reg == 'a') {
        f->rax = at;
    } else if (u->reg == 's') {
        f->rsp = at;
    } else if (u->reg == 'S') {
        f->rsi = at;
    } else if (u->reg == 'D') {
        f->rdi = at;
    } else if (u->reg == 'x') {
        f->rbx = at;
    }
    if (u->code == load_rbp_rax || u->code == do_xlat) {
        f->rax = 0;
    }
}

static bool same_registers(const struct frame *a, const struct frame *b)
{
    return equal(a, b, offsetof(struct frame, vector)) && a->rsp == b->rsp && ((a->rflags ^ b->rflags) & ~FL_RF) == 0;
}

static void check_uses(void)
{
    static const uint64_t bad[] = {HOLE, HOLE + 4096, 0x8000000000000000ull, 0x7fffffffffffffffull, HIGH - 4096, HIGH - 1};
    for (unsigned i = 0; i < sizeof(USES) / sizeof(USES[0]); i++) {
        const struct use *u = &USES[i];
        for (unsigned k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
            for (unsigned cpl = 0; cpl <= (u->kernel_only ? 0 : 3); cpl += 3) {
                struct frame f, before;
                uint64_t at = bad[k] + (uint64_t)(int64_t)u->bias;
                if (k == 5 && u->bias > 0) {
                    continue; /* begins in the canonical part */
                }
                prepare(&f, u, cpl, at);
                before = f;
                trap_run(&f);
                bool good = trap_is(&f, u->vector, 0, before.rip) && same_registers(&f, &before);
                if (!good) {
                    print("use ");
                    print_dec(i);
                    print(" at ");
                    print_hex(at);
                    print("\n");
                }
                CHECK(good);
            }
        }
    }
    struct frame f;
    CHECK(trap_call(&f, do_nop, 0, HOLE, 0, 0) == DONE && f.rdx == HOLE);
}

/* Returns to an address that is none: #GP(0) at the return, nothing popped. */
static void check_returns(void)
{
    struct frame f, before;
    static const uint8_t *const codes[] = {do_ret, do_retf, do_iret};
    for (unsigned i = 0; i < 3; i++) {
        trap_frame(&f, codes[i], 0);
        uint64_t *top = (uint64_t *)f.rsp;
        top[0] = HOLE;
        top[1] = 0x08;
        top[2] = FL_FIXED;
        top[3] = f.rsp;
        top[4] = 0x10;
        before = f;
        trap_run(&f);
        CHECK(trap_is(&f, GP, 0, before.rip) && same_registers(&f, &before));
    }
}

/* Accesses that begin below the hole and reach into it: #GP or #SS, before any page fault of the lower part. */
static void check_edge_data(void)
{
    struct frame f, before;
    for (unsigned mapped = 0; mapped < 2; mapped++) {
        map_page(HOLE - 4096, (uint64_t)new_page(), mapped ? PTE_P | PTE_W | PTE_U : 0);
        for (unsigned back = 1; back < 8; back++) {
            trap_frame(&f, store_rax, 0);
            f.rax = HOLE - back;
            f.rdx = ~0ull;
            before = f;
            trap_run(&f);
            CHECK(trap_is(&f, GP, 0, before.rip));
            trap_frame(&f, load_rbp, 3);
            f.rbp = HOLE - back;
            before = f;
            trap_run(&f);
            CHECK(trap_is(&f, SS, 0, before.rip));
            trap_frame(&f, load_rax, 0);
            f.rax = HIGH - back; /* begins in the hole, ends beyond */
            before = f;
            trap_run(&f);
            CHECK(trap_is(&f, GP, 0, before.rip));
            trap_frame(&f, do_push, 0);
            f.rsp = HOLE + 8 - back;
            before = f;
            trap_run(&f);
            CHECK(trap_is(&f, SS, 0, before.rip) && f.rsp == before.rsp);
        }
    }
    uint64_t *page = (uint64_t *)(*pte_of(HOLE - 4096) & 0xfffffff000ull);
    CHECK(page[511] == 0);
    CHECK(trap_call(&f, store_rax, 0, HOLE - 8, 0, 77) == DONE && page[511] == 77);
    map_page(HIGH, (uint64_t)page, PTE_P | PTE_W);
    CHECK(trap_call(&f, store_rax, 0, HIGH, 0, 78) == DONE && page[0] == 78);
}

/* RIP runs out of the canonical part: the fault is that of the next instruction, at the address that is none. */
static void check_edge_code(void)
{
    struct frame f;
    uint8_t *page = (uint8_t *)(*pte_of(HOLE - 4096) & 0xfffffff000ull);
    static const uint8_t nops[16] = {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90};
    for (unsigned cpl = 0; cpl < 4; cpl += 3) {
        copy(page + 4080, nops, 16);
        for (unsigned n = 1; n <= 16; n += 5) {
            trap_frame(&f, nops, cpl);
            f.rip = HOLE - n;
            trap_run(&f);
            CHECK(trap_is(&f, GP, 0, HOLE));
        }
        page[4094] = 0xb8; /* MOV EAX, imm32: three bytes of it in the hole */
        trap_frame(&f, nops, cpl);
        f.rip = HOLE - 4;
        trap_run(&f);
        CHECK(trap_is(&f, GP, 0, HOLE - 2) && f.rax == 0);
        page[4094] = 0xeb; /* JMP +0 and +2: to the hole, #GP at the jump; and a taken jump back, no fault */
        page[4095] = 0x00;
        trap_frame(&f, nops, cpl);
        f.rip = HOLE - 4;
        trap_run(&f);
        CHECK(trap_is(&f, GP, 0, HOLE - 2));
        page[4095] = 0xf0; /* JMP -16 */
        page[4080] = 0xcd;
        page[4081] = 0x81;
        trap_frame(&f, nops, cpl);
        f.rip = HOLE - 3;
        CHECK(trap_run(&f) == DONE && f.rip == HOLE - 14);
        page[4094] = 0x74; /* JZ: not taken, falls into the hole: its own end is a legal instruction */
        trap_frame(&f, nops, cpl);
        f.rip = HOLE - 2;
        trap_run(&f);
        CHECK(trap_is(&f, GP, 0, HOLE));
    }
}

/* Both ends of the address space are canonical: an access may wrap from the last byte to the first. */
static void check_wrap(void)
{
    struct frame f;
    uint8_t *top = (uint8_t *)new_page();
    uint8_t *zero;
    __asm__ volatile("xor %k0, %k0" : "=r"(zero)); /* or the compiler takes it for a mistake */
    uint64_t save = *(volatile uint64_t *)zero;
    map_page(~0xfffull, (uint64_t)top, PTE_P | PTE_W);
    for (unsigned n = 1; n < 8; n++) {
        uint64_t value = 0x1122334455667788ull * n;
        CHECK(trap_call(&f, store_rax, 0, 0 - (uint64_t)n, 0, value) == DONE);
        CHECK(trap_call(&f, load_rax, 0, 0 - (uint64_t)n, 0, 0) == DONE && f.rdx == value);
        uint64_t low = 0;
        copy(&low, top + 4096 - n, n);
        __asm__ volatile("" : : "r"(zero) : "memory");
        uint64_t high = *(volatile uint64_t *)zero;
        CHECK((low | high << (8 * n)) == value);
    }
    /* so may RIP */
    trap_frame(&f, do_nop, 0);
    top[4095] = 0x90;
    *(volatile uint16_t *)zero = 0x81cd;
    f.rip = ~0ull;
    CHECK(trap_run(&f) == DONE && f.rip == 2);
    top[4094] = 0xb8; /* MOV EAX, imm32 across the end */
    top[4095] = 0x12;
    *(volatile uint64_t *)zero = 0x81cd785634ull;
    trap_frame(&f, do_nop, 0);
    f.rip = ~1ull;
    CHECK(trap_run(&f) == DONE && f.rax == 0x78563412 && f.rip == 5);
    /* and a string of single bytes */
    trap_frame(&f, do_stos, 0);
    f.rdi = 0 - 16ull;
    f.rcx = 3;
    f.rax = 0x4242424242424242ull;
    CHECK(trap_run(&f) == DONE && f.rdi == 8 && f.rcx == 0 && *(volatile uint64_t *)zero == f.rax);
    *(volatile uint64_t *)zero = save;
}

/* MSRs and system registers that hold addresses refuse those that are none. */
SNIPPET(do_wrmsr, "wrmsr");
SNIPPET(do_wrfsbase, "wrfsbase %rax");
SNIPPET(do_sysret, "sysretq");

static void check_registers(void)
{
    static const uint32_t msrs[] = {0xc0000100, 0xc0000101, 0xc0000102, 0xc0000082, 0xc0000083, 0x175, 0x176};
    struct frame f;
    for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
        uint64_t save = rdmsr(msrs[i]);
        uint64_t rip = (uint64_t)do_wrmsr;
        trap_call(&f, do_wrmsr, 0, 0, msrs[i], HOLE >> 32);
        CHECK(trap_is(&f, GP, 0, rip) && rdmsr(msrs[i]) == save);
        CHECK(trap_call(&f, do_wrmsr, 0, 0, msrs[i], HIGH >> 32) == DONE && rdmsr(msrs[i]) == HIGH);
        wrmsr(msrs[i], save);
    }
    write_cr4(read_cr4() | 1ull << 16);
    trap_call(&f, do_wrfsbase, 3, HOLE, 0, 0);
    CHECK(trap_is(&f, GP, 0, user_of(do_wrfsbase)));
    CHECK(trap_call(&f, do_wrfsbase, 3, HIGH, 0, 0) == DONE && rdmsr(0xc0000100) == HIGH);
    /* base + offset is what counts: it may wrap */
    trap_frame(&f, load_fs, 0);
    f.rbp = 0x800000000000ull + (uint64_t)scratch;
    scratch[0] = 0x5150;
    CHECK(trap_run(&f) == DONE && f.rdx == 0x5150);
    wrmsr(0xc0000100, 0);
    /* SYSRET to nowhere: #GP(0) still at CPL 0 (SDM 2B "SYSRET") */
    wrmsr(0xc0000081, 0x0013000800000000ull);
    trap_frame(&f, do_sysret, 0);
    f.rcx = HOLE;
    trap_run(&f);
    CHECK(trap_is(&f, GP, 0, (uint64_t)do_sysret) && (f.cs & 3) == 0);
}

int main(void)
{
    trap_init();
    check_uses();
    check_returns();
    check_edge_data();
    check_edge_code();
    check_wrap();
    check_registers();
    return finish();
}
