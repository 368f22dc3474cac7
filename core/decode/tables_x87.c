/*
 * tables_x87.c - D8..DF
 * Spec:    Intel SDM volume 2 tables; aliases that all x87 units execute
 *          (FCOM2, FXCH4, FSTP8...) are included
 */
#include "core/decode/tables.h"

#define F (M | CV_OF_FPU)
#define ML(n) N(X87, X87, 0, F | RR, n) /* loads n bytes */
#define MS(n) N(X87, X87, 0, F | WW, n) /* stores n bytes */
#define MX(o, rw, n, ru) NR(o, X87, 0, F | (rw) | CV_OF_EMULATE, n, RULE_MEM(ru))

const struct cv_opinfo cv_tab_x87_mem[8][8] = {
    [0] = {ML(4), ML(4), ML(4), ML(4), ML(4), ML(4), ML(4), ML(4)},
    [1] = {ML(4), [2] = MS(4), MS(4), MX(FLDENV, RR, 0, MEMR_ENV), ML(2),
           MX(FNSTENV, WW, 0, MEMR_ENV), MS(2)},
    [2] = {ML(4), ML(4), ML(4), ML(4), ML(4), ML(4), ML(4), ML(4)},
    [3] = {ML(4), MS(4), MS(4), MS(4), [5] = ML(10), [7] = MS(10)},
    [4] = {ML(8), ML(8), ML(8), ML(8), ML(8), ML(8), ML(8), ML(8)},
    [5] = {ML(8), MS(8), MS(8), MS(8), MX(FRSTOR, RR, 0, MEMR_SAVE),
           [6] = MX(FNSAVE, WW, 0, MEMR_SAVE), MS(2)},
    [6] = {ML(2), ML(2), ML(2), ML(2), ML(2), ML(2), ML(2), ML(2)},
    [7] = {ML(2), MS(2), MS(2), MS(2), ML(10), ML(8), MS(10), MS(8)},
};

#define A N(X87, X87, 0, F, 0)
#define T N(FTRANS, X87, 0, F | CV_OF_EMULATE, 0)
#define CMOV(r) I(X87, X87, 0, F, 0, r, 0, 0)
#define COMI I(X87, X87, 0, F, 0, 0, ALL, 0)
#define EIGHT(b, e)                                                                      \
    [b] = e, [b + 1] = e, [b + 2] = e, [b + 3] = e, [b + 4] = e, [b + 5] = e,              \
    [b + 6] = e, [b + 7] = e
#define EIGHTS_ALL                                                                       \
    EIGHT(0x00, A), EIGHT(0x08, A), EIGHT(0x10, A), EIGHT(0x18, A), EIGHT(0x20, A),        \
    EIGHT(0x28, A), EIGHT(0x30, A), EIGHT(0x38, A)

const struct cv_opinfo cv_tab_x87_reg[8][64] = {
    [0] = {EIGHTS_ALL},
    [1] = {EIGHT(0x00, A), EIGHT(0x08, A), [0x10] = A, EIGHT(0x18, A),
           [0x20] = A, [0x21] = A, [0x24] = A, [0x25] = A, /* FCHS FABS FTST FXAM */
           [0x28] = A, A, A, A, A, A, A,                   /* constants */
           [0x30] = T, T, T, T, A, A, A, A, /* F2XM1 FYL2X FPTAN FPATAN FXTRACT FPREM1 */
           A, T, A, T, A, A, T, T}, /* FPREM FYL2XP1 FSQRT FSINCOS FRNDINT FSCALE FSIN FCOS */
    [2] = {EIGHT(0x00, CMOV(CF)), EIGHT(0x08, CMOV(ZF)), EIGHT(0x10, CMOV(CF | ZF)),
           EIGHT(0x18, CMOV(PF)), [0x29] = A},
    [3] = {EIGHT(0x00, CMOV(CF)), EIGHT(0x08, CMOV(ZF)), EIGHT(0x10, CMOV(CF | ZF)),
           EIGHT(0x18, CMOV(PF)), [0x20] = A, A, A, A, A, /* FNENI FNDISI FNCLEX FNINIT FNSETPM */
           EIGHT(0x28, COMI), EIGHT(0x30, COMI)},
    [4] = {EIGHTS_ALL},
    [5] = {EIGHT(0x00, A), EIGHT(0x08, A), EIGHT(0x10, A), EIGHT(0x18, A), EIGHT(0x20, A),
           EIGHT(0x28, A)},
    [6] = {EIGHT(0x00, A), EIGHT(0x08, A), EIGHT(0x10, A), [0x19] = A, EIGHT(0x20, A),
           EIGHT(0x28, A), EIGHT(0x30, A), EIGHT(0x38, A)},
    [7] = {EIGHT(0x00, A), EIGHT(0x08, A), EIGHT(0x10, A), EIGHT(0x18, A),
           /* FNSTSW AX: rm is AX */
           [0x20] = N(X87, X87, 0, F | CV_OF_E_GPR | CV_OF_E_WRITTEN_GPR | CV_OF_EMULATE, 0),
           EIGHT(0x28, COMI), EIGHT(0x30, COMI)},
};
