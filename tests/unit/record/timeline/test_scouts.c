/*
 * Searches backwards that copies of the process take part in: the same places as without, whatever becomes of the copies.
 */
#include "hand_copier.h"
#include "walker.h"

#include <criterion/criterion.h>

#define HOT         (1u << (JOURNEY_BREAKS - 2))
#define ALL_BREAKS  ((1u << JOURNEY_BREAKS) - 1)
#define ALL_WATCHES ((1ull << JOURNEY_WATCHES) - 1)

struct scene {
    struct hand_copier hand;
    struct cv_timeline_config config;
    struct journey j;
    struct walker w;
};

static void open_scene(struct scene *s, unsigned copies, uint64_t spacing)
{
    hand_copier_init(&s->hand, copies, 1000);
    s->config = (struct cv_timeline_config){
        .memory_bytes = 1u << 22, .spacing = spacing, .copier = &s->hand.copier};
    journey_open(&s->j, &s->config);
    journey_list(&s->j);
    walker_open(&s->w, &s->j);
    hand_copier_ready(&s->hand); /* all machines are there */
}

static uint64_t close_scene(struct scene *s)
{
    struct cv_timeline_stats stats;
    cv_timeline_stats(s->j.tl, &stats);
    hand_copier_fini(&s->hand);
    walker_close(&s->w);
    journey_close(&s->j);
    return stats.parts_scouted;
}

/* From places all over the run back to the next place, under stops that are met often, now and then, and never. */
static void go_back_from_everywhere(struct scene *s, unsigned moves)
{
    for (unsigned n = 0; n < moves; n++) {
        cv_icount from = (cv_icount)n * 7919 * 31 % (s->j.end + 1);
        uint32_t modulus = n % 3 == 0 ? 0 : 1 + n % 57;
        walker_set(&s->w, n % 5 == 0 ? 1u << (JOURNEY_BREAKS - 1) : ALL_BREAKS & ~(n % 2 == 0 ? HOT : 0),
                   n % 5 == 0 ? 2 : ALL_WATCHES >> n % 8, n % 5 == 0 ? 0 : CV_TAP_ALL >> n % 9, modulus);
        walker_seek(&s->w, from);
        walker_reverse(&s->w);
        walker_reverse(&s->w);
    }
}

Test(scouts, the_places_are_those_of_a_search_without_them, .timeout = 300)
{
    struct scene s;
    open_scene(&s, 3, 3000);
    go_back_from_everywhere(&s, 60);
    cr_assert_gt(s.hand.started, 60);
    cr_assert_gt(close_scene(&s), 60);
}

Test(scouts, one_that_dies_costs_nothing_but_time, .timeout = 300)
{
    struct scene s;
    open_scene(&s, 4, 3000);
    s.hand.kill_each = 2;
    s.hand.kill_us = 4000;
    s.hand.refuse_each = 7;
    go_back_from_everywhere(&s, 60);
    cr_assert_gt(close_scene(&s), 10);
}

Test(scouts, none_can_be_had)
{
    struct scene s;
    open_scene(&s, 2, 3000);
    s.hand.refuse_each = 1;
    go_back_from_everywhere(&s, 60);
    cr_assert_eq(close_scene(&s), 0);
}

struct patience {
    uint64_t left;
};

static bool wait_a_little(void *arg, uint64_t done, uint64_t total)
{
    struct patience *p = arg;
    cr_assert_leq(done, total);
    return p->left-- > 0;
}

Test(scouts, a_search_that_is_cancelled_stands_where_it_began, .timeout = 300)
{
    struct scene s;
    unsigned cancelled = 0;
    open_scene(&s, 3, 3000);
    for (unsigned n = 0; n < 60; n++) {
        cv_icount from = s.j.end - (cv_icount)n * 101;
        struct patience p = {.left = n % 8}; /* how often it is asked depends on the copies */
        walker_set(&s.w, 1u << (JOURNEY_BREAKS - 1), 2, 0, 1000);
        walker_seek(&s.w, from);
        cv_timeline_progress(s.j.tl, wait_a_little, &p);
        enum cv_replay_exit out = cv_timeline_reverse(s.j.tl);
        cv_timeline_progress(s.j.tl, NULL, NULL);
        if (out == CV_REPLAY_STOPPED) {
            cancelled++;
            walker_check_state(&s.w);
        } else {
            cr_assert_eq(out, CV_REPLAY_REACHED);
            cr_assert_eq(cv_replay_icount(s.j.replay), 0);
        }
        for (unsigned i = 0; i < CV_COPIES_MAX; i++) {
            cr_assert_eq(s.hand.links[i], -1, "a scout is still there");
        }
    }
    cr_assert_geq(cancelled, 7); /* those that stop when they are asked first */
    close_scene(&s);
}
