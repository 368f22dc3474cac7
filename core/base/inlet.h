/*
 * inlet.h - the one door through which the outside reaches the machine
 *
 * Every outside input is a struct cv_input that takes effect at a definite position. Live,
 * the program hands inputs to cv_vm_input() at a step boundary; the machine offers each to
 * its inlet *before* the guest can see it, and applies it only when the inlet has accepted
 * it. record/recorder.c implements the inlet by appending to the trace; with no inlet the
 * machine runs unrecorded. In replay record/replayer.c is the caller of cv_vm_input(), with
 * no inlet set.
 *
 * Position: a boundary at icount is passed in two phases. PHASE_STEP: before device events
 * due at this icount are served and before interrupts are delivered. PHASE_IDLE: after
 * that, when the CPU is halted and nothing is pending; there vtime may have been advanced
 * by a jump. (icount, phase, vtime) says all; inputs at one position keep their order.
 * Units:   vtime in guest ns
 * Thread:  engine thread only
 */
#ifndef CV_CORE_BASE_INLET_H
#define CV_CORE_BASE_INLET_H

#include "core/base/types.h"

enum cv_phase { CV_PHASE_STEP = 0, CV_PHASE_IDLE = 1 };

struct cv_position {
    cv_icount icount;
    cv_vtime_ns vtime; /* the machine's clock when the input takes effect */
    uint8_t phase;     /* enum cv_phase */
};

enum cv_input_kind { /* hand-numbered: they stand in traces */
    CV_INPUT_SERIAL = 1,   /* bytes arriving at UART `unit` */
    CV_INPUT_KEYBOARD = 2, /* i8042 scan code set 2 bytes */
    CV_INPUT_MOUSE = 3,    /* PS/2 mouse packet bytes */
    CV_INPUT_COMMAND = 4,  /* data[0]: enum cv_command */
    CV_INPUT_POKE_MEM = 5, /* data: u64 gpa, then bytes */
    CV_INPUT_POKE_REG = 6, /* data: u32 register number (core/inspect.h), u64 value */
    CV_INPUT_NET = 7,      /* one frame to NIC `unit` */
    CV_INPUT_DISK = 8,     /* u64 cluster, then 4096 bytes, for disk `unit` */
};
enum cv_command { CV_COMMAND_RESET = 1, CV_COMMAND_POWER_BUTTON = 2, CV_COMMAND_NMI = 3 };

#define CV_INPUT_MAX 65536u /* bytes of data in one input */

struct cv_input {
    uint8_t kind; /* enum cv_input_kind */
    uint8_t unit;
    uint32_t len; /* <= CV_INPUT_MAX */
    const uint8_t *data;
};

struct cv_inlet {
    /* Makes the input durable at `pos`. False: it could not be logged; the machine does
     * not apply it and the caller must stop the guest. General registers only. */
    bool (*accept)(struct cv_inlet *inlet, const struct cv_position *pos,
                   const struct cv_input *input);
};

#endif
