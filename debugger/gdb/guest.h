/*
 * guest.h - guest awareness in the gdb server: monitor verbs and thread names
 * Thread:  engine thread only
 */
#ifndef CV_DEBUGGER_GDB_GUEST_H
#define CV_DEBUGGER_GDB_GUEST_H

#include "core/base/types.h"

struct cv_gdb;

#define CV_GDB_WHERE_MAX 600u

/* Monitor verbs: print, never fail. */
void cv_gdb_guest_about(struct cv_gdb *gdb, const char *args);
void cv_gdb_guest_ps(struct cv_gdb *gdb, const char *args);
void cv_gdb_guest_current(struct cv_gdb *gdb, const char *args);
/* Sets gdb->space, the address space in which breakpoints set from then on hold. */
void cv_gdb_guest_process(struct cv_gdb *gdb, const char *args);
void cv_gdb_guest_modules(struct cv_gdb *gdb, const char *args);
void cv_gdb_guest_dmesg(struct cv_gdb *gdb, const char *args);
void cv_gdb_guest_sym(struct cv_gdb *gdb, const char *args);
/* Prints only when the vmlinux that was given is another kernel's. */
void cv_gdb_guest_warn(struct cv_gdb *gdb, const char *args);

/* "vCPU0: swapper/0" as far as it is known, of letters that XML takes as they are; its length. */
size_t cv_gdb_guest_thread(struct cv_gdb *gdb, unsigned cpu, char *text, size_t cap);

#endif
