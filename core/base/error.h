/*
 * error.h - one failure as a value: an exit code and one sentence
 *
 * Functions that can fail for reasons outside the program (files, limits, damaged or
 * foreign input) return bool and fill a struct cv_error. It is printed once, by whoever
 * talks to a human, in the form of DESIGN.md section 10.
 * Thread:  the error belongs to its caller
 */
#ifndef CV_CORE_BASE_ERROR_H
#define CV_CORE_BASE_ERROR_H

#include "core/base/types.h"

enum cv_exit { /* process exit codes, DESIGN.md section 10 */
    CV_EXIT_OK = 0,
    CV_EXIT_DIVERGED = 3,
    CV_EXIT_LOSS = 4,
    CV_EXIT_USAGE = 64,
    CV_EXIT_DATA = 65,
    CV_EXIT_NOINPUT = 66,
    CV_EXIT_HOST = 69,
    CV_EXIT_INTERNAL = 70,
    CV_EXIT_OS = 71,
    CV_EXIT_CANTCREATE = 73,
    CV_EXIT_IO = 74,
    CV_EXIT_LOCKED = 75,
};

struct cv_error {
    int code;       /* enum cv_exit; 0 when nothing failed */
    char text[240]; /* "OBJECT: what is wrong (where); what was kept; what to do" */
};

/* Fills err (which may be NULL) unless it already holds a failure; always returns false,
 * so that callers write `return cv_error_set(err, ...)`. Supports the printf subset
 * %s %d %u %x %lu %lx %llu %llx %zu %c %% with optional width and zero padding. Needs no
 * libc; general registers only. Control characters in %s arguments are escaped \xNN. */
bool cv_error_set(struct cv_error *err, int code, const char *fmt, ...) CV_PRINTF(3, 4);

/* The formatter behind it: writes at most cap bytes with the final NUL to buf and returns
 * the length written without it. Same printf subset. */
size_t cv_format(char *buf, size_t cap, const char *fmt, ...) CV_PRINTF(3, 4);
size_t cv_vformat(char *buf, size_t cap, const char *fmt, __builtin_va_list ap);

#endif
