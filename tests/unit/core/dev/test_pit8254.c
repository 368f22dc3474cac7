#include "bench_clock.h"
#include "core/dev/pit8254.h"

struct bench {
    struct bench_clock c;
    struct cv_pit8254 pit;
    struct bench_line out;
};

static void setup(struct bench *b)
{
    memset(b, 0, sizeof(*b));
    bench_clock_init(&b->c);
    b->pit.timeq = &b->c.q;
    b->pit.slot = cv_timeq_add(&b->c.q, "pit", cv_pit8254_event, &b->pit);
    b->pit.out0 = BENCH_LINE(&b->out);
    cv_pit8254_class.reset(&b->pit);
}

static void program(struct bench *b, unsigned ch, unsigned mode, uint16_t count)
{
    cv_pit8254_write(&b->pit, 3, 1, ch << 6 | 0x30 | mode << 1);
    cv_pit8254_write(&b->pit, ch, 1, count & 0xff);
    cv_pit8254_write(&b->pit, ch, 1, count >> 8);
}

static unsigned read16(struct bench *b, unsigned ch)
{
    unsigned low = (unsigned)cv_pit8254_read(&b->pit, ch, 1);
    return low | (unsigned)cv_pit8254_read(&b->pit, ch, 1) << 8;
}

static uint64_t tick(uint64_t n)
{
    return cv_vtime_of_tick(n, CV_PIT_NUM, CV_PIT_DEN);
}

/* Programmed at tick 0, loaded at tick 1. */
static const struct {
    unsigned mode;
    uint16_t count;
    uint64_t at;
    unsigned value;
    bool out;
} TABLE[] = {
    {0, 100, 1, 100, false}, {0, 100, 50, 51, false},    {0, 100, 100, 1, false},
    {0, 100, 101, 0, true},  {0, 100, 102, 65535, true}, {2, 100, 1, 100, true},
    {2, 100, 99, 2, true},   {2, 100, 100, 1, false},    {2, 100, 101, 100, true},
    {3, 100, 1, 100, true},  {3, 100, 26, 50, true},     {3, 100, 51, 100, false},
    {3, 100, 100, 2, false}, {3, 100, 101, 100, true},   {3, 5, 3, 0, true},
    {3, 5, 4, 4, false},     {3, 5, 6, 4, true},         {4, 10, 10, 1, true},
    {4, 10, 11, 0, false},   {4, 10, 12, 65535, true},
};

Test(pit8254, counts_and_out_at_given_ticks)
{
    for (size_t i = 0; i < CV_ARRAY_LEN(TABLE); i++) {
        struct bench b;
        setup(&b);
        program(&b, 0, TABLE[i].mode, TABLE[i].count);
        bench_clock_to(&b.c, tick(TABLE[i].at));
        cr_assert_eq(read16(&b, 0), TABLE[i].value, "row %zu: %u", i, read16(&b, 0));
        cr_assert_eq(b.out.level, TABLE[i].out, "row %zu", i);
    }
}

Test(pit8254, mode_2_ticks_exactly_over_an_hour)
{
    struct bench b;
    setup(&b);
    program(&b, 0, 2, 11932); /* 100 Hz as PC systems set it */
    bench_clock_to(&b.c, 3600ull * 1000000000);
    uint64_t ticks = cv_ticks_at(b.c.now, CV_PIT_NUM, CV_PIT_DEN);
    cr_assert_eq(b.out.rises, 1 + (ticks - 1) / 11932, "%u of %lu", b.out.rises,
                 (unsigned long)ticks);
}

Test(pit8254, mode_0_interrupts_once)
{
    struct bench b;
    setup(&b);
    program(&b, 0, 0, 1000);
    bench_clock_to(&b.c, tick(1000));
    cr_assert_eq(b.out.rises, 1, "reset leaves OUT high; mode 0 took it down");
    bench_clock_to(&b.c, tick(1001));
    cr_assert_eq(b.out.rises, 2);
    bench_clock_to(&b.c, tick(1000000));
    cr_assert_eq(b.out.rises, 2);
    cr_assert_eq(b.c.q.next, CV_NEVER);
}

Test(pit8254, latch_holds_and_read_back_tells_status)
{
    struct bench b;
    setup(&b);
    program(&b, 0, 2, 1000);
    bench_clock_to(&b.c, tick(501));
    cv_pit8254_write(&b.pit, 3, 1, 0x00);
    bench_clock_to(&b.c, tick(601));
    cr_assert_eq(read16(&b, 0), 500);
    cr_assert_eq(read16(&b, 0), 400);
    cv_pit8254_write(&b.pit, 3, 1, 0xc2); /* count and status of channel 0 */
    cr_assert_eq(cv_pit8254_read(&b.pit, 0, 1), 0x80 | 0x30 | 0x04);
    cr_assert_eq(read16(&b, 0), 400);
}

Test(pit8254, channel_2_follows_its_gate)
{
    struct bench b;
    setup(&b);
    program(&b, 2, 0, 1000);
    bench_clock_to(&b.c, tick(500));
    cr_assert_eq(read16(&b, 2), 1000, "gate low: nothing is counted");
    cv_pit8254_write_port61(&b.pit, 0, 1, 1);
    bench_clock_to(&b.c, tick(1499));
    cr_assert(!(cv_pit8254_read_port61(&b.pit, 0, 1) & 0x20));
    bench_clock_to(&b.c, tick(1500));
    cr_assert(cv_pit8254_read_port61(&b.pit, 0, 1) & 0x20);
}

Test(pit8254, a_new_count_takes_over_at_the_period_end)
{
    struct bench b;
    setup(&b);
    program(&b, 0, 2, 100);
    bench_clock_to(&b.c, tick(51));
    cv_pit8254_write(&b.pit, 0, 1, 200);
    cv_pit8254_write(&b.pit, 0, 1, 0);
    cr_assert_eq(read16(&b, 0), 50);
    bench_clock_to(&b.c, tick(101));
    cr_assert_eq(read16(&b, 0), 200);
}

Test(pit8254, state_comes_back)
{
    struct bench b, f;
    setup(&b);
    setup(&f);
    program(&b, 0, 3, 777);
    program(&b, 2, 0, 99);
    bench_clock_to(&b.c, 123456789);
    f.c.now = b.c.now;
    bench_round_trip(&cv_pit8254_class, &b.pit, &f.pit);
}
