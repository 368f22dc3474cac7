/*
 * front.h - the command line's side of an engine: start it, own the terminal, pass descriptors
 *
 * A front opens files and never looks into guest or trace data. It prints the one error line and turns the
 * engine's reply into an exit code.
 * Thread:  the program's only thread
 */
#ifndef CV_APP_FRONT_H
#define CV_APP_FRONT_H

#include "app/control/job.h"
#include "core/base/error.h"

#include <sys/types.h>

struct cv_front {
    int control; /* socket to the engine */
    pid_t pid;
    int serial;   /* our end of the guest's serial line, or -1 */
    int listener; /* for gdb connections, or -1 */
    pid_t gdb;    /* a gdb we started, or 0; its end ends the engine */
    int gdb_status;
    bool (*on_ready)(struct cv_front *front, void *arg); /* engine stands; may start gdb */
    void *on_ready_arg;
    const char *progress_what; /* progress label on a terminal; NULL: none */
};

/* Prints "chronovisor: error: TEXT [CV-Ennn]" and returns the exit code. */
int cv_front_error(const struct cv_error *err);

/* Starts `chronovisor engine`. */
bool cv_front_start(struct cv_front *front, struct cv_error *err);
/* Sends the job (its descriptors are closed here), serves terminal, gdb connections and signals until the
 * engine has replied, and returns the command's exit code. */
int cv_front_run(struct cv_front *front, struct cv_job *job);

/* Opens a file for reading: 66 with a sentence when it cannot. -1 on failure. */
int cv_front_open(const char *path, struct cv_error *err);
/* Opens a trace for reading and takes a shared lock: 75 when somebody writes it. */
int cv_front_open_trace(const char *path, struct cv_error *err);
/* Creates a new trace, 0600, exclusively locked: 73 when it exists or cannot be made. */
int cv_front_create_trace(const char *path, struct cv_error *err);

#endif
