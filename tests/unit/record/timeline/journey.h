/*
 * journey.h - a short recording with events of every kind, made by the real machine, and the list of all of them
 *
 * The guest is 32-bit code with timer interrupts, traps, port accesses, serial output, halts, stores that change nothing,
 * copies over page ends and accesses over watched edges; while it is recorded it is given serial bytes and pokes.
 */
#ifndef TEST_TIMELINE_JOURNEY_H
#define TEST_TIMELINE_JOURNEY_H

#include "record/timeline.h"

#define JOURNEY_BREAKS  9u
#define JOURNEY_WATCHES 8u
#define JOURNEY_TAPS    CV_TAP_ALL

/* A breakpoint passed, or a step in which something was met; all that a straight run meets, in its order. */
struct journey_event {
    cv_icount at;  /* of a breakpoint; of a step, before it */
    bool is_break;
    unsigned which;   /* break: its number */
    uint64_t watches; /* step: bits of the journey's list */
    uint32_t taps;
    uint64_t rip;       /* step: of the instruction */
    uint8_t digest[16]; /* of the machine that stands there, going forward */
};

struct journey {
    struct cv_file file;
    int fd;
    struct cv_trace *trace;
    struct cv_replay *replay;
    struct cv_timeline *tl;
    cv_icount end;
    struct journey_event *events;
    size_t event_count;
};

extern const cv_gva journey_breaks[JOURNEY_BREAKS]; /* sorted; the last but one is the crowded one */
extern const struct cv_watch journey_watches[JOURNEY_WATCHES];
#define JOURNEY_HOT  journey_breaks[JOURNEY_BREAKS - 2]
#define JOURNEY_RARE journey_breaks[JOURNEY_BREAKS - 1]

/* Fails the test when anything goes wrong. */
void journey_open(struct journey *j, const struct cv_timeline_config *config);
void journey_close(struct journey *j);
/* Fills events by a run without any timeline. */
void journey_list(struct journey *j);

#endif
