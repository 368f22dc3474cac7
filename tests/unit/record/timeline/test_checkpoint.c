/*
 * The checkpoint store against a model that keeps full copies: random runs, restores and drops over a small
 * RAM. The "machine" is a function of its step number, as the real one is of the trace.
 */
#include "hand_worker.h"

#include "core/mem/ram.h"
#include "record/checkpoint.h"
#include "record/pages.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAM_BYTES (1u << 20)
#define STEPS_MAX 600u
#define SEEDS     12u

struct world {
    struct cv_ram ram;
    struct cv_pages *pages;
    int id;
    struct cv_checkpoints *store;
    uint64_t bound, limit; /* 0: none */
    struct hand_worker worker;
    uint64_t step;
    uint8_t *history[STEPS_MAX + 1]; /* RAM at each step, made on demand by running from 0 */
};

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x9e3779b97f4a7c15ull;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9ull;
    return x ^ x >> 32;
}

/* What step n writes: depends on n and on RAM, so that a wrong restore spreads. */
static void plan_write(uint64_t n, const uint8_t *ram, uint64_t *gpa, uint8_t *value)
{
    uint64_t r = mix(n + 1);
    *gpa = (r % 24) * CV_PAGE_SIZE * 7 % RAM_BYTES + (r >> 20) % CV_PAGE_SIZE;
    *value = r % 5 == 0 ? 0 : (uint8_t)(ram[(r >> 32) % RAM_BYTES] + (r >> 8));
}

static void open_epoch(void *arg)
{
    struct world *w = arg;
    cv_pages_mark(w->pages, w->id);
}

static void make_world(struct world *w)
{
    memset(w, 0, sizeof(*w));
    cr_assert(cv_ram_init(&w->ram, RAM_BYTES));
    w->ram.base[12345] = 7;
    w->pages = cv_pages_new(&w->ram);
    w->store = cv_checkpoints_new(&w->ram, open_epoch, w);
    hand_worker_init(&w->worker);
    struct cv_pages_consumer consumer = {w->store, cv_checkpoints_first_write};
    w->id = cv_pages_attach(w->pages, &consumer);
    cr_assert(w->id >= 0);
    uint8_t *model = malloc(RAM_BYTES);
    memcpy(model, w->ram.base, RAM_BYTES);
    for (unsigned n = 0; n <= STEPS_MAX; n++) {
        w->history[n] = malloc(RAM_BYTES);
        memcpy(w->history[n], model, RAM_BYTES);
        uint64_t gpa;
        uint8_t value;
        plan_write(n, model, &gpa, &value);
        model[gpa] = value;
    }
    free(model);
}

static void free_world(struct world *w)
{
    cv_pages_free(w->pages);
    cv_checkpoints_free(w->store);
    cv_ram_fini(&w->ram);
    for (unsigned n = 0; n <= STEPS_MAX; n++) {
        free(w->history[n]);
    }
}

/* False: there was no room. */
static bool try_take(struct world *w)
{
    return cv_checkpoints_take(w->store, w->step, (const uint8_t *)&w->step, sizeof(w->step));
}

static void take(struct world *w)
{
    cr_assert(try_take(w));
}

static void run(struct world *w, uint64_t steps)
{
    while (steps-- > 0 && w->step < STEPS_MAX) {
        uint64_t gpa;
        uint8_t value;
        size_t index;
        plan_write(w->step, w->ram.base, &gpa, &value);
        cr_assert(cv_ram_write(&w->ram, gpa, &value, 1));
        cv_checkpoints_settle(w->store);
        w->step++;
        if (cv_checkpoints_find(w->store, w->step, &index) &&
            cv_checkpoints_icount(w->store, index) == w->step) {
            take(w); /* passing one */
        }
    }
}

/* With a bound there are as many checkpoints as without, and hardly any room for what they need. */
static void take_above(struct world *w)
{
    cv_checkpoints_set_limit(w->store, UINT64_MAX);
    take(w);
    if (w->bound != 0) {
        uint64_t bytes = cv_checkpoints_bytes(w->store);
        w->limit = bytes > w->bound ? bytes : w->bound;
        cv_checkpoints_set_limit(w->store, w->limit);
    }
}

/* A world with a checkpoint each so many steps. */
static void make_world_with(struct world *w, unsigned checkpoints, unsigned steps)
{
    make_world(w);
    take(w);
    for (unsigned i = 0; i < checkpoints; i++) {
        run(w, steps);
        take(w);
    }
}

static void check(const struct world *w)
{
    cr_assert_eq(memcmp(w->ram.base, w->history[w->step], RAM_BYTES), 0, "at step %lu",
                 (unsigned long)w->step);
}

static void restore(struct world *w, size_t index)
{
    const uint8_t *state;
    size_t len;
    cv_checkpoints_restore(w->store, index, w->step % 3 == 0, &state, &len);
    cr_assert_eq(len, sizeof(w->step));
    memcpy(&w->step, state, len);
    cr_assert_eq(w->step, cv_checkpoints_icount(w->store, index));
    cv_checkpoints_settle(w->store);
}

/* Like a travel: the clock of the store goes on, and nothing else changes. */
static void wait_until_cold(struct world *w)
{
    for (unsigned i = 0; i < 40; i++) {
        take(w);
        restore(w, cv_checkpoints_count(w->store) - 1);
    }
}

static void do_random_thing(struct world *w, uint64_t r)
{
    size_t count = cv_checkpoints_count(w->store);
    switch (r % 12) {
    case 0:
    case 1:
        take_above(w);
        break;
    case 2:
    case 3:
        restore(w, (r >> 8) % count);
        break;
    case 4:
        cv_checkpoints_drop(w->store, (r >> 8) % count);
        cv_checkpoints_settle(w->store);
        break;
    case 5:
        hand_worker_hold(&w->worker, !w->worker.held);
        cv_checkpoints_pack(w->store, &w->worker.worker);
        break;
    case 6:
        if ((r >> 8) % 16 == 0) {
            cv_checkpoints_squeeze(w->store);
        }
        break;
    default:
        run(w, (r >> 8) % 40);
        break;
    }
}

static void restore_all(struct world *w)
{
    for (size_t i = cv_checkpoints_count(w->store); i > 0; i--) {
        if (i <= cv_checkpoints_count(w->store)) {
            restore(w, i - 1);
            check(w);
        }
    }
}

static void travel_at_random(struct world *w, unsigned things, uint64_t seed)
{
    for (unsigned i = 0; i < things; i++) {
        do_random_thing(w, mix(seed * 100000ull + i));
        check(w);
        cr_assert(w->bound == 0 || cv_checkpoints_bytes(w->store) <= w->limit);
        if (cv_checkpoints_count(w->store) > 40) {
            cv_checkpoints_drop(w->store, 1 + mix(i) % 39);
            cv_checkpoints_settle(w->store);
        }
    }
    restore_all(w);
}

Test(checkpoint, random_travel_always_shows_the_ram_of_that_step)
{
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct world w;
        make_world(&w);
        take(&w);
        travel_at_random(&w, 1500, seed);
        cr_assert_gt(w.worker.done, 5);
        free_world(&w);
    }
}

/* Nobody makes room here, so contents are lost all the time; at 300 KiB for nearly every write. */
Test(checkpoint, random_travel_never_takes_more_than_the_limit)
{
    static const unsigned LIMITS[] = {300, 400, 500, 700, 1000, 1500};
    size_t most = 0;
    for (unsigned i = 0; i < CV_ARRAY_LEN(LIMITS); i++) {
        struct world w;
        make_world(&w);
        take(&w);
        w.bound = LIMITS[i] * 1024ull;
        w.limit = w.bound;
        cv_checkpoints_set_limit(w.store, w.bound);
        travel_at_random(&w, 1500, 50 + i);
        cr_assert_geq(cv_checkpoints_peak(w.store), cv_checkpoints_bytes(w.store));
        most = cv_checkpoints_count(w.store) > most ? cv_checkpoints_count(w.store) : most;
        free_world(&w);
    }
    cr_assert_gt(most, 20);
}

Test(checkpoint, what_is_lost_takes_its_checkpoints_and_no_others)
{
    struct world w;
    make_world_with(&w, 10, 20);
    size_t count = cv_checkpoints_count(w.store);
    cv_checkpoints_set_limit(w.store, cv_checkpoints_bytes(w.store)); /* not a copy more */
    run(&w, 300);
    cr_assert_lt(cv_checkpoints_count(w.store), count); /* the one it ran on from, at least */
    cr_assert_gt(cv_checkpoints_count(w.store), count / 2);
    check(&w);
    restore_all(&w);
    cr_assert_gt(cv_checkpoints_count(w.store), 1);
    free_world(&w);
}

Test(checkpoint, packed_versions_take_less_and_say_the_same)
{
    struct world w;
    make_world_with(&w, 50, 10);
    uint64_t loose = cv_checkpoints_loose_bytes(w.store);
    uint64_t bytes = cv_checkpoints_bytes(w.store);
    cr_assert_gt(loose, 1u << 20);
    wait_until_cold(&w);
    for (unsigned i = 0; i < 100; i++) {
        cv_checkpoints_pack(w.store, &w.worker.worker);
    }
    cr_assert_lt(cv_checkpoints_loose_bytes(w.store), loose / 10);
    cr_assert_lt(cv_checkpoints_bytes(w.store), bytes - loose / 2);
    for (size_t i = cv_checkpoints_count(w.store); i-- > 0;) {
        restore(&w, i);
        check(&w);
        run(&w, 3);
        check(&w);
    }
    free_world(&w);
}

Test(checkpoint, a_store_can_go_while_the_worker_has_work)
{
    struct world w;
    make_world_with(&w, 50, 10);
    wait_until_cold(&w);
    hand_worker_hold(&w.worker, true);
    cv_checkpoints_pack(w.store, &w.worker.worker);
    cv_checkpoints_pack(w.store, &w.worker.worker);
    cv_checkpoints_pack(w.store, &w.worker.worker);
    cr_assert_geq(w.worker.submitted, 2);
    while (cv_checkpoints_count(w.store) > 1) {
        cv_checkpoints_drop(w.store, 1); /* some of what the worker has is wanted no more */
    }
    free_world(&w);
    cr_assert_eq(w.worker.done, w.worker.submitted);
}

/* He may be far behind, and in a copy of the process there is none. */
Test(checkpoint, squeezing_does_not_wait_for_the_worker)
{
    struct world w;
    make_world_with(&w, 50, 10);
    wait_until_cold(&w);
    hand_worker_hold(&w.worker, true);
    cv_checkpoints_pack(w.store, &w.worker.worker);
    cv_checkpoints_pack(w.store, &w.worker.worker);
    cr_assert_geq(w.worker.submitted, 2);
    while (cv_checkpoints_squeeze(w.store)) {
    }
    cr_assert_eq(w.worker.done, 0);
    cr_assert_eq(cv_checkpoints_loose_bytes(w.store), 0);
    restore_all(&w);
    hand_worker_hold(&w.worker, false);
    restore_all(&w);
    free_world(&w);
}

Test(checkpoint, dropping_all_but_the_first_leaves_no_more_than_one_version_a_page)
{
    struct world w;
    make_world_with(&w, 50, 10);
    uint64_t most = cv_checkpoints_versions(w.store);
    while (cv_checkpoints_count(w.store) > 1) {
        cv_checkpoints_drop(w.store, 1 + cv_checkpoints_versions(w.store) %
                                             (cv_checkpoints_count(w.store) - 1));
        check(&w);
    }
    cr_assert_lt(cv_checkpoints_versions(w.store), most);
    cr_assert_leq(cv_checkpoints_versions(w.store), 24); /* pages that are ever written */
    restore(&w, 0);
    check(&w);
    run(&w, 500);
    check(&w);
    free_world(&w);
}

Test(checkpoint, running_over_a_known_stretch_again_copies_nothing)
{
    struct world w;
    make_world_with(&w, 20, 20);
    restore(&w, 0);
    uint64_t versions = cv_checkpoints_versions(w.store);
    uint64_t bytes = cv_checkpoints_bytes(w.store);
    for (unsigned i = 0; i < 5; i++) {
        run(&w, 400);
        restore(&w, i);
    }
    cr_assert_eq(cv_checkpoints_versions(w.store), versions);
    cr_assert_leq(cv_checkpoints_bytes(w.store), bytes + 24 * CV_PAGE_SIZE);
    free_world(&w);
}

Test(checkpoint, a_page_that_is_never_written_costs_nothing)
{
    struct world w;
    make_world(&w);
    uint64_t bytes = cv_checkpoints_bytes(w.store);
    for (unsigned i = 0; i < 100; i++) {
        w.step = i;
        take(&w);
    }
    cr_assert_eq(cv_checkpoints_versions(w.store), 0);
    cr_assert_leq(cv_checkpoints_bytes(w.store), bytes + 128 * (sizeof(w.step) + 96));
    free_world(&w);
}

/* -- what the host gives ------------------------------------------------------------------------ */

#define BIG_BYTES (64u << 20)

static uint64_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    cr_assert(f != NULL && fscanf(f, "%*u %lu", &pages) == 1);
    fclose(f);
    return pages * (uint64_t)CV_PAGE_SIZE;
}

/* Content that packs to about a half. */
static void scribble(struct world *w, size_t page, uint64_t seed)
{
    uint64_t words[CV_PAGE_SIZE / 8] = {0};
    for (size_t i = 0; i < CV_ARRAY_LEN(words); i += 2) {
        words[i] = mix(seed + i);
    }
    cr_assert(cv_ram_write(&w->ram, page * CV_PAGE_SIZE, words, sizeof(words)));
}

/* What is between two counts of memory at most; a sanitizer's shadow of it is resident, too. */
static uint64_t slack(uint64_t given)
{
#ifdef __SANITIZE_ADDRESS__
    return given / 8;
#else
    return given / 100 + (256u << 10);
#endif
}

static uint64_t difference(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

Test(checkpoint, its_bytes_are_what_the_host_gives_for_it)
{
    static struct world w;
    cr_assert(cv_ram_init(&w.ram, BIG_BYTES));
    memset(w.ram.base, 1, BIG_BYTES);
    w.pages = cv_pages_new(&w.ram);
    hand_worker_init(&w.worker);
    uint64_t before = resident_bytes();
    w.store = cv_checkpoints_new(&w.ram, open_epoch, &w);
    struct cv_pages_consumer consumer = {w.store, cv_checkpoints_first_write};
    w.id = cv_pages_attach(w.pages, &consumer);
    take(&w);
    for (unsigned round = 0; round < 12; round++) {
        for (unsigned i = 0; i < 1500; i++) {
            scribble(&w, mix(round * 5000 + i) % (BIG_BYTES / CV_PAGE_SIZE), round * 9999 + i);
        }
        w.step++;
        take(&w);
        uint64_t given = resident_bytes() - before;
        cr_expect_leq(difference(cv_checkpoints_bytes(w.store), given), slack(given),
                      "%lu counted, %lu given", (unsigned long)cv_checkpoints_bytes(w.store), (unsigned long)given);
        if (round % 4 == 3) {
            while (cv_checkpoints_squeeze(w.store)) {
            }
        }
    }
    cr_assert_gt(cv_checkpoints_bytes(w.store), 20u << 20);
    cv_pages_free(w.pages);
    cv_checkpoints_free(w.store);
    cv_ram_fini(&w.ram);
}
