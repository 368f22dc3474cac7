/*
 * test_policy.c - which places are stored, over runs of up to 1,000 G steps that are only counted
 */
#include "record/keyframe_policy.h"

#include <criterion/criterion.h>

#define G   1000000000ull
#define MIB (1ull << 20)

struct guest {                     /* how much it writes */
    uint64_t key_pages, hot_pages; /* before the first place; in any interval */
    uint64_t churn_pages, churn_g; /* others: all of them in about so many G steps */
    uint64_t page_bytes;           /* packed */
};

/* A boot and then the mixed load of tests/bench/travel.py, as measured. */
static const struct guest COMMON = {24000, 650, 2000, 40, 1050};
static const struct guest QUIET = {24000, 30, 1000, 200, 1000};
static const struct guest CHURN = {24000, 560, 12000, 50,
                                   1050}; /* never the same pages */
static const struct guest BUSY = {30000, 9000, 50000, 10, 1000};
static const struct guest STREAM = {65536, 65536, 0, 1, 2500};

struct run {
    unsigned count;
    cv_icount first, widest; /* gap up to `upto` */
    cv_icount last_gap;
    uint64_t bytes;
    unsigned failed;
};

static uint64_t pages_after(const struct guest *g, cv_icount since)
{
    uint64_t churn = g->churn_pages * since / (g->churn_g * G + since) * 2;
    return g->hot_pages + (churn < g->churn_pages ? churn : g->churn_pages);
}

/* Counts through a run, at each place that could be stored, and keeps the bound. */
static struct run simulate(const struct guest *g, uint64_t bound, cv_icount steps,
                           cv_icount upto)
{
    struct cv_keyframe_policy p;
    struct run r = {0};
    cv_icount packed = 0;
    cv_keyframe_policy_init(&p, bound, 0);
    for (cv_icount at = CV_KEYFRAME_INTERVAL; at <= steps; at += CV_KEYFRAME_INTERVAL) {
        uint64_t pages = packed == 0 ? g->key_pages : pages_after(g, at - packed);
        uint64_t bytes = pages * g->page_bytes + 8000;
        if (!cv_keyframe_policy_due(&p, at, pages)) {
            continue;
        }
        uint64_t limit = cv_keyframe_policy_limit(&p, false);
        cr_assert(limit <= bound - p.bytes);
        if (bytes > limit) {
            cv_keyframe_policy_failed(&p, at, true);
            r.failed++;
            continue;
        }
        cv_keyframe_policy_packed(&p, at, pages, bytes);
        r.last_gap = at - packed;
        if (packed != 0 && at <= upto && at - packed > r.widest) {
            r.widest = at - packed;
        }
        r.first = packed == 0 ? at : r.first;
        packed = at;
        r.count++;
        cr_assert(p.bytes <= bound);
        cr_assert(cv_keyframe_policy_limit(&p, true) >= bound / 8,
                  "%lu steps: nothing is left", at);
    }
    if (upto == steps && packed != 0 && steps - packed > r.widest) {
        r.widest = steps - packed; /* the last place of all is another matter */
    }
    r.bytes = p.bytes;
    return r;
}

Test(policy, a_common_run_of_25_seconds_is_covered_every_half_second)
{
    struct run r = simulate(&COMMON, 96 * MIB, 25 * G, 23 * G);
    cr_assert(r.first < 900000000, "the first stands at %lu", r.first);
    cr_assert(r.widest <= 600000000, "%lu steps between two", r.widest);
    cr_assert(r.count >= 40 && r.failed == 0, "%u", r.count);
}

Test(policy, gaps_of_a_long_run_grow_with_it)
{
    for (cv_icount steps = 30 * G; steps <= 1000 * G; steps += 10 * G) {
        struct run r = simulate(&COMMON, 96 * MIB, steps, steps);
        cr_assert(r.widest <= steps / 3 * 2 && r.failed == 0, "%lu G: %lu", (unsigned long)(steps / G),
                  r.widest);
    }
    struct run r = simulate(&COMMON, 96 * MIB, 60 * G, 60 * G);
    cr_assert(r.widest <= 12 * G, "%lu within the first minute", r.widest);
    r = simulate(&COMMON, 1024 * MIB, 60 * G, 60 * G);
    cr_assert(r.widest <= 700000000, "%lu with a bound that allows it", r.widest);
}

Test(policy, a_guest_that_writes_little_is_not_thinned)
{
    struct run r = simulate(&QUIET, 96 * MIB, 300 * G, 300 * G);
    cr_assert(r.widest <= 600000000 && r.count > 500, "%lu, %u", r.widest, r.count);
}

Test(policy, pages_that_are_never_the_same_are_thinned_by_thirds)
{
    struct run r = simulate(&CHURN, 96 * MIB, 60 * G, 60 * G);
    cr_assert(r.count > 30 && r.failed == 0 && r.widest <= 40 * G, "%u, %lu", r.count,
              r.widest);
}

Test(policy, cost_goes_before_density)
{
    struct run r = simulate(&BUSY, 1024 * MIB, 20 * G, 20 * G);
    cr_assert(r.count >= 3 && r.widest >= 9000ull << 17, "%u, %lu", r.count, r.widest);
    r = simulate(&STREAM, 96 * MIB, 1000 * G, 1000 * G);
    cr_assert(r.count == 0 && r.failed == 1, "what is too large is tried once");
    r = simulate(&STREAM, 1024 * MIB, 1000 * G, 1000 * G);
    cr_assert(r.count >= 2 && r.failed == 0, "%u, %u", r.count, r.failed);
}

Test(policy, any_bound_is_kept_and_leaves_an_eighth)
{
    static const struct guest *const guests[] = {&COMMON, &QUIET, &BUSY, &STREAM};
    for (unsigned i = 0; i < CV_ARRAY_LEN(guests); i++) {
        for (uint64_t bound = 1; bound <= 4096 * MIB; bound *= 3) {
            simulate(guests[i], bound, 200 * G, 200 * G);
        }
    }
}

Test(policy, a_run_that_ends_well_pays_at_most_a_thirtieth_for_its_last_place)
{
    struct cv_keyframe_policy p;
    cv_keyframe_policy_init(&p, 96 * MIB, 0);
    cr_assert(!cv_keyframe_policy_worth(&p, 6 * G, 24000));
    cr_assert(cv_keyframe_policy_worth(&p, 7 * G, 24000));
}

Test(policy, spacing_goes_before_cost)
{
    struct cv_keyframe_policy p;
    cv_keyframe_policy_init(&p, 96 * MIB, 1 << 20);
    cr_assert(cv_keyframe_policy_due(&p, 1 << 20, 60000));
    cv_keyframe_policy_packed(&p, 1 << 20, 60000, 40 * MIB);
    cr_assert(!cv_keyframe_policy_due(&p, (2 << 20) - 1, 1));
    cr_assert(cv_keyframe_policy_due(&p, 2 << 20, 60000));
}
