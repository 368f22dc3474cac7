/*
 * transfer.c - ways between privilege levels: IRETQ and every bad frame, SYSCALL SYSRET SYSENTER SYSEXIT, gates, call
 *         gates, far returns, conforming code, stacks from the TSS
 * Spec:    SDM 2A "IRET", "INT n", "CALL"; SDM 2B "RET", "SYSCALL", "SYSRET", "SYSENTER", "SYSEXIT";
 *          SDM 3A "Interrupt and Exception Handling in 64-bit Mode" (6.14), "IA-32e Mode Call Gates" (5.8.3.1)
 */
#include "ring.h"

#define GP 13u
#define UFLAGS (RFLAGS_CF | 2)

/* -- IRETQ --------------------------------------------------------------------------------------------------------- */

static void check_frames(void)
{
    uint64_t at = (uint64_t)land, high = 1ull << 32, hole = 1ull << 47;
    const struct { uint16_t cs, ss; uint64_t rip; unsigned vector; uint16_t error; } bad[] = {
        {0, S_KDATA, at, GP, 0},
        {3, S_UDATA | 3, at, GP, 0},
        {0xfff8, S_KDATA, at, GP, 0xfff8},
        {0x3c, S_KDATA, at, GP, 0x3c},               /* past the LDT: there is none */
        {S_KDATA, S_KDATA, at, GP, S_KDATA},         /* no code */
        {S_TSS, S_KDATA, at, GP, S_TSS},             /* a system descriptor */
        {S_UCODE, S_UDATA | 3, at, GP, S_UCODE},     /* DPL 3, RPL 0 */
        {S_KCODE | 3, S_UDATA | 3, at, GP, S_KCODE}, /* DPL 0, RPL 3 */
        {S_ABSENT_CODE, S_KDATA, at, 11, S_ABSENT_CODE},
        {S_LD, S_KDATA, at, GP, S_LD}, /* L and D */
        {S_UCODE | 3, 0, at, GP, 0},   /* a null SS is for 64-bit code below CPL 3 */
        {S_UCODE | 3, 3, at, GP, 0},
        {S_KCODE32, 0, at, GP, 0},
        {S_UCODE | 3, S_KDATA | 3, at, GP, S_KDATA}, /* DPL */
        {S_UCODE | 3, S_UDATA, at, GP, S_UDATA},     /* RPL */
        {S_UCODE | 3, S_UCODE | 3, at, GP, S_UCODE}, /* code */
        {S_UCODE | 3, S_READ_ONLY | 3, at, GP, S_READ_ONLY},
        {S_UCODE | 3, S_ABSENT_DATA | 3, at, 12, S_ABSENT_DATA},
        {S_UCODE | 3, 0xfff8 | 3, at, GP, 0xfff8},
        {S_KCODE, S_UDATA | 3, at, GP, S_UDATA},
        {S_UCODE | 3, S_UDATA | 3, hole, GP, 0},   /* not canonical */
        {S_KCODE, S_KDATA, ~hole, GP, 0},
        {S_CONFORMING, S_UDATA | 3, at, GP, S_UDATA},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        catch_clear();
        CHECK(ring_iret(bad[i].rip, bad[i].cs, 2, ring_user_stack(), bad[i].ss) == bad[i].vector);
        CHECK(NEWEST()->error == bad[i].error);
        CHECK(NEWEST()->rip == (uint64_t)tail_iretq && NEWEST()->cs == S_KCODE);
        catch_explain("a bad frame");
    }
    const struct { uint16_t cs, ss; } good[] = {
        {S_KCODE, S_KDATA},         {S_KCODE, 0},        {S_UCODE | 3, S_UDATA | 3},     {S_UCODE32 | 3, S_UDATA | 3},
        {S_KCODE32, S_KDATA},       {S_CONFORMING, 0},   {S_CONFORMING | 3, S_UDATA | 3},
    };
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        catch_clear();
        CHECK(ring_iret((uint64_t)land, good[i].cs, UFLAGS | RFLAGS_AC, ring_user_stack(), good[i].ss) == LAND_VECTOR);
        CHECK(NEWEST()->cs == good[i].cs && NEWEST()->ss == good[i].ss);
        CHECK(NEWEST()->rsp == ring_user_stack() && NEWEST()->rflags == (UFLAGS | RFLAGS_AC));
        catch_explain("a good frame");
    }
    /* 32-bit code takes the lower half of RIP */
    catch_clear();
    CHECK(ring_iret((uint64_t)land | high, S_UCODE32 | 3, UFLAGS, ring_user_stack(), S_UDATA | 3) == LAND_VECTOR);
    CHECK(NEWEST()->rip >> 32 == 0 && NEWEST()->cs == (S_UCODE32 | 3));
    /* NT in the current flags: #GP(0) in IA-32e mode */
    __asm__ volatile("pushfq\n orl $0x4000, (%%rsp)\n popfq" : : : "memory", "cc");
    CHECK(ring_iret((uint64_t)land, S_KCODE, 2, ring_user_stack(), S_KDATA) == GP && NEWEST()->error == 0);
    CHECK((NEWEST()->rflags & RFLAGS_NT) != 0);
    __asm__ volatile("pushfq\n andl $~0x4000, (%%rsp)\n popfq" : : : "memory", "cc");
    /* IRETD and IRETW */
    static uint32_t frame32[5];
    frame32[0] = (uint32_t)(uint64_t)land;
    frame32[1] = S_UCODE32 | 3;
    frame32[2] = UFLAGS;
    frame32[3] = (uint32_t)ring_user_stack();
    frame32[4] = S_UDATA | 3;
    CHECK(ring_leave(tail_iretl, (uint64_t)frame32, 0, 0, 0) == LAND_VECTOR && NEWEST()->cs == (S_UCODE32 | 3));
    CHECK(NEWEST()->rsp == ring_user_stack());
}

ROUTINE(user_iret, "mov %rsp, %rax\n mov %ss, %ecx\n push %rcx\n push %rax\n pushq $0x3203\n mov %cs, %ecx\n push %rcx\n"
                   "pushq $1f\n iretq\n 1:");
ROUTINE(user_iret_in, "mov %rsp, %r9\n pushq $0x10\n push %r9\n pushq $2\n pushq $8\n pushq $1f\n"
                      "movq $1f, catch_resume\n iretq\n 1: mov %r9, %rsp");

static void at_user_iret(void)
{
    user_iret(); /* IF and IOPL are not CPL 3's */
    CHECK((read_flags() & (RFLAGS_IF | RFLAGS_IOPL)) == 0);
    unsigned before = caught_count;
    user_iret_in(); /* inward is not for IRET */
    CHECK(caught_count == before + 1 && caught[before].vector == GP && caught[before].error == 8);
}

/* -- SYSCALL and SYSRET -------------------------------------------------------------------------------------------- */

volatile uint64_t entry_rcx, entry_r11, entry_flags, entry_cs, entry_ss, entry_rsp, entry_rip_mark;
void syscall_stub(void);
__asm__("at syscall_stub\n mov %rsp, entry_rsp\n mov %rcx, entry_rcx\n mov %r11, entry_r11\n mov %cs, %eax\n mov %rax, entry_cs\n"
        "mov %ss, %eax\n mov %rax, entry_ss\n mov $boot_stack_end, %rsp\n pushfq\n popq entry_flags\n"
        "pushq $2\n popfq\n jmp ring_back\n"
        ".bss\n .skip 4096\n boot_stack_end: .skip 16\n.text\n");
ROUTINE(user_syscall, "at user_syscall_at\n syscall\n at user_syscall_then\n int $0x81");
ROUTINE(user_sysenter, "at user_sysenter_at\n sysenter");
PLACE(user_syscall_at); PLACE(user_syscall_then); PLACE(user_sysenter_at);

static void check_syscall(void)
{
    uint64_t all = 0x40dd5 | 0x200, u = ring_user_stack();
    wrmsr(0xc0000081, (uint64_t)S_FAST_USER << 48 | (uint64_t)S_FAST << 32);
    wrmsr(0xc0000082, (uint64_t)syscall_stub);
    for (unsigned bit = 0; bit < 32; bit++) { /* every flag in the mask by itself */
        if (bit == 17) {
            continue;
        }
        uint64_t mask = 1ull << bit;
        wrmsr(0xc0000084, mask);
        entry_cs = 0;
        ring_iret((uint64_t)user_syscall_at, S_UCODE | 3, all | 2, u, S_UDATA | 3);
        CHECK(entry_cs == S_FAST && entry_ss == S_FAST + 8 && entry_rsp == u);
        CHECK(entry_rcx == (uint64_t)user_syscall_then && entry_r11 == (all | 2));
        CHECK(entry_flags == (((all | 2) & ~mask) | 2));
    }
    wrmsr(0xc0000084, 0x47700);
    catch_clear();
    CHECK(ring_iret((uint64_t)user_syscall_at, S_UCODE32 | 3, 2, u, S_UDATA | 3) == 6); /* Intel: 64-bit mode only */
    CHECK(caught[0].rip == (uint64_t)user_syscall_at);
    /* SYSRET: RCX and R11 */
    catch_clear();
    CHECK(ring_leave(tail_sysretq, u, 0, (uint64_t)land, ~0x100ull) == LAND_VECTOR);
    CHECK(NEWEST()->cs == (S_FAST_USER + 16 + 3) && NEWEST()->ss == (S_FAST_USER + 8 + 3) && NEWEST()->rsp == u);
    CHECK(NEWEST()->rip == (uint64_t)land + 2);
    CHECK(NEWEST()->rflags == (0x3c7fd7 & ~0x100ull)); /* VM, RF and reserved bits of R11 are not taken */
    catch_clear();
    CHECK(ring_leave(tail_sysretl, u, 0, (uint64_t)land | 0xabcd00000000ull, 2) == LAND_VECTOR);
    CHECK(NEWEST()->cs == (S_FAST_USER + 3) && NEWEST()->ss == (S_FAST_USER + 8 + 3)); /* compatibility mode, EIP = ECX */
    CHECK(NEWEST()->rip == (uint64_t)land + 2);
    /* Intel: the check of RCX faults at CPL 0, with the stack as the kernel left it */
    catch_clear();
    CHECK(ring_leave(tail_sysretq, u, 0, 1ull << 47, 2) == GP);
    CHECK(NEWEST()->error == 0 && NEWEST()->cs == S_KCODE && NEWEST()->rip == (uint64_t)tail_sysretq);
    CHECK(ring_leave(tail_sysretq, u, 0, 0x00007fffffffffffull, 2) == 14); /* the last canonical address: fetch at CPL 3 */
    CHECK((NEWEST()->cs & 3) == 3 && (NEWEST()->error & 4) != 0);
    catch_explain("SYSRET");
}

static void check_sysenter(void)
{
    uint64_t u = ring_user_stack();
    wrmsr(0x175, 0x12345670);
    wrmsr(0x176, (uint64_t)syscall_stub);
    for (unsigned i = 0; i < 2; i++) {
        wrmsr(0x174, 0);
        catch_clear();
        uint16_t cs = (i == 0 ? S_UCODE : S_UCODE32) | 3;
        CHECK(ring_iret((uint64_t)user_sysenter_at, cs, RFLAGS_IF | 2, u, S_UDATA | 3) == GP); /* CS is null */
        CHECK(NEWEST()->error == 0);
        wrmsr(0x174, S_FAST | 3); /* RPL is ignored */
        entry_cs = 0;
        CHECK(ring_iret((uint64_t)user_sysenter_at, cs, RFLAGS_IF | 3, u, S_UDATA | 3) == NOTHING);
        CHECK(entry_cs == S_FAST && entry_ss == S_FAST + 8 && entry_rsp == 0x12345670);
        CHECK(entry_flags == 3); /* IF is cleared, nothing else */
        catch_explain("SYSENTER");
    }
    wrmsr(0x174, S_FAST);
    catch_clear();
    CHECK(ring_leave(tail_sysexitq, u, (uint64_t)land, u, 0) == LAND_VECTOR);
    CHECK(NEWEST()->cs == (S_FAST + 32 + 3) && NEWEST()->ss == (S_FAST + 40 + 3) && NEWEST()->rsp == u);
    CHECK(ring_leave(tail_sysexitl, u, (uint64_t)land | 1ull << 40, u | 1ull << 41, 0) == LAND_VECTOR);
    CHECK(NEWEST()->cs == (S_FAST + 16 + 3) && NEWEST()->ss == (S_FAST + 24 + 3) && NEWEST()->rsp == (uint32_t)u);
    CHECK(ring_leave(tail_sysexitq, u, 1ull << 47, u, 0) == GP);
    CHECK(ring_leave(tail_sysexitq, u, (uint64_t)land, 1ull << 47, 0) == GP);
    wrmsr(0x174, 3);
    CHECK(ring_leave(tail_sysexitq, u, (uint64_t)land, u, 0) == GP && NEWEST()->error == 0);
    catch_explain("SYSEXIT");
    wrmsr(0x174, 0);
}

/* -- interrupt gates ----------------------------------------------------------------------------------------------- */

extern uint8_t stubs[256][16];

static unsigned int_90(void)
{
    return TRY("int $0x90", : : : "memory");
}

static unsigned user_result[4];
static uint64_t user_error[4];

static void user_ints(void)
{
    user_result[0] = TRY("int $0x90", : : : "memory");
    user_error[0] = LAST_ERROR();
    user_result[1] = TRY("int3", : : : "memory");
    user_result[2] = TRY("int $0x0d", : : : "memory"); /* DPL 0: #GP(vector * 8 + IDT) */
    user_error[2] = LAST_ERROR();
    user_result[3] = TRY(".byte 0xf1", : : : "memory"); /* INT1 asks for no DPL */
}

static void check_gates(void)
{
    const struct { uint16_t sel; uint8_t access; unsigned vector; uint16_t error; } bad[] = {
        {S_KCODE, 0x0e, 11, 0x90 * 8 + 2},   /* not present */
        {S_KCODE, 0x85, GP, 0x90 * 8 + 2},   /* a task gate */
        {S_KCODE, 0x86, GP, 0x90 * 8 + 2},   /* a 16-bit gate */
        {S_KCODE, 0x8c, GP, 0x90 * 8 + 2},   /* a call gate */
        {0, 0x8e, GP, 0},
        {S_KDATA, 0x8e, GP, S_KDATA},
        {S_UCODE, 0x8e, GP, S_UCODE},        /* DPL 3 > CPL */
        {S_KCODE32, 0x8e, GP, S_KCODE32},    /* the handler must be 64-bit code */
        {S_LD, 0x8e, GP, S_LD},
        {S_ABSENT_CODE, 0x8e, 11, S_ABSENT_CODE},
        {0xfff8, 0x8e, GP, 0xfff8},
    };
    on_vector(0x90, catch_only);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ring_set_gate(0x90, stubs[0x90], bad[i].sel, 0, bad[i].access);
        catch_clear();
        CHECK(int_90() == bad[i].vector && LAST_ERROR() == bad[i].error);
        catch_explain("a bad gate");
    }
    ring_set_gate(0x90, (void *)(1ull << 47), S_KCODE, 0, 0x8e);
    CHECK(int_90() == GP && LAST_ERROR() == 0); /* the offset is not canonical */
    ring_set_gate(0x90, stubs[0x90], S_KCODE | 3, 0, 0x8e); /* RPL is ignored */
    catch_clear();
    CHECK(int_90() == 0x90 && caught_count == 1);
    /* the IDT's limit: the whole of the 16 bytes must be inside */
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) pointer, small;
    __asm__ volatile("sidt %0" : "=m"(pointer));
    small = pointer;
    small.limit = 0x90 * 16 + 14;
    __asm__ volatile("lidt %0" : : "m"(small));
    CHECK(int_90() == GP && LAST_ERROR() == 0x90 * 8 + 2);
    small.limit++;
    __asm__ volatile("lidt %0" : : "m"(small));
    CHECK(int_90() == 0x90);
    __asm__ volatile("lidt %0" : : "m"(pointer));
    /* DPL */
    ring_set_gate(0x90, stubs[0x90], S_KCODE, 0, 0x8e);
    ring_user(user_ints, 0);
    CHECK(user_result[0] == GP && user_error[0] == 0x90 * 8 + 2);
    CHECK(user_result[1] == 3 && user_result[2] == GP && user_error[2] == 13 * 8 + 2 && user_result[3] == 1);
    ring_set_gate(0x90, stubs[0x90], S_KCODE, 0, 0xee);
    catch_clear();
    ring_user(user_ints, RFLAGS_AC | RFLAGS_IF);
    CHECK(user_result[0] == 0x90 && caught[0].cs == (S_UCODE | 3) && caught[0].ss == (S_UDATA | 3));
    CHECK((caught[0].rflags & (RFLAGS_AC | RFLAGS_IF)) == (RFLAGS_AC | RFLAGS_IF));
    catch_explain("gates from CPL 3");
}

/* -- stacks from the TSS ------------------------------------------------------------------------------------------- */

ROUTINE(stack_probe, "at stack_probe_entry\n mov %rsp, entry_rsp\n mov %ss, %eax\n mov %rax, entry_ss\n pushfq\n popq entry_flags\n jmp ring_back");
ROUTINE(user_int_90, "at user_int_90_at\n int $0x90");
PLACE(stack_probe_entry); PLACE(user_int_90_at);

static void check_stacks(void)
{
    uint64_t good = ring_tss.rsp[0], hole = (1ull << 47) + 64, unmapped = 0x700000001000ull, u = ring_user_stack();
    extern uint64_t idt[512];
    ring_set_gate(0x90, stack_probe_entry, S_KCODE, 0, 0xee);
    /* aligned down to 16, then SS RSP RFLAGS CS RIP; SS is null after a change of level */
    ring_tss.rsp[0] = good - 5;
    ring_iret((uint64_t)user_int_90_at, S_UCODE | 3, RFLAGS_IF | RFLAGS_NT | 2, u, S_UDATA | 3);
    CHECK(entry_rsp == ((good - 5) & ~15ull) - 40 && entry_ss == 0);
    CHECK((entry_flags & (RFLAGS_IF | RFLAGS_NT | RFLAGS_TF)) == 0); /* an interrupt gate clears IF, all clear NT */
    ring_set_gate(0x90, stack_probe_entry, S_KCODE, 0, 0xef);
    ring_iret((uint64_t)user_int_90_at, S_UCODE | 3, RFLAGS_IF | 2, u, S_UDATA | 3);
    CHECK((entry_flags & RFLAGS_IF) != 0); /* a trap gate does not */
    __asm__ volatile("cli");
    ring_tss.rsp[0] = good;
    for (unsigned ist = 1; ist <= 7; ist++) {
        ring_tss.ist[ist - 1] = (uint64_t)ring_tss.ist[0] - (ist - 1) * 512;
        ring_set_gate(0x90, stack_probe_entry, S_KCODE, ist, 0xee);
        ring_iret((uint64_t)user_int_90_at, S_UCODE | 3, 2, u, S_UDATA | 3);
        CHECK(entry_rsp == ring_tss.ist[ist - 1] - 40);
    }
    /* a stack that cannot be used: #SS(0) when not canonical, #PF when not mapped; both on another stack here */
    idt[2 * 12] |= 1ull << 32;
    idt[2 * 14] |= 1ull << 32;
    ring_set_gate(0x90, stack_probe_entry, S_KCODE, 0, 0xee);
    ring_tss.rsp[0] = hole;
    catch_clear();
    CHECK(ring_iret((uint64_t)user_int_90_at, S_UCODE | 3, 2, u, S_UDATA | 3) == 12);
    CHECK(caught_is(0, 12, user_int_90_at) && caught[0].error == 0 && caught[0].cs == (S_UCODE | 3));
    catch_explain("RSP0 is not canonical");
    ring_tss.rsp[0] = unmapped;
    catch_clear();
    CHECK(ring_iret((uint64_t)user_int_90_at, S_UCODE | 3, 2, u, S_UDATA | 3) == 14);
    CHECK(caught_is(0, 14, user_int_90_at) && caught[0].error == 2 && caught[0].cr2 == unmapped - 8);
    catch_explain("RSP0 is not mapped"); /* a supervisor's write, though CPL is 3 */
    ring_tss.rsp[0] = good;
    uint64_t ist2 = ring_tss.ist[1];
    ring_set_gate(0x90, stack_probe_entry, S_KCODE, 2, 0xee);
    ring_tss.ist[1] = hole;
    catch_clear();
    CHECK(ring_iret((uint64_t)user_int_90_at, S_UCODE | 3, 2, u, S_UDATA | 3) == 12 && caught[0].error == 0);
    ring_tss.ist[1] = ist2;
    /* the TSS too short for what is asked: #TS(TR) */
    ring_load_tss(0x24 + 8 + 6);
    catch_clear();
    CHECK(ring_iret((uint64_t)user_int_90_at, S_UCODE | 3, 2, u, S_UDATA | 3) == 10 && caught[0].error == S_TSS);
    ring_load_tss(sizeof(ring_tss) - 1);
    catch_explain("IST");
    idt[2 * 12] &= ~(7ull << 32);
    idt[2 * 14] &= ~(7ull << 32);
}

/* -- call gates, far returns, conforming code ---------------------------------------------------------------------- */

struct far_ptr { uint64_t off; uint16_t sel; } __attribute__((packed));
static volatile struct far_ptr far __attribute__((used));
volatile uint64_t gate_stack[4];
void gate_entry(void);
__asm__("at gate_entry\n mov %cs, %eax\n mov %rax, entry_cs\n mov %ss, %eax\n mov %rax, entry_ss\n mov %rsp, entry_rsp\n"
        "mov (%rsp), %rax\n mov %rax, gate_stack\n mov 8(%rsp), %rax\n mov %rax, gate_stack + 8\n mov 16(%rsp), %rax\n"
        "mov %rax, gate_stack + 16\n mov 24(%rsp), %rax\n mov %rax, gate_stack + 24\n lretq\n");
ROUTINE(call_gate, "push $0\n at call_gate_at\n rex.w lcall *far\n at call_gate_then\n pop %rax");
PLACE(call_gate_at); PLACE(call_gate_then);

static void use_gate(void)
{
    far.sel = S_GATE | 3;
    far.off = 0xdead; /* the gate's own offset counts */
    call_gate();
    CHECK(entry_cs == S_KCODE && entry_ss == 0 && entry_rsp == ring_tss.rsp[0] - 32);
    CHECK(gate_stack[0] == (uint64_t)call_gate_then && gate_stack[1] == (S_UCODE | 3) && gate_stack[3] == (S_UDATA | 3));
    uint64_t v;
    __asm__ volatile("mov %%cs, %0" : "=r"(v));
    CHECK(v == (S_UCODE | 3));
    far.sel = S_KGATE | 3; /* DPL 0 */
    CHECK(TRY("rex.w lcall *far", : : : "memory") == GP && LAST_ERROR() == S_KGATE);
    far.sel = S_GATE | 3;
    CHECK(TRY("rex.w ljmp *far", : : : "memory") == GP && LAST_ERROR() == S_KCODE); /* JMP changes no level */
    far.sel = S_KCODE;
    CHECK(TRY("rex.w lcall *far", : : : "memory") == GP && LAST_ERROR() == S_KCODE);
    far.sel = 3;
    CHECK(TRY("rex.w lcall *far", : : : "memory") == GP && LAST_ERROR() == 0);
    far.sel = S_TSS;
    CHECK(TRY("rex.w ljmp *far", : : : "memory") == GP && LAST_ERROR() == S_TSS); /* no task switches in 64-bit mode */
    /* conforming code keeps CPL */
    extern const char conforming_code[];
    far.sel = S_CONFORMING;
    far.off = (uint64_t)conforming_code;
    __asm__ volatile("rex.w lcall *far" : : : "rax", "memory");
    CHECK(entry_cs == (S_CONFORMING | 3));
}
__asm__("at conforming_code\n mov %cs, %eax\n mov %rax, entry_cs\n lretq\n");

static void check_call_gates(void)
{
    ring_set_call_gate(S_GATE, gate_entry, S_KCODE, 0xec);
    ring_set_call_gate(S_KGATE, gate_entry, S_KCODE, 0x8c);
    catch_clear();
    ring_user(use_gate, 0);
    catch_explain("call gates");
    far.sel = S_KGATE;
    call_gate(); /* the same level: no other stack */
    CHECK(entry_cs == S_KCODE && gate_stack[0] == (uint64_t)call_gate_then && gate_stack[1] == S_KCODE);
    const struct { uint16_t code; uint8_t access; uint64_t high; unsigned vector; uint16_t error; } bad[] = {
        {S_KCODE, 0x0c, 0, 11, S_KGATE},              /* not present */
        {S_KCODE, 0x84, 0, GP, S_KGATE},              /* a 16-bit gate */
        {S_KCODE, 0x8c, 1ull << 40, GP, S_KGATE},     /* the type field of the upper half */
        {0, 0x8c, 0, GP, 0},
        {S_KDATA, 0x8c, 0, GP, S_KDATA},
        {S_KCODE32, 0x8c, 0, GP, S_KCODE32},
        {S_ABSENT_CODE, 0x8c, 0, 11, S_ABSENT_CODE},
        {S_KCODE, 0x8c, 1 << 15, GP, 0},              /* offset 0000_8000_xxxx_xxxxh */
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ring_set_call_gate(S_KGATE, gate_entry, bad[i].code, bad[i].access);
        ring_gdt[S_KGATE / 8 + 1] |= bad[i].high;
        catch_clear();
        CHECK(TRY("rex.w lcall *far", : : : "memory") == bad[i].vector && LAST_ERROR() == bad[i].error);
        catch_explain("a bad call gate");
    }
}

volatile uint32_t seen_ds, seen_es, seen_fs, seen_gs;
extern const char land_segments[];
__asm__("at land_segments\n mov %ds, seen_ds\n mov %es, seen_es\n mov %fs, seen_fs\n mov %gs, seen_gs\n int $0x81\n");

static void check_far_return(void)
{
    static uint64_t frame[4];
    uint64_t u = ring_user_stack();
    frame[0] = (uint64_t)land_segments;
    frame[1] = S_UCODE | 3;
    frame[2] = u;
    frame[3] = S_UDATA | 3;
    __asm__ volatile("mov %w0, %%ds\n mov %w1, %%es\n mov %w0, %%fs\n mov %w2, %%gs" : : "r"(S_KDATA), "r"(S_UDATA | 3), "r"(S_CONFORMING));
    wrmsr(0xc0000100, 0x123456789000ull);
    catch_clear();
    CHECK(ring_leave(tail_lretq, (uint64_t)frame, 0, 0, 0) == LAND_VECTOR);
    CHECK(NEWEST()->cs == (S_UCODE | 3) && NEWEST()->rsp == u);
    /* SDM 2B "RET": data segments whose DPL is below the new CPL are made null, conforming code stays */
    CHECK(seen_ds == 0 && seen_es == (S_UDATA | 3) && seen_fs == 0 && seen_gs == S_CONFORMING);
    catch_explain("far return outward");
    __asm__ volatile("mov %w0, %%ds\n mov %w0, %%es\n mov %w1, %%fs\n mov %w1, %%gs" : : "r"(S_KDATA), "r"(0));
    /* IRET does the same (SDM 2A "IRET", RETURN-TO-OUTER-PRIVILEGE-LEVEL) */
    __asm__ volatile("mov %w0, %%ds\n mov %w1, %%es\n mov %w0, %%fs\n mov %w1, %%gs" : : "r"(S_KDATA), "r"(S_UDATA | 3));
    CHECK(ring_iret((uint64_t)land_segments, S_UCODE | 3, 2, u, S_UDATA | 3) == LAND_VECTOR);
    CHECK(seen_ds == 0 && seen_es == (S_UDATA | 3) && seen_fs == 0 && seen_gs == (S_UDATA | 3));
    __asm__ volatile("mov %w0, %%ds\n mov %w0, %%es" : : "r"(S_KDATA)); /* and not at the same level */
    CHECK(ring_iret((uint64_t)land_segments, S_KCODE, 2, u, S_KDATA) == LAND_VECTOR && seen_ds == S_KDATA);
    frame[3] = S_KDATA | 3;
    CHECK(ring_leave(tail_lretq, (uint64_t)frame, 0, 0, 0) == GP && NEWEST()->error == S_KDATA);
    frame[1] = S_KCODE | 1;
    CHECK(ring_leave(tail_lretq, (uint64_t)frame, 0, 0, 0) == GP && NEWEST()->error == S_KCODE);
    frame[1] = S_KCODE;
    frame[0] = (uint64_t)land;
    CHECK(ring_leave(tail_lretq, (uint64_t)frame, 0, 0, 0) == LAND_VECTOR && NEWEST()->cs == S_KCODE);
    CHECK(NEWEST()->rsp == (uint64_t)&frame[2]); /* no stack is popped at the same level */
    catch_explain("far returns");
}

/* -- single steps over SYSCALL and SYSRET -------------------------------------------------------------------------- */

static void check_steps(void)
{
    uint64_t u = ring_user_stack();
    wrmsr(0xc0000084, 0x100); /* TF masked: the kernel is not stepped */
    catch_clear();
    ring_iret((uint64_t)user_syscall_at, S_UCODE | 3, RFLAGS_TF | 2, u, S_UDATA | 3);
    CHECK(caught_count == 0 && (entry_r11 & RFLAGS_TF) != 0);
    catch_clear(); /* SYSRET with TF in R11 traps at once, as if SYSCALL had just ended there */
    CHECK(ring_leave(tail_sysretq, u, 0, (uint64_t)land, RFLAGS_TF | 2) == 1);
    CHECK(caught_is(0, 1, land) && (caught[0].cs & 3) == 3);
    catch_explain("stepping over SYSCALL and SYSRET");
    wrmsr(0x174, S_FAST); /* SYSENTER leaves TF: the trap is taken in the kernel */
    wrmsr(0x175, ring_tss.ist[0]);
    catch_clear();
    CHECK(ring_iret((uint64_t)user_sysenter_at, S_UCODE | 3, RFLAGS_TF | 2, u, S_UDATA | 3) == 1);
    CHECK(caught_is(0, 1, syscall_stub) && caught[0].cs == S_FAST && (caught[0].rflags & RFLAGS_TF) != 0);
    wrmsr(0x174, 0);
    catch_explain("stepping into SYSENTER");
    wrmsr(0xc0000084, 0x47700);
}

int main(void)
{
    ring_setup();
    check_frames();
    ring_user(at_user_iret, 0);
    check_syscall();
    check_sysenter();
    check_gates();
    check_stacks();
    check_call_gates();
    check_far_return();
    check_steps();
    return finish();
}
