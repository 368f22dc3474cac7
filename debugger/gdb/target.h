/*
 * target.h - the documents gdb reads, and the register numbers they give
 * Thread:  any; constant data
 */
#ifndef CV_DEBUGGER_GDB_TARGET_H
#define CV_DEBUGGER_GDB_TARGET_H

#include "debugger/arch.h"

#include <stddef.h>

/* Register layout of a session, in every CPU mode. */
struct cv_gdb_target {
    const char *xml, *xml_end; /* i386.xml or x86-64.xml */
    const char *memory_map; /* the whole address space as RAM: addresses are linear ones, and what gdb does not find
                               here it would refuse to read */
    unsigned count;         /* registers are 0 .. count - 1 */
    unsigned fp, sp, pc;    /* numbers of those that every stop tells */
};

const struct cv_gdb_target *cv_gdb_target(enum cv_arch arch);
/* What gdb's number n < count is: a register of core/inspect.h, of which it wants the lowest bytes. */
void cv_gdb_target_reg(const struct cv_gdb_target *target, unsigned n, unsigned *reg, unsigned *bytes);

#endif
