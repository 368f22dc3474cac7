/*
 * timeline.c - seeks, forward runs and reverse searches over the checkpoints of a replay
 *
 * Invariants:
 *   T1  the first checkpoint stands where the timeline began and is never dropped
 *   T2  a forward run halts at every checkpoint it passes, so that the store can adopt it
 *       (checkpoint.c, C4), and at least every PROGRESS_STEPS to ask whether to go on
 *   T3  the set of checkpoints never changes what the machine does, only how long a seek takes
 *
 * Which checkpoints. One each `spacing` steps of a forward run. A seek to P that comes from far
 * also leaves some just before P, at distances that fall by 16, since stepping backwards will ask
 * for P-1, P-2, ... When the bound is reached, the one goes whose loss hurts least: the ratio of
 * the gap it would leave to its distance from the present is smallest. That keeps gaps in
 * proportion to the distance, which is "dense near the present, exponentially sparser away".
 *
 * Reverse search. Intervals between neighbouring checkpoints are scanned from the latest
 * backwards; by the policy above they are small first and grow with the distance. In one interval
 * the last hit wins. When a place is hit very often, running through all hits would be slow, so
 * after HITS_MAX hits the scan jumps to the middle of what remains: a bisection for the last hit.
 */
#include "record/timeline.h"
#include "core/base/log.h"
#include "core/cpu/regs.h"
#include "record/checkpoint.h"
#include "record/pages.h"

#include <stdlib.h>
#include <string.h>

#define MEMORY_DEFAULT  (1ull << 30)
#define SPACING_DEFAULT (1ull << 24)
#define SPACING_MIN     (1ull << 10)
#define CHECKPOINTS_MAX 1024u
#define PROGRESS_STEPS  (1ull << 20)
#define STATE_CAP       (CV_VM_STATE_MAX + 65536u) /* machine and cursor */
#define HITS_MAX        64u
#define BISECT_STEPS    (1ull << 14) /* shorter scans are not worth a jump */
#define NOWHERE         CV_NEVER

static const unsigned char FINE_SHIFTS[] = {20, 16, 12, 8};
#define FINE_COUNT CV_ARRAY_LEN(FINE_SHIFTS)

struct cv_timeline {
    struct cv_replay *replay;
    struct cv_pages *pages;
    int pages_id;
    struct cv_checkpoints *store;
    struct cv_timeline_config config;
    uint8_t *state; /* STATE_CAP */
    cv_progress_fn progress;
    void *progress_arg;
    uint64_t done, total; /* of the travel under way */
    cv_gva *wanted, *armed; /* `armed` is borrowed by the machine */
    size_t wanted_count, armed_count;
    cv_icount fine[FINE_COUNT]; /* where the seek under way leaves checkpoints */
    bool lost;                  /* the machine is in no state of the trace: restore first */
    uint64_t seeks, steps_run;
};

static void open_epoch(void *arg)
{
    struct cv_timeline *tl = arg;
    cv_pages_mark(tl->pages, tl->pages_id);
}

static cv_icount now(const struct cv_timeline *tl)
{
    return cv_replay_icount(tl->replay);
}

static cv_icount end_of(const struct cv_timeline *tl)
{
    return cv_trace_info(cv_replay_trace(tl->replay))->end.icount;
}

/* -- breakpoints ------------------------------------------------------------------------------- */

static bool copy_list(const cv_gva *list, size_t count, cv_gva **out)
{
    *out = NULL;
    if (count == 0) {
        return true;
    }
    *out = malloc(count * sizeof(**out));
    if (*out == NULL) {
        return false;
    }
    memcpy(*out, list, count * sizeof(**out));
    return true;
}

/* Gives the machine this list; it compares with the one it has, so that one is freed after. */
static bool arm(struct cv_timeline *tl, const cv_gva *list, size_t count)
{
    cv_gva *copy;
    if (count == tl->armed_count &&
        (count == 0 || memcmp(list, tl->armed, count * sizeof(*list)) == 0)) {
        return true;
    }
    if (!copy_list(list, count, &copy)) {
        return false;
    }
    cv_vm_breakpoints(cv_replay_vm(tl->replay), copy, count);
    free(tl->armed);
    tl->armed = copy;
    tl->armed_count = count;
    return true;
}

static void disarm(struct cv_timeline *tl)
{
    bool ok = arm(tl, NULL, 0); /* needs no memory */
    (void)ok;
}

bool cv_timeline_breakpoints(struct cv_timeline *tl, const cv_gva *list, size_t count)
{
    cv_gva *copy;
    if (!copy_list(list, count, &copy)) {
        return false;
    }
    free(tl->wanted);
    tl->wanted = copy;
    tl->wanted_count = count;
    return true;
}

/* The next run goes over a breakpoint that stands where the machine is. */
static void skip_here(struct cv_timeline *tl)
{
    struct cv_vm *vm = cv_replay_vm(tl->replay);
    uint64_t rip = cv_vm_cpu(vm, 0)->rip;
    for (size_t i = 0; i < tl->armed_count; i++) {
        if (tl->armed[i] == rip) {
            cv_vm_skip_first_break(vm);
            return;
        }
    }
}

/* -- checkpoints ------------------------------------------------------------------------------- */

static double cost_of_loss(const struct cv_timeline *tl, size_t index)
{
    const struct cv_checkpoints *store = tl->store;
    cv_icount at = cv_checkpoints_icount(store, index);
    cv_icount before = cv_checkpoints_icount(store, index - 1);
    cv_icount after = index + 1 < cv_checkpoints_count(store)
                          ? cv_checkpoints_icount(store, index + 1)
                          : at + (at - before);
    cv_icount here = now(tl);
    double distance = at > here ? (double)(at - here) : (double)(here - at);
    return (double)(after - before) / (distance + (double)(1u << FINE_SHIFTS[FINE_COUNT - 1]));
}

static bool is_over_bound(const struct cv_timeline *tl)
{
    return cv_checkpoints_bytes(tl->store) > tl->config.memory_bytes ||
           cv_checkpoints_count(tl->store) > CHECKPOINTS_MAX;
}

static void keep_bound(struct cv_timeline *tl)
{
    while (is_over_bound(tl)) {
        size_t base = 0;
        size_t victim = 0;
        double least = 0;
        cv_checkpoints_base(tl->store, &base);
        for (size_t i = 1; i < cv_checkpoints_count(tl->store); i++) {
            double cost = i == base ? 0 : cost_of_loss(tl, i);
            if (i != base && (victim == 0 || cost < least)) {
                victim = i;
                least = cost;
            }
        }
        if (victim == 0) {
            return;
        }
        cv_checkpoints_drop(tl->store, victim);
    }
}

/* A checkpoint where the machine stands. That it fails for lack of memory only costs time. */
static void take(struct cv_timeline *tl)
{
    size_t len = cv_replay_save(tl->replay, tl->state, STATE_CAP);
    if (len == 0 || len > STATE_CAP ||
        !cv_checkpoints_take(tl->store, now(tl), tl->state, len)) {
        cv_log("timeline", CV_LOG_WARN, "no checkpoint at %llu", (unsigned long long)now(tl));
    }
}

static enum cv_replay_exit restore(struct cv_timeline *tl, size_t index)
{
    const uint8_t *state;
    size_t len;
    cv_checkpoints_restore(tl->store, index, &state, &len);
    tl->lost = !cv_replay_load(tl->replay, state, len);
    return tl->lost ? CV_REPLAY_DIVERGED : CV_REPLAY_REACHED;
}

/* -- running forward --------------------------------------------------------------------------- */

static bool is_fine_point(const struct cv_timeline *tl, cv_icount at)
{
    for (size_t i = 0; i < FINE_COUNT; i++) {
        if (tl->fine[i] == at) {
            return true;
        }
    }
    return false;
}

static cv_icount base_icount(const struct cv_timeline *tl)
{
    size_t base = 0;
    cv_checkpoints_base(tl->store, &base);
    return cv_checkpoints_icount(tl->store, base);
}

static cv_icount next_checkpoint(const struct cv_timeline *tl)
{
    size_t base = 0;
    cv_checkpoints_base(tl->store, &base);
    return base + 1 < cv_checkpoints_count(tl->store)
               ? cv_checkpoints_icount(tl->store, base + 1)
               : CV_NEVER;
}

static cv_icount earlier(cv_icount a, cv_icount b)
{
    return a < b ? a : b;
}

static cv_icount next_halt(const struct cv_timeline *tl, cv_icount limit)
{
    cv_icount here = now(tl);
    cv_icount halt = earlier(limit, here + PROGRESS_STEPS);
    cv_icount regular = base_icount(tl) + tl->config.spacing;
    halt = earlier(halt, next_checkpoint(tl));
    if (regular > here) {
        halt = earlier(halt, regular);
    }
    for (size_t i = 0; i < FINE_COUNT; i++) {
        if (tl->fine[i] > here) {
            halt = earlier(halt, tl->fine[i]);
        }
    }
    return halt;
}

static bool ask_progress(struct cv_timeline *tl)
{
    if (tl->progress == NULL) {
        return true;
    }
    uint64_t done = tl->done < tl->total ? tl->done : tl->total;
    return tl->progress(tl->progress_arg, done, tl->total);
}

/* From here to limit, with whatever breakpoints are armed. */
static enum cv_replay_exit advance(struct cv_timeline *tl, cv_icount limit)
{
    while (now(tl) < limit) {
        cv_icount from = now(tl);
        cv_icount halt = next_halt(tl, limit);
        enum cv_replay_exit out = cv_replay_run(tl->replay, halt);
        uint64_t steps = now(tl) - from;
        tl->done += steps;
        tl->steps_run += steps;
        if (out == CV_REPLAY_DIVERGED) {
            tl->lost = true;
        }
        if (out != CV_REPLAY_REACHED) {
            return out;
        }
        if (halt == next_checkpoint(tl) || is_fine_point(tl, halt) ||
            halt - base_icount(tl) >= tl->config.spacing) {
            take(tl);
        }
        keep_bound(tl);
        if (!ask_progress(tl)) {
            return CV_REPLAY_STOPPED;
        }
    }
    return CV_REPLAY_REACHED;
}

static void begin_travel(struct cv_timeline *tl, uint64_t total)
{
    tl->done = 0;
    tl->total = total;
}

/* -- seeking ----------------------------------------------------------------------------------- */

static void set_fine_points(struct cv_timeline *tl, cv_icount from, cv_icount to)
{
    for (size_t i = 0; i < FINE_COUNT; i++) {
        uint64_t back = 1ull << FINE_SHIFTS[i];
        bool worth = to - from > back + back / 2;
        tl->fine[i] = worth ? to - back : NOWHERE;
    }
}

static void clear_fine_points(struct cv_timeline *tl)
{
    for (size_t i = 0; i < FINE_COUNT; i++) {
        tl->fine[i] = NOWHERE;
    }
}

/* Disarmed, to exactly icount, which is not after the end. */
static enum cv_replay_exit go_to(struct cv_timeline *tl, cv_icount icount)
{
    size_t index;
    if (!cv_checkpoints_find(tl->store, icount, &index)) {
        index = 0; /* before the first position there is */
        icount = cv_checkpoints_icount(tl->store, 0);
    }
    disarm(tl);
    cv_icount nearest = cv_checkpoints_icount(tl->store, index);
    if (tl->lost || now(tl) > icount || now(tl) < nearest) {
        enum cv_replay_exit out = restore(tl, index);
        if (out != CV_REPLAY_REACHED) {
            return out;
        }
    }
    set_fine_points(tl, now(tl), icount);
    enum cv_replay_exit out = advance(tl, icount);
    clear_fine_points(tl);
    return out;
}

enum cv_replay_exit cv_timeline_seek(struct cv_timeline *tl, cv_icount icount)
{
    cv_icount end = end_of(tl);
    bool clamped = icount > end;
    icount = clamped ? end : icount;
    tl->seeks++;
    begin_travel(tl, icount > now(tl) ? icount - now(tl) : now(tl) - icount);
    enum cv_replay_exit out = go_to(tl, icount);
    if (clamped && out == CV_REPLAY_REACHED) {
        return CV_REPLAY_END;
    }
    return !clamped && out == CV_REPLAY_END && now(tl) == icount ? CV_REPLAY_REACHED : out;
}

enum cv_replay_exit cv_timeline_run(struct cv_timeline *tl, cv_icount limit)
{
    if (tl->lost) {
        return CV_REPLAY_DIVERGED;
    }
    if (now(tl) >= limit) {
        return CV_REPLAY_REACHED;
    }
    if (!arm(tl, tl->wanted, tl->wanted_count)) {
        return CV_REPLAY_STOPPED;
    }
    begin_travel(tl, earlier(limit, end_of(tl)) - earlier(now(tl), end_of(tl)));
    skip_here(tl);
    return advance(tl, limit);
}

/* -- searching backwards ----------------------------------------------------------------------- */

struct scan {
    const cv_gva *list;
    size_t count;
    cv_icount floor; /* start of the region not yet searched */
    bool floor_hit;  /* floor is a hit itself, already known */
    cv_icount end;   /* hits are looked for before this */
    cv_icount best;  /* the latest known hit, or NOWHERE */
};

/* Scans [from, scan->end) forwards. *last: the last hit or NOWHERE; *full: it broke off there. */
static enum cv_replay_exit scan_once(struct cv_timeline *tl, const struct scan *scan,
                                     cv_icount from, cv_icount *last, bool *full)
{
    unsigned hits = 0;
    *last = NOWHERE;
    *full = false;
    enum cv_replay_exit out = go_to(tl, from);
    if (out != CV_REPLAY_REACHED && out != CV_REPLAY_END) {
        return out;
    }
    size_t base = 0;
    cv_checkpoints_base(tl->store, &base);
    if (from - cv_checkpoints_icount(tl->store, base) > BISECT_STEPS) {
        take(tl); /* the bisection may come back to it */
        keep_bound(tl);
    }
    if (!arm(tl, scan->list, scan->count)) {
        return CV_REPLAY_STOPPED;
    }
    if (from == scan->floor && scan->floor_hit) {
        skip_here(tl);
    }
    while ((out = advance(tl, scan->end)) == CV_REPLAY_BREAK && now(tl) < scan->end) {
        *last = now(tl);
        if (++hits >= HITS_MAX && scan->end - *last > BISECT_STEPS) {
            *full = true;
            return CV_REPLAY_REACHED;
        }
        if ((hits & 63) == 0 && !ask_progress(tl)) {
            return CV_REPLAY_STOPPED;
        }
        skip_here(tl);
    }
    return out == CV_REPLAY_END || out == CV_REPLAY_BREAK ? CV_REPLAY_REACHED : out;
}

/* The last hit in [floor, end): scan->best. */
static enum cv_replay_exit search_interval(struct cv_timeline *tl, struct scan *scan)
{
    cv_icount from = scan->floor;
    for (;;) {
        cv_icount last;
        bool full;
        enum cv_replay_exit out = scan_once(tl, scan, from, &last, &full);
        if (out != CV_REPLAY_REACHED) {
            return out;
        }
        if (full) {
            scan->best = last;
            scan->floor = last;
            scan->floor_hit = true;
        } else if (last != NOWHERE) {
            scan->best = last;
            return out;
        } else if (from == scan->floor) {
            return out;
        } else {
            scan->end = from;
        }
        uint64_t rest = scan->end - scan->floor;
        from = rest > BISECT_STEPS ? scan->floor + rest / 2 : scan->floor;
    }
}

enum cv_replay_exit cv_timeline_reverse(struct cv_timeline *tl, const cv_gva *list, size_t count)
{
    cv_icount begin = cv_checkpoints_icount(tl->store, 0);
    cv_icount end = now(tl);
    begin_travel(tl, end - begin);
    while (count > 0 && end > begin) {
        size_t index = 0;
        cv_checkpoints_find(tl->store, end - 1, &index);
        struct scan scan = {.list = list,
                            .count = count,
                            .floor = cv_checkpoints_icount(tl->store, index),
                            .end = end,
                            .best = NOWHERE};
        end = scan.floor;
        enum cv_replay_exit out = search_interval(tl, &scan);
        if (out != CV_REPLAY_REACHED) {
            return out;
        }
        if (scan.best != NOWHERE) {
            out = go_to(tl, scan.best);
            return out == CV_REPLAY_REACHED || out == CV_REPLAY_END ? CV_REPLAY_BREAK : out;
        }
    }
    return go_to(tl, begin);
}

/* -- life -------------------------------------------------------------------------------------- */

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
    take(tl);
    return cv_checkpoints_count(tl->store) == 1;
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
    if (tl->config.spacing == 0) {
        tl->config.spacing = SPACING_DEFAULT;
    }
    if (tl->config.spacing < SPACING_MIN) {
        tl->config.spacing = SPACING_MIN;
    }
    clear_fine_points(tl);
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
    free(tl->state);
    free(tl->wanted);
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
        .versions = cv_checkpoints_versions(tl->store),
        .seeks = tl->seeks,
        .steps_run = tl->steps_run,
    };
}
