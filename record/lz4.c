#include "record/lz4.h"

#include <lz4.h>

size_t cv_lz4_pack(const void *raw, size_t raw_len, void *packed, size_t cap)
{
    int n = LZ4_compress_default(raw, packed, (int)raw_len, (int)cap);
    return n > 0 ? (size_t)n : 0;
}

bool cv_lz4_unpack(const void *packed, size_t len, void *raw, size_t raw_len)
{
    int n = LZ4_decompress_safe(packed, raw, (int)len, (int)raw_len);
    return n >= 0 && (size_t)n == raw_len;
}
