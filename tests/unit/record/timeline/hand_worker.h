/*
 * hand_worker.h - a background worker without a thread: work is done at once, or kept back for a while
 */
#ifndef TEST_TIMELINE_HAND_WORKER_H
#define TEST_TIMELINE_HAND_WORKER_H

#include "record/worker.h"

struct hand_worker {
    struct cv_worker worker;
    struct cv_work *first, **end;
    bool held; /* what is submitted waits, until somebody waits for it */
    uint64_t submitted, done;
};

void hand_worker_init(struct hand_worker *hand);
void hand_worker_hold(struct hand_worker *hand, bool held);

#endif
