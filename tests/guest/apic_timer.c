/*
 * apic_timer.c - the APIC timer to the step: every divider, one-shot, periodic without drift, TSC deadline, counts read
 *         back, stops, masks, changes of mode and divider, writes of the TSC
 * Spec:    SDM 3A "APIC Timer" (10.5.4), "TSC-Deadline Mode" (10.5.4.1); docs/determinism.md "Time"; 25 MHz crystal
 *          (CPUID leaf 15h, docs/decisions/0001)
 */
#include "moment.h"

#define TICK     40u
#define VECTOR   0x40u
#define LVT      0x832u
#define INITIAL  0x838u
#define CURRENT  0x839u
#define DIVIDE   0x83eu
#define DEADLINE 0x6e0u
#define ADJUST   0x3bu

static const uint8_t codes[8] = {0xb, 0, 1, 2, 3, 8, 9, 0xa};

static void check_one_shot(void)
{
    static const uint32_t counts[] = {1, 2, 3, 7, 100, 4321};
    wrmsr(LVT, VECTOR);
    for (unsigned d = 0; d < 8; d++) {
        wrmsr(DIVIDE, codes[d]);
        CHECK(rdmsr(DIVIDE) == codes[d]);
        for (unsigned i = 0; i < 6; i++) {
            moment_clear();
            uint64_t w = moment_wrmsr_halt(INITIAL, counts[i]);
            uint64_t due = (w / TICK + ((uint64_t)counts[i] << d)) * TICK;
            uint64_t first = w + 3; /* STI, HLT: the first open boundary */
            CHECK(moments == 1);
            CHECK(moment_at[0] == (due > first ? due : first));
            CHECK(rdmsr(CURRENT) == 0 && rdmsr(INITIAL) == counts[i]);
            mix(moment_at[0] - w);
        }
    }
    /* while instructions run: at exactly that NOP */
    wrmsr(DIVIDE, 0xb);
    for (unsigned count = 1; count < 140; count += 9) {
        moment_clear();
        uint64_t w = moment_wrmsr_slide(INITIAL, count);
        uint64_t due = (w / TICK + count) * TICK, first = w + 3;
        due = due < first ? first : due;
        CHECK(moments == 1 && moment_at[0] == due);
        CHECK(moment_rip[0] == (uint64_t)moment_slide + (due - (w + 2)));
    }
}

static void check_periodic(void)
{
    wrmsr(LVT, LVT_PERIODIC | VECTOR);
    for (unsigned d = 0; d < 8; d += 3) {
        wrmsr(DIVIDE, codes[d]);
        uint32_t count = 17 + 60 * d;
        uint64_t period = ((uint64_t)count << d) * TICK;
        moment_clear();
        uint64_t w = moment_wrmsr_halt(INITIAL, count);
        while (moments < 40) {
            moment_halt();
        }
        for (unsigned k = 0; k < 40; k++) { /* counted from the write, not from the last interrupt */
            CHECK(moment_at[k] == w / TICK * TICK + (k + 1) * period);
        }
        uint64_t c, t = moment_rdmsr(CURRENT, &c);
        uint64_t gone = (t / TICK - w / TICK) >> d;
        CHECK(c == count - gone % count);
        wrmsr(INITIAL, 0); /* stops */
        CHECK(rdmsr(CURRENT) == 0);
        __asm__ volatile("sti\n nop\n nop\n cli" : : : "memory"); /* what came due before that */
        moment_clear();
        moment_wrmsr_slide(0x80b, 0);
        CHECK(moments == 0);
    }
}

static void check_counts(void)
{
    uint64_t c, t, w;
    wrmsr(LVT, LVT_MASK | VECTOR); /* masked, but it counts */
    for (unsigned d = 0; d < 8; d++) {
        wrmsr(DIVIDE, codes[d]);
        w = moment_wrmsr(INITIAL, 50);
        for (unsigned i = 0; i < 20; i++) {
            t = moment_rdmsr(CURRENT, &c);
            uint64_t gone = (t / TICK - w / TICK) >> d;
            CHECK(c == (gone < 50 ? 50 - gone : 0));
            inb(0x80);
        }
    }
    CHECK((rdmsr(0x822) & 1) == 0);
    wrmsr(DIVIDE, 0xb);
    w = moment_wrmsr(INITIAL, 3);
    inb(0x80);
    moment_clear();
    wrmsr(LVT, VECTOR); /* it ran out while masked: nothing comes after */
    moment_wrmsr_slide(0x80b, 0);
    CHECK(moments == 0);
    /* a new count replaces the old one */
    moment_wrmsr(INITIAL, 50);
    w = moment_wrmsr_halt(INITIAL, 90);
    CHECK(moments == 1 && moment_at[0] == (w / TICK + 90) * TICK);
    /* a change of the divider goes on from the present count */
    wrmsr(LVT, VECTOR);
    w = moment_wrmsr(INITIAL, 1000);
    uint64_t v = moment_wrmsr(DIVIDE, 0);
    uint64_t left = 1000 - (v / TICK - w / TICK);
    t = moment_rdmsr(CURRENT, &c);
    CHECK(c == left - (t / TICK - v / TICK) / 2);
    moment_clear();
    moment_halt();
    CHECK(moments == 1 && moment_at[0] == (v / TICK + left * 2) * TICK);
    wrmsr(DIVIDE, 0xb);
}

static void check_modes(void)
{
    uint64_t w;
    /* periodic becomes one-shot: one more, at its time */
    wrmsr(LVT, LVT_PERIODIC | VECTOR);
    moment_clear();
    w = moment_wrmsr_halt(INITIAL, 200);
    wrmsr(LVT, VECTOR);
    moment_halt();
    CHECK(moments == 2 && moment_at[1] == (w / TICK + 400) * TICK);
    moment_wrmsr_slide(0x80b, 0);
    CHECK(moments == 2);
    /* a deadline only in its mode; a change of mode disarms */
    wrmsr(DEADLINE, rdtsc() + 1000);
    CHECK(rdmsr(DEADLINE) == 0);
    w = moment_wrmsr(INITIAL, 100);
    wrmsr(LVT, LVT_DEADLINE | VECTOR);
    CHECK(rdmsr(CURRENT) == 0);
    moment_clear();
    moment_wrmsr_slide(0x80b, 0);
    CHECK(moments == 0);
    wrmsr(INITIAL, 5); /* ignored in this mode */
    moment_wrmsr_slide(0x80b, 0);
    CHECK(moments == 0);
    wrmsr(DEADLINE, rdtsc() + 3000);
    wrmsr(LVT, VECTOR);
    CHECK(rdmsr(DEADLINE) == 0);
    moment_wrmsr_slide(0x80b, 0);
    CHECK(moments == 0);
    wrmsr(LVT, LVT_DEADLINE | VECTOR);
}

static void check_deadline(void)
{
    uint64_t w;
    for (unsigned i = 0; i < 24; i++) {
        uint64_t due = rdtsc() + (i < 20 ? 30 + i : 1000000 * i);
        moment_clear();
        w = moment_wrmsr_halt(DEADLINE, due);
        CHECK(moments == 1 && moment_at[0] == (due > w + 3 ? due : w + 3));
        CHECK(rdmsr(DEADLINE) == 0); /* disarmed by firing */
    }
    moment_clear();
    w = moment_wrmsr_slide(DEADLINE, 1); /* the past: at the first open boundary */
    CHECK(moments == 1 && moment_at[0] == w + 3 && moment_rip[0] == (uint64_t)moment_slide + 1);
    moment_clear();
    w = rdtsc() + 500;
    moment_wrmsr_slide(DEADLINE, w);
    CHECK(moments == 1 && moment_at[0] == w);
    moment_clear();
    wrmsr(DEADLINE, rdtsc() + 2000);
    CHECK(rdmsr(DEADLINE) != 0);
    moment_wrmsr_slide(DEADLINE, 0);
    CHECK(moments == 0);
    /* the TSC moves, the deadline stays where it is on it: SDM 3B "IA32_TSC_ADJUST Register Support" */
    for (int i = -1; i <= 1; i++) {
        uint64_t due = rdtsc() + 50000;
        wrmsr(DEADLINE, due);
        moment_clear();
        moment_wrmsr_halt(ADJUST, (uint64_t)(i * 20000));
        CHECK(moments == 1 && moment_at[0] == due); /* in TSC units */
        wrmsr(ADJUST, 0);
    }
    wrmsr(DEADLINE, rdtsc() + 1000000000);
    moment_clear();
    w = moment_wrmsr_slide(0x10, rdtsc() + 2000000000); /* IA32_TSC jumps over it: now */
    CHECK(moments == 1 && moment_rip[0] == (uint64_t)moment_slide + 1);
    wrmsr(ADJUST, 0);
}

/* From the handler: one-shot again and again. */
static volatile unsigned rounds;
static uint64_t started;

static void again(struct frame *f)
{
    (void)f;
    wrmsr(0x80b, 0);
    if (++rounds < 20) {
        uint64_t w = moment_wrmsr(INITIAL, 10 + rounds);
        mix(w - started);
        started = w;
    }
}

static void check_rearm(void)
{
    on_vector(0x44, again);
    wrmsr(LVT, 0x44);
    wrmsr(DIVIDE, 0xb);
    started = moment_wrmsr_halt(INITIAL, 10);
    while (rounds < 20) {
        moment_halt();
    }
    CHECK(rounds == 20 && rdmsr(CURRENT) == 0);
}

int main(void)
{
    pic_setup(0xff, 0xff);
    catch_exceptions();
    wrmsr(0x1b, rdmsr(0x1b) | 0xc00); /* x2APIC: accesses cost a step, no more */
    wrmsr(0x80f, 0x1ff);
    moment_use_apic(VECTOR);
    check_one_shot();
    check_periodic();
    check_counts();
    check_modes();
    check_deadline();
    check_rearm();
    return finish();
}
