/*
 * forms.h - the instruction forms of the integer classes, and what the generator must
 * know of each
 * Spec:    SDM 2A "Instruction Set Reference", tables of volume 2D
 */
#ifndef CV_TESTS_DIFF_SYSTEM_FORMS_H
#define CV_TESTS_DIFF_SYSTEM_FORMS_H

#include "engine.h"

enum {             /* enc */
       M = 1,      /* ModRM, any reg */
       G = 2,      /* ModRM, reg is `digit` */
       BYTE = 4,   /* byte operands */
       LOCKS = 8,  /* LOCK is allowed on memory */
       MEM = 0x10, /* memory form only */
       NOREP = 0x20,
       TWO = 0x40, /* 0F map */
       V86 = 0x80  /* real and virtual-8086 mode only: elsewhere a class of its own */
};
enum access { NONE, R, W, RW };
enum imm { I0, IB, IW, IZ, MOFFS, REL8, RELZ, IWB, PTR };
enum undef {
    U0,
    U_LOGIC,
    U_SHIFT_1,
    U_SHIFT_I,
    U_SHIFT_CL,
    U_ROT_I,
    U_ROT_CL,
    U_MUL,
    U_DIV,
    U_BSF,
    U_BT,
    U_AAA,
    U_AAM,
    U_DAA,
    U_SHD
};
enum kind {
    K_PLAIN,
    K_DIV,
    K_BT,
    K_STRING_S,
    K_STRING_D,
    K_STRING_SD,
    K_XLAT,
    K_JUMP_RM,
    K_CALL_RM,
    K_RET,
    K_RETF,
    K_JCC,
    K_LOOP,
    K_JMP,
    K_SEG_LOAD,
    K_POP_SEG,
    K_LDS,
    K_IRET,
    K_FAR_MEM,
    K_FAR,
    K_INT,
    K_ENTER,
    K_LEAVE,
    K_BOUND,
    K_POPF,
    K_STACK,
    K_CX8,
    K_SHD,
    K_POPRM,
    K_IOPL,
    K_POPSP,
    K_MOVSP,
    K_SHIFT,
    K_PUSH_SEG,
    K_INT1
};

struct form {
    const char *name;
    u8 op, enc;
    signed char digit;
    u8 access, imm, bytes; /* bytes of the memory operand; 0: operand size */
    u8 undef, kind;
};

extern const struct form forms[];
extern const u32 form_count;

#endif
