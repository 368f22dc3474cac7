/*
 * crash.h - the crash of a recording that was cut before it could note one
 *
 * The recorder writes open exceptions when it seals a trace (record/marks.h); after kill -9 they are found by
 * running the whole trace once more with the same tap.
 * Thread:  engine thread only
 */
#ifndef CV_DEBUGGER_CRASH_H
#define CV_DEBUGGER_CRASH_H

#include "record/timeline.h"

/* Runs from the first position, or from the last stored checkpoint, which says what was open there, to the end and
 * stands there. CV_REPLAY_REACHED: *found says whether there is a
 * crash and *icount where (DESIGN.md section 10); anything else: the run was cut short. */
enum cv_replay_exit cv_crash_find(struct cv_timeline *tl, bool *found, cv_icount *icount);

#endif
