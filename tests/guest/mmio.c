/*
 * mmio.c - devices in the middle of code: every kind of access, how often it happens, when its interrupt comes, what it costs
 *
 * The local APIC's page stands for any device: TPR can be read and written, ICR sends an interrupt to the CPU itself, ESR counts
 * errors. Each access is charged 250 ns, a port access 1000 ns (docs/determinism.md, "Time"): RDTSC counts them.
 * Spec:    SDM 3A "Local APIC" (10.4), "Handling Interrupts" (10.8); 82093AA I/O APIC data sheet
 */
#include "trap.h"

#define APIC   0xfee00000ull
#define IOAPIC 0xfec00000ull
#define TPR    (APIC + 0x80)
#define ICR    (APIC + 0x300)
#define MMIO   250u
#define PORT   1000u
#define STRADDLE 0x680000000000ull /* RAM, the APIC, RAM, the I/O APIC */

static struct frame f;
static uint64_t buffer[64] __attribute__((aligned(64)));
static uint8_t *ram[2];

static volatile uint32_t *reg(uint64_t off)
{
    return (volatile uint32_t *)(APIC + off);
}

/* -- each kind of instruction ------------------------------------------------------------ */

/* RAX: address, RCX and RDX: values; R8, R9 get the TSC before and after. */
#define TIMED(name, text) SNIPPET(name, "mov %rdx, %r10\nmov %rax, %r11\nrdtsc\nmov %eax, %r8d\nmov %r10, %rdx\nmov %r11, %rax\n" text \
                                        "\nmov %rax, %r11\nmov %rdx, %r10\nrdtsc\nmov %eax, %r9d")
/* RDTSC, 3 moves, text, 2 moves, RDTSC: what lies between the two readings besides the text */
#define AROUND 6u

TIMED(t_none, "");
TIMED(t_load1, "movzbl (%rax), %ecx");
TIMED(t_load2, "movzwl (%rax), %ecx");
TIMED(t_load4, "mov (%rax), %ecx");
TIMED(t_load8, "mov (%rax), %rcx");
TIMED(t_store4, "mov %ecx, (%rax)");
TIMED(t_store8, "mov %rcx, (%rax)");
TIMED(t_imm, "movl $0x35, (%rax)");
TIMED(t_or, "orl $0x0f, (%rax)");
TIMED(t_add, "add %ecx, (%rax)");
TIMED(t_addfrom, "add (%rax), %ecx");
TIMED(t_cmp, "cmpl $0x20, (%rax)");
TIMED(t_test, "testl $0x20, (%rax)");
TIMED(t_inc, "lock incl (%rax)");
TIMED(t_not, "notl (%rax)");
TIMED(t_shl, "shll $1, (%rax)");
TIMED(t_xchg, "xchg %ecx, (%rax)");
TIMED(t_xadd, "lock xadd %ecx, (%rax)");
TIMED(t_bts, "btsl $3, (%rax)");
TIMED(t_bt, "btl $5, (%rax)");
TIMED(t_push, "pushq (%rax)");
TIMED(t_pop, "push %rcx\npopq (%rax)");
TIMED(t_movsx, "movslq (%rax), %rcx");
TIMED(t_cmov, "cmovnc (%rax), %ecx"); /* reads whatever the condition says */
TIMED(t_movbe, "movbe (%rax), %ecx");
TIMED(t_popcnt, "popcnt (%rax), %ecx");
TIMED(t_andn, "andn (%rax), %ecx, %ecx");
TIMED(t_imul, "imul $3, (%rax), %ecx");
TIMED(t_movd, "movd (%rax), %xmm0\nmovd %xmm0, %ecx");
TIMED(t_movups, "movups (%rax), %xmm0\nmovq %xmm0, %rcx");
TIMED(t_vmovups, "vmovups (%rax), %ymm0\nvmovq %xmm0, %rcx");
TIMED(t_storess, "movd %ecx, %xmm0\nmovss %xmm0, (%rax)");
TIMED(t_storeups, "movd %ecx, %xmm0\nmovups %xmm0, (%rax)");
TIMED(t_movnti, "movnti %ecx, (%rax)");
TIMED(t_fist, "push %rcx\nfninit\nfildl (%rsp)\nfistpl (%rax)\npop %rcx");
TIMED(t_fild, "fninit\nfildl (%rax)\nsub $8, %rsp\nfistpl (%rsp)\nmov (%rsp), %ecx\nadd $8, %rsp");
TIMED(t_setc, "stc\nsetc (%rax)");
TIMED(t_cmpxchg, "lock cmpxchg %ecx, (%rax)"); /* EAX holds the address: they differ, and the old value is written again */
TIMED(t_movs_in, "mov %rax, %rsi\nmovsl\nmov -4(%rdi), %ecx");
TIMED(t_movs_out, "mov %ecx, (%rdi)\nmov %rdi, %rsi\nmov %rax, %rdi\nmovsl");
TIMED(t_stos, "mov %rax, %rdi\nmov %ecx, %eax\nstosl");
TIMED(t_lods, "mov %rax, %rsi\nlodsl\nmov %eax, %ecx");
TIMED(t_scas, "mov %rax, %rdi\nmov $0x20, %eax\nscasl");
TIMED(t_rep_in, "mov %rax, %rsi\nmov $8, %ecx\nrep movsl\nmov -32(%rdi), %ecx");
TIMED(t_rep_out, "mov %rax, %rdi\nmov $0x47, %eax\nmov $4, %ecx\nrep stosl");
TIMED(t_rep_both, "mov %rax, %rsi\nmov %rax, %rdi\nmov $2, %ecx\nrep movsl");
TIMED(t_call, "call 1f\n1: pop %rcx\nmov (%rax), %ecx\nmov (%rax), %ecx\nmov %ecx, (%rax)");

static const struct kind {
    const uint8_t *code;
    uint8_t steps;   /* of the text */
    uint8_t charges; /* MMIO accesses */
    uint32_t tpr;    /* afterwards; it was 0x20, RCX was 0x41 */
    uint64_t rcx;
} KINDS[] = {
    {t_none, 0, 0, 0x20, 0x41},      {t_load1, 1, 1, 0x20, 0x20},    {t_load2, 1, 1, 0x20, 0x20},   {t_load4, 1, 1, 0x20, 0x20},
    {t_load8, 1, 1, 0x20, 0x20},     {t_store4, 1, 1, 0x41, 0x41},   {t_store8, 1, 1, 0x41, 0x41},  {t_imm, 1, 1, 0x35, 0x41},
    {t_or, 1, 2, 0x2f, 0x41},        {t_add, 1, 2, 0x61, 0x41},      {t_addfrom, 1, 1, 0x20, 0x61}, {t_cmp, 1, 1, 0x20, 0x41},
    {t_test, 1, 1, 0x20, 0x41},      {t_inc, 1, 2, 0x21, 0x41},      {t_not, 1, 2, 0xdf, 0x41},     {t_shl, 1, 2, 0x40, 0x41},
    {t_xchg, 1, 2, 0x41, 0x20},      {t_xadd, 1, 2, 0x61, 0x20},     {t_bts, 1, 2, 0x28, 0x41},     {t_bt, 1, 1, 0x20, 0x41},
    {t_push, 1, 1, 0x20, 0x41},      {t_pop, 2, 1, 0x41, 0x41},      {t_movsx, 1, 1, 0x20, 0x20},   {t_cmov, 1, 1, 0x20, 0x20},
    {t_movbe, 1, 1, 0x20, 0x20000000}, {t_popcnt, 1, 1, 0x20, 1},    {t_andn, 1, 1, 0x20, 0x20},    {t_imul, 1, 1, 0x20, 0x60},
    {t_movd, 2, 1, 0x20, 0x20},      {t_movups, 2, 1, 0x20, 0x20},   {t_vmovups, 2, 1, 0x20, 0x20}, {t_storess, 2, 1, 0x41, 0x41},
    {t_storeups, 2, 1, 0x41, 0x41},  {t_movnti, 1, 1, 0x41, 0x41},   {t_fist, 5, 1, 0x41, 0x41},    {t_fild, 6, 1, 0x20, 0x20},
    {t_setc, 2, 1, 0x01, 0x41},      {t_cmpxchg, 1, 2, 0x20, 0x41},  {t_movs_in, 3, 1, 0x20, 0x20}, {t_movs_out, 4, 1, 0x41, 0x41},
    {t_stos, 3, 1, 0x41, 0x41},      {t_lods, 3, 1, 0x20, 0x20},     {t_scas, 3, 1, 0x20, 0x41},    {t_rep_in, 4, 8, 0x20, 0x20},
    {t_rep_out, 4, 4, 0x47, 0},      {t_rep_both, 4, 4, 0x20, 0},    {t_call, 5, 3, 0x20, 0x20},
};

static void check_kinds(void)
{
    for (unsigned i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++) {
        for (unsigned cpl = 0; cpl <= 3; cpl += 3) { /* CPL 3 through a mapping of its own */
            const struct kind *k = &KINDS[i];
            *reg(0x80) = 0x20;
            trap_frame(&f, k->code, cpl);
            f.rax = cpl == 3 ? STRADDLE + 0x1080 : TPR;
            f.rcx = 0x41;
            f.rdi = (cpl == 3 ? USER_ALIAS : 0) + (uint64_t)buffer;
            trap_run(&f);
            uint32_t took = (uint32_t)(f.r9 - f.r8);
            bool good = f.vector == DONE && took == AROUND + k->steps + k->charges * MMIO && *reg(0x80) == k->tpr && f.rcx == k->rcx;
            if (!good) {
                print("kind ");
                print_dec(i);
                print(" cpl ");
                print_dec(cpl);
                print(" took ");
                print_dec(took);
                print(" tpr ");
                print_hex(*reg(0x80));
                print(" rcx ");
                print_hex(f.rcx);
                print("\n");
            }
            CHECK(good);
            mix(took);
        }
    }
    *reg(0x80) = 0;
}

/* -- operands that lie half in RAM and half in a device ------------------------------------- */

TIMED(t_st8, "mov %rcx, (%rax)");

static void check_straddle(void)
{
    map_page(STRADDLE, (uint64_t)ram[0], PTE_P | PTE_W | PTE_U);
    map_page(STRADDLE + 0x1000, APIC, PTE_P | PTE_W | PTE_U);
    map_page(STRADDLE + 0x2000, (uint64_t)ram[1], PTE_P | PTE_W | PTE_U);
    map_page(STRADDLE + 0x3000, IOAPIC, PTE_P | PTE_W | PTE_U);
    for (unsigned n = 1; n < 8; n++) { /* out of the APIC's last bytes, which read 0, into RAM */
        *(volatile uint64_t *)ram[1] = 0x1122334455667788ull;
        CHECK(trap_call(&f, t_load8, 3, STRADDLE + 0x2000 - n, 0, 0) == DONE);
        CHECK(f.rcx == 0x1122334455667788ull << (8 * n) && (uint32_t)(f.r9 - f.r8) == AROUND + 1 + MMIO);
        CHECK(trap_call(&f, t_st8, 3, STRADDLE + 0x2000 - n, ~0ull, 0) == DONE);
        CHECK(*(volatile uint64_t *)ram[1] == ((0x1122334455667788ull & ~0ull << (64 - 8 * n)) | ~0ull >> (8 * n)));
        CHECK((uint32_t)(f.r9 - f.r8) == AROUND + 1 + MMIO);
    }
    for (unsigned n = 1; n < 8; n++) { /* out of RAM into the I/O APIC's select register: the bytes go one by one */
        *(volatile uint32_t *)IOAPIC = 1;
        copy(ram[1] + 4088, "abcdefgh", 8);
        CHECK(trap_call(&f, t_load8, 3, STRADDLE + 0x3000 - n, 0, 0) == DONE);
        uint64_t low = 0;
        copy(&low, ram[1] + 4096 - n, n);
        CHECK(f.rcx == (low | 1ull << (8 * n)));
        CHECK(trap_call(&f, t_st8, 0, STRADDLE + 0x3000 - n, 0x4242424242424242ull, 0) == DONE);
        CHECK(ram[1][4096 - n] == 0x42 && (n == 8 || ram[1][4095 - n] == "abcdefgh"[7 - n]));
        mix(*(volatile uint32_t *)IOAPIC);
    }
    /* a page that is missing behind the device: nothing is asked of the device, nothing charged */
    map_page(STRADDLE + 0x2000, (uint64_t)ram[1], 0);
    uint64_t before = rdtsc();
    CHECK(trap_call(&f, t_st8, 3, STRADDLE + 0x1ffd, 0, 0) == 14 && trap_cr2 == STRADDLE + 0x2000);
    CHECK(rdtsc() - before < 2000);
    map_page(STRADDLE + 0x2000, (uint64_t)ram[1], PTE_P | PTE_W | PTE_U);
}

/* -- interrupts that a store in mid-block sends ----------------------------------------------- */

static volatile unsigned taken;
static uint64_t taken_rip[64], taken_rbx[64];
static unsigned order[16], orders;

static void on_ipi(struct frame *frame)
{
    taken_rip[taken & 63] = frame->rip;
    taken_rbx[taken++ & 63] = frame->rbx;
    *reg(0xb0) = 0;
}

SNIPPET(i_mov, "inc %ebx\nmov %ecx, (%rax)\ninc %ebx\ninc %ebx\ncli");
SNIPPET(i_imm, "inc %ebx\nmovl $0x40050, (%rax)\ninc %ebx\ncli");
SNIPPET(i_xchg, "inc %ebx\nxchg %ecx, (%rax)\ninc %ebx\ncli");
SNIPPET(i_or, "inc %ebx\nlock orl $0, (%rax)\ninc %ebx\ncli"); /* reads what was sent last, sends it again */
SNIPPET(i_pop, "push %rcx\ninc %ebx\npopq (%rax)\ninc %ebx\ncli");
SNIPPET(i_stos, "mov %rax, %rdi\nmov %ecx, %eax\ninc %ebx\nstosl\ninc %ebx\ncli");
SNIPPET(i_movs, "mov %ecx, (%rsi)\nmov %rax, %rdi\ninc %ebx\nmovsl\ninc %ebx\ncli");
SNIPPET(i_movd, "movd %ecx, %xmm0\ninc %ebx\nmovd %xmm0, (%rax)\ninc %ebx\ncli");
SNIPPET(i_movups, "movd %ecx, %xmm0\ninc %ebx\nmovups %xmm0, (%rax)\ninc %ebx\ncli");
SNIPPET(i_sti, "cli\nmov %ecx, (%rax)\ninc %ebx\ninc %ebx\nsti\ninc %ebx\ninc %ebx\ncli"); /* one instruction in STI's shadow */
SNIPPET(i_popf, "pushfq\ncli\nmov %ecx, (%rax)\ninc %ebx\npopfq\ninc %ebx\ncli"); /* POPF has none */
SNIPPET(i_movss, "mov %ss, %edx\ninc %ebx\nmov %edx, %ss\nmov %ecx, (%rax)\ninc %ebx\ncli"); /* the store is in the shadow, what follows is not */
SNIPPET(i_loop, "mov $20, %edx\n1: mov %ecx, (%rax)\nadd $1, %ebx\ndec %edx\njnz 1b\ncli");
SNIPPET(i_jmp, "inc %ebx\nmov %ecx, (%rax)\njmp 1f\nud2\n1: inc %ebx\ncli");

static const struct {
    const uint8_t *code;
    uint8_t at, rbx, last; /* RIP and RBX as the handler sees them; RBX at the end */
} SENDS[] = {
    {i_mov, 4, 1, 3}, {i_imm, 8, 1, 2}, {i_xchg, 4, 1, 2}, {i_or, 6, 1, 2}, {i_pop, 5, 1, 2}, {i_stos, 8, 1, 2},
    {i_movs, 8, 1, 2}, {i_movd, 10, 1, 2}, {i_movups, 9, 1, 2}, {i_sti, 10, 3, 4}, {i_popf, 7, 1, 2}, {i_movss, 8, 1, 2},
    {i_jmp, 4, 1, 2},
};

static void check_sends(void)
{
    on_vector(0x50, on_ipi);
    use_ist(0x50, 1);
    for (unsigned round = 0; round < 4; round++) { /* cold, then warm and chained */
        for (unsigned i = 0; i < sizeof(SENDS) / sizeof(SENDS[0]); i++) {
            taken = 0;
            trap_frame(&f, SENDS[i].code, 0);
            f.rax = ICR;
            f.rcx = 0x40050; /* to self, fixed, vector 50 */
            f.rsi = (uint64_t)buffer;
            f.rflags |= FL_IF;
            trap_run(&f);
            bool good = f.vector == DONE && taken == 1 && taken_rip[0] == (uint64_t)SENDS[i].code + SENDS[i].at &&
                        taken_rbx[0] == SENDS[i].rbx && f.rbx == SENDS[i].last;
            if (!good) {
                print("send ");
                print_dec(i);
                print(" taken ");
                print_dec(taken);
                print(" at ");
                print_dec(taken_rip[0] - (uint64_t)SENDS[i].code);
                print(" rbx ");
                print_dec(taken_rbx[0]);
                print("\n");
            }
            CHECK(good);
        }
        taken = 0;
        trap_frame(&f, i_loop, 0);
        f.rax = ICR;
        f.rcx = 0x40050;
        f.rflags |= FL_IF;
        trap_run(&f);
        bool good = f.vector == DONE && taken == 20 && f.rbx == 20;
        for (unsigned i = 0; i < 20; i++) {
            good = good && taken_rip[i] == (uint64_t)i_loop + 7 && taken_rbx[i] == i;
        }
        CHECK(good);
    }
}

/* The charges make a timer due in mid-block: its interrupt comes at the first boundary at which vtime has reached the deadline. */
SNIPPET(d_reads, "rdtsc\nshl $32, %rdx\nor %rdx, %rax\nmov %rax, %r8\nadd %r9, %rax\nmov %rax, %r10\nmov %rax, %rdx\nshr $32, %rdx\n"
                 "mov %eax, %eax\nmov $0x6e0, %ecx\nwrmsr\nsti\nnop\n.rept 30\nmov (%rsi), %edi\ninc %ebx\n.endr\ncli");

static uint64_t due_now;

static void on_timer(struct frame *frame)
{
    due_now = rdtsc() - frame->r10; /* how late, and the handler's way to here */
    on_ipi(frame);
}

static void check_deadline(void)
{
    on_vector(0x52, on_timer);
    use_ist(0x52, 1);
    *reg(0x320) = 0x40052; /* TSC deadline */
    uint64_t way = 0;
    for (unsigned i = 0; i < 24; i++) {
        taken = 0;
        trap_frame(&f, d_reads, 0);
        f.r9 = 260 + 137 * i;
        f.rsi = TPR;
        trap_run(&f);
        /* RDTSC to NOP are 13 steps; then each read is 251 and each INC 1; RBX tells how many reads there were */
        uint64_t at = 13, reads = 0, incs = 0;
        while (at < f.r9) {
            at += reads > incs ? 1u : 1u + MMIO;
            if (reads > incs) {
                incs++;
            } else {
                reads++;
            }
        }
        CHECK(f.vector == DONE && taken == 1 && taken_rbx[0] == incs && f.rbx == 30);
        uint64_t late = due_now - (at - f.r9);
        way = i == 0 ? late : way;
        CHECK(late == way); /* the way through the stub is the same each time */
        mix(late);
    }
    *reg(0x320) = 0x10052;
}

/* Priorities: what a write of TPR, of CR8 or of EOI lets through comes at the very next boundary. */
static void note(struct frame *frame)
{
    order[orders++ & 15] = (unsigned)frame->vector;
    mix(frame->rip);
}

static void note_eoi(struct frame *frame)
{
    note(frame);
    *reg(0xb0) = 0;
}

SNIPPET(p_tpr, "mov %ecx, (%rax)\ninc %ebx\nmovl $0x60, 0x80(%rdx)\ninc %ebx\nmovl $0, 0x80(%rdx)\ninc %ebx\ncli");
SNIPPET(p_cr8, "mov %ecx, (%rax)\ninc %ebx\nmov $4, %edi\nmov %rdi, %cr8\ninc %ebx\ncli");
SNIPPET(p_eoi, "movl $0, 0xb0(%rdx)\ninc %ebx\ninc %ebx\nmovl $0, 0xb0(%rdx)\ninc %ebx\ncli");

static void check_priority(void)
{
    on_vector(0x50, on_ipi);
    taken = 0;
    *reg(0x80) = 0xf0;
    trap_frame(&f, p_tpr, 0);
    f.rax = ICR;
    f.rcx = 0x40050;
    f.rdx = APIC;
    f.rflags |= FL_IF;
    CHECK(trap_run(&f) == DONE && taken == 1 && taken_rbx[0] == 2 && f.rbx == 3);
    taken = 0;
    *reg(0x80) = 0x50; /* the same class: held */
    trap_frame(&f, p_cr8, 0);
    f.rax = ICR;
    f.rcx = 0x40050;
    f.rflags |= FL_IF;
    CHECK(trap_run(&f) == DONE && taken == 1 && taken_rbx[0] == 1 && *reg(0x80) == 0x40 && (*reg(0xa0) & 0xff) == 0x40);
    *reg(0x80) = 0;
    /* 0x70 in service, 0x50 and 0x60 waiting: each EOI lets the next one in */
    static const unsigned vectors[] = {0x50, 0x60, 0x70};
    for (unsigned i = 0; i < 3; i++) {
        on_vector(vectors[i], vectors[i] == 0x70 ? note : note_eoi);
        use_ist(vectors[i], 1);
    }
    on_vector(0x60, note);
    *reg(0x300) = 0x40070;
    sti();
    __asm__ volatile("nop; nop");
    cli();
    CHECK(orders == 1 && order[0] == 0x70 && *reg(0x130) == 1u << 16);
    *reg(0x300) = 0x40050;
    *reg(0x300) = 0x40060;
    *reg(0x300) = 0x40060; /* once more: IRR has one bit for it */
    trap_frame(&f, p_eoi, 0);
    f.rdx = APIC;
    f.rflags |= FL_IF;
    CHECK(trap_run(&f) == DONE && orders == 3 && order[1] == 0x60 && order[2] == 0x50);
    CHECK(*reg(0x120) == 0 && *reg(0x130) == 0 && *reg(0x220) == 0);
}

/* -- exact counts: each access to a register that is not there is one error, told by one interrupt ---------- */

SNIPPET(e_rep, "rep movsl");

static void check_errors(void)
{
    on_vector(0x51, on_ipi);
    *reg(0x370) = 0x51;
    *reg(0x280) = 0;
    *reg(0x280) = 0; /* nothing found since */
    CHECK(*reg(0x280) == 0);
    taken = 0;
    sti();
    for (unsigned i = 0; i < 10; i++) {
        mix(*reg(0x40)); /* reserved: "illegal register address" */
        __asm__ volatile("nop");
    }
    cli();
    CHECK(taken == 10);
    *reg(0x280) = 0;
    CHECK(*reg(0x280) == 0x80);
    *reg(0x280) = 0;
    CHECK(*reg(0x280) == 0);
    *reg(0x370) = 0x10051;
    /* a string over the registers 0x20 to 0x40: each dword is read once */
    uint64_t before = rdtsc();
    trap_frame(&f, e_rep, 0);
    f.rsi = APIC + 0x20;
    f.rdi = (uint64_t)buffer;
    f.rcx = 8;
    CHECK(trap_run(&f) == DONE && buffer[2] == (uint32_t)*reg(0x30) && f.rsi == APIC + 0x40);
    mix(rdtsc() - before);
    *reg(0x280) = 0;
    CHECK(*reg(0x280) == 0);
}

/* The I/O APIC's registers behind a select register: which one is read or written depends on the order of the stores alone. */
SNIPPET(x_both, "movl $0x10, (%rax)\nmov %ecx, 0x10(%rax)\nmovb $0x11, (%rax)\nmov %edx, 0x10(%rax)\nmovw $0x10, (%rax)\n"
                "mov 0x10(%rax), %esi\nincl (%rax)\nmov 0x10(%rax), %edi\nlock decl (%rax)\nxchg %ebx, 0x10(%rax)\n"
                "mov 0x10(%rax), %ecx\npush $1\npopq (%rax)\nmovsbl 0x12(%rax), %edx");

static void check_ioapic(void)
{
    for (unsigned i = 0; i < 6; i++) {
        bool user = i & 1;
        trap_frame(&f, x_both, user ? 3 : 0);
        f.rax = user ? STRADDLE + 0x3000 : IOAPIC;
        f.rcx = 0x10051 + i; /* masked */
        f.rdx = 0x03000000;
        f.rbx = 0x10000;
        CHECK(trap_run(&f) == DONE && f.rsi == 0x10051 + i && f.rdi == 0x03000000);
        CHECK(f.rbx == 0x10051 + i && f.rcx == 0x10000);
        CHECK(f.rdx == 0x17); /* bits 23:16 of the version register: 24 pins */
    }
}

/* -- code in a device ---------------------------------------------------------------------------- */

static void check_fetch(void)
{
    /* the version register, 14 00 05 00, and zeroes: adc $0, %al; add $0, %eax; add %al, (%rax), which is not CPL 3's */
    CHECK(*reg(0x30) == 0x50014);
    trap_frame(&f, t_none, 3);
    f.rip = STRADDLE + 0x1030;
    f.rax = 0x690000000008ull;
    f.rflags |= 1; /* CF, for ADC */
    trap_run(&f);
    CHECK(trap_is(&f, 14, 7, STRADDLE + 0x1037) && trap_cr2 == 9 && f.rax == 9);
}

/* -- ports ------------------------------------------------------------------------------------------ */

#define SCRATCH 0x3ff /* a register of the UART that only remembers */

TIMED(o_imm, "mov $0x70, %edx\nmov $0x0f, %al\nout %al, $0x70\nin $0x71, %al\nmov %al, %cl");
TIMED(o_dx, "mov $0x3ff, %edx\nmov %ecx, %eax\nout %al, %dx\nxor %eax, %eax\nin %dx, %al\nmov %al, %cl");
TIMED(o_long, "mov $0xcf8, %edx\nmov $0x80000000, %eax\nout %eax, %dx\nxor %eax, %eax\nin %dx, %eax\nmov %eax, %ecx");
TIMED(o_word, "mov $0xcfc, %edx\nxor %eax, %eax\nin %dx, %ax\nmov %eax, %ecx");
TIMED(o_ins, "mov $0x3ff, %edx\nmov $12, %ecx\nrep insb");
TIMED(o_outs, "mov $0x3ff, %edx\nmov $12, %ecx\nrep outsb");
TIMED(o_insd, "mov $0xcf8, %edx\ninsl\nmov -4(%rdi), %ecx");
TIMED(o_none, "mov $0x3ff, %edx\nxor %ecx, %ecx\nrep insb");

static void ports(const uint8_t *code, unsigned steps, unsigned accesses, uint64_t rcx)
{
    for (unsigned i = 0; i < 3; i++) {
        trap_frame(&f, code, i == 1 ? 3 : 0);
        f.rflags |= 3ull << 12;
        f.rcx = 0x5a;
        f.rdi = (i == 1 ? USER_ALIAS : 0) + (uint64_t)buffer;
        f.rsi = f.rdi + 64;
        CHECK(trap_run(&f) == DONE && f.rcx == rcx);
        CHECK((uint32_t)(f.r9 - f.r8) == AROUND + steps + accesses * PORT);
    }
}

static void check_ports(void)
{
    ports(o_dx, 6, 2, 0x5a);
    ports(o_long, 6, 2, 0x80000000);
    ports(o_insd, 3, 1, 0x80000000);
    outb(0x70, 0x0f);
    outb(0x71, 0x33);
    ports(o_imm, 5, 2, 0x33);
    for (unsigned i = 0; i < 16; i++) {
        ((uint8_t *)buffer)[64 + i] = (uint8_t)(0x60 + i);
    }
    ports(o_outs, 3, 12, 0);
    CHECK(inb(SCRATCH) == 0x6b); /* the last one */
    fill(buffer, 0, 64);
    ports(o_ins, 3, 12, 0);
    bool good = true;
    for (unsigned i = 0; i < 16; i++) {
        good = good && ((uint8_t *)buffer)[i] == (i < 12 ? 0x6b : 0);
    }
    CHECK(good);
    ports(o_none, 3, 0, 0);
    trap_frame(&f, o_word, 0);
    CHECK(trap_run(&f) == DONE && f.rcx == 0x8086);
    CHECK((uint32_t)(f.r9 - f.r8) == AROUND + 4 + PORT);
}

int main(void)
{
    trap_init();
    write_cr4(read_cr4() | CR4_OSXSAVE);
    __asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
    ram[0] = (uint8_t *)new_page();
    ram[1] = (uint8_t *)new_page();
    *reg(0xf0) = 0x1ff;
    check_straddle();
    check_kinds();
    check_sends();
    check_deadline();
    check_priority();
    check_errors();
    check_ioapic();
    check_fetch();
    check_ports();
    return finish();
}
