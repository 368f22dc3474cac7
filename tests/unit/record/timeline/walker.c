#include "walker.h"
#include "core/mem/ram.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void copy_all(struct walker *w)
{
    const struct cv_ram *ram = cv_vm_ram(cv_replay_vm(w->straight));
    w->copies = calloc(w->j->end / WALKER_STRIDE + 1, sizeof(*w->copies));
    cr_assert_not_null(w->copies);
    for (cv_icount at = 0; at <= w->j->end; at += WALKER_STRIDE) {
        struct walker_copy *copy = &w->copies[w->copy_count++];
        cr_assert_eq(cv_replay_run(w->straight, at), CV_REPLAY_REACHED);
        copy->state = malloc(CV_VM_STATE_MAX);
        copy->ram = malloc(ram->bytes);
        cr_assert(copy->state != NULL && copy->ram != NULL);
        copy->len = cv_replay_save(w->straight, copy->state, CV_VM_STATE_MAX);
        memcpy(copy->ram, ram->base, ram->bytes);
    }
}

static void go_straight_to(struct walker *w, cv_icount at)
{
    struct cv_ram *ram = cv_vm_ram(cv_replay_vm(w->straight));
    if (cv_replay_icount(w->straight) > at) {
        const struct walker_copy *copy = &w->copies[at / WALKER_STRIDE];
        cr_assert(cv_ram_write(ram, 0, copy->ram, ram->bytes));
        cr_assert(cv_replay_load(w->straight, copy->state, copy->len));
    }
    cr_assert_eq(cv_replay_run(w->straight, at), CV_REPLAY_REACHED);
}

void walker_open(struct walker *w, struct journey *j)
{
    struct cv_error err = {0};
    *w = (struct walker){.j = j};
    w->straight = cv_replay_new(j->trace, NULL, 0, &err);
    w->digests = calloc(j->end + 1, 16);
    w->known = calloc(j->end + 1, 1);
    cr_assert(w->straight != NULL && w->digests != NULL && w->known != NULL);
    copy_all(w);
}

void walker_close(struct walker *w)
{
    cv_replay_free(w->straight);
    for (size_t i = 0; i < w->copy_count; i++) {
        free(w->copies[i].state);
        free(w->copies[i].ram);
    }
    free(w->copies);
    free(w->digests);
    free(w->known);
}

/* -- what the list says -------------------------------------------------------------------------- */

static bool is_wanted(const struct walker *w, const struct journey_event *e)
{
    if (e->is_break) {
        return (w->breaks >> e->which & 1) != 0;
    }
    return (e->watches & w->watches) != 0 || (e->taps & w->taps) != 0;
}

static bool counts(const struct walker *w, const struct journey_event *e)
{
    return is_wanted(w, e) && (w->modulus == 0 || (size_t)(e - w->j->events) % w->modulus == 0);
}

/* Where a run forward meets it. */
static cv_icount met_at(const struct journey_event *e)
{
    return e->is_break ? e->at : e->at + 1;
}

/* The first event that is met behind `at`, or CV_NEVER's place behind the list. */
static size_t first_behind(const struct walker *w, cv_icount at)
{
    size_t lo = 0;
    size_t hi = w->j->event_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (met_at(&w->j->events[mid]) <= at) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static const struct journey_event *next_event(const struct walker *w)
{
    size_t i = first_behind(w, w->at);
    if (w->due && i > 0 && w->j->events[i - 1].is_break && w->j->events[i - 1].at == w->at) {
        i--;
    }
    for (; i < w->j->event_count; i++) {
        if (counts(w, &w->j->events[i])) {
            return &w->j->events[i];
        }
    }
    return NULL;
}

/* The latest place before this one: its breakpoint, its step, or both. */
static cv_icount previous_place(const struct walker *w, const struct journey_event **brk,
                                const struct journey_event **hit)
{
    cv_icount at = CV_NEVER;
    *brk = NULL;
    *hit = NULL;
    for (size_t i = first_behind(w, w->at); i-- > 0;) {
        const struct journey_event *e = &w->j->events[i];
        if (at != CV_NEVER && e->at < at) {
            break;
        }
        if (e->at < w->at && counts(w, e)) {
            at = e->at;
            *(e->is_break ? brk : hit) = e;
        }
    }
    return at;
}

/* -- what the machine says ------------------------------------------------------------------------ */

static void check_here(struct walker *w)
{
    cr_assert_eq(cv_replay_icount(w->j->replay), w->at, "at %lu, not %lu",
                 (unsigned long)cv_replay_icount(w->j->replay), (unsigned long)w->at);
}

/* States are asked for at any place; the straight run makes those that are not known yet. */
void walker_check_state(struct walker *w)
{
    uint8_t got[16];
    check_here(w);
    if (!w->known[w->at]) {
        go_straight_to(w, w->at);
        cv_replay_digest(w->straight, w->digests + w->at * 16);
        w->known[w->at] = 1;
    }
    cv_replay_digest(w->j->replay, got);
    cr_assert_arr_eq(got, w->digests + w->at * 16, 16, "another state at %lu", (unsigned long)w->at);
}

static void check_hit(const struct walker *w, const struct cv_tap_hit *hit, const struct journey_event *e)
{
    cr_assert_eq(hit->step, e->at);
    cr_assert_eq(hit->taps, e->taps & w->taps);
    cr_assert_eq(hit->rip, e->rip);
    unsigned n = 0;
    for (unsigned i = 0; i < JOURNEY_WATCHES; i++) {
        if ((w->watches >> i & 1) != 0) {
            cr_assert_eq(cv_tap_hit_watch(hit, n), (e->watches >> i & 1) != 0, "watch %u at %lu", i,
                         (unsigned long)e->at);
            n++;
        }
    }
}

/* Asked of each place: is it the one of the list, and does the machine stand where it is met? */
static bool judge_place(void *arg, const struct cv_stop_place *place)
{
    struct walker *w = arg;
    cv_icount step = place->has_hit ? place->hit.step : place->at;
    cr_assert_neq(place->is_break, place->has_hit);
    cv_icount here = place->has_hit ? step + 1 : step;
    cr_assert_eq(cv_replay_icount(w->j->replay), here);
    w->asked++;
    size_t i = first_behind(w, here);
    while (i-- > 0) {
        const struct journey_event *e = &w->j->events[i];
        if (e->at == step && e->is_break == place->is_break) {
            cr_assert(is_wanted(w, e));
            return counts(w, e);
        }
        cr_assert_geq(met_at(e), here, "no such place at %lu", (unsigned long)here);
    }
    cr_assert_fail("no such place at %lu", (unsigned long)here);
    return true;
}

/* -- moves ----------------------------------------------------------------------------------------- */

void walker_set(struct walker *w, uint32_t breaks, uint64_t watches, uint32_t taps, uint32_t modulus)
{
    struct cv_stops stops = {.breaks = w->break_list, .watches = w->watch_list, .taps = taps};
    for (unsigned i = 0; i < JOURNEY_BREAKS; i++) {
        if ((breaks >> i & 1) != 0) {
            w->break_list[stops.break_count++] = journey_breaks[i];
        }
    }
    for (unsigned i = 0; i < JOURNEY_WATCHES; i++) {
        if ((watches >> i & 1) != 0) {
            w->watch_list[stops.watch_count++] = journey_watches[i];
        }
    }
    if (modulus != 0) {
        stops.counts = judge_place;
        stops.arg = w;
    }
    w->breaks = breaks;
    w->watches = watches;
    w->taps = taps;
    w->modulus = modulus;
    cr_assert(cv_timeline_stops(w->j->tl, &stops));
}

void walker_seek(struct walker *w, cv_icount at)
{
    cr_assert_eq(cv_timeline_seek(w->j->tl, at), CV_REPLAY_REACHED);
    w->at = at;
    w->due = false;
    walker_check_state(w);
}

void walker_forward(struct walker *w)
{
    const struct journey_event *e = next_event(w);
    enum cv_replay_exit out = cv_timeline_run(w->j->tl, w->j->end);
    w->at = e != NULL ? met_at(e) : w->j->end;
    w->due = e != NULL && !e->is_break;
    check_here(w);
    if (e == NULL) {
        cr_assert_eq(out, CV_REPLAY_REACHED);
        return;
    }
    const struct cv_stop_place *place = cv_timeline_place(w->j->tl);
    uint8_t got[16];
    cr_assert_eq(out, e->is_break ? CV_REPLAY_BREAK : CV_REPLAY_HIT);
    cr_assert_eq(place->at, w->at);
    cr_assert_eq(place->is_break, e->is_break);
    cr_assert_eq(place->has_hit, !e->is_break);
    if (!e->is_break) {
        check_hit(w, &place->hit, e);
    }
    cv_replay_digest(w->j->replay, got);
    cr_assert_arr_eq(got, e->digest, 16, "another state at %lu", (unsigned long)w->at);
}

void walker_reverse(struct walker *w)
{
    const struct journey_event *brk;
    const struct journey_event *hit;
    cv_icount at = previous_place(w, &brk, &hit);
    enum cv_replay_exit out = cv_timeline_reverse(w->j->tl);
    w->at = at != CV_NEVER ? at : 0;
    w->due = false;
    walker_check_state(w);
    if (at == CV_NEVER) {
        cr_assert_eq(out, CV_REPLAY_REACHED);
        return;
    }
    const struct cv_stop_place *place = cv_timeline_place(w->j->tl);
    cr_assert_eq(out, hit != NULL ? CV_REPLAY_HIT : CV_REPLAY_BREAK, "at %lu", (unsigned long)at);
    cr_assert_eq(place->at, at);
    cr_assert_eq(place->is_break, brk != NULL);
    cr_assert_eq(place->has_hit, hit != NULL);
    if (hit != NULL) {
        check_hit(w, &place->hit, hit);
    }
}
