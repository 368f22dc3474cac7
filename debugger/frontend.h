/*
 * frontend.h - what a session tells whoever is in front of it (gdb server, control server)
 * Thread:  engine thread
 */
#ifndef CV_DEBUGGER_FRONTEND_H
#define CV_DEBUGGER_FRONTEND_H

#include "core/base/types.h"

enum cv_stop_reason {
    CV_STOP_STEP, CV_STOP_BREAK,
    CV_STOP_HIT, /* a watch or an event; of a step that was met backwards, standing before it */
    CV_STOP_INTERRUPT, CV_STOP_HISTORY_BEGIN, CV_STOP_HISTORY_END,
    CV_STOP_DIVERGED
};

struct cv_frontend {
    void *arg;
    /* Asked during long travel, at least every 2^20 steps (<= 100 ms): true = stop now. It may read its
     * socket (for gdb's Ctrl-C). */
    bool (*interrupted)(void *arg);
    void (*progress)(void *arg, uint64_t done, uint64_t total);
};

#endif
