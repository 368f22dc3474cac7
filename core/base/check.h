/*
 * check.h - assertions for our own bugs; on in release
 *
 * A failed CV_ASSERT is a defect of Chronovisor: it prints where, calls the hook that
 * the program installed (trace is sealed, report is written) and aborts. Nothing a
 * guest, a trace, a packet or an image contains may ever reach one.
 * Thread:  any
 */
#ifndef CV_CORE_BASE_CHECK_H
#define CV_CORE_BASE_CHECK_H

#include "core/base/types.h"

/* Implemented by app/host/check.c (and tests/support): prints one line and ends the
 * process with exit code 70 (never by signal in release). Does not return. */
void cv_check_failed(const char *expr, const char *file, int line)
    __attribute__((noreturn));

#define CV_ASSERT(expr)                                                                  \
    do {                                                                                 \
        if (CV_UNLIKELY(!(expr))) {                                                      \
            cv_check_failed(#expr, __FILE__, __LINE__);                                  \
        }                                                                                \
    } while (0)

#define CV_UNREACHABLE() cv_check_failed("unreachable", __FILE__, __LINE__)

#endif
