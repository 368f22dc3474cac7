/*
 * mem.h - the memory functions of core, in general registers only
 *
 * gcc may emit calls to memcpy, memset, memmove and memcmp; libc's use vector registers,
 * which hold guest state while a guest runs. core is therefore compiled with these names
 * mapped to its own (asm labels in core/base/mem.c provide cv_mem*; the build renames the
 * compiler's implicit calls with objcopy --redefine-sym, see Makefile).
 * Thread:  any
 */
#ifndef CV_CORE_BASE_MEM_H
#define CV_CORE_BASE_MEM_H

#include "core/base/types.h"

void *cv_memcpy(void *restrict dst, const void *restrict src, size_t n);
void *cv_memmove(void *dst, const void *src, size_t n);
void *cv_memset(void *dst, int byte, size_t n);
int cv_memcmp(const void *a, const void *b, size_t n);
size_t cv_strlen(const char *s);
int cv_strcmp(const char *a, const char *b);

/* Unaligned little-endian loads and stores. */
static inline uint16_t cv_ld16(const void *p)
{
    uint16_t v;
    __builtin_memcpy(&v, p, 2);
    return v;
}
static inline uint32_t cv_ld32(const void *p)
{
    uint32_t v;
    __builtin_memcpy(&v, p, 4);
    return v;
}
static inline uint64_t cv_ld64(const void *p)
{
    uint64_t v;
    __builtin_memcpy(&v, p, 8);
    return v;
}
static inline void cv_st16(void *p, uint16_t v)
{
    __builtin_memcpy(p, &v, 2);
}
static inline void cv_st32(void *p, uint32_t v)
{
    __builtin_memcpy(p, &v, 4);
}
static inline void cv_st64(void *p, uint64_t v)
{
    __builtin_memcpy(p, &v, 8);
}

#endif
