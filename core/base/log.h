/*
 * log.h - diagnostics that never change the guest
 *
 * Messages go to the sink the program installed, with the icount the machine stands at;
 * never wall time. General registers only up to the sink. Levels: error 0, warn 1, info 2,
 * debug 3, trace 4. Category = file name.
 * Thread:  engine thread only
 */
#ifndef CV_CORE_BASE_LOG_H
#define CV_CORE_BASE_LOG_H

#include "core/base/types.h"

enum cv_log_level { CV_LOG_ERROR, CV_LOG_WARN, CV_LOG_INFO, CV_LOG_DEBUG, CV_LOG_TRACE };

/* Implemented by app/host/log.c; must not touch vector registers (formats into a buffer
 * with cv_vformat and writes to stderr with a bare write(2)). */
bool cv_log_on(const char *category, enum cv_log_level level);
void cv_log(const char *category, enum cv_log_level level, const char *fmt, ...)
    CV_PRINTF(3, 4);

#endif
