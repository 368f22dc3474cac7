#include "bench_clock.h"
#include "core/dev/lapic.h"

struct bench {
    struct bench_clock c;
    struct cv_lapic a;
    struct cv_ioapic io;
    bool intr;
    unsigned nmis, inits, eois;
    uint64_t base;
};

static void on_intr(void *arg, unsigned cpu, bool level)
{
    (void)cpu;
    ((struct bench *)arg)->intr = level;
}
static void on_nmi(void *arg, unsigned cpu)
{
    (void)cpu;
    ((struct bench *)arg)->nmis++;
}
static void on_init(void *arg, unsigned cpu)
{
    (void)cpu;
    ((struct bench *)arg)->inits++;
}
static void on_eoi(void *arg, uint8_t vector)
{
    struct bench *b = arg;
    b->eois++;
    cv_ioapic_eoi(&b->io, vector);
}
static void on_msg(void *arg, const struct cv_apic_msg *msg)
{
    struct bench *b = arg;
    if (cv_lapic_is_dest(&b->a, msg)) {
        cv_lapic_accept(&b->a, msg);
    }
}
static void on_ipi(void *arg, unsigned from, const struct cv_apic_msg *msg,
                   unsigned shorthand)
{
    struct bench *b = arg;
    (void)from;
    if (shorthand == CV_APIC_TO_SELF || shorthand == CV_APIC_TO_ALL) {
        cv_lapic_accept(&b->a, msg);
    } else if (shorthand == CV_APIC_TO_DEST) {
        on_msg(b, msg);
    }
}
static void on_moved(void *arg, unsigned cpu, uint64_t base)
{
    (void)cpu;
    ((struct bench *)arg)->base = base;
}

static void setup(struct bench *b)
{
    memset(b, 0, sizeof(*b));
    bench_clock_init(&b->c);
    b->a.timeq = &b->c.q;
    b->a.slot = cv_timeq_add(&b->c.q, "lapic", cv_lapic_event, &b->a);
    b->a.host =
        (struct cv_lapic_host){b, on_intr, on_nmi, on_init, on_eoi, on_ipi, on_moved};
    b->io.send = on_msg;
    b->io.send_arg = b;
    cv_ioapic_class.reset(&b->io);
    cv_lapic_class.reset(&b->a);
    cv_lapic_virtual_wire(&b->a);
}

static void set(struct bench *b, unsigned off, uint32_t value)
{
    cv_lapic_write(&b->a, off, 4, value);
}
static uint32_t get(struct bench *b, unsigned off)
{
    return (uint32_t)cv_lapic_read(&b->a, off, 4);
}
static int ack(struct bench *b)
{
    uint8_t vector = 0;
    return cv_lapic_ack(&b->a, &vector) ? vector : -1;
}
static void redirect(struct bench *b, unsigned pin, uint32_t low)
{
    cv_ioapic_write(&b->io, 0, 4, 0x10 + 2 * pin);
    cv_ioapic_write(&b->io, 0x10, 4, low);
}

Test(lapic, interrupts_are_served_by_priority)
{
    struct bench b;
    setup(&b);
    set(&b, 0x300, 0x44040); /* self */
    set(&b, 0x300, 0x44061);
    cr_assert(b.intr);
    cr_assert_eq(ack(&b), 0x61);
    cr_assert(!b.intr, "0x40 waits below the one in service");
    cr_assert_eq(get(&b, 0x0a0), 0x60);
    set(&b, 0x300, 0x4406f);
    cr_assert(!b.intr, "the same class waits too");
    set(&b, 0x0b0, 0);
    cr_assert_eq(ack(&b), 0x6f);
    set(&b, 0x0b0, 0);
    cv_lapic_set_tpr(&b.a, 0x40);
    cr_assert(!b.intr);
    cv_lapic_set_tpr(&b.a, 0x30);
    cr_assert_eq(ack(&b), 0x40);
    cr_assert_eq(b.eois, 0, "edge interrupts are not told to the I/O APIC");
}

static const struct {
    uint32_t divide;
    uint64_t by;
} DIVIDE[] = {{0x0, 2},  {0x1, 4},  {0x2, 8},   {0x3, 16},
              {0x8, 32}, {0x9, 64}, {0xa, 128}, {0xb, 1}};

Test(lapic, one_shot_fires_at_its_tick)
{
    for (size_t i = 0; i < CV_ARRAY_LEN(DIVIDE); i++) {
        struct bench b;
        setup(&b);
        bench_clock_to(&b.c, 4000);
        set(&b, 0x320, 0x50);
        set(&b, 0x3e0, DIVIDE[i].divide);
        set(&b, 0x380, 1000);
        uint64_t due = 4000 + 1000 * DIVIDE[i].by * CV_LAPIC_TICK_NS;
        cr_assert_eq(b.c.q.next, due);
        bench_clock_to(&b.c, 4000 + 250 * DIVIDE[i].by * CV_LAPIC_TICK_NS);
        cr_assert_eq(get(&b, 0x390), 750);
        bench_clock_to(&b.c, due - 1);
        cr_assert(!b.intr);
        bench_clock_to(&b.c, due);
        cr_assert(b.intr);
        cr_assert_eq(get(&b, 0x390), 0);
        cr_assert_eq(b.c.q.next, CV_NEVER);
    }
}

Test(lapic, periodic_never_drifts)
{
    struct bench b;
    setup(&b);
    bench_clock_to(&b.c, 17);
    set(&b, 0x320, 0x20050);
    set(&b, 0x3e0, 0xb);
    set(&b, 0x380, 12345);
    unsigned fired = 0;
    for (uint64_t t = 0; t < 1000; t++) {
        b.c.now = b.c.q.next + t % 7 * 100; /* served late at times */
        cv_timeq_run(&b.c.q);
        cr_assert_eq(ack(&b), 0x50);
        set(&b, 0x0b0, 0);
        fired++;
        cr_assert_eq(b.c.q.next, (uint64_t)(fired + 1) * 12345 * 40);
    }
    set(&b, 0x380, 0);
    cr_assert_eq(b.c.q.next, CV_NEVER);
}

Test(lapic, tsc_deadline)
{
    struct bench b;
    uint64_t v;
    setup(&b);
    cr_assert(cv_lapic_msr_write(&b.a, CV_MSR_TSC_DEADLINE, 500));
    cr_assert(cv_lapic_msr_read(&b.a, CV_MSR_TSC_DEADLINE, &v) && v == 0,
              "not in this mode");
    set(&b, 0x320, 0x40050);
    cv_lapic_set_tsc_offset(&b.a, 1000);
    cr_assert(cv_lapic_msr_write(&b.a, CV_MSR_TSC_DEADLINE, 6000));
    cr_assert_eq(b.c.q.next, 5000);
    cv_lapic_set_tsc_offset(&b.a, 2000);
    cr_assert_eq(b.c.q.next, 4000);
    bench_clock_to(&b.c, 4000);
    cr_assert_eq(ack(&b), 0x50);
    cr_assert(cv_lapic_msr_read(&b.a, CV_MSR_TSC_DEADLINE, &v) && v == 0);
    cr_assert(cv_lapic_msr_write(&b.a, CV_MSR_TSC_DEADLINE, 1));
    cr_assert_eq(b.c.q.next, 4000, "the past is due at once");
    cr_assert(cv_lapic_msr_write(&b.a, CV_MSR_TSC_DEADLINE, 0));
    cr_assert_eq(b.c.q.next, CV_NEVER);
}

Test(lapic, an_offset_that_is_loaded_moves_no_deadline)
{
    struct bench b;
    setup(&b);
    set(&b, 0x320, 0x40050);
    cv_lapic_set_tsc_offset(&b.a, 1000);
    cr_assert(cv_lapic_msr_write(&b.a, CV_MSR_TSC_DEADLINE, 6000));
    b.c.now = 5500; /* due, and not served yet */
    cv_lapic_load_tsc_offset(&b.a, 2000);
    cr_assert_eq(b.c.q.next, 5000);
    cv_lapic_load_tsc_offset(&b.a, 1000);
    cr_assert_eq(b.c.q.next, 5000);
    cr_assert(cv_lapic_msr_write(&b.a, CV_MSR_TSC_DEADLINE, 7000));
    cr_assert_eq(b.c.q.next, 6000, "by the offset that was loaded last");
}

Test(lapic, a_due_expiry_survives_reprogramming)
{
    struct bench b;
    setup(&b);
    set(&b, 0x320, 0x50);
    set(&b, 0x380, 10);
    b.c.now = b.c.q.next;
    set(&b, 0x380, 1000);
    cr_assert_eq(ack(&b), 0x50);
}

Test(lapic, extint_passes_until_masked)
{
    struct bench b;
    setup(&b);
    cv_lapic_set_lint(&b.a, 0, true);
    cr_assert(b.intr);
    cr_assert_eq(ack(&b), -1, "the 8259 pair answers");
    set(&b, 0x350, 0x10700);
    cr_assert(!b.intr);
    cr_assert(cv_lapic_msr_write(&b.a, CV_MSR_APIC_BASE, 0xfee00100));
    cr_assert(b.intr, "disabled: the pin is INTR");
    cv_lapic_set_lint(&b.a, 1, true);
    cr_assert_eq(b.nmis, 1);
}

Test(lapic, nmi_by_lint1_icr_and_init)
{
    struct bench b;
    setup(&b);
    cv_lapic_set_lint(&b.a, 1, true);
    cr_assert_eq(b.nmis, 1);
    set(&b, 0x310, 0);
    set(&b, 0x300, 0x4400);
    cr_assert_eq(b.nmis, 2);
    set(&b, 0x300, 0x84400 | 0x0);
    cr_assert_eq(b.nmis, 3, "all including self");
    set(&b, 0x300, 0xc4400);
    cr_assert_eq(b.nmis, 3, "all others: nobody");
    set(&b, 0x300, 0x4500);
    cr_assert_eq(b.inits, 1);
    set(&b, 0x300, 0x8500);
    cr_assert_eq(b.inits, 1, "de-assert");
}

Test(lapic, errors_are_latched_by_a_write)
{
    struct bench b;
    setup(&b);
    set(&b, 0x370, 0x60);
    set(&b, 0x300, 0x44005);
    cr_assert_eq(ack(&b), 0x60);
    cr_assert_eq(get(&b, 0x280), 0);
    set(&b, 0x280, 0);
    cr_assert_eq(get(&b, 0x280), 0x20);
}

static const struct {
    uint64_t from, to;
    bool ok;
} BASES[] = {
    {0xfee00900, 0xfee00d00, true},  {0xfee00900, 0xfee00100, true},
    {0xfee00900, 0xfee00500, false}, {0xfee00d00, 0xfee00900, false},
    {0xfee00d00, 0xfee00100, true},  {0xfee00100, 0xfee00d00, false},
    {0xfee00100, 0xfee00900, true},  {0xfee00900, 0x1fee00900ull << 20, false},
    {0xfee00900, 0xfee00901, false}, {0xfee00900, 0xfed00900, true},
};

Test(lapic, x2apic_transitions)
{
    for (size_t i = 0; i < CV_ARRAY_LEN(BASES); i++) {
        struct bench b;
        setup(&b);
        cr_assert(cv_lapic_msr_write(&b.a, CV_MSR_APIC_BASE, BASES[i].from));
        cr_assert_eq(cv_lapic_msr_write(&b.a, CV_MSR_APIC_BASE, BASES[i].to), BASES[i].ok,
                     "row %zu", i);
    }
}

Test(lapic, x2apic_registers_check_themselves)
{
    struct bench b;
    uint64_t v;
    setup(&b);
    cr_assert(!cv_lapic_msr_read(&b.a, 0x802, &v), "not in xAPIC mode");
    cr_assert(cv_lapic_msr_write(&b.a, CV_MSR_APIC_BASE, 0xfee00d00));
    cr_assert_eq(get(&b, 0x30), 0xffffffffu, "the page is gone");
    cr_assert(cv_lapic_msr_read(&b.a, 0x802, &v) && v == 0);
    cr_assert(cv_lapic_msr_read(&b.a, 0x80d, &v) && v == 1);
    cr_assert(!cv_lapic_msr_read(&b.a, 0x80e, &v), "no DFR");
    cr_assert(!cv_lapic_msr_read(&b.a, 0x80b, &v), "EOI is write-only");
    cr_assert(!cv_lapic_msr_write(&b.a, 0x80b, 1));
    cr_assert(!cv_lapic_msr_write(&b.a, 0x802, 1));
    cr_assert(!cv_lapic_msr_write(&b.a, 0x808, 0x100));
    cr_assert(cv_lapic_msr_write(&b.a, 0x83f, 0x77));
    cr_assert_eq(ack(&b), 0x77);
    cr_assert(cv_lapic_msr_write(&b.a, 0x80b, 0));
    cr_assert(cv_lapic_msr_write(&b.a, 0x830, 0x78), "to ID 0");
    cr_assert_eq(ack(&b), 0x78);
}

Test(ioapic, level_waits_for_the_eoi_and_edges_do_not)
{
    struct bench b;
    setup(&b);
    redirect(&b, 9, 0x8000 | 0x51);
    cv_ioapic_set_pin(&b.io, 9, true);
    cr_assert_eq(ack(&b), 0x51);
    cv_ioapic_write(&b.io, 0, 4, 0x10 + 18);
    cr_assert(cv_ioapic_read(&b.io, 0x10, 4) & 0x4000, "remote IRR");
    set(&b, 0x0b0, 0);
    cr_assert_eq(b.eois, 1);
    cr_assert_eq(ack(&b), 0x51, "still asserted: told again");
    cv_ioapic_set_pin(&b.io, 9, false);
    set(&b, 0x0b0, 0);
    cr_assert(!b.intr);
    redirect(&b, 4, 0x10000 | 0x61);
    cv_ioapic_set_pin(&b.io, 4, true);
    cr_assert(!b.intr, "masked edges are lost");
    redirect(&b, 4, 0x61);
    cr_assert(!b.intr);
    cv_ioapic_set_pin(&b.io, 4, false);
    cv_ioapic_set_pin(&b.io, 4, true);
    cr_assert_eq(ack(&b), 0x61);
}

Test(ioapic, eoi_register_and_version)
{
    struct bench b;
    setup(&b);
    cv_ioapic_write(&b.io, 0, 4, 1);
    cr_assert_eq(cv_ioapic_read(&b.io, 0x10, 4), 0x00170020);
    redirect(&b, 9, 0x8000 | 0x51);
    cv_ioapic_set_pin(&b.io, 9, true);
    cr_assert_eq(ack(&b), 0x51);
    cv_ioapic_set_pin(&b.io, 9, false);
    cv_ioapic_write(&b.io, 0x40, 4, 0x51);
    cv_ioapic_write(&b.io, 0, 4, 0x10 + 18);
    cr_assert(!(cv_ioapic_read(&b.io, 0x10, 4) & 0x4000));
}

Test(lapic, state_comes_back)
{
    struct bench b, f;
    setup(&b);
    setup(&f);
    bench_clock_to(&b.c, 1000000);
    f.c.now = b.c.now;
    set(&b, 0x300, 0x44040);
    set(&b, 0x320, 0x20050);
    set(&b, 0x380, 777);
    redirect(&b, 9, 0x8000 | 0x51);
    cv_ioapic_set_pin(&b.io, 9, true);
    bench_round_trip(&cv_lapic_class, &b.a, &f.a);
    bench_round_trip(&cv_ioapic_class, &b.io, &f.io);
}
