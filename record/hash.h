/*
 * hash.h - the hashes of the trace: XXH3, 64 and 128 bits (the only user of xxhash)
 *
 * They find accidents, not forgery: whoever makes a trace can make its hashes.
 * Spec:    xxHash 0.8 XXH3; 128-bit values as (low, high), little endian
 * Thread:  any; never while guest FPU state is live
 */
#ifndef CV_RECORD_HASH_H
#define CV_RECORD_HASH_H

#include "core/base/types.h"

struct cv_hash128 {
    uint64_t lo, hi;
};

uint64_t cv_hash64(const void *data, size_t len, uint64_t seed);
struct cv_hash128 cv_hash128(const void *data, size_t len, uint64_t seed);

#endif
