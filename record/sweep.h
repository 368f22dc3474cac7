/*
 * sweep.h - every place of a range of the run, and what is made of it there, in the order of the run
 *
 * The range is cut at checkpoints, and when it is long copies of this process sweep parts of it beside this one
 * (record/copier.h). They make rows; rows are told here, in their order. Where a part begins depends on which checkpoints
 * there are, so what is told must not: a place makes the same row whichever part it is in.
 * Thread:  engine thread
 */
#ifndef CV_RECORD_SWEEP_H
#define CV_RECORD_SWEEP_H

#include "record/timeline.h"

#define CV_SWEEP_ROW_MAX 2048u

struct cv_sweep {
    struct cv_stops stops; /* counts and arg are not used */
    size_t row_bytes;      /* of a row, which is plain bytes; at most CV_SWEEP_ROW_MAX */
    /* begin, look and end may be called in a copy: what they change in memory stays there. They may read the machine, must
     * not move it. */
    void (*begin)(void *arg);                                                 /* where a part begins */
    bool (*look)(void *arg, const struct cv_stop_place *place, void *row);    /* false: no row */
    bool (*end)(void *arg, void *row);                                        /* where a part ends */
    bool (*tell)(void *arg, const void *row); /* here; false: enough */
    void *arg;
};

/* All of [from, to), breakpoints at `from` included; a step is in it when it begins there. REACHED; BREAK when tell() said
 * enough; STOPPED, DIVERGED. The machine is left anywhere, the timeline's stops are gone. */
enum cv_replay_exit cv_timeline_sweep(struct cv_timeline *tl, cv_icount from, cv_icount to, const struct cv_sweep *sweep);

#endif
