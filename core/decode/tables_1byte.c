/*
 * tables_1byte.c - the one-byte opcode map and its groups
 * Spec:    Intel SDM volume 2 tables
 */
#include "core/decode/tables.h"

#define DST (M | RW | LK) /* read-modify-write destination */
#define NO64 CV_OF_NO64
#define D64 CV_OF_DEF64

/* Six encodings of a two-operand operation; d is DST, or M | RR for CMP */
#define ALU(b, o, d, r, u)                                                               \
    [b] = I(o, EG, 0, (d) | BY, 0, r, ALL, u), [b + 1] = I(o, EG, 0, d, 0, r, ALL, u),     \
    [b + 2] = I(o, GE, 0, M | RR | BY, 0, r, ALL, u),                                      \
    [b + 3] = I(o, GE, 0, M | RR, 0, r, ALL, u),                                           \
    [b + 4] = I(o, AI, IMM_8, BY, 0, r, ALL, u),                                           \
    [b + 5] = I(o, AI, IMM_Z, 0, 0, r, ALL, u)
#define EIGHT(b, e)                                                                      \
    [b] = e, [b + 1] = e, [b + 2] = e, [b + 3] = e, [b + 4] = e, [b + 5] = e,              \
    [b + 6] = e, [b + 7] = e
#define JCC(c, r) [0x70 + c] = IR(JCC, J, IMM_REL8, END | D64, 0, r, 0, 0, RULE_BRANCH64)

const struct cv_opinfo cv_tab_1byte[256] = {
    ALU(0x00, ADD, DST, 0, 0),
    [0x06] = N(PUSHSEG, NONE, 0, NO64, 0),
    [0x07] = N(POPSEG, NONE, 0, NO64 | SYS, 0),
    ALU(0x08, OR, DST, 0, AF),
    [0x0e] = N(PUSHSEG, NONE, 0, NO64, 0),
    ALU(0x10, ADC, DST, CF, 0),
    [0x16] = N(PUSHSEG, NONE, 0, NO64, 0),
    [0x17] = N(POPSEG, NONE, 0, NO64 | SYS, 0),
    ALU(0x18, SBB, DST, CF, 0),
    [0x1e] = N(PUSHSEG, NONE, 0, NO64, 0),
    [0x1f] = N(POPSEG, NONE, 0, NO64 | SYS, 0),
    ALU(0x20, AND, DST, 0, AF),
    [0x27] = I(DAA, NONE, 0, NO64, 0, CF | AF, ALL, OF),
    ALU(0x28, SUB, DST, 0, 0),
    [0x2f] = I(DAS, NONE, 0, NO64, 0, CF | AF, ALL, OF),
    ALU(0x30, XOR, DST, 0, AF),
    [0x37] = I(AAA, NONE, 0, NO64, 0, AF, ALL, OF | SF | ZF | PF),
    ALU(0x38, CMP, M | RR, 0, 0),
    [0x3f] = I(AAS, NONE, 0, NO64, 0, AF, ALL, OF | SF | ZF | PF),
    EIGHT(0x40, I(INC, O, 0, NO64, 0, 0, ALL & ~CF, 0)),
    EIGHT(0x48, I(DEC, O, 0, NO64, 0, 0, ALL & ~CF, 0)),
    EIGHT(0x50, N(PUSH, O, 0, D64, 0)),
    EIGHT(0x58, N(POP, O, 0, D64, 0)),
    [0x60] = N(PUSHA, NONE, 0, NO64, 0),
    [0x61] = N(POPA, NONE, 0, NO64, 0),
    [0x62] = NR(BOUND, GE, 0, NO64 | M | RR | CV_OF_MEMONLY, 0, RULE_MEM(MEMR_TWO)),
    [0x63] = META(MODE, P_63),
    [0x68] = N(PUSH, I, IMM_Z, D64, 0),
    [0x69] = I(IMUL3, GEI, IMM_Z, M | RR, 0, 0, ALL, SF | ZF | AF | PF),
    [0x6a] = N(PUSH, I, IMM_8, D64, 0),
    [0x6b] = I(IMUL3, GEI, IMM_8, M | RR, 0, 0, ALL, SF | ZF | AF | PF),
    [0x6c] = N(INS, STR, 0, BY | SYS, 0),
    [0x6d] = N(INS, STR, 0, SYS, 0),
    [0x6e] = N(OUTS, STR, 0, BY | SYS, 0),
    [0x6f] = N(OUTS, STR, 0, SYS, 0),
    JCC(0, OF), JCC(1, OF), JCC(2, CF), JCC(3, CF), JCC(4, ZF), JCC(5, ZF),
    JCC(6, CF | ZF), JCC(7, CF | ZF), JCC(8, SF), JCC(9, SF), JCC(10, PF), JCC(11, PF),
    JCC(12, SF | OF), JCC(13, SF | OF), JCC(14, ZF | SF | OF), JCC(15, ZF | SF | OF),
    [0x80] = METAM(REG, G_80),
    [0x81] = METAM(REG, G_81),
    [0x82] = {.op = G_80, .form = META_REG, .flags = CV_OF_MODRM | NO64},
    [0x83] = METAM(REG, G_83),
    [0x84] = I(TEST, EG, 0, M | RR | BY, 0, 0, ALL, AF),
    [0x85] = I(TEST, EG, 0, M | RR, 0, 0, ALL, AF),
    [0x86] = N(XCHG, EG, 0, DST | BY, 0),
    [0x87] = N(XCHG, EG, 0, DST, 0),
    [0x88] = N(MOV, EG, 0, M | WW | BY, 0),
    [0x89] = N(MOV, EG, 0, M | WW, 0),
    [0x8a] = N(MOV, GE, 0, M | RR | BY, 0),
    [0x8b] = N(MOV, GE, 0, M | RR, 0),
    [0x8c] = N(MOVSEG_STORE, EG, 0, M | WW, 2),
    [0x8d] = N(LEA, GE, 0, M | CV_OF_MEMONLY, 0),
    [0x8e] = N(MOVSEG_LOAD, GE, 0, M | RR | SYS, 2),
    [0x8f] = METAM(REG, G_8F),
    [0x90] = META(PFX, X_90),
    [0x91] = N(XCHG, XA, 0, 0, 0), [0x92] = N(XCHG, XA, 0, 0, 0),
    [0x93] = N(XCHG, XA, 0, 0, 0), [0x94] = N(XCHG, XA, 0, 0, 0),
    [0x95] = N(XCHG, XA, 0, 0, 0), [0x96] = N(XCHG, XA, 0, 0, 0),
    [0x97] = N(XCHG, XA, 0, 0, 0),
    [0x98] = N(CBW, NONE, 0, 0, 0),
    [0x99] = N(CWD, NONE, 0, 0, 0),
    [0x9a] = N(CALLF, FAR, IMM_FAR, NO64 | SYS | END, 0),
    [0x9b] = N(FWAIT, NONE, 0, CV_OF_EMULATE, 0),
    [0x9c] = I(PUSHF, NONE, 0, D64 | SYS, 0, ALL, 0, 0),
    [0x9d] = I(POPF, NONE, 0, D64 | SYS | END, 0, 0, ALL, 0),
    [0x9e] = I(SAHF, NONE, 0, 0, 0, 0, SF | ZF | AF | PF | CF, 0),
    [0x9f] = I(LAHF, NONE, 0, 0, 0, SF | ZF | AF | PF | CF, 0, 0),
    [0xa0] = N(MOV, MOFFS_LOAD, IMM_MOFFS, BY, 0),
    [0xa1] = N(MOV, MOFFS_LOAD, IMM_MOFFS, 0, 0),
    [0xa2] = N(MOV, MOFFS_STORE, IMM_MOFFS, BY, 0),
    [0xa3] = N(MOV, MOFFS_STORE, IMM_MOFFS, 0, 0),
    [0xa4] = N(MOVS, STR, 0, BY, 0),
    [0xa5] = N(MOVS, STR, 0, 0, 0),
    [0xa6] = META(PFX, X_CMPSB),
    [0xa7] = META(PFX, X_CMPS),
    [0xa8] = I(TEST, AI, IMM_8, BY, 0, 0, ALL, AF),
    [0xa9] = I(TEST, AI, IMM_Z, 0, 0, 0, ALL, AF),
    [0xaa] = N(STOS, STR, 0, BY, 0),
    [0xab] = N(STOS, STR, 0, 0, 0),
    [0xac] = N(LODS, STR, 0, BY, 0),
    [0xad] = N(LODS, STR, 0, 0, 0),
    [0xae] = META(PFX, X_SCASB),
    [0xaf] = META(PFX, X_SCAS),
    EIGHT(0xb0, N(MOV, OI, IMM_8, BY, 0)),
    EIGHT(0xb8, N(MOV, OI, IMM_V, 0, 0)),
    [0xc0] = METAM(REG, G_NONE), /* cv_tab_shift_c0 */
    [0xc1] = METAM(REG, G_NONE), /* cv_tab_shift_c1 */
    [0xc2] = NR(RET, I, IMM_16, D64 | END, 0, RULE_BRANCH64),
    [0xc3] = NR(RET, NONE, 0, D64 | END, 0, RULE_BRANCH64),
    [0xc4] = NR(LDS, GE, 0, NO64 | M | RR | CV_OF_MEMONLY | SYS, 0, RULE_MEM(MEMR_FAR)),
    [0xc5] = NR(LDS, GE, 0, NO64 | M | RR | CV_OF_MEMONLY | SYS, 0, RULE_MEM(MEMR_FAR)),
    [0xc6] = METAM(REG, G_C6),
    [0xc7] = METAM(REG, G_C7),
    [0xc8] = N(ENTER, II, IMM_16_8, D64, 0),
    [0xc9] = N(LEAVE, NONE, 0, D64, 0),
    [0xca] = N(RETF, I, IMM_16, SYS | END, 0),
    [0xcb] = N(RETF, NONE, 0, SYS | END, 0),
    [0xcc] = I(INT3, NONE, 0, SYS | END, 0, ALL, 0, 0),
    [0xcd] = I(INT, I, IMM_8, SYS | END, 0, ALL, 0, 0),
    [0xce] = I(INTO, NONE, 0, NO64 | SYS | END, 0, ALL, 0, 0),
    [0xcf] = I(IRET, NONE, 0, SYS | END, 0, ALL, ALL, 0),
    [0xd0] = METAM(REG, G_D0),
    [0xd1] = METAM(REG, G_D1),
    [0xd2] = METAM(REG, G_D2),
    [0xd3] = METAM(REG, G_D3),
    [0xd4] = I(AAM, I, IMM_8, NO64, 0, 0, ALL, OF | AF | CF),
    [0xd5] = I(AAD, I, IMM_8, NO64, 0, 0, ALL, OF | AF | CF),
    [0xd6] = I(SALC, NONE, 0, NO64, 0, CF, 0, 0),
    [0xd7] = N(XLAT, NONE, 0, BY, 0),
    EIGHT(0xd8, METAM(X87, 0)),
    [0xe0] = IR(LOOPNE, J, IMM_REL8, END | D64, 0, ZF, 0, 0, RULE_BRANCH64),
    [0xe1] = IR(LOOPE, J, IMM_REL8, END | D64, 0, ZF, 0, 0, RULE_BRANCH64),
    [0xe2] = NR(LOOP, J, IMM_REL8, END | D64, 0, RULE_BRANCH64),
    [0xe3] = NR(JCXZ, J, IMM_REL8, END | D64, 0, RULE_BRANCH64),
    [0xe4] = N(IN, AIMM8, IMM_8, BY | SYS, 0),
    [0xe5] = N(IN, AIMM8, IMM_8, SYS, 0),
    [0xe6] = N(OUT, AIMM8, IMM_8, BY | SYS, 0),
    [0xe7] = N(OUT, AIMM8, IMM_8, SYS, 0),
    [0xe8] = NR(CALL, J, IMM_RELZ, END | D64, 0, RULE_BRANCH64),
    [0xe9] = NR(JMP, J, IMM_RELZ, END | D64, 0, RULE_BRANCH64),
    [0xea] = N(JMPF, FAR, IMM_FAR, NO64 | SYS | END, 0),
    [0xeb] = NR(JMP, J, IMM_REL8, END | D64, 0, RULE_BRANCH64),
    [0xec] = N(IN, ADX, 0, BY | SYS, 0),
    [0xed] = N(IN, ADX, 0, SYS, 0),
    [0xee] = N(OUT, ADX, 0, BY | SYS, 0),
    [0xef] = N(OUT, ADX, 0, SYS, 0),
    [0xf1] = I(INT1, NONE, 0, SYS | END, 0, ALL, 0, 0),
    [0xf4] = N(HLT, NONE, 0, SYS | END, 0),
    [0xf5] = I(CMC, NONE, 0, 0, 0, CF, CF, 0),
    [0xf6] = METAM(REG, G_F6),
    [0xf7] = METAM(REG, G_F7),
    [0xf8] = I(CLC, NONE, 0, 0, 0, 0, CF, 0),
    [0xf9] = I(STC, NONE, 0, 0, 0, 0, CF, 0),
    [0xfa] = N(CLI, NONE, 0, SYS, 0),
    [0xfb] = N(STI, NONE, 0, SYS, 0),
    [0xfc] = N(CLD, NONE, 0, 0, 0),
    [0xfd] = N(STD, NONE, 0, 0, 0),
    [0xfe] = METAM(REG, G_FE),
    [0xff] = METAM(REG, G_FF),
};

/* -- imm8 shifts and rotates: flags depend on the count (core/cpu/flags.h) ------------------- */

#define ROT(o, f, i, x, r, u, ru) IR(o, f, i, M | RW | (x), 0, r, CF | OF, u, ru)
#define SFT(o, f, i, x, u, ru) IR(o, f, i, M | RW | (x), 0, 0, ALL, u, ru)
#define SHIFTS(f, i, x, ro, u, ru)                                                       \
    ROT(ROL, f, i, x, 0, ro, ru), ROT(ROR, f, i, x, 0, ro, ru),                            \
    ROT(RCL, f, i, x, CF, ro, ru), ROT(RCR, f, i, x, CF, ro, ru),                          \
    SFT(SHL, f, i, x, u, ru), SFT(SHR, f, i, x, u, ru), SFT(SHL, f, i, x, u, ru),          \
    SFT(SAR, f, i, x, u, ru)
#define ZERO(o, x) NR(o, EI, IMM_8, M | RW | (x), 0, RULE_SHIFT)
#define SHIFTS_ZERO(x)                                                                   \
    ZERO(ROL, x), ZERO(ROR, x), ZERO(RCL, x), ZERO(RCR, x), ZERO(SHL, x), ZERO(SHR, x),    \
    ZERO(SHL, x), ZERO(SAR, x)

const struct cv_opinfo cv_tab_shift_c0[24] = {
    SHIFTS(EI, IMM_8, BY, OF, CF | AF | OF, RULE_SHIFT),
    SHIFTS_ZERO(BY),
    SHIFTS(EI, IMM_8, BY, OF, CF | AF | OF, RULE_SHIFT),
};
const struct cv_opinfo cv_tab_shift_c1[24] = {
    SHIFTS(EI, IMM_8, 0, OF, AF | OF, RULE_SHIFT),
    SHIFTS_ZERO(0),
    SHIFTS(EI, IMM_8, 0, OF, CF | AF | OF, RULE_SHIFT),
};
#define DSHIFT(o)                                                                        \
    {                                                                                    \
        [0] = IR(o, EGI, IMM_8, M | RW, 0, 0, ALL, AF | OF, RULE_SHIFT),                   \
        [8] = NR(o, EGI, IMM_8, M | RW, 0, RULE_SHIFT),                                    \
        [16] = IR(o, EGI, IMM_8, M | RW, 0, 0, ALL, ALL, RULE_SHIFT),                      \
    }
const struct cv_opinfo cv_tab_shld[24] = DSHIFT(SHLD);
const struct cv_opinfo cv_tab_shrd[24] = DSHIFT(SHRD);

/* -- groups ---------------------------------------------------------------------------------- */

#define ROTC(o, x, r) IC(o, ECL, 0, M | RW | (x), 0, r, CF | OF, OF)
#define SFTC(o, x, u) IC(o, ECL, 0, M | RW | (x), 0, 0, ALL, u)
#define SHIFTS_CL(x, u)                                                                  \
    ROTC(ROL, x, 0), ROTC(ROR, x, 0), ROTC(RCL, x, CF), ROTC(RCR, x, CF),                  \
    SFTC(SHL, x, u), SFTC(SHR, x, u), SFTC(SHL, x, u), SFTC(SAR, x, u)
#define GROUP1(i, x)                                                                     \
    I(ADD, EI, i, DST | (x), 0, 0, ALL, 0), I(OR, EI, i, DST | (x), 0, 0, ALL, AF),        \
    I(ADC, EI, i, DST | (x), 0, CF, ALL, 0), I(SBB, EI, i, DST | (x), 0, CF, ALL, 0),      \
    I(AND, EI, i, DST | (x), 0, 0, ALL, AF), I(SUB, EI, i, DST | (x), 0, 0, ALL, 0),       \
    I(XOR, EI, i, DST | (x), 0, 0, ALL, AF), I(CMP, EI, i, M | RR | (x), 0, 0, ALL, 0)
#define GROUP3(i, x)                                                                     \
    I(TEST, EI, i, M | RR | (x), 0, 0, ALL, AF), I(TEST, EI, i, M | RR | (x), 0, 0, ALL, AF),\
    N(NOT, E, 0, DST | (x), 0), I(NEG, E, 0, DST | (x), 0, 0, ALL, 0),                     \
    I(MUL, E, 0, M | RR | (x), 0, 0, ALL, SF | ZF | AF | PF),                              \
    I(IMUL, E, 0, M | RR | (x), 0, 0, ALL, SF | ZF | AF | PF),                             \
    I(DIV, E, 0, M | RR | (x), 0, 0, ALL, ALL), I(IDIV, E, 0, M | RR | (x), 0, 0, ALL, ALL)

#define SSE_SHIFT_MMX N(VEC, VEC, IMM_8, M | CV_OF_MMX | CV_OF_REGONLY, 0)
#define SSE_SHIFT_XMM N(VEC, VEC, IMM_8, M | CV_OF_SSE | CV_OF_REGONLY, 0)
#define VEX_SHIFT N(VEC, VEC, IMM_8, M | CV_OF_AVX | CV_OF_REGONLY, 0)

const struct cv_opinfo cv_tab_group[G_COUNT][8] = {
    [G_80] = {GROUP1(IMM_8, BY)},
    [G_81] = {GROUP1(IMM_Z, 0)},
    [G_83] = {GROUP1(IMM_8, 0)},
    [G_8F] = {N(POP, E, 0, M | WW | D64, 0)},
    [G_C6] = {N(MOV, EI, IMM_8, M | WW | BY, 0)},
    [G_C7] = {N(MOV, EI, IMM_Z, M | WW, 0)},
    [G_D0] = {SHIFTS(E1, 0, BY, 0, AF, 0)},
    [G_D1] = {SHIFTS(E1, 0, 0, 0, AF, 0)},
    [G_D2] = {SHIFTS_CL(BY, CF | AF | OF)},
    [G_D3] = {SHIFTS_CL(0, CF | AF | OF)},
    [G_F6] = {GROUP3(IMM_8, BY)},
    [G_F7] = {GROUP3(IMM_Z, 0)},
    [G_FE] = {I(INC, E, 0, DST | BY, 0, 0, ALL & ~CF, 0),
              I(DEC, E, 0, DST | BY, 0, 0, ALL & ~CF, 0)},
    [G_FF] = {I(INC, E, 0, DST, 0, 0, ALL & ~CF, 0), I(DEC, E, 0, DST, 0, 0, ALL & ~CF, 0),
              NR(CALL_IND, E, 0, M | RR | D64 | END, 0, RULE_BRANCH64),
              NR(CALLF, E, 0, M | RR | CV_OF_MEMONLY | SYS | END, 0, RULE_MEM(MEMR_FAR)),
              NR(JMP_IND, E, 0, M | RR | D64 | END, 0, RULE_BRANCH64),
              NR(JMPF, E, 0, M | RR | CV_OF_MEMONLY | SYS | END, 0, RULE_MEM(MEMR_FAR)),
              N(PUSH, E, 0, M | RR | D64, 0)},
    /* 0F 00 */
    [G_0F00] = {N(SLDT, E, 0, M | WW | SYS, 2), N(STR, E, 0, M | WW | SYS, 2),
                N(LLDT, E, 0, M | RR | SYS, 2), N(LTR, E, 0, M | RR | SYS, 2),
                I(VERR, E, 0, M | RR | SYS, 2, 0, ZF, 0),
                I(VERW, E, 0, M | RR | SYS, 2, 0, ZF, 0)},
    /* 0F 01, memory by reg; register form by reg, then rm */
    [G_0F01M] = {NR(SGDT, E, 0, M | WW | SYS, 0, RULE_MEM(MEMR_DT)),
                 NR(SIDT, E, 0, M | WW | SYS, 0, RULE_MEM(MEMR_DT)),
                 NR(LGDT, E, 0, M | RR | SYS, 0, RULE_MEM(MEMR_DT)),
                 NR(LIDT, E, 0, M | RR | SYS, 0, RULE_MEM(MEMR_DT)),
                 N(SMSW, E, 0, M | WW | SYS, 2), [6] = N(LMSW, E, 0, M | RR | SYS | END, 2),
                 N(INVLPG, E, 0, M | SYS, 1)},
    [G_0F01R] = {[1] = METAM(PFX, X_01_1), [2] = METAM(PFX, X_01_2),
                 [4] = N(SMSW, E, 0, M | WW | SYS, 2),
                 [6] = N(LMSW, E, 0, M | RR | SYS | END, 2), [7] = METAM(RM, G_01_7)},
    [G_01_1] = {[2] = N(CLAC, NONE, 0, M | SYS | END, 0), N(STAC, NONE, 0, M | SYS | END, 0)},
    [G_01_2] = {N(XGETBV, NONE, 0, M | SYS, 0), N(XSETBV, NONE, 0, M | SYS | END, 0)},
    [G_01_7] = {N(SWAPGS, NONE, 0, M | SYS | CV_OF_ONLY64, 0),
                N(RDTSCP, NONE, 0, M | SYS, 0)},
    [G_0F18] = {N(PREFETCH, E, 0, M, 1), N(PREFETCH, E, 0, M, 1), N(PREFETCH, E, 0, M, 1),
                N(PREFETCH, E, 0, M, 1), N(NOP, E, 0, M, 0), N(NOP, E, 0, M, 0),
                N(NOP, E, 0, M, 0), N(NOP, E, 0, M, 0)},
#define ST (M | SYS | CV_OF_EMULATE)
    [G_0FAEM] = {N(FXSAVE, E, 0, ST | WW, 0), N(FXRSTOR, E, 0, ST | RR, 0),
                 N(LDMXCSR, E, 0, ST | RR | CV_OF_SSE, 4),
                 N(STMXCSR, E, 0, ST | WW | CV_OF_SSE, 4), N(XSAVE, E, 0, ST | WW, 0),
                 N(XRSTOR, E, 0, ST | RR, 0), N(XSAVEOPT, E, 0, ST | WW, 0),
                 N(CLFLUSH, E, 0, M | RR | SYS, 1)},
    [G_0FAER] = {[5] = N(LFENCE, NONE, 0, M, 0), N(MFENCE, NONE, 0, M, 0),
                 N(SFENCE, NONE, 0, M, 0)},
    [G_0FAEF3] = {NR(RDFSBASE, E, 0, M | WW | SYS | CV_OF_ONLY64 | CV_OF_REGONLY, 0, RULE_D32),
                  NR(RDGSBASE, E, 0, M | WW | SYS | CV_OF_ONLY64 | CV_OF_REGONLY, 0, RULE_D32),
                  NR(WRFSBASE, E, 0, M | RR | SYS | CV_OF_ONLY64 | CV_OF_REGONLY, 0, RULE_D32),
                  NR(WRGSBASE, E, 0, M | RR | SYS | CV_OF_ONLY64 | CV_OF_REGONLY, 0, RULE_D32)},
    [G_0FBA] = {[4] = I(BT, EI, IMM_8, M | RR, 0, 0, CF, 0),
                I(BTS, EI, IMM_8, DST, 0, 0, CF, 0), I(BTR, EI, IMM_8, DST, 0, 0, CF, 0),
                I(BTC, EI, IMM_8, DST, 0, 0, CF, 0)},
    [G_0FC7M] = {[1] = METAM(PFX, X_C7M1)},
    [G_0FC7R] = {[6] = METAM(PFX, X_C7R6), [7] = METAM(PFX, X_C7R7)},
    [G_1E] = {N(NOP, E, 0, M, 0), N(NOP, E, 0, M, 0), N(NOP, E, 0, M, 0),
              N(NOP, E, 0, M, 0), N(NOP, E, 0, M, 0), N(NOP, E, 0, M, 0),
              N(NOP, E, 0, M, 0), METAM(RM, G_1E_7)},
    [G_1E_7] = {N(NOP, E, 0, M, 0), N(NOP, E, 0, M, 0), N(ENDBR, NONE, 0, M, 0),
                N(ENDBR, NONE, 0, M, 0), N(NOP, E, 0, M, 0), N(NOP, E, 0, M, 0),
                N(NOP, E, 0, M, 0), N(NOP, E, 0, M, 0)},
    [G_71M] = {[2] = SSE_SHIFT_MMX, [4] = SSE_SHIFT_MMX, [6] = SSE_SHIFT_MMX},
    [G_72M] = {[2] = SSE_SHIFT_MMX, [4] = SSE_SHIFT_MMX, [6] = SSE_SHIFT_MMX},
    [G_73M] = {[2] = SSE_SHIFT_MMX, [6] = SSE_SHIFT_MMX},
    [G_71] = {[2] = SSE_SHIFT_XMM, [4] = SSE_SHIFT_XMM, [6] = SSE_SHIFT_XMM},
    [G_72] = {[2] = SSE_SHIFT_XMM, [4] = SSE_SHIFT_XMM, [6] = SSE_SHIFT_XMM},
    [G_73] = {[2] = SSE_SHIFT_XMM, SSE_SHIFT_XMM, [6] = SSE_SHIFT_XMM, SSE_SHIFT_XMM},
    [G_V71] = {[2] = VEX_SHIFT, [4] = VEX_SHIFT, [6] = VEX_SHIFT},
    [G_V72] = {[2] = VEX_SHIFT, [4] = VEX_SHIFT, [6] = VEX_SHIFT},
    [G_V73] = {[2] = VEX_SHIFT, VEX_SHIFT, [6] = VEX_SHIFT, VEX_SHIFT},
    [G_VAE] = {[2] = NR(LDMXCSR, E, 0, ST | RR | CV_OF_AVX | CV_OF_MEMONLY, 4,
                        RULE_L0 | RULE_NOV),
               NR(STMXCSR, E, 0, ST | WW | CV_OF_AVX | CV_OF_MEMONLY, 4,
                  RULE_L0 | RULE_NOV)},
    [G_VF3] = {[1] = IR(BLSR, VVE, 0, M | RR | CV_OF_BMI, 0, 0, ALL, AF | PF, RULE_L0),
               IR(BLSMSK, VVE, 0, M | RR | CV_OF_BMI, 0, 0, ALL, AF | PF, RULE_L0),
               IR(BLSI, VVE, 0, M | RR | CV_OF_BMI, 0, 0, ALL, AF | PF, RULE_L0)},
};

const struct cv_opinfo cv_tab_pair[P_COUNT][2] = {
    [P_63] = {I(ARPL, EG, 0, NO64 | M | RW | SYS, 2, 0, ZF, 0),
              NR(MOVSXD, GE, 0, M | RR, 0, RULE_MEM(MEMR_SXD))},
    [P_0F01] = {METAM(REG, G_0F01M), METAM(REG, G_0F01R)},
    [P_0D] = {N(PREFETCH, E, 0, M, 1), N(NOP, E, 0, M, 0)},
    [P_18] = {METAM(REG, G_0F18), N(NOP, E, 0, M, 0)},
    [P_AE] = {METAM(REG, G_0FAEM), METAM(REG, G_0FAER)},
    [P_C7] = {METAM(REG, G_0FC7M), METAM(REG, G_0FC7R)},
    [P_1E] = {N(NOP, E, 0, M, 0), METAM(REG, G_1E)},
};

#define REPEAT(o, x)                                                                     \
    {                                                                                    \
        I(o, STR, 0, x, 0, 0, ALL, 0), I(o, STR, 0, x, 0, 0, ALL, 0),                      \
            IC(o, STR, 0, x, 0, 0, ALL, 0), IC(o, STR, 0, x, 0, 0, ALL, 0)                 \
    }
#define BS(o) I(o, GE, 0, M | RR, 0, 0, ALL, ALL & ~ZF)
#define CMPXCHG8B_ENTRY                                                                  \
    IR(CMPXCHG8B, E, 0, DST | CV_OF_MEMONLY, 8, 0, ZF, 0, RULE_MEM(MEMR_W))

const struct cv_opinfo cv_tab_prefix[X_COUNT][4] = {
    [X_CMPSB] = REPEAT(CMPS, BY),
    [X_CMPS] = REPEAT(CMPS, 0),
    [X_SCASB] = REPEAT(SCAS, BY),
    [X_SCAS] = REPEAT(SCAS, 0),
    [X_90] = {N(NOP, NONE, 0, 0, 0), N(NOP, NONE, 0, 0, 0), N(PAUSE, NONE, 0, 0, 0),
              N(NOP, NONE, 0, 0, 0)},
    [X_B8] = {[2] = I(POPCNT, GE, 0, M | RR, 0, 0, ALL, 0)},
    [X_BC] = {BS(BSF), BS(BSF),
              I(TZCNT, GE, 0, M | RR, 0, 0, ALL, OF | SF | AF | PF), BS(BSF)},
    [X_BD] = {BS(BSR), BS(BSR),
              I(LZCNT, GE, 0, M | RR, 0, 0, ALL, OF | SF | AF | PF), BS(BSR)},
    [X_AE] = {METAM(MOD, P_AE), [2] = METAM(REG, G_0FAEF3)},
    [X_1E] = {N(NOP, E, 0, M, 0), N(NOP, E, 0, M, 0), METAM(MOD, P_1E), N(NOP, E, 0, M, 0)},
    [X_C3] = {NR(MOVNTI, EG, 0, M | WW | CV_OF_MEMONLY, 0, RULE_D32)},
    [X_01_1] = {METAM(RM, G_01_1)},
    [X_01_2] = {METAM(RM, G_01_2)},
    [X_C7R6] = {I(RDRAND, E, 0, M | WW | SYS, 0, 0, ALL, 0),
                I(RDRAND, E, 0, M | WW | SYS, 0, 0, ALL, 0)},
    [X_C7R7] = {I(RDSEED, E, 0, M | WW | SYS, 0, 0, ALL, 0),
                I(RDSEED, E, 0, M | WW | SYS, 0, 0, ALL, 0)},
    [X_C7M1] = {CMPXCHG8B_ENTRY, CMPXCHG8B_ENTRY, CMPXCHG8B_ENTRY, CMPXCHG8B_ENTRY},
    [X_71] = {METAM(REG, G_71M), METAM(REG, G_71)},
    [X_72] = {METAM(REG, G_72M), METAM(REG, G_72)},
    [X_73] = {METAM(REG, G_73M), METAM(REG, G_73)},
};
