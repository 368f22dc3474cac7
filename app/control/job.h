/*
 * job.h - what a front asks an engine to do, as one struct and as JSON
 *
 * Numbers are bounded when they are read from JSON, so that an engine need not trust its front.
 * Thread:  plain data
 */
#ifndef CV_APP_CONTROL_JOB_H
#define CV_APP_CONTROL_JOB_H

#include "core/vm.h"

#include <json-glib/json-glib.h>

#define CV_POS_MAX     80u
#define CV_WORDS_MAX   20u /* of a question; that of debugger/question.h */
#define CV_WORD_MAX    256u
#define CV_PATTERN_MAX 256u

enum cv_job_fd { /* which descriptor of a job is which; -1: not given */
    CV_JOB_FD_TRACE, CV_JOB_FD_KERNEL, CV_JOB_FD_INITRD, CV_JOB_FD_SERIAL, CV_JOB_FD_OUT,
    CV_JOB_FD_SECOND, CV_JOB_FD_SYMBOLS, CV_JOB_FD_COUNT
};

struct cv_job {
    char method[16]; /* "run", "record", "replay", "verify", "bisect", "info", "gdb", "query" */
    int fd[CV_JOB_FD_COUNT];
    /* machine */
    uint64_t ram_bytes, seed;
    int64_t rtc_epoch;
    uint32_t cpus;
    uint8_t on_reset; /* enum cv_on_reset */
    char append[CV_APPEND_MAX + 1];
    bool pace_real, fine_digests, has_until;
    uint64_t until; /* icount */
    uint64_t stored_bound, stored_spacing; /* stored checkpoints: bytes, 0: none; steps */
    bool input_open; /* bytes may still come over the serial descriptor */
    /* travel */
    char pos[CV_POS_MAX]; /* --to / --at */
    bool console, json, chunks, events, stats, marks;
    char mark_pattern[CV_PATTERN_MAX]; /* "": none */
    /* a question about a trace */
    char words[CV_WORDS_MAX][CV_WORD_MAX];
    unsigned word_count;
    char from[CV_POS_MAX]; /* --from; --to is pos */
    char condition[CV_WORD_MAX];
    bool physical;
    uint64_t limit;       /* rows, 0: all */
    char arch[8];         /* of the symbols given to gdb; "": not known */
    char symbols_name[240]; /* how messages call the file of symbols */
    char name[240];       /* how messages call the trace or kernel: shown, never opened */
    /* how it runs; never visible to the guest */
    struct cv_exec_config exec;
    uint32_t tlb_entries;
    uint64_t checkpoint_bytes; /* memory bound of travel, 0: default */
};

void cv_job_init(struct cv_job *job, const char *method);
/* The params of the request; fds and count get the open descriptors in the order named there. */
JsonObject *cv_job_to_json(const struct cv_job *job, int *fds, unsigned *count);
/* False: a value out of range or a descriptor missing. Takes the descriptors it names from fds
 * (sets them to -1). */
bool cv_job_from_json(struct cv_job *job, const char *method, JsonObject *params, int *fds,
                      unsigned count);

#endif
