#include "core/dev/port92.h"

#define FAST_RESET 0x01u
#define A20_OPEN   0x02u

uint64_t cv_port92_read(void *arg, uint64_t off, unsigned size)
{
    const struct cv_port92 *dev = arg;
    (void)off;
    (void)size;
    return dev->value;
}

void cv_port92_write(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct cv_port92 *dev = arg;
    bool rise = (value & FAST_RESET) && !(dev->value & FAST_RESET);
    (void)off;
    (void)size;
    dev->value = (uint8_t)value & (FAST_RESET | A20_OPEN);
    if (rise) {
        dev->cpu_reset(dev->reset_arg);
    }
}

static void reset(void *arg)
{
    struct cv_port92 *dev = arg;
    dev->value = A20_OPEN;
}

static void section(void *arg, struct cv_section *s)
{
    struct cv_port92 *dev = arg;
    cv_section_u8_max(s, &dev->value, FAST_RESET | A20_OPEN);
}

const struct cv_device_class cv_port92_class = {
    .name = "port92", .version = 1, .reset = reset, .section = section};
