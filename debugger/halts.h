/*
 * halts.h - places of a run at which moves end because the user named their icount
 *
 * A move forward ends at the first one behind the place it began at, a move back at the latest one before it, unless
 * something else stops it sooner. Single steps come to every place anyway.
 * Thread:  engine thread only
 */
#ifndef CV_DEBUGGER_HALTS_H
#define CV_DEBUGGER_HALTS_H

#include "core/base/types.h"

#define CV_HALTS_MAX 64u

struct cv_halts { /* all zero: none */
    cv_icount list[CV_HALTS_MAX]; /* ascending, each once */
    size_t count;
};

/* True as well when it is one already; false: there is no room. */
bool cv_halts_add(struct cv_halts *halts, cv_icount icount) CV_MUST_CHECK;
bool cv_halts_remove(struct cv_halts *halts, cv_icount icount); /* false: it is none */
bool cv_halts_has(const struct cv_halts *halts, cv_icount icount);
/* The first above, the last below; false: none. */
bool cv_halts_above(const struct cv_halts *halts, cv_icount icount, cv_icount *found);
bool cv_halts_below(const struct cv_halts *halts, cv_icount icount, cv_icount *found);

#endif
