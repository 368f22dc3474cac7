#include "debugger/events.h"

#include <string.h>

const struct cv_event_class cv_event_classes[CV_TAP_CLASSES] = {
    {"irq", CV_TAP_INTERRUPT, "vector"},
    {"exc", CV_TAP_EXCEPTION, "vector"},
    {"pf", CV_TAP_PAGE_FAULT, "address"},
    {"syscall", CV_TAP_SYSCALL, "number"},
    {"cr3", CV_TAP_CR3, "value"},
    {"io", CV_TAP_PORT, "port"},
    {"mmio", CV_TAP_MMIO, "physical address"},
    {"dma", CV_TAP_DMA, "physical address"},
    {"console", CV_TAP_CONSOLE, "byte"},
};

const struct cv_event_class *cv_event_class(const char *name, size_t len)
{
    for (size_t i = 0; i < CV_TAP_CLASSES; i++) {
        const char *known = cv_event_classes[i].name;
        if (strlen(known) == len && memcmp(known, name, len) == 0) {
            return &cv_event_classes[i];
        }
    }
    return NULL;
}
