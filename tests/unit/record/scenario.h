/*
 * scenario.h - a host that records a toy machine, deterministic by its seed
 */
#ifndef CV_TESTS_SCENARIO_H
#define CV_TESTS_SCENARIO_H

#include "record/recorder.h"
#include "record/replayer.h"
#include "tests/unit/record/memfile.h"
#include "tests/unit/record/toy_vm.h"

struct scenario {
    uint64_t steps; /* the host stops there */
    unsigned seed;
    unsigned input_odds; /* one in so many chances becomes an input; 0: none */
    const char *last;    /* bytes fed at the end ("q"); NULL: none */
    uint8_t on_reset;
    bool fine, resets;
    bool small; /* the guest writes few pages */
    bool big;   /* every input is a poke of 60 KB: journals fill up */
    uint64_t kernel_len;
    uint64_t slice; /* at most so many steps a run; 0: 300000 */
    uint64_t stored_bound, stored_spacing; /* stored checkpoints; 0: none; by cost */
    unsigned lag; /* packing is done only after so many slices, while the guest runs on */
};

struct outcome {
    bool opened, finished, ran_on_unlogged;
    struct cv_error error;
    struct cv_position end;
    uint8_t state[16];       /* cv_vm_save and RAM, hashed */
    uint64_t accepted;       /* inputs the machine took */
    uint64_t durable_events; /* of them, when the last successful sync began */
    struct cv_record_stats stats;
};

/* Records into m. sync_every: every so many slices a sync, 0: never. close false: the
 * process dies before finish. */
void scenario_record(const struct scenario *s, struct memfile *m, unsigned sync_every,
                     bool close, struct outcome *out);
void scenario_state(struct cv_vm *vm, uint8_t out[16]);

#endif
