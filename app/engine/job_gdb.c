/*
 * job_gdb.c - serving gdb on a trace
 *
 * The front listens and hands each connection over; one is served at a time, and the session stays where the
 * last one left it, so that a gdb can detach and come back.
 */
#include "app/control/message.h"
#include "app/engine/engine.h"
#include "app/engine/sandbox.h"
#include "debugger/gdb/server.h"
#include "debugger/session.h"

#include <unistd.h>

static cv_icount start_position(struct cv_engine *engine, struct cv_session *session,
                                struct cv_trace *trace, struct cv_error *err)
{
    cv_icount at = 0;
    if (engine->job.pos[0] != '\0') {
        if (!cv_session_parse_pos(session, engine->job.pos, &at, err)) {
            return CV_NEVER;
        }
        return at;
    }
    return cv_trace_crash(trace, &at) ? at : cv_session_end(session);
}

static void serve_connections(struct cv_engine *engine, struct cv_session *session)
{
    struct cv_gdb_config config = {0};
    JsonObject *params = json_object_new();
    json_object_set_int_member(params, "icount", (int64_t)cv_session_icount(session));
    cv_message_send_call(engine->control, 0, "ready", params, NULL, 0);
    for (;;) {
        int fd = cv_mailbox_wait_gdb(&engine->box);
        if (fd < 0) {
            return;
        }
        cv_vm_clear_stop(cv_session_vm(session));
        cv_gdb_serve(session, fd, &config);
        close(fd);
    }
}

void cv_engine_gdb(struct cv_engine *engine)
{
    struct cv_error err = {0};
    struct cv_file file;
    struct cv_timeline_config config = {.memory_bytes = engine->job.checkpoint_bytes};
    struct cv_session *session = NULL;
    cv_file_from_fd(&file, engine->job.fd[CV_JOB_FD_TRACE]);
    struct cv_trace *trace = cv_trace_open(&file, &err);
    if (trace != NULL) {
        session = cv_session_new(trace, &config, &err);
    }
    if (session != NULL && cv_sandbox_seal(&err)) {
        cv_icount at = start_position(engine, session, trace, &err);
        if (at != CV_NEVER) {
            cv_mailbox_bind(&engine->box, cv_session_vm(session));
            cv_session_seek(session, at);
            serve_connections(engine, session);
            cv_mailbox_bind(&engine->box, NULL);
        }
    }
    if (err.code != 0) {
        cv_engine_fail(engine, &err);
    }
    cv_session_free(session);
    cv_trace_close(trace);
}
