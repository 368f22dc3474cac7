/*
 * oracle.h - holds one decoded instruction against Zydis
 */
#ifndef CV_TESTS_DECODE_ORACLE_H
#define CV_TESTS_DECODE_ORACLE_H

#include "core/decode/decode.h"

enum oracle_verdict {
    ORACLE_SAME,
    ORACLE_BOTH_REFUSE,
    ORACLE_WE_REFUSE,  /* Zydis decodes an instruction of our model, we do not */
    ORACLE_FOREIGN,    /* Zydis decodes what our model does not have; we refuse */
    ORACLE_WE_ACCEPT,  /* we decode what Zydis refuses */
    ORACLE_DIFFERS,    /* text says in what */
};

/* Compares decoding of p[0..n) (n >= 15) in mode 16, 32 or 64. text gets a sentence. */
enum oracle_verdict oracle_compare(const uint8_t *p, size_t n, unsigned mode, char *text,
                                   size_t cap);

#endif
