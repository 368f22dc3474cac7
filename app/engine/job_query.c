/*
 * job_query.c - questions about a whole trace (debugger/question.h), answered on stdout
 *
 * Answers go out while the scan runs, in the order of the run.
 */
#include "app/engine/copier.h"
#include "app/engine/engine.h"
#include "app/engine/sandbox.h"
#include "debugger/question.h"
#include "debugger/session.h"

static bool is_cancelled(void *arg)
{
    struct cv_engine *engine = arg;
    return cv_mailbox_quitting(&engine->box) || engine->err.code != 0;
}

static void tell_progress(void *arg, uint64_t done, uint64_t total)
{
    cv_engine_progress(arg, done, total);
}

static bool print(void *arg, const char *text, size_t len)
{
    struct cv_engine *engine = arg;
    cv_engine_print(engine, "%.*s", (int)len, text);
    return engine->err.code == 0;
}

static void fill_question(struct cv_question *q, const struct cv_job *job)
{
    *q = (struct cv_question){.from = job->from,
                              .to = job->pos,
                              .condition = job->condition,
                              .physical = job->physical,
                              .json = job->json,
                              .limit = job->limit,
                              .word_count = job->word_count};
    for (unsigned i = 0; i < job->word_count; i++) {
        q->words[i] = job->words[i];
    }
}

void cv_engine_query(struct cv_engine *engine)
{
    struct cv_error err = {0};
    struct cv_file file;
    struct cv_question question;
    struct cv_copies copies;
    struct cv_timeline_config config = {.memory_bytes = engine->job.checkpoint_bytes,
                                        .copier = &copies.copier};
    struct cv_question_out out = {.arg = engine, .print = print};
    struct cv_frontend frontend = {.arg = engine, .interrupted = is_cancelled, .progress = tell_progress};
    struct cv_session *session = NULL;
    fill_question(&question, &engine->job);
    cv_file_from_fd(&file, engine->job.fd[CV_JOB_FD_TRACE]);
    struct cv_trace *trace = cv_question_check(&question, &err) ? cv_trace_open(&file, &err) : NULL;
    if (trace != NULL) {
        session = cv_session_new(trace, &config, &err);
    }
    cv_copies_init(&copies, cv_copies_useful(), engine->job.fd[CV_JOB_FD_TRACE]);
    if (session != NULL && cv_sandbox_seal(&err)) {
        cv_session_set_frontend(session, &frontend);
        if (cv_question_answer(session, trace, &question, &out, &err) && cv_trace_info(trace)->lossy) {
            cv_error_set(&err, CV_EXIT_LOSS, "%s: %s", engine->job.name, cv_trace_info(trace)->loss);
        }
    }
    if (err.code != 0 && engine->err.code == 0) {
        cv_engine_fail(engine, &err);
    }
    cv_copies_fini(&copies);
    cv_session_free(session);
    cv_trace_close(trace);
}
