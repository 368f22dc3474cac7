/*
 * exec_run.c - moves in both directions, and the stop replies that tell where they ended
 */
#include "core/inspect.h"
#include "debugger/gdb/state.h"
#include "debugger/gdb/target.h"

/* A stop reply has room for one reason. Breakpoints gdb finds by itself, from the pc; of watchpoints the changed value
 * says most. */
static unsigned rank_of(const struct cv_stop_spec *spec)
{
    static const unsigned ranks[] = {['0'] = 1, ['1'] = 1, ['2'] = 4, ['3'] = 2, ['4'] = 3};
    return ranks[spec->tag];
}

/* The entry of this client's that is the reason of the stop. NULL: the reason is none of its own. */
static const struct cv_stop_spec *find_reason(struct cv_gdb *gdb)
{
    uint32_t numbers[CV_GDB_REASONS];
    const struct cv_stop_spec *found = NULL;
    size_t count = cv_session_reasons(gdb->session, numbers, CV_GDB_REASONS);
    for (size_t i = 0; i < count && i < CV_GDB_REASONS; i++) {
        const struct cv_stop_spec *spec =
            cv_stop_get(cv_session_stops(gdb->session), numbers[i]);
        if (spec != NULL && spec->client == CV_GDB_CLIENT_POINT &&
            (found == NULL || rank_of(spec) > rank_of(found))) {
            found = spec;
        }
    }
    return found;
}

/* swbreak and hwbreak only when both sides agreed: gdb aborts otherwise. */
static void append_point(struct cv_gdb *gdb)
{
    static const char *const watches[] = {"watch:", "rwatch:", "awatch:"};
    const struct cv_stop_spec *spec = find_reason(gdb);
    if (spec == NULL) {
        return;
    }
    if (spec->kind == CV_STOP_KIND_WATCH) {
        cv_reply_text(&gdb->reply, watches[spec->tag - '2']);
        cv_reply_number(&gdb->reply, spec->addr);
        cv_reply_text(&gdb->reply, ";");
    } else if (spec->tag == '0' && gdb->swbreak) {
        cv_reply_text(&gdb->reply, "swbreak:;");
    } else if (spec->tag == '1' && gdb->hwbreak) {
        cv_reply_text(&gdb->reply, "hwbreak:;");
    }
}

static void append_reason(struct cv_gdb *gdb)
{
    switch (gdb->stop) {
    case CV_STOP_BREAK:
    case CV_STOP_HIT:
        append_point(gdb);
        break;
    case CV_STOP_HISTORY_BEGIN:
        cv_reply_text(&gdb->reply, "replaylog:begin;");
        break;
    case CV_STOP_HISTORY_END:
        cv_reply_text(&gdb->reply, "replaylog:end;");
        break;
    case CV_STOP_STEP:
    case CV_STOP_INTERRUPT:
    case CV_STOP_DIVERGED:
        break;
    }
}

void cv_gdb_run_stop_reply(struct cv_gdb *gdb)
{
    cv_reply_text(&gdb->reply, gdb->stop == CV_STOP_INTERRUPT ? "T02" : "T05");
    cv_gdb_regs_append(gdb, gdb->target->fp);
    cv_gdb_regs_append(gdb, gdb->target->sp);
    cv_gdb_regs_append(gdb, gdb->target->pc);
    cv_reply_text(&gdb->reply, "thread:");
    cv_gdb_thread_id(gdb);
    cv_reply_text(&gdb->reply, ";core:0;");
    append_reason(gdb);
}

static enum cv_stop_reason move_forward(struct cv_gdb *gdb, const struct cv_request_action *a)
{
    switch (a->op) {
    case 's':
        return cv_session_step(gdb->session);
    case 'r':
        return cv_session_step_range(gdb->session, a->start, a->end);
    default:
        return cv_session_continue(gdb->session);
    }
}

/* The leftmost action that names the only CPU, "vCont packet". */
static const struct cv_request_action *choose_action(const struct cv_request *r)
{
    for (size_t i = 0; i < r->action_count; i++) {
        if (cv_gdb_thread_exists(&r->actions[i].thread)) {
            return r->actions[i].op == 't' ? NULL : &r->actions[i];
        }
    }
    return NULL;
}

static void tell_divergence(struct cv_gdb *gdb)
{
    const struct cv_divergence *d = cv_session_divergence(gdb->session);
    if (d != NULL) {
        cv_gdb_print(gdb,
                     "The replay differs from the recording at icount %llu: %s, expected %s, "
                     "found %s\n",
                     (unsigned long long)d->icount, d->component, d->expected, d->found);
    } else {
        cv_gdb_print(gdb, "The replay differs from the recording\n");
    }
}

/* Of what `monitor watch` and its kin set gdb knows nothing. */
static void tell_others(struct cv_gdb *gdb)
{
    uint32_t numbers[CV_GDB_REASONS];
    size_t count = cv_session_reasons(gdb->session, numbers, CV_GDB_REASONS);
    for (size_t i = 0; i < count && i < CV_GDB_REASONS; i++) {
        const struct cv_stop_spec *spec =
            cv_stop_get(cv_session_stops(gdb->session), numbers[i]);
        if (spec != NULL && spec->client == CV_GDB_CLIENT_MONITOR) {
            cv_gdb_print(gdb, "Stop %u: %s at 0x%llx, icount %llu\n", numbers[i],
                         cv_gdb_watch_name(spec), (unsigned long long)spec->addr,
                         (unsigned long long)cv_session_icount(gdb->session));
        }
    }
}

/* Nor of icounts that were to stop a move (debugger/halts.h). */
static void tell_halt(struct cv_gdb *gdb)
{
    cv_icount here = cv_session_icount(gdb->session);
    if (cv_halts_has(cv_session_halts(gdb->session), here)) {
        cv_gdb_print(gdb, "Stop at icount %llu\n", (unsigned long long)here);
    }
}

void cv_gdb_run_move(struct cv_gdb *gdb, const struct cv_request *r)
{
    cv_gdb_break_sweep(gdb);
    if (cv_gdb_interrupted_late(gdb)) {
        gdb->stop = CV_STOP_INTERRUPT;
    } else if (r->kind == CV_REQUEST_BACK_STEP) {
        gdb->stop = cv_session_reverse_step(gdb->session);
    } else if (r->kind == CV_REQUEST_BACK_CONT) {
        gdb->stop = cv_session_reverse_continue(gdb->session);
    } else {
        const struct cv_request_action *action = choose_action(r);
        if (action == NULL) {
            cv_reply_text(&gdb->reply, "E01");
            return;
        }
        gdb->stop = move_forward(gdb, action);
    }
    if (gdb->stop == CV_STOP_DIVERGED) {
        tell_divergence(gdb);
    } else if (gdb->stop == CV_STOP_BREAK || gdb->stop == CV_STOP_HIT) {
        tell_others(gdb);
    } else if (gdb->stop == CV_STOP_STEP) {
        tell_halt(gdb);
    }
    cv_gdb_run_stop_reply(gdb);
}
