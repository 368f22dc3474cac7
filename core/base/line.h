/*
 * line.h - a signal wire handed to a device by the board
 * Thread:  engine thread only
 */
#ifndef CV_CORE_BASE_LINE_H
#define CV_CORE_BASE_LINE_H

#include "core/base/types.h"

/* Called on every cv_line_set; the sink keeps its own level and detects edges. */
typedef void (*cv_line_fn)(void *arg, unsigned number, bool level);

struct cv_line {
    cv_line_fn fn; /* NULL: not connected */
    void *arg;
    unsigned number;
};

static inline void cv_line_set(const struct cv_line *line, bool level)
{
    if (line->fn != NULL) {
        line->fn(line->arg, line->number, level);
    }
}

#endif
