/*
 * disas.h - instructions as text, in every mode of the processor
 *
 * gdb shows code by the one architecture that it was told when it connected; this goes by the mode that the CPU is in.
 * The text is AT&T's, as gdb's is.
 * Thread:  any; no state
 */
#ifndef CV_DEBUGGER_DISAS_H
#define CV_DEBUGGER_DISAS_H

#include "core/base/types.h"

struct cv_cpu;

#define CV_DISAS_BYTES_MAX 15u

/* One instruction; its length, or 0 when these bytes are none. `at` is what rip would be: near branches go from there. */
size_t cv_disas(const struct cv_cpu *cpu, const uint8_t *bytes, size_t len, uint64_t at, char *text, size_t cap);

#endif
