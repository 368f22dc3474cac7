/*
 * lapic_timer.h - between lapic.c and its timer; for these two files alone
 *
 * The timer holds a count and the tick it was valid at; what it shows now, and when it runs out, is computed.
 * Spec:    Intel SDM 3A "APIC Timer" (10.5.4), "TSC-Deadline Mode" (10.5.4.1)
 * Units:   ticks of CV_LAPIC_TICK_NS; counts are ticks / divisor
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_DEV_LAPIC_TIMER_H
#define CV_CORE_DEV_LAPIC_TIMER_H

#include "core/dev/lapic.h"

#define CV_LVT_MASKED 0x10000u

/* lapic.c: a fixed interrupt arrives. */
void cv_lapic_take(struct cv_lapic *a, uint8_t vector, bool level);

uint64_t cv_lapic_timer_tick(const struct cv_lapic *a); /* now */
bool cv_lapic_timer_is_deadline(const struct cv_lapic *a);
uint32_t cv_lapic_timer_count(const struct cv_lapic *a); /* the current count register */
/* An expiry that is due but not yet served must not be lost by reprogramming: before any change. */
void cv_lapic_timer_serve_due(struct cv_lapic *a);
/* After any change: sets the event of the next expiry, or none. */
void cv_lapic_timer_arm(struct cv_lapic *a);
void cv_lapic_timer_write_lvt(struct cv_lapic *a, uint32_t value);
void cv_lapic_timer_write_initial(struct cv_lapic *a, uint32_t value);
void cv_lapic_timer_write_divide(struct cv_lapic *a, uint32_t value);

#endif
