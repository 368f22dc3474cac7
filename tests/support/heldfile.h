/*
 * heldfile.h - a trace file held in memory, for tests that cut and change it
 *
 * Through record/ it can be read and asked for its size; a call of anything else crashes, and is found.
 */
#ifndef CV_TESTS_SUPPORT_HELDFILE_H
#define CV_TESTS_SUPPORT_HELDFILE_H

#include "record/trace.h"

struct held_file {
    uint8_t *data;
    uint64_t size; /* as record/ is told; less than was loaded: cut */
};

/* False: it cannot be read. */
bool held_file_load(struct held_file *file, const char *path);
/* Borrows the file. NULL with err, as cv_trace_open(). */
struct cv_trace *held_file_open(struct held_file *file, struct cv_error *err);

#endif
