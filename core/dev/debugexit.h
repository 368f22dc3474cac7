/*
 * debugexit.h - a port that ends the machine with a value
 *
 * Spec:    QEMU "isa-debug-exit": the process exits with (value << 1) | 1
 * Inputs:  4 ports; a write of any size at the first      Outputs: the value
 * State:   none
 */
#ifndef CV_CORE_DEV_DEBUGEXIT_H
#define CV_CORE_DEV_DEBUGEXIT_H

#include "core/base/types.h"

struct cv_debugexit {
    void (*guest_exit)(void *arg, uint32_t value);
    void *arg;
};

uint64_t cv_debugexit_read(void *dev, uint64_t off, unsigned size);
void cv_debugexit_write(void *dev, uint64_t off, unsigned size, uint64_t value);

#endif
