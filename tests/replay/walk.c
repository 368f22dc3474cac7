/*
 * walk.c - a random walk through a trace, each move held against a straight run
 *
 * usage: walk TRACE MOVES SEED KIB...
 * Straight runs tell the state at random places, and where some breakpoints and a watch are met. Then, once for each bound of
 * the checkpoints' memory, MOVES moves: seeks, single steps, to the next stop, back to the one before. Where a move ends, the state
 * there and the bound must be as told.
 *
 * Prints "N moves within N KiB (most N), N stops" for each bound. Exit 1: one was wrong.
 */
#include "core/cpu/regs.h"
#include "record/timeline.h"
#include "record/worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLACES     40u
#define BREAKS     6u
#define STOPS_MAX  4000u /* of one breakpoint, or of the watch: others are left out */
#define EVENTS_MAX (STOPS_MAX * (BREAKS + 1) + 1)
#define DIGESTED   64u /* one of so many events has its state kept */

struct place { /* and the one behind it */
    cv_icount at;
    uint8_t digest[2][16];
    uint64_t rip, rsp;
};
struct event { /* in the order of the run */
    cv_icount at; /* where it is found going back; a hit is met one step later */
    bool is_hit, digested;
    unsigned which;
    uint64_t rip; /* where it is met */
    uint8_t digest[16];
};

static struct cv_trace *trace;
static cv_icount last; /* the walk stays before the end */
static struct place places[PLACES];
static struct event events[EVENTS_MAX];
static size_t event_count;
static cv_gva breaks[BREAKS];
static size_t break_count;
static struct cv_watch watch;
static bool watched;

static void die(const char *what, cv_icount at)
{
    fprintf(stderr, "walk: %s at %llu\n", what, (unsigned long long)at);
    exit(1);
}

static struct cv_replay *new_replay(void)
{
    struct cv_exec_config exec = {.cache_bytes = 16u << 20, .block_insns = 64};
    struct cv_error err = {0};
    struct cv_replay *replay = cv_replay_new(trace, &exec, 4096, &err);
    if (replay == NULL) {
        die(err.text, 0);
    }
    cv_replay_check_digests(replay, true);
    return replay;
}

/* -- the straight runs ----------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
    const struct place *x = a;
    const struct place *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void visit_places(void)
{
    struct cv_replay *replay = new_replay();
    for (unsigned i = 0; i < PLACES; i++) {
        places[i].at = ((uint64_t)random() << 31 | (uint64_t)random()) % last;
    }
    qsort(places, PLACES, sizeof(places[0]), by_place);
    for (unsigned i = 0; i < PLACES; i++) {
        for (unsigned k = 0; k < 2; k++) {
            if (i > 0 && places[i].at + k <= cv_replay_icount(replay) && places[i].at <= places[i - 1].at + 1) {
                places[i] = places[i - 1]; /* neighbours: one is enough */
                break;
            }
            if (cv_replay_run(replay, places[i].at + k) != CV_REPLAY_REACHED) {
                die("the straight run ended", cv_replay_icount(replay));
            }
            cv_replay_digest(replay, places[i].digest[k]);
        }
        places[i].rip = cv_vm_cpu(cv_replay_vm(replay), 0)->rip; /* of the place behind */
        places[i].rsp = cv_vm_cpu(cv_replay_vm(replay), 0)->gpr[4];
    }
    cv_replay_free(replay);
}

static int by_address(const void *a, const void *b)
{
    cv_gva x = *(const cv_gva *)a;
    cv_gva y = *(const cv_gva *)b;
    return x < y ? -1 : x > y;
}

static void choose_stops(void)
{
    for (unsigned i = 0; i < BREAKS; i++) {
        cv_gva at = places[i * (PLACES / BREAKS)].rip;
        bool known = false;
        for (size_t k = 0; k < break_count; k++) {
            known = known || breaks[k] == at;
        }
        if (!known) {
            breaks[break_count++] = at;
        }
    }
    qsort(breaks, break_count, sizeof(breaks[0]), by_address);
    cv_gva word = (places[PLACES / 2].rsp - 8) & ~7ull;
    watch = (struct cv_watch){word, word + 7, CV_WATCH_CHANGE, false};
    watched = true;
}

static void arm(struct cv_replay *replay)
{
    struct cv_vm *vm = cv_replay_vm(replay);
    cv_vm_breakpoints(vm, breaks, break_count);
    if (!cv_vm_watch(vm, &watch, watched ? 1 : 0, 0)) {
        die("no memory to watch", 0);
    }
}

/* What is met too often is left out from the beginning. True: something was. */
static bool leave_out(const unsigned *counts)
{
    size_t kept = 0;
    bool hot = counts[BREAKS] > STOPS_MAX;
    watched = watched && !hot;
    for (size_t i = 0; i < break_count; i++) {
        if (counts[i] <= STOPS_MAX) {
            breaks[kept++] = breaks[i];
        }
    }
    hot = hot || kept != break_count;
    break_count = kept;
    return hot;
}

static void note_event(struct cv_replay *replay, bool is_hit, unsigned *counts)
{
    struct cv_vm *vm = cv_replay_vm(replay);
    struct event *e = &events[event_count++];
    *e = (struct event){.is_hit = is_hit, .rip = cv_vm_cpu(vm, 0)->rip};
    e->at = is_hit ? cv_vm_hit(vm)->step : cv_replay_icount(replay);
    while (!is_hit && breaks[e->which] != e->rip) {
        e->which++;
    }
    e->digested = event_count % DIGESTED == 1;
    if (e->digested) {
        cv_replay_digest(replay, e->digest);
    }
    counts[is_hit ? BREAKS : e->which]++;
    if (!is_hit) {
        cv_vm_skip_first_break(vm);
    }
}

/* False: a stop is too hot, and was left out now. */
static bool list_events(void)
{
    struct cv_replay *replay = new_replay();
    unsigned counts[BREAKS + 1] = {0};
    enum cv_replay_exit out = CV_REPLAY_REACHED;
    bool hot = false;
    event_count = 0;
    arm(replay);
    while (!hot && (out = cv_replay_run(replay, last)) != CV_REPLAY_REACHED) {
        if (out != CV_REPLAY_BREAK && out != CV_REPLAY_HIT) {
            die("the straight run with stops ended", cv_replay_icount(replay));
        }
        note_event(replay, out == CV_REPLAY_HIT, counts);
        for (unsigned i = 0; i <= BREAKS; i++) {
            hot = hot || counts[i] > STOPS_MAX;
        }
    }
    cv_replay_free(replay);
    return !hot || !leave_out(counts);
}

/* -- the walk -------------------------------------------------------------------------------------- */

struct walk {
    struct cv_replay *replay;
    struct cv_timeline *tl;
    cv_icount at;
    size_t met; /* the event at which a run forward stopped just now, plus 1; else 0 */
    unsigned stops;
};

static void check_digest(struct walk *w, const uint8_t *want, const char *what)
{
    uint8_t digest[16];
    cv_replay_digest(w->replay, digest);
    if (memcmp(digest, want, 16) != 0) {
        die(what, w->at);
    }
}

static void check_place(struct walk *w, enum cv_replay_exit out, enum cv_replay_exit want)
{
    if (out != want || cv_replay_icount(w->replay) != w->at) {
        fprintf(stderr, "walk: exit %d, wanted %d; icount %llu\n", out, want,
                (unsigned long long)cv_replay_icount(w->replay));
        die("a move ended elsewhere, wanted", w->at);
    }
}

static void seek_place(struct walk *w, const struct place *p, unsigned behind)
{
    w->at = p->at + behind;
    w->met = 0;
    check_place(w, cv_timeline_seek(w->tl, w->at), CV_REPLAY_REACHED);
    check_digest(w, p->digest[behind], "another state behind a seek");
}

static cv_icount met_at(const struct event *e)
{
    return e->at + (e->is_hit ? 1 : 0);
}

static void go_forward(struct walk *w)
{
    size_t i = w->met;
    while (w->met == 0 && i < event_count && met_at(&events[i]) <= w->at) {
        i++;
    }
    enum cv_replay_exit out = cv_timeline_run(w->tl, last);
    if (i == event_count) {
        w->at = last;
        w->met = 0;
        check_place(w, out, CV_REPLAY_REACHED);
        return;
    }
    const struct event *e = &events[i];
    w->at = met_at(e);
    w->met = i + 1;
    w->stops++;
    check_place(w, out, e->is_hit ? CV_REPLAY_HIT : CV_REPLAY_BREAK);
    if (cv_vm_cpu(cv_replay_vm(w->replay), 0)->rip != e->rip) {
        die("another instruction behind a run", w->at);
    }
    if (e->digested) {
        check_digest(w, e->digest, "another state behind a run");
    }
}

static void go_back(struct walk *w)
{
    const struct event *found = NULL;
    bool is_hit = false;
    for (size_t i = 0; i < event_count && events[i].at < w->at; i++) {
        is_hit = events[i].is_hit || (is_hit && found->at == events[i].at);
        found = &events[i];
    }
    enum cv_replay_exit out = cv_timeline_reverse(w->tl);
    w->at = found != NULL ? found->at : 0;
    w->met = 0;
    w->stops += found != NULL ? 1 : 0;
    check_place(w, out, found == NULL ? CV_REPLAY_REACHED : is_hit ? CV_REPLAY_HIT : CV_REPLAY_BREAK);
    if (found != NULL && !found->is_hit && found->digested) {
        check_digest(w, found->digest, "another state behind a search");
    }
}

static void move_at_random(struct walk *w)
{
    const struct place *p = &places[(unsigned long)random() % PLACES];
    switch (random() % 8) {
    case 0:
        seek_place(w, p, 0);
        break;
    case 1: /* a step, and one back */
        seek_place(w, p, 0);
        seek_place(w, p, 1);
        seek_place(w, p, 0);
        break;
    case 2:
    case 3:
        go_forward(w);
        break;
    default:
        go_back(w);
        break;
    }
}

static void submit(void *arg, struct cv_work *work)
{
    (void)arg;
    cv_work_run(work);
}

static void wait_for(void *arg, struct cv_work *work)
{
    (void)arg;
    (void)work;
}

static void walk_within(uint64_t bound, unsigned moves)
{
    struct cv_worker worker = {NULL, submit, wait_for};
    struct cv_timeline_config config = {.memory_bytes = bound, .spacing = 1u << 18, .worker = &worker};
    struct cv_stops stops = {
        .breaks = breaks, .break_count = break_count, .watches = &watch, .watch_count = watched ? 1 : 0};
    struct cv_timeline_stats stats;
    struct cv_error err = {0};
    struct walk w = {.replay = new_replay()};
    w.tl = cv_timeline_new(w.replay, &config, &err);
    if (w.tl == NULL || !cv_timeline_stops(w.tl, &stops)) {
        die("no timeline", 0);
    }
    for (unsigned n = 0; n < moves; n++) {
        move_at_random(&w);
    }
    cv_timeline_stats(w.tl, &stats);
    printf("%u moves within %llu KiB (most %llu), %u stops\n", moves, (unsigned long long)bound >> 10,
           (unsigned long long)stats.peak_bytes >> 10, w.stops);
    if (stats.peak_bytes > bound) {
        die("the bound was not kept", 0);
    }
    cv_timeline_free(w.tl);
    cv_replay_free(w.replay);
}

int main(int argc, char **argv)
{
    struct cv_error err = {0};
    struct cv_file file;
    int fd = argc > 4 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        die("usage: walk TRACE MOVES SEED KIB...", 0);
    }
    srandom((unsigned)strtoul(argv[3], NULL, 10));
    cv_file_from_fd(&file, fd);
    trace = cv_trace_open(&file, &err);
    if (trace == NULL || cv_trace_info(trace)->end.icount < 16) {
        die(trace == NULL ? err.text : "too short a trace", 0);
    }
    last = cv_trace_info(trace)->end.icount - 1;
    visit_places();
    choose_stops();
    while (!list_events()) {
    }
    for (int i = 4; i < argc; i++) {
        walk_within(strtoull(argv[i], NULL, 10) << 10, (unsigned)strtoul(argv[2], NULL, 10));
    }
    cv_trace_close(trace);
    close(fd);
    return 0;
}
