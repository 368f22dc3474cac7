/*
 * exec_run.c - moves in both directions, and the stop replies that tell where they ended
 */
#include "core/inspect.h"
#include "debugger/gdb/state.h"
#include "debugger/gdb/target.h"

static uint64_t read_rip(struct cv_gdb *gdb)
{
    uint8_t bytes[16] = {0};
    uint64_t rip = 0;
    cv_inspect_reg(cv_session_vm(gdb->session), 0, CV_REG_RIP, bytes);
    for (unsigned i = 8; i-- > 0;) {
        rip = rip << 8 | bytes[i];
    }
    return rip;
}

/* swbreak and hwbreak only when both sides agreed: gdb aborts otherwise. */
static void append_reason(struct cv_gdb *gdb)
{
    switch (gdb->stop) {
    case CV_STOP_BREAK:
        if (gdb->swbreak && cv_breakpoint_has(&gdb->soft, read_rip(gdb))) {
            cv_reply_text(&gdb->reply, "swbreak:;");
        } else if (gdb->hwbreak && cv_breakpoint_has(&gdb->hard, read_rip(gdb))) {
            cv_reply_text(&gdb->reply, "hwbreak:;");
        }
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

void cv_gdb_run_move(struct cv_gdb *gdb, const struct cv_request *r)
{
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
    }
    cv_gdb_run_stop_reply(gdb);
}
