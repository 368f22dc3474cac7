/*
 * fuzz.h - what the libFuzzer targets share
 *
 * A target is one file fuzz_<name>.c with LLVMFuzzerTestOneInput, write_seeds and, when
 * plain mutation would never get past a checksum, LLVMFuzzerCustomMutator. Run with
 * CV_SEEDS=DIR it writes its seed corpus there and ends. A broken property is FUZZ_CHECK,
 * which aborts, so that libFuzzer keeps the input.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t cap, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t cap);

void write_seeds(void);
void fuzz_seed(const char *name, const void *data, size_t len);

#define FUZZ_CHECK(expr, ...)                                                            \
    do {                                                                                 \
        if (!(expr)) {                                                                   \
            fprintf(stderr, "fuzz: %s:%d: %s: ", __FILE__, __LINE__, #expr);             \
            fprintf(stderr, __VA_ARGS__);                                                \
            fputc('\n', stderr);                                                         \
            abort();                                                                     \
        }                                                                                \
    } while (0)

/* xorshift64*: one word of it is enough for a mutator */
static inline uint64_t fuzz_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1dull >> 16;
}

#endif
