/*
 * lockstep.h - one random program on both machines, compared at random deadlines
 */
#ifndef TESTS_TRANSLATE_LOCKSTEP_H
#define TESTS_TRANSLATE_LOCKSTEP_H

#include "core/translate/exec.h"

struct axis {
    char name[24];
    struct cv_exec_config config;
    unsigned entries;
    unsigned programs;
    unsigned mode; /* enum twin_mode */
};

/* NULL when the machines agreed, else what was different. */
const char *lockstep_run(const struct axis *axis, uint64_t seed);
/* The same with random watches and taps on both, which must meet the same at the same steps, and
 * beside an interpreter that nobody watches; adds the number of hits. */
const char *lockstep_watch(const struct axis *axis, uint64_t seed, uint64_t *hits);

#endif
