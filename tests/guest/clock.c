/*
 * clock.c - the real-time clock: update, periodic and alarm interrupts at their nanosecond, UIP, BCD and binary, 12 and
 *         24 hours, SET and divider reset; and the ACPI PM timer
 * Spec:    MC146818A data sheet "Update Cycle", "Alarm", "Periodic Interrupt Selection", "Divider Control"; ACPI 6.4
 *          "Power Management Timer" (4.8.3.3); docs/determinism.md "Time"
 */
#include "moment.h"

#define VECTOR 0x28u
#define SECOND 1000000000ull
enum { SEC = 0, SEC_ALARM, MIN, MIN_ALARM, HOUR, HOUR_ALARM, DAY = 7, MONTH, YEAR, A, B, C, D, CENTURY = 0x32 };

static uint8_t get(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

static void set(uint8_t reg, uint8_t v)
{
    outb(0x70, reg);
    outb(0x71, v);
}

static uint64_t set_at(uint8_t reg, uint8_t v)
{
    outb(0x70, reg);
    return moment_out(0x71, v);
}

static void quiet(void)
{
    set(B, 2);
    (void)get(C);
    __asm__ volatile("sti\n nop\n nop\n cli" : : : "memory");
    moment_clear();
}

static void on_deadline(struct frame *f)
{
    (void)f;
    apic_write(APIC_EOI, 0);
}

/* An interrupt every so often: n of them, each acknowledged. */
static void collect(unsigned n)
{
    while (moments < n) {
        moment_halt();
        (void)get(C);
    }
}

static void check_registers(void)
{
    CHECK(get(D) == 0x80 && (get(A) & 0x7f) == 0x26 && get(B) == 2);
    set(D, 0);
    CHECK(get(D) == 0x80);
    set(0x40, 0x5a); /* memory */
    set(0x7f, 0xa5);
    CHECK(get(0x40) == 0x5a && get(0x7f) == 0xa5);
    CHECK(inb(0x70) == 0xff);
}

static void check_periodic(void)
{
    for (unsigned rate = 1; rate < 16; rate++) {
        quiet();
        set(A, (uint8_t)(0x20 | rate));
        uint64_t clocks = 1ull << ((rate < 3 ? rate + 7 : rate) - 1);
        uint64_t w = set_at(B, 0x42);
        collect(6);
        uint64_t first = ticks_at(w, 32768, SECOND * clocks) + 1;
        for (unsigned k = 0; k < 6; k++) {
            uint64_t due = time_of(first + k, 32768, SECOND * clocks);
            CHECK(moment_at[k] == due || (k == 0 && moment_at[k] > due) || (clocks <= 4 && moment_at[k] > due));
        }
    }
    quiet();
    set(A, 0x20); /* rate 0: none */
    moment_out(0x80, 0);
    CHECK((get(C) & 0x40) == 0);
    set(A, 0x26);
    quiet();
}

static void check_updates(void)
{
    quiet();
    uint64_t w = set_at(B, 0x12), next = (w / SECOND + 1) * SECOND;
    collect(3);
    for (unsigned k = 0; k < 3; k++) {
        CHECK(moment_at[k] == next + k * SECOND);
    }
    /* register C: IRQF with the flag that is enabled; a read clears all */
    set(B, 2);
    moment_clear();
    uint64_t t = rdtsc(), to = (t / SECOND + 1) * SECOND;
    apic_write(APIC_LVT_TIMER, LVT_DEADLINE | 0x50);
    moment_wrmsr_halt(0x6e0, to - 300000);
    CHECK((get(A) & 0x80) == 0); /* UIP rises 244 us before the update */
    moment_wrmsr_halt(0x6e0, to - 240000);
    uint8_t before = get(SEC);
    CHECK((get(A) & 0x80) != 0);
    moment_wrmsr_halt(0x6e0, to + 1000);
    CHECK((get(A) & 0x80) == 0 && get(SEC) != before);
    uint8_t c = get(C);
    CHECK((c & 0x90) == 0x10); /* UF, but no IRQF: not enabled */
    CHECK((get(C) & 0x10) == 0);
    apic_write(APIC_LVT_TIMER, LVT_MASK);
}

static void set_time(uint8_t hour, uint8_t min, uint8_t sec, uint8_t mode)
{
    set(B, 0x80 | mode);
    set(HOUR, hour);
    set(MIN, min);
    set(SEC, sec);
    set(DAY, (mode & 4) ? 31 : 0x31);
    set(MONTH, (mode & 4) ? 12 : 0x12);
    set(YEAR, (mode & 4) ? 99 : 0x99);
    set(CENTURY, (mode & 4) ? 20 : 0x20);
    set(B, mode);
}

static void next_second(void)
{
    uint8_t mode = get(B);
    moment_clear();
    set(B, mode | 0x10);
    moment_halt();
    (void)get(C);
    set(B, mode);
}

static void shows(uint8_t hour, uint8_t min, uint8_t sec)
{
    CHECK(get(HOUR) == hour && get(MIN) == min && get(SEC) == sec);
}

static void check_formats(void)
{
    quiet();
    set_time(0x23, 0x59, 0x58, 2); /* BCD, 24 hours */
    shows(0x23, 0x59, 0x58);
    next_second();
    shows(0x23, 0x59, 0x59);
    CHECK(get(DAY) == 0x31);
    next_second();
    shows(0, 0, 0);
    CHECK(get(DAY) == 1 && get(MONTH) == 1 && get(YEAR) == 0 && get(CENTURY) == 0x21);
    set_time(23, 59, 59, 6); /* binary */
    next_second();
    shows(0, 0, 0);
    CHECK(get(DAY) == 1 && get(MONTH) == 1 && get(YEAR) == 0 && get(CENTURY) == 21);
    set_time(0x92, 0x59, 0x59, 0); /* BCD, 12 hours: noon is PM 12 */
    next_second();
    shows(0x81, 0, 0);
    set_time(0x11, 0x59, 0x59, 0);
    next_second();
    shows(0x92, 0, 0);
    set_time(0x91, 0x59, 0x59, 0);
    next_second();
    shows(0x12, 0, 0); /* midnight is AM 12 */
    set_time(11, 59, 59, 4);
    next_second();
    shows(0x8c, 0, 0);
    set_time(0x10, 0x20, 0x30, 2);
    set(B, 0x82); /* SET: stands still */
    uint64_t t = rdtsc();
    apic_write(APIC_LVT_TIMER, LVT_DEADLINE | 0x50);
    moment_wrmsr_halt(0x6e0, t + 3 * SECOND);
    shows(0x10, 0x20, 0x30);
    set(B, 2);
    moment_wrmsr_halt(0x6e0, rdtsc() + 2 * SECOND);
    shows(0x10, 0x20, 0x32);
    apic_write(APIC_LVT_TIMER, LVT_MASK);
}

static void check_alarms(void)
{
    static const struct { uint8_t hour, min, sec; unsigned after; } alarms[] = {
        {0x10, 0x20, 0x35, 5}, {0xff, 0xff, 0x31, 1}, {0xff, 0xff, 0xff, 1}, {0xff, 0x21, 0x00, 30},
        {0xc0, 0xff, 0x29, 59}, {0x11, 0xff, 0xff, 39 * 60 + 30},
    };
    for (unsigned i = 0; i < sizeof(alarms) / sizeof(alarms[0]); i++) {
        quiet();
        set_time(0x10, 0x20, 0x30, 2);
        set(HOUR_ALARM, alarms[i].hour);
        set(MIN_ALARM, alarms[i].min);
        set(SEC_ALARM, alarms[i].sec);
        uint64_t w = set_at(B, 0x22);
        moment_halt();
        CHECK(moments == 1 && moment_at[0] == (w / SECOND + alarms[i].after) * SECOND);
        CHECK((get(C) & 0xa0) == 0xa0); /* IRQF and AF */
    }
    quiet();
    /* a divider taken out of reset: the first update comes half a second later */
    set(A, 0x76);
    set(B, 0x12);
    moment_clear();
    uint64_t w = set_at(A, 0x26);
    moment_halt();
    CHECK(moments == 1 && moment_at[0] == w + SECOND / 2);
    quiet();
}

static void check_pm_timer(void)
{
    uint32_t last = 0;
    for (unsigned i = 0; i < 200; i++) {
        uint32_t v;
        uint64_t t = moment_in32(0x608, &v);
        CHECK(v == (uint32_t)ticks_at(t, 315, 88000)); /* 3.579545 MHz, 32 bits */
        CHECK(i == 0 || v - last < 1000);
        last = v;
    }
    CHECK((inb(0x604) & 1) == 1); /* SCI_EN */
}

int main(void)
{
    catch_exceptions();
    on_vector(0x50, on_deadline);
    pic_setup(0xfb, 0xfe);
    apic_write(APIC_SVR, 0x1ff);
    apic_write(APIC_LVT_LINT0, 0x700);
    moment_use_pic(VECTOR);
    check_registers();
    check_pm_timer();
    check_periodic();
    check_updates();
    check_formats();
    check_alarms();
    return finish();
}
