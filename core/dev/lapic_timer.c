/*
 * lapic_timer.c - the timer of the local APIC: one-shot, periodic, TSC deadline
 */
#include "core/dev/lapic_timer.h"

#define TIMER_MODE(v)  ((v) >> 17 & 3u)
#define TIMER_PERIODIC 1u
#define TIMER_DEADLINE 2u

static uint64_t divisor(const struct cv_lapic *a)
{
    unsigned code = (a->divide & 3u) | (a->divide & 8u) >> 1;
    return code == 7 ? 1 : 2ull << code;
}

uint64_t cv_lapic_timer_tick(const struct cv_lapic *a)
{
    return cv_timeq_now(a->timeq) / CV_LAPIC_TICK_NS;
}

bool cv_lapic_timer_is_deadline(const struct cv_lapic *a)
{
    return TIMER_MODE(a->lvt[CV_LVT_TIMER]) == TIMER_DEADLINE;
}

static bool is_periodic(const struct cv_lapic *a)
{
    return TIMER_MODE(a->lvt[CV_LVT_TIMER]) == TIMER_PERIODIC;
}

static uint64_t counts_since(const struct cv_lapic *a)
{
    uint64_t now = cv_lapic_timer_tick(a);
    return now > a->timer_tick ? (now - a->timer_tick) / divisor(a) : 0;
}

uint32_t cv_lapic_timer_count(const struct cv_lapic *a)
{
    uint64_t gone = counts_since(a);
    if (cv_lapic_timer_is_deadline(a) || a->initial == 0) {
        return 0;
    }
    if (gone < a->timer_count) {
        return (uint32_t)(a->timer_count - gone);
    }
    return is_periodic(a) ? (uint32_t)(a->initial - (gone - a->timer_count) % a->initial)
                          : 0;
}

/* First vtime after now at which the counter runs out; CV_NEVER: it does not. */
static cv_vtime_ns next_expiry(const struct cv_lapic *a)
{
    if (a->initial == 0) {
        return CV_NEVER;
    }
    uint64_t gone = counts_since(a);
    uint64_t at = a->timer_count;
    if (gone >= at) {
        if (!is_periodic(a)) {
            return CV_NEVER;
        }
        at += ((gone - at) / a->initial + 1) * a->initial;
    }
    uint64_t tick, ns;
    if (__builtin_mul_overflow(at, divisor(a), &tick) ||
        __builtin_add_overflow(tick, a->timer_tick, &tick) ||
        __builtin_mul_overflow(tick, (uint64_t)CV_LAPIC_TICK_NS, &ns)) {
        return CV_NEVER;
    }
    return ns;
}

void cv_lapic_timer_arm(struct cv_lapic *a)
{
    cv_vtime_ns at = CV_NEVER;
    if (cv_lapic_timer_is_deadline(a)) {
        if (a->tsc_deadline != 0) {
            cv_vtime_ns now = cv_timeq_now(a->timeq);
            uint64_t tsc = now + a->tsc_offset;
            at = a->tsc_deadline <= tsc ? now : now + (a->tsc_deadline - tsc);
            at = at < now ? CV_NEVER : at;
        }
    } else if (!(a->lvt[CV_LVT_TIMER] & CV_LVT_MASKED)) {
        at = next_expiry(a);
    }
    cv_timeq_set(a->timeq, a->slot, at);
}

static void fire_timer(struct cv_lapic *a)
{
    uint32_t lvt = a->lvt[CV_LVT_TIMER];
    if (cv_lapic_timer_is_deadline(a)) {
        a->tsc_deadline = 0;
    }
    if (!(lvt & CV_LVT_MASKED)) {
        cv_lapic_take(a, (uint8_t)lvt, false);
    }
}

void cv_lapic_event(void *arg)
{
    struct cv_lapic *a = arg;
    fire_timer(a);
    cv_lapic_timer_arm(a);
}

void cv_lapic_timer_serve_due(struct cv_lapic *a)
{
    if (a->timeq->slot[a->slot].deadline <= cv_timeq_now(a->timeq)) {
        cv_timeq_cancel(a->timeq, a->slot);
        fire_timer(a);
    }
}

void cv_lapic_timer_write_lvt(struct cv_lapic *a, uint32_t value)
{
    unsigned before = TIMER_MODE(a->lvt[CV_LVT_TIMER]);
    cv_lapic_timer_serve_due(a);
    /* Keep the count going where it is across one-shot / periodic. */
    uint32_t current = cv_lapic_timer_count(a);
    uint64_t phase = counts_since(a) * divisor(a) + a->timer_tick;
    a->lvt[CV_LVT_TIMER] = value;
    unsigned after = TIMER_MODE(value);
    if (before != after) {
        if (before == TIMER_DEADLINE || after == TIMER_DEADLINE) {
            a->tsc_deadline =
                0; /* "TSC-Deadline Mode" (10.5.4.1): a change of mode disarms */
            a->initial = 0;
            a->timer_count = 0;
        } else if (a->initial != 0) {
            a->timer_count = current;
            a->timer_tick = phase > cv_lapic_timer_tick(a) ? cv_lapic_timer_tick(a) : phase;
        }
    }
    cv_lapic_timer_arm(a);
}

void cv_lapic_timer_write_initial(struct cv_lapic *a, uint32_t value)
{
    if (cv_lapic_timer_is_deadline(a)) {
        return;
    }
    cv_lapic_timer_serve_due(a);
    a->initial = value;
    a->timer_count = value;
    a->timer_tick = cv_lapic_timer_tick(a);
    cv_lapic_timer_arm(a);
}

void cv_lapic_timer_write_divide(struct cv_lapic *a, uint32_t value)
{
    cv_lapic_timer_serve_due(a);
    uint32_t current = cv_lapic_timer_count(a);
    a->divide = value & 0xb;
    a->timer_count = current;
    a->timer_tick = cv_lapic_timer_tick(a);
    cv_lapic_timer_arm(a);
}

void cv_lapic_set_tsc_offset(struct cv_lapic *a, uint64_t tsc_offset)
{
    if (a->tsc_offset != tsc_offset) {
        a->tsc_offset = tsc_offset;
        if (cv_lapic_timer_is_deadline(a)) {
            cv_lapic_timer_arm(a);
        }
    }
}

void cv_lapic_load_tsc_offset(struct cv_lapic *a, uint64_t tsc_offset)
{
    a->tsc_offset = tsc_offset;
}
