/*
 * debugcon.h - byte sink for firmware and test guests
 *
 * Spec:    Bochs port E9h; SeaBIOS debug port 402h: a read returns E9h
 * Inputs:  one port      Outputs: whole lines to the log (category debugcon, level info)
 * State:   none: the line being collected is diagnostics
 */
#ifndef CV_CORE_DEV_DEBUGCON_H
#define CV_CORE_DEV_DEBUGCON_H

#include "core/base/types.h"

struct cv_debugcon {
    char line[121];
    unsigned len;
};

uint64_t cv_debugcon_read(void *dev, uint64_t off, unsigned size);
void cv_debugcon_write(void *dev, uint64_t off, unsigned size, uint64_t value);

#endif
