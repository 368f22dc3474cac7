/*
 * bench.h - a CPU with RAM for vector tests, and direct execution on the host to compare with
 */
#ifndef CV_TESTS_VECTOR_BENCH_H
#define CV_TESTS_VECTOR_BENCH_H

#include "core/cpu/fpu.h"
#include "core/cpu/regs.h"
#include "core/decode/decode.h"
#include "core/interp/vector.h"
#include "core/mem/mmu.h"
#include "core/mem/ram.h"

#define BENCH_DATA 0x20000u /* guest address the tests use; RAM is 1 MiB, no paging */

struct bench {
    struct cv_cpu cpu;
    struct cv_ram ram;
    struct cv_vector *vector;
};

void bench_open(struct bench *b); /* 64-bit mode, everything enabled, masked exceptions */
void bench_close(struct bench *b);

/* Decodes and executes; false: cpu.fault. */
bool bench_run(struct bench *b, const uint8_t *bytes, size_t n);

/* Executes the bytes as they are on the host, with gpr and flags (rsp, r15 excepted) and the
 * FPU image `xsave`; all are updated. */
void bench_direct(const uint8_t *bytes, size_t n, uint64_t gpr[16], uint64_t *rflags,
                  uint8_t *xsave);

uint64_t bench_random(void);
void bench_random_fpu(uint8_t *xsave);

#endif
