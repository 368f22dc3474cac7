/*
 * events.h - the names of the classes of events (core/cpu/tap.h), and what the detail of one is
 *
 * One table for `monitor prev`, `monitor next` and the questions of debugger/query.h.
 * Thread:  any; constant
 */
#ifndef CV_DEBUGGER_EVENTS_H
#define CV_DEBUGGER_EVENTS_H

#include "core/cpu/tap.h"

struct cv_event_class {
    const char *name; /* "irq" */
    uint32_t tap;     /* one bit of CV_TAP_ALL */
    const char *detail;
};

extern const struct cv_event_class cv_event_classes[CV_TAP_CLASSES];

/* The class whose name is these len bytes; NULL: none. */
const struct cv_event_class *cv_event_class(const char *name, size_t len);

#endif
