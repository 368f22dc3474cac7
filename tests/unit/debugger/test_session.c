#include "world.h"
#include "core/cpu/regs.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Small numbers, so that the short recording has many checkpoints and some are dropped again. */
static const struct cv_timeline_config TIGHT = {.memory_bytes = 3u << 20, .spacing = 5000};

static void digest(struct world *w, uint8_t out[16])
{
    cv_replay_digest(cv_timeline_replay(cv_session_timeline(w->session)), out);
}

Test(session, a_random_walk_shows_what_the_straight_way_shows)
{
    enum { PLACES = 60 };
    struct world straight;
    struct world walk;
    uint8_t want[PLACES][16];
    cv_icount at[PLACES];
    world_open(&straight, NULL);
    world_open(&walk, &TIGHT);
    cv_icount end = cv_session_end(straight.session);
    for (unsigned i = 0; i < PLACES; i++) {
        at[i] = end / PLACES * i + i * 37 % 100;
        cr_assert_eq(cv_session_seek(straight.session, at[i]), CV_STOP_STEP);
        digest(&straight, want[i]);
    }
    srandom(7);
    for (unsigned n = 0; n < 400; n++) {
        unsigned i = (unsigned)random() % PLACES;
        uint8_t got[16];
        cr_assert_eq(cv_session_seek(walk.session, at[i]), CV_STOP_STEP);
        cr_assert_eq(cv_session_icount(walk.session), at[i]);
        digest(&walk, got);
        cr_assert_arr_eq(got, want[i], 16, "at %lu", (unsigned long)at[i]);
    }
    world_close(&straight);
    world_close(&walk);
}

Test(session, steps_back_and_steps_forward_are_inverse)
{
    enum { STEPS = 1000 };
    struct world w;
    static uint8_t seen[STEPS + 1][16];
    uint8_t got[16];
    world_open(&w, &TIGHT);
    cr_assert_eq(cv_session_seek(w.session, 200000), CV_STOP_STEP);
    for (unsigned i = 0; i <= STEPS; i++) {
        cr_assert_eq(cv_session_icount(w.session), 200000 - i);
        digest(&w, seen[i]);
        cr_assert_eq(cv_session_reverse_step(w.session), CV_STOP_STEP);
    }
    for (unsigned i = STEPS + 1; i-- > 0;) {
        cr_assert_eq(cv_session_step(w.session), CV_STOP_STEP);
        digest(&w, got);
        cr_assert_arr_eq(got, seen[i], 16, "at %lu", 200000ul - i);
    }
    world_close(&w);
}

Test(session, a_breakpoint_is_met_at_the_same_places_in_both_directions)
{
    struct world w;
    cv_icount hits[16];
    unsigned count = 0;
    world_open(&w, &TIGHT);
    cr_assert(world_break(&w, WORLD_RARE));
    while (cv_session_continue(w.session) == CV_STOP_BREAK) {
        cr_assert_eq(world_rip(&w), WORLD_RARE);
        cr_assert_lt(count, 16);
        hits[count++] = cv_session_icount(w.session);
    }
    cr_assert_eq(count, 9);
    cr_assert_eq(cv_session_icount(w.session), cv_session_end(w.session));
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_HISTORY_END);
    while (count-- > 0) {
        cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_BREAK);
        cr_assert_eq(cv_session_icount(w.session), hits[count]);
        cr_assert_eq(world_rip(&w), WORLD_RARE);
    }
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_HISTORY_BEGIN);
    cr_assert_eq(cv_session_icount(w.session), 0);
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_HISTORY_BEGIN);
    cr_assert_eq(cv_session_reverse_step(w.session), CV_STOP_HISTORY_BEGIN);
    world_close(&w);
}

Test(session, the_last_of_very_many_hits_is_found)
{
    struct world w;
    world_open(&w, NULL); /* no checkpoint but the first: one interval with 40000 hits */
    cr_assert(world_break(&w, WORLD_FINAL));
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_BREAK);
    cv_icount final = cv_session_icount(w.session);
    cr_assert(world_unbreak(&w, WORLD_FINAL));
    cr_assert(world_break(&w, WORLD_OFTEN));
    for (uint32_t calls = 39999; calls > 39900; calls--) {
        cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_BREAK);
        cr_assert_eq(world_rip(&w), WORLD_OFTEN);
        cr_assert_eq(world_calls(&w), calls);
        cr_assert_lt(cv_session_icount(w.session), final);
    }
    cr_assert_eq(cv_session_seek(w.session, 300000), CV_STOP_STEP);
    uint32_t calls = world_calls(&w);
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_BREAK);
    cr_assert_geq(world_calls(&w) + 1, calls);
    world_close(&w);
}

Test(session, a_breakpoint_at_the_present_place_is_not_met_again)
{
    struct world w;
    world_open(&w, &TIGHT);
    cr_assert(world_break(&w, WORLD_OFTEN));
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_BREAK);
    cr_assert_eq(world_calls(&w), 0);
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_BREAK);
    cr_assert_eq(world_calls(&w), 1);
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_BREAK);
    cr_assert_eq(world_calls(&w), 0);
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_HISTORY_BEGIN);
    world_close(&w);
}

Test(session, both_ends_of_history_say_so)
{
    struct world w;
    world_open(&w, NULL);
    cv_icount end = cv_session_end(w.session);
    cr_assert_eq(cv_session_reverse_step(w.session), CV_STOP_HISTORY_BEGIN);
    cr_assert_eq(cv_session_seek(w.session, end - 1), CV_STOP_STEP);
    cr_assert_eq(cv_session_step(w.session), CV_STOP_STEP);
    cr_assert_eq(cv_session_icount(w.session), end);
    cr_assert_eq(cv_session_step(w.session), CV_STOP_HISTORY_END);
    cr_assert_eq(cv_session_seek(w.session, end + 1000), CV_STOP_HISTORY_END);
    cr_assert_eq(cv_session_icount(w.session), end);
    world_close(&w);
}

Test(session, a_range_step_ends_outside_the_range_or_at_a_breakpoint)
{
    struct world w;
    world_open(&w, NULL);
    cr_assert_eq(cv_session_seek(w.session, 2), CV_STOP_STEP);
    cr_assert_eq(world_rip(&w), WORLD_LOOP);
    cr_assert_eq(cv_session_step_range(w.session, WORLD_LOOP, WORLD_LOOP + 5), CV_STOP_STEP);
    cr_assert_eq(world_rip(&w), WORLD_OFTEN);
    cr_assert_eq(cv_session_step_range(w.session, WORLD_OFTEN, WORLD_RARE), CV_STOP_STEP);
    cr_assert_eq(world_rip(&w), WORLD_LOOP + 5);
    cr_assert(world_break(&w, WORLD_RARE));
    cr_assert_eq(cv_session_step_range(w.session, WORLD_ENTRY, 0x101000), CV_STOP_BREAK);
    cr_assert_eq(world_rip(&w), WORLD_RARE);
    world_close(&w);
}

static bool refuse(void *arg)
{
    unsigned *asked = arg;
    ++*asked;
    return true;
}

Test(session, a_travel_that_is_interrupted_stands_at_a_definite_place)
{
    struct world w;
    unsigned asked = 0;
    struct cv_frontend frontend = {.arg = &asked, .interrupted = refuse};
    uint8_t there[16];
    uint8_t again[16];
    world_open(&w, &TIGHT);
    cr_assert_eq(cv_session_seek(w.session, 300000), CV_STOP_STEP);
    cr_assert(world_break(&w, 0xdead));
    cv_session_set_frontend(w.session, &frontend);
    cr_assert_eq(cv_session_reverse_continue(w.session), CV_STOP_INTERRUPT);
    cr_assert_gt(asked, 0);
    cv_icount at = cv_session_icount(w.session);
    digest(&w, there);
    cv_session_set_frontend(w.session, NULL);
    cr_assert_eq(cv_session_seek(w.session, 1000), CV_STOP_STEP);
    cr_assert_eq(cv_session_seek(w.session, at), CV_STOP_STEP);
    digest(&w, again);
    cr_assert_arr_eq(there, again, 16);
    world_close(&w);
}

Test(session, memory_stays_within_its_bound)
{
    struct cv_timeline_config config = {.memory_bytes = 2u << 20, .spacing = 2000};
    struct cv_timeline_stats stats;
    struct world w;
    world_open(&w, &config);
    for (unsigned i = 0; i < 20; i++) {
        cv_session_seek(w.session, cv_session_end(w.session) / 20 * ((i * 7) % 20));
        cv_timeline_stats(cv_session_timeline(w.session), &stats);
        cr_assert_leq(stats.version_bytes, config.memory_bytes);
    }
    cr_assert_gt(stats.checkpoints, 5);
    world_close(&w);
}

Test(session, a_time_is_found_at_the_first_step_that_shows_it)
{
    struct world w;
    cv_icount icount;
    struct cv_error err = {0};
    world_open(&w, NULL);
    cr_assert_eq(cv_session_seek(w.session, 123456), CV_STOP_STEP);
    cv_vtime_ns vtime = cv_session_vtime(w.session);
    char text[40];
    cv_format(text, sizeof(text), "%lu.%09lus", (unsigned long)(vtime / 1000000000u),
              (unsigned long)(vtime % 1000000000u));
    cr_assert_eq(cv_session_seek(w.session, 777), CV_STOP_STEP);
    cr_assert(cv_session_parse_pos(w.session, text, &icount, &err), "%s", err.text);
    cr_assert_eq(icount, 123456);
    cr_assert_eq(cv_session_icount(w.session), 777);
    cr_assert(cv_session_parse_pos(w.session, "50%", &icount, &err));
    cr_assert_eq(icount, cv_session_end(w.session) / 2);
    cr_assert_not(cv_session_parse_pos(w.session, "crash", &icount, &err));
    world_close(&w);
}

Test(session, a_place_outside_the_trace_is_an_error)
{
    struct world w;
    char text[40];
    world_open(&w, NULL);
    cv_icount end = cv_session_end(w.session);
    cv_format(text, sizeof(text), "%lu", (unsigned long)end + 1);
    const char *const outside[] = {text, "99999999s", "crash", "mark:nowhere"};
    for (size_t i = 0; i < CV_ARRAY_LEN(outside); i++) {
        struct cv_error err = {0};
        cv_icount icount;
        cr_assert_not(cv_session_parse_pos(w.session, outside[i], &icount, &err), "%s",
                      outside[i]);
        cr_assert_eq(err.code, CV_EXIT_NOINPUT, "%s: %s", outside[i], err.text);
    }
    cr_assert_eq(cv_session_icount(w.session), 0);
    world_close(&w);
}

/* A halted CPU stands at the address behind HLT and does nothing there: a breakpoint is met when it is woken, whether a
 * run or single steps come to it. */
Test(session, a_breakpoint_behind_hlt_is_not_met_while_the_cpu_halts)
{
    struct world w;
    world_open(&w, NULL);
    cr_assert_eq(cv_session_seek(w.session, cv_session_end(w.session)), CV_STOP_STEP);
    uint32_t number = world_break(&w, (cv_gva)world_rip(&w));
    cr_assert_eq(cv_session_seek(w.session, cv_session_end(w.session) - 3), CV_STOP_STEP);
    cr_assert_eq(cv_session_continue(w.session), CV_STOP_HISTORY_END);
    cr_assert_eq(cv_session_seek(w.session, cv_session_end(w.session) - 3), CV_STOP_STEP);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(cv_session_step(w.session), CV_STOP_STEP, "step %u", i);
    }
    cr_assert_eq(cv_stop_hits(cv_session_stops(w.session), number), 0);
    world_close(&w);
}
