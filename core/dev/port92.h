/*
 * port92.h - system control port A: fast A20 and fast CPU reset
 *
 * Spec:    IBM PS/2 Hardware Interface Technical Reference "System Control Port A
 *          (0092h)"
 * Inputs:  one port
 * Outputs: CPU reset
 * State:   section "port92" version 1
 * Missing: closing A20: the gate is always open and bit 1 is only remembered
 */
#ifndef CV_CORE_DEV_PORT92_H
#define CV_CORE_DEV_PORT92_H

#include "core/dev/device.h"

struct cv_port92 {
    uint8_t value;
    void (*cpu_reset)(void *arg);
    void *reset_arg;
};

extern const struct cv_device_class cv_port92_class;

uint64_t cv_port92_read(void *dev, uint64_t off, unsigned size);
void cv_port92_write(void *dev, uint64_t off, unsigned size, uint64_t value);

#endif
