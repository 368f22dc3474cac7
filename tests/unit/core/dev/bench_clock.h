/*
 * bench_clock.h - a clock and section checks for one device on the bench
 */
#ifndef CV_TESTS_UNIT_CORE_DEV_BENCH_CLOCK_H
#define CV_TESTS_UNIT_CORE_DEV_BENCH_CLOCK_H

#include "core/base/mem.h"
#include "core/dev/device.h"
#include "core/dev/timeq.h"

#include <criterion/criterion.h>

struct bench_clock {
    struct cv_timeq q;
    uint64_t now;
};

static inline cv_icount bench_icount(void *arg)
{
    return ((struct bench_clock *)arg)->now;
}

static inline void bench_clock_init(struct bench_clock *c)
{
    cv_timeq_init(&c->q);
    c->now = 0;
    c->q.icount = bench_icount;
    c->q.arg = c;
}

/* Lets time pass as the machine does: stops at each deadline. */
static inline void bench_clock_to(struct bench_clock *c, uint64_t vtime)
{
    while (c->q.next <= vtime) {
        c->now = c->q.next > c->now ? c->q.next : c->now;
        cv_timeq_run(&c->q);
    }
    c->now = vtime;
}

/* Counts what a line did. */
struct bench_line {
    bool level;
    unsigned rises, falls;
};

static inline void bench_line_set(void *arg, unsigned number, bool level)
{
    struct bench_line *l = arg;
    (void)number;
    l->rises += level && !l->level;
    l->falls += !level && l->level;
    l->level = level;
}

#define BENCH_LINE(l) ((struct cv_line){.fn = bench_line_set, .arg = (l)})

static inline size_t bench_save(const struct cv_device_class *class, void *dev,
                                uint8_t *buf, size_t cap)
{
    struct cv_section s = {.mode = CV_SECTION_SAVE, .buf = buf, .cap = cap};
    class->section(dev, &s);
    cr_assert(!s.failed);
    return s.pos;
}

static inline bool bench_load(const struct cv_device_class *class, void *dev,
                              uint8_t *buf, size_t len)
{
    struct cv_section s = {.mode = CV_SECTION_LOAD, .buf = buf, .cap = len};
    class->section(dev, &s);
    return !s.failed && s.pos == len;
}

/* dev has state worth saving; fresh is wired alike. Saved bytes must come back; cut ones
 * are refused; a flipped bit is refused or is a state that saves as just these bytes. */
static inline void bench_round_trip(const struct cv_device_class *class, void *dev,
                                    void *fresh)
{
    static uint8_t a[8192], b[8192];
    size_t n = bench_save(class, dev, a, sizeof(a));
    cr_assert(bench_load(class, fresh, a, n));
    cr_assert_eq(bench_save(class, fresh, b, sizeof(b)), n);
    cr_assert_arr_eq(a, b, n);
    for (size_t cut = 0; cut < n; cut++) {
        cr_assert(!bench_load(class, fresh, a, cut), "cut at %zu of %zu was taken", cut,
                  n);
    }
    for (size_t bit = 0; bit < n * 8; bit++) {
        a[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (bench_load(class, fresh, a, n)) {
            cr_assert_eq(bench_save(class, fresh, b, sizeof(b)), n);
            cr_assert_arr_eq(a, b, n, "bit %zu was taken and changed", bit);
        }
        a[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

#endif
