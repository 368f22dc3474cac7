/*
 * test_faults.c - a recording survives failing calls, its own death, and the power's
 */
#include "tests/support/seed.h"
#include "tests/unit/record/scenario.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* Opens m and replays it to its end against its digests. Returns the events it holds, or
 * -1 when it is refused, which must be said with 65. */
static int64_t count_replayed(struct memfile *m, bool *complete, const char *what)
{
    struct cv_error err = {0};
    struct cv_trace *trace = cv_trace_open(&m->file, &err);
    if (trace == NULL) {
        cr_assert(err.code == CV_EXIT_DATA, "%s: %d %s", what, err.code, err.text);
        return -1;
    }
    const struct cv_trace_info *info = cv_trace_info(trace);
    cr_assert(info->complete != info->lossy, "%s", what);
    struct cv_replay *replay = cv_replay_new(trace, NULL, 0, &err);
    cr_assert(replay != NULL);
    cv_replay_check_digests(replay, true);
    enum cv_replay_exit exit = cv_replay_run(replay, CV_NEVER);
    const struct cv_divergence *d = cv_replay_divergence(replay);
    cr_assert(exit == CV_REPLAY_END, "%s: %s at %lu: %s / %s (%s)", what,
              d != NULL ? d->component : "", d != NULL ? d->icount : 0,
              d != NULL ? d->expected : "", d != NULL ? d->found : "", info->loss);
    int64_t events = (int64_t)info->events;
    *complete = info->complete;
    cv_replay_free(replay);
    cv_trace_close(trace);
    return events;
}

static uint64_t fail_kth(const struct scenario *s, uint64_t k, enum memfile_fault fault,
                         bool forever)
{
    struct memfile m;
    struct outcome out;
    char what[80];
    bool complete = false;
    memfile_init(&m);
    m.fail_at = k;
    m.fault = fault;
    m.fail_forever = forever;
    scenario_record(s, &m, 2, true, &out);
    uint64_t faults = m.faults;
    m.fail_at = 0;
    cv_format(what, sizeof(what), "call %lu fault %u forever %u", k, fault, forever);
    bool harmless = fault == MEMFILE_SHORT || (fault == MEMFILE_EINTR && !forever);
    if (harmless && out.opened) {
        cr_assert(out.finished, "%s: %s", what, out.error.text);
    }
    if (!out.opened || !out.finished) {
        cr_assert(out.error.code == CV_EXIT_IO || out.error.code == CV_EXIT_CANTCREATE,
                  "%s: %d", what, out.error.code);
    }
    int64_t events = count_replayed(&m, &complete, what);
    if (out.opened) {
        cr_assert(events == (int64_t)out.accepted, "%s: %ld of %lu", what, events,
                  out.accepted);
        cr_assert(complete || !out.finished, "%s", what);
    }
    memfile_fini(&m);
    return faults;
}

static void fail_each(const struct scenario *s)
{
    uint64_t total = 0;
    for (unsigned fault = 0; fault < MEMFILE_FAULTS; fault++) {
        for (unsigned forever = 0; forever < 2; forever++) {
            uint64_t k = 1;
            while (fail_kth(s, k, (enum memfile_fault)fault, forever != 0) > 0) {
                k++;
            }
            cr_assert(k > 20);
            total += k;
        }
    }
    fprintf(
        stderr,
        "durability: every one of its file calls failed, once and for ever, %lu runs\n",
        total);
}

Test(faults, every_call_may_fail_once_or_for_ever, .timeout = 120)
{
    struct scenario small = {.steps = 60000,
                             .seed = 3,
                             .input_odds = 2,
                             .slice = 4000,
                             .kernel_len = 5000,
                             .last = "q"};
    fail_each(&small);
}

Test(faults, every_call_may_fail_while_journals_are_sealed, .timeout = 120)
{
    struct scenario big = {.steps = 30000,
                           .seed = 4,
                           .input_odds = 1,
                           .slice = 2500,
                           .kernel_len = 100,
                           .big = true};
    fail_each(&big);
}

Test(faults, arenas_move_when_the_gap_is_used_up, .timeout = 60)
{
    struct scenario s = {
        .steps = 400000, .seed = 6, .input_odds = 1, .slice = 5000, .big = true};
    for (unsigned close = 0; close < 2; close++) {
        struct memfile m;
        struct outcome out;
        bool complete;
        memfile_init(&m);
        scenario_record(&s, &m, 5, close != 0, &out);
        cr_assert(out.accepted > 50);
        cr_assert(count_replayed(&m, &complete, "moved") == (int64_t)out.accepted);
        cr_assert(complete == (close != 0));
        memfile_fini(&m);
    }
}

Test(faults, power_loss_takes_back_only_what_was_not_synced, .timeout = 120)
{
    unsigned seed = 77 + (unsigned)test_seed();
    unsigned opened = 0, cases = 0;
    for (unsigned i = 0; i < 120; i++) {
        struct scenario s = {.steps = 5000 + (unsigned)rand_r(&seed) % 60000,
                             .seed = 1 + i + (unsigned)test_seed() * 1000,
                             .input_odds = 1 + i % 2,
                             .slice = 3000,
                             .kernel_len = i % 4 == 0 ? 70000 : 0,
                             .big = i % 2 == 0};
        struct memfile m;
        struct outcome out;
        unsigned sync_every = 1 + (unsigned)rand_r(&seed) % 30;
        uint64_t calls = 0;
        if (i % 3 == 1) { /* die while finishing */
            memfile_init(&m);
            scenario_record(&s, &m, sync_every, true, &out);
            calls = m.calls;
            memfile_fini(&m);
        }
        memfile_init(&m);
        m.keep = true;
        if (i % 3 == 0) { /* die in the middle of anything */
            m.fail_at = 5 + (unsigned)rand_r(&seed) % 60;
            m.fail_forever = true;
        } else if (i % 3 == 1) {
            m.fail_at = calls - (unsigned)rand_r(&seed) % 5;
            m.fail_forever = true;
        }
        scenario_record(&s, &m, sync_every, i % 3 != 2 || i % 2 == 0, &out);
        m.fail_at = 0;
        for (unsigned n = 0; n < 8; n++) {
            struct memfile after;
            char what[64];
            bool complete;
            memfile_lose_power(&after, &m, &seed);
            cv_format(what, sizeof(what), "case %u.%u", i, n);
            int64_t events = count_replayed(&after, &complete, what);
            cr_assert(events >= (int64_t)out.durable_events || out.durable_events == 0,
                      "%s: %ld of %lu", what, events, out.durable_events);
            cr_assert(events <= (int64_t)out.accepted, "%s", what);
            opened += events >= 0;
            cases++;
            memfile_fini(&after);
        }
        memfile_fini(&m);
    }
    fprintf(stderr, "durability: %u losses of power, %u opened\n", cases, opened);
    cr_assert(opened > 400, "%u", opened);
}

Test(faults, a_file_that_is_not_empty_is_left_alone)
{
    struct scenario s = {.steps = 1};
    struct memfile m;
    struct outcome out;
    memfile_init(&m);
    cr_assert(m.file.ops->pwrite(m.file.arg, "text", 4, 0) == 4);
    scenario_record(&s, &m, 0, true, &out);
    cr_assert(!out.opened && out.error.code == CV_EXIT_CANTCREATE);
    cr_assert(m.size == 4);
    memfile_fini(&m);
}

/* What was reserved for the journal is enough to seal in, wherever the disk becomes full. */
Test(faults, a_full_disk_seals_the_trace, .timeout = 300)
{
    unsigned sealed = 0, whole = 0;
    for (uint64_t room = 2700000; room < 9000000; room += 333333) {
        struct scenario s = {.steps = 12000000,
                             .seed = 5,
                             .input_odds = 2,
                             .big = true,
                             .slice = 15000,
                             .kernel_len = 4000,
                             .stored_bound = room % 2 == 0 ? 64u << 20 : 0,
                             .stored_spacing = 1u << 20};
        struct memfile m;
        struct outcome out;
        bool complete = false;
        memfile_init(&m);
        m.room = room;
        scenario_record(&s, &m, 2, true, &out);
        cr_assert(out.opened, "%lu", room);
        int64_t events = count_replayed(&m, &complete, "full disk");
        cr_assert(complete && events == (int64_t)out.accepted, "%lu: %ld of %lu, %s", room,
                  events, out.accepted, complete ? "sealed" : "not sealed");
        sealed += !out.finished;
        whole += out.finished;
        memfile_fini(&m);
    }
    cr_assert(sealed > 5 && whole > 0, "%u sealed, %u whole", sealed, whole);
}
