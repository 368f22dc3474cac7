/*
 * job_replay.c - replay and verify: a trace run again, compared with what it says of itself
 */
#include "app/engine/engine.h"
#include "app/engine/sandbox.h"
#include "debugger/position.h"
#include "debugger/session.h"
#include "record/console.h"
#include "record/digest.h"
#include "record/keyframe_load.h"
#include "record/replayer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_STEPS (1ull << 24) /* progress and cancellation in between */

struct travel {
    struct cv_engine *engine;
    struct cv_trace *trace;
    struct cv_replay *replay;
    cv_icount target;
    struct cv_console *marks; /* of the console; NULL: not asked for */
    bool some_marks;
    cv_icount from; /* what comes before was not run: a stored checkpoint stood there */
};

__attribute__((target("general-regs-only"))) static void put_serial(void *arg, unsigned unit,
                                                                    uint8_t byte)
{
    struct travel *t = arg;
    if (unit != 0) {
        return;
    }
    if (t->engine->job.console) {
        cv_mailbox_put_out(&t->engine->box, byte);
    }
    if (t->marks != NULL) {
        cv_console_put(t->marks, cv_replay_icount(t->replay), byte);
    }
}

static void print_marks(struct travel *t)
{
    struct cv_trace_mark mark;
    while (cv_console_next(t->marks, &mark)) {
        cv_engine_print_mark(t->engine, &mark, !t->some_marks);
        t->some_marks = true;
    }
}

/* Where the result's JSON object goes on: behind its marks, if there are any. */
static const char *json_head(const struct travel *t)
{
    return t->marks != NULL ? "]," : "{";
}

static void report_divergence(struct travel *t, const struct cv_divergence *d)
{
    struct cv_engine *engine = t->engine;
    engine->exit_code = CV_EXIT_DIVERGED;
    if (engine->job.json) {
        cv_engine_print(engine,
                        "%s\"result\":\"diverged\",\"icount\":%llu,\"component\":\"%s\","
                        "\"expected\":\"%s\",\"found\":\"%s\"}\n",
                        json_head(t),
                        (unsigned long long)d->icount, d->component, d->expected, d->found);
        return;
    }
    cv_error_set(&engine->err, CV_EXIT_DIVERGED,
                 "%s: replay diverged by step %llu in %s (expected %s, found %s); the trace is "
                 "unchanged; please report this",
                 engine->job.name, (unsigned long long)d->icount, d->component, d->expected,
                 d->found);
}

/* How many were compared on the way to at. */
static unsigned long long count_digests(const struct travel *t, cv_icount at)
{
    unsigned long long n = 0;
    for (size_t i = 0; i < cv_trace_digest_count(t->trace); i++) {
        cv_icount icount = cv_trace_digest(t->trace, i)->icount;
        n += icount <= at && (icount >= t->from || t->from == 0);
    }
    return n;
}

static void report_exact(struct travel *t)
{
    struct cv_engine *engine = t->engine;
    const struct cv_trace_info *info = cv_trace_info(t->trace);
    cv_icount at = cv_replay_icount(t->replay);
    const char *loss = info->lossy ? "true" : "false";
    unsigned long long digests = count_digests(t, at);
    uint8_t digest[16];
    char hex[33];
    cv_replay_digest(t->replay, digest);
    for (unsigned i = 0; i < sizeof(digest); i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    if (engine->job.json) {
        cv_engine_print(engine,
                        "%s\"result\":\"exact\",\"icount\":%llu,\"digests\":%llu,\"lossy\":%s,"
                        "\"state\":\"%s\"}\n",
                        json_head(t),
                        (unsigned long long)at, digests, loss, hex);
    } else if (strcmp(engine->job.method, "verify") == 0) {
        cv_engine_print(engine, "exact: %llu steps, %llu digests equal, state %s\n",
                        (unsigned long long)at, digests, hex);
    }
    if (info->lossy) {
        cv_error_set(&engine->err, CV_EXIT_LOSS, "%s: %s", engine->job.name, info->loss);
        engine->exit_code = CV_EXIT_LOSS;
    }
}

static void run_travel(struct travel *t)
{
    struct cv_engine *engine = t->engine;
    cv_icount end = cv_trace_info(t->trace)->end.icount;
    if (engine->job.json && t->marks != NULL) {
        cv_engine_print(engine, "{\"marks\":[");
    }
    for (;;) {
        cv_icount at = cv_replay_icount(t->replay);
        cv_icount next = t->marks != NULL ? cv_digest_next(at) : at + SLICE_STEPS;
        cv_icount limit = t->target > next ? next : t->target;
        if (limit == end) {
            limit = CV_NEVER; /* past the last step: its inputs, the machine's own end, the last digest */
        }
        enum cv_replay_exit out = cv_replay_run(t->replay, limit);
        if (t->marks != NULL) {
            print_marks(t);
        }
        if (out == CV_REPLAY_DIVERGED) {
            report_divergence(t, cv_replay_divergence(t->replay));
            return;
        }
        if (cv_mailbox_quitting(&engine->box)) {
            cv_error_set(&engine->err, CV_EXIT_IO, "%s: stopped at step %llu", engine->job.name,
                         (unsigned long long)cv_replay_icount(t->replay));
            engine->exit_code = CV_EXIT_IO;
            return;
        }
        cv_engine_progress(engine, cv_replay_icount(t->replay), t->target);
        if (out == CV_REPLAY_END || (limit != CV_NEVER && cv_replay_icount(t->replay) >= t->target)) {
            report_exact(t);
            return;
        }
    }
}

/* Virtual time needs a machine that has been there: a session finds the step. */
static bool find_vtime(struct travel *t, const char *text, struct cv_error *err)
{
    struct cv_timeline_config config = {0};
    struct cv_session *session = cv_session_new(t->trace, &config, err);
    bool ok = session != NULL && cv_session_parse_pos(session, text, &t->target, err);
    cv_session_free(session);
    return ok;
}

static bool find_target(struct travel *t, const char *text, struct cv_error *err)
{
    struct cv_pos pos;
    if (!cv_position_parse(text, &pos, err)) {
        return false;
    }
    return pos.kind == CV_POS_VTIME ? find_vtime(t, text, err)
                                    : cv_position_resolve(&pos, t->trace, &t->target, err);
}

static bool open_marks(struct travel *t, struct cv_error *err)
{
    struct cv_console *console = malloc(sizeof(*console));
    if (console == NULL) {
        return cv_error_set(err, CV_EXIT_OS, "replay: out of memory");
    }
    if (!cv_console_init(console, t->engine->job.mark_pattern, err)) {
        free(console);
        return false;
    }
    t->marks = console;
    return true;
}

static void close_marks(struct travel *t)
{
    if (t->marks != NULL) {
        cv_console_fini(t->marks);
        free(t->marks);
    }
}

static bool open_travel(struct travel *t, const struct cv_file *file, struct cv_error *err)
{
    struct cv_job *job = &t->engine->job;
    t->trace = cv_trace_open(file, err);
    if (t->trace == NULL) {
        return false;
    }
    t->target = cv_trace_info(t->trace)->end.icount;
    if (job->pos[0] != '\0' && !find_target(t, job->pos, err)) {
        return false;
    }
    if (job->marks && !open_marks(t, err)) {
        return false;
    }
    t->replay = cv_replay_new(t->trace, &job->exec, job->tlb_entries, err);
    return t->replay != NULL && cv_sandbox_seal(err);
}

void cv_engine_replay(struct cv_engine *engine)
{
    struct travel t = {.engine = engine};
    struct cv_error err = {0};
    struct cv_file file;
    struct cv_vm_outlet outlet = {.arg = &t, .serial = put_serial};
    cv_file_from_fd(&file, engine->job.fd[CV_JOB_FD_TRACE]);
    if (open_travel(&t, &file, &err)) {
        struct cv_vm *vm = cv_replay_vm(t.replay);
        if (engine->job.console || engine->job.marks) {
            cv_vm_set_outlet(vm, &outlet);
        }
        cv_replay_check_digests(t.replay, true);
        /* who wants to be somewhere need not see the way there */
        if (engine->job.pos[0] != '\0' && !engine->job.console && !engine->job.marks &&
            strcmp(engine->job.method, "replay") == 0 &&
            cv_replay_jump_near(t.replay, t.target, NULL, NULL)) {
            t.from = cv_replay_icount(t.replay);
        }
        cv_mailbox_bind(&engine->box, vm);
        run_travel(&t);
        cv_mailbox_bind(&engine->box, NULL);
    } else {
        if (err.code == 0) {
            cv_error_set(&err, CV_EXIT_INTERNAL, "replay failed");
        }
        cv_engine_fail(engine, &err);
    }
    close_marks(&t);
    cv_replay_free(t.replay);
    cv_trace_close(t.trace);
}
