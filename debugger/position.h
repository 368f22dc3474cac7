/*
 * position.h - from what a human writes for a place in a trace to an icount
 *
 * POS is that of DESIGN.md section 10: an icount ("12345678", with an optional ".n" which names an event at it
 * and changes nothing here, since inputs at an icount apply when it is left), virtual time ("12.5s"), percent
 * ("40%"), "end", "crash", "mark:NAME".
 * Errors:  64 when the text is no position, 66 when the trace has no such place
 * Thread:  engine thread only
 */
#ifndef CV_DEBUGGER_POSITION_H
#define CV_DEBUGGER_POSITION_H

#include "core/base/error.h"
#include "core/base/types.h"

struct cv_trace;

enum cv_pos_kind { CV_POS_ICOUNT, CV_POS_VTIME, CV_POS_PERCENT, CV_POS_END, CV_POS_CRASH,
                   CV_POS_MARK };
struct cv_pos {
    enum cv_pos_kind kind;
    uint64_t value;  /* icount; vtime in ns; percent in millionths */
    const char *name; /* of a mark: points into the text */
};

/* Reads text alone, needs no trace. */
bool cv_position_parse(const char *text, struct cv_pos *pos, struct cv_error *err) CV_MUST_CHECK;
/* All kinds but CV_POS_VTIME, which needs a machine (cv_session_parse_pos). */
bool cv_position_resolve(const struct cv_pos *pos, const struct cv_trace *trace, cv_icount *icount,
                         struct cv_error *err) CV_MUST_CHECK;
/* Bounds from the events of the trace: at *lo the clock shows at most vtime. */
void cv_position_before_vtime(const struct cv_trace *trace, cv_vtime_ns vtime, cv_icount *lo);

#endif
