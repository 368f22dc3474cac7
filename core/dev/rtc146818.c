#include "core/dev/rtc146818.h"
#include "core/base/mem.h"

enum {
    SECONDS = 0,
    SECONDS_ALARM,
    MINUTES,
    MINUTES_ALARM,
    HOURS,
    HOURS_ALARM,
    WEEKDAY,
    DAY,
    MONTH,
    YEAR,
    REG_A,
    REG_B,
    REG_C,
    REG_D,
    CENTURY = 0x32
};

#define A_UIP       0x80u
#define A_DIVIDER   0x70u
#define A_DV_RUN    0x20u /* 32768 Hz time base */
#define B_SET       0x80u
#define B_PIE       0x40u
#define B_AIE       0x20u
#define B_UIE       0x10u
#define B_SQWE      0x08u
#define B_BINARY    0x04u
#define B_24H       0x02u
#define C_IRQF      0x80u
#define C_PF        0x40u
#define C_AF        0x20u
#define C_UF        0x10u
#define D_VALID     0x80u
#define NS          1000000000ull
#define UIP_NS      244000u /* "Update Cycle": UIP rises 244 us before the update */
#define DAY_S       86400
#define HALF_SECOND 500000000u

void cv_rtc146818_date(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    /* Years begin in March, eras are 400 years of 146097 days. */
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2 ? 1 : 0);
}

int64_t cv_rtc146818_days(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2 ? 1 : 0);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy =
        (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

/* Stands the clock still? SET, or a divider that is held in reset or not running. */
static bool is_still(const struct cv_rtc146818 *rtc)
{
    return (rtc->cmos[REG_B] & B_SET) || (rtc->cmos[REG_A] & A_DIVIDER) != A_DV_RUN;
}

static uint64_t second_count(const struct cv_rtc146818 *rtc)
{
    return (cv_timeq_now(rtc->timeq) + rtc->lead_ns) / NS;
}

static uint8_t encode(const struct cv_rtc146818 *rtc, unsigned v)
{
    return (uint8_t)(rtc->cmos[REG_B] & B_BINARY ? v : v / 10 << 4 | v % 10);
}

static unsigned decode(const struct cv_rtc146818 *rtc, uint8_t v)
{
    return rtc->cmos[REG_B] & B_BINARY ? v : (v >> 4) * 10u + (v & 15u);
}

static uint8_t encode_hour(const struct cv_rtc146818 *rtc, unsigned hour)
{
    if (rtc->cmos[REG_B] & B_24H) {
        return encode(rtc, hour);
    }
    unsigned h = hour % 12 == 0 ? 12 : hour % 12;
    return (uint8_t)(encode(rtc, h) | (hour >= 12 ? 0x80 : 0));
}

static unsigned decode_hour(const struct cv_rtc146818 *rtc, uint8_t v)
{
    if (rtc->cmos[REG_B] & B_24H) {
        return decode(rtc, v) % 24;
    }
    return decode(rtc, v & 0x7f) % 12 + (v & 0x80 ? 12 : 0);
}

/* The running time as register bytes. */
static void time_to_bytes(struct cv_rtc146818 *rtc, int64_t seconds)
{
    int64_t days = seconds / DAY_S - (seconds % DAY_S < 0 ? 1 : 0);
    unsigned in_day = (unsigned)(seconds - days * DAY_S);
    int64_t year;
    unsigned month, day;
    cv_rtc146818_date(days, &year, &month, &day);
    unsigned y = (unsigned)((year % 10000 + 10000) % 10000);
    rtc->cmos[SECONDS] = encode(rtc, in_day % 60);
    rtc->cmos[MINUTES] = encode(rtc, in_day / 60 % 60);
    rtc->cmos[HOURS] = encode_hour(rtc, in_day / 3600);
    rtc->cmos[WEEKDAY] =
        encode(rtc, (unsigned)(((days + 4) % 7 + 7) % 7) + 1); /* 1: Sunday */
    rtc->cmos[DAY] = encode(rtc, day);
    rtc->cmos[MONTH] = encode(rtc, month);
    rtc->cmos[YEAR] = encode(rtc, y % 100);
    rtc->cmos[CENTURY] = encode(rtc, y / 100);
}

static int64_t bytes_to_time(const struct cv_rtc146818 *rtc)
{
    unsigned month = (decode(rtc, rtc->cmos[MONTH]) + 11) % 12 + 1;
    int64_t year =
        (int64_t)decode(rtc, rtc->cmos[CENTURY]) * 100 + decode(rtc, rtc->cmos[YEAR]);
    int64_t days = cv_rtc146818_days(year, month, 1) + decode(rtc, rtc->cmos[DAY]) - 1;
    return days * DAY_S + decode_hour(rtc, rtc->cmos[HOURS]) * 3600 +
           decode(rtc, rtc->cmos[MINUTES]) * 60 + decode(rtc, rtc->cmos[SECONDS]);
}

static void refresh(struct cv_rtc146818 *rtc)
{
    if (!is_still(rtc)) {
        time_to_bytes(rtc, (int64_t)((uint64_t)rtc->offset_s + second_count(rtc)));
    }
}

/* Lets the clock run on from its bytes. */
static void run_from_bytes(struct cv_rtc146818 *rtc)
{
    rtc->offset_s = (int64_t)((uint64_t)bytes_to_time(rtc) - second_count(rtc));
}

/* -- interrupts ---------------------------------------------------------------------- */

/* Period in 32768 Hz clocks; 0: none. Data sheet table 5 "Periodic Interrupt Rate". */
static uint64_t period_clocks(const struct cv_rtc146818 *rtc)
{
    unsigned rate = rtc->cmos[REG_A] & 15u;
    if (rate == 0 || (rtc->cmos[REG_A] & A_DIVIDER) != A_DV_RUN) {
        return 0;
    }
    return 1ull << ((rate <= 2 ? rate + 7 : rate) - 1);
}

static uint64_t periodic_count(const struct cv_rtc146818 *rtc)
{
    uint64_t clocks = period_clocks(rtc);
    return clocks == 0 ? 0 : cv_ticks_at(cv_timeq_now(rtc->timeq), 32768, NS * clocks);
}

static bool alarm_field(const struct cv_rtc146818 *rtc, unsigned reg, unsigned value)
{
    uint8_t v = rtc->cmos[reg];
    if ((v & 0xc0) == 0xc0) {
        return true; /* "don't care" */
    }
    return (reg == HOURS_ALARM ? decode_hour(rtc, v) : decode(rtc, v)) == value;
}

/* The first second counter above `after` at which the alarm matches; CV_NEVER: it cannot.
 */
static uint64_t next_alarm(const struct cv_rtc146818 *rtc, uint64_t after)
{
    int64_t now = (int64_t)((uint64_t)rtc->offset_s + after) + 1;
    int64_t in_day = now % DAY_S + (now % DAY_S < 0 ? DAY_S : 0);
    unsigned from_hour = (unsigned)(in_day / 3600);
    for (unsigned h = from_hour; h <= from_hour + 24; h++) {
        if (!alarm_field(rtc, HOURS_ALARM, h % 24)) {
            continue;
        }
        for (unsigned m = 0; m < 60; m++) {
            if (!alarm_field(rtc, MINUTES_ALARM, m)) {
                continue;
            }
            for (unsigned s = 0; s < 60; s++) {
                int64_t at = (int64_t)h * 3600 + m * 60 + s;
                if (at >= in_day && alarm_field(rtc, SECONDS_ALARM, s)) {
                    return after + 1 + (uint64_t)(at - in_day);
                }
            }
        }
    }
    return CV_NEVER;
}

/* Brings the flags up to the present. */
static void collect(struct cv_rtc146818 *rtc)
{
    uint64_t update = second_count(rtc);
    uint64_t periodic = periodic_count(rtc);
    if (!is_still(rtc) && update > rtc->seen_update) {
        rtc->flags |= C_UF;
        if (!(rtc->flags & C_AF) && next_alarm(rtc, rtc->seen_update) <= update) {
            rtc->flags |= C_AF;
        }
    }
    if (periodic > rtc->seen_periodic) {
        rtc->flags |= C_PF;
    }
    rtc->seen_update = update;
    rtc->seen_periodic = periodic;
}

static cv_vtime_ns vtime_of_second(const struct cv_rtc146818 *rtc, uint64_t second)
{
    uint64_t ns;
    return second == CV_NEVER || __builtin_mul_overflow(second, NS, &ns)
               ? CV_NEVER
               : ns - rtc->lead_ns;
}

/* After every change: the line, and the next event that would raise it. */
static void update(struct cv_rtc146818 *rtc)
{
    uint8_t enabled = rtc->cmos[REG_B] & (B_PIE | B_AIE | B_UIE);
    cv_vtime_ns next = CV_NEVER;
    cv_line_set(&rtc->irq, (rtc->flags & enabled) != 0);
    if ((rtc->flags & enabled) == 0) {
        if (enabled & B_UIE) {
            next = vtime_of_second(rtc, rtc->seen_update + 1);
        }
        if (enabled & B_AIE) {
            cv_vtime_ns at = vtime_of_second(rtc, next_alarm(rtc, rtc->seen_update));
            next = at < next ? at : next;
        }
        if (is_still(rtc)) {
            next = CV_NEVER;
        }
        uint64_t clocks = period_clocks(rtc);
        if ((enabled & B_PIE) && clocks != 0) {
            cv_vtime_ns at = cv_vtime_of_tick(rtc->seen_periodic + 1, 32768, NS * clocks);
            next = at < next ? at : next;
        }
    }
    cv_timeq_set(rtc->timeq, rtc->slot, next);
}

void cv_rtc146818_event(void *arg)
{
    struct cv_rtc146818 *rtc = arg;
    collect(rtc);
    update(rtc);
}

/* -- registers ----------------------------------------------------------------------- */

static bool is_time(unsigned reg)
{
    return reg == SECONDS || reg == MINUTES || reg == HOURS ||
           (reg >= WEEKDAY && reg <= YEAR) || reg == CENTURY;
}

static uint8_t read_a(const struct cv_rtc146818 *rtc)
{
    uint64_t into = (cv_timeq_now(rtc->timeq) + rtc->lead_ns) % NS;
    bool uip = !is_still(rtc) && NS - into <= UIP_NS;
    return (uint8_t)(rtc->cmos[REG_A] | (uip ? A_UIP : 0));
}

uint64_t cv_rtc146818_read(void *arg, uint64_t off, unsigned size)
{
    struct cv_rtc146818 *rtc = arg;
    (void)size;
    if (off == 0) {
        return 0xff; /* the index is write-only */
    }
    switch (rtc->index) {
    case REG_A:
        return read_a(rtc);
    case REG_C: {
        collect(rtc);
        uint8_t flags = rtc->flags;
        if (flags & rtc->cmos[REG_B] & (B_PIE | B_AIE | B_UIE)) {
            flags |= C_IRQF;
        }
        rtc->flags = 0;
        update(rtc);
        return flags;
    }
    case REG_D:
        return D_VALID;
    default:
        refresh(rtc);
        return rtc->cmos[rtc->index];
    }
}

static void write_control(struct cv_rtc146818 *rtc, unsigned reg, uint8_t value)
{
    bool was_still = is_still(rtc);
    bool was_held = (rtc->cmos[REG_A] & A_DIVIDER) != A_DV_RUN;
    collect(rtc);
    refresh(rtc);
    if (reg == REG_A) {
        rtc->cmos[REG_A] = value & 0x7f;
        if (was_held && (value & A_DIVIDER) == A_DV_RUN) {
            /* "Divider Control": the first update comes half a second later */
            uint64_t now = cv_timeq_now(rtc->timeq) % NS;
            rtc->lead_ns = (uint32_t)((NS + HALF_SECOND - now) % NS);
        }
        rtc->seen_periodic = periodic_count(rtc);
    } else {
        /* A change of DM or 24/12 does not convert what is stored; a running clock shows
         * its time in the new form. SET clears UIE. */
        int64_t now = (int64_t)((uint64_t)rtc->offset_s + second_count(rtc));
        rtc->cmos[REG_B] = value & B_SET ? value & (uint8_t)~B_UIE : value;
        if (!is_still(rtc) && !was_still) {
            time_to_bytes(rtc, now);
        }
    }
    if (was_still && !is_still(rtc)) {
        run_from_bytes(rtc);
    }
    rtc->seen_update = second_count(rtc);
    update(rtc);
}

void cv_rtc146818_write(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct cv_rtc146818 *rtc = arg;
    uint8_t byte = (uint8_t)value;
    (void)size;
    if (off == 0) {
        rtc->index =
            byte & 0x7f; /* bit 7 masks NMI on a PC: there is no NMI source to mask */
        return;
    }
    switch (rtc->index) {
    case REG_A:
    case REG_B:
        write_control(rtc, rtc->index, byte);
        return;
    case REG_C:
    case REG_D:
        return; /* read-only */
    default:
        break;
    }
    collect(rtc);
    refresh(rtc);
    rtc->cmos[rtc->index] = byte;
    if (is_time(rtc->index) && !is_still(rtc)) {
        run_from_bytes(rtc);
    }
    update(rtc);
}

void cv_rtc146818_power_on(struct cv_rtc146818 *rtc, int64_t epoch,
                           uint64_t ram_low_bytes, uint64_t ram_high_bytes)
{
    uint64_t above_1m_k =
        ram_low_bytes > (1u << 20) ? (ram_low_bytes - (1u << 20)) >> 10 : 0;
    uint64_t above_16m =
        ram_low_bytes > (16u << 20) ? (ram_low_bytes - (16u << 20)) >> 16 : 0;
    uint8_t *c = rtc->cmos;
    cv_memset(c, 0, sizeof(rtc->cmos));
    rtc->epoch = epoch;
    rtc->offset_s = epoch;
    rtc->lead_ns = 0;
    rtc->flags = 0;
    rtc->index = 0;
    rtc->seen_update = second_count(rtc);
    c[REG_A] = A_DV_RUN | 6; /* 1024 Hz, as PC firmware leaves it */
    c[REG_B] = B_24H;
    rtc->seen_periodic = periodic_count(rtc);
    c[0x14] = 0x06;         /* equipment: FPU, pointing device bit as customary */
    cv_st16(c + 0x15, 640); /* KiB of base memory */
    above_1m_k = above_1m_k > 65535 ? 65535 : above_1m_k;
    cv_st16(c + 0x17, (uint16_t)above_1m_k);
    cv_st16(c + 0x30, (uint16_t)above_1m_k);
    cv_st16(c + 0x34,
            (uint16_t)(above_16m > 65535 ? 65535 : above_16m)); /* 64 KiB units */
    uint64_t high = ram_high_bytes >> 16;
    cv_st16(c + 0x5b, (uint16_t)high);
    c[0x5d] = (uint8_t)(high >> 16);
}

/* RESET# clears PIE AIE UIE SQWE and the flags; the clock and the memory live on a
 * battery. */
static void reset(void *dev)
{
    struct cv_rtc146818 *rtc = dev;
    rtc->cmos[REG_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    rtc->flags = 0;
    rtc->seen_update = second_count(rtc);
    rtc->seen_periodic = periodic_count(rtc);
    update(rtc);
}

static void section(void *dev, struct cv_section *s)
{
    struct cv_rtc146818 *rtc = dev;
    cv_section_u8_max(s, &rtc->index, 127);
    cv_section_bytes(s, rtc->cmos, sizeof(rtc->cmos));
    cv_section_u8(s, &rtc->flags);
    cv_section_i64(s, &rtc->offset_s);
    cv_section_u32_max(s, &rtc->lead_ns, NS - 1);
    cv_section_u64(s, &rtc->seen_update);
    cv_section_u64(s, &rtc->seen_periodic);
    if (rtc->offset_s < -CV_RTC_SECONDS_MAX || rtc->offset_s > CV_RTC_SECONDS_MAX ||
        (rtc->flags & (uint8_t) ~(C_PF | C_AF | C_UF)) || (rtc->cmos[REG_A] & A_UIP)) {
        s->failed = true;
    }
}

const struct cv_device_class cv_rtc146818_class = {
    .name = "rtc", .version = 1, .reset = reset, .section = section};
