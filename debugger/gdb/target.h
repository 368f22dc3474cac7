/*
 * target.h - the documents gdb reads: registers, memory map
 * Thread:  any; constant data
 */
#ifndef CV_DEBUGGER_GDB_TARGET_H
#define CV_DEBUGGER_GDB_TARGET_H

#include <stddef.h>

/* x86-64.xml, the register layout in every CPU mode. */
const char *cv_gdb_target_xml(size_t *len);
/* All of the 64-bit address space as RAM: addresses are linear ones, and what gdb does not find here it would
 * refuse to read. */
const char *cv_gdb_target_memory_map(size_t *len);

#endif
