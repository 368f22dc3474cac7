/*
 * timeline.c - stops, seeks and forward runs over the checkpoints of a replay
 *
 * Invariants:
 *   T1  the first checkpoint stands where the timeline began and is never dropped
 *   T2  a forward run halts at every checkpoint it passes, so that the store can adopt it (checkpoint.c, C4), and at least
 *       every PROGRESS_STEPS to ask whether to go on
 *   T3  the set of checkpoints never changes what the machine does, only how long a seek takes
 *   T4  a checkpoint is taken only where a run reached its limit: inputs and device events at that icount are still to
 *       come. (At a breakpoint they have been served; a search from there would miss what they touch.)
 *   T5  on the way to a known place no stops are armed
 *
 * A travel that is cancelled on its way to a known place goes back to where it began (`home`, whose checkpoint is not
 * dropped meanwhile), without asking again: that is a restore and at most `spacing` steps.
 */
#include "record/timeline_private.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/cpu/regs.h"
#include "core/mem/ram.h"
#include "record/keyframe_load.h"
#include "record/pages.h"

#include <stdlib.h>

#define MEMORY_DEFAULT  (1ull << 30)
#define SPACING_DEFAULT (1ull << 24)
#define SPACING_MIN     (1ull << 10)
#define PROGRESS_STEPS  (1ull << 20)
#define STATE_CAP       (CV_VM_STATE_MAX + 65536u) /* machine and cursor */

static void open_epoch(void *arg)
{
    struct cv_timeline *tl = arg;
    cv_pages_mark(tl->pages, tl->pages_id);
}

cv_icount cv_timeline_now(const struct cv_timeline *tl)
{
    return cv_replay_icount(tl->replay);
}

static cv_icount end_of(const struct cv_timeline *tl)
{
    return cv_trace_info(cv_replay_trace(tl->replay))->end.icount;
}

static cv_icount earlier(cv_icount a, cv_icount b)
{
    return a < b ? a : b;
}

/* -- stops ------------------------------------------------------------------------------------- */

static void disarm(struct cv_timeline *tl)
{
    struct cv_vm *vm = cv_replay_vm(tl->replay);
    if (tl->armed) {
        cv_vm_breakpoints(vm, NULL, 0);
        bool ok = cv_vm_watch(vm, NULL, 0, 0); /* needs no memory */
        (void)ok;
        tl->armed = false;
    }
}

bool cv_timeline_arm(struct cv_timeline *tl)
{
    struct cv_vm *vm = cv_replay_vm(tl->replay);
    const struct cv_stops *s = &tl->stops;
    if (tl->armed) {
        return true;
    }
    if (!cv_vm_watch(vm, s->watches, s->watch_count, s->taps)) {
        return false;
    }
    cv_vm_breakpoints(vm, s->breaks, s->break_count);
    tl->armed = true;
    return true;
}

bool cv_timeline_stops(struct cv_timeline *tl, const struct cv_stops *stops)
{
    if (stops->watch_count > CV_WATCHES_MAX) {
        return false;
    }
    disarm(tl);
    tl->stops = *stops;
    return true;
}

static bool is_at_break(const struct cv_timeline *tl)
{
    uint64_t rip = cv_vm_cpu(cv_replay_vm(tl->replay), 0)->rip;
    size_t lo = 0;
    size_t hi = tl->stops.break_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (tl->stops.breaks[mid] < rip) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < tl->stops.break_count && tl->stops.breaks[lo] == rip;
}

void cv_timeline_skip_here(struct cv_timeline *tl)
{
    if (is_at_break(tl)) {
        cv_vm_skip_first_break(cv_replay_vm(tl->replay));
    }
}

bool cv_timeline_judge(struct cv_timeline *tl, enum cv_replay_exit out, bool forward,
                       struct cv_stop_place *place)
{
    *place = (struct cv_stop_place){.at = cv_timeline_now(tl),
                                    .is_break = out == CV_REPLAY_BREAK};
    if (out == CV_REPLAY_HIT) {
        place->has_hit = true;
        place->hit = *cv_vm_hit(cv_replay_vm(tl->replay));
        place->at = forward ? place->at : place->hit.step;
    }
    return tl->stops.counts == NULL || tl->stops.counts(tl->stops.arg, place);
}

/* Did the machine end in a step that was looked for? It says so only when it is asked. */
static bool ended_in_hit(struct cv_timeline *tl, cv_icount from)
{
    struct cv_vm *vm = cv_replay_vm(tl->replay);
    const struct cv_tap_hit *hit =
        tl->armed && cv_vm_end(vm, NULL) != CV_END_NONE ? cv_vm_hit(vm) : NULL;
    return hit != NULL && hit->step >= from;
}

/* -- checkpoints ------------------------------------------------------------------------------- */

void cv_timeline_take(struct cv_timeline *tl)
{
    size_t len = cv_replay_save(tl->replay, tl->state, STATE_CAP);
    cv_checkpoints_settle(tl->store);
    cv_spacing_make_place(tl, cv_checkpoints_take_bytes(tl->store, len));
    if (len == 0 || len > STATE_CAP ||
        !cv_checkpoints_take(tl->store, cv_timeline_now(tl), tl->state, len)) {
        cv_log("timeline", CV_LOG_DEBUG, "no checkpoint at %llu",
               (unsigned long long)cv_timeline_now(tl));
    }
}

/* The latest checkpoint at or before icount. */
static enum cv_replay_exit restore(struct cv_timeline *tl, cv_icount icount)
{
    const uint8_t *state;
    size_t len;
    size_t index = 0;
    bool thrifty = cv_spacing_make_room(tl, icount);
    cv_checkpoints_find(tl->store, icount, &index);
    cv_checkpoints_restore(tl->store, index, thrifty, &state, &len);
    cv_checkpoints_settle(tl->store);
    tl->lost = !cv_replay_load(tl->replay, state, len);
    return tl->lost ? CV_REPLAY_DIVERGED : CV_REPLAY_REACHED;
}

/* -- running forward --------------------------------------------------------------------------- */

bool cv_timeline_ask(struct cv_timeline *tl)
{
    if (tl->progress != NULL && !tl->deaf) {
        uint64_t done = tl->done < tl->total ? tl->done : tl->total;
        tl->cancelled = tl->cancelled || !tl->progress(tl->progress_arg, done, tl->total);
    }
    if (tl->turn != NULL) {
        tl->turn(tl->turn_arg);
    }
    return !tl->cancelled && !tl->moot;
}

static bool is_wanted(void *arg, uint64_t done, uint64_t total)
{
    const int *link = arg;
    (void)done;
    (void)total;
    return cv_scout_wanted(*link);
}

/* Its checkpoints serve nobody but itself, so they are few; there is no thread to pack them. */
void cv_timeline_become_scout(struct cv_timeline *tl, const int *link)
{
    tl->turn = NULL;
    tl->config.worker = NULL;
    tl->config.copier = NULL;
    if (tl->config.spacing < CV_TIMELINE_JUMP_STEPS) {
        tl->config.spacing = CV_TIMELINE_JUMP_STEPS;
    }
    cv_timeline_progress(tl, is_wanted, (void *)(uintptr_t)link);
}

enum cv_replay_exit cv_timeline_advance(struct cv_timeline *tl, cv_icount limit)
{
    while (cv_timeline_now(tl) < limit) {
        cv_icount from = cv_timeline_now(tl);
        cv_icount fresh = cv_spacing_next(tl);
        cv_icount ahead = cv_spacing_ahead(tl);
        cv_icount halt =
            earlier(earlier(limit, from + PROGRESS_STEPS), earlier(fresh, ahead));
        enum cv_replay_exit out = cv_replay_run(tl->replay, halt);
        cv_checkpoints_settle(tl->store);
        uint64_t steps = cv_timeline_now(tl) - from;
        tl->done += steps;
        tl->steps_run += steps;
        if (out == CV_REPLAY_DIVERGED) {
            tl->lost = true;
        }
        if ((out == CV_REPLAY_REACHED || out == CV_REPLAY_END) &&
            ended_in_hit(tl, from)) {
            return CV_REPLAY_HIT;
        }
        if (out != CV_REPLAY_REACHED) {
            return out;
        }
        if (halt == fresh || halt == ahead) {
            cv_timeline_take(tl);
        }
        if (tl->config.worker != NULL) {
            cv_checkpoints_pack(tl->store, tl->config.worker);
        }
        cv_spacing_keep_bound(tl);
        if (!cv_timeline_ask(tl)) {
            return CV_REPLAY_STOPPED;
        }
    }
    return CV_REPLAY_REACHED;
}

void cv_timeline_begin(struct cv_timeline *tl, uint64_t total, cv_icount goal)
{
    tl->done = 0;
    tl->total = total;
    tl->cancelled = false;
    tl->break_due = CV_TIMELINE_NOWHERE;
    tl->goal = goal;
    tl->focus = goal;
    tl->home = cv_timeline_now(tl);
}

/* -- seeking ----------------------------------------------------------------------------------- */

static bool go_on(void *arg)
{
    return cv_timeline_ask(arg);
}

/* Over what a stored checkpoint of the trace spares; then one stands there, too. No checkpoint lies in between. */
static void jump_near(struct cv_timeline *tl, cv_icount icount)
{
    const struct cv_trace *trace = cv_replay_trace(tl->replay);
    cv_icount here = cv_timeline_now(tl);
    size_t i;
    if (cv_trace_stored_find(trace, icount, &i) &&
        cv_trace_stored(trace, i)->icount > here + CV_TIMELINE_JUMP_STEPS &&
        cv_replay_jump_near(tl->replay, icount, go_on, tl)) {
        tl->done += cv_timeline_now(tl) - here;
        cv_timeline_take(tl);
    }
}

enum cv_replay_exit cv_timeline_go(struct cv_timeline *tl, cv_icount icount)
{
    size_t index = 0;
    cv_icount here = cv_timeline_now(tl);
    bool known = cv_checkpoints_find(tl->store, icount, &index);
    CV_ASSERT(known); /* T1 */
    if (tl->lost || here > icount || here < cv_checkpoints_icount(tl->store, index)) {
        enum cv_replay_exit out = restore(tl, icount);
        if (out != CV_REPLAY_REACHED) {
            return out;
        }
    }
    if (cv_timeline_now(tl) < icount) {
        disarm(tl);
    }
    tl->goal = icount;
    jump_near(tl, icount);
    enum cv_replay_exit out = cv_timeline_advance(tl, icount);
    tl->goal = CV_TIMELINE_NOWHERE;
    return out;
}

enum cv_replay_exit cv_timeline_finish(struct cv_timeline *tl, enum cv_replay_exit out)
{
    struct cv_vm *vm = cv_replay_vm(tl->replay);
    bool told_to_stop = out == CV_REPLAY_STOPPED && !tl->cancelled; /* cv_vm_stop() */
    enum cv_replay_exit back = out;
    tl->deaf = true;
    while (back == CV_REPLAY_STOPPED) {
        cv_vm_clear_stop(vm);
        back = cv_timeline_go(tl, tl->home);
    }
    tl->deaf = false;
    if (told_to_stop) {
        cv_vm_stop(vm);
    }
    return out == CV_REPLAY_STOPPED && back == CV_REPLAY_DIVERGED ? back : out;
}

enum cv_replay_exit cv_timeline_seek(struct cv_timeline *tl, cv_icount icount)
{
    cv_icount begin = cv_checkpoints_icount(tl->store, 0);
    cv_icount end = end_of(tl);
    cv_icount here = cv_timeline_now(tl);
    bool clamped = icount > end;
    icount = clamped ? end : icount;
    icount = icount < begin ? begin : icount;
    tl->seeks++;
    cv_timeline_begin(tl, icount > here ? icount - here : here - icount, icount);
    enum cv_replay_exit out = cv_timeline_finish(tl, cv_timeline_go(tl, icount));
    if (clamped && out == CV_REPLAY_REACHED) {
        return CV_REPLAY_END;
    }
    return !clamped && out == CV_REPLAY_END && cv_timeline_now(tl) == icount
               ? CV_REPLAY_REACHED
               : out;
}

enum cv_replay_exit cv_timeline_run(struct cv_timeline *tl, cv_icount limit)
{
    cv_icount here = cv_timeline_now(tl);
    bool due = tl->break_due == here;
    unsigned passed = 0;
    if (tl->lost) {
        return CV_REPLAY_DIVERGED;
    }
    if (here >= limit) {
        return CV_REPLAY_REACHED;
    }
    if (!cv_timeline_arm(tl)) {
        return CV_REPLAY_STOPPED;
    }
    cv_timeline_begin(tl, earlier(limit, end_of(tl)) - earlier(here, end_of(tl)),
                      CV_TIMELINE_NOWHERE);
    if (!due) {
        cv_timeline_skip_here(tl);
    }
    for (;;) {
        enum cv_replay_exit out = cv_timeline_advance(tl, limit);
        if (out != CV_REPLAY_BREAK && out != CV_REPLAY_HIT) {
            return out;
        }
        if (cv_timeline_judge(tl, out, true, &tl->place)) {
            tl->break_due =
                out == CV_REPLAY_HIT ? cv_timeline_now(tl) : CV_TIMELINE_NOWHERE;
            return out;
        }
        if (++passed % CV_TIMELINE_ASK_PLACES == 0 && !cv_timeline_ask(tl)) {
            return CV_REPLAY_STOPPED;
        }
        if (out == CV_REPLAY_BREAK) {
            cv_vm_skip_first_break(cv_replay_vm(tl->replay));
        }
    }
}

const struct cv_stop_place *cv_timeline_place(const struct cv_timeline *tl)
{
    return &tl->place;
}

/* -- life -------------------------------------------------------------------------------------- */

/* What RAM holds of the images needs no copy. */
static void borrow_images(struct cv_timeline *tl)
{
    const struct cv_ram *ram = cv_vm_ram(cv_replay_vm(tl->replay));
    cv_checkpoints_use_images(tl->store, &tl->images);
    for (cv_gpa gpa = 0; gpa < ram->span; gpa += CV_PAGE_SIZE) {
        if (cv_ram_has(ram, gpa, CV_PAGE_SIZE) &&
            !cv_pages_never_written(tl->pages, gpa)) {
            cv_checkpoints_borrow(tl->store, gpa);
        }
    }
}

static bool open_store(struct cv_timeline *tl)
{
    struct cv_pages_consumer consumer = {.on_first_write = cv_checkpoints_first_write};
    tl->pages = cv_replay_pages(tl->replay);
    tl->store = cv_checkpoints_new(cv_vm_ram(cv_replay_vm(tl->replay)), open_epoch, tl);
    tl->state = malloc(STATE_CAP);
    if (tl->store == NULL || tl->state == NULL) {
        return false;
    }
    consumer.arg = tl->store;
    tl->pages_id = cv_pages_attach(tl->pages, &consumer);
    if (tl->pages_id < 0) {
        return false;
    }
    cv_timeline_take(tl);
    if (cv_checkpoints_count(tl->store) != 1) {
        return false;
    }
    borrow_images(tl);
    cv_checkpoints_set_limit(tl->store, tl->config.memory_bytes);
    return true;
}

/* A bound that the first checkpoint alone does not keep is of no use. */
static void raise_bound(struct cv_timeline *tl)
{
    const struct cv_ram *ram = cv_vm_ram(cv_replay_vm(tl->replay));
    uint64_t least = cv_checkpoints_least_bytes(ram->span) + cv_images_bytes(&tl->images);
    if (tl->config.memory_bytes < least) {
        cv_log("timeline", CV_LOG_ERROR,
               "checkpoints of %llu MiB of guest memory take at least %llu KiB: that is "
               "the bound now, not %llu KiB",
               (unsigned long long)(ram->bytes >> 20), (unsigned long long)(least >> 10),
               (unsigned long long)(tl->config.memory_bytes >> 10));
        tl->config.memory_bytes = least;
    }
}

struct cv_timeline *cv_timeline_new(struct cv_replay *replay,
                                    const struct cv_timeline_config *config,
                                    struct cv_error *err)
{
    struct cv_timeline *tl = calloc(1, sizeof(*tl));
    if (tl == NULL) {
        cv_error_set(err, CV_EXIT_OS, "memory: none for a timeline");
        return NULL;
    }
    tl->replay = replay;
    tl->pages_id = -1;
    if (config != NULL) {
        tl->config = *config;
    }
    if (tl->config.memory_bytes == 0) {
        tl->config.memory_bytes = MEMORY_DEFAULT;
    }
    cv_images_init(&tl->images, cv_trace_config(cv_replay_trace(replay)));
    raise_bound(tl);
    if (tl->config.spacing == 0) {
        tl->config.spacing = SPACING_DEFAULT;
    }
    if (tl->config.spacing < SPACING_MIN) {
        tl->config.spacing = SPACING_MIN;
    }
    tl->break_due = CV_TIMELINE_NOWHERE;
    tl->goal = CV_TIMELINE_NOWHERE;
    tl->focus = CV_TIMELINE_NOWHERE;
    if (!open_store(tl)) {
        cv_timeline_free(tl);
        cv_error_set(err, CV_EXIT_OS, "memory: none for checkpoints");
        return NULL;
    }
    return tl;
}

void cv_timeline_free(struct cv_timeline *tl)
{
    if (tl == NULL) {
        return;
    }
    disarm(tl);
    if (tl->pages_id >= 0) {
        cv_pages_detach(tl->pages, tl->pages_id);
    }
    cv_checkpoints_free(tl->store);
    cv_images_fini(&tl->images);
    free(tl->state);
    free(tl);
}

struct cv_replay *cv_timeline_replay(struct cv_timeline *tl)
{
    return tl->replay;
}

void cv_timeline_progress(struct cv_timeline *tl, cv_progress_fn fn, void *arg)
{
    tl->progress = fn;
    tl->progress_arg = arg;
}

void cv_timeline_stats(const struct cv_timeline *tl, struct cv_timeline_stats *stats)
{
    *stats = (struct cv_timeline_stats){
        .checkpoints = cv_checkpoints_count(tl->store),
        .version_bytes = cv_checkpoints_bytes(tl->store),
        .peak_bytes = cv_checkpoints_peak(tl->store),
        .versions = cv_checkpoints_versions(tl->store),
        .seeks = tl->seeks,
        .steps_run = tl->steps_run,
        .parts_scouted = tl->parts_scouted,
    };
}
