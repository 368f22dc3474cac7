/*
 * cmd_machine.c - run and record
 */
#include "app/commands.h"
#include "app/front.h"
#include "app/options.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool open_files(struct cv_options *o, struct cv_error *err)
{
    struct cv_job *job = &o->job;
    if (o->kernel == NULL) {
        return cv_error_set(err, CV_EXIT_USAGE, "machine: --kernel FILE is missing; see --help");
    }
    if (o->command == CV_COMMAND_RECORD && o->output == NULL) {
        return cv_error_set(err, CV_EXIT_USAGE, "record: -o TRACE is missing; see --help");
    }
    job->fd[CV_JOB_FD_KERNEL] = cv_front_open(o->kernel, err);
    if (job->fd[CV_JOB_FD_KERNEL] < 0) {
        return false;
    }
    if (o->initrd != NULL) {
        job->fd[CV_JOB_FD_INITRD] = cv_front_open(o->initrd, err);
        if (job->fd[CV_JOB_FD_INITRD] < 0) {
            return false;
        }
    }
    if (o->output != NULL) {
        job->fd[CV_JOB_FD_TRACE] = cv_front_create_trace(o->output, err);
        if (job->fd[CV_JOB_FD_TRACE] < 0) {
            return false;
        }
    }
    return true;
}

/* A refused machine leaves no empty trace behind. */
static void drop_empty_trace(const struct cv_options *o, int keep_fd)
{
    if (o->output != NULL && keep_fd >= 0 && lseek(keep_fd, 0, SEEK_END) == 0) {
        unlink(o->output);
    }
}

int cv_cmd_machine(const struct cv_command_row *row, int argc, char **argv)
{
    struct cv_options o;
    struct cv_error err = {0};
    struct cv_front front = {0};
    int code;
    if (!cv_options_take(&o, row, argc, argv, &code)) {
        return code;
    }
    memcpy(o.job.method, row->name, strlen(row->name) + 1);
    cv_format(o.job.name, sizeof(o.job.name), "%s", o.output != NULL ? o.output : o.kernel != NULL ? o.kernel : "");
    bool terminal = isatty(STDIN_FILENO) != 0 && !o.serial_none;
    o.job.pace_real = o.pace == CV_PACE_REAL || (o.pace == CV_PACE_AUTO && terminal);
    o.job.input_open = !o.serial_none;
    if (!open_files(&o, &err) || !cv_front_start(&front, &err)) {
        drop_empty_trace(&o, o.job.fd[CV_JOB_FD_TRACE]);
        return cv_front_error(&err);
    }
    int trace = o.job.fd[CV_JOB_FD_TRACE] >= 0 ? dup(o.job.fd[CV_JOB_FD_TRACE]) : -1;
    if (terminal) {
        fprintf(stderr, "chronovisor: serial console on this terminal; Ctrl-A x ends\r\n");
    }
    code = cv_front_run(&front, &o.job);
    drop_empty_trace(&o, trace);
    return code;
}
