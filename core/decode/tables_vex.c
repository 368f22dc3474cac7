/*
 * tables_vex.c - VEX maps 1 to 3: AVX, AVX2, FMA3, F16C, BMI1, BMI2
 *
 * Two operands: VEX.vvvv must be 1111b (D...); three: it is the first source (T...). A number
 * n | LL doubles with VEX.L.
 * Spec:    Intel SDM volume 2 2.3 "Intel AVX", appendix A; the instruction pages for L and W
 */
#include "core/decode/tables.h"

#define A (M | CV_OF_AVX)
#define GW (CV_OF_G_GPR | CV_OF_G_WRITTEN)
#define EGP CV_OF_E_GPR
#define EW (CV_OF_E_GPR | CV_OF_E_WRITTEN_GPR)
#define MO CV_OF_MEMONLY
#define RO CV_OF_REGONLY
#define AL CV_OF_ALIGN
#define EM CV_OF_EMULATE
#define L0 RULE_L0
#define L1 RULE_L1
#define W0 RULE_W0
#define W1 RULE_W1
#define NV RULE_NOV
#define MW RULE_MEM(MEMR_W)
#define LL 0x80

#define V(i, fl, m, ru) NR(VEC, VEC, i, A | (fl), m, ru)
#define T V(0, RR, 16 | LL, 0)       /* three operands, full vector */
#define TR(ru) V(0, RR, 16 | LL, ru) /* ... with a rule */
#define TI V(IMM_8, RR, 16 | LL, 0)
#define TS(n) V(0, RR, n, 0) /* three operands, n bytes of memory */
#define D V(0, RR, 16 | LL, NV)
#define DR(ru) V(0, RR, 16 | LL, NV | (ru))
#define DI V(IMM_8, RR, 16 | LL, NV)
#define DM(n, ru) V(0, RR, n, NV | (ru))
#define DW(n, fl, ru) V(0, WW | (fl), n, NV | (ru))
#define FLAGS(n, ru) IR(VEC, VEC, 0, A | RR, n, 0, ALL, 0, NV | (ru))
#define AES(i, ru) {.op = CV_OP_VEC, .form = CV_FORM_VEC, .imm = (i), .flags = A | RR,     \
                    .mem = 16, .host = CV_HOST_AES, .rules = L0 | (ru)}
#define FS V(0, RR, 4, MW) /* FMA scalar */

const struct cv_opinfo cv_tab_vex_0f[4][256] = {
    [0] = {
        [0x10] = D, [0x11] = DW(16 | LL, 0, 0), [0x12] = V(0, RR, 8, L0),
        [0x13] = DW(8, MO, L0), [0x14] = T, T, V(0, RR, 8, L0), DW(8, MO, L0),
        [0x28] = V(0, RR | AL, 16 | LL, NV), DW(16 | LL, AL, 0),
        [0x2b] = DW(16 | LL, AL | MO, 0), [0x2e] = FLAGS(4, 0), FLAGS(4, 0),
        [0x50] = V(0, GW | RO, 0, NV), D,
        NR(RSQRTPS, VEC, 0, A | RR | EM, 16 | LL, NV),
        NR(RCPPS, VEC, 0, A | RR | EM, 16 | LL, NV),
        T, T, T, T, T, T, DM(8 | LL, 0), D, T, T, T, T,
        [0x77] = NR(VZERO, NONE, 0, CV_OF_AVX, 0, NV),
        [0xae] = METAM(REG, G_VAE), [0xc2] = TI, [0xc6] = TI,
    },
    [1] = {
        [0x10] = D, [0x11] = DW(16 | LL, 0, 0), [0x12] = V(0, RR | MO, 8, L0),
        [0x13] = DW(8, MO, L0), [0x14] = T, T, V(0, RR | MO, 8, L0), DW(8, MO, L0),
        [0x28] = V(0, RR | AL, 16 | LL, NV), DW(16 | LL, AL, 0),
        [0x2b] = DW(16 | LL, AL | MO, 0), [0x2e] = FLAGS(8, 0), FLAGS(8, 0),
        [0x50] = V(0, GW | RO, 0, NV), D, [0x54] = T, T, T, T, T, T, D, D, T, T, T, T,
        [0x60] = T, T, T, T, T, T, T, T, T, T, T, T, T, T,
        V(0, RR | EGP, 4, NV | L0 | MW), V(0, RR | AL, 16 | LL, NV),
        [0x70] = DI, METAM(REG, G_V71), METAM(REG, G_V72), METAM(REG, G_V73), T, T, T,
        [0x7c] = T, T, V(0, WW | EW, 4, NV | L0 | MW), DW(16 | LL, AL, 0),
        [0xc2] = TI, [0xc4] = V(IMM_8, RR | EGP, 2, L0), V(IMM_8, GW | RO, 0, NV | L0), TI,
        [0xd0] = T, TS(16), TS(16), TS(16), T, T, DW(8, 0, L0), V(0, GW | RO, 0, NV),
        T, T, T, T, T, T, T, T,
        [0xe0] = T, TS(16), TS(16), T, T, T, D, DW(16 | LL, AL | MO, 0),
        T, T, T, T, T, T, T, T,
        [0xf1] = TS(16), TS(16), TS(16), T, T, T,
        NR(MASKMOVDQU, VEC, 0, A | RO | CV_OF_FIXED_MEM | EM, 16, NV | L0),
        T, T, T, T, T, T, T,
    },
    [2] = {
        [0x10] = V(0, RR, 4, RULE_NOV_MEM), V(0, WW, 4, RULE_NOV_MEM), D, [0x16] = D,
        [0x2a] = V(0, RR | EGP, 4, MW), [0x2c] = V(0, RR | GW, 4, NV), V(0, RR | GW, 4, NV),
        [0x51] = TS(4), NR(RSQRTSS, VEC, 0, A | RR | EM, 4, 0),
        NR(RCPSS, VEC, 0, A | RR | EM, 4, 0),
        [0x58] = TS(4), TS(4), TS(4), D, TS(4), TS(4), TS(4), TS(4),
        [0x6f] = D, [0x70] = DI, [0x7e] = DM(8, L0), DW(16 | LL, 0, 0),
        [0xc2] = V(IMM_8, RR, 4, 0), [0xe6] = DM(8 | LL, 0),
    },
    [3] = {
        [0x10] = V(0, RR, 8, RULE_NOV_MEM), V(0, WW, 8, RULE_NOV_MEM),
        V(0, RR, 8, NV | RULE_MEM(MEMR_DDUP)),
        [0x2a] = V(0, RR | EGP, 4, MW), [0x2c] = V(0, RR | GW, 8, NV), V(0, RR | GW, 8, NV),
        [0x51] = TS(8), [0x58] = TS(8), TS(8), TS(8), [0x5c] = TS(8), TS(8), TS(8), TS(8),
        [0x70] = DI, [0x7c] = T, T, [0xc2] = V(IMM_8, RR, 8, 0), [0xd0] = T, [0xe6] = D,
        [0xf0] = V(0, RR | MO, 16 | LL, NV),
    },
};

#define BMI(o, f, u, ru)                                                                 \
    IR(o, f, 0, M | RR | CV_OF_BMI, 0, 0, ALL, u, L0 | (ru))
#define BMIN(o, f) NR(o, f, 0, M | RR | CV_OF_BMI, 0, L0)
#define FMA_ROW(b)                                                                       \
    [b + 6] = T, [b + 7] = T, [b + 8] = T, [b + 9] = FS, [b + 10] = T, [b + 11] = FS,      \
    [b + 12] = T, [b + 13] = FS, [b + 14] = T, [b + 15] = FS
#define MASKED(rw, ru) NR(VMASKMOV, VEC, 0, A | (rw) | MO | EM, 16 | LL, ru)
#define GATHER NR(VGATHER, VEC, 0, A | RR | MO | EM, 4, MW | RULE_VSIB)

const struct cv_opinfo cv_tab_vex_38[4][256] = {
    [0] = {
        [0xf2] = BMI(ANDN, VGE, AF | PF, 0), METAM(REG, G_VF3),
        [0xf5] = BMI(BZHI, VEG, AF | PF, 0), [0xf7] = BMI(BEXTR, VEG, SF | AF | PF, 0),
    },
    [1] = {
        [0x00] = T, T, T, T, T, T, T, T, T, T, T, T, TR(W0), TR(W0),
        FLAGS(16 | LL, W0), FLAGS(16 | LL, W0),
        [0x13] = DM(8 | LL, W0), [0x16] = TR(W0 | L1), FLAGS(16 | LL, 0),
        DM(4, W0), DM(8, W0 | L1), V(0, RR | MO, 16, NV | W0 | L1), [0x1c] = D, D, D,
        [0x20] = DM(8 | LL, 0), DM(4 | LL, 0), DM(2 | LL, 0), DM(8 | LL, 0), DM(4 | LL, 0),
        DM(8 | LL, 0), [0x28] = T, T, V(0, RR | AL | MO, 16 | LL, NV), T,
        MASKED(RR, W0), MASKED(RR, W0), MASKED(WW, W0), MASKED(WW, W0),
        [0x30] = DM(8 | LL, 0), DM(4 | LL, 0), DM(2 | LL, 0), DM(8 | LL, 0), DM(4 | LL, 0),
        DM(8 | LL, 0), TR(W0 | L1), T, T, T, T, T, T, T, T, T,
        [0x40] = T, DR(L0), [0x45] = T, TR(W0), T,
        [0x58] = DM(4, W0), DM(8, W0), V(0, RR | MO, 16, NV | W0 | L1),
        [0x78] = DM(1, W0), DM(2, W0), [0x8c] = MASKED(RR, 0), [0x8e] = MASKED(WW, 0),
        [0x90] = GATHER, GATHER, GATHER, GATHER,
        FMA_ROW(0x90), FMA_ROW(0xa0), FMA_ROW(0xb0),
        [0xdb] = AES(0, NV), AES(0, 0), AES(0, 0), AES(0, 0), AES(0, 0),
        [0xf7] = BMIN(SHLX, VEG),
    },
    [2] = {[0xf5] = BMIN(PEXT, VGE), [0xf7] = BMIN(SARX, VEG)},
    [3] = {[0xf5] = BMIN(PDEP, VGE), BMIN(MULX, VGE), BMIN(SHRX, VEG)},
};

#define STR(fl) IR(VEC, VEC, IMM_8, A | RR | (fl), 16, 0, ALL, 0, NV | L0)

const struct cv_opinfo cv_tab_vex_3a[4][256] = {
    [1] = {
        [0x00] = V(IMM_8, RR, 16 | LL, NV | W1 | L1), V(IMM_8, RR, 16 | LL, NV | W1 | L1),
        V(IMM_8, RR, 16 | LL, W0), [0x04] = V(IMM_8, RR, 16 | LL, NV | W0),
        V(IMM_8, RR, 16 | LL, NV | W0), V(IMM_8, RR, 16 | LL, W0 | L1),
        [0x08] = DI, DI, V(IMM_8, RR, 4, 0), V(IMM_8, RR, 8, 0), TI, TI, TI, TI,
        [0x14] = V(IMM_8, WW | EW, 1, NV | L0), V(IMM_8, WW | EW, 2, NV | L0),
        V(IMM_8, WW | EW, 4, NV | L0 | MW), V(IMM_8, WW | EW, 4, NV | L0),
        V(IMM_8, RR, 16, W0 | L1), V(IMM_8, WW, 16, NV | W0 | L1),
        [0x1d] = V(IMM_8, WW, 8 | LL, NV | W0),
        [0x20] = V(IMM_8, RR | EGP, 1, L0), V(IMM_8, RR, 4, L0),
        V(IMM_8, RR | EGP, 4, L0 | MW),
        [0x38] = V(IMM_8, RR, 16, W0 | L1), V(IMM_8, WW, 16, NV | W0 | L1),
        [0x40] = TI, V(IMM_8, RR, 16, L0), TI,
        [0x44] = {.op = CV_OP_VEC, .form = CV_FORM_VEC, .imm = IMM_8, .flags = A | RR,
                  .mem = 16, .host = CV_HOST_PCLMUL, .rules = L0},
        [0x46] = V(IMM_8, RR, 16 | LL, W0 | L1),
        [0x4a] = V(IMM_8, RR, 16 | LL, W0), V(IMM_8, RR, 16 | LL, W0),
        V(IMM_8, RR, 16 | LL, W0),
        /* 60 61 63 use rAX, rDX, rCX implicitly */
        [0x60] = STR(EM), STR(EM), STR(0), STR(EM), [0xdf] = AES(IMM_8, NV),
    },
    [3] = {[0xf0] = NR(RORX, GEI, IMM_8, M | RR | CV_OF_BMI, 0, NV | L0)},
};
