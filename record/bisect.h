/*
 * bisect.h - two recordings of the same machine run side by side until they part, to the
 * step
 *
 * A trace alone says only that something went another way within 2^20 steps. Two
 * executions that should be alike say where: both run in lock-step, first from digest to
 * digest, and once they differ, from the last place where they were alike in smaller
 * steps, down to one. The second may be another recording of the same inputs, or the
 * first one again, run in another way (interpreted, with other caches). bisect.c opens
 * with how this finds differences that do not come twice.
 *
 * Units:   positions are icounts
 * Errors:  cv_bisect_new: 65 the machines differ, 71 no memory, 69 as cv_vm_new
 * Thread:  engine thread
 */
#ifndef CV_RECORD_BISECT_H
#define CV_RECORD_BISECT_H

#include "record/replayer.h"

struct cv_bisect;

enum { CV_BISECT_FIRST, CV_BISECT_SECOND, CV_BISECT_SIDES };

struct cv_bisect_side { /* one execution; the trace outlives the bisection */
    struct cv_trace *trace;
    struct cv_exec_config exec;
    unsigned tlb_entries;
};

enum cv_bisect_exit {
    CV_BISECT_MORE,   /* alike so far: call again */
    CV_BISECT_ALIKE,  /* to the end, or to the first input in which the recordings differ
                       */
    CV_BISECT_PARTED, /* cv_bisect_parting() says where */
    CV_BISECT_FAILED, /* no memory */
};

/* The step in [icount, icount + 1) that left two states, and the first difference in
 * them. */
struct cv_parting {
    cv_icount icount;   /* the last place where both were alike */
    bool before_steps;  /* they were never alike: the machines begin unlike */
    bool block;         /* what differs is a translated block: it begins at icount */
    char component[16]; /* section of the state ("cpu"), "ram", or "end": one ran no
                           further */
    char what[32];      /* "byte 17 of the state", "address 0x1234" */
    char value[CV_BISECT_SIDES][80];
    unsigned unsettled; /* how often a difference was seen that did not come again */
};

struct cv_bisect *cv_bisect_new(const struct cv_bisect_side side[CV_BISECT_SIDES],
                                struct cv_error *err);
void cv_bisect_free(struct cv_bisect *bisect);

/* Both sides one interval further: at most 2^20 steps each. */
enum cv_bisect_exit cv_bisect_advance(struct cv_bisect *bisect);

/* The execution of one side; to be moved by nobody else. */
struct cv_replay *cv_bisect_replay(struct cv_bisect *bisect, unsigned side);
/* The last position at which both were seen alike. */
cv_icount cv_bisect_icount(const struct cv_bisect *bisect);
/* Where the comparison ends: the shorter trace, or the first input that differs. */
cv_icount cv_bisect_end(const struct cv_bisect *bisect, bool *inputs_differ);
/* When it has parted; both executions stand behind that step. */
const struct cv_parting *cv_bisect_parting(const struct cv_bisect *bisect);
/* Puts both back before the step at which they parted, to look at. False: there is none.
 */
bool cv_bisect_go_back(struct cv_bisect *bisect);
/* A side whose run is not what its own trace recorded; NULL: none was found. Says that
 * the difference was made while recording, or by another host. */
const struct cv_divergence *cv_bisect_unfaithful(const struct cv_bisect *bisect,
                                                 unsigned side);

#endif
