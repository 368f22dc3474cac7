/*
 * insn.h - one decoded instruction, neutral between interpreter and translator
 *
 * Spec:    Intel SDM volume 2 chapter 2 "Instruction Format", appendix A "Opcode Map"
 * Thread:  any; plain data
 */
#ifndef CV_CORE_DECODE_INSN_H
#define CV_CORE_DECODE_INSN_H

#include "core/base/types.h"
#include "core/decode/op.h"

#define CV_INSN_MAX 15
#define CV_NOREG    0xffu

enum cv_insn_map { CV_MAP_1, CV_MAP_0F, CV_MAP_0F38, CV_MAP_0F3A };

/* How operands are encoded; what `op` acts on. E = ModRM.rm (register or memory),
 * G = ModRM.reg, v = effective operand size 2/4/8, b = 1 byte, I = immediate. */
enum cv_form {
    CV_FORM_NONE,   /* no explicit operands */
    CV_FORM_EG,     /* rm <- rm op reg */
    CV_FORM_GE,     /* reg <- reg op rm */
    CV_FORM_AI,     /* accumulator op imm */
    CV_FORM_EI,     /* rm op imm (sign-extended) */
    CV_FORM_E,      /* rm alone */
    CV_FORM_E1,     /* rm op 1 (shifts) */
    CV_FORM_ECL,    /* rm op CL (shifts) */
    CV_FORM_EGI,    /* rm op reg, imm8 (SHLD) */
    CV_FORM_EGCL,   /* rm op reg, CL */
    CV_FORM_GEI,    /* reg <- rm op imm (IMUL, RORX, PSHUFD...) */
    CV_FORM_O,      /* register in opcode low bits (insn.reg holds it) */
    CV_FORM_OI,     /* MOV r, imm */
    CV_FORM_I,      /* immediate alone (PUSH, INT, RET imm16) */
    CV_FORM_II,     /* ENTER: imm = imm16, imm2 = imm8 */
    CV_FORM_J,      /* relative branch: imm = displacement */
    CV_FORM_FAR,    /* ptr16:16/32: imm = offset, imm2 = selector */
    CV_FORM_MOFFS_LOAD,  /* A <- [moffs]: disp = address (64-bit: imm) */
    CV_FORM_MOFFS_STORE, /* [moffs] <- A */
    CV_FORM_STR,    /* string instruction, implicit rSI/rDI */
    CV_FORM_AIMM8,  /* IN/OUT accumulator, imm8 */
    CV_FORM_ADX,    /* IN/OUT accumulator, DX */
    CV_FORM_XA,     /* XCHG rAX, register in opcode low bits */
    CV_FORM_VGE,    /* VEX: reg <- vvvv op rm (BMI and AVX) */
    CV_FORM_VEG,    /* VEX: reg <- rm op vvvv (BZHI, BEXTR, SHLX...) */
    CV_FORM_VVE,    /* VEX: vvvv <- op rm (BLSR group) */
    CV_FORM_VEC,    /* vector: see the CV_V_* properties */
    CV_FORM_X87,    /* D8..DF: see the CV_V_* properties */
};

/* Properties in cv_opinfo.flags */
#define CV_OF_MODRM     (1u << 0)
#define CV_OF_LOCKABLE  (1u << 1)  /* LOCK allowed with a memory destination */
#define CV_OF_DEF64     (1u << 2)  /* operand size defaults to 64 in 64-bit mode (near branches: forced) */
#define CV_OF_ENDS      (1u << 3)  /* may change rip other than by its length: ends a block */
#define CV_OF_SYSTEM    (1u << 4)  /* never inline: goes to the interpreter */
#define CV_OF_BYTE      (1u << 5)  /* operand size is 1 */
#define CV_OF_NO64      (1u << 6)  /* #UD in 64-bit mode */
#define CV_OF_ONLY64    (1u << 7)
#define CV_OF_MEMONLY   (1u << 8)  /* register form is #UD */
#define CV_OF_REGONLY   (1u << 9)  /* memory form is #UD */
#define CV_OF_READS_RM  (1u << 10)
#define CV_OF_WRITES_RM (1u << 11)
#define CV_OF_FPU       (1u << 12) /* x87: CR0.EM/TS -> #NM */
#define CV_OF_SSE       (1u << 13) /* needs CR4.OSFXSR, not CR0.EM (#UD), CR0.TS -> #NM */
#define CV_OF_AVX       (1u << 14) /* needs CV_MODE_AVX (#UD), CR0.TS -> #NM */
#define CV_OF_MMX       (1u << 15) /* CR0.EM -> #UD, CR0.TS -> #NM; pending x87 -> #MF */
#define CV_OF_ALIGN     (1u << 16) /* memory operand must be aligned to its size (#GP) */
#define CV_OF_G_GPR     (1u << 17) /* vector: ModRM.reg is a general register */
#define CV_OF_E_GPR     (1u << 18) /* vector: ModRM.rm register form is a general register */
#define CV_OF_V_GPR     (1u << 19) /* vector: VEX.vvvv is a general register */
#define CV_OF_G_WRITTEN (1u << 20) /* vector with G_GPR: the general register is written */
#define CV_OF_E_WRITTEN_GPR (1u << 21) /* vector with E_GPR: the general register is written */
#define CV_OF_FIXED_MEM (1u << 22) /* vector: implicit [rDI] store (MASKMOV) -> interpreter only */
#define CV_OF_EMULATE   (1u << 23) /* vector/x87 whose result hosts do not agree on, or that
                                      needs a helper (RCPPS, FSIN, FXSAVE, gathers...) */
#define CV_OF_BMI       (1u << 24) /* VEX-encoded general-register instruction */

struct cv_opinfo {
    uint16_t op;   /* enum cv_op */
    uint8_t form;  /* enum cv_form */
    uint8_t imm;   /* 0 none, 1 imm8 (sign-extended), 2 imm16, 3 immz (2 or 4), 4 immv (MOV r,imm64),
                      5 imm16+imm8, 6 rel8, 7 relz, 8 far, 9 moffs */
    uint32_t flags;
    uint8_t mem;   /* bytes of the memory operand; 0: effective operand size. Vector: exact size at
                      VEX.L=0; 0x80 | n: n, doubled when VEX.L=1 */
    uint8_t fl_read, fl_write, fl_undef; /* arithmetic flags packed CF1 PF2 AF4 ZF8 SF16 OF32;
                      write includes undef; conditional writers (CL shifts, REP) list what they may write
                      and are marked by fl_cond */
    uint8_t fl_cond; /* 1: flags may also stay unchanged */
    uint8_t host;  /* a CV_HOST_* requirement for native execution, 0 = base x86-64-v3 */
    uint16_t rules; /* private to core/decode: encoding restrictions (tables.h) */
};

enum cv_host_need { CV_HOST_BASE, CV_HOST_AES, CV_HOST_PCLMUL, CV_HOST_ADX };

struct cv_insn {
    uint8_t len;           /* 1..15 */
    uint8_t bytes[15];     /* raw bytes, all prefixes included */
    uint8_t mode;          /* 16, 32 or 64: the code size it was decoded for */
    uint8_t opsize;        /* effective operand size in bytes: 1, 2, 4, 8 */
    uint8_t adsize;        /* effective address size in bytes: 2, 4, 8 */
    uint8_t rex;           /* 0 or 0x40..0x4f */
    uint8_t vex;           /* 0 none, 2 = C5, 3 = C4 */
    uint8_t vex_l, vex_w, vvvv; /* vvvv already inverted: a register number */
    uint8_t pp;            /* mandatory prefix in force: 0, 0x66, 0xf3, 0xf2 */
    uint8_t map;           /* enum cv_insn_map */
    uint8_t opcode;
    uint8_t lock;          /* F0 seen */
    uint8_t rep;           /* 0, 0xf2, 0xf3: last of them seen */
    uint8_t opsz;          /* 66 seen */
    uint8_t seg;           /* segment override in force (CV_ES...), or CV_NOREG */
    uint8_t has_modrm, mod; /* mod 3: register form */
    uint8_t reg, rm;       /* with REX/VEX extension; FORM_O: register in reg */
    uint8_t is_mem;        /* has a ModRM memory operand */
    uint8_t base, index, scale; /* general registers or CV_NOREG; scale 1, 2, 4, 8 */
    uint8_t riprel;        /* disp is relative to the end of the instruction */
    uint8_t ea_seg;        /* segment used by the memory operand (default or override) */
    uint8_t memsize;       /* bytes accessed by the memory operand (0: unknown or none) */
    uint8_t modrm_off;     /* offset of the ModRM byte in bytes[] */
    uint8_t imm_off, imm_size; /* where the immediate stands */
    uint8_t cc;            /* condition code of Jcc/SETcc/CMOVcc: opcode & 15 */
    int64_t disp;          /* sign-extended */
    int64_t imm;           /* sign-extended (IN/OUT/INT: zero-extended where used as u8) */
    uint32_t imm2;
    const struct cv_opinfo *info;
};

#endif
