/*
 * fuzz_sums.c - as fuzz_trace, but every mutated file gets right hashes, so that content
 * is reached
 *
 * Chunks are stored flat in the seeds: a changed byte is a changed field, not broken LZ4.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/lib/trace.h"

#include "record/format.h"

#include <string.h>

/* Changes 1 to 4 numbers behind the superblocks; sizes stay, so that the structure does.
 */
static void tweak(uint8_t *data, size_t size, uint64_t *state)
{
    static const uint64_t edges[] = {
        0,          1,          2,         0x7f,       0x80,
        0xff,       0xffff,     0x10000,   0x7fffffff, 0x80000000,
        0xffffffff, 1ull << 32, INT64_MAX, 1ull << 63, UINT64_MAX - 1,
        UINT64_MAX};
    size_t from = fuzz_random(state) % 16 == 0 ? 0 : CV_CHUNKS_OFFSET;
    for (unsigned n = 1 + (unsigned)(fuzz_random(state) % 4); n > 0; n--) {
        size_t width = 1u << (fuzz_random(state) % 4);
        if (size < from + 8) {
            return;
        }
        size_t at = from + fuzz_random(state) % (size - from - 7);
        uint64_t v = 0;
        at &= ~(width - 1);
        memcpy(&v, data + at, width);
        switch (fuzz_random(state) % 4) {
        case 0:
            v = edges[fuzz_random(state) % (sizeof(edges) / sizeof(edges[0]))];
            break;
        case 1:
            v += fuzz_random(state) % 9 - 4;
            break;
        case 2:
            v ^= 1ull << fuzz_random(state) % 64;
            break;
        default:
            v = fuzz_random(state);
            break;
        }
        memcpy(data + at, &v, width);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t cap, unsigned seed)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15ull | 1;
    if (fuzz_random(&state) % 4 == 0) {
        size = LLVMFuzzerMutate(data, size, cap);
    } else {
        tweak(data, size, &state);
    }
    return trace_sign(data, size, cap, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    trace_once(data, size);
    return 0;
}

void write_seeds(void)
{
    trace_seeds(1);
}
