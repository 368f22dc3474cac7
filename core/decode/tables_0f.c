/*
 * tables_0f.c - the 0F opcode map: integer and system instructions
 *
 * Slots that depend on a mandatory prefix for all they are stand in tables_sse.c.
 * Spec:    Intel SDM volume 2 table A-3
 */
#include "core/decode/tables.h"

#define DST (M | RW | LK)
#define EIGHT(b, e)                                                                      \
    [b] = e, [b + 1] = e, [b + 2] = e, [b + 3] = e, [b + 4] = e, [b + 5] = e,              \
    [b + 6] = e, [b + 7] = e
#define COND(c, r)                                                                       \
    [0x40 + c] = I(CMOV, GE, 0, M | RR, 0, r, 0, 0),                                       \
    [0x80 + c] = IR(JCC, J, IMM_RELZ, END | CV_OF_DEF64, 0, r, 0, 0, RULE_BRANCH64),       \
    [0x90 + c] = I(SETCC, E, 0, M | WW | BY, 0, r, 0, 0)
#define HINT N(NOP, E, 0, M, 0)
#define V METAM(SSE, 0)

const struct cv_opinfo cv_tab_0f[256] = {
    [0x00] = METAM(REG, G_0F00),
    [0x01] = METAM(MOD, P_0F01),
    [0x02] = I(LAR, GE, 0, M | RR | SYS, 2, 0, ZF, 0),
    [0x03] = I(LSL, GE, 0, M | RR | SYS, 2, 0, ZF, 0),
    [0x05] = I(SYSCALL, NONE, 0, SYS | END | CV_OF_ONLY64, 0, ALL, ALL, 0),
    [0x06] = N(CLTS, NONE, 0, SYS | END, 0),
    [0x07] = I(SYSRET, NONE, 0, SYS | END | CV_OF_ONLY64, 0, 0, ALL, 0),
    [0x08] = N(INVD, NONE, 0, SYS, 0),
    [0x09] = N(WBINVD, NONE, 0, SYS, 0),
    [0x0b] = N(UD, NONE, 0, SYS | END, 0),
    [0x0d] = METAM(MOD, P_0D),
    [0x10] = V, [0x11] = V, [0x12] = V, [0x13] = V, [0x14] = V, [0x15] = V, [0x16] = V,
    [0x17] = V,
    [0x18] = METAM(MOD, P_18),
    [0x19] = HINT, [0x1a] = HINT, [0x1b] = HINT, [0x1c] = HINT, [0x1d] = HINT,
    [0x1e] = METAM(PFX, X_1E),
    [0x1f] = HINT,
    [0x20] = NR(MOVCR_STORE, EG, 0, M | WW | SYS, 0, RULE_MOD3 | RULE_NATIVE),
    [0x21] = NR(MOVDR_STORE, EG, 0, M | WW | SYS, 0, RULE_MOD3 | RULE_NATIVE),
    [0x22] = NR(MOVCR_LOAD, GE, 0, M | RR | SYS | END, 0, RULE_MOD3 | RULE_NATIVE),
    [0x23] = NR(MOVDR_LOAD, GE, 0, M | RR | SYS | END, 0, RULE_MOD3 | RULE_NATIVE),
    EIGHT(0x28, V),
    [0x30] = N(WRMSR, NONE, 0, SYS | END, 0),
    [0x31] = N(RDTSC, NONE, 0, SYS, 0),
    [0x32] = N(RDMSR, NONE, 0, SYS, 0),
    [0x33] = N(RDPMC, NONE, 0, SYS, 0),
    [0x34] = I(SYSENTER, NONE, 0, SYS | END, 0, 0, 0, 0),
    [0x35] = N(SYSEXIT, NONE, 0, SYS | END, 0),
    COND(0, OF), COND(1, OF), COND(2, CF), COND(3, CF), COND(4, ZF), COND(5, ZF),
    COND(6, CF | ZF), COND(7, CF | ZF), COND(8, SF), COND(9, SF), COND(10, PF),
    COND(11, PF), COND(12, SF | OF), COND(13, SF | OF), COND(14, ZF | SF | OF),
    COND(15, ZF | SF | OF),
    EIGHT(0x50, V), EIGHT(0x58, V), EIGHT(0x60, V), EIGHT(0x68, V),
    [0x70] = V,
    [0x71] = METAM(PFX, X_71),
    [0x72] = METAM(PFX, X_72),
    [0x73] = METAM(PFX, X_73),
    [0x74] = V, [0x75] = V, [0x76] = V,
    [0x77] = META(SSE, 0),
    [0x7c] = V, [0x7d] = V, [0x7e] = V, [0x7f] = V,
    [0xa0] = N(PUSHSEG, NONE, 0, CV_OF_DEF64, 0),
    [0xa1] = N(POPSEG, NONE, 0, CV_OF_DEF64 | SYS, 0),
    [0xa2] = N(CPUID, NONE, 0, SYS, 0),
    [0xa3] = I(BT, EG, 0, M | RR, 0, 0, CF, 0),
    [0xa4] = METAM(REG, G_NONE), /* cv_tab_shld */
    [0xa5] = IC(SHLD, EGCL, 0, M | RW, 0, 0, ALL, ALL),
    [0xa8] = N(PUSHSEG, NONE, 0, CV_OF_DEF64, 0),
    [0xa9] = N(POPSEG, NONE, 0, CV_OF_DEF64 | SYS, 0),
    [0xab] = I(BTS, EG, 0, DST, 0, 0, CF, 0),
    [0xac] = METAM(REG, G_NONE), /* cv_tab_shrd */
    [0xad] = IC(SHRD, EGCL, 0, M | RW, 0, 0, ALL, ALL),
    [0xae] = METAM(PFX, X_AE),
    [0xaf] = I(IMUL2, GE, 0, M | RR, 0, 0, ALL, SF | ZF | AF | PF),
    [0xb0] = I(CMPXCHG, EG, 0, DST | BY, 0, 0, ALL, 0),
    [0xb1] = I(CMPXCHG, EG, 0, DST, 0, 0, ALL, 0),
    [0xb2] = NR(LDS, GE, 0, M | RR | CV_OF_MEMONLY | SYS, 0, RULE_MEM(MEMR_FAR)),
    [0xb3] = I(BTR, EG, 0, DST, 0, 0, CF, 0),
    [0xb4] = NR(LDS, GE, 0, M | RR | CV_OF_MEMONLY | SYS, 0, RULE_MEM(MEMR_FAR)),
    [0xb5] = NR(LDS, GE, 0, M | RR | CV_OF_MEMONLY | SYS, 0, RULE_MEM(MEMR_FAR)),
    [0xb6] = N(MOVZX8, GE, 0, M | RR, 1),
    [0xb7] = N(MOVZX16, GE, 0, M | RR, 2),
    [0xb8] = METAM(PFX, X_B8),
    [0xb9] = N(UD, GE, 0, M | SYS | END, 0),
    [0xba] = METAM(REG, G_0FBA),
    [0xbb] = I(BTC, EG, 0, DST, 0, 0, CF, 0),
    [0xbc] = METAM(PFX, X_BC),
    [0xbd] = METAM(PFX, X_BD),
    [0xbe] = N(MOVSX8, GE, 0, M | RR, 1),
    [0xbf] = N(MOVSX16, GE, 0, M | RR, 2),
    [0xc0] = I(XADD, EG, 0, DST | BY, 0, 0, ALL, 0),
    [0xc1] = I(XADD, EG, 0, DST, 0, 0, ALL, 0),
    [0xc2] = V,
    [0xc3] = METAM(PFX, X_C3),
    [0xc4] = V, [0xc5] = V, [0xc6] = V,
    [0xc7] = METAM(MOD, P_C7),
    EIGHT(0xc8, N(BSWAP, O, 0, 0, 0)),
    EIGHT(0xd0, V), EIGHT(0xd8, V), EIGHT(0xe0, V), EIGHT(0xe8, V), EIGHT(0xf0, V),
    [0xf8] = V, [0xf9] = V, [0xfa] = V, [0xfb] = V, [0xfc] = V, [0xfd] = V, [0xfe] = V,
    [0xff] = N(UD, GE, 0, M | SYS | END, 0),
};
