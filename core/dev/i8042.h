/*
 * i8042.h - keyboard controller with a PS/2 keyboard
 *
 * Spec:    IBM PS/2 Hardware Interface Technical Reference "Keyboard and Auxiliary
 *          Device Controller"; keyboard commands: same book, "101/102-Key Keyboard";
 *          scan code set 2
 * Inputs:  ports 60h and 64h, scan code set 2 bytes from the inlet
 * Outputs: keyboard IRQ, CPU reset
 * State:   section "i8042" version 1
 * Missing: auxiliary port (commands for it find nobody: the clock stays disabled and A9h
 *          reports a fault), scan code sets 1 and 3 as the keyboard's own, typematic
 *
 * A byte stands in the output buffer until it is read; the next one follows at once, with
 * a new edge on the IRQ line. Controller replies go before keyboard bytes.
 */
#ifndef CV_CORE_DEV_I8042_H
#define CV_CORE_DEV_I8042_H

#include "core/base/line.h"
#include "core/dev/device.h"

#define CV_I8042_REPLIES 16u
#define CV_I8042_KEYS    64u

struct cv_i8042 {
    uint8_t ctr;     /* command byte */
    uint8_t command; /* waiting for its data byte; 0: none */
    uint8_t out;     /* output buffer */
    bool out_full;
    bool last_was_command; /* status bit 3 */
    uint8_t outport;
    uint8_t ram[31];
    uint8_t reply[CV_I8042_REPLIES];
    uint8_t replies;
    /* keyboard */
    bool scanning;
    bool break_next; /* F0 was sent, the next byte is a break code (translation) */
    uint8_t kbd_command;
    uint8_t leds, rate;
    uint8_t scan_set;
    uint8_t key[CV_I8042_KEYS];
    uint8_t keys;

    struct cv_line irq;
    void (*cpu_reset)(void *arg);
    void *reset_arg;
};

extern const struct cv_device_class cv_i8042_class;

/* off 0: data port, 1: status and command port. */
uint64_t cv_i8042_read_data(void *ctl, uint64_t off, unsigned size);
void cv_i8042_write_data(void *ctl, uint64_t off, unsigned size, uint64_t value);
uint64_t cv_i8042_read_status(void *ctl, uint64_t off, unsigned size);
void cv_i8042_write_command(void *ctl, uint64_t off, unsigned size, uint64_t value);
/* Scan code set 2 bytes of keys pressed and released; what does not fit is lost as in a
 * real keyboard whose buffer overruns. */
void cv_i8042_input(struct cv_i8042 *ctl, const uint8_t *data, size_t len);

#endif
