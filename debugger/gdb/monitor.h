/*
 * monitor.h - verbs of `monitor` that live outside exec_monitor.c
 *
 * A verb gets what stands behind its name, without blanks in front, and answers by cv_gdb_print().
 * Thread:  engine thread only
 */
#ifndef CV_DEBUGGER_GDB_MONITOR_H
#define CV_DEBUGGER_GDB_MONITOR_H

#include "debugger/gdb/state.h"

/* exec_find.c: travel to events, and who touched memory */
void cv_gdb_verb_prev(struct cv_gdb *gdb, const char *args);
void cv_gdb_verb_next(struct cv_gdb *gdb, const char *args);
void cv_gdb_verb_last_write(struct cv_gdb *gdb, const char *args);
void cv_gdb_verb_last_read(struct cv_gdb *gdb, const char *args);
/* exec_watch.c: watchpoints that gdb knows nothing of, and marks */
void cv_gdb_verb_watch(struct cv_gdb *gdb, const char *args);
void cv_gdb_verb_rwatch(struct cv_gdb *gdb, const char *args);
void cv_gdb_verb_awatch(struct cv_gdb *gdb, const char *args);
void cv_gdb_verb_watches(struct cv_gdb *gdb, const char *args);
void cv_gdb_verb_unwatch(struct cv_gdb *gdb, const char *args);
void cv_gdb_verb_mark(struct cv_gdb *gdb, const char *args);
void cv_gdb_verb_marks(struct cv_gdb *gdb, const char *args);
/* exec_question.c */
void cv_gdb_verb_console(struct cv_gdb *gdb, const char *args);
/* exec_place.c: code in the mode of the CPU; icounts to stop at; the whole run against its digests */
void cv_gdb_verb_verify(struct cv_gdb *gdb, const char *args);
void cv_gdb_verb_disas(struct cv_gdb *gdb, const char *args);
void cv_gdb_verb_halt(struct cv_gdb *gdb, const char *args);
void cv_gdb_verb_unhalt(struct cv_gdb *gdb, const char *args);

/* Takes one word, the blanks behind it too; "" at the end. At most cap - 1 bytes; longer ones are cut. */
void cv_gdb_word(const char **args, char *word, size_t cap);
/* The whole word as a number, decimal or 0x hex. */
bool cv_gdb_number(const char *word, uint64_t *value);

#endif
