/*
 * rtc146818.h - real-time clock and CMOS memory
 *
 * Spec:    Motorola MC146818A data sheet; 128 bytes with the century at 0x32 as in PCs
 * Units:   the clock reads offset_s + floor((vtime + lead_ns) / 1e9) seconds since 1970,
 *          UTC
 * Inputs:  index and data port, virtual-time events
 * Outputs: IRQ, held until register C is read
 * State:   section "rtc" version 1
 * Missing: daylight saving (bit DSE), square-wave output; day-of-week writes (it follows
 *          the date)
 *
 * Flags of register C are found when they are asked for: each keeps the last period it
 * has told of. Events are only scheduled for interrupts that are enabled and not yet
 * pending.
 */
#ifndef CV_CORE_DEV_RTC146818_H
#define CV_CORE_DEV_RTC146818_H

#include "core/base/line.h"
#include "core/dev/device.h"
#include "core/dev/timeq.h"

/* No clock is set further from 1970 than this, about 35,000 years; arithmetic on dates stays in range. */
#define CV_RTC_SECONDS_MAX (1ll << 40)

struct cv_rtc146818 {
    uint8_t index;
    uint8_t cmos[128]; /* time bytes (0, 2, 4, 6..9, 0x32) hold what stands still: see
                          is_still */
    uint8_t flags;     /* register C: PF AF UF found so far */
    int64_t offset_s;
    uint32_t lead_ns;
    uint64_t seen_update;   /* second counter told of by UF and AF */
    uint64_t seen_periodic; /* periodic counter told of by PF */
    int64_t epoch;          /* configuration, not state */
    struct cv_timeq *timeq;
    unsigned slot;
    struct cv_line irq;
};

extern const struct cv_device_class cv_rtc146818_class;

/* Sets the clock and fills CMOS as firmware would, from the RAM size. Once, at power on;
 * a reset leaves both alone. */
void cv_rtc146818_power_on(struct cv_rtc146818 *rtc, int64_t epoch,
                           uint64_t ram_low_bytes, uint64_t ram_high_bytes);
void cv_rtc146818_event(void *rtc);
uint64_t cv_rtc146818_read(void *rtc, uint64_t off, unsigned size);
void cv_rtc146818_write(void *rtc, uint64_t off, unsigned size, uint64_t value);

/* Civil date of a day number since 1970-01-01, and back; proleptic Gregorian. */
void cv_rtc146818_date(int64_t days, int64_t *year, unsigned *month, unsigned *day);
int64_t cv_rtc146818_days(int64_t year, unsigned month, unsigned day);

#endif
