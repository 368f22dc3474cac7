/*
 * progen_tables.h - what random programs are made of
 */
#ifndef TESTS_TRANSLATE_PROGEN_TABLES_H
#define TESTS_TRANSLATE_PROGEN_TABLES_H

#include <stdint.h>

enum { M = 1, S = 2, A = 4, IB = 8, IZ = 16, V66 = 32, R = 64, O = 256 };

struct progen_shape {
    uint8_t op[4];
    uint8_t n; /* opcode bytes */
    int8_t
        ext; /* ModRM.reg; -1 a register, -2 one of 8, -3 and a condition, -4 a segment */
    uint16_t flags; /* M ModRM, S any operand size, IB/IZ immediate, R register form only,
                       O register in the opcode, A absolute offset, V66 imm16 + imm8 */
    uint8_t pp;     /* mandatory prefix */
};

/* opcode, map, pp, W (2: any), flags: VEX-coded */
struct progen_vex {
    uint8_t op, map, pp, w;
    int8_t ext;
    uint8_t imm, l; /* l 1: also 256 bits */
    uint8_t vvvv;   /* 0: must be 1111b */
};

extern const struct progen_shape progen_integer[], progen_vector[], progen_legacy[];
extern const struct progen_vex progen_vexes[];
extern const unsigned progen_integers, progen_vectors, progen_legacies, progen_vex_count;

#endif
