/*
 * hand_copier.h - copies of the test's process, some of which are never made, or die at any moment
 */
#ifndef TEST_TIMELINE_HAND_COPIER_H
#define TEST_TIMELINE_HAND_COPIER_H

#include "record/copier.h"

#include <sys/types.h>

struct hand_copier {
    struct cv_copier copier;
    unsigned refuse_each; /* each n-th start fails; 0: none */
    unsigned kill_each;   /* each n-th copy dies within kill_us microseconds */
    unsigned kill_us;
    uint64_t started;
    pid_t pids[CV_COPIES_MAX];
    int links[CV_COPIES_MAX];
};

void hand_copier_init(struct hand_copier *hand, unsigned max, uint64_t min_steps);
/* Behind the making of the last machine. */
void hand_copier_ready(struct hand_copier *hand);
/* Waits until all copies have ended. */
void hand_copier_fini(struct hand_copier *hand);

#endif
