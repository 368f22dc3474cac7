/*
 * session.c - travel in one trace
 *
 * Invariants:
 *   S1  the machine stands at an exact icount whenever a function of the session has returned
 *   S2  a step forward and a step back are inverse: both move by 1 on the one order of steps
 *   S3  a move forward or back goes at least one step, so that a breakpoint at the place where it
 *       begins is never reported again
 */
#include "debugger/session.h"
#include "core/cpu/regs.h"
#include "debugger/breakpoint.h"
#include "debugger/crash.h"
#include "debugger/position.h"

#include <stdlib.h>

#define NS_PER_S         1000000000ull
#define RANGE_POLL_STEPS 1024u /* single steps between two looks at the front end */

struct cv_session {
    struct cv_trace *trace;
    struct cv_replay *replay;
    struct cv_timeline *timeline;
    struct cv_frontend frontend;
    struct cv_breakpoint_set breaks;
    bool crash_sought, crash_found; /* of a trace that was cut: what a whole run told */
    cv_icount crash;
};

static bool ask_frontend(void *arg, uint64_t done, uint64_t total)
{
    struct cv_session *session = arg;
    const struct cv_frontend *f = &session->frontend;
    if (f->progress != NULL) {
        f->progress(f->arg, done, total);
    }
    return f->interrupted == NULL || !f->interrupted(f->arg);
}

struct cv_session *cv_session_new(struct cv_trace *trace, const struct cv_timeline_config *config,
                                  struct cv_error *err)
{
    struct cv_session *session = calloc(1, sizeof(*session));
    if (session == NULL) {
        cv_error_set(err, CV_EXIT_OS, "memory: none for a session");
        return NULL;
    }
    session->trace = trace;
    session->replay = cv_replay_new(trace, NULL, 0, err);
    if (session->replay != NULL) {
        /* Whoever looks for a bug must know when what he sees is not what was recorded. */
        cv_replay_check_digests(session->replay, true);
        session->timeline = cv_timeline_new(session->replay, config, err);
    }
    if (session->timeline == NULL) {
        cv_session_free(session);
        return NULL;
    }
    cv_timeline_progress(session->timeline, ask_frontend, session);
    return session;
}

void cv_session_free(struct cv_session *session)
{
    if (session == NULL) {
        return;
    }
    cv_timeline_free(session->timeline);
    cv_replay_free(session->replay);
    cv_breakpoint_fini(&session->breaks);
    free(session);
}

void cv_session_set_frontend(struct cv_session *session, const struct cv_frontend *frontend)
{
    session->frontend = frontend != NULL ? *frontend : (struct cv_frontend){0};
}

struct cv_trace *cv_session_trace(struct cv_session *session)
{
    return session->trace;
}

struct cv_vm *cv_session_vm(struct cv_session *session)
{
    return cv_replay_vm(session->replay);
}

struct cv_timeline *cv_session_timeline(struct cv_session *session)
{
    return session->timeline;
}

cv_icount cv_session_icount(const struct cv_session *session)
{
    return cv_replay_icount(session->replay);
}

cv_icount cv_session_end(const struct cv_session *session)
{
    return cv_trace_info(session->trace)->end.icount;
}

cv_vtime_ns cv_session_vtime(const struct cv_session *session)
{
    struct cv_position pos;
    cv_vm_position(cv_replay_vm(session->replay), &pos);
    return pos.vtime;
}

const struct cv_divergence *cv_session_divergence(struct cv_session *session)
{
    const struct cv_divergence *d = cv_replay_divergence(session->replay);
    return d != NULL && d->component[0] != '\0' ? d : NULL;
}

bool cv_session_break_add(struct cv_session *session, cv_gva gva)
{
    return cv_breakpoint_add(&session->breaks, gva);
}

bool cv_session_break_remove(struct cv_session *session, cv_gva gva)
{
    return cv_breakpoint_remove(&session->breaks, gva);
}

/* -- moves ------------------------------------------------------------------------------------- */

/* What a travel's end means when it ended at neither a breakpoint nor its goal. */
static enum cv_stop_reason other_stop(enum cv_replay_exit out)
{
    return out == CV_REPLAY_DIVERGED ? CV_STOP_DIVERGED : CV_STOP_INTERRUPT;
}

static bool set_stops(struct cv_session *session, bool breaks)
{
    const struct cv_breakpoint_set *set = &session->breaks;
    struct cv_stops stops = {.breaks = set->list, .break_count = breaks ? set->count : 0};
    return cv_timeline_stops(session->timeline, &stops);
}

static enum cv_stop_reason run_to(struct cv_session *session, cv_icount limit, bool breaks)
{
    if (!set_stops(session, breaks)) {
        return CV_STOP_INTERRUPT;
    }
    switch (cv_timeline_run(session->timeline, limit)) {
    case CV_REPLAY_BREAK:
    case CV_REPLAY_HIT: /* nothing is watched */
        return CV_STOP_BREAK;
    case CV_REPLAY_REACHED:
        return CV_STOP_STEP;
    case CV_REPLAY_END:
        return CV_STOP_HISTORY_END;
    case CV_REPLAY_DIVERGED:
        return CV_STOP_DIVERGED;
    case CV_REPLAY_STOPPED:
        break;
    }
    return CV_STOP_INTERRUPT;
}

enum cv_stop_reason cv_session_step(struct cv_session *session)
{
    cv_icount from = cv_session_icount(session);
    if (from >= cv_session_end(session)) {
        return CV_STOP_HISTORY_END;
    }
    enum cv_stop_reason why = run_to(session, from + 1, false);
    /* The step that reaches the end was taken; only the next one finds no history. */
    return why == CV_STOP_HISTORY_END && cv_session_icount(session) > from ? CV_STOP_STEP : why;
}

enum cv_stop_reason cv_session_reverse_step(struct cv_session *session)
{
    cv_icount from = cv_session_icount(session);
    if (from == 0) {
        return CV_STOP_HISTORY_BEGIN;
    }
    return cv_session_seek(session, from - 1);
}

enum cv_stop_reason cv_session_step_range(struct cv_session *session, cv_gva start, cv_gva end)
{
    struct cv_vm *vm = cv_session_vm(session);
    for (uint64_t n = 1;; n++) {
        enum cv_stop_reason why = cv_session_step(session);
        uint64_t rip = cv_vm_cpu(vm, 0)->rip;
        if (why != CV_STOP_STEP) {
            return why;
        }
        if (cv_breakpoint_has(&session->breaks, rip)) {
            return CV_STOP_BREAK;
        }
        if (rip < start || rip >= end) {
            return CV_STOP_STEP;
        }
        if (n % RANGE_POLL_STEPS == 0 && !ask_frontend(session, n, n)) {
            return CV_STOP_INTERRUPT;
        }
    }
}

enum cv_stop_reason cv_session_continue(struct cv_session *session)
{
    cv_icount end = cv_session_end(session);
    if (cv_session_icount(session) >= end) {
        return CV_STOP_HISTORY_END;
    }
    enum cv_stop_reason why = run_to(session, end, true);
    return why == CV_STOP_STEP ? CV_STOP_HISTORY_END : why;
}

enum cv_stop_reason cv_session_reverse_continue(struct cv_session *session)
{
    if (cv_session_icount(session) == 0) {
        return CV_STOP_HISTORY_BEGIN;
    }
    if (!set_stops(session, true)) {
        return CV_STOP_INTERRUPT;
    }
    enum cv_replay_exit out = cv_timeline_reverse(session->timeline);
    if (out == CV_REPLAY_BREAK) {
        return CV_STOP_BREAK;
    }
    return out == CV_REPLAY_REACHED || out == CV_REPLAY_END ? CV_STOP_HISTORY_BEGIN
                                                            : other_stop(out);
}

enum cv_stop_reason cv_session_seek(struct cv_session *session, cv_icount icount)
{
    enum cv_replay_exit out = cv_timeline_seek(session->timeline, icount);
    if (out == CV_REPLAY_REACHED) {
        return CV_STOP_STEP;
    }
    return out == CV_REPLAY_END ? CV_STOP_HISTORY_END : other_stop(out);
}

/* -- positions --------------------------------------------------------------------------------- */

/* Stands at icount; false when the travel was cut short. *before: the clock shows less than vtime
 * there. */
static bool is_before(struct cv_session *session, cv_icount icount, cv_vtime_ns vtime,
                      bool *before)
{
    enum cv_replay_exit out = cv_timeline_seek(session->timeline, icount);
    *before = cv_session_vtime(session) < vtime;
    return out == CV_REPLAY_REACHED || out == CV_REPLAY_END;
}

/* The first icount at which the clock shows at least vtime, else the end. The clock only grows. */
static bool find_vtime(struct cv_session *session, cv_vtime_ns vtime, cv_icount *icount)
{
    cv_icount end = cv_session_end(session);
    cv_icount lo = 0; /* before, or the answer */
    bool before;
    cv_position_before_vtime(session->trace, vtime, &lo);
    lo = lo < end ? lo : end;
    if (!is_before(session, lo, vtime, &before)) {
        return false;
    }
    cv_icount hi = lo;
    if (!before) {
        lo = 0; /* some earlier step may have shown it first */
    }
    for (uint64_t stride = 1u << 20; before && hi < end; stride *= 2) {
        hi = end - lo > stride ? lo + stride : end;
        if (!is_before(session, hi, vtime, &before)) {
            return false;
        }
        lo = before ? hi : lo;
    }
    while (hi - lo > 1) {
        cv_icount mid = lo + (hi - lo) / 2;
        if (!is_before(session, mid, vtime, &before)) {
            return false;
        }
        lo = before ? mid : lo;
        hi = before ? hi : mid;
    }
    *icount = vtime == 0 ? 0 : hi;
    return true;
}

/* A sealed trace names its crash; one that was cut is run once to find it. */
static bool find_crash(struct cv_session *session, cv_icount *icount)
{
    if (!session->crash_sought) {
        enum cv_replay_exit out =
            cv_crash_find(session->timeline, &session->crash_found, &session->crash);
        session->crash_sought = out == CV_REPLAY_REACHED;
    }
    *icount = session->crash;
    return session->crash_sought;
}

static bool needs_travel(struct cv_session *session, const struct cv_pos *pos)
{
    cv_icount icount;
    return pos->kind == CV_POS_VTIME ||
           (pos->kind == CV_POS_CRASH && !cv_trace_info(session->trace)->complete &&
            !cv_trace_crash(session->trace, &icount));
}

bool cv_session_parse_pos(struct cv_session *session, const char *text, cv_icount *icount,
                          struct cv_error *err)
{
    const struct cv_position *end = &cv_trace_info(session->trace)->end;
    struct cv_pos pos;
    if (!cv_position_parse(text, &pos, err)) {
        return false;
    }
    if (!needs_travel(session, &pos)) {
        return cv_position_resolve(&pos, session->trace, icount, err);
    }
    if (pos.kind == CV_POS_VTIME && pos.value > end->vtime) {
        return cv_error_set(err, CV_EXIT_NOINPUT,
                            "position: %s lies after the end of the trace, %llu.%09llus", text,
                            (unsigned long long)end->vtime / NS_PER_S,
                            (unsigned long long)end->vtime % NS_PER_S);
    }
    cv_icount here = cv_session_icount(session);
    bool done = pos.kind == CV_POS_VTIME ? find_vtime(session, pos.value, icount)
                                         : find_crash(session, icount);
    bool back = cv_session_seek(session, here) == CV_STOP_STEP;
    if (!done || !back) {
        return cv_error_set(err, CV_EXIT_NOINPUT, "position: the search for %s was cut short",
                            text);
    }
    if (pos.kind == CV_POS_CRASH && !session->crash_found) {
        return cv_error_set(err, CV_EXIT_NOINPUT,
                            "position: nothing crashed up to where the recording was cut; try "
                            "\"end\"");
    }
    return true;
}
