#include "core/dev/pit8254.h"

#define EVENT_BURST    8u /* OUT changes reported in one event; then the past is skipped */
#define REFRESH_TICKS  18u /* channel 1 as PC firmware sets it: every 15 us */
#define PORT61_GATE2   0x01u
#define PORT61_SPEAKER 0x02u
#define PORT61_REFRESH 0x10u
#define PORT61_OUT2    0x20u
#define STATUS_OUT     0x80u
#define STATUS_NULL    0x40u

static uint64_t tick_now(const struct cv_pit8254 *pit)
{
    return cv_ticks_at(cv_timeq_now(pit->timeq), CV_PIT_NUM, CV_PIT_DEN);
}

static bool is_periodic(const struct cv_pit_channel *c)
{
    return c->mode == 2 || c->mode == 3;
}

/* A count written while modes 2 and 3 run takes effect at the end of the period. */
static void settle(struct cv_pit_channel *c, uint64_t tick)
{
    if (c->next_count != 0 && tick >= c->switch_tick) {
        c->count = c->next_count;
        c->load_tick = c->switch_tick;
        c->next_count = 0;
    }
}

static bool is_running(const struct cv_pit_channel *c)
{
    switch (c->mode) {
    case 1:
    case 5:
        return c->counting && c->triggered;
    case 2:
    case 3:
        return c->counting && c->gate;
    default:
        return c->counting;
    }
}

/* Ticks counted since the load, at `tick`. */
static uint64_t elapsed_at(const struct cv_pit_channel *c, uint64_t tick)
{
    if (!is_running(c)) {
        return 0;
    }
    if ((c->mode == 0 || c->mode == 4) && !c->gate) {
        return c->held;
    }
    return tick > c->load_tick ? tick - c->load_tick : 0;
}

/* OUT as a function of ticks counted; data sheet "Mode Definitions". */
static bool out_after(const struct cv_pit_channel *c, uint64_t elapsed)
{
    uint32_t n = c->count;
    switch (c->mode) {
    case 0:
        return elapsed >= n;
    case 1:
        return elapsed >= n;
    case 2:
        return elapsed % n != n - 1 || n == 1;
    case 3:
        return elapsed % n < (n + 1) / 2;
    default: /* 4, 5: low for one clock at the terminal count */
        return elapsed != n;
    }
}

static bool out_at(const struct cv_pit_channel *c, uint64_t tick)
{
    if (!is_running(c)) {
        return c->mode != 0;
    }
    if (c->mode == 1 && tick < c->load_tick) {
        return true;
    }
    return out_after(c, elapsed_at(c, tick));
}

/* The first tick after `tick` at which OUT may change; CV_NEVER: none. */
static uint64_t next_change(const struct cv_pit_channel *c, uint64_t tick)
{
    if (!is_running(c) || ((c->mode == 0 || c->mode == 4) && !c->gate)) {
        return CV_NEVER;
    }
    if (tick < c->load_tick && c->mode == 1) {
        return c->load_tick; /* OUT falls with the load */
    }
    uint64_t e = tick > c->load_tick ? tick - c->load_tick : 0;
    uint64_t n = c->count;
    uint64_t at;
    switch (c->mode) {
    case 0:
    case 1:
        at = e < n ? n : CV_NEVER;
        break;
    case 2:
        at = e - e % n + (e % n < n - 1 ? n - 1 : n);
        break;
    case 3: {
        uint64_t high = (n + 1) / 2;
        at = e - e % n + (e % n < high ? high : n);
        break;
    }
    default:
        at = e < n ? n : (e == n ? n + 1 : CV_NEVER);
        break;
    }
    return at == CV_NEVER ? CV_NEVER : c->load_tick + at;
}

static uint16_t to_bcd(uint32_t v)
{
    return (uint16_t)(v % 10 | (v / 10 % 10) << 4 | (v / 100 % 10) << 8 |
                      (v / 1000 % 10) << 12);
}

static uint16_t read_count(const struct cv_pit_channel *c, uint64_t tick)
{
    uint64_t e = elapsed_at(c, tick);
    uint64_t n = c->count;
    uint64_t wrap = c->bcd ? 10000 : 65536;
    uint64_t v;
    if (c->mode == 2) {
        v = n - e % n;
    } else if (c->mode == 3) { /* counts by two, from an even number */
        uint64_t high = (n + 1) / 2;
        uint64_t p = e % n;
        v = (n & ~1ull) - 2 * (p < high ? p : p - high);
    } else {
        v = (n + wrap - e % wrap) % wrap;
    }
    return c->bcd ? to_bcd((uint32_t)(v % 10000)) : (uint16_t)v;
}

static void schedule(struct cv_pit8254 *pit, uint64_t tick)
{
    uint64_t next = next_change(&pit->ch[0], tick);
    if (pit->ch[0].next_count != 0 && pit->ch[0].switch_tick < next) {
        next = pit->ch[0].switch_tick;
    }
    cv_timeq_set(pit->timeq, pit->slot,
                 next == CV_NEVER ? CV_NEVER
                                  : cv_vtime_of_tick(next, CV_PIT_NUM, CV_PIT_DEN));
}

void cv_pit8254_event(void *arg)
{
    struct cv_pit8254 *pit = arg;
    struct cv_pit_channel *c = &pit->ch[0];
    uint64_t now = tick_now(pit);
    settle(c, now);
    /* Changes that lie close together (one low clock in mode 2) may be due at once: each
     * edge must be seen. */
    uint64_t t = pit->told_tick;
    for (unsigned i = 0; i < EVENT_BURST; i++) {
        uint64_t next = next_change(c, t);
        if (next > now) {
            break;
        }
        t = next;
        cv_line_set(&pit->out0, out_at(c, t));
    }
    pit->told_tick = now;
    cv_line_set(&pit->out0, out_at(c, now));
    schedule(pit, now);
}

/* A line function's worth of change on channel n: tells OUT and what comes next. */
static void changed(struct cv_pit8254 *pit, unsigned n, uint64_t tick)
{
    if (n == 0) {
        pit->told_tick = tick;
        cv_line_set(&pit->out0, out_at(&pit->ch[0], tick));
        schedule(pit, tick);
    }
}

static uint32_t count_value(const struct cv_pit_channel *c, uint16_t raw)
{
    if (raw == 0) {
        return c->bcd ? 10000 : 65536;
    }
    if (!c->bcd) {
        return raw;
    }
    uint32_t v = (raw & 15u) + 10u * (raw >> 4 & 15u) + 100u * (raw >> 8 & 15u) +
                 1000u * (raw >> 12);
    return v;
}

static void load_count(struct cv_pit8254 *pit, unsigned n, uint16_t raw, uint64_t tick)
{
    struct cv_pit_channel *c = &pit->ch[n];
    uint32_t count = count_value(c, raw);
    settle(c, tick);
    if (is_periodic(c) && c->counting && c->gate) {
        uint64_t e = elapsed_at(c, tick);
        c->next_count = count;
        c->switch_tick =
            (tick > c->load_tick ? tick : c->load_tick) + c->count - e % c->count;
    } else {
        c->count = count;
        c->next_count = 0;
        c->held = 0;
        if (!((c->mode == 1 || c->mode == 5) && c->triggered)) {
            c->load_tick = tick + 1; /* loaded by the next clock */
        }
    }
    c->counting = true;
    changed(pit, n, tick);
}

static void write_counter(struct cv_pit8254 *pit, unsigned n, uint8_t value,
                          uint64_t tick)
{
    struct cv_pit_channel *c = &pit->ch[n];
    switch (c->access) {
    case 1:
        load_count(pit, n, value, tick);
        break;
    case 2:
        load_count(pit, n, (uint16_t)(value << 8), tick);
        break;
    default:
        if (!c->write_high) {
            c->write_low = value;
            c->write_high = true;
            if (c->mode == 0) { /* "the first byte stops the count", OUT goes low */
                c->counting = false;
                changed(pit, n, tick);
            }
        } else {
            c->write_high = false;
            load_count(pit, n, (uint16_t)(value << 8 | c->write_low), tick);
        }
        break;
    }
}

static void latch_count(struct cv_pit_channel *c, uint64_t tick)
{
    if (c->latched == 0) {
        c->latch = read_count(c, tick);
        c->latched = c->access == 3 ? 2 : 1;
    }
}

static void latch_status(struct cv_pit_channel *c, uint64_t tick)
{
    if (!c->status_latched) {
        bool null = !c->counting || tick < c->load_tick || c->next_count != 0;
        c->status =
            (uint8_t)((out_at(c, tick) ? STATUS_OUT : 0) | (null ? STATUS_NULL : 0) |
                      c->access << 4 | c->mode << 1 | (c->bcd ? 1 : 0));
        c->status_latched = true;
    }
}

static void write_control(struct cv_pit8254 *pit, uint8_t value, uint64_t tick)
{
    unsigned n = value >> 6;
    if (n == 3) { /* "Read-Back Command": bits are active low */
        for (unsigned i = 0; i < 3; i++) {
            if (value & (2u << i)) {
                settle(&pit->ch[i], tick);
                if (!(value & 0x20)) {
                    latch_count(&pit->ch[i], tick);
                }
                if (!(value & 0x10)) {
                    latch_status(&pit->ch[i], tick);
                }
            }
        }
        return;
    }
    struct cv_pit_channel *c = &pit->ch[n];
    settle(c, tick);
    unsigned access = value >> 4 & 3;
    if (access == 0) {
        latch_count(c, tick);
        return;
    }
    uint8_t mode = value >> 1 & 7;
    *c = (struct cv_pit_channel){
        .mode = mode > 5 ? mode & 3 : mode, /* 6 and 7 are 2 and 3 */
        .access = (uint8_t)access,
        .bcd = (value & 1) != 0,
        .gate = c->gate,
        .count = c->count,
        .load_tick = tick,
    };
    changed(pit, n, tick);
}

static uint8_t read_counter(struct cv_pit_channel *c, uint64_t tick)
{
    settle(c, tick);
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    if (c->latched > 0) {
        bool high = c->access == 2 || (c->access == 3 && c->latched == 1);
        c->latched--;
        return (uint8_t)(high ? c->latch >> 8 : c->latch);
    }
    uint16_t v = read_count(c, tick);
    bool high = c->access == 2 || (c->access == 3 && c->read_high);
    if (c->access == 3) {
        c->read_high = !c->read_high;
    }
    return (uint8_t)(high ? v >> 8 : v);
}

uint64_t cv_pit8254_read(void *arg, uint64_t off, unsigned size)
{
    struct cv_pit8254 *pit = arg;
    (void)size;
    return off < 3 ? read_counter(&pit->ch[off], tick_now(pit)) : 0xff;
}

void cv_pit8254_write(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct cv_pit8254 *pit = arg;
    (void)size;
    if (off < 3) {
        write_counter(pit, (unsigned)off, (uint8_t)value, tick_now(pit));
    } else {
        write_control(pit, (uint8_t)value, tick_now(pit));
    }
}

/* Data sheet "Gate Pin Operations Summary". */
static void set_gate(struct cv_pit8254 *pit, unsigned n, bool gate)
{
    struct cv_pit_channel *c = &pit->ch[n];
    uint64_t tick = tick_now(pit);
    if (c->gate == gate) {
        return;
    }
    settle(c, tick);
    if (c->mode == 0 || c->mode == 4) {
        if (!gate) {
            uint64_t e = elapsed_at(c, tick);
            c->held = e > UINT32_MAX ? UINT32_MAX : (uint32_t)e;
        } else {
            c->load_tick = tick - (c->held < tick ? c->held : tick);
        }
    } else if (gate) { /* a rising edge triggers modes 1 and 5 and reloads 2 and 3 */
        c->triggered = true;
        c->load_tick = tick + 1;
        if (c->next_count != 0) {
            c->count = c->next_count;
            c->next_count = 0;
        }
    }
    c->gate = gate;
    changed(pit, n, tick);
}

uint64_t cv_pit8254_read_port61(void *arg, uint64_t off, unsigned size)
{
    struct cv_pit8254 *pit = arg;
    (void)off;
    (void)size;
    uint64_t tick = tick_now(pit);
    settle(&pit->ch[2], tick);
    return (pit->ch[2].gate ? PORT61_GATE2 : 0) | (pit->speaker ? PORT61_SPEAKER : 0) |
           ((tick / REFRESH_TICKS & 1) ? PORT61_REFRESH : 0) |
           (out_at(&pit->ch[2], tick) ? PORT61_OUT2 : 0);
}

void cv_pit8254_write_port61(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct cv_pit8254 *pit = arg;
    (void)off;
    (void)size;
    pit->speaker = (value & PORT61_SPEAKER) != 0;
    set_gate(pit, 2, (value & PORT61_GATE2) != 0);
}

static void reset(void *dev)
{
    struct cv_pit8254 *pit = dev;
    for (unsigned n = 0; n < 3; n++) {
        pit->ch[n] = (struct cv_pit_channel){
            .mode = 3, .access = 3, .gate = n != 2, .count = 65536};
    }
    pit->speaker = false;
    pit->told_tick = tick_now(pit);
    cv_line_set(&pit->out0, true);
    cv_timeq_cancel(pit->timeq, pit->slot);
}

static void section_channel(struct cv_pit_channel *c, uint64_t now, struct cv_section *s)
{
    cv_section_u8_max(s, &c->mode, 5);
    cv_section_u8_max(s, &c->access, 3);
    cv_section_bool(s, &c->bcd);
    cv_section_bool(s, &c->gate);
    cv_section_bool(s, &c->counting);
    cv_section_bool(s, &c->triggered);
    cv_section_bool(s, &c->write_high);
    cv_section_bool(s, &c->read_high);
    cv_section_u8(s, &c->write_low);
    cv_section_u8_max(s, &c->latched, 2);
    cv_section_u16(s, &c->latch);
    cv_section_bool(s, &c->status_latched);
    cv_section_u8(s, &c->status);
    cv_section_u32_max(s, &c->count, 65536);
    cv_section_u32_max(s, &c->next_count, 65536);
    cv_section_u64(s, &c->switch_tick);
    cv_section_u64(s, &c->load_tick);
    cv_section_u32(s, &c->held);
    if (c->count == 0 || c->access == 0 || c->load_tick > now + 1 ||
        (c->next_count != 0 && c->switch_tick > now + 65537)) {
        s->failed = true;
        *c =
            (struct cv_pit_channel){.access = 3, .count = 65536}; /* goes on harmlessly */
    }
}

static void section(void *dev, struct cv_section *s)
{
    struct cv_pit8254 *pit = dev;
    for (unsigned n = 0; n < 3; n++) {
        section_channel(&pit->ch[n], tick_now(pit), s);
    }
    cv_section_bool(s, &pit->speaker);
    cv_section_u64(s, &pit->told_tick);
    if (pit->told_tick > tick_now(pit)) {
        s->failed = true;
    }
}

const struct cv_device_class cv_pit8254_class = {
    .name = "pit", .version = 1, .reset = reset, .section = section};
