/*
 * What a search must not cost, and what happens when it is cut short.
 */
#include "walker.h"
#include "core/translate/exec.h"

#include <criterion/criterion.h>
#include <string.h>

#define HOT  (1u << (JOURNEY_BREAKS - 2))
#define RARE (1u << (JOURNEY_BREAKS - 1))

struct asker {
    uint64_t asked;
    uint64_t stop_at; /* the question that is answered with no */
    struct cv_timeline *tl;
    uint64_t steps; /* run when it was asked last */
    uint64_t longest;
    uint64_t places, crowd; /* places judged since, and the most of them */
};

static bool go_on(void *arg, uint64_t done, uint64_t total)
{
    struct asker *a = arg;
    struct cv_timeline_stats stats;
    cr_assert_leq(done, total);
    cv_timeline_stats(a->tl, &stats);
    uint64_t steps = stats.steps_run - a->steps;
    a->longest = steps > a->longest ? steps : a->longest;
    a->crowd = a->places > a->crowd ? a->places : a->crowd;
    a->steps = stats.steps_run;
    a->places = 0;
    return ++a->asked != a->stop_at;
}

static bool count_none(void *arg, const struct cv_stop_place *place)
{
    struct asker *a = arg;
    (void)place;
    a->places++;
    return false;
}

Test(search, ten_thousand_places_that_do_not_count_cost_a_look_each)
{
    struct cv_timeline_config config = {.spacing = 1u << 24};
    struct journey j;
    struct asker a = {.asked = 0};
    struct cv_timeline_stats before;
    struct cv_timeline_stats after;
    cv_gva hot = JOURNEY_HOT;
    journey_open(&j, &config);
    a.tl = j.tl;
    struct cv_stops stops = {.breaks = &hot, .break_count = 1, .counts = count_none, .arg = &a};
    cr_assert(cv_timeline_stops(j.tl, &stops));
    cr_assert_eq(cv_timeline_seek(j.tl, j.end), CV_REPLAY_REACHED);
    cv_timeline_progress(j.tl, go_on, &a);
    cv_timeline_stats(j.tl, &before);
    uint64_t invalidated = cv_vm_exec_stats(cv_replay_vm(j.replay))->invalidated;
    uint64_t flushes = cv_vm_exec_stats(cv_replay_vm(j.replay))->flushes;
    cr_assert_eq(cv_timeline_reverse(j.tl), CV_REPLAY_REACHED);
    cv_timeline_stats(j.tl, &after);
    cr_assert_leq(after.steps_run - before.steps_run, j.end + 1000);
    cr_assert_leq(after.checkpoints, before.checkpoints + 1);
    cr_assert_eq(cv_vm_exec_stats(cv_replay_vm(j.replay))->flushes, flushes);
    cr_assert_leq(cv_vm_exec_stats(cv_replay_vm(j.replay))->invalidated, invalidated + 1000);
    cr_assert_leq(a.crowd, 64);
    cr_assert_leq(a.longest, 1u << 20);
    cr_assert_gt(a.asked, 24000 / 64);
    journey_close(&j);
}

static void cancel_and_compare(struct journey *j, struct walker *w, struct asker *a, cv_icount from, bool seek)
{
    walker_seek(w, from);
    for (uint64_t stop_at = 1;; stop_at = stop_at * 3 / 2 + 1) {
        a->asked = 0;
        a->stop_at = stop_at;
        cv_timeline_progress(j->tl, go_on, a);
        enum cv_replay_exit out =
            seek ? cv_timeline_seek(j->tl, from > j->end / 2 ? 10 : j->end) : cv_timeline_reverse(j->tl);
        cv_timeline_progress(j->tl, NULL, NULL);
        if (a->asked < stop_at) {
            cr_assert_eq(out, CV_REPLAY_REACHED);
            cr_assert_geq(stop_at, 2);
            break;
        }
        cr_assert_eq(out, CV_REPLAY_STOPPED);
        cr_assert_eq(a->asked, stop_at, "asked on the way back");
        walker_check_state(w);
    }
}

Test(search, a_travel_that_is_cancelled_stands_where_it_began)
{
    struct cv_timeline_config config = {.memory_bytes = 1u << 20, .spacing = 3000};
    struct journey j;
    struct walker w;
    journey_open(&j, &config);
    journey_list(&j);
    walker_open(&w, &j);
    struct asker a = {.tl = j.tl};
    cv_gva list[2] = {JOURNEY_HOT, JOURNEY_RARE};
    struct cv_stops stops = {.breaks = list, .break_count = 2, .counts = count_none, .arg = &a};
    cr_assert(cv_timeline_stops(j.tl, &stops));
    cancel_and_compare(&j, &w, &a, j.end, false);
    cancel_and_compare(&j, &w, &a, j.end / 3 + 17, false);
    cancel_and_compare(&j, &w, &a, j.end - 5, true);
    cancel_and_compare(&j, &w, &a, 12345, true);
    walker_close(&w);
    journey_close(&j);
}

Test(search, a_machine_that_was_told_to_stop_stands_where_it_began)
{
    struct journey j;
    struct walker w;
    journey_open(&j, NULL);
    walker_open(&w, &j);
    walker_set(&w, RARE, 0, 0, 0);
    walker_seek(&w, 50000);
    cv_vm_stop(cv_replay_vm(j.replay));
    cr_assert_eq(cv_timeline_reverse(j.tl), CV_REPLAY_STOPPED);
    walker_check_state(&w);
    cr_assert_eq(cv_timeline_reverse(j.tl), CV_REPLAY_STOPPED); /* it still is */
    cv_vm_clear_stop(cv_replay_vm(j.replay));
    walker_check_state(&w);
    walker_close(&w);
    journey_close(&j);
}

Test(search, hundreds_of_breakpoints_that_are_never_met_change_nothing)
{
    struct journey j;
    cv_gva list[501];
    journey_open(&j, NULL);
    for (size_t i = 0; i < 500; i++) {
        list[i] = 0x1000 + i;
    }
    list[500] = JOURNEY_RARE;
    struct cv_stops many = {.breaks = list, .break_count = 501};
    struct cv_stops one = {.breaks = list + 500, .break_count = 1};
    for (unsigned n = 0; n < 2; n++) {
        cr_assert(cv_timeline_stops(j.tl, n == 0 ? &many : &one));
        cr_assert_eq(cv_timeline_seek(j.tl, j.end), CV_REPLAY_REACHED);
        unsigned met = 0;
        while (cv_timeline_reverse(j.tl) == CV_REPLAY_BREAK) {
            met++;
        }
        cr_assert_eq(met, 5);
        while (cv_timeline_run(j.tl, j.end) == CV_REPLAY_BREAK) {
            met++;
        }
        cr_assert_eq(met, 10);
    }
    journey_close(&j);
}
