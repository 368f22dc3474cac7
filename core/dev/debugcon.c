#include "core/dev/debugcon.h"
#include "core/base/log.h"

uint64_t cv_debugcon_read(void *dev, uint64_t off, unsigned size)
{
    (void)dev;
    (void)off;
    (void)size;
    return 0xe9;
}

void cv_debugcon_write(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct cv_debugcon *dev = arg;
    char c = (char)value;
    (void)off;
    (void)size;
    if (c != '\n' && c != '\0') {
        dev->line[dev->len++] = c;
    }
    if (c == '\n' || dev->len == sizeof(dev->line) - 1) {
        dev->line[dev->len] = '\0';
        cv_log("debugcon", CV_LOG_INFO, "%s", dev->line);
        dev->len = 0;
    }
}
