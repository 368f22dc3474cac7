/*
 * interval.c - the last place in an interval that counts
 *
 * The machine is run through it from a checkpoint, with all stops armed.
 *
 * Crowds. Where places that count come every few steps, running through all of an interval's would be slow. After
 * CROWD_COUNTED of them (or CROWD_SEEN that did not count) the scan gives up and a bisection goes on: the later half of what
 * is left is scanned first, and only when nothing is there the earlier one. What is run twice by that is at most twice the
 * interval.
 */
#include "record/timeline_private.h"

#define CROWD_COUNTED 64u
#define CROWD_SEEN    (1u << 16)
#define BISECT_STEPS  (1ull << 14) /* shorter scans are not worth a jump */

/* What one run through it told. */
struct scan {
    struct cv_found last;
    bool crowded; /* gave up: only what lies before `until` was looked at */
    cv_icount until;
};

static void note_place(struct cv_found *last, const struct cv_stop_place *place)
{
    bool was_break = last->found && last->place.is_break && last->place.at == place->at;
    last->place = *place;
    last->place.is_break = place->is_break || was_break;
    last->found = true;
}

/* The last place that counts in [from, end): REACHED, and *scan; the machine is left anywhere in the interval. Anything
 * else: STOPPED, DIVERGED, and *scan says nothing. */
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
    tl->goal = tl->home; /* checkpoints as a way there leaves them: sparser, the farther back */
    while ((out = cv_timeline_advance(tl, end)) == CV_REPLAY_BREAK ||
           out == CV_REPLAY_HIT) {
        struct cv_stop_place place;
        if (cv_timeline_judge(tl, out, false, &place)) {
            note_place(&scan->last, &place);
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

enum cv_replay_exit cv_interval_search(struct cv_timeline *tl, cv_icount floor,
                                       cv_icount end, struct cv_found *best)
{
    cv_icount from = floor;
    *best = (struct cv_found){.found = false};
    for (;;) { /* the answer lies in [floor, end), or it is *best */
        struct scan scan;
        enum cv_replay_exit out = scan_interval(tl, from, end, &scan);
        if (out != CV_REPLAY_REACHED) {
            return out;
        }
        if (scan.last.found) {
            *best = scan.last;
        }
        if (scan.crowded) {
            floor = scan.until;
        } else if (scan.last.found || from == floor) {
            return out;
        } else {
            end = from;
        }
        uint64_t rest = end - floor;
        from = rest > BISECT_STEPS ? floor + rest / 2 : floor;
    }
}
