#include "core/dev/debugexit.h"

uint64_t cv_debugexit_read(void *dev, uint64_t off, unsigned size)
{
    (void)dev;
    (void)off;
    (void)size;
    return 0;
}

void cv_debugexit_write(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct cv_debugexit *dev = arg;
    (void)size;
    if (off == 0) {
        dev->guest_exit(dev->arg, (uint32_t)value);
    }
}
