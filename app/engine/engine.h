/*
 * engine.h - the process that owns one machine or one trace
 *
 * The engine is `chronovisor engine` on a control socket. Its main thread is the I/O thread: it owns the
 * control socket, the serial descriptor and the trace's syncs. One engine thread owns the machine and does the
 * job; it ends with one reply. The process enters its sandbox before it looks at anything it
 * was given.
 */
#ifndef CV_APP_ENGINE_ENGINE_H
#define CV_APP_ENGINE_ENGINE_H

#include "app/control/job.h"
#include "app/engine/mailbox.h"
#include "core/base/error.h"

struct cv_recorder;

struct cv_engine {
    int control;          /* socket to the front */
    int request_id;
    struct cv_job job;
    struct cv_mailbox box;
    /* guarded by box.lock */
    struct cv_recorder *recorder; /* synced by the I/O thread while not NULL */
    bool finished;
    /* engine thread only until finished */
    int exit_code;        /* of the whole command */
    struct cv_error err;  /* err.code != 0: printed by the front */
    char note[300];       /* a line for stderr: why the run ended */
};

/* app/engine/engine.c: the process's main. */
int cv_engine_main(int control);

/* One function a method, on the engine thread; sets exit_code, err, note. */
void cv_engine_run(struct cv_engine *engine);    /* run and record */
void cv_engine_replay(struct cv_engine *engine); /* replay and verify */
void cv_engine_bisect(struct cv_engine *engine); /* verify --bisect */
void cv_engine_info(struct cv_engine *engine);
void cv_engine_gdb(struct cv_engine *engine);
void cv_engine_query(struct cv_engine *engine);

/* Helpers the jobs share (engine.c). */
/* Reads a whole descriptor into fresh memory of at most max bytes. */
bool cv_engine_read_image(int fd, const char *what, uint64_t max, struct cv_image *image,
                          struct cv_error *err);
void cv_engine_progress(struct cv_engine *engine, uint64_t done, uint64_t total);
/* printf to the job's result descriptor; buffered, flushed by cv_engine_flush. */
void cv_engine_print(struct cv_engine *engine, const char *fmt, ...) CV_PRINTF(2, 3);
/* A mark as a line, or as an element of a JSON array (app/engine/job_info.c). */
struct cv_trace_mark;
void cv_engine_print_mark(struct cv_engine *engine, const struct cv_trace_mark *mark, bool first);
/* Fails the job: code and text as cv_error_set; object names it. */
void cv_engine_fail(struct cv_engine *engine, const struct cv_error *err);

#endif
