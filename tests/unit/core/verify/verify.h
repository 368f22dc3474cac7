/*
 * verify.h - an independent look at everything the translator has emitted
 *
 * Decodes every block with Zydis, which the translator does not use, and checks invariant X7 of
 * core/translate/translate.c and what it rests on:
 *   - nothing that enters the kernel, touches ports, segments, time, randomness or extended
 *     state, no stack or string instruction, no write of rsp, r10 or a segment register
 *   - a direct jump ends at an instruction of a block or at a stub; a stub calls one of the
 *     ways out and its site names a place where code goes on
 *   - memory is struct cv_frame by rsp, the TLB set by r10 (reads only), or guest RAM by a
 *     register that holds an addend or a finished address; a store to guest RAM follows a
 *     probe of the store tags
 */
#ifndef TESTS_VERIFY_H
#define TESTS_VERIFY_H

#include <stddef.h>

struct cv_exec;

struct verify_report {
    unsigned blocks, insns, stubs, stores, loads;
    unsigned bad;
    char first[400]; /* the first violation */
};

void verify_all(const struct cv_exec *x, struct verify_report *report);

#endif
