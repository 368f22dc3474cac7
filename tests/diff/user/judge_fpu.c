/*
 * judge_fpu.c - comparing FPU state, in registers and in memory
 */
#include "judge.h"

#include "core/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define OFF_ST   32u
#define OFF_XMM  160u
#define OFF_YMM  576u
#define FSW_UE   0x10u
#define FSW_PE   0x20u
#define FSW_ES   0x8080u
#define FSW_OPEN 0x4300u /* C0, C1, C3 */

static bool is_reciprocal(const struct cv_insn *in)
{
    return in->info->op >= CV_OP_RCPPS && in->info->op <= CV_OP_RSQRTSS;
}

/* SDM volume 2 "F2XM1": -1 to 1; "FYL2XP1": the square root of one half less 1, to its
 * opposite */
bool judge_is_outside_domain(const struct diff_case *c)
{
    if (c->insn.info->op != CV_OP_FTRANS) {
        return false;
    }
    uint8_t modrm = c->insn.bytes[c->insn.modrm_off];
    unsigned exp = cv_ld16(c->fpu + OFF_ST + 8) & 0x7fffu;
    if (exp == 0x7fff) { /* infinities and NaNs have rows of their own in the tables */
        return false;
    }
    bool one = exp == 0x3fff && cv_ld64(c->fpu + OFF_ST) == 1ull << 63;
    return (modrm == 0xf0 && exp >= 0x3fff && !one) || (modrm == 0xf9 && exp >= 0x3ffd);
}

/* SDM volume 2 "RCPPS", "RSQRTPS": relative error up to 1.5 * 2^-12, on either side. */
static bool near_single(const uint8_t *a, const uint8_t *b)
{
    float x, y;
    memcpy(&x, a, 4);
    memcpy(&y, b, 4);
    bool tiny =
        fabsf(x) < 0x1p-125f && fabsf(y) < 0x1p-125f; /* one side may flush to zero */
    return cv_ld32(a) == cv_ld32(b) || fabsf(x / y - 1) < 3.0f / 4096 ||
           (tiny && signbit(x) == signbit(y));
}

static bool same_vectors(const struct diff_case *c, const struct diff_result *g,
                         const struct diff_result *h, char *text)
{
    unsigned count = c->form->mode == 64 ? 16 : 8;
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = 0; k < 32; k += 4) {
            unsigned at = (k < 16 ? OFF_XMM : OFF_YMM - 16) + 16 * i + k;
            bool same = is_reciprocal(&c->insn)
                            ? near_single(g->fpu + at, h->fpu + at)
                            : cv_ld32(g->fpu + at) == cv_ld32(h->fpu + at);
            if (!same) {
                snprintf(text, JUDGE_TEXT, "ymm%u dword %u: %08x, not %08x", i, k / 4,
                         cv_ld32(g->fpu + at), cv_ld32(h->fpu + at));
                return false;
            }
        }
    }
    return true;
}

/* The place of a magnitude among all of them, one unit in the last place apart. */
static __int128 ordinal(int exp, uint64_t mant)
{
    return ((__int128)((exp == 0 && mant >> 63 == 0 ? 1 : exp) - 1) << 63) + mant;
}

/* Two values of double extended no more than one unit in the last place apart. An
 * unmasked underflow or overflow wraps the exponent (SDM volume 1 4.9.1.4): one of the
 * two may just not have been one. */
static bool near_extended(const uint8_t *a, const uint8_t *b)
{
    int ea = cv_ld16(a + 8) & 0x7fff, eb = cv_ld16(b + 8) & 0x7fff;
    if ((cv_ld16(a + 8) ^ cv_ld16(b + 8)) >> 15 != 0) {
        return false;
    }
    if (ea - eb > 20000) {
        ea -= 24576;
    } else if (eb - ea > 20000) {
        eb -= 24576;
    }
    __int128 apart = ordinal(ea, cv_ld64(a)) - ordinal(eb, cv_ld64(b));
    return apart >= -1 && apart <= 1;
}

static bool same_x87(const struct diff_case *c, const struct diff_result *g,
                     const struct diff_result *h, char *text)
{
    bool own = c->insn.info->op == CV_OP_FTRANS;
    uint16_t fcw = cv_ld16(g->fpu), open = 0;
    if (own) { /* the value is ours: its rounding is, too */
        open = FSW_OPEN | FSW_PE | FSW_UE;
        open |= (fcw & (FSW_PE | FSW_UE)) != (FSW_PE | FSW_UE) ? FSW_ES : 0;
    }
    if (cv_ld16(g->fpu) != cv_ld16(h->fpu)) {
        snprintf(text, JUDGE_TEXT, "FCW: %04x, not %04x", fcw, cv_ld16(h->fpu));
        return false;
    }
    if (((cv_ld16(g->fpu + 2) ^ cv_ld16(h->fpu + 2)) & (uint16_t)~open) != 0) {
        snprintf(text, JUDGE_TEXT, "FSW: %04x, not %04x", cv_ld16(g->fpu + 2),
                 cv_ld16(h->fpu + 2));
        return false;
    }
    if (g->fpu[4] != h->fpu[4]) {
        snprintf(text, JUDGE_TEXT, "tags: %02x, not %02x", g->fpu[4], h->fpu[4]);
        return false;
    }
    for (unsigned i = 0; i < 8; i++) {
        const uint8_t *a = g->fpu + OFF_ST + 16 * i, *b = h->fpu + OFF_ST + 16 * i;
        if (memcmp(a, b, 10) != 0 && !(own && near_extended(a, b))) {
            snprintf(text, JUDGE_TEXT, "st%u: %04x %016llx, not %04x %016llx", i,
                     cv_ld16(a + 8), (unsigned long long)cv_ld64(a), cv_ld16(b + 8),
                     (unsigned long long)cv_ld64(b));
            return false;
        }
    }
    return true;
}

bool judge_fpu(const struct diff_case *c, const struct diff_result *g,
               const struct diff_result *h, char text[JUDGE_TEXT])
{
    if (((cv_ld32(g->fpu + 24) ^ cv_ld32(h->fpu + 24)) & 0xffff) != 0) {
        snprintf(text, JUDGE_TEXT, "MXCSR: %04x, not %04x", cv_ld32(g->fpu + 24),
                 cv_ld32(h->fpu + 24));
        return false;
    }
    return same_x87(c, g, h, text) && same_vectors(c, g, h, text);
}

/* -- images in memory
 * -------------------------------------------------------------------- */

struct span {
    uint16_t from, to;
};

static void take_over(const struct diff_case *c, const struct span *spans, unsigned n,
                      const uint8_t *guest, uint8_t *host)
{
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = spans[i].from; k < spans[i].to; k++) {
            uint64_t at = c->target + k - DIFF_DATA;
            if (at < DIFF_DATA_BYTES) {
                host[at] = guest[at];
            }
        }
    }
}

void judge_mask_image(const struct diff_case *c, const uint8_t *guest, uint8_t *host)
{
    /* FOP, FIP, FDP, MXCSR_MASK, reserved and available bytes */
    static const struct span legacy[] = {{5, 24}, {28, 32}, {416, 512}};
    /* FCS, FDS, FIP, FDP, FOP; of the control, status and tag words the unused halves */
    static const struct span wide[] = {{2, 4}, {6, 8}, {10, 28}};
    static const struct span narrow[] = {{6, 14}};
    switch (c->insn.info->op) {
    case CV_OP_FXSAVE:
    case CV_OP_XSAVE:
    case CV_OP_XSAVEOPT:
        take_over(c, legacy, 3, guest, host);
        for (unsigned i = 0; i < 8; i++) {
            struct span tail = {(uint16_t)(42 + 16 * i), (uint16_t)(48 + 16 * i)};
            take_over(c, &tail, 1, guest, host);
        }
        break;
    case CV_OP_FNSTENV:
    case CV_OP_FNSAVE:
        if (c->insn.opsize == 2) {
            take_over(c, narrow, 1, guest, host);
        } else {
            take_over(c, wide, 3, guest, host);
        }
        break;
    default:
        break;
    }
}
