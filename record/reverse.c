/*
 * reverse.c - the latest place before this one that counts
 *
 * A machine runs forward only, so the way back is a search: intervals between neighbouring checkpoints are run through with
 * all stops armed, from the latest backwards, and in one interval the last place that counts wins. By the spacing of
 * checkpoints (spacing.c) intervals are small first and grow with the distance.
 *
 * Crowds. Where places that count come every few steps, running through all of an interval's would be slow. After
 * CROWD_COUNTED of them (or CROWD_SEEN that did not count) the scan gives up and a bisection goes on: the later half of what
 * is left is scanned first, and only when nothing is there the earlier one. What is run twice by that is at most twice the
 * interval.
 *
 * Order of places (docs/decisions/0007-stops.md): the step from N is a place at N in this direction, as is a breakpoint at
 * N; the two are one place. A scan of [from, end) so sees the breakpoints from `from` to end - 1 and the steps that begin
 * there, the last of which is told at `end`.
 */
#include "record/timeline_private.h"

#define CROWD_COUNTED 64u
#define CROWD_SEEN    (1u << 16)
#define BISECT_STEPS  (1ull << 14) /* shorter scans are not worth a jump */

/* What was found in an interval. */
struct scan {
    bool found; /* `last` is the latest place in it that counts */
    struct cv_stop_place last;
    bool crowded; /* gave up: only what lies before `until` was looked at */
    cv_icount until;
};

static void note_place(struct scan *scan, const struct cv_stop_place *place)
{
    bool was_break = scan->found && scan->last.is_break && scan->last.at == place->at;
    scan->last = *place;
    scan->last.is_break = place->is_break || was_break;
    scan->found = true;
}

/* The last place that counts in [from, end): REACHED, and *scan. It depends on nothing but the trace and the stops, so
 * whoever has both (and any checkpoint at or before `from`) may do it; the machine is left anywhere in the interval.
 * Anything else: STOPPED, DIVERGED, and *scan says nothing. */
static enum cv_replay_exit scan_interval(struct cv_timeline *tl, cv_icount from,
                                         cv_icount end, struct scan *scan)
{
    unsigned seen = 0;
    unsigned counted = 0;
    *scan = (struct scan){.until = end};
    enum cv_replay_exit out = cv_timeline_go(tl, from);
    if (out != CV_REPLAY_REACHED) {
        return out;
    }
    if (!cv_timeline_arm(tl)) {
        return CV_REPLAY_STOPPED;
    }
    while ((out = cv_timeline_advance(tl, end)) == CV_REPLAY_BREAK ||
           out == CV_REPLAY_HIT) {
        struct cv_stop_place place;
        if (cv_timeline_judge(tl, out, false, &place)) {
            note_place(scan, &place);
            counted++;
        }
        seen++;
        cv_icount here = cv_timeline_now(tl);
        if ((counted >= CROWD_COUNTED || seen >= CROWD_SEEN) &&
            end - here > BISECT_STEPS) {
            scan->crowded = true;
            scan->until = here;
            return CV_REPLAY_REACHED;
        }
        if (seen % CV_TIMELINE_ASK_PLACES == 0 && !cv_timeline_ask(tl)) {
            return CV_REPLAY_STOPPED;
        }
        if (out == CV_REPLAY_BREAK) {
            cv_vm_skip_first_break(cv_replay_vm(tl->replay));
        }
    }
    return out == CV_REPLAY_END ? CV_REPLAY_REACHED : out;
}

/* The same for an interval that begins at a checkpoint, in a crowd, too. */
static enum cv_replay_exit search_interval(struct cv_timeline *tl, cv_icount floor,
                                           cv_icount end, struct scan *best)
{
    cv_icount from = floor;
    *best = (struct scan){.found = false};
    for (;;) { /* the answer lies in [floor, end), or it is *best */
        struct scan scan;
        enum cv_replay_exit out = scan_interval(tl, from, end, &scan);
        if (out != CV_REPLAY_REACHED) {
            return out;
        }
        if (scan.found) {
            *best = scan;
        }
        if (scan.crowded) {
            floor = scan.until;
        } else if (scan.found || from == floor) {
            return out;
        } else {
            end = from;
        }
        uint64_t rest = end - floor;
        from = rest > BISECT_STEPS ? floor + rest / 2 : floor;
    }
}

/* Where the interval that ends at `end` begins: at a checkpoint. A trace opened cold has few, but may store some. */
static enum cv_replay_exit find_floor(struct cv_timeline *tl, cv_icount end, cv_icount *floor)
{
    const struct cv_trace *trace = cv_replay_trace(tl->replay);
    enum cv_replay_exit out = CV_REPLAY_REACHED;
    size_t index = 0;
    size_t stored;
    cv_checkpoints_find(tl->store, end - 1, &index);
    *floor = cv_checkpoints_icount(tl->store, index);
    if (cv_trace_stored_find(trace, end - 1, &stored) &&
        cv_trace_stored(trace, stored)->icount > *floor + CV_TIMELINE_JUMP_STEPS) {
        out = cv_timeline_go(tl, cv_trace_stored(trace, stored)->icount);
        cv_checkpoints_find(tl->store, end - 1, &index);
        *floor = cv_checkpoints_icount(tl->store, index);
    }
    return out;
}

static enum cv_replay_exit search(struct cv_timeline *tl, cv_icount end, struct scan *best)
{
    cv_icount begin = cv_checkpoints_icount(tl->store, 0);
    *best = (struct scan){.found = false};
    while (end > begin && !best->found) {
        cv_icount floor;
        enum cv_replay_exit out = find_floor(tl, end, &floor);
        if (out == CV_REPLAY_REACHED) {
            out = search_interval(tl, floor, end, best);
        }
        if (out != CV_REPLAY_REACHED) {
            return out;
        }
        end = floor;
    }
    return CV_REPLAY_REACHED;
}

static bool has_stops(const struct cv_stops *stops)
{
    return stops->break_count > 0 || stops->watch_count > 0 || stops->taps != 0;
}

enum cv_replay_exit cv_timeline_reverse(struct cv_timeline *tl)
{
    cv_icount begin = cv_checkpoints_icount(tl->store, 0);
    cv_icount here = cv_timeline_now(tl);
    struct scan best = {.found = false};
    enum cv_replay_exit out = CV_REPLAY_REACHED;
    cv_timeline_begin(tl, here - begin, here);
    if (has_stops(&tl->stops)) {
        out = search(tl, here, &best);
    }
    if (out == CV_REPLAY_REACHED) {
        cv_icount there = best.found ? best.last.at : begin;
        tl->focus = there;
        out = cv_timeline_go(tl, there);
    }
    out = cv_timeline_finish(tl, out);
    if (out != CV_REPLAY_REACHED || !best.found) {
        return out;
    }
    tl->place = best.last;
    return best.last.has_hit ? CV_REPLAY_HIT : CV_REPLAY_BREAK;
}
