/*
 * Travel against the list: every place that a straight run meets, found from everywhere, forwards and backwards, under
 * changing stops, with few and with many checkpoints.
 */
#include "hand_worker.h"
#include "walker.h"

#include <criterion/criterion.h>
#include <string.h>

#define ALL_BREAKS  ((1u << JOURNEY_BREAKS) - 1)
#define HOT         (1u << (JOURNEY_BREAKS - 2))
#define ALL_WATCHES ((1ull << JOURNEY_WATCHES) - 1)

/* Small numbers, so that the short recording has many checkpoints and some are dropped again. */
static const struct cv_timeline_config TIGHT = {.memory_bytes = 1200u << 10, .spacing = 2000};

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x9e3779b97f4a7c15ull;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9ull;
    return x ^ x >> 32;
}

static void open_both(struct journey *j, struct walker *w, const struct cv_timeline_config *config)
{
    journey_open(j, config);
    journey_list(j);
    walker_open(w, j);
}

static void close_both(struct journey *j, struct walker *w)
{
    walker_close(w);
    journey_close(j);
}

Test(walk, a_straight_run_meets_everything_there_is)
{
    struct journey j;
    struct walker w;
    unsigned breaks[JOURNEY_BREAKS] = {0};
    unsigned watches[JOURNEY_WATCHES] = {0};
    uint32_t taps = 0;
    open_both(&j, &w, &TIGHT);
    for (size_t i = 0; i < j.event_count; i++) {
        const struct journey_event *e = &j.events[i];
        if (e->is_break) {
            breaks[e->which]++;
        }
        for (unsigned k = 0; k < JOURNEY_WATCHES; k++) {
            watches[k] += e->watches >> k & 1;
        }
        taps |= e->taps;
    }
    for (unsigned i = 0; i < JOURNEY_BREAKS; i++) {
        cr_expect_gt(breaks[i], 3, "breakpoint %u", i);
    }
    cr_expect_eq(breaks[JOURNEY_BREAKS - 2], 24000);
    cr_expect_eq(breaks[JOURNEY_BREAKS - 1], 5);
    for (unsigned k = 0; k < JOURNEY_WATCHES; k++) {
        cr_expect(k == 1 ? watches[k] == 0 : watches[k] > 3, "watch %u: %u", k, watches[k]);
    }
    cr_expect(taps == (CV_TAP_INTERRUPT | CV_TAP_EXCEPTION | CV_TAP_PORT | CV_TAP_DMA | CV_TAP_CONSOLE),
              "taps %x", taps);
    walker_set(&w, ALL_BREAKS & ~HOT, ALL_WATCHES, CV_TAP_ALL, 0);
    while (w.at < j.end) {
        walker_forward(&w);
    }
    close_both(&j, &w);
}

static void walk_all_back(const struct cv_timeline_config *config, uint32_t modulus)
{
    struct journey j;
    struct walker w;
    open_both(&j, &w, config);
    walker_seek(&w, j.end);
    walker_set(&w, ALL_BREAKS & ~HOT, ALL_WATCHES, CV_TAP_ALL, modulus);
    while (w.at > 0) {
        walker_reverse(&w);
    }
    close_both(&j, &w);
}

Test(walk, the_way_back_meets_each_place_once)
{
    walk_all_back(&TIGHT, 0);
}

Test(walk, the_way_back_without_checkpoints_meets_each_place_once)
{
    struct cv_timeline_config config = {.memory_bytes = 1, .spacing = 1u << 24};
    walk_all_back(&config, 7);
}

Test(walk, from_every_place_the_next_and_the_one_before_are_found)
{
    struct journey j;
    struct walker w;
    open_both(&j, &w, &TIGHT);
    walker_set(&w, ALL_BREAKS & ~HOT, ALL_WATCHES, CV_TAP_ALL, 0);
    for (size_t i = 0; i < j.event_count; i++) {
        const struct journey_event *e = &j.events[i];
        if (e->is_break && e->which == JOURNEY_BREAKS - 2) {
            continue;
        }
        for (cv_icount at = e->at; at <= e->at + 1; at++) {
            walker_seek(&w, at);
            walker_forward(&w);
            walker_seek(&w, at);
            walker_reverse(&w);
        }
    }
    close_both(&j, &w);
}

static void change_stops(struct walker *w, uint64_t r)
{
    uint32_t breaks = (uint32_t)(r >> 8) & ALL_BREAKS;
    uint64_t watches = r >> 24 & ALL_WATCHES;
    uint32_t taps = (uint32_t)(r >> 40) & CV_TAP_ALL;
    if (r % 4 != 0) {
        breaks &= ~HOT;
    }
    if (r % 3 == 0) { /* a rare place, far away */
        breaks &= 1u << (JOURNEY_BREAKS - 1);
        watches &= 2;
        taps = 0;
    }
    uint32_t modulus = (r >> 4 & 3) == 0 ? 0 : 1 + (uint32_t)(r >> 50) % 60;
    walker_set(w, breaks, watches, taps, modulus);
}

static void move_at_random(struct walker *w, uint64_t r)
{
    switch (r % 16) {
    case 0:
        walker_seek(w, (r >> 8) % (w->j->end + 1));
        break;
    case 1:
        walker_seek(w, w->at < w->j->end ? w->at + 1 : w->at);
        break;
    case 2:
    case 3:
        walker_seek(w, w->at > 0 ? w->at - 1 : 0);
        break;
    case 4:
        change_stops(w, r >> 4);
        break;
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
        walker_forward(w);
        break;
    default:
        walker_reverse(w);
        break;
    }
}

static void walk_at_random(const struct cv_timeline_config *config, unsigned moves, uint64_t seed)
{
    struct journey j;
    struct walker w;
    open_both(&j, &w, config);
    for (unsigned n = 0; n < moves; n++) {
        move_at_random(&w, mix(seed * 1000003 + n));
    }
    close_both(&j, &w);
}

Test(walk, ten_thousand_moves_agree_with_the_straight_run, .timeout = 300)
{
    walk_at_random(&TIGHT, 10000, 1);
}

Test(walk, moves_agree_with_hardly_any_memory_and_with_plenty, .timeout = 300)
{
    struct cv_timeline_config poor = {.memory_bytes = 1, .spacing = 5000};
    struct cv_timeline_config rich = {.memory_bytes = 1u << 30, .spacing = 1024};
    walk_at_random(&poor, 1000, 2);
    walk_at_random(&rich, 2000, 3);
}

static void walk_within(uint64_t bound, unsigned moves, size_t checkpoints)
{
    struct hand_worker hand;
    hand_worker_init(&hand);
    struct cv_timeline_config config = {.memory_bytes = bound, .spacing = 2000, .worker = &hand.worker};
    struct cv_timeline_stats stats;
    struct journey j;
    struct walker w;
    open_both(&j, &w, &config);
    for (unsigned n = 0; n < moves; n++) {
        hand_worker_hold(&hand, n % 3 == 0);
        move_at_random(&w, mix(bound + n));
    }
    cv_timeline_stats(j.tl, &stats);
    cr_expect_leq(stats.peak_bytes, bound, "%lu of %lu", (unsigned long)stats.peak_bytes, (unsigned long)bound);
    cr_expect_geq(stats.checkpoints, checkpoints, "%lu: %zu", (unsigned long)bound, stats.checkpoints);
    close_both(&j, &w);
}

/* From the least that a guest of 2 MiB can have up to where all packs at leisure. */
Test(walk, moves_agree_and_memory_keeps_its_bound_whatever_it_is, .timeout = 300)
{
    walk_within(1070u << 10, 1000, 2);
    walk_within(1300u << 10, 1000, 5);
    walk_within(2u << 20, 1500, 20);
    walk_within(3u << 20, 1500, 20);
}
