/*
 * options.h - the command line, DESIGN.md section 10
 *
 * One table says every option, which commands take it and its line in --help.
 * Errors:  64 with one sentence
 */
#ifndef CV_APP_OPTIONS_H
#define CV_APP_OPTIONS_H

#include "app/control/job.h"
#include "core/base/error.h"

#define CV_COMMAND_RUN       (1u << 0)
#define CV_COMMAND_RECORD    (1u << 1)
#define CV_COMMAND_REPLAY    (1u << 2)
#define CV_COMMAND_VERIFY    (1u << 3)
#define CV_COMMAND_INFO      (1u << 4)
#define CV_COMMAND_DEBUG     (1u << 5)
#define CV_COMMAND_GDBSERVER (1u << 6)
#define CV_COMMAND_QUERY     (1u << 7)

enum cv_pace { CV_PACE_AUTO, CV_PACE_FAST, CV_PACE_REAL };

struct cv_options {
    unsigned command; /* CV_COMMAND_* */
    struct cv_job job;
    const char *kernel, *initrd, *output, *trace, *socket, *vmlinux, *tcp, *second;
    enum cv_pace pace;
    bool serial_none, help;
    char **gdb_args; /* after --, NULL-terminated; or NULL */
};

struct cv_command_row;

/* Fills options from argv, the words after the command. False: nothing is left to do, since it was --help or an error; all is said,
 * and *code is the exit code. */
bool cv_options_take(struct cv_options *options, const struct cv_command_row *row, int argc,
                     char **argv, int *code);

#endif
