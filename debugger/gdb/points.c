#include "debugger/gdb/points.h"

#include <stdlib.h>

static size_t hash(char type, uint64_t addr, uint64_t len)
{
    uint64_t x =
        addr * 0x9e3779b97f4a7c15ull ^ len * 0xc2b2ae3d27d4eb4full ^ (uint64_t)type << 32;
    return (size_t)(x ^ x >> 29);
}

/* The point's slot, or the free one where it would stand. cap > 0 is a power of two, and never all in use. */
static size_t find_slot(const struct cv_gdb_points *points, char type, uint64_t addr,
                        uint64_t len)
{
    size_t i = hash(type, addr, len) & (points->cap - 1);
    for (;; i = (i + 1) & (points->cap - 1)) {
        const struct cv_gdb_point *p = &points->slots[i];
        if (p->number == 0 || (p->type == type && p->addr == addr && p->len == len)) {
            return i;
        }
    }
}

void cv_gdb_points_fini(struct cv_gdb_points *points)
{
    free(points->slots);
    *points = (struct cv_gdb_points){.slots = NULL};
}

struct cv_gdb_point *cv_gdb_points_find(const struct cv_gdb_points *points, char type,
                                        uint64_t addr, uint64_t len)
{
    if (points->cap == 0) {
        return NULL;
    }
    struct cv_gdb_point *p = &points->slots[find_slot(points, type, addr, len)];
    return p->number != 0 ? p : NULL;
}

static void put(struct cv_gdb_points *points, const struct cv_gdb_point *point)
{
    points->slots[find_slot(points, point->type, point->addr, point->len)] = *point;
    points->count++;
    points->out += point->out;
}

/* Into a table of this size; those that are out are forgotten when `table` is given. */
static bool rebuild(struct cv_gdb_points *points, size_t cap, struct cv_stop_table *table)
{
    struct cv_gdb_points next = {.slots = calloc(cap, sizeof(*next.slots)), .cap = cap};
    if (next.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < points->cap; i++) {
        const struct cv_gdb_point *p = &points->slots[i];
        if (p->number != 0 && p->out && table != NULL) {
            cv_stop_remove(table, p->number);
        } else if (p->number != 0) {
            put(&next, p);
        }
    }
    free(points->slots);
    *points = next;
    return true;
}

bool cv_gdb_points_add(struct cv_gdb_points *points, const struct cv_gdb_point *point)
{
    if (2 * (points->count + 1) > points->cap &&
        !rebuild(points, points->cap == 0 ? 64 : points->cap * 2, NULL)) {
        return false;
    }
    put(points, point);
    return true;
}

void cv_gdb_points_set_out(struct cv_gdb_points *points, struct cv_gdb_point *point,
                           bool out)
{
    points->out = points->out - point->out + out;
    point->out = out;
}

void cv_gdb_points_sweep(struct cv_gdb_points *points, struct cv_stop_table *table)
{
    if (points->out > 0) {
        bool ok = rebuild(points, points->cap, table);
        (void)ok; /* without memory they stay */
    }
}
