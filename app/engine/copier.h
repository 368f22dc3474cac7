/*
 * copier.h - copies of this process for record/ (record/copier.h), made by fork()
 *
 * A copy shares nothing with the original but the file of the trace: memory is copied as it is written, code memory is
 * replaced (app/host/hostmem.h), all other descriptors are closed. It dies with the thread that made it.
 * Thread:  made, used and ended by the engine thread
 */
#ifndef CV_APP_ENGINE_COPIER_H
#define CV_APP_ENGINE_COPIER_H

#include "record/copier.h"

#include <sys/types.h>

struct cv_copies {
    struct cv_copier copier; /* what record/ is given */
    int trace;
    struct cv_copy {
        pid_t pid; /* 0: none, or one that was waited for */
        int link;  /* -1: closed */
    } list[CV_COPIES_MAX];
};

/* Up to `max` copies, behind the making of the machine and before executable memory cannot be had any more. */
void cv_copies_init(struct cv_copies *copies, unsigned max, int trace);
/* As many as there are other processors for. */
unsigned cv_copies_useful(void);
void cv_copies_fini(struct cv_copies *copies);

#endif
