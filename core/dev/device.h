/*
 * device.h - what every device tells the machine about itself
 *
 * A device is a struct with all its state, allocated by the board, and one const class. It knows
 * no address and no IRQ number: the board connects lines, ranges and time slots. State changes
 * only on reset, a bus access, an input line, a virtual-time event, or an input from the inlet.
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_DEV_DEVICE_H
#define CV_CORE_DEV_DEVICE_H

#include "core/base/section.h"

struct cv_device_class {
    const char *name; /* at most 8 characters: the section's name */
    uint32_t version; /* of the section */
    void (*reset)(void *dev);
    void (*section)(void *dev, struct cv_section *s); /* saves, or loads and validates */
};

#endif
