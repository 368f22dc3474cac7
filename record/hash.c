#include "record/hash_wide.h"

#include <xxhash.h>

/* The library has the vectors of the oldest hosts, which are half as wide. */
static bool is_wide(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}

uint64_t cv_hash64(const void *data, size_t len, uint64_t seed)
{
    return is_wide() ? cv_hash_wide64(data, len, seed)
                     : XXH3_64bits_withSeed(data, len, seed);
}

struct cv_hash128 cv_hash128(const void *data, size_t len, uint64_t seed)
{
    if (is_wide()) {
        return cv_hash_wide128(data, len, seed);
    }
    XXH128_hash_t h = XXH3_128bits_withSeed(data, len, seed);
    return (struct cv_hash128){.lo = h.low64, .hi = h.high64};
}
