#include "world.h"

#include <criterion/criterion.h>

Test(halts, are_kept_in_order_and_once)
{
    struct cv_halts halts = {.count = 0};
    cv_icount found = 0;
    cr_assert(cv_halts_add(&halts, 30) && cv_halts_add(&halts, 10) && cv_halts_add(&halts, 20));
    cr_assert(cv_halts_add(&halts, 20));
    cr_assert_eq(halts.count, 3);
    cr_assert(cv_halts_has(&halts, 20) && !cv_halts_has(&halts, 21) && !cv_halts_has(&halts, UINT64_MAX));
    cr_assert(cv_halts_above(&halts, 10, &found) && found == 20);
    cr_assert(cv_halts_above(&halts, 11, &found) && found == 20);
    cr_assert(cv_halts_below(&halts, 20, &found) && found == 10);
    cr_assert(!cv_halts_below(&halts, 10, &found) && !cv_halts_above(&halts, 30, &found));
    cr_assert(cv_halts_remove(&halts, 20) && !cv_halts_remove(&halts, 20));
    cr_assert(cv_halts_above(&halts, 10, &found) && found == 30);
    for (unsigned i = 0; halts.count < CV_HALTS_MAX; i++) {
        cr_assert(cv_halts_add(&halts, 100 - i));
    }
    cr_assert(!cv_halts_add(&halts, 1000) && cv_halts_add(&halts, 100));
}

Test(halts, end_moves_in_both_directions)
{
    struct world w;
    world_open(&w, NULL);
    struct cv_halts *halts = cv_session_halts(w.session);
    cr_assert(cv_halts_add(halts, 100000) && cv_halts_add(halts, 150000) && cv_halts_add(halts, 0));
    static const cv_icount places[] = {100000, 150000};
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(cv_session_continue(w.session), CV_STOP_STEP);
        cr_assert_eq(cv_session_icount(w.session), places[i]);
    }
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_HISTORY_END);
    for (unsigned i = 2; i-- > 0;) {
        cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_STEP);
        cr_assert_eq(cv_session_icount(w.session), places[i]);
    }
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_STEP);
    cr_assert_eq(cv_session_icount(w.session), 0);
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_HISTORY_BEGIN);
    /* one at the end is the end */
    cr_assert(cv_halts_remove(halts, 100000) && cv_halts_remove(halts, 150000));
    cr_assert(cv_halts_add(halts, cv_session_end(w.session)));
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_HISTORY_END);
    world_close(&w);
}

/* Breakpoints between halts, and one at the very place of a halt: each is met once, and counted once. */
Test(halts, hide_no_breakpoint)
{
    struct world w;
    cv_icount hits[9];
    world_open(&w, NULL);
    uint32_t number = world_break(&w, WORLD_RARE);
    for (unsigned i = 0; i < 9; i++) {
        cr_assert_eq(cv_session_continue(w.session), CV_STOP_BREAK);
        hits[i] = cv_session_icount(w.session);
    }
    cr_assert_eq(cv_stop_hits(cv_session_stops(w.session), number), 9);
    cr_assert_eq(cv_session_seek(w.session, 0), CV_STOP_STEP);
    struct cv_halts *halts = cv_session_halts(w.session);
    cr_assert(cv_halts_add(halts, hits[1]) && cv_halts_add(halts, hits[2] + 1));
    cr_assert(cv_halts_add(halts, hits[2] + 7));
    static const struct {
        unsigned hit, behind;
        enum cv_stop_reason why;
    } stops[] = {{0, 0, CV_STOP_BREAK}, {1, 0, CV_STOP_BREAK}, {2, 0, CV_STOP_BREAK},
                 {2, 1, CV_STOP_STEP},  {2, 7, CV_STOP_STEP},  {3, 0, CV_STOP_BREAK}};
    for (unsigned i = 0; i < 6; i++) {
        cr_assert_eq(cv_session_continue(w.session), stops[i].why, "stop %u", i);
        cr_assert_eq(cv_session_icount(w.session), hits[stops[i].hit] + stops[i].behind, "stop %u", i);
    }
    cr_assert_eq(cv_stop_hits(cv_session_stops(w.session), number), 9 + 4);
    for (unsigned i = 5; i-- > 0;) {
        cr_assert_eq(cv_session_reverse_continue(w.session), stops[i].why, "stop %u back", i);
        cr_assert_eq(cv_session_icount(w.session), hits[stops[i].hit] + stops[i].behind, "stop %u back", i);
    }
    world_close(&w);
}
