/*
 * session.c - travel in one trace
 *
 * Invariants:
 *   S1  the machine stands at an exact icount whenever a function of the session has returned
 *   S2  a step forward and a step back are inverse: both move by 1 on the one order of steps
 *   S3  a move forward or back goes at least one step, so that a breakpoint at the place where it
 *       begins is never reported again
 *   S4  a place that is met forward is told of once, and its commands are run once, whether a run or single steps come
 *       to it. A hit and a breakpoint behind its step are two places at one icount: a run finds the second by itself
 *       (record/timeline.h), a step looks for it (`behind_hit`)
 */
#include "debugger/session.h"
#include "core/cpu/regs.h"
#include "core/inspect.h"
#include "debugger/crash.h"
#include "debugger/position.h"
#include "debugger/view.h"

#include <stdlib.h>

#define NS_PER_S         1000000000ull
#define REASONS_MAX      64u
#define RANGE_POLL_STEPS 1024u /* single steps between two looks at the front end */

struct cv_session {
    struct cv_trace *trace;
    struct cv_replay *replay;
    struct cv_timeline *timeline;
    struct cv_frontend frontend;
    struct cv_agent_host host;
    struct cv_stop_table *stops;
    struct cv_bookmarks marks;
    struct cv_halts halts;
    struct cv_stop_place place; /* where the last move ended, when something stopped it */
    uint32_t reasons[REASONS_MAX];
    size_t reason_count;
    bool behind_hit; /* a breakpoint where the machine stands is still to be met */
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

static bool read_reg(void *arg, unsigned number, uint64_t *value)
{
    return cv_view_reg(cv_session_vm(arg), number, value);
}

static bool read_memory(void *arg, uint64_t addr, void *dst, size_t len)
{
    return cv_view_mem(cv_session_vm(arg), addr, dst, len);
}

void cv_session_set_host(struct cv_session *session, const struct cv_agent_host *host)
{
    session->host = host != NULL ? *host
                                 : (struct cv_agent_host){
                                       .arg = session, .reg = read_reg, .read = read_memory};
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
    cv_session_set_host(session, NULL);
    session->stops = cv_stop_table_new();
    if (session->stops == NULL) {
        cv_error_set(err, CV_EXIT_OS, "memory: none for a session");
    } else {
        session->replay = cv_replay_new(trace, NULL, 0, err);
    }
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
    cv_stop_table_free(session->stops);
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

struct cv_stop_table *cv_session_stops(struct cv_session *session)
{
    return session->stops;
}

struct cv_bookmarks *cv_session_bookmarks(struct cv_session *session)
{
    return &session->marks;
}

struct cv_halts *cv_session_halts(struct cv_session *session)
{
    return &session->halts;
}

const struct cv_stop_place *cv_session_place(const struct cv_session *session)
{
    return &session->place;
}

size_t cv_session_reasons(const struct cv_session *session, uint32_t *numbers, size_t max)
{
    for (size_t i = 0; i < session->reason_count && i < REASONS_MAX && i < max; i++) {
        numbers[i] = session->reasons[i];
    }
    return session->reason_count;
}

/* -- moves ------------------------------------------------------------------------------------- */

static void begin_move(struct cv_session *session)
{
    session->place = (struct cv_stop_place){.is_break = false};
    session->reason_count = 0;
    session->behind_hit = false;
}

static void add_reasons(struct cv_session *session, const struct cv_stop_place *place)
{
    size_t known = session->reason_count < REASONS_MAX ? session->reason_count : REASONS_MAX;
    session->reason_count += cv_stop_reasons(session->stops, place, session->reasons + known,
                                             REASONS_MAX - known);
}

static bool arm(struct cv_session *session, enum cv_stop_way way)
{
    return cv_stop_arm(session->stops, session->timeline, &session->host, way);
}

/* What a travel's end means; only a move forward can come to the history's end. */
static enum cv_stop_reason stop_of(enum cv_replay_exit out)
{
    switch (out) {
    case CV_REPLAY_BREAK:
        return CV_STOP_BREAK;
    case CV_REPLAY_HIT:
        return CV_STOP_HIT;
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

/* Takes over where the run stopped, and why. */
static void note_place(struct cv_session *session, enum cv_stop_reason why)
{
    if (why == CV_STOP_BREAK || why == CV_STOP_HIT) {
        session->place = *cv_timeline_place(session->timeline);
    }
}

/* The place that a move has come to is a breakpoint's. A halted CPU executes nothing there: a run meets it when the CPU is
 * woken, and so do steps. */
static bool meets_break(struct cv_session *session)
{
    return !cv_inspect_halted(cv_session_vm(session), 0) && cv_stop_arrive(session->stops);
}

/* A breakpoint behind the hit at which the last move ended is passed now, with all that it does. */
static void pass_behind_hit(struct cv_session *session)
{
    if (session->behind_hit) {
        (void)meets_break(session);
    }
}

/* One step, with the table armed for it. */
static enum cv_stop_reason step_armed(struct cv_session *session)
{
    cv_icount from = cv_session_icount(session);
    if (from >= cv_session_end(session)) {
        return CV_STOP_HISTORY_END;
    }
    pass_behind_hit(session);
    begin_move(session);
    enum cv_stop_reason why = stop_of(cv_timeline_run(session->timeline, from + 1));
    note_place(session, why);
    if (why == CV_STOP_HIT) {
        session->behind_hit = true;
        add_reasons(session, &session->place);
        return why;
    }
    if (cv_session_icount(session) == from || (why != CV_STOP_STEP && why != CV_STOP_HISTORY_END)) {
        return why;
    }
    /* The step that reaches the end was taken; only the next one finds no history. */
    why = CV_STOP_STEP;
    if (meets_break(session)) {
        why = CV_STOP_BREAK;
        session->place = (struct cv_stop_place){.at = from + 1, .is_break = true};
        add_reasons(session, &session->place);
    }
    return why;
}

enum cv_stop_reason cv_session_step(struct cv_session *session)
{
    return arm(session, CV_STOP_WAY_STEP) ? step_armed(session) : CV_STOP_INTERRUPT;
}

enum cv_stop_reason cv_session_step_range(struct cv_session *session, cv_gva start, cv_gva end)
{
    struct cv_vm *vm = cv_session_vm(session);
    if (!arm(session, CV_STOP_WAY_STEP)) {
        return CV_STOP_INTERRUPT;
    }
    for (uint64_t n = 1;; n++) {
        enum cv_stop_reason why = step_armed(session);
        uint64_t rip = cv_vm_cpu(vm, 0)->rip;
        if (why != CV_STOP_STEP || rip < start || rip >= end) {
            return why;
        }
        if (n % RANGE_POLL_STEPS == 0 && !ask_frontend(session, n, n)) {
            return CV_STOP_INTERRUPT;
        }
    }
}

/* Stands one step earlier; a hit in that step is found by taking it once more. */
static enum cv_stop_reason step_back_over_hits(struct cv_session *session, cv_icount from)
{
    enum cv_stop_reason why = stop_of(cv_timeline_seek(session->timeline, from - 1));
    if (why != CV_STOP_STEP) {
        return why;
    }
    if (!arm(session, CV_STOP_WAY_STEP_BACK)) {
        return CV_STOP_INTERRUPT;
    }
    why = stop_of(cv_timeline_run(session->timeline, from));
    note_place(session, why);
    if (why == CV_STOP_HIT) {
        session->place.at = from - 1;
        add_reasons(session, &session->place);
    }
    if (why == CV_STOP_DIVERGED) {
        return why;
    }
    enum cv_stop_reason back = stop_of(cv_timeline_seek(session->timeline, from - 1));
    return back != CV_STOP_STEP || why != CV_STOP_HIT ? back : why;
}

enum cv_stop_reason cv_session_reverse_step(struct cv_session *session)
{
    cv_icount from = cv_session_icount(session);
    begin_move(session);
    if (from == 0) {
        return CV_STOP_HISTORY_BEGIN;
    }
    if (cv_stop_any_hits(session->stops)) {
        return step_back_over_hits(session, from);
    }
    return stop_of(cv_timeline_seek(session->timeline, from - 1));
}

static enum cv_stop_reason run_forward(struct cv_session *session)
{
    cv_icount end = cv_session_end(session);
    if (cv_session_icount(session) >= end) {
        return CV_STOP_HISTORY_END;
    }
    enum cv_stop_reason why = stop_of(cv_timeline_run(session->timeline, end));
    note_place(session, why);
    session->behind_hit = why == CV_STOP_HIT;
    return why == CV_STOP_STEP ? CV_STOP_HISTORY_END : why;
}

static enum cv_stop_reason run_backward(struct cv_session *session)
{
    if (cv_session_icount(session) == 0) {
        return CV_STOP_HISTORY_BEGIN;
    }
    enum cv_stop_reason why = stop_of(cv_timeline_reverse(session->timeline));
    note_place(session, why);
    return why == CV_STOP_STEP || why == CV_STOP_HISTORY_END ? CV_STOP_HISTORY_BEGIN : why;
}

/* As far as a halt; a breakpoint there is met as well. */
static enum cv_stop_reason run_to_halt(struct cv_session *session, cv_icount halt)
{
    enum cv_stop_reason why = stop_of(cv_timeline_run(session->timeline, halt));
    note_place(session, why);
    session->behind_hit = why == CV_STOP_HIT;
    if (why == CV_STOP_STEP && meets_break(session)) {
        session->place = (struct cv_stop_place){.at = halt, .is_break = true};
        why = CV_STOP_BREAK;
    }
    return why;
}

enum cv_stop_reason cv_session_continue(struct cv_session *session)
{
    cv_icount halt;
    begin_move(session);
    if (!arm(session, CV_STOP_WAY_FORWARD)) {
        return CV_STOP_INTERRUPT;
    }
    bool halts = cv_halts_above(&session->halts, cv_session_icount(session), &halt) &&
                 halt < cv_session_end(session);
    enum cv_stop_reason why = halts ? run_to_halt(session, halt) : run_forward(session);
    if (why == CV_STOP_BREAK || why == CV_STOP_HIT) {
        add_reasons(session, &session->place);
    }
    return why;
}

/* Conditions of a hit are asked behind its step, those of a breakpoint here. */
static enum cv_stop_reason reasons_backward(struct cv_session *session, enum cv_stop_reason why)
{
    const struct cv_stop_place *place = &session->place;
    struct cv_stop_place part = *place;
    if (place->is_break) {
        part.has_hit = false;
        add_reasons(session, &part);
    }
    if (!place->has_hit) {
        return why;
    }
    part = *place;
    part.is_break = false;
    if (!cv_stop_asks(session->stops, &place->hit)) {
        add_reasons(session, &part);
        return why;
    }
    enum cv_stop_reason out = stop_of(cv_timeline_seek(session->timeline, place->at + 1));
    if (out == CV_STOP_STEP || out == CV_STOP_HISTORY_END) {
        add_reasons(session, &part);
        out = stop_of(cv_timeline_seek(session->timeline, place->at));
    }
    return out == CV_STOP_STEP ? why : out;
}

enum cv_stop_reason cv_session_reverse_continue(struct cv_session *session)
{
    cv_icount halt = 0;
    bool halts = cv_halts_below(&session->halts, cv_session_icount(session), &halt);
    begin_move(session);
    if (halts && cv_stop_next(session->stops, 0) == 0) {
        return cv_session_seek(session, halt);
    }
    if (!arm(session, CV_STOP_WAY_BACKWARD)) {
        return CV_STOP_INTERRUPT;
    }
    enum cv_stop_reason why = run_backward(session);
    bool found = why == CV_STOP_BREAK || why == CV_STOP_HIT;
    if (halts && (why == CV_STOP_HISTORY_BEGIN || (found && session->place.at < halt))) {
        return cv_session_seek(session, halt);
    }
    return why == CV_STOP_BREAK || why == CV_STOP_HIT ? reasons_backward(session, why) : why;
}

enum cv_stop_reason cv_session_find(struct cv_session *session, const struct cv_stops *stops,
                                    bool forward)
{
    static const struct cv_stops none;
    begin_move(session);
    if (!cv_timeline_stops(session->timeline, stops)) {
        return CV_STOP_INTERRUPT;
    }
    enum cv_stop_reason why = forward ? run_forward(session) : run_backward(session);
    session->behind_hit = false;
    bool ok = cv_timeline_stops(session->timeline, &none); /* the lists are the caller's again */
    (void)ok;                                              /* it needs no memory */
    return why;
}

enum cv_stop_reason cv_session_seek(struct cv_session *session, cv_icount icount)
{
    begin_move(session);
    return stop_of(cv_timeline_seek(session->timeline, icount));
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
    if (pos.kind == CV_POS_MARK && cv_bookmarks_find(&session->marks, pos.name, icount)) {
        return true;
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
