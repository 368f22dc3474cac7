/*
 * worker.h - the background thread: work that record/ wants done beside the engine thread
 *
 * Thread:  made, used and ended by the engine thread
 */
#ifndef CV_APP_ENGINE_WORKER_H
#define CV_APP_ENGINE_WORKER_H

#include "record/worker.h"

#include <pthread.h>

struct cv_background {
    struct cv_worker worker; /* what record/ is given */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    struct cv_work *first, *last;
    bool ending;
};

/* False: no thread; then work is done without one. */
bool cv_background_start(struct cv_background *bg);
/* Does what was submitted, and ends the thread. */
void cv_background_stop(struct cv_background *bg);

#endif
