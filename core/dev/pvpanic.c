#include "core/dev/pvpanic.h"

uint64_t cv_pvpanic_read(void *dev, uint64_t off, unsigned size)
{
    (void)dev;
    (void)off;
    (void)size;
    return CV_PVPANIC_PANICKED | CV_PVPANIC_CRASH_LOADED;
}

void cv_pvpanic_write(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct cv_pvpanic *dev = arg;
    unsigned event = (unsigned)value & (CV_PVPANIC_PANICKED | CV_PVPANIC_CRASH_LOADED);
    (void)off;
    (void)size;
    if (event != 0) {
        dev->event(dev->arg, event);
    }
}
