/*
 * interrupts.c - when an interrupt is taken: shadows, NMI blocking, single steps, priorities, HLT, mid-REP
 * Spec:    SDM 3A "Masking Maskable Hardware Interrupts" (6.8.1), "Masking Exceptions and Interrupts When Switching
 *          Stacks" (6.8.3), "Handling Multiple NMIs" (6.7.1), "Priority Among Concurrent Events" (6.9);
 *          SDM 3B "Single-Step Exception Condition" (17.3.1.4), "Instruction-Breakpoint Exception Condition" (17.3.1.1)
 */
#include "apic.h"
#include "ring.h"

#define DB  1u
#define NMI 2u
#define IPI 0x41u
#define S_IPI "$0x44041"
#define S_NMI "$0x44400"
#define TO_ICR(value) " mov $0xfee00300, %r8d\n movl " value ", (%r8)\n"
#define TF_ON  " pushfq\n orl $0x100, (%rsp)\n popfq\n"
#define TF_OFF " pushfq\n andl $~0x100, (%rsp)\n popfq\n"

static void on_ipi(struct frame *f)
{
    catch_note(f);
    apic_write(APIC_EOI, 0);
}

/* -- what STI, MOV SS and POP SS hold back ------------------------------------------------------------------------- */

ROUTINE(sti_nop, "cli\n" TO_ICR(S_IPI) "sti\n nop\n at sti_nop_then\n nop\n cli");
ROUTINE(sti_sti, "cli\n" TO_ICR(S_IPI) "sti\n sti\n at sti_sti_then\n nop\n cli");
ROUTINE(sti_cli, "cli\n" TO_ICR(S_IPI) "sti\n cli\n nop\n nop");
ROUTINE(sti_halt, "cli\n" TO_ICR(S_IPI) "sti\n hlt\n at sti_halt_then\n nop\n cli");
ROUTINE(popf_on, "cli\n" TO_ICR(S_IPI) "pushfq\n orl $0x200, (%rsp)\n popfq\n at popf_on_then\n nop\n cli");
ROUTINE(iret_on, "cli\n" TO_ICR(S_IPI) "mov %rsp, %rax\n pushq $0x10\n push %rax\n pushq $0x202\n pushq $8\n"
                 "pushq $iret_on_then\n iretq\n at iret_on_then\n nop\n cli");
ROUTINE(write_on, "sti\n nop\n" TO_ICR(S_IPI) "at write_on_then\n nop\n cli");
ROUTINE(nmi_on, TO_ICR(S_NMI) "at nmi_on_then\n nop");
ROUTINE(ss_nmi, "mov %ss, %eax\n mov $0xfee00300, %r8d\n mov %eax, %ss\n movl $0x44400, (%r8)\n at ss_nmi_then\n nop");
ROUTINE(unmask_on, "mov $0xfe, %eax\n sti\n nop\n out %al, $0x21\n at unmask_on_then\n nop\n cli");
PLACE(unmask_on_then);
PLACE(sti_nop_then); PLACE(sti_sti_then); PLACE(sti_halt_then); PLACE(popf_on_then); PLACE(iret_on_then);
PLACE(write_on_then); PLACE(nmi_on_then); PLACE(ss_nmi_then);

static void one(void (*routine)(void), unsigned vector, const void *rip, const char *title)
{
    catch_clear();
    routine();
    CHECK(caught_count == 1);
    CHECK(caught_is(0, vector, rip));
    CHECK((caught[0].rflags & (RFLAGS_RF | RFLAGS_TF)) == 0);
    catch_explain(title);
}

static void check_shadows(void)
{
    one(sti_nop, IPI, sti_nop_then, "STI holds back for one instruction");
    one(sti_sti, IPI, sti_sti_then, "a second STI adds nothing");
    one(sti_halt, IPI, sti_halt_then, "STI; HLT");
    one(popf_on, IPI, popf_on_then, "POPF has no shadow");
    one(iret_on, IPI, iret_on_then, "IRET has no shadow");
    one(write_on, IPI, write_on_then, "at the boundary after the write");
    one(nmi_on, NMI, nmi_on_then, "NMI");
    one(ss_nmi, NMI, ss_nmi_then, "MOV SS covers one instruction");
    irq0_low();
    pic_setup(0xff, 0xff);
    irq0_high();
    apic_write(APIC_LVT_LINT0, 0x700);
    one(unmask_on, 0x20, unmask_on_then, "at the boundary after the PIC's mask opens");
    outb(0x21, 0xff);
    outb(0x20, 0x20);
    apic_write(APIC_LVT_LINT0, LVT_MASK);
    catch_clear();
    sti_cli(); /* the interrupt stays pending behind STI; CLI */
    CHECK(caught_count == 0);
    CHECK(apic_bit(APIC_IRR, IPI));
    sti();
    __asm__ volatile("nop; nop");
    cli();
    CHECK(caught_count == 1);
    CHECK(!apic_bit(APIC_IRR, IPI));
}

/* A deadline slid over a piece of code, one step at a time: where it is taken shows every boundary that is closed. */
ROUTINE_OF(uint64_t, slide, "mov %rdi, %r9\n mov $0x6e0, %ecx\n rdtsc\n shl $32, %rdx\n or %rdx, %rax\n add %r9, %rax\n"
               "mov %rax, %rdx\n shr $32, %rdx\n mov %ss, %esi\n push %rsi\n wrmsr\n sti\n"
               "at slide_1\n nop\n at slide_2\n nop\n at slide_3\n mov %esi, %ss\n at slide_4\n nop\n"
               "at slide_5\n nop\n at slide_6\n mov (%rsp), %ss\n at slide_7\n nop\n at slide_8\n nop\n at slide_9\n cli\n pop %rsi");
PLACE(slide_2); PLACE(slide_3); PLACE(slide_5); PLACE(slide_6); PLACE(slide_8); PLACE(slide_9);

static void check_slide(void)
{
    /* steps from RDTSC on: WRMSR is the 8th, STI the 9th, slide_1 the 10th */
    const void *expected[] = {slide_2, slide_2, slide_3, slide_5, slide_5, slide_6, slide_8, slide_8, slide_9};
    apic_write(APIC_LVT_TIMER, LVT_DEADLINE | IPI);
    for (unsigned i = 0; i < 9; i++) {
        catch_clear();
        slide(10 + i);
        CHECK(caught_count == 1);
        CHECK(caught_is(0, IPI, expected[i]));
        catch_explain("a deadline at step");
    }
    apic_write(APIC_LVT_TIMER, LVT_MASK);
}

/* -- NMI blocking -------------------------------------------------------------------------------------------------- */

static unsigned nmi_plan, nmi_seen_inside;

ROUTINE(bad_iret, "mov %rsp, %rax\n pushq $0x10\n push %rax\n pushq $2\n pushq $0x10\n pushq $bad_iret_end\n"
                  "movq $bad_iret_end, catch_resume\n iretq\n at bad_iret_end\n mov %rax, %rsp");

static void on_nmi(struct frame *f)
{
    catch_note(f);
    unsigned plan = nmi_plan, before = caught_count;
    nmi_plan = 0;
    if (plan == 0) {
        return;
    }
    apic_write(APIC_ICR, ICR_SELF_NMI); /* held: one NMI is remembered, not two */
    apic_write(APIC_ICR, ICR_SELF_NMI);
    nmi_seen_inside = caught_count - before;
    if (plan == 2) {
        bad_iret(); /* CS = 10h is no code segment */
        nmi_seen_inside = caught_count - before;
    }
}

static void check_nmi(void)
{
    on_vector(NMI, on_nmi);
    nmi_plan = 1;
    catch_clear();
    nmi_on();
    CHECK(nmi_seen_inside == 0);
    CHECK(caught_count == 2);
    CHECK(caught_is(0, NMI, nmi_on_then));
    CHECK(caught_is(1, NMI, nmi_on_then));
    catch_explain("NMI in an NMI handler");
    /* SDM 3C "Information About NMI Unblocking Due to IRET": the block is gone although the IRET faults. The NMI is
     * taken before the first instruction of the handler of that #GP. */
    nmi_plan = 2;
    catch_clear();
    nmi_on();
    CHECK(caught_count == 3);
    CHECK(nmi_seen_inside == 2);
    CHECK(caught[1].vector == NMI && caught[2].vector == 13);
    extern uint8_t stubs[256][16];
    CHECK(caught[1].rip == (uint64_t)stubs[13]);
    CHECK(caught[2].error == 0x10);
    catch_explain("a faulting IRET");
}

/* -- single steps -------------------------------------------------------------------------------------------------- */

static uint8_t target[8192] __attribute__((aligned(4096)));
static volatile struct { uint64_t off; uint16_t sel; } far_pointer __attribute__((used));

ROUTINE(tf_plain, TF_ON "nop\n at tp1\n nop\n at tp2\n" TF_OFF "at tp_end\n nop");
ROUTINE(tf_intn, TF_ON "int $0x80\n at ti1\n nop\n at ti2\n" TF_OFF);
ROUTINE(tf_int3, TF_ON "int3\n at tb1\n nop\n at tb2\n" TF_OFF);
ROUTINE(tf_ss, "mov %ss, %eax\n" TF_ON "mov %eax, %ss\n at ts1\n nop\n at ts2\n" TF_OFF);
ROUTINE(tf_halt, TF_ON "hlt\n at th1\n" TF_OFF);
ROUTINE(tf_rep, "mov $target, %edi\n mov $3, %ecx\n" TF_ON "at tr0\n rep stosb\n at tr1\n" TF_OFF);
ROUTINE(tf_rep0, "mov $target, %edi\n xor %ecx, %ecx\n" TF_ON "rep stosb\n at tz1\n" TF_OFF);
ROUTINE(tf_repe, "mov $target, %edi\n mov $target + 64, %esi\n mov $9, %ecx\n" TF_ON
                 "at te0\n repe cmpsb\n at te1\n" TF_OFF);
ROUTINE(tf_flags, TF_ON "cli\n at tc1\n sti\n at tc2\n cli\n at tc3\n" TF_OFF);
ROUTINE(tf_ports, "mov $0x80, %edx\n" TF_ON "in %dx, %al\n at to1\n out %al, %dx\n at to2\n" TF_OFF);
ROUTINE(tf_mmio, "mov $0xfee00000, %r8d\n" TF_ON "mov 0x20(%r8), %eax\n at tm1\n movl $0, 0x80(%r8)\n at tm2\n" TF_OFF);
ROUTINE(tf_far, TF_ON "rex.w ljmp *far_pointer\n nop\n at tj1\n nop\n at tj2\n" TF_OFF);
ROUTINE(tf_fault, "movq $tu1, catch_resume\n" TF_ON "at tu0\n ud2\n at tu1\n nop\n at tu2\n" TF_OFF);
ROUTINE(tf_iret, "mov %rsp, %rax\n pushq $0x10\n push %rax\n pushq $2\n pushq $8\n pushq $ty1\n" TF_ON
                 "iretq\n nop\n at ty1\n nop\n nop");
ROUTINE(tf_iret_on, "mov %rsp, %rax\n pushq $0x10\n push %rax\n pushq $0x102\n pushq $8\n pushq $tx0\n"
                    "iretq\n nop\n at tx0\n nop\n at tx1\n" TF_OFF);
ROUTINE(tf_branch, TF_ON "jmp 1f\n nop\n at tg0\n 1: call 2f\n at tg2\n jmp 3f\n at tg1\n 2: ret\n at tg3\n 3:\n" TF_OFF);
PLACE(tp1); PLACE(tp2); PLACE(tp_end); PLACE(ti1); PLACE(ti2); PLACE(tb1); PLACE(tb2); PLACE(ts1); PLACE(ts2);
PLACE(th1); PLACE(tr0); PLACE(tr1); PLACE(tz1); PLACE(te0); PLACE(te1); PLACE(tc1); PLACE(tc2); PLACE(tc3);
PLACE(to1); PLACE(to2); PLACE(tm1); PLACE(tm2); PLACE(tj1); PLACE(tj2); PLACE(tu0); PLACE(tu1); PLACE(tu2);
PLACE(ty1); PLACE(tx1); PLACE(tg0); PLACE(tg1); PLACE(tg2); PLACE(tg3);

struct stop {
    unsigned vector;
    const void *rip;
    bool rf;
};

/* tail: #DBs of the PUSHF, AND, POPF that end the stepping. */
static void steps(void (*routine)(void), const struct stop *stops, unsigned n, unsigned tail, const char *title)
{
    catch_clear();
    routine();
    CHECK(caught_count == n + tail);
    for (unsigned i = 0; i < n; i++) {
        CHECK(caught_is(i, stops[i].vector, stops[i].rip));
        CHECK(((caught[i].rflags & RFLAGS_RF) != 0) == stops[i].rf);
        CHECK(stops[i].vector != DB || caught[i].dr6 == (DR6_INIT | 1u << 14));
    }
    for (unsigned i = n; i < n + tail; i++) {
        CHECK(caught[i].vector == DB);
    }
    catch_explain(title);
}
#define STEPS(routine, tail, ...)                                                         \
    do {                                                                                  \
        const struct stop stops_[] = {__VA_ARGS__};                                       \
        steps(routine, stops_, sizeof(stops_) / sizeof(stops_[0]), tail, #routine);       \
    } while (0)

static void check_steps(void)
{
    target[5] = 1; /* REPE CMPSB ends there */
    far_pointer.off = (uint64_t)tj1;
    far_pointer.sel = 8;
    STEPS(tf_plain, 3, {DB, tp1, 0}, {DB, tp2, 0});
    CHECK(caught_is(4, DB, tp_end)); /* the POPF that ends it is still stepped */
    /* delivery clears TF: no trap after INT n; IRET sets TF again, which counts from the next instruction on */
    STEPS(tf_intn, 3, {0x80, ti1, 0}, {DB, ti2, 0});
    STEPS(tf_int3, 3, {3, tb1, 0}, {DB, tb2, 0});
    STEPS(tf_ss, 3, {DB, ts2, 0});
    STEPS(tf_halt, 3, {DB, th1, 0});
    STEPS(tf_rep, 3, {DB, tr0, 1}, {DB, tr0, 1}, {DB, tr1, 0}); /* RF = 1 inside, 0 after the last */
    CHECK(caught[0].rcx == 2 && caught[1].rcx == 1 && caught[2].rcx == 0);
    CHECK(caught[1].rdi == (uint64_t)target + 2);
    STEPS(tf_rep0, 3, {DB, tz1, 0});
    target[0] = target[1] = target[2] = 0;
    STEPS(tf_repe, 3, {DB, te0, 1}, {DB, te0, 1}, {DB, te0, 1}, {DB, te0, 1}, {DB, te0, 1}, {DB, te1, 0});
    CHECK(caught[5].rcx == 3);
    STEPS(tf_flags, 3, {DB, tc1, 0}, {DB, tc2, 0}, {DB, tc3, 0});
    STEPS(tf_ports, 3, {DB, to1, 0}, {DB, to2, 0});
    STEPS(tf_mmio, 3, {DB, tm1, 0}, {DB, tm2, 0});
    STEPS(tf_far, 3, {DB, tj1, 0}, {DB, tj2, 0});
    STEPS(tf_fault, 3, {6, tu0, 1}, {DB, tu2, 0}); /* a fault pushes RF = 1 */
    STEPS(tf_iret, 0, {DB, ty1, 0});
    STEPS(tf_iret_on, 3, {DB, tx1, 0});
    STEPS(tf_branch, 3, {DB, tg0, 0}, {DB, tg1, 0}, {DB, tg2, 0}, {DB, tg3, 0});
}

/* -- several at one boundary --------------------------------------------------------------------------------------- */

ROUTINE(nmi_and_intr, "cli\n" TO_ICR(S_IPI) "sti\n movl " S_NMI ", (%r8)\n at ni1\n nop\n cli");
ROUTINE(db_and_intr, "cli\n" TO_ICR(S_IPI) "mov %ss, %eax\n pushq $0x202\n" TF_ON "mov %eax, %ss\n popfq\n at di1\n nop\n cli");
ROUTINE(db_and_nmi, "mov $0xfee00300, %r8d\n" TF_ON "movl " S_NMI ", (%r8)\n at dn1\n" TF_OFF);
ROUTINE(intr_and_bp, "cli\n" TO_ICR(S_IPI) "sti\n nop\n at ib1\n nop\n cli");
ROUTINE(nmi_and_bp, TO_ICR(S_NMI) "at nb1\n nop");
ROUTINE(bp_and_fault, "movq $bf1, catch_resume\n at bf0\n ud2\n at bf1\n nop");
PLACE(ni1); PLACE(di1); PLACE(dn1); PLACE(ib1); PLACE(nb1); PLACE(bf0);

static void check_priorities(void)
{
    extern uint8_t stubs[256][16];
    catch_clear();
    nmi_and_intr(); /* the one served first masks the other until its IRET */
    CHECK(caught_count == 2 && caught_is(0, NMI, ni1) && caught_is(1, IPI, ni1));
    catch_explain("NMI before INTR");
    catch_clear();
    db_and_intr();
    CHECK(caught_count == 2 && caught_is(0, DB, di1) && caught_is(1, IPI, di1));
    catch_explain("trap before INTR");
    catch_clear();
    db_and_nmi(); /* the trap is entered first, so NMI is taken at its handler's first instruction */
    CHECK(caught_is(0, NMI, stubs[1]) && caught_is(1, DB, dn1));
    catch_explain("trap before NMI");
    write_dr(0, (uint64_t)ib1);
    write_dr7(0x401);
    catch_clear();
    intr_and_bp();
    CHECK(caught_count == 2 && caught_is(0, IPI, ib1) && caught_is(1, DB, ib1));
    CHECK((caught[0].rflags & RFLAGS_RF) == 0 && caught[1].dr6 == (DR6_INIT | 1));
    catch_explain("INTR before a code breakpoint");
    write_dr(0, (uint64_t)nb1);
    catch_clear();
    nmi_and_bp();
    CHECK(caught_count == 2 && caught_is(0, NMI, nb1) && caught_is(1, DB, nb1));
    catch_explain("NMI before a code breakpoint");
    write_dr(0, (uint64_t)bf0);
    catch_clear();
    bp_and_fault();
    CHECK(caught_count == 2 && caught_is(0, DB, bf0) && caught_is(1, 6, bf0));
    CHECK((caught[0].rflags & RFLAGS_RF) == 0 && (caught[1].rflags & RFLAGS_RF) != 0);
    catch_explain("a code breakpoint before the fault of its instruction");
    write_dr7(0x400);
}

/* -- HLT and REP --------------------------------------------------------------------------------------------------- */

ROUTINE(deaf_halt, "cli\n hlt\n at deaf_halt_then\n nop");
ROUTINE_OF(uint64_t, long_rep, "mov %rdi, %r9\n mov $0x6e0, %ecx\n rdtsc\n shl $32, %rdx\n or %rdx, %rax\n add %r9, %rax\n"
                  "mov %rax, %rdx\n shr $32, %rdx\n wrmsr\n mov $0x5a, %eax\n mov $target + 1, %edi\n mov $8191, %ecx\n"
                  "sti\n nop\n at lr0\n rep stosb\n at lr1\n nop\n cli");
PLACE(deaf_halt_then); PLACE(lr0); PLACE(lr1);

static void check_halt(void)
{
    /* HLT with IF = 0: an interrupt that is due sleeps on, an NMI wakes */
    ioapic_route(2, 0x400);
    apic_write(APIC_LVT_TIMER, IPI);
    apic_write(APIC_DIVIDE, 0xb);
    apic_write(APIC_INITIAL, 100);
    outb(0x43, 0x30);
    outb(0x40, 0x00);
    outb(0x40, 0x10);
    uint64_t before = rdtsc();
    catch_clear();
    deaf_halt();
    CHECK(caught_count == 1 && caught_is(0, NMI, deaf_halt_then));
    CHECK(rdtsc() - before > 4096ull * 88000 / 105 - 2000);
    CHECK(apic_bit(APIC_IRR, IPI));
    sti();
    __asm__ volatile("nop; nop");
    cli();
    CHECK(caught_count == 2);
    catch_explain("HLT with IF = 0");
    ioapic_route(2, LVT_MASK);
    irq0_high();
}

static void check_rep(void)
{
    apic_write(APIC_LVT_TIMER, LVT_DEADLINE | IPI);
    unsigned inside = 0, after = 0;
    for (unsigned i = 10; i < 15; i++) { /* RDTSC is step 0, STI 10, the slices 12 and 13 */
        for (unsigned k = 0; k < sizeof(target); k++) {
            target[k] = 0;
        }
        catch_clear();
        long_rep(i);
        CHECK(caught_count == 1);
        const struct caught *c = &caught[0];
        if (c->rip == (uint64_t)lr0) { /* registers and memory tell the same; RF = 1 between iterations */
            bool begun = c->rcx != 8191;
            CHECK(((c->rflags & RFLAGS_RF) != 0) == begun);
            CHECK(c->rdi == (uint64_t)target + 8192 - c->rcx);
            inside += begun;
        } else {
            CHECK(c->rip == (uint64_t)lr1 && c->rcx == 0 && (c->rflags & RFLAGS_RF) == 0);
            after++;
        }
        mix(c->rcx);
        bool whole = target[0] == 0;
        for (unsigned k = 1; k < sizeof(target); k++) {
            whole = whole && target[k] == 0x5a;
        }
        CHECK(whole);
        catch_explain("an interrupt in REP STOSB");
    }
    CHECK(inside == 1 && after == 1);
    apic_write(APIC_LVT_TIMER, LVT_MASK);
}

/* A fault in the delivery of an interrupt is its own, with EXT set (SDM 3A "Error Code", 6.13), at the same boundary.
 * The interrupt has been acknowledged: it is in service. */
static void check_delivery_faults(void)
{
    extern uint8_t stubs[256][16];
    const struct { uint16_t sel; uint8_t access; unsigned vector; uint16_t error; } bad[] = {
        {S_KCODE, 0x0e, 11, IPI * 8 + 3}, {S_KCODE, 0x85, 13, IPI * 8 + 3}, {0, 0x8e, 13, 1}, {0xfff8, 0x8e, 13, 0xfff9},
        {S_KDATA, 0x8e, 13, S_KDATA + 1},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ring_set_gate(IPI, stubs[IPI], bad[i].sel, 0, bad[i].access);
        catch_clear();
        write_on();
        CHECK(caught_count == 1 && caught_is(0, bad[i].vector, write_on_then) && caught[0].error == bad[i].error);
        CHECK((caught[0].rflags & RFLAGS_IF) != 0);
        CHECK(apic_bit(APIC_ISR, IPI) && !apic_bit(APIC_IRR, IPI));
        apic_write(APIC_EOI, 0);
        catch_explain("a fault in delivery");
    }
    ring_set_gate(IPI, stubs[IPI], S_KCODE, 0, 0x8e);
}

int main(void)
{
    pic_setup(0xff, 0xff);
    catch_exceptions();
    on_vector(IPI, on_ipi);
    on_vector(0x80, catch_only);
    on_vector(0x20, catch_only);
    apic_write(APIC_SVR, 0x1ff);
    check_shadows();
    check_slide();
    check_nmi();
    check_steps();
    check_priorities();
    check_halt();
    check_rep();
    check_delivery_faults();
    return finish();
}
