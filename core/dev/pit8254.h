/*
 * pit8254.h - programmable interval timer, three channels, and the speaker control port
 *
 * Spec:    Intel 8254 data sheet (order number 231164-005); port 61h: 82371AB data sheet
 *          "NMI Status and Control" (4.2.5)
 * Units:   input clock 105/88 MHz = 1.193182 MHz: tick = floor(vtime x 105 / 88000)
 * Inputs:  4 ports, port 61h, gate of channel 2
 * Outputs: OUT of channel 0
 * State:   section "pit" version 1
 *
 * Nothing is counted down: a channel holds its count and the tick at which it was loaded
 * (one tick after the write that completed it), and every value is computed from the tick
 * it is asked at.
 */
#ifndef CV_CORE_DEV_PIT8254_H
#define CV_CORE_DEV_PIT8254_H

#include "core/base/line.h"
#include "core/dev/device.h"
#include "core/dev/timeq.h"

#define CV_PIT_NUM 105u
#define CV_PIT_DEN 88000u

struct cv_pit_channel {
    uint8_t mode;   /* 0..5 */
    uint8_t access; /* 1 low byte, 2 high byte, 3 low then high */
    bool bcd;
    bool gate;
    bool counting;              /* a count was written since the mode was set */
    bool triggered;             /* modes 1, 5: the gate has risen since then */
    bool write_high, read_high; /* access 3: the next byte is the high one */
    uint8_t write_low;
    uint8_t latched; /* bytes of latch still to be read: 0, 1, 2 */
    uint16_t latch;
    bool status_latched;
    uint8_t status;
    uint32_t count;      /* 1..65536, the divisor in force */
    uint32_t next_count; /* modes 2, 3: in force from tick switch_tick on; 0 none */
    uint64_t switch_tick;
    uint64_t load_tick; /* count elements are counted from here */
    uint32_t held;      /* modes 0, 4, gate low: ticks already counted */
};

struct cv_pit8254 {
    struct cv_pit_channel ch[3];
    bool speaker;
    uint64_t told_tick; /* up to here OUT of channel 0 has been told */
    struct cv_timeq *timeq;
    unsigned slot;
    struct cv_line out0;
};

extern const struct cv_device_class cv_pit8254_class;

void cv_pit8254_event(void *pit);
uint64_t cv_pit8254_read(void *pit, uint64_t off, unsigned size);
void cv_pit8254_write(void *pit, uint64_t off, unsigned size, uint64_t value);
uint64_t cv_pit8254_read_port61(void *pit, uint64_t off, unsigned size);
void cv_pit8254_write_port61(void *pit, uint64_t off, unsigned size, uint64_t value);

#endif
