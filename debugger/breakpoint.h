/*
 * breakpoint.h - a sorted set of linear addresses with reference counts
 *
 * Several clients may want a stop at one address; it leaves the set when the last one lets go.
 * Thread:  engine thread only
 */
#ifndef CV_DEBUGGER_BREAKPOINT_H
#define CV_DEBUGGER_BREAKPOINT_H

#include "core/base/types.h"

struct cv_breakpoint_set { /* all zero: empty */
    cv_gva *list;          /* sorted, each address once */
    uint32_t *refs;
    size_t count, cap;
};

void cv_breakpoint_fini(struct cv_breakpoint_set *set);
/* One reference more. False: no memory, nothing changed. */
bool cv_breakpoint_add(struct cv_breakpoint_set *set, cv_gva gva) CV_MUST_CHECK;
/* One reference less. False: the address is not in the set. */
bool cv_breakpoint_remove(struct cv_breakpoint_set *set, cv_gva gva);
bool cv_breakpoint_has(const struct cv_breakpoint_set *set, cv_gva gva);

#endif
