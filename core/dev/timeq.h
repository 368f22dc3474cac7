/*
 * timeq.h - virtual time: the only clock, and named events in it
 *
 * vtime = icount + skew. Devices compute counters from vtime on demand and schedule the first
 * vtime at which something happens; events due at one vtime are served in order of their slot
 * number, which the board fixes. Nothing is called from inside another device's callback: the
 * machine loop calls cv_timeq_run at boundaries only.
 * State:   section "timeq": skew and all deadlines
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_DEV_TIMEQ_H
#define CV_CORE_DEV_TIMEQ_H

#include "core/base/section.h"
#include "core/base/types.h"

#define CV_TIMEQ_SLOTS 32u
/* 292 years. What is due later is never due, so no jump over idle time goes farther and vtime cannot wrap. */
#define CV_TIMEQ_LAST (1ull << 63)

typedef void (*cv_timeq_fn)(void *arg);

struct cv_timeq_slot {
    const char *name;
    cv_timeq_fn fn;
    void *arg;
    cv_vtime_ns deadline; /* CV_NEVER: idle */
};

struct cv_timeq {
    struct cv_timeq_slot slot[CV_TIMEQ_SLOTS];
    unsigned slots;
    cv_vtime_ns next; /* derived: earliest deadline */
    uint64_t skew;
    /* set by the board: the running CPU's icount; and "a deadline moved" (CV_LEAVE_DEADLINE) */
    cv_icount (*icount)(void *arg);
    void (*moved)(void *arg);
    void *arg;
};

void cv_timeq_init(struct cv_timeq *q);
/* Adds a slot; returns its number. Order of calls is service order. */
unsigned cv_timeq_add(struct cv_timeq *q, const char *name, cv_timeq_fn fn, void *arg);
static inline cv_vtime_ns cv_timeq_now(const struct cv_timeq *q)
{
    return q->icount(q->arg) + q->skew;
}
/* Schedules (replaces) a slot's deadline; a deadline <= now is served at the next boundary, one behind CV_TIMEQ_LAST
 * is CV_NEVER. */
void cv_timeq_set(struct cv_timeq *q, unsigned slot, cv_vtime_ns deadline);
static inline void cv_timeq_cancel(struct cv_timeq *q, unsigned slot)
{
    cv_timeq_set(q, slot, CV_NEVER);
}
/* Serves everything due at now, earliest deadline first, then slot order; a deadline that is served is
 * set to CV_NEVER before its fn runs. At most 1024 calls a boundary; the rest follows at the
 * next. */
void cv_timeq_run(struct cv_timeq *q);
/* The first icount at which something is due: max(next - skew, icount now); CV_NEVER if nothing. */
cv_icount cv_timeq_next_icount(const struct cv_timeq *q);
/* vtime += ns (charges, idle jumps). */
void cv_timeq_advance(struct cv_timeq *q, uint64_t ns);
void cv_timeq_section(struct cv_timeq *q, struct cv_section *s);

/* floor(vtime * num / den) in 128 bits: device counters; and its inverse: the first vtime at which the
 * counter reaches value. */
static inline uint64_t cv_ticks_at(cv_vtime_ns vtime, uint64_t num, uint64_t den)
{
    return (uint64_t)((unsigned __int128)vtime * num / den);
}
static inline cv_vtime_ns cv_vtime_of_tick(uint64_t tick, uint64_t num, uint64_t den)
{
    return (cv_vtime_ns)(((unsigned __int128)tick * den + num - 1) / num);
}

#endif
