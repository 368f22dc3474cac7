/*
 * linux_mem.h - how guest awareness reads a guest: bytes at linear addresses, and nothing else
 *
 * Everything that walks a guest's structures reads through this, so that tests and fuzzers can offer any memory.
 * Thread:  the caller's
 */
#ifndef CV_DEBUGGER_LINUX_MEM_H
#define CV_DEBUGGER_LINUX_MEM_H

#include "core/base/mem.h"

struct cv_linux_mem {
    void *arg;
    /* Up to len bytes; returns how many from the start could be read. */
    size_t (*read)(void *arg, cv_gva gva, void *dst, size_t len);
    bool (*translate)(void *arg, cv_gva gva, cv_gpa *gpa);
    unsigned pointer_bytes; /* 4 or 8 */
};

static inline bool cv_linux_mem_read(const struct cv_linux_mem *mem, cv_gva gva, void *dst, size_t len)
{
    return mem->read(mem->arg, gva, dst, len) == len;
}

static inline bool cv_linux_mem_u32(const struct cv_linux_mem *mem, cv_gva gva, uint32_t *value)
{
    uint8_t bytes[4];
    bool ok = cv_linux_mem_read(mem, gva, bytes, sizeof(bytes));
    *value = ok ? cv_ld32(bytes) : 0;
    return ok;
}

static inline bool cv_linux_mem_u64(const struct cv_linux_mem *mem, cv_gva gva, uint64_t *value)
{
    uint8_t bytes[8];
    bool ok = cv_linux_mem_read(mem, gva, bytes, sizeof(bytes));
    *value = ok ? cv_ld64(bytes) : 0;
    return ok;
}

/* A pointer or an unsigned long of the guest. */
static inline bool cv_linux_mem_word(const struct cv_linux_mem *mem, cv_gva gva, uint64_t *value)
{
    uint32_t low = 0;
    if (mem->pointer_bytes == 8) {
        return cv_linux_mem_u64(mem, gva, value);
    }
    bool ok = cv_linux_mem_u32(mem, gva, &low);
    *value = low;
    return ok;
}

#endif
