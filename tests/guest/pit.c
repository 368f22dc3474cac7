/*
 * pit.c - the 8254: six modes, exact counts and edges, latch, read-back, BCD, byte order, gate and OUT of channel 2
 * Spec:    8254 data sheet (231164) "Mode Definitions", "Counter Latch Command", "Read-Back Command", "Gate Pin Operations
 *          Summary"; 82371AB data sheet "NMI Status and Control" (port 61h)
 */
#include "moment.h"

#define VECTOR 0x20u

static uint64_t tick_of(uint64_t ns) { return ticks_at(ns, 105, 88000); }
static uint64_t ns_of(uint64_t tick) { return time_of(tick, 105, 88000); }

static uint64_t control(uint8_t v) { return moment_out(0x43, v); }
static uint64_t gate(bool high) { return moment_out(0x61, high ? 1 : 0); }

/* A count of two bytes into channel 2; the tick at which it is loaded: the clock after the write ("Mode Definitions"). */
static uint64_t load(uint32_t count)
{
    moment_out(0x42, (uint8_t)count);
    return tick_of(moment_out(0x42, (uint8_t)(count >> 8))) + 1;
}

/* The count of channel 2 through the latch, and the tick at which it was latched. */
static uint64_t latched(uint16_t *count)
{
    uint8_t low, high;
    uint64_t t = control(0x80);
    moment_in(0x42, &low);
    moment_in(0x42, &high);
    *count = (uint16_t)(low | high << 8);
    return tick_of(t);
}

static uint64_t out2(bool *out)
{
    uint8_t v;
    uint64_t t = moment_in(0x61, &v);
    *out = (v & 0x20) != 0;
    return tick_of(t);
}

static void wait(unsigned ports)
{
    for (unsigned i = 0; i < ports; i++) {
        inb(0x80);
    }
}

/* -- what the data sheet draws ------------------------------------------------------------------------------------- */

static bool out_after(unsigned mode, uint32_t n, uint64_t e)
{
    switch (mode) {
    case 0: case 1: return e >= n;
    case 2: return e % n != n - 1;
    case 3: return e % n < (n + 1) / 2;
    default: return e != n;
    }
}

static uint16_t count_after(unsigned mode, uint32_t n, uint64_t e)
{
    switch (mode) {
    case 2: return (uint16_t)(n - e % n);
    case 3: { /* by two; an odd count begins with the even number below, high one clock longer */
        uint64_t high = (n + 1) / 2, p = e % n;
        return (uint16_t)((n & ~1u) - 2 * (p < high ? p : p - high));
    }
    default: return (uint16_t)(n - e);
    }
}

static void watch(unsigned mode, uint32_t n, uint64_t loaded, unsigned samples)
{
    for (unsigned i = 0; i < samples; i++) {
        uint16_t count;
        bool out;
        uint64_t t = latched(&count);
        if (t >= loaded) {
            CHECK(count == count_after(mode, n, t - loaded));
        }
        t = out2(&out);
        if (t >= loaded) {
            CHECK(out == out_after(mode, n, t - loaded));
        }
        wait(1 + i * i % 7);
    }
}

static void check_modes(void)
{
    static const uint32_t counts[] = {2, 3, 10, 37, 100, 255, 1000};
    for (unsigned mode = 0; mode < 6; mode++) {
        for (unsigned i = 0; i < 7; i++) {
            bool out;
            bool triggered = mode == 1 || mode == 5;
            gate(!triggered);
            control((uint8_t)(0xb0 | mode << 1));
            out2(&out);
            CHECK(out == (mode != 0)); /* OUT after the control word */
            uint64_t loaded = load(counts[i]);
            if (triggered) {
                wait(3);
                out2(&out);
                CHECK(out); /* nothing without a rising gate */
                loaded = tick_of(gate(true)) + 1;
            }
            watch(mode, counts[i], loaded, 16);
        }
    }
    /* mode bits 6 and 7 are 2 and 3 */
    gate(true);
    control(0xbc);
    watch(2, 20, load(20), 8);
    control(0xbe);
    watch(3, 20, load(20), 8);
    /* 0 is 65536 */
    control(0xb4);
    uint64_t loaded = load(0);
    uint16_t count;
    uint64_t t = latched(&count);
    CHECK(count == (uint16_t)(65536 - (t - loaded)));
}

static void check_gate(void)
{
    uint16_t a, b;
    uint64_t ta, tb;
    gate(true);
    control(0xb0); /* mode 0: a low gate stops the count */
    uint64_t loaded = load(5000);
    wait(40);
    uint64_t off = tick_of(gate(false));
    latched(&a);
    wait(40);
    latched(&b);
    CHECK(a == b && a == 5000 - (off - loaded));
    uint64_t on = tick_of(gate(true));
    wait(10);
    ta = latched(&a);
    CHECK(a == b - (ta - on));
    control(0xb4); /* mode 2: a rising gate reloads, a low one makes OUT high */
    load(3000);
    wait(20);
    gate(false);
    bool out;
    out2(&out);
    CHECK(out);
    loaded = tick_of(gate(true)) + 1;
    wait(5);
    tb = latched(&b);
    CHECK(b == 3000 - (tb - loaded));
    control(0xb2); /* mode 1: a gate in the middle starts anew */
    load(2000);
    gate(false);
    gate(true);
    wait(30);
    gate(false);
    wait(5);
    latched(&a);
    loaded = tick_of(gate(true)) + 1;
    wait(5);
    tb = latched(&b);
    CHECK(a < 2000 && b == 2000 - (tb - loaded));
    uint8_t port;
    moment_in(0x61, &port);
    CHECK((port & 3) == 1);
    outb(0x61, 3);
    CHECK((inb(0x61) & 3) == 3);
    outb(0x61, 1);
}

static void check_commands(void)
{
    uint16_t a;
    gate(true);
    control(0xb4);
    load(60000);
    control(0x80); /* the first latch stays until it is read */
    wait(30);
    control(0x80);
    uint8_t low = inb(0x42), high = inb(0x42);
    uint64_t t = latched(&a);
    (void)t;
    CHECK((uint16_t)(low | high << 8) - a > 30);
    /* read-back: status before count; bits are active low */
    control(0xe8);
    CHECK((inb(0x42) & 0x3f) == 0x34); /* both bytes, mode 2, binary */
    control(0xc8);
    uint8_t status = inb(0x42);
    CHECK((status & 0x3f) == 0x34);
    low = inb(0x42);
    high = inb(0x42);
    latched(&a);
    CHECK((uint16_t)(low | high << 8) > a);
    control(0xb0);
    control(0xe8);
    CHECK((inb(0x42) & 0xc0) == 0x40); /* OUT low, null count: nothing loaded yet */
    load(1000);
    wait(3);
    control(0xe8);
    CHECK((inb(0x42) & 0xc0) == 0);
    /* one byte only */
    control(0x94);
    uint64_t loaded = tick_of(moment_out(0x42, 200)) + 1;
    uint8_t v;
    t = tick_of(moment_in(0x42, &v));
    CHECK(v == 200 - (t - loaded) % 200);
    control(0xa4); /* high byte */
    loaded = tick_of(moment_out(0x42, 2)) + 1;
    t = tick_of(moment_in(0x42, &v));
    CHECK(v == (512 - (t - loaded)) >> 8);
    /* BCD */
    control(0xb1);
    moment_out(0x42, 0x00);
    loaded = tick_of(moment_out(0x42, 0x10)) + 1; /* one thousand */
    for (unsigned i = 0; i < 12; i++) {
        t = latched(&a);
        uint64_t n = 1000 - (t - loaded);
        CHECK(t < loaded || a == (n / 1000 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10));
        wait(17);
    }
    /* a count written while mode 2 runs takes over at the end of the period */
    control(0xb4);
    loaded = load(400);
    wait(10);
    load(100);
    t = latched(&a);
    CHECK(t - loaded < 400 && a == 400 - (t - loaded));
    wait(450);
    t = latched(&a);
    CHECK(a == 100 - (t - loaded - 400) % 100);
}

/* -- channel 0 and its interrupt ----------------------------------------------------------------------------------- */

static uint64_t start(uint8_t mode, uint8_t count)
{
    control((uint8_t)(0x10 | mode << 1)); /* low byte only */
    pic_setup(0xfe, 0xff);                /* forgets the edge that this may have been */
    moment_clear();
    return tick_of(moment_out_halt(0x40, count)) + 1;
}

static void check_interrupts(void)
{
    static const uint8_t counts[] = {5, 20, 21, 100, 255};
    moment_use_pic(VECTOR);
    for (unsigned i = 0; i < 5; i++) {
        uint32_t n = counts[i];
        uint64_t loaded = start(0, (uint8_t)n);
        CHECK(moments == 1 && moment_at[0] == ns_of(loaded + n)); /* terminal count */
        loaded = start(4, (uint8_t)n); /* low for one clock at the end, then the edge */
        CHECK(moments == 1 && moment_at[0] == ns_of(loaded + n + 1));
        for (unsigned mode = 2; mode < 4; mode++) { /* rate generator, square wave: an edge each period, no drift */
            loaded = start((uint8_t)mode, (uint8_t)n);
            while (moments < 12) {
                moment_halt();
            }
            for (unsigned k = 0; k < 12; k++) {
                uint64_t due = ns_of(loaded + (uint64_t)n * (k + 1));
                CHECK(n < 20 || moment_at[k] == due); /* 5: handlers last longer than that */
                mix(moment_at[k] - ns_of(loaded));
            }
        }
    }
    outb(0x21, 0xff);
    control(0x30);
}

int main(void)
{
    catch_exceptions();
    pic_setup(0xff, 0xff);
    apic_write(APIC_SVR, 0x1ff);
    apic_write(APIC_LVT_LINT0, 0x700);
    check_modes();
    check_gate();
    check_commands();
    check_interrupts();
    return finish();
}
