/*
 * approx.c - reciprocals and reciprocal roots with 12 fraction bits
 */
#include "core/interp/approx.h"

#include "core/base/mem.h"
#include "core/interp/ea.h"
#include "core/interp/fpregs.h"
#include "core/interp/vector.h"
#include "core/mem/mmu.h"
#include "core/system/interrupt.h"

#define SIGN     0x80000000u
#define INF      0x7f800000u
#define QUIET    0x00400000u
#define DEFAULT  0xffc00000u
#define FRACTION 0x007fffffu
#define IMPLICIT 0x00800000u

/* q: 13-bit significand in 4096..8192 of a value q / 4096 * 2^exp. */
static uint32_t pack(uint32_t sign, int exp, uint32_t q)
{
    if (q == 8192) {
        q = 4096;
        exp++;
    }
    if (exp < -126) {
        return sign;
    }
    return sign | (uint32_t)(exp + 127) << 23 | (q - 4096) << 11;
}

uint32_t cv_approx_rcp(uint32_t x)
{
    uint32_t sign = x & SIGN, mag = x & ~SIGN;
    if (mag > INF) {
        return x | QUIET;
    }
    if (mag == INF) {
        return sign;
    }
    if (mag < IMPLICIT) {
        return sign | INF;
    }
    uint64_t m = (mag & FRACTION) | IMPLICIT;
    int exp = (int)(mag >> 23) - 127;
    uint32_t q = (uint32_t)(((1ull << 36) + m / 2) / m);
    return pack(sign, -exp - 1, q);
}

uint32_t cv_approx_rsqrt(uint32_t x)
{
    uint32_t sign = x & SIGN, mag = x & ~SIGN;
    if (mag > INF) {
        return x | QUIET;
    }
    if (mag < IMPLICIT) {
        return sign | INF;
    }
    if (sign) {
        return DEFAULT;
    }
    if (mag == INF) {
        return 0;
    }
    uint64_t m = (mag & FRACTION) | IMPLICIT; /* 1.0 is 2^23 */
    int exp = (int)(mag >> 23) - 127;
    if (exp & 1) {
        m *= 2;
        exp--;
    }
    /* The largest q with q <= 2^13 / sqrt(m / 2^23), then to nearest. */
    uint64_t q = 0;
    for (unsigned bit = 1u << 13; bit != 0; bit >>= 1) {
        if ((q | bit) * (q | bit) * m <= 1ull << 49) {
            q |= bit;
        }
    }
    if ((2 * q + 1) * (2 * q + 1) * m <= 1ull << 51) {
        q++;
    }
    return pack(0, -exp / 2 - 1, (uint32_t)q);
}

bool cv_approx_run(struct cv_cpu *cpu, const struct cv_insn *insn)
{
    uint8_t source[32], result[32];
    unsigned op = insn->info->op;
    bool scalar = op == CV_OP_RCPSS || op == CV_OP_RSQRTSS;
    bool root = op == CV_OP_RSQRTPS || op == CV_OP_RSQRTSS;
    unsigned count = scalar ? 1 : insn->vex_l ? 8 : 4;
    if (!cv_vector_available(cpu, insn)) {
        return false;
    }
    if (insn->is_mem) {
        cv_gva gva;
        bool inside = cv_interp_ea(cpu, insn, &gva, CV_ACC_READ);
        if ((insn->info->flags & CV_OF_ALIGN) && (gva & (insn->memsize - 1u))) {
            return cv_raise_gp0(cpu);
        }
        if (!inside || !cv_mem_read_buf(cpu, gva, source, insn->memsize)) {
            return false;
        }
    } else {
        cv_fpregs_get(insn->rm, source);
    }
    /* What a scalar leaves alone: the destination's own bits, or with VEX the first
     * source's. */
    cv_fpregs_get(insn->vex ? insn->vvvv : insn->reg, result);
    for (unsigned i = 0; i < count; i++) {
        uint32_t x = cv_ld32(source + 4 * i);
        cv_st32(result + 4 * i, root ? cv_approx_rsqrt(x) : cv_approx_rcp(x));
    }
    if (!insn->vex) {
        cv_fpregs_set_low(insn->reg, result);
        return true;
    }
    if (count <= 4) {
        cv_memset(result + 16, 0, 16);
    }
    cv_fpregs_set(insn->reg, result);
    return true;
}
