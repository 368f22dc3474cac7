/*
 * timeline.h - ordered checkpoints over a replay, and exact seeks
 *
 * Checkpoints are versions of pages plus machine state (record/checkpoint.h essay). The timeline keeps them dense
 * near the present and exponentially sparser away, within a memory bound.
 * Thread:  engine thread
 */
#ifndef CV_RECORD_TIMELINE_H
#define CV_RECORD_TIMELINE_H

#include "record/replayer.h"

struct cv_timeline;

struct cv_timeline_config {
    uint64_t memory_bytes; /* bound for page versions; default 1 GiB */
    uint64_t spacing;      /* steps between checkpoints while running forward; default 2^24 */
};
/* Called at least every 2^20 steps of a long travel; false cancels (the machine stays at a definite place,
 * and the travel returns CV_REPLAY_STOPPED). done/total in steps. */
typedef bool (*cv_progress_fn)(void *arg, uint64_t done, uint64_t total);

struct cv_timeline *cv_timeline_new(struct cv_replay *replay, const struct cv_timeline_config *config,
                                    struct cv_error *err);
void cv_timeline_free(struct cv_timeline *tl);
struct cv_replay *cv_timeline_replay(struct cv_timeline *tl);
void cv_timeline_progress(struct cv_timeline *tl, cv_progress_fn fn, void *arg);

/* Stands exactly at icount (clamped to the trace's end: then CV_REPLAY_END). Breakpoints are off meanwhile. */
enum cv_replay_exit cv_timeline_seek(struct cv_timeline *tl, cv_icount icount);
/* The sorted addresses at which cv_timeline_run() stops; copied. False: no memory. */
bool cv_timeline_breakpoints(struct cv_timeline *tl, const cv_gva *list, size_t count) CV_MUST_CHECK;
/* Runs forward with those breakpoints armed, taking checkpoints by policy. It goes at least one step: a
 * breakpoint at the place it starts from is not reported. */
enum cv_replay_exit cv_timeline_run(struct cv_timeline *tl, cv_icount limit);
/* Latest position < `before` at which a breakpoint of the list stops; stands there. CV_REPLAY_BREAK, or
 * CV_REPLAY_REACHED at icount 0 when there is none. The list is sorted. */
enum cv_replay_exit cv_timeline_reverse(struct cv_timeline *tl, const cv_gva *list, size_t count);

struct cv_timeline_stats {
    size_t checkpoints;
    uint64_t version_bytes, versions;
    uint64_t seeks, steps_run;
};
void cv_timeline_stats(const struct cv_timeline *tl, struct cv_timeline_stats *stats);

#endif
