/*
 * copier.h - copies of this process that work beside it, by whoever can make some
 *
 * record/ makes no processes (DESIGN.md section 2): app gives it a copier. A copy has all memory as it was when it was made
 * and one thread; what it finds out it says over its link. That costs nothing to set up: the machine, its checkpoints and
 * what is looked for are there already.
 * Thread:  start and end on the engine thread, never while guest FPU state is live
 */
#ifndef CV_RECORD_COPIER_H
#define CV_RECORD_COPIER_H

#include "core/base/types.h"

#define CV_COPIES_MAX 7u

struct cv_copier {
    void *arg;
    unsigned max;       /* copies at a time, at most CV_COPIES_MAX */
    uint64_t min_steps; /* work of fewer steps is done sooner than a copy is made */
    /* Copy number `which` (< max) calls serve(serve_arg, link) and ends when that returns; of the descriptors it has its
     * link, and the trace's. Returns the other end of the link (SOCK_SEQPACKET), or -1: it cannot be had now. */
    int (*start)(void *arg, unsigned which, void (*serve)(void *serve_arg, int link), void *serve_arg);
    /* Closes the link's end here; the copy sees that and ends by itself. */
    void (*end)(void *arg, unsigned which);
};

#endif
