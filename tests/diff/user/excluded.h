/*
 * excluded.h - forms that user mode on the host cannot prove, why, and what proves them
 * instead
 */
#ifndef CV_TESTS_DIFF_EXCLUDED_H
#define CV_TESTS_DIFF_EXCLUDED_H

#include "forms.h"

enum excluded_kind {
    EXCLUDED_NOT,
    EXCLUDED_RUN, /* never run on the host: it would do something, or answer for itself */
    EXCLUDED_RIGHT, /* run, and always refused in user mode: what it does is proven
                       elsewhere */
};

struct excluded {
    uint16_t op;
    uint8_t kind;
    const char *reason;
    const char *proof; /* a test source that holds it, from the top of the tree */
};

/* NULL: nothing is excluded. */
const struct excluded *excluded_find(const struct diff_form *form);
/* All of them, for the report and for checking that the proofs exist. */
const struct excluded *excluded_list(unsigned *count);

#endif
