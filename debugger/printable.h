/*
 * printable.h - what a guest or a trace calls itself, in ASCII that harms no terminal and no JSON
 * Thread:  any; no state
 */
#ifndef CV_DEBUGGER_PRINTABLE_H
#define CV_DEBUGGER_PRINTABLE_H

#include "core/base/types.h"

struct cv_trace_mark;

/* What a text of len bytes may become, and its end. */
#define CV_PRINTABLE_MAX(len) (6 * (len) + 1)
#define CV_PRINTABLE_MARK_MAX 600u

/* The text as \xNN where it is not printable ASCII, or (json) as what stands between the quotes of a JSON string. At most
 * cap - 1 bytes and a NUL; returns how many. */
size_t cv_printable_text(const char *text, size_t len, bool json, char *out, size_t cap);
/* A mark of a trace: "step 5, oops-1 BUG: ..", or a JSON object. Needs CV_PRINTABLE_MARK_MAX bytes. */
void cv_printable_mark(const struct cv_trace_mark *mark, bool json, char *out, size_t cap);

#endif
