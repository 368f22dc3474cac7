/*
 * tables.h - the opcode tables behind cv_decode(), and how they are indexed
 *
 * A slot is a struct cv_opinfo. An all-zero slot is an undefined opcode (CV_OP_ADD never has
 * CV_FORM_NONE). A slot whose form is META_* is no instruction but says by what to look
 * further: `op` is then an index into the named array.
 * Spec:    Intel SDM volume 2 appendix A "Opcode Map"; volume 2 2.3.5 to 2.4 for VEX rules
 * Thread:  any; constants
 */
#ifndef CV_CORE_DECODE_TABLES_H
#define CV_CORE_DECODE_TABLES_H

#include "core/decode/insn.h"

enum {
    META_FIRST = 0xe0,
    META_REG = META_FIRST, /* cv_tab_group[op][ModRM.reg] */
    META_RM,               /* cv_tab_group[op][ModRM.rm] */
    META_MOD,              /* cv_tab_pair[op][mod == 3] */
    META_PFX,              /* cv_tab_prefix[op][none, 66, F3, F2] */
    META_SSE,              /* the mandatory-prefix table of this map */
    META_X87,              /* cv_tab_x87_mem / cv_tab_x87_reg */
    META_MODE,             /* cv_tab_pair[op][mode == 64] */
};

/* cv_opinfo.rules */
#define RULE_L0       0x0001u /* VEX.L must be 0 */
#define RULE_L1       0x0002u /* VEX.L must be 1 */
#define RULE_W0       0x0004u
#define RULE_W1       0x0008u
#define RULE_NOV      0x0010u /* VEX.vvvv must be 1111b */
#define RULE_NOV_MEM  0x0020u /* ... in the memory form */
#define RULE_BRANCH64 0x0040u /* 64-bit mode: operand size is 8 whatever 66 says */
#define RULE_MOD3     0x0080u /* mod is ignored, always a register (MOV CR/DR) */
#define RULE_VSIB     0x0100u
#define RULE_SHIFT    0x0200u /* imm8 shift: slot + 8 when the count is 0, + 16 when 8/16-bit */
#define RULE_NATIVE   0x0400u /* operand size is 8 in 64-bit mode, else 4; prefixes ignored */
#define RULE_D32      0x0800u /* operand size is 4, or 8 with REX.W; 66 does not count */
#define RULE_MEM(n)   ((unsigned)(n) << 12)
#define RULE_MEM_OF(r) ((unsigned)(r) >> 12)
enum { /* sizes of the memory operand that depend on more than VEX.L */
    MEMR_NONE,
    MEMR_W,    /* doubled by REX.W / VEX.W */
    MEMR_DDUP, /* VMOVDDUP: 8, 32 with VEX.L */
    MEMR_FAR,  /* operand size + 2 */
    MEMR_TWO,  /* twice the operand size */
    MEMR_ENV,  /* x87 environment: 14 or 28 */
    MEMR_SAVE, /* x87 state: 94 or 108 */
    MEMR_DT,   /* pseudo-descriptor: 6 or 10 */
    MEMR_SXD,  /* MOVSXD: 4, 2 with operand size 2 */
};

/* Arithmetic flags as packed in cv_opinfo */
#define CF 1
#define PF 2
#define AF 4
#define ZF 8
#define SF 16
#define OF 32
#define ALL 63

enum { IMM_NONE, IMM_8, IMM_16, IMM_Z, IMM_V, IMM_16_8, IMM_REL8, IMM_RELZ, IMM_FAR,
       IMM_MOFFS };

enum cv_tab_group_id { /* rows of cv_tab_group */
    G_NONE, G_80, G_81, G_83, G_8F, G_C6, G_C7, G_D0, G_D1, G_D2, G_D3, G_F6, G_F7, G_FE,
    G_FF, G_0F00, G_0F01M, G_0F01R, G_01_1, G_01_2, G_01_7, G_0F18, G_0FAEM,
    G_0FAER, G_0FAEF3, G_0FBA, G_0FC7M, G_0FC7R, G_1E, G_1E_7, G_71, G_71M, G_72, G_72M,
    G_73, G_73M, G_V71, G_V72, G_V73, G_VAE, G_VF3, G_COUNT
};
enum cv_tab_pair_id {
    P_NONE, P_63, P_0F01, P_18, P_AE, P_C7, P_1E, P_0D, P_COUNT
};
enum cv_tab_prefix_id {
    X_NONE, X_CMPSB, X_CMPS, X_SCASB, X_SCAS, X_B8, X_BC, X_BD, X_AE, X_C3, X_1E, X_01_2,
    X_01_1, X_C7R6, X_C7R7, X_71, X_72, X_73, X_90, X_C7M1, X_COUNT
};

extern const struct cv_opinfo cv_tab_1byte[256];
extern const struct cv_opinfo cv_tab_0f[256];
extern const struct cv_opinfo cv_tab_group[G_COUNT][8];
extern const struct cv_opinfo cv_tab_pair[P_COUNT][2];
extern const struct cv_opinfo cv_tab_prefix[X_COUNT][4];
/* imm8 shifts: [0..7] by reg, [8..15] count 0, [16..23] 8- and 16-bit operands */
extern const struct cv_opinfo cv_tab_shift_c0[24];
extern const struct cv_opinfo cv_tab_shift_c1[24];
extern const struct cv_opinfo cv_tab_shld[24];
extern const struct cv_opinfo cv_tab_shrd[24];
/* by mandatory prefix none, 66, F3, F2 */
extern const struct cv_opinfo cv_tab_sse_0f[4][256];
extern const struct cv_opinfo cv_tab_sse_38[4][256];
extern const struct cv_opinfo cv_tab_sse_3a[4][256];
extern const struct cv_opinfo cv_tab_vex_0f[4][256];
extern const struct cv_opinfo cv_tab_vex_38[4][256];
extern const struct cv_opinfo cv_tab_vex_3a[4][256];
extern const struct cv_opinfo cv_tab_x87_mem[8][8];  /* [opcode & 7][reg] */
extern const struct cv_opinfo cv_tab_x87_reg[8][64]; /* [opcode & 7][modrm & 63] */

#define M  CV_OF_MODRM
#define RR CV_OF_READS_RM
#define WW CV_OF_WRITES_RM
#define RW (CV_OF_READS_RM | CV_OF_WRITES_RM)
#define LK CV_OF_LOCKABLE
#define BY CV_OF_BYTE
#define SYS CV_OF_SYSTEM
#define END CV_OF_ENDS

/* One instruction: op, form, imm, flags, mem, flags read, written, undefined, cond */
#define I(o, f, i, fl, m, r, w, u)                                                       \
    {.op = CV_OP_##o, .form = CV_FORM_##f, .imm = (i), .flags = (fl), .mem = (m),          \
     .fl_read = (r), .fl_write = (w), .fl_undef = (u)}
#define IC(o, f, i, fl, m, r, w, u)                                                      \
    {.op = CV_OP_##o, .form = CV_FORM_##f, .imm = (i), .flags = (fl), .mem = (m),          \
     .fl_read = (r), .fl_write = (w), .fl_undef = (u), .fl_cond = 1}
#define IR(o, f, i, fl, m, r, w, u, ru)                                                  \
    {.op = CV_OP_##o, .form = CV_FORM_##f, .imm = (i), .flags = (fl), .mem = (m),          \
     .fl_read = (r), .fl_write = (w), .fl_undef = (u), .rules = (ru)}
/* No flags touched, no rules */
#define N(o, f, i, fl, m) I(o, f, i, fl, m, 0, 0, 0)
#define NR(o, f, i, fl, m, ru) IR(o, f, i, fl, m, 0, 0, 0, ru)
#define META(k, index) {.op = (index), .form = META_##k}
#define METAM(k, index) {.op = (index), .form = META_##k, .flags = CV_OF_MODRM}

#endif
