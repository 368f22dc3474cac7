/*
 * session.h - travel in one trace: where the machine stands and the ways to move it
 *
 * Every position handed out is an icount; every move ends at an exact one. Breakpoints are linear addresses in a
 * set with reference counts; inserting and removing is O(log n) and touches no code until the next move.
 * Thread:  engine thread
 */
#ifndef CV_DEBUGGER_SESSION_H
#define CV_DEBUGGER_SESSION_H

#include "debugger/frontend.h"
#include "record/timeline.h"

struct cv_session;

struct cv_session *cv_session_new(struct cv_trace *trace, const struct cv_timeline_config *config,
                                  struct cv_error *err);
void cv_session_free(struct cv_session *session);
void cv_session_set_frontend(struct cv_session *session, const struct cv_frontend *frontend);
struct cv_trace *cv_session_trace(struct cv_session *session);
struct cv_vm *cv_session_vm(struct cv_session *session);
cv_icount cv_session_icount(const struct cv_session *session);
cv_icount cv_session_end(const struct cv_session *session);

bool cv_session_break_add(struct cv_session *session, cv_gva gva);
bool cv_session_break_remove(struct cv_session *session, cv_gva gva);

/* One retired instruction or delivered event; forward and back. */
enum cv_stop_reason cv_session_step(struct cv_session *session);
enum cv_stop_reason cv_session_reverse_step(struct cv_session *session);
/* Steps while rip stays in [start, end), at least one step (vCont;r). */
enum cv_stop_reason cv_session_step_range(struct cv_session *session, cv_gva start, cv_gva end);
enum cv_stop_reason cv_session_continue(struct cv_session *session);
enum cv_stop_reason cv_session_reverse_continue(struct cv_session *session);
enum cv_stop_reason cv_session_seek(struct cv_session *session, cv_icount icount);

/* The timeline below, for its statistics; moving it goes through the session. */
struct cv_timeline *cv_session_timeline(struct cv_session *session);
/* Guest nanoseconds since reset where the machine stands. */
cv_vtime_ns cv_session_vtime(const struct cv_session *session);
/* After CV_STOP_DIVERGED: where and what; NULL when the replay agrees so far. */
const struct cv_divergence *cv_session_divergence(struct cv_session *session);

/* Parses POS of DESIGN.md section 10 ("12345", "12.5s", "40%", "end", "crash", "mark:NAME"). A time,
 * and the crash of a recording that was cut, are found by travelling; the machine is back where it stood
 * afterwards. */
bool cv_session_parse_pos(struct cv_session *session, const char *text, cv_icount *icount,
                          struct cv_error *err);

#endif
