/*
 * types.h - scalar units and small macros every room shares
 * Units:   cv_gva guest linear address; cv_gpa guest physical address;
 *          cv_icount retired steps since reset (DESIGN.md, "Steps and positions");
 *          cv_vtime_ns guest nanoseconds since reset = icount + skew
 * Thread:  any
 */
#ifndef CV_CORE_BASE_TYPES_H
#define CV_CORE_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t cv_gva;
typedef uint64_t cv_gpa;
typedef uint64_t cv_icount;
typedef uint64_t cv_vtime_ns;

#define CV_NEVER UINT64_MAX /* an icount or a deadline that is not reached */

#define CV_PAGE_SHIFT 12
#define CV_PAGE_SIZE  4096u
#define CV_PAGE_MASK  (~(uint64_t)4095)

#define CV_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CV_CONTAINER_OF(ptr, type, member)                                               \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define CV_STATIC_ASSERT(expr, why) _Static_assert(expr, why)
#define CV_MUST_CHECK               __attribute__((warn_unused_result))
#define CV_PRINTF(fmt, args)        __attribute__((format(printf, fmt, args)))
#define CV_LIKELY(x)                __builtin_expect(!!(x), 1)
#define CV_UNLIKELY(x)              __builtin_expect(!!(x), 0)

#endif
