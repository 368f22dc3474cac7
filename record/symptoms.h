/*
 * symptoms.h - what a line of a Linux console says has gone wrong
 *
 * A symptom is the one line that begins a report; what the kernel prints behind it (registers, traces, the line "Oops:
 * 0002 [#1]" that closes the head of one) is the same symptom. Known are the formats of kernels 4.0 to 6.12, with and
 * without log level (<4>), time ([    1.234567]) and caller ([    T1]); also behind other text, such as a shell's prompt.
 * Spec:    Linux, Documentation/admin-guide/bug-hunting.rst; lockup-watchdogs.rst; RCU/stallwarn.rst
 * Thread:  any, one at a time
 */
#ifndef CV_RECORD_SYMPTOMS_H
#define CV_RECORD_SYMPTOMS_H

#include "core/base/types.h"

enum cv_symptom {
    CV_SYMPTOM_NONE,
    CV_SYMPTOM_OOPS, /* a fault in the kernel */
    CV_SYMPTOM_BUG,  /* BUG(), and what else is reported as "BUG: " */
    CV_SYMPTOM_HUNG_TASK,
    CV_SYMPTOM_LOCKUP, /* soft, hard, of a workqueue */
    CV_SYMPTOM_RCU_STALL,
    CV_SYMPTOM_PANIC,
};

struct cv_symptoms { /* zero: nothing seen */
    unsigned head;   /* lines for which the rest of a report's head may still come */
};

/* The next line, printable text without its end. *text is where the message begins in it. */
enum cv_symptom cv_symptoms_read(struct cv_symptoms *s, const char *line,
                                 const char **text);

#endif
