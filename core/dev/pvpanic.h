/*
 * pvpanic.h - the guest tells that it has panicked
 *
 * Spec:    QEMU docs/specs/pvpanic: one I/O port; read: supported events; write: events
 * Inputs:  one port      Outputs: events
 * State:   none
 */
#ifndef CV_CORE_DEV_PVPANIC_H
#define CV_CORE_DEV_PVPANIC_H

#include "core/base/types.h"

#define CV_PVPANIC_PANICKED     1u
#define CV_PVPANIC_CRASH_LOADED 2u

struct cv_pvpanic {
    void (*event)(void *arg, unsigned event);
    void *arg;
};

uint64_t cv_pvpanic_read(void *dev, uint64_t off, unsigned size);
void cv_pvpanic_write(void *dev, uint64_t off, unsigned size, uint64_t value);

#endif
