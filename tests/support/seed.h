/*
 * seed.h - one number that makes random tests run other cases: CV_SEED in the environment
 *
 * 0 without it, so that what CI runs is always the same. A failure prints the seed with its case.
 */
#ifndef CV_TESTS_SEED_H
#define CV_TESTS_SEED_H

#include <stdlib.h>

static inline unsigned long test_seed(void)
{
    const char *text = getenv("CV_SEED");
    return text != NULL ? strtoul(text, NULL, 0) : 0;
}

#endif
