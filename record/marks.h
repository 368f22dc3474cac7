/*
 * marks.h - where a run may have crashed: exceptions never returned from, panics
 *
 * The tap sees each exception delivered at CPL 0 and each IRET executed at CPL 0. An
 * exception is open until an IRET pops its frame; the latest open one with that frame's
 * address is meant, since a stack may be used again above a task that died. What is open
 * at the end was never returned from.
 *
 * Units:   frame: linear address where RIP was pushed
 * Thread:  engine thread; tap functions run inside the guest's run: general registers only
 */
#ifndef CV_RECORD_MARKS_H
#define CV_RECORD_MARKS_H

#include "record/trace.h"

#define CV_MARKS_OPEN_MAX   64u /* open exceptions; the oldest is dropped */
#define CV_MARKS_PANICS_MAX 16u /* between two drains: the first ones, and the last */

struct cv_mark_exception {
    cv_icount icount;
    uint64_t rip, frame, cr2;
    uint32_t vector;
};
struct cv_mark_panic {
    cv_icount icount;
    uint32_t event;
};
struct cv_marks {
    struct cv_mark_exception open[CV_MARKS_OPEN_MAX]; /* oldest first */
    size_t open_count;
    struct cv_mark_panic panics[CV_MARKS_PANICS_MAX];
    size_t panics_count;
};

void cv_marks_exception(struct cv_marks *m, cv_icount icount, unsigned vector,
                        uint64_t rip, uint64_t frame, uint64_t cr2);
void cv_marks_iret(struct cv_marks *m, uint64_t frame);
void cv_marks_pvpanic(struct cv_marks *m, cv_icount icount, unsigned event);

/* "oops", "hung-task"; "?" for none. */
const char *cv_marks_kind_name(uint32_t kind);

/* Outside the run: the i-th as a mark of the trace. */
void cv_marks_describe_panic(const struct cv_marks *m, size_t i,
                             struct cv_trace_mark *mark);
void cv_marks_describe_open(const struct cv_marks *m, size_t i,
                            struct cv_trace_mark *mark);

#endif
