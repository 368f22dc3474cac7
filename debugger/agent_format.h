/*
 * agent_format.h - the formats of C's printf, over 64-bit values and guest memory
 *
 * The format comes from outside and never reaches the host's printf. It knows %d %i %u %o %x %X %c %p %s %% with the
 * flags "-+ #0", a width and a precision (each at most 255), and the lengths hh h l ll z j t; and the escapes that gdb
 * leaves in the text, as in C source. Refused are %n, "*", floating point and wide characters.
 * Spec:    "Debugging with GDB", "Dynamic Printf" and "Bytecode Descriptions", printf
 * Thread:  any; no state
 */
#ifndef CV_DEBUGGER_AGENT_FORMAT_H
#define CV_DEBUGGER_AGENT_FORMAT_H

#include "debugger/agent.h"

#define CV_AGENT_TEXT_MAX 4096u /* bytes of one line that is printed; what is more is cut */

/* How many values the format takes; -1: it is not one of those above. */
int cv_agent_format_args(const char *format);
/* Writes at most cap bytes, with no NUL behind; returns how many. The format was checked; `args` holds what it takes.
 * Of a string that cannot be read the address is told instead. */
size_t cv_agent_format(const char *format, const uint64_t *args, const struct cv_agent_host *host, char *out,
                       size_t cap);

#endif
