/* The small ones: keyboard controller, ACPI PM, PCI, port 92h, pvpanic, debug exit. */
#include "bench_clock.h"
#include "core/dev/acpipm.h"
#include "core/dev/debugexit.h"
#include "core/dev/i8042.h"
#include "core/dev/pci.h"
#include "core/dev/port92.h"
#include "core/dev/pvpanic.h"

static unsigned calls;

static void count_call(void *arg)
{
    (void)arg;
    calls++;
}

static void note_value(void *arg, uint32_t value)
{
    *(uint32_t *)arg = value;
}

static struct bench_line irq;

static void setup_kbd(struct cv_i8042 *k)
{
    memset(k, 0, sizeof(*k));
    memset(&irq, 0, sizeof(irq));
    calls = 0;
    k->irq = BENCH_LINE(&irq);
    k->cpu_reset = count_call;
    cv_i8042_class.reset(k);
}
static void command(struct cv_i8042 *k, unsigned byte)
{
    cv_i8042_write_command(k, 0, 1, byte);
}
static void data(struct cv_i8042 *k, unsigned byte)
{
    cv_i8042_write_data(k, 0, 1, byte);
}
static void expect(struct cv_i8042 *k, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        cr_assert(cv_i8042_read_status(k, 0, 1) & 1, "byte %zu is missing", i);
        unsigned got = (unsigned)cv_i8042_read_data(k, 0, 1);
        cr_assert_eq(got, (uint8_t)bytes[i], "byte %zu is %x", i, got);
    }
    cr_assert(!(cv_i8042_read_status(k, 0, 1) & 1));
    cr_assert(!irq.level);
}

Test(i8042, answers_as_linux_probes_it)
{
    struct cv_i8042 k;
    setup_kbd(&k);
    command(&k, 0x20);
    expect(&k, "\x65", 1);
    command(&k, 0xaa);
    expect(&k, "\x55", 1);
    command(&k, 0x60);
    data(&k, 0x74);
    command(&k, 0x20);
    expect(&k, "\x74", 1);
    command(&k, 0xab);
    expect(&k, "\x00", 1);
    command(&k, 0xa9);
    expect(&k, "\x01", 1);
    command(&k, 0x60);
    data(&k, 0x65);
    data(&k, 0xff);
    expect(&k, "\xfa\xaa", 2);
    data(&k, 0xf2);
    expect(&k, "\xfa\xab\x41", 3);
    data(&k, 0xed);
    data(&k, 0x02);
    expect(&k, "\xfa\xfa", 2);
    cr_assert_eq(k.leds, 2);
    data(&k, 0xf0);
    data(&k, 0x00);
    expect(&k, "\xfa\xfa\x41", 3); /* set 2, translated */
}

Test(i8042, keys_are_translated_and_each_gives_an_edge)
{
    struct cv_i8042 k;
    setup_kbd(&k);
    cv_i8042_input(&k, (const uint8_t *)"\x1c\xf0\x1c\xe0\x75\xe0\xf0\x75", 8);
    expect(&k, "\x1e\x9e\xe0\x48\xe0\xc8", 6);
    cr_assert_eq(irq.rises, 6);
    command(&k, 0xad);
    cv_i8042_input(&k, (const uint8_t *)"\x1c", 1);
    cr_assert(!(cv_i8042_read_status(&k, 0, 1) & 1), "the interface is off");
    command(&k, 0xae);
    expect(&k, "\x1e", 1);
    command(&k, 0xfe);
    cr_assert_eq(calls, 1, "reset pulse");
}

Test(i8042, a_flood_is_bounded_and_state_comes_back)
{
    struct cv_i8042 k, f;
    static uint8_t flood[1000];
    setup_kbd(&k);
    setup_kbd(&f);
    cv_i8042_input(&k, flood, sizeof(flood));
    for (unsigned i = 0; i < 100; i++) {
        data(&k, 0xf2);
        command(&k, 0x20);
    }
    bench_round_trip(&cv_i8042_class, &k, &f);
}

struct pm_bench {
    struct bench_clock c;
    struct cv_acpipm pm;
    struct bench_line sci;
};

static void setup_pm(struct pm_bench *b)
{
    memset(b, 0, sizeof(*b));
    bench_clock_init(&b->c);
    calls = 0;
    b->pm.timeq = &b->c.q;
    b->pm.slot = cv_timeq_add(&b->c.q, "pm", cv_acpipm_event, &b->pm);
    b->pm.sci = BENCH_LINE(&b->sci);
    b->pm.poweroff = count_call;
    cv_acpipm_class.reset(&b->pm);
}

Test(acpipm, timer_counts_3579545_a_second)
{
    struct pm_bench b;
    setup_pm(&b);
    bench_clock_to(&b.c, 1000000000);
    cr_assert_eq(cv_acpipm_read(&b.pm, 8, 4), 3579545);
    bench_clock_to(&b.c, 11000000000ull);
    cr_assert_eq(cv_acpipm_read(&b.pm, 8, 4), 39375000);
}

Test(acpipm, timer_carry_power_button_and_s5)
{
    struct pm_bench b;
    setup_pm(&b);
    cr_assert_eq(cv_acpipm_read(&b.pm, 4, 2), 1, "SCI_EN");
    cv_acpipm_write(&b.pm, 2, 2, 0x101);
    cr_assert_eq(b.c.q.next, cv_vtime_of_tick(1ull << 31, 315, 88000));
    bench_clock_to(&b.c, b.c.q.next);
    cr_assert(b.sci.level);
    cr_assert_eq(cv_acpipm_read(&b.pm, 0, 2), 1);
    cv_acpipm_write(&b.pm, 0, 2, 1);
    cr_assert(!b.sci.level);
    cv_acpipm_power_button(&b.pm);
    cr_assert(b.sci.level);
    cv_acpipm_write(&b.pm, 0, 2, 0x100);
    cr_assert(!b.sci.level);
    cv_acpipm_write(&b.pm, 4, 2, 3u << 10 | 0x2001);
    cr_assert_eq(calls, 0, "not S5");
    cv_acpipm_write(&b.pm, 4, 2, 5u << 10 | 0x2001);
    cr_assert_eq(calls, 1);
    struct pm_bench f;
    setup_pm(&f);
    f.c.now = b.c.now;
    bench_round_trip(&cv_acpipm_class, &b.pm, &f.pm);
}

Test(pci, configuration_and_reset)
{
    struct cv_pci p, f;
    memset(&p, 0, sizeof(p));
    memset(&f, 0, sizeof(f));
    calls = 0;
    p.hard_reset = count_call;
    cv_pci_class.reset(&p);
    cv_pci_class.reset(&f);
    cr_assert_eq(cv_pci_read(&p, 4, 4), 0xffffffffu, "not enabled");
    cv_pci_write(&p, 0, 4, 0x80000000u);
    cr_assert_eq(cv_pci_read(&p, 0, 4), 0x80000000u);
    cr_assert_eq(cv_pci_read(&p, 4, 4), 0x12378086u);
    cv_pci_write(&p, 4, 4, 0);
    cr_assert_eq(cv_pci_read(&p, 6, 2), 0x1237u);
    cv_pci_write(&p, 0, 4, 0x80000800u);
    cr_assert_eq(cv_pci_read(&p, 4, 4), 0x70008086u);
    cv_pci_write(&p, 0, 4, 0x80000860u);
    cv_pci_write(&p, 5, 1, 0x0b);
    cr_assert_eq(cv_pci_read(&p, 4, 4), 0x80800b80u);
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        cv_pci_write(&p, 0, 4, 0x80000000u | devfn << 8);
        if (devfn != 0 && devfn != 8) {
            cr_assert_eq(cv_pci_read(&p, 4, 4), 0xffffffffu);
        }
    }
    cv_pci_write(&p, 1, 1, 2);
    cr_assert_eq(calls, 0);
    cv_pci_write(&p, 1, 1, 6);
    cr_assert_eq(calls, 1);
    cr_assert_eq(cv_pci_read(&p, 1, 1), 6);
    bench_round_trip(&cv_pci_class, &p, &f);
}

Test(port92, resets_on_a_rising_bit)
{
    struct cv_port92 p = {.cpu_reset = count_call}, f = p;
    calls = 0;
    cv_port92_class.reset(&p);
    cr_assert_eq(cv_port92_read(&p, 0, 1), 2);
    cv_port92_write(&p, 0, 1, 0xff);
    cv_port92_write(&p, 0, 1, 3);
    cr_assert_eq(calls, 1);
    bench_round_trip(&cv_port92_class, &p, &f);
}

Test(debugexit, gives_its_value_and_pvpanic_its_events)
{
    uint32_t value = 0;
    struct cv_debugexit d = {.guest_exit = note_value, .arg = &value};
    cv_debugexit_write(&d, 0, 4, 0x12345678);
    cr_assert_eq(value, 0x12345678);
    struct cv_pvpanic p = {.event = note_value, .arg = &value};
    cr_assert_eq(cv_pvpanic_read(&p, 0, 1), 3);
    cv_pvpanic_write(&p, 0, 1, 0);
    cr_assert_eq(value, 0x12345678);
    cv_pvpanic_write(&p, 0, 1, 1);
    cr_assert_eq(value, 1);
}
