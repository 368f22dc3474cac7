/*
 * cmd_trace.c - replay, verify and info; and the engine's own entry
 */
#include "app/commands.h"
#include "app/engine/engine.h"
#include "app/front.h"
#include "app/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* verify --bisect is a job of its own. */
static bool open_second(struct cv_options *o, struct cv_error *err)
{
    if (o->job.pos[0] != '\0') {
        return cv_error_set(err, CV_EXIT_USAGE, "verify: --to and --bisect exclude each other");
    }
    memcpy(o->job.method, "bisect", sizeof("bisect"));
    o->job.fd[CV_JOB_FD_SECOND] = cv_front_open_trace(o->second, err);
    return o->job.fd[CV_JOB_FD_SECOND] >= 0;
}

int cv_cmd_trace(const struct cv_command_row *row, int argc, char **argv)
{
    struct cv_options o;
    struct cv_error err = {0};
    struct cv_front front = {0};
    int code;
    if (!cv_options_take(&o, row, argc, argv, &code)) {
        return code;
    }
    if (o.trace == NULL) {
        cv_error_set(&err, CV_EXIT_USAGE, "%s: TRACE is missing; see --help", row->name);
        return cv_front_error(&err);
    }
    memcpy(o.job.method, row->name, strlen(row->name) + 1);
    cv_format(o.job.name, sizeof(o.job.name), "%s", o.trace);
    o.job.fd[CV_JOB_FD_TRACE] = cv_front_open_trace(o.trace, &err);
    if (o.job.fd[CV_JOB_FD_TRACE] < 0 || (o.second != NULL && !open_second(&o, &err)) ||
        !cv_front_start(&front, &err)) {
        return cv_front_error(&err);
    }
    o.job.fd[CV_JOB_FD_OUT] = STDOUT_FILENO;
    front.progress_what = row->command == CV_COMMAND_INFO || o.job.console ? NULL : row->name;
    return cv_front_run(&front, &o.job);
}

int cv_cmd_engine(const struct cv_command_row *row, int argc, char **argv)
{
    (void)row;
    int fd = argc == 1 ? atoi(argv[0]) : -1;
    if (fd <= STDERR_FILENO) {
        fprintf(stderr, "chronovisor: error: engine: is started by the other commands [CV-E064]\n");
        return CV_EXIT_USAGE;
    }
    return cv_engine_main(fd);
}
