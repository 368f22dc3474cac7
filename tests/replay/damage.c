/*
 * damage.c - one trace cut at every byte and hit by seeded bit flips, each opened and replayed in memory
 *
 * usage: damage TRACE FLIPS WORKERS
 * Of each damaged image one of these must hold, within 2 s of CPU:
 *   - it is refused with 65 and a sentence;
 *   - it opens with loss: what it holds is a prefix of the whole trace's events, digests and machine, its replay is exact,
 *     and the machine stands where the whole trace stands at that position;
 *   - it opens without loss: the same end, replay is exact, and the same final state.
 * A flip in one superblock must be survived thanks to the other. In an open trace's gap of zeros only some cuts are made.
 *
 * Prints "N images: N refused, N with loss, N whole; slowest N ms"; the first failures go to stderr. Exit 1: any failed.
 */
#include "record/format.h"
#include "record/replayer.h"
#include "tests/support/heldfile.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS_MAX 16
#define CASE_CPU_S  2
#define REFS_MAX    4096

struct reference { /* where the whole trace stands at an icount */
    cv_icount icount;
    cv_vtime_ns vtime;
    uint8_t digest[16];
};

struct worker {
    uint64_t at; /* the case under way */
    uint64_t refused, lossy, whole, compared, failures, slowest_us;
};

struct bench {
    struct held_file image;
    uint64_t full;
    bool sealed;
    uint64_t *cuts;
    uint64_t cuts_count, flips;
    struct cv_trace *trace; /* the whole one, over a copy */
    uint8_t end_digest[16];
    struct reference refs[REFS_MAX];
    size_t refs_count;
    struct worker *me;
    char what[64];
};

static void fail(struct bench *b, const char *why)
{
    if (b->me->failures++ < 10) {
        fprintf(stderr, "%s: %s\n", b->what, why);
    }
}

static struct cv_replay *new_replay(struct cv_trace *trace)
{
    struct cv_exec_config exec = {.cache_bytes = 1u << 20, .block_insns = 64};
    struct cv_error err = {0};
    struct cv_replay *replay = cv_replay_new(trace, &exec, 256, &err);
    if (replay == NULL) {
        fprintf(stderr, "no machine: %s\n", err.text);
    }
    return replay;
}

/* -- what a damaged trace holds -------------------------------------------------------------------------- */

static bool same_image(const struct cv_image *a, const struct cv_image *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static bool same_config(const struct cv_vm_config *a, const struct cv_vm_config *b)
{
    return a->ram_bytes == b->ram_bytes && a->seed == b->seed && a->cpus == b->cpus &&
           a->rtc_epoch == b->rtc_epoch && a->on_reset == b->on_reset &&
           strcmp(a->append, b->append) == 0 && same_image(&a->kernel, &b->kernel) &&
           same_image(&a->initrd, &b->initrd);
}

static bool same_event(const struct cv_trace_event *a, const struct cv_trace_event *b)
{
    return a->pos.icount == b->pos.icount && a->pos.vtime == b->pos.vtime && a->flags == b->flags &&
           a->input.kind == b->input.kind && a->input.unit == b->input.unit &&
           a->input.len == b->input.len && memcmp(a->input.data, b->input.data, a->input.len) == 0;
}

static bool is_prefix(struct cv_trace *part, struct cv_trace *whole)
{
    const struct cv_trace_info *a = cv_trace_info(part), *b = cv_trace_info(whole);
    if (!same_config(cv_trace_config(part), cv_trace_config(whole)) || a->events > b->events ||
        a->digests > b->digests || a->end.icount > b->end.icount) {
        return false;
    }
    for (size_t i = 0; i < a->events; i++) {
        if (!same_event(cv_trace_event(part, i), cv_trace_event(whole, i))) {
            return false;
        }
    }
    for (size_t i = 0; i < a->digests; i++) {
        const struct cv_trace_digest *d = cv_trace_digest(part, i), *e = cv_trace_digest(whole, i);
        if (d->icount != e->icount || d->kind != e->kind || memcmp(d->bytes, e->bytes, 16) != 0) {
            return false;
        }
    }
    return true;
}

static const struct reference *reference_at(struct bench *b, cv_icount icount)
{
    for (size_t i = 0; i < b->refs_count; i++) {
        if (b->refs[i].icount == icount) {
            return &b->refs[i];
        }
    }
    struct cv_replay *replay = new_replay(b->trace);
    if (replay == NULL || b->refs_count == REFS_MAX) {
        return NULL;
    }
    struct reference *ref = &b->refs[b->refs_count++];
    struct cv_position pos;
    cv_replay_run(replay, icount);
    cv_vm_position(cv_replay_vm(replay), &pos);
    ref->icount = icount;
    ref->vtime = pos.vtime;
    cv_replay_digest(replay, ref->digest);
    cv_replay_free(replay);
    return ref;
}

/* Replays to the end of what it vouches for; false: not exact. */
static bool replay_to_end(struct cv_trace *trace, uint8_t digest[16], char *why, size_t cap)
{
    struct cv_replay *replay = new_replay(trace);
    if (replay == NULL) {
        snprintf(why, cap, "no machine for it");
        return false;
    }
    cv_replay_check_digests(replay, true);
    bool exact = cv_replay_run(replay, CV_NEVER) == CV_REPLAY_END;
    const struct cv_divergence *d = cv_replay_divergence(replay);
    if (!exact) {
        snprintf(why, cap, "not exact: step %llu, %s, expected %s, found %s",
                 d == NULL ? 0 : (unsigned long long)d->icount, d == NULL ? "" : d->component,
                 d == NULL ? "" : d->expected, d == NULL ? "" : d->found);
    }
    cv_replay_digest(replay, digest);
    cv_replay_free(replay);
    return exact;
}

static void judge_opened(struct bench *b, struct cv_trace *t)
{
    const struct cv_trace_info *a = cv_trace_info(t), *whole = cv_trace_info(b->trace);
    uint8_t digest[16];
    char why[400];
    if (!is_prefix(t, b->trace)) {
        fail(b, "holds what the whole trace does not");
        return;
    }
    if (!replay_to_end(t, digest, why, sizeof(why))) {
        fail(b, why);
        return;
    }
    bool all = a->events == whole->events && a->digests == whole->digests &&
               a->complete == whole->complete && a->end.icount == whole->end.icount &&
               a->end.vtime == whole->end.vtime;
    if (all) {
        b->me->whole++;
        if (a->lossy != whole->lossy || memcmp(digest, b->end_digest, 16) != 0) {
            fail(b, "whole, but with another state or loss");
        }
        return;
    }
    b->me->lossy++;
    if (!a->lossy || a->loss[0] == '\0') {
        fail(b, "silent loss");
        return;
    }
    if (a->events > 0 && cv_trace_event(t, a->events - 1)->pos.icount == a->end.icount) {
        return; /* behind an input: the whole trace has it, and nothing else, there */
    }
    const struct reference *ref = reference_at(b, a->end.icount);
    if (ref != NULL && ref->vtime == a->end.vtime) {
        b->me->compared++;
        if (memcmp(ref->digest, digest, 16) != 0) {
            fail(b, "replays to another state than the whole trace");
        }
    }
}

static void judge(struct bench *b, bool must_open)
{
    struct cv_error err = {0};
    struct cv_trace *t = held_file_open(&b->image, &err);
    if (t != NULL) {
        judge_opened(b, t);
        cv_trace_close(t);
        return;
    }
    b->me->refused++;
    if (err.code != CV_EXIT_DATA || err.text[0] == '\0' || must_open) {
        char why[300];
        snprintf(why, sizeof(why), "refused with %d: %s", err.code, err.text);
        fail(b, why);
    }
}

/* -- the cases ---------------------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15ull; /* splitmix64 */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static uint64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* A sealed trace matters everywhere; an open one where it is not zero. */
static bool plan_cuts(struct bench *b)
{
    b->cuts = malloc(b->full * sizeof(*b->cuts));
    for (uint64_t at = 0; b->cuts != NULL && at < b->full; at++) {
        uint64_t from = at < 16 ? 0 : at - 16;
        bool zeros = true;
        for (uint64_t i = from; i < b->full && i < at + 16; i++) {
            zeros = zeros && b->image.data[i] == 0;
        }
        if (b->sealed || !zeros || at % 4096 == 0) {
            b->cuts[b->cuts_count++] = at;
        }
    }
    return b->cuts != NULL;
}

static void run_case(struct bench *b, uint64_t number)
{
    uint64_t begin = now_us();
    if (number < b->cuts_count) {
        b->image.size = b->cuts[number];
        snprintf(b->what, sizeof(b->what), "cut at byte %llu", (unsigned long long)b->image.size);
        judge(b, false);
        b->image.size = b->full;
    } else {
        uint64_t seed = number;
        uint64_t r = next_random(&seed);
        uint64_t at = next_random(&seed) % b->full;
        if (!b->sealed) { /* somewhere among the cuts: not in the zeros */
            at = b->cuts[at % b->cuts_count];
        }
        uint8_t bit = (uint8_t)(1u << (r & 7));
        b->image.data[at] ^= bit;
        snprintf(b->what, sizeof(b->what), "byte %llu ^ %02x", (unsigned long long)at, bit);
        judge(b, at < CV_CHUNKS_OFFSET);
        b->image.data[at] ^= bit;
    }
    uint64_t used = now_us() - begin;
    if (used > b->me->slowest_us) {
        b->me->slowest_us = used;
    }
}

static void work(struct bench *b, unsigned id, unsigned workers)
{
    const struct itimerval limit = {.it_value = {.tv_sec = CASE_CPU_S}};
    for (uint64_t i = id; i < b->cuts_count + b->flips; i += workers) {
        b->me->at = i;
        setitimer(ITIMER_PROF, &limit, NULL); /* SIGPROF ends a worker that takes longer */
        run_case(b, i);
    }
}

static bool open_whole(struct bench *b, struct held_file *copy)
{
    struct cv_error err = {0};
    char why[400] = "";
    b->full = b->image.size;
    b->trace = held_file_open(copy, &err);
    if (b->trace == NULL || !replay_to_end(b->trace, b->end_digest, why, sizeof(why))) {
        fprintf(stderr, "the trace itself: %s%s\n", err.text, why);
        return false;
    }
    b->sealed = cv_trace_info(b->trace)->complete;
    return true;
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct held_file copy;
    unsigned workers = argc == 4 ? (unsigned)atoi(argv[3]) : 0;
    if (workers < 1 || workers > WORKERS_MAX || !held_file_load(&b.image, argv[1]) ||
        !held_file_load(&copy, argv[1]) || !open_whole(&b, &copy) || !plan_cuts(&b)) {
        fprintf(stderr, "usage: damage TRACE FLIPS WORKERS(1..%d)\n", WORKERS_MAX);
        return 64;
    }
    b.flips = (uint64_t)atoll(argv[2]);
    struct worker *all = mmap(NULL, WORKERS_MAX * sizeof(*all), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[WORKERS_MAX];
    struct worker sum = {0};
    for (unsigned i = 0; i < workers; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            b.me = &all[i];
            work(&b, i, workers);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < workers; i++) {
        int status = 0;
        waitpid(pids[i], &status, 0);
        if (status != 0) {
            fprintf(stderr, "case %llu ended its worker: status %x\n", (unsigned long long)all[i].at,
                    (unsigned)status);
            sum.failures++;
        }
        sum.refused += all[i].refused;
        sum.lossy += all[i].lossy;
        sum.whole += all[i].whole;
        sum.compared += all[i].compared;
        sum.failures += all[i].failures;
        sum.slowest_us = all[i].slowest_us > sum.slowest_us ? all[i].slowest_us : sum.slowest_us;
    }
    printf("%llu cuts, %llu flips: %llu refused, %llu with loss (%llu compared in state), %llu whole, %llu wrong; "
           "slowest %llu ms\n",
           (unsigned long long)b.cuts_count, (unsigned long long)b.flips, (unsigned long long)sum.refused,
           (unsigned long long)sum.lossy, (unsigned long long)sum.compared, (unsigned long long)sum.whole,
           (unsigned long long)sum.failures, (unsigned long long)sum.slowest_us / 1000);
    return sum.failures != 0;
}
