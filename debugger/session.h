/*
 * session.h - travel in one trace: where the machine stands and the ways to move it
 *
 * Every position handed out is an icount; every move ends at an exact one. What moves stop for is the table of
 * debugger/stops.h; changing it touches no code until the next move.
 * Thread:  engine thread
 */
#ifndef CV_DEBUGGER_SESSION_H
#define CV_DEBUGGER_SESSION_H

#include "debugger/bookmarks.h"
#include "debugger/frontend.h"
#include "debugger/halts.h"
#include "debugger/stops.h"
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

/* Entries are added, taken out and removed there, between moves. */
struct cv_stop_table *cv_session_stops(struct cv_session *session);
/* Icounts at which continue and reverse-continue end, too: CV_STOP_STEP, standing there. */
struct cv_halts *cv_session_halts(struct cv_session *session);
/* Who serves conditions and commands from now on (copied); NULL: registers by the numbers of core/inspect.h, memory by
 * the tables of the CPU, and nobody prints. */
void cv_session_set_host(struct cv_session *session, const struct cv_agent_host *host);

/* One retired instruction or delivered event; forward and back. A watch or an event in that step is CV_STOP_HIT, and a
 * breakpoint to which a step forward comes CV_STOP_BREAK, as in longer moves. */
enum cv_stop_reason cv_session_step(struct cv_session *session);
enum cv_stop_reason cv_session_reverse_step(struct cv_session *session);
/* Steps while rip stays in [start, end), at least one step (vCont;r). */
enum cv_stop_reason cv_session_step_range(struct cv_session *session, cv_gva start, cv_gva end);
enum cv_stop_reason cv_session_continue(struct cv_session *session);
enum cv_stop_reason cv_session_reverse_continue(struct cv_session *session);
enum cv_stop_reason cv_session_seek(struct cv_session *session, cv_icount icount);
/* To the next or the latest earlier place of these instead of the table's: CV_STOP_HIT or CV_STOP_BREAK, else as
 * continue. The lists are borrowed during the call. */
enum cv_stop_reason cv_session_find(struct cv_session *session, const struct cv_stops *stops, bool forward);
/* Of the last move, when it ended with CV_STOP_BREAK or CV_STOP_HIT: the place, and the entries that were its reason (at
 * most `max` numbers are written; returns how many there are). */
const struct cv_stop_place *cv_session_place(const struct cv_session *session);
size_t cv_session_reasons(const struct cv_session *session, uint32_t *numbers, size_t max);

/* The timeline below, for its statistics; moving it goes through the session. */
struct cv_timeline *cv_session_timeline(struct cv_session *session);
/* Guest nanoseconds since reset where the machine stands. */
cv_vtime_ns cv_session_vtime(const struct cv_session *session);
/* After CV_STOP_DIVERGED: where and what; NULL when the replay agrees so far. */
const struct cv_divergence *cv_session_divergence(struct cv_session *session);

/* The user's marks, of this session; they hide those of the trace that have the same name. */
struct cv_bookmarks *cv_session_bookmarks(struct cv_session *session);
/* Parses POS of DESIGN.md section 10 ("12345", "12.5s", "40%", "end", "crash", "mark:NAME"). A time,
 * and the crash of a recording that was cut, are found by travelling; the machine is back where it stood
 * afterwards. */
bool cv_session_parse_pos(struct cv_session *session, const char *text, cv_icount *icount,
                          struct cv_error *err);

#endif
