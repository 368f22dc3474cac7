/*
 * Sweeps: the rows of a range are those of the list, in its order, whoever makes them and whatever becomes of him.
 */
#include "hand_copier.h"
#include "journey.h"
#include "record/sweep.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct row {
    uint64_t at, watches, rip;
    uint32_t taps, is_break;
    uint8_t more[CV_SWEEP_ROW_MAX - 32]; /* so that some wait */
};

struct scene {
    struct hand_copier hand;
    struct cv_timeline_config config;
    struct journey j;
    bool hot;
    /* of the sweep under way */
    cv_icount from, to;
    size_t next; /* event that is to be told next */
    uint64_t told, enough_at, begun;
};

static void open_scene(struct scene *s, unsigned copies)
{
    memset(s, 0, sizeof(*s));
    hand_copier_init(&s->hand, copies, 1000);
    s->config = (struct cv_timeline_config){.memory_bytes = 1u << 26, .spacing = 3000};
    s->config.copier = copies > 0 ? &s->hand.copier : NULL;
    journey_open(&s->j, &s->config);
    journey_list(&s->j);
    hand_copier_ready(&s->hand);
    cr_assert_eq(cv_timeline_seek(s->j.tl, s->j.end), CV_REPLAY_REACHED); /* leaves checkpoints */
}

static uint64_t close_scene(struct scene *s)
{
    struct cv_timeline_stats stats;
    cv_timeline_stats(s->j.tl, &stats);
    hand_copier_fini(&s->hand);
    journey_close(&s->j);
    return stats.parts_scouted;
}

static void begin(void *arg)
{
    struct scene *s = arg;
    s->begun++;
}

static bool look(void *arg, const struct cv_stop_place *place, void *out)
{
    struct row *row = out;
    (void)arg;
    memset(row, 0, sizeof(*row));
    row->is_break = place->is_break;
    row->at = place->is_break ? place->at : place->hit.step;
    if (place->has_hit) {
        row->watches = place->hit.watches[0];
        row->taps = place->hit.taps;
        row->rip = place->hit.rip;
    }
    return true;
}

static bool is_wanted(const struct scene *s, const struct journey_event *e)
{
    return e->at >= s->from && e->at < s->to &&
           (s->hot || !e->is_break || e->which != JOURNEY_BREAKS - 2);
}

static void find_next(struct scene *s)
{
    while (s->next < s->j.event_count && !is_wanted(s, &s->j.events[s->next])) {
        s->next++;
    }
}

static bool tell(void *arg, const void *in)
{
    struct scene *s = arg;
    const struct row *row = in;
    find_next(s);
    cr_assert_lt(s->next, s->j.event_count, "a row too many, at %lu", row->at);
    const struct journey_event *e = &s->j.events[s->next++];
    cr_assert_eq(row->at, e->at, "row %lu", s->told);
    cr_assert_eq(row->is_break, e->is_break);
    if (!e->is_break) {
        cr_assert_eq(row->watches, e->watches);
        cr_assert_eq(row->taps, e->taps);
        cr_assert_eq(row->rip, e->rip);
    }
    return ++s->told != s->enough_at;
}

static enum cv_replay_exit sweep(struct scene *s, cv_icount from, cv_icount to, bool hot,
                                 uint64_t enough_at)
{
    cv_gva breaks[JOURNEY_BREAKS];
    size_t count = 0;
    for (unsigned i = 0; i < JOURNEY_BREAKS; i++) {
        if (hot || i != JOURNEY_BREAKS - 2) {
            breaks[count++] = journey_breaks[i];
        }
    }
    struct cv_sweep what = {.stops = {.breaks = breaks,
                                      .break_count = count,
                                      .watches = journey_watches,
                                      .watch_count = JOURNEY_WATCHES,
                                      .taps = CV_TAP_ALL},
                            .row_bytes = sizeof(struct row),
                            .begin = begin,
                            .look = look,
                            .tell = tell,
                            .arg = s};
    s->hot = hot;
    s->from = from;
    s->to = to;
    s->next = 0;
    s->told = 0;
    s->enough_at = enough_at;
    return cv_timeline_sweep(s->j.tl, from, to, &what);
}

static void sweep_whole(struct scene *s, cv_icount from, cv_icount to, bool hot)
{
    cr_assert_eq(sweep(s, from, to, hot, 0), CV_REPLAY_REACHED);
    find_next(s);
    cr_assert_eq(s->next, s->j.event_count, "rows are missing from %lu on",
                 s->next < s->j.event_count ? s->j.events[s->next].at : 0);
}

static void sweep_ranges(struct scene *s, unsigned count)
{
    sweep_whole(s, 0, s->j.end, true);
    for (unsigned n = 0; n < count; n++) {
        cv_icount a = (cv_icount)n * 104729 % (s->j.end + 1);
        cv_icount b = (cv_icount)n * 15485863 % (s->j.end + 1);
        sweep_whole(s, a < b ? a : b, a < b ? b : a, n % 8 == 5);
    }
    sweep_whole(s, s->j.end, s->j.end, true);
}

Test(sweep, alone)
{
    struct scene s;
    open_scene(&s, 0);
    sweep_ranges(&s, 8);
    cr_assert_eq(s.begun, 10); /* one part each */
    cr_assert_eq(close_scene(&s), 0);
}

Test(sweep, with_copies, .timeout = 300)
{
    struct scene s;
    open_scene(&s, 3);
    sweep_ranges(&s, 8);
    cr_assert_gt(close_scene(&s), 8);
}

Test(sweep, with_copies_that_die, .timeout = 300)
{
    struct scene s;
    open_scene(&s, 4);
    s.hand.kill_each = 2;
    s.hand.kill_us = 30000;
    s.hand.refuse_each = 7;
    sweep_ranges(&s, 8);
    cr_assert_gt(close_scene(&s), 4);
}

Test(sweep, enough_is_enough, .timeout = 300)
{
    struct scene s;
    open_scene(&s, 3);
    for (uint64_t n = 1; n < 20000; n = n * 3 + 1) {
        cr_assert_eq(sweep(&s, 0, s.j.end, true, n), CV_REPLAY_BREAK);
        cr_assert_eq(s.told, n);
    }
    close_scene(&s);
}

static bool until(void *arg, uint64_t done, uint64_t total)
{
    uint64_t *left = arg;
    cr_assert_leq(done, total);
    return (*left)-- > 0;
}

Test(sweep, it_can_be_cancelled, .timeout = 300)
{
    struct scene s;
    open_scene(&s, 3);
    for (uint64_t n = 0; n < 12; n++) {
        uint64_t left = n;
        cv_timeline_progress(s.j.tl, until, &left);
        enum cv_replay_exit out = sweep(&s, 0, s.j.end, true, 0);
        cv_timeline_progress(s.j.tl, NULL, NULL);
        cr_assert(out == CV_REPLAY_STOPPED || left < 12);
        for (unsigned i = 0; i < CV_COPIES_MAX; i++) {
            cr_assert_eq(s.hand.links[i], -1, "a scout is still there");
        }
        sweep_whole(&s, 1000, 30000, false); /* and nothing is left of it */
    }
    close_scene(&s);
}
