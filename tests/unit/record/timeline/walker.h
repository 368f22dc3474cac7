/*
 * walker.h - moves in a journey, each held against the list of a straight run
 *
 * A walker knows from the list where a move must end, why, and which state the machine has there.
 */
#ifndef TEST_TIMELINE_WALKER_H
#define TEST_TIMELINE_WALKER_H

#include "journey.h"

#define WALKER_STRIDE 8192u

struct walker {
    struct journey *j;
    /* what it stops for */
    uint32_t breaks;  /* bits of journey_breaks */
    uint64_t watches; /* bits of journey_watches */
    uint32_t taps;
    uint32_t modulus; /* not 0: only places whose number in the list is divisible by it count */
    uint64_t asked;
    cv_gva break_list[JOURNEY_BREAKS];
    struct cv_watch watch_list[JOURNEY_WATCHES];
    /* where it stands */
    cv_icount at;
    bool due; /* behind a step: a breakpoint at this icount is still to come */
    /* states of the straight run, made on demand from plain copies of all of it every WALKER_STRIDE steps */
    struct cv_replay *straight;
    struct walker_copy {
        uint8_t *state, *ram;
        size_t len;
    } *copies;
    size_t copy_count;
    uint8_t *digests; /* 16 bytes an icount */
    uint8_t *known;
};

void walker_open(struct walker *w, struct journey *j);
void walker_close(struct walker *w);
void walker_set(struct walker *w, uint32_t breaks, uint64_t watches, uint32_t taps, uint32_t modulus);
void walker_seek(struct walker *w, cv_icount at);
void walker_forward(struct walker *w);
void walker_reverse(struct walker *w);
/* The machine's state is that of the straight run here. */
void walker_check_state(struct walker *w);

#endif
