/*
 * stored.c - every stored checkpoint of a trace, loaded cold on the real machine, beside a straight run
 *
 * usage: stored TRACE [N]
 * One straight run tells the state at the icount of each stored checkpoint and at the end. Then each is loaded into a new
 * machine: it must stand where the straight run stood, and run on to the same end, all digests equal. With N every
 * N-th of their chunks is hit in its header, at the begin, in the middle and at the end of its payload: the trace must open, the
 * jump to the end must stand right, by way of an earlier stored checkpoint or of the start, and harm to a payload must lose nothing.
 *
 * Prints "N stored, N bytes, N damaged images: N used an earlier one, N began at the start". Exit 1: any failed.
 */
#include "record/format.h"
#include "record/keyframe_load.h"
#include "tests/support/heldfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORED_MAX 256

static struct held_file image;
static uint8_t digests[STORED_MAX + 1][16]; /* of the straight run; the last: its end */
static unsigned failures;

static void fail(const char *what, size_t i, const char *why)
{
    fprintf(stderr, "%s, stored checkpoint %zu: %s\n", what, i, why);
    failures++;
}

static struct cv_trace *open_trace(void)
{
    struct cv_error err = {0};
    struct cv_trace *trace = held_file_open(&image, &err);
    if (trace == NULL) {
        fprintf(stderr, "the trace: %s\n", err.text);
    }
    return trace;
}

static struct cv_replay *new_replay(struct cv_trace *trace)
{
    struct cv_exec_config exec = {.cache_bytes = 16u << 20, .block_insns = 64};
    struct cv_error err = {0};
    struct cv_replay *replay = cv_replay_new(trace, &exec, 4096, &err);
    if (replay == NULL) {
        fprintf(stderr, "no machine: %s\n", err.text);
        exit(1);
    }
    cv_replay_check_digests(replay, true);
    return replay;
}

static void run_straight(struct cv_trace *trace)
{
    struct cv_replay *replay = new_replay(trace);
    size_t count = cv_trace_stored_count(trace);
    for (size_t i = 0; i < count; i++) {
        if (cv_replay_run(replay, cv_trace_stored(trace, i)->icount) != CV_REPLAY_REACHED) {
            fail("straight run", i, "not reached");
        }
        cv_replay_digest(replay, digests[i]);
    }
    if (cv_replay_run(replay, CV_NEVER) != CV_REPLAY_END) {
        fail("straight run", count, "no end");
    }
    cv_replay_digest(replay, digests[count]);
    cv_replay_free(replay);
}

static void check_state(struct cv_replay *replay, size_t i, const char *what)
{
    uint8_t digest[16];
    cv_replay_digest(replay, digest);
    if (memcmp(digest, digests[i], 16) != 0) {
        fail(what, i, "another state than the straight run's");
    }
}

static void load_cold(struct cv_trace *trace, size_t i)
{
    struct cv_replay *replay = new_replay(trace);
    if (!cv_keyframe_check(trace, i) || !cv_replay_jump_stored(replay, i)) {
        fail("load", i, "refused");
    } else {
        check_state(replay, i, "load");
        if (cv_replay_run(replay, CV_NEVER) != CV_REPLAY_END) {
            const struct cv_divergence *d = cv_replay_divergence(replay);
            fail("run on", i, d != NULL ? d->component : "no end");
        }
        check_state(replay, cv_trace_stored_count(trace), "run on");
    }
    cv_replay_free(replay);
}

/* The image is damaged in a chunk of stored checkpoint i, of `count` in the sound trace. */
static size_t judge_damaged(size_t i, size_t count, bool header, const char *what)
{
    struct cv_trace *trace = open_trace();
    size_t at = SIZE_MAX;
    if (trace == NULL || cv_trace_info(trace)->lossy != header) {
        fail(what, i, trace == NULL ? "refused" : header ? "silent loss" : "loss");
        cv_trace_close(trace);
        return at;
    }
    struct cv_replay *replay = new_replay(trace);
    if (cv_replay_jump_near(replay, CV_NEVER - 1, NULL, NULL)) {
        size_t near;
        cv_trace_stored_find(trace, cv_replay_icount(replay), &near);
        check_state(replay, near, what);
        if (near >= i) { /* all later ones build on it */
            fail(what, i, "a damaged one was used");
        }
        at = near;
    } else if (cv_replay_icount(replay) != 0) {
        fail(what, i, "neither here nor there");
    }
    if (cv_trace_stored_count(trace) > count) {
        fail(what, i, "more than there are");
    }
    cv_replay_free(replay);
    cv_trace_close(trace);
    return at;
}

struct hits {
    size_t count;
    unsigned images, earlier, start;
    unsigned chunks, every;
    const struct cv_trace *trace;
};

static void damage_chunk(void *arg, const struct cv_trace_chunk *c)
{
    struct hits *hits = arg;
    size_t i;
    if ((strcmp(c->type, "keyf") != 0 && strcmp(c->type, "delt") != 0) || hits->chunks++ % hits->every != 0) {
        return;
    }
    cv_trace_stored_find(hits->trace, c->last, &i);
    const uint64_t head = sizeof(struct cv_chunk_header);
    const uint64_t at[4] = {17, head, head + c->stored_bytes / 2, head + c->stored_bytes - 1};
    for (unsigned k = 0; k < 4; k++) {
        char what[80];
        snprintf(what, sizeof(what), "byte %llu of chunk %llu", (unsigned long long)at[k],
                 (unsigned long long)c->seq);
        image.data[c->offset + at[k]] ^= 0x10;
        size_t used = judge_damaged(i, hits->count, k == 0, what);
        image.data[c->offset + at[k]] ^= 0x10;
        hits->images++;
        hits->earlier += used != SIZE_MAX;
        hits->start += used == SIZE_MAX;
    }
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3 || !held_file_load(&image, argv[1])) {
        fprintf(stderr, "usage: stored TRACE [N]\n");
        return 64;
    }
    struct cv_trace *trace = open_trace();
    if (trace == NULL) {
        return 1;
    }
    struct hits hits = {.count = cv_trace_stored_count(trace), .trace = trace};
    if (hits.count > STORED_MAX) {
        fprintf(stderr, "too many\n");
        return 1;
    }
    run_straight(trace);
    for (size_t i = 0; i < hits.count; i++) {
        load_cold(trace, i);
    }
    hits.every = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
    if (hits.every > 0) {
        cv_trace_chunks(trace, damage_chunk, &hits);
    }
    printf("%zu stored, %llu bytes, %u damaged images: %u used an earlier one, %u began at the start\n",
           hits.count, (unsigned long long)cv_trace_info(trace)->stored_bytes, hits.images, hits.earlier,
           hits.start);
    cv_trace_close(trace);
    return failures != 0;
}
