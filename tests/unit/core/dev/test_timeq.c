#include "bench_clock.h"

struct trail {
    struct bench_clock c;
    char text[64];
    unsigned n, slot[3];
    unsigned again;
};

static void step_a(void *arg)
{
    struct trail *t = arg;
    t->text[t->n++] = 'a';
}
static void step_b(void *arg)
{
    struct trail *t = arg;
    t->text[t->n++] = 'b';
}
static void step_again(void *arg)
{
    struct trail *t = arg;
    t->again++;
    cv_timeq_set(&t->c.q, t->slot[2], t->c.now); /* due at once, for ever */
}

static void setup(struct trail *t)
{
    memset(t, 0, sizeof(*t));
    bench_clock_init(&t->c);
    t->slot[0] = cv_timeq_add(&t->c.q, "a", step_a, t);
    t->slot[1] = cv_timeq_add(&t->c.q, "b", step_b, t);
    t->slot[2] = cv_timeq_add(&t->c.q, "c", step_again, t);
}

Test(timeq, serves_the_earliest_deadline_first_then_by_slot)
{
    struct trail t;
    setup(&t);
    cv_timeq_set(&t.c.q, t.slot[1], 10);
    cv_timeq_set(&t.c.q, t.slot[0], 20);
    t.c.now = 30;
    cv_timeq_run(&t.c.q);
    cr_assert_str_eq(t.text, "ba");
    cv_timeq_set(&t.c.q, t.slot[1], 40);
    cv_timeq_set(&t.c.q, t.slot[0], 40);
    t.c.now = 39;
    cv_timeq_run(&t.c.q);
    cr_assert_str_eq(t.text, "ba");
    t.c.now = 40;
    cv_timeq_run(&t.c.q);
    cr_assert_str_eq(t.text, "baab");
    cr_assert_eq(t.c.q.next, CV_NEVER);
}

Test(timeq, a_slot_that_is_always_due_cannot_hold_the_machine)
{
    struct trail t;
    setup(&t);
    cv_timeq_set(&t.c.q, t.slot[2], 0);
    cv_timeq_run(&t.c.q);
    cr_assert_eq(t.again, 1024);
}

Test(timeq, tells_the_next_icount_with_skew)
{
    struct trail t;
    setup(&t);
    cr_assert_eq(cv_timeq_next_icount(&t.c.q), CV_NEVER);
    cv_timeq_set(&t.c.q, t.slot[0], 100);
    cr_assert_eq(cv_timeq_next_icount(&t.c.q), 100);
    cv_timeq_advance(&t.c.q, 60);
    cr_assert_eq(cv_timeq_next_icount(&t.c.q), 40);
    cv_timeq_advance(&t.c.q, 60);
    t.c.now = 5;
    cr_assert_eq(cv_timeq_next_icount(&t.c.q), 5);
}

Test(timeq, a_tick_is_reached_first_at_its_vtime)
{
    static const uint64_t rates[][2] = {
        {105, 88000}, {315, 88000}, {1, 40}, {32768, 1000000000}};
    for (size_t i = 0; i < CV_ARRAY_LEN(rates); i++) {
        for (uint64_t tick = 1; tick < 1000000000000ull; tick = tick * 3 + 1) {
            uint64_t v = cv_vtime_of_tick(tick, rates[i][0], rates[i][1]);
            cr_assert_geq(cv_ticks_at(v, rates[i][0], rates[i][1]), tick);
            cr_assert_lt(cv_ticks_at(v - 1, rates[i][0], rates[i][1]), tick);
        }
    }
}

Test(timeq, what_is_due_in_centuries_is_never_due)
{
    struct trail t;
    setup(&t);
    cv_timeq_set(&t.c.q, t.slot[0], CV_TIMEQ_LAST);
    cr_assert_eq(t.c.q.next, CV_TIMEQ_LAST);
    cv_timeq_set(&t.c.q, t.slot[0], CV_TIMEQ_LAST + 1);
    cr_assert_eq(t.c.q.next, CV_NEVER);
    cv_timeq_set(&t.c.q, t.slot[0], CV_NEVER - 1);
    cr_assert_eq(t.c.q.next, CV_NEVER);
}

static bool loads(struct trail *t, uint64_t skew, cv_vtime_ns deadline)
{
    uint8_t image[128];
    struct cv_section s = {.mode = CV_SECTION_SAVE, .buf = image, .cap = sizeof(image)};
    t->c.q.skew = skew;
    t->c.q.slot[1].deadline = deadline;
    cv_timeq_section(&t->c.q, &s);
    cr_assert(!s.failed);
    s = (struct cv_section){.mode = CV_SECTION_LOAD, .buf = image, .cap = s.pos};
    cv_timeq_section(&t->c.q, &s);
    return !s.failed;
}

Test(timeq, an_image_whose_time_would_wrap_is_refused)
{
    struct trail t;
    setup(&t);
    t.c.now = 5;
    cr_assert(loads(&t, CV_TIMEQ_LAST - 5, 10));
    cr_assert(loads(&t, 0, CV_NEVER));
    cr_assert(loads(&t, 0, CV_TIMEQ_LAST));
    cr_assert(!loads(&t, CV_TIMEQ_LAST - 4, 10));
    cr_assert(!loads(&t, UINT64_MAX, 10));
    cr_assert(!loads(&t, 0, CV_NEVER - 1));
    t.c.now = CV_NEVER - 1;
    cr_assert(!loads(&t, 0, 10));
}
