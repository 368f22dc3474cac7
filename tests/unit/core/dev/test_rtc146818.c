#include "bench_clock.h"
#include "core/dev/rtc146818.h"

#include <time.h>

#define S 1000000000ull

struct bench {
    struct bench_clock c;
    struct cv_rtc146818 r;
    struct bench_line irq;
};

static void setup(struct bench *b, int64_t epoch)
{
    memset(b, 0, sizeof(*b));
    bench_clock_init(&b->c);
    b->r.timeq = &b->c.q;
    b->r.slot = cv_timeq_add(&b->c.q, "rtc", cv_rtc146818_event, &b->r);
    b->r.irq = BENCH_LINE(&b->irq);
    cv_rtc146818_power_on(&b->r, epoch, 512u << 20, 0);
    cv_rtc146818_class.reset(&b->r);
}
static unsigned get(struct bench *b, unsigned reg)
{
    cv_rtc146818_write(&b->r, 0, 1, reg);
    return (unsigned)cv_rtc146818_read(&b->r, 1, 1);
}
static void set(struct bench *b, unsigned reg, unsigned value)
{
    cv_rtc146818_write(&b->r, 0, 1, reg);
    cv_rtc146818_write(&b->r, 1, 1, value);
}

Test(rtc146818, dates_agree_with_the_library)
{
    for (int64_t days = -300000; days < 300000; days += 97) {
        int64_t year;
        unsigned month, day;
        time_t t = (time_t)(days * 86400);
        struct tm tm;
        gmtime_r(&t, &tm);
        cv_rtc146818_date(days, &year, &month, &day);
        cr_assert_eq(year, tm.tm_year + 1900);
        cr_assert_eq(month, (unsigned)tm.tm_mon + 1);
        cr_assert_eq(day, (unsigned)tm.tm_mday);
        cr_assert_eq(cv_rtc146818_days(year, month, day), days);
    }
}

Test(rtc146818, shows_bcd_time_that_goes_on)
{
    struct bench b;
    setup(&b, 951782399); /* 2000-02-28 23:59:59, a Monday */
    cr_assert_eq(get(&b, 0), 0x59);
    cr_assert_eq(get(&b, 4), 0x23);
    cr_assert_eq(get(&b, 6), 2);
    bench_clock_to(&b.c, S);
    cr_assert_eq(get(&b, 0), 0x00);
    cr_assert_eq(get(&b, 7), 0x29, "a leap year");
    cr_assert_eq(get(&b, 8), 0x02);
    cr_assert_eq(get(&b, 9), 0x00);
    cr_assert_eq(get(&b, 0x32), 0x20);
    set(&b, 11, 0x04); /* binary, 12 hours */
    bench_clock_to(&b.c, 15 * 3600 * S);
    cr_assert_eq(get(&b, 4), 0x80 | 2);
}

Test(rtc146818, setting_the_clock)
{
    struct bench b;
    setup(&b, 0);
    set(&b, 11, 0x82);
    set(&b, 0, 0x30);
    set(&b, 2, 0x15);
    set(&b, 4, 0x12);
    set(&b, 7, 0x31);
    set(&b, 8, 0x12);
    set(&b, 9, 0x99);
    set(&b, 0x32, 0x20);
    bench_clock_to(&b.c, 10 * S);
    cr_assert_eq(get(&b, 0), 0x30, "SET holds the clock");
    set(&b, 11, 0x02);
    bench_clock_to(&b.c, 15 * S);
    cr_assert_eq(get(&b, 0), 0x35);
    cr_assert_eq(get(&b, 9), 0x99);
    bench_clock_to(&b.c, 15 * S + 86400 * S);
    cr_assert_eq(get(&b, 0x32), 0x21);
    cr_assert_eq(get(&b, 9), 0x00);
}

Test(rtc146818, uip_precedes_the_update)
{
    struct bench b;
    setup(&b, 0);
    bench_clock_to(&b.c, S - 244001);
    cr_assert_eq(get(&b, 10) & 0x80, 0);
    bench_clock_to(&b.c, S - 244000);
    cr_assert_eq(get(&b, 10) & 0x80, 0x80);
    bench_clock_to(&b.c, S);
    cr_assert_eq(get(&b, 10) & 0x80, 0);
}

Test(rtc146818, interrupts)
{
    struct bench b;
    setup(&b, 1000);
    cr_assert_eq(b.c.q.next, CV_NEVER, "nothing is enabled");
    set(&b, 11, 0x12);
    bench_clock_to(&b.c, S);
    cr_assert(b.irq.level);
    cr_assert_eq(b.c.q.next, CV_NEVER, "quiet until it is read");
    cr_assert_eq(get(&b, 12) & 0x90, 0x90);
    cr_assert(!b.irq.level);
    bench_clock_to(&b.c, 3 * S);
    cr_assert_eq(b.irq.rises, 2);
    set(&b, 11, 0x42); /* periodic, 1024 Hz */
    get(&b, 12);
    unsigned rises = b.irq.rises;
    for (unsigned i = 0; i < 1024; i++) {
        b.c.now = b.c.q.next;
        cv_timeq_run(&b.c.q);
        cr_assert_eq(get(&b, 12) & 0xc0, 0xc0);
    }
    cr_assert_eq(b.irq.rises - rises, 1024);
    cr_assert_eq(b.c.now, 4 * S);
}

Test(rtc146818, alarm)
{
    struct bench b;
    setup(&b, 0);
    set(&b, 1, 0x30);
    set(&b, 3, 0x05);
    set(&b, 5, 0xff); /* every hour */
    get(&b, 12);
    set(&b, 11, 0x22);
    cr_assert_eq(b.c.q.next, 330 * S);
    bench_clock_to(&b.c, 330 * S);
    cr_assert_eq(get(&b, 12) & 0xa0, 0xa0);
    cr_assert_eq(b.c.q.next, (330 + 3600) * S);
    set(&b, 5, 0x99); /* no such hour in a day: 99 % 24 is 3 */
    cr_assert_eq(b.c.q.next, (3 * 3600 + 330) * S);
}

Test(rtc146818, memory_size_bytes)
{
    struct bench b;
    setup(&b, 0);
    cr_assert_eq(get(&b, 0x15) | get(&b, 0x16) << 8, 640);
    cr_assert_eq(get(&b, 0x34) | get(&b, 0x35) << 8, (512 - 16) * 16);
    set(&b, 0x40, 0x77);
    cv_rtc146818_class.reset(&b.r);
    cr_assert_eq(get(&b, 0x40), 0x77, "on a battery");
}

Test(rtc146818, state_comes_back)
{
    struct bench b, f;
    setup(&b, 1234567);
    setup(&f, 0);
    set(&b, 11, 0x52);
    bench_clock_to(&b.c, 5 * S + 1);
    f.c.now = b.c.now;
    bench_round_trip(&cv_rtc146818_class, &b.r, &f.r);
}
