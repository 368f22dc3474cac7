/*
 * selftest.h - does this host compute what the machine's definition says?
 *
 * Problem. Most guest instructions run as they are, so a host that computes anything else than
 * the host a trace was recorded on would make a replay diverge without a word. Each class
 * of such instructions is run over edge operands at start-up:
 *   integer classes   native result and flags against the interpreter's own C. Flags the
 *                     manuals leave open are compared only where the translator passes them
 *                     on (cv_liveness_effect). A class that disagrees is interpreted.
 *   vector, x87       a hash of all results, status flags included, against the value in
 *                     tables_selftest.c (made and explained by tests/support/selftest.py).
 *                     The interpreter runs these natively, too: a host that disagrees is
 *                     refused.
 * X87CC is a rule: where the manual leaves C0, C2 and C3 open after an instruction, this
 * machine says they keep their values. Hosts do so; the self-test makes sure, and FNSTSW, FNSTENV,
 * FXSAVE and XSAVE need no correction.
 * Spec:    DESIGN.md section 4, point 8; Intel SDM volume 1 8.1.3 "x87 FPU Status Register",
 *          table 4-7 "Rules for Handling NaNs", 14.5.2 "Fused-Multiply-ADD"
 * Thread:  no guest FPU state may be live
 */
#ifndef CV_CORE_TRANSLATE_SELFTEST_H
#define CV_CORE_TRANSLATE_SELFTEST_H

#include "core/decode/insn.h"

enum cv_selftest_class {
    /* interpreted where the host disagrees */
    CV_SELFTEST_ARITH,
    CV_SELFTEST_LOGIC,
    CV_SELFTEST_SHIFT,
    CV_SELFTEST_ROTATE,
    CV_SELFTEST_MUL,
    CV_SELFTEST_DIV,
    CV_SELFTEST_BITTEST,
    CV_SELFTEST_SCAN,
    CV_SELFTEST_COUNTBITS,
    CV_SELFTEST_BMI,
    CV_SELFTEST_CRC32,
    CV_SELFTEST_ADX,
    CV_SELFTEST_EXCHANGE,
    /* refused where the host disagrees */
    CV_SELFTEST_FLOAT,
    CV_SELFTEST_CONVERT,
    CV_SELFTEST_ROUND,
    CV_SELFTEST_FMA,
    CV_SELFTEST_F16C,
    CV_SELFTEST_VECINT,
    CV_SELFTEST_STRING,
    CV_SELFTEST_AES,
    CV_SELFTEST_PCLMUL,
    CV_SELFTEST_MMX,
    CV_SELFTEST_X87,
    CV_SELFTEST_X87REM, /* FPREM: how far one step reduces is the processor's choice */
    CV_SELFTEST_X87CC,
    CV_SELFTEST_COUNT
};
#define CV_SELFTEST_FIRST_NATIVE CV_SELFTEST_FLOAT
#define CV_SELFTEST_REFUSED                                                              \
    ((1u << CV_SELFTEST_COUNT) - (1u << CV_SELFTEST_FIRST_NATIVE))

struct cv_selftest_result {
    uint32_t failed; /* 1 << class */
    uint32_t cases;
    uint64_t hash[CV_SELFTEST_COUNT]; /* of native classes */
    struct cv_insn first;             /* an integer instruction that disagreed, if any */
};

/* Runs everything once. False: no memory. */
bool cv_selftest_run(struct cv_selftest_result *result) CV_MUST_CHECK;

const char *cv_selftest_name(unsigned cls);

/* Integer class of an instruction, or CV_SELFTEST_COUNT. */
unsigned cv_selftest_class(const struct cv_insn *insn);

/* -- between the two halves ---------------------------------------------------------- */

enum cv_selftest_kind { /* operands of a row */
    CV_ROW_PS,
    CV_ROW_PD,
    CV_ROW_PS_NO_NAN,
    CV_ROW_PD_NO_NAN,
    CV_ROW_BITS,
    CV_ROW_X87
};
#define CV_ROW_SCALAR 0x10u /* only the lowest lane counts */
#define CV_ROW_FLAGS  0x20u /* RFLAGS is a result */
#define CV_ROW_MODES  0x40u /* depends on rounding control */
#define CV_ROW_KEEPCC 0x80u /* x87: C0, C2, C3 are open in the manual */

/* Results in xmm0/ymm0, rcx, ST, or the 16 bytes at [rsi + 640]; sources xmm1, xmm2, rcx,
 * rax, rdx, ST, the same memory. */
struct cv_selftest_row {
    uint8_t cls, kind, len;
    uint8_t bytes[12];
};
extern const struct cv_selftest_row cv_tab_selftest[];
extern const unsigned cv_tab_selftest_rows;
extern const uint64_t cv_tab_selftest_hash[CV_SELFTEST_COUNT];

#define CV_SELFTEST_CODE_BYTES (256u << 10) /* half for each */
/* Emits into code (rw and rx map the same bytes), runs all rows. */
void cv_selftest_vector(uint8_t *rw, const uint8_t *rx, void *scratch,
                        struct cv_selftest_result *result);

#endif
