/*
 * worker.h - work done beside the engine thread, by whoever has a thread to lend
 *
 * record/ makes no threads (DESIGN.md section 2): app gives it a worker; without one
 * (NULL) work is done at once by the caller, which is how tests run it. What is submitted
 * lives until it is done; submissions are run one after the other, in order.
 * Thread:  submit, done and wait on the engine thread; run on the worker's. Never while
 *          guest FPU state is live
 */
#ifndef CV_RECORD_WORKER_H
#define CV_RECORD_WORKER_H

#include "core/base/types.h"

struct cv_work {
    void (*run)(struct cv_work *work);
    struct cv_work *next; /* the worker's */
    bool done;            /* atomic; set behind run */
};

struct cv_worker {
    void *arg;
    void (*submit)(void *arg, struct cv_work *work);
    void (*wait)(void *arg, struct cv_work *work); /* until it is done */
};

/* Called by the worker. */
static inline void cv_work_run(struct cv_work *work)
{
    work->run(work);
    __atomic_store_n(&work->done, true, __ATOMIC_RELEASE);
}

static inline void cv_work_submit(const struct cv_worker *worker, struct cv_work *work)
{
    work->next = NULL;
    work->done = false;
    if (worker == NULL) {
        cv_work_run(work);
    } else {
        worker->submit(worker->arg, work);
    }
}

static inline bool cv_work_done(const struct cv_work *work)
{
    return __atomic_load_n(&work->done, __ATOMIC_ACQUIRE);
}

static inline void cv_work_wait(const struct cv_worker *worker, struct cv_work *work)
{
    if (worker != NULL) {
        worker->wait(worker->arg, work);
    }
}

#endif
