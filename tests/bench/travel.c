/*
 * travel.c - what moving in a long trace costs inside the timeline: no gdb, no packets, no processes
 *
 *   travel TRACE [MIB [SEEKS [raw]]]     MIB: bound of the checkpoints, 1024; raw: nothing is packed
 *
 * Processor time of one thread, so that a change in record/ can be judged on a busy machine; with it the checkpoints and their bytes
 * at each stage, packing apart, and the longest time between two questions whether to go on. What a user waits for, workers on other
 * cores included, tests/bench/travel.py measures.
 *
 * A first pass to the end, then SEEKS (100) random seeks with 50 steps back after each, then searches backwards for the
 * timer's interrupt at least 0.1, 1 and 5 G steps before the end, with up to 500 more breakpoints that are never met, beside the
 * same stretch run forwards.
 */
#include "core/base/mem.h"
#include "core/cpu/regs.h"
#include "core/inspect.h"
#include "record/timeline.h"
#include "record/worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEPS_BACK   50u
#define NEVER_MET    500u
#define TIMER_VECTOR 0xecu

struct bench {
    struct cv_trace *trace;
    struct cv_replay *replay;
    struct cv_timeline *tl;
    uint64_t memory;
    cv_icount end;
    cv_icount before; /* places after this do not count */
    uint64_t asked;
    uint64_t refuse_at; /* the question that is answered with no; 0: none */
    uint64_t questions;
    double last_question, longest; /* between two of one travel */
    cv_gva breaks[NEVER_MET + 1];
};

/* -- a worker that works at once; its time is told apart --------------------------------------------- */

static double seconds(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double cpu(void)
{
    return seconds(CLOCK_PROCESS_CPUTIME_ID);
}

static void submit(void *arg, struct cv_work *work)
{
    double *busy = arg;
    double from = cpu();
    cv_work_run(work);
    *busy += cpu() - from;
}

static void wait_for(void *arg, struct cv_work *work)
{
    (void)arg;
    (void)work;
}

static void die(const char *what)
{
    fprintf(stderr, "travel: %s\n", what);
    exit(1);
}

static unsigned long resident_kib(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%*u %lu", &pages) != 1) {
        pages = 0;
    }
    if (f != NULL) {
        fclose(f);
    }
    return pages * 4;
}

static void say_memory(struct bench *b, const char *when)
{
    struct cv_timeline_stats s;
    cv_timeline_stats(b->tl, &s);
    printf("%s: %zu checkpoints, %llu versions, %.1f MiB of %.0f, peak %.1f; resident "
           "%.1f MiB\n",
           when, s.checkpoints, (unsigned long long)s.versions,
           (double)s.version_bytes / 1048576, (double)b->memory / 1048576,
           (double)s.peak_bytes / 1048576, (double)resident_kib() / 1024);
}

static bool look(void *arg, uint64_t done, uint64_t total)
{
    struct bench *b = arg;
    (void)done;
    (void)total;
    double now = cpu();
    if (b->questions++ > 0 && now - b->last_question > b->longest) {
        b->longest = now - b->last_question;
    }
    b->last_question = now;
    return b->questions != b->refuse_at;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void say_times(const char *what, double *t, size_t n)
{
    qsort(t, n, sizeof(*t), by_size);
    printf("%s: p50 %.2f ms, p90 %.2f, p99 %.2f, max %.2f (%zu)\n", what, t[n / 2] * 1e3,
           t[n * 90 / 100] * 1e3, t[n * 99 / 100] * 1e3, t[n - 1] * 1e3, n);
}

static void seek(struct bench *b, cv_icount at)
{
    b->questions = 0;
    if (cv_timeline_seek(b->tl, at) != CV_REPLAY_REACHED) {
        die("a seek failed");
    }
}

static void bench_seeks(struct bench *b, size_t seeks)
{
    double *t = calloc(seeks, sizeof(*t));
    double *back = calloc(seeks * STEPS_BACK, sizeof(*back));
    if (t == NULL || back == NULL) {
        die("no memory");
    }
    srandom(1);
    for (size_t i = 0; i < seeks; i++) {
        cv_icount at = STEPS_BACK + ((uint64_t)random() << 31 | (uint64_t)random()) %
                                        (b->end - STEPS_BACK);
        double from = cpu();
        seek(b, at);
        t[i] = cpu() - from;
        for (size_t k = 0; k < STEPS_BACK; k++) {
            from = cpu();
            seek(b, --at);
            back[i * STEPS_BACK + k] = cpu() - from;
        }
    }
    say_times("random seeks", t, seeks);
    say_times("steps back", back, seeks * STEPS_BACK);
    say_memory(b, "after seeks");
    free(t);
    free(back);
}

static bool counts(void *arg, const struct cv_stop_place *place)
{
    struct bench *b = arg;
    b->asked++;
    return place->at <= b->before;
}

static cv_gva timer_handler(struct bench *b)
{
    struct cv_vm *vm = cv_replay_vm(b->replay);
    cv_gva base;
    uint32_t limit;
    uint8_t gate[16];
    cv_inspect_idt(vm, 0, &base, &limit);
    if (cv_inspect_mem(vm, 0, base + TIMER_VECTOR * 16, gate, 16) != 16) {
        die("no interrupt table");
    }
    return cv_ld32(gate) % 65536 | (cv_ld64(gate + 4) >> 16 & 0xffff) << 16 |
           (uint64_t)cv_ld32(gate + 8) << 32;
}

/* The same stretch forwards, with nothing to stop for: what a search cannot be faster than. */
static void bench_forward(struct bench *b, uint64_t distance)
{
    struct cv_stops none = {.arg = NULL};
    if (b->end < distance) {
        return;
    }
    seek(b, b->end - distance);
    if (!cv_timeline_stops(b->tl, &none)) {
        die("no memory");
    }
    double from = cpu();
    if (cv_timeline_run(b->tl, b->end) != CV_REPLAY_REACHED) {
        die("a run failed");
    }
    printf("forward over %.3f G steps: %.3f s a G\n", (double)distance / 1e9,
           (cpu() - from) / (double)distance * 1e9);
}

static void bench_reverse(struct bench *b, uint64_t distance, size_t never_met)
{
    struct cv_stops stops = {
        .breaks = b->breaks, .break_count = 1 + never_met, .counts = counts, .arg = b};
    if (b->end < distance) {
        return;
    }
    seek(b, b->end);
    b->breaks[0] = timer_handler(b);
    for (size_t i = 1; i <= never_met; i++) { /* between instructions of the kernel */
        b->breaks[i] = b->breaks[0] + i * 4096 + 1;
    }
    b->before = b->end - distance;
    b->asked = 0;
    if (!cv_timeline_stops(b->tl, &stops)) {
        die("no memory");
    }
    b->questions = 0;
    double from = cpu();
    double wall = seconds(CLOCK_MONOTONIC);
    enum cv_replay_exit out = cv_timeline_reverse(b->tl);
    double took = cpu() - from;
    wall = seconds(CLOCK_MONOTONIC) - wall;
    double went = (double)(b->end - cv_replay_icount(b->replay)) / 1e9;
    printf("reverse over %.3f G steps, %zu breakpoints: %.3f s, %.3f s a G (wall %.3f "
           "s), %llu places asked of%s\n",
           went, 1 + never_met, took, took / went, wall, (unsigned long long)b->asked,
           out == CV_REPLAY_BREAK ? "" : ", not found");
}

/* From the refusal until the machine stands where the search began. */
static void bench_cancel(struct bench *b)
{
    static const cv_gva nowhere = 1;
    struct cv_stops stops = {.breaks = &nowhere, .break_count = 1};
    double t[20];
    if (!cv_timeline_stops(b->tl, &stops)) {
        die("no memory");
    }
    for (size_t i = 0; i < CV_ARRAY_LEN(t); i++) {
        cv_icount at = b->end / CV_ARRAY_LEN(t) * (i + 1);
        b->refuse_at = 0;
        seek(b, at);
        b->questions = 0;
        b->refuse_at = 1 + i * i * 5;
        enum cv_replay_exit out = cv_timeline_reverse(b->tl);
        t[i] = cpu() - b->last_question;
        if (out != CV_REPLAY_STOPPED || cv_replay_icount(b->replay) != at) {
            die("a cancelled search stands elsewhere");
        }
    }
    b->refuse_at = 0;
    say_times("cancelled searches, back home", t, CV_ARRAY_LEN(t));
    printf("longest time between two questions: %.1f ms\n", b->longest * 1e3);
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct cv_error err = {0};
    struct cv_file file;
    int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        die("usage: travel TRACE [MIB [SEEKS [raw]]]");
    }
    b.memory = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1024) << 20;
    size_t seeks = argc > 3 ? strtoull(argv[3], NULL, 10) : 100;
    double packing = 0;
    struct cv_worker worker = {&packing, submit, wait_for};
    struct cv_timeline_config config = {.memory_bytes = b.memory,
                                        .worker = argc > 4 ? NULL : &worker};
    setvbuf(stdout, NULL, _IOLBF, 0);
    cv_file_from_fd(&file, fd);
    b.trace = cv_trace_open(&file, &err);
    b.replay = b.trace != NULL ? cv_replay_new(b.trace, NULL, 0, &err) : NULL;
    if (b.replay != NULL) {
        cv_replay_check_digests(b.replay, true);
        b.tl = cv_timeline_new(b.replay, &config, &err);
    }
    if (b.tl == NULL) {
        die(err.text);
    }
    b.end = cv_trace_info(b.trace)->end.icount;
    cv_timeline_progress(b.tl, look, &b);
    double from = cpu();
    seek(&b, b.end);
    printf("first pass over %.3f G steps: %.2f s\n", (double)b.end / 1e9, cpu() - from);
    say_memory(&b, "after it");
    bench_seeks(&b, seeks);
    bench_cancel(&b);
    static const double DISTANCES[] = {0.1, 1, 5};
    for (size_t i = 0; i < CV_ARRAY_LEN(DISTANCES); i++) {
        bench_forward(&b, (uint64_t)(DISTANCES[i] * 1e9));
        bench_reverse(&b, (uint64_t)(DISTANCES[i] * 1e9), 0);
        bench_reverse(&b, (uint64_t)(DISTANCES[i] * 1e9), NEVER_MET);
    }
    say_memory(&b, "at the end");
    printf("packing took %.2f s\n", packing);
    cv_timeline_free(b.tl);
    cv_replay_free(b.replay);
    cv_trace_close(b.trace);
    return 0;
}
