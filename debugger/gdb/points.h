/*
 * points.h - what a gdb client has inserted by Z packets: from type, address and length to a number of the stop table
 *
 * gdb takes all of its points out at every stop and puts them back before the next move. A point that is out is kept for
 * a while with its entry, so that the way back costs one look into a hash table, and counts are not lost.
 * Thread:  engine thread only
 */
#ifndef CV_DEBUGGER_GDB_POINTS_H
#define CV_DEBUGGER_GDB_POINTS_H

#include "debugger/stops.h"

struct cv_gdb_point {
    uint64_t addr, len;
    uint32_t number; /* in the stop table; 0: the slot is free */
    char type;       /* '0'..'4' */
    bool out;
};
struct cv_gdb_points {          /* all zero: none */
    struct cv_gdb_point *slots; /* open addressing */
    size_t cap, count, out;
};

void cv_gdb_points_fini(struct cv_gdb_points *points);
/* The point; NULL: none. Borrowed until one is added or swept. */
struct cv_gdb_point *cv_gdb_points_find(const struct cv_gdb_points *points, char type, uint64_t addr, uint64_t len);
/* One that was not there. False: no memory. */
bool cv_gdb_points_add(struct cv_gdb_points *points, const struct cv_gdb_point *point) CV_MUST_CHECK;
void cv_gdb_points_set_out(struct cv_gdb_points *points, struct cv_gdb_point *point, bool out);
/* Forgets all that are out, here and in the table. */
void cv_gdb_points_sweep(struct cv_gdb_points *points, struct cv_stop_table *table);

#endif
