/*
 * tables_sse.c - MMX and SSE instructions by mandatory prefix: 0F, 0F 38, 0F 3A
 * Spec:    Intel SDM volume 2 tables; alignment: volume 1 10.4.1.1, 4.1.1
 */
#include "core/decode/tables.h"

#define S (M | CV_OF_SSE)
#define X (M | CV_OF_MMX)
#define G CV_OF_G_GPR
#define GW (CV_OF_G_GPR | CV_OF_G_WRITTEN)
#define EG_ CV_OF_E_GPR
#define EW (CV_OF_E_GPR | CV_OF_E_WRITTEN_GPR)
#define MO CV_OF_MEMONLY
#define RO CV_OF_REGONLY
#define AL CV_OF_ALIGN
#define EM CV_OF_EMULATE

#define L(n) N(VEC, VEC, 0, S | RR, n)                 /* loads n bytes, no alignment */
#define LI(n) N(VEC, VEC, IMM_8, S | RR, n)
#define P N(VEC, VEC, 0, S | RR | AL, 16)              /* packed, aligned */
#define PI N(VEC, VEC, IMM_8, S | RR | AL, 16)
#define ST(n) N(VEC, VEC, 0, S | WW, n)
#define Q N(VEC, VEC, 0, X | RR, 8)                    /* MMX */
#define QI N(VEC, VEC, IMM_8, X | RR, 8)
#define FL(n) I(VEC, VEC, 0, S | RR, n, 0, ALL, 0)     /* sets arithmetic flags */
#define W2 RULE_MEM(MEMR_W)
#define AES(o) {.op = CV_OP_VEC, .form = CV_FORM_VEC, .imm = (o), .flags = S | RR | AL,    \
                .mem = 16, .host = CV_HOST_AES}

const struct cv_opinfo cv_tab_sse_0f[4][256] = {
    [0] = {
        [0x10] = L(16), [0x11] = ST(16), [0x12] = L(8), [0x13] = N(VEC, VEC, 0, S | WW | MO, 8),
        [0x14] = P, [0x15] = P, [0x16] = L(8), [0x17] = N(VEC, VEC, 0, S | WW | MO, 8),
        [0x28] = P, [0x29] = N(VEC, VEC, 0, S | WW | AL, 16),
        [0x2a] = N(VEC, VEC, 0, S | CV_OF_MMX | RR, 8),
        [0x2b] = N(VEC, VEC, 0, S | WW | AL | MO, 16),
        [0x2c] = N(VEC, VEC, 0, S | CV_OF_MMX | RR, 8),
        [0x2d] = N(VEC, VEC, 0, S | CV_OF_MMX | RR, 8),
        [0x2e] = FL(4), [0x2f] = FL(4),
        [0x50] = N(VEC, VEC, 0, S | GW | RO, 0),
        [0x51] = P, [0x52] = N(RSQRTPS, VEC, 0, S | RR | AL | EM, 16),
        [0x53] = N(RCPPS, VEC, 0, S | RR | AL | EM, 16),
        [0x54] = P, P, P, P, P, P, L(8), P, P, P, P, P,
        [0x60] = N(VEC, VEC, 0, X | RR, 4), N(VEC, VEC, 0, X | RR, 4),
        N(VEC, VEC, 0, X | RR, 4), Q, Q, Q, Q, Q, Q, Q, Q, Q,
        [0x6e] = NR(VEC, VEC, 0, X | RR | EG_, 4, W2), Q,
        [0x70] = QI, [0x74] = Q, Q, Q, N(EMMS, NONE, 0, CV_OF_MMX, 0),
        [0x7e] = NR(VEC, VEC, 0, X | WW | EW, 4, W2), N(VEC, VEC, 0, X | WW, 8),
        [0xc2] = PI, [0xc4] = N(VEC, VEC, IMM_8, X | RR | EG_, 2),
        N(VEC, VEC, IMM_8, X | GW | RO, 0), PI,
        [0xd1] = Q, Q, Q, Q, Q, [0xd7] = N(VEC, VEC, 0, X | GW | RO, 0),
        Q, Q, Q, Q, Q, Q, Q, Q,
        [0xe0] = Q, Q, Q, Q, Q, Q, [0xe7] = N(VEC, VEC, 0, X | WW | MO, 8),
        Q, Q, Q, Q, Q, Q, Q, Q,
        [0xf1] = Q, Q, Q, Q, Q, Q,
        [0xf7] = N(MASKMOVQ, VEC, 0, X | RO | CV_OF_FIXED_MEM | EM, 8),
        Q, Q, Q, Q, Q, Q, Q,
    },
    [1] = {
        [0x10] = L(16), [0x11] = ST(16), [0x12] = N(VEC, VEC, 0, S | RR | MO, 8),
        [0x13] = N(VEC, VEC, 0, S | WW | MO, 8), [0x14] = P, [0x15] = P,
        [0x16] = N(VEC, VEC, 0, S | RR | MO, 8), [0x17] = N(VEC, VEC, 0, S | WW | MO, 8),
        [0x28] = P, [0x29] = N(VEC, VEC, 0, S | WW | AL, 16),
        [0x2a] = N(VEC, VEC, 0, S | CV_OF_MMX | RR, 8),
        [0x2b] = N(VEC, VEC, 0, S | WW | AL | MO, 16),
        [0x2c] = N(VEC, VEC, 0, S | CV_OF_MMX | RR | AL, 16),
        [0x2d] = N(VEC, VEC, 0, S | CV_OF_MMX | RR | AL, 16),
        [0x2e] = FL(8), [0x2f] = FL(8),
        [0x50] = N(VEC, VEC, 0, S | GW | RO, 0), [0x51] = P,
        [0x54] = P, P, P, P, P, P, P, P, P, P, P, P,
        [0x60] = P, P, P, P, P, P, P, P, P, P, P, P, P, P,
        NR(VEC, VEC, 0, S | RR | EG_, 4, W2), P,
        [0x70] = PI, [0x74] = P, P, P, [0x7c] = P, P,
        NR(VEC, VEC, 0, S | WW | EW, 4, W2), N(VEC, VEC, 0, S | WW | AL, 16),
        [0xc2] = PI, [0xc4] = N(VEC, VEC, IMM_8, S | RR | EG_, 2),
        N(VEC, VEC, IMM_8, S | GW | RO, 0), PI,
        [0xd0] = P, P, P, P, P, P, ST(8), N(VEC, VEC, 0, S | GW | RO, 0),
        P, P, P, P, P, P, P, P,
        [0xe0] = P, P, P, P, P, P, P, N(VEC, VEC, 0, S | WW | AL | MO, 16),
        P, P, P, P, P, P, P, P,
        [0xf1] = P, P, P, P, P, P,
        [0xf7] = N(MASKMOVDQU, VEC, 0, S | RO | CV_OF_FIXED_MEM | EM, 16),
        P, P, P, P, P, P, P,
    },
    [2] = {
        [0x10] = L(4), [0x11] = ST(4), [0x12] = P, [0x16] = P,
        [0x2a] = NR(VEC, VEC, 0, S | RR | EG_, 4, W2),
        [0x2c] = N(VEC, VEC, 0, S | RR | GW, 4), [0x2d] = N(VEC, VEC, 0, S | RR | GW, 4),
        [0x51] = L(4), [0x52] = N(RSQRTSS, VEC, 0, S | RR | EM, 4),
        [0x53] = N(RCPSS, VEC, 0, S | RR | EM, 4),
        [0x58] = L(4), L(4), L(4), P, L(4), L(4), L(4), L(4),
        [0x6f] = L(16), [0x70] = PI, [0x7e] = L(8), ST(16), [0xc2] = LI(4),
        [0xd6] = N(VEC, VEC, 0, S | CV_OF_MMX | RO, 0), [0xe6] = L(8),
    },
    [3] = {
        [0x10] = L(8), [0x11] = ST(8), [0x12] = L(8),
        [0x2a] = NR(VEC, VEC, 0, S | RR | EG_, 4, W2),
        [0x2c] = N(VEC, VEC, 0, S | RR | GW, 8), [0x2d] = N(VEC, VEC, 0, S | RR | GW, 8),
        [0x51] = L(8), [0x58] = L(8), L(8), L(8), [0x5c] = L(8), L(8), L(8), L(8),
        [0x70] = PI, [0x7c] = P, P, [0xc2] = LI(8), [0xd0] = P,
        [0xd6] = N(VEC, VEC, 0, S | CV_OF_MMX | RO, 0), [0xe6] = P,
        [0xf0] = N(VEC, VEC, 0, S | RR | MO, 16),
    },
};

const struct cv_opinfo cv_tab_sse_38[4][256] = {
    [0] = {
        [0x00] = Q, Q, Q, Q, Q, Q, Q, Q, Q, Q, Q, Q, [0x1c] = Q, Q, Q,
        [0xf0] = N(MOVBE, GE, 0, M | RR | MO, 0), N(MOVBE, EG, 0, M | WW | MO, 0),
    },
    [1] = {
        [0x00] = P, P, P, P, P, P, P, P, P, P, P, P, [0x10] = P, [0x14] = P, P,
        [0x17] = I(VEC, VEC, 0, S | RR | AL, 16, 0, ALL, 0), [0x1c] = P, P, P,
        [0x20] = L(8), L(4), L(2), L(8), L(4), L(8),
        [0x28] = P, P, N(VEC, VEC, 0, S | RR | AL | MO, 16), P,
        [0x30] = L(8), L(4), L(2), L(8), L(4), L(8), [0x37] = P, P, P, P, P, P, P, P, P, P,
        P, [0x82] = NR(INVPCID, GE, 0, M | RR | MO | SYS, 16, RULE_NATIVE),
        [0xdb] = AES(0), AES(0), AES(0), AES(0), AES(0),
        [0xf0] = N(MOVBE, GE, 0, M | RR | MO, 0), N(MOVBE, EG, 0, M | WW | MO, 0),
        [0xf6] = {.op = CV_OP_ADCX, .form = CV_FORM_GE, .flags = M | RR, .fl_read = CF,
                  .fl_write = CF, .rules = RULE_D32, .host = CV_HOST_ADX},
    },
    [2] = {
        [0xf6] = {.op = CV_OP_ADOX, .form = CV_FORM_GE, .flags = M | RR, .fl_read = OF,
                  .fl_write = OF, .rules = RULE_D32, .host = CV_HOST_ADX},
    },
    [3] = {
        [0xf0] = N(CRC32, GE, 0, M | RR | BY, 0), N(CRC32, GE, 0, M | RR, 0),
    },
};

const struct cv_opinfo cv_tab_sse_3a[4][256] = {
    [0] = {[0x0f] = QI},
    [1] = {
        [0x08] = PI, PI, LI(4), LI(8), PI, PI, PI, PI,
        [0x14] = N(VEC, VEC, IMM_8, S | WW | EW, 1), N(VEC, VEC, IMM_8, S | WW | EW, 2),
        NR(VEC, VEC, IMM_8, S | WW | EW, 4, W2), N(VEC, VEC, IMM_8, S | WW | EW, 4),
        [0x20] = N(VEC, VEC, IMM_8, S | RR | EG_, 1), LI(4),
        NR(VEC, VEC, IMM_8, S | RR | EG_, 4, W2),
        [0x40] = PI, PI, PI,
        [0x44] = {.op = CV_OP_VEC, .form = CV_FORM_VEC, .imm = IMM_8,
                  .flags = S | RR | AL, .mem = 16, .host = CV_HOST_PCLMUL},
        /* 60 61 63 use rAX, rDX, rCX implicitly: never as encoded in a block */
        [0x60] = I(VEC, VEC, IMM_8, S | RR | EM, 16, 0, ALL, 0),
        I(VEC, VEC, IMM_8, S | RR | EM, 16, 0, ALL, 0),
        I(VEC, VEC, IMM_8, S | RR, 16, 0, ALL, 0),
        I(VEC, VEC, IMM_8, S | RR | EM, 16, 0, ALL, 0),
        [0xdf] = AES(IMM_8),
    },
};
