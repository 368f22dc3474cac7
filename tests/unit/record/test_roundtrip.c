/*
 * test_roundtrip.c - what was recorded replays to the same state, digest by digest,
 * whatever the host did
 */
#include "record/digest.h"
#include "record/format.h"
#include "tests/unit/record/scenario.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

static struct cv_replay *open_replay(struct memfile *m, struct cv_trace **trace)
{
    struct cv_error err = {0};
    *trace = cv_trace_open(&m->file, &err);
    cr_assert(*trace != NULL, "%s", err.text);
    struct cv_replay *replay = cv_replay_new(*trace, NULL, 0, &err);
    cr_assert(replay != NULL, "%s", err.text);
    return replay;
}

static void assert_end(struct cv_replay *replay, const struct outcome *out)
{
    uint8_t state[16];
    enum cv_replay_exit exit = cv_replay_run(replay, CV_NEVER);
    const struct cv_divergence *d = cv_replay_divergence(replay);
    cr_assert(exit == CV_REPLAY_END, "exit %d: %s at %lu: expected %s, found %s", exit,
              d != NULL ? d->component : "", d != NULL ? d->icount : 0,
              d != NULL ? d->expected : "", d != NULL ? d->found : "");
    cr_assert(cv_replay_icount(replay) == out->end.icount);
    scenario_state(cv_replay_vm(replay), state);
    cr_assert_arr_eq(state, out->state, 16);
}

static const struct scenario scenarios[] = {
    {.steps = 3000000, .seed = 1, .input_odds = 0},
    {.steps = 3000000, .seed = 2, .input_odds = 2, .last = "q"},
    {.steps = 3000000, .seed = 3, .input_odds = 1, .last = "x", .slice = 50},
    {.steps = 36000000, .seed = 4, .input_odds = 30, .last = "q", .kernel_len = 3 << 20},
    {.steps = 5000000, .seed = 5, .input_odds = 3, .last = "t", .fine = true},
    {.steps = 2000000,
     .seed = 6,
     .input_odds = 2,
     .on_reset = CV_ON_RESET_RESTART,
     .resets = true},
    {.steps = 2000000,
     .seed = 7,
     .input_odds = 1,
     .on_reset = CV_ON_RESET_STOP,
     .resets = true},
    {.steps = 2000000,
     .seed = 8,
     .input_odds = 50,
     .on_reset = CV_ON_RESET_END,
     .resets = true},
    {.steps = 1 << 20, .seed = 9, .input_odds = 1},
    {.steps = 1 << 24, .seed = 10, .input_odds = 9, .fine = true},
    {.steps = 0, .seed = 11},
};

/* Rows hold pointers, which do not survive on the way to a test's process: the index
 * does. */
ParameterizedTestParameters(roundtrip, replays_to_the_recorded_state)
{
    static size_t rows[CV_ARRAY_LEN(scenarios)];
    for (size_t i = 0; i < CV_ARRAY_LEN(rows); i++) {
        rows[i] = i;
    }
    return cr_make_param_array(size_t, rows, CV_ARRAY_LEN(rows));
}

ParameterizedTest(size_t *row, roundtrip, replays_to_the_recorded_state, .timeout = 60)
{
    const struct scenario *s = &scenarios[*row];
    struct memfile m;
    struct outcome out;
    struct cv_trace *trace;
    memfile_init(&m);
    scenario_record(s, &m, 3, true, &out);
    cr_assert(out.finished, "%s", out.error.text);

    struct cv_replay *replay = open_replay(&m, &trace);
    const struct cv_trace_info *info = cv_trace_info(trace);
    cr_assert(info->complete && !info->lossy, "%s", info->loss);
    cr_assert(info->events == out.accepted && info->events == out.stats.events);
    cr_assert(info->digests == out.stats.digests);
    cr_assert(info->file_bytes == out.stats.file_bytes && info->file_bytes == m.size);
    cr_assert(info->image_bytes == out.stats.image_bytes);
    cr_assert_str_eq(cv_trace_config(trace)->append, "console=ttyS0");
    cr_assert(cv_trace_config(trace)->rtc_epoch == -5);
    cr_assert(cv_trace_config(trace)->kernel.len == s->kernel_len);
    cv_replay_check_digests(replay, true);
    assert_end(replay, &out);
    cv_replay_free(replay);
    cv_trace_close(trace);

    /* in odd pieces, unchecked, with checks coming and going */
    replay = open_replay(&m, &trace);
    unsigned seed = s->seed;
    enum cv_replay_exit exit = CV_REPLAY_REACHED;
    while (exit == CV_REPLAY_REACHED) {
        cv_icount limit = cv_replay_icount(replay) + 1 + (unsigned)rand_r(&seed) % 700000;
        cv_replay_check_digests(replay, rand_r(&seed) % 2 == 0);
        exit = cv_replay_run(replay, limit);
    }
    assert_end(replay, &out);
    cv_replay_free(replay);
    cv_trace_close(trace);
    memfile_fini(&m);
}

Test(roundtrip, many_short_runs_with_inputs_in_all_phases, .timeout = 60)
{
    for (unsigned seed = 100; seed < 300; seed++) {
        struct scenario s = {.steps = 60000 + seed * 100,
                             .seed = seed,
                             .input_odds = 1 + seed % 4,
                             .slice = 1 + seed * seed % 5000,
                             .on_reset = (uint8_t)(seed % 3),
                             .resets = seed % 2 == 0,
                             .last = seed % 5 == 0 ? "q" : NULL};
        struct memfile m;
        struct outcome out;
        struct cv_trace *trace;
        memfile_init(&m);
        m.no_allocate = seed % 7 == 0;
        scenario_record(&s, &m, 0, true, &out);
        cr_assert(out.finished, "%s", out.error.text);
        struct cv_replay *replay = open_replay(&m, &trace);
        cv_replay_check_digests(replay, true);
        assert_end(replay, &out);
        cv_replay_free(replay);
        cv_trace_close(trace);
        memfile_fini(&m);
    }
}

Test(roundtrip, a_killed_recording_has_every_event, .timeout = 60)
{
    for (unsigned seed = 1; seed < 60; seed++) {
        struct scenario s = {.steps = 20000 + seed * 50000,
                             .seed = seed,
                             .input_odds = 1,
                             .slice = 2000,
                             .resets = true,
                             .on_reset = CV_ON_RESET_STOP};
        struct memfile m;
        struct outcome out;
        struct cv_trace *trace;
        memfile_init(&m);
        scenario_record(&s, &m, 0, false, &out);
        struct cv_replay *replay = open_replay(&m, &trace);
        const struct cv_trace_info *info = cv_trace_info(trace);
        cr_assert(info->lossy && !info->complete);
        cr_assert(info->events == out.accepted, "%lu of %lu", info->events, out.accepted);
        cv_replay_check_digests(replay, true);
        cr_assert(cv_replay_run(replay, CV_NEVER) == CV_REPLAY_END);
        cr_assert(cv_replay_icount(replay) == info->end.icount);
        cv_replay_free(replay);
        cv_trace_close(trace);
        memfile_fini(&m);
    }
}

Test(roundtrip, captures_are_put_back_exactly, .timeout = 60)
{
    struct scenario s = {.steps = 4000000, .seed = 21, .input_odds = 2, .last = "q"};
    struct memfile m;
    struct outcome out;
    struct cv_trace *trace;
    memfile_init(&m);
    scenario_record(&s, &m, 0, true, &out);
    struct cv_replay *replay = open_replay(&m, &trace);
    struct cv_ram *ram = cv_vm_ram(cv_replay_vm(replay));
    uint8_t *state = malloc(CV_VM_STATE_MAX + 64);
    uint8_t *pages = malloc(ram->bytes);
    uint8_t here[16], again[16];
    cv_replay_check_digests(replay, true);
    cr_assert(cv_replay_run(replay, 1500000) == CV_REPLAY_REACHED);
    size_t len = cv_replay_save(replay, state, CV_VM_STATE_MAX + 64);
    memcpy(pages, ram->base, ram->bytes);
    cv_replay_digest(replay, here);
    assert_end(replay, &out);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert(cv_replay_load(replay, state, len));
        cr_assert(cv_ram_write(ram, 0, pages, ram->bytes));
        cv_replay_digest(replay, again);
        cr_assert_arr_eq(here, again, 16);
        assert_end(replay, &out);
    }
    cr_assert(!cv_replay_load(replay, state, len - 1));
    cr_assert(!cv_replay_load(replay, state, 31));
    memset(state, 0xff, 8);
    cr_assert(!cv_replay_load(replay, state, len));
    free(state);
    free(pages);
    cv_replay_free(replay);
    cv_trace_close(trace);
    memfile_fini(&m);
}

Test(roundtrip, breakpoints_and_stops_leave_the_path, .timeout = 60)
{
    struct scenario s = {.steps = 1500000, .seed = 22, .input_odds = 2, .last = "q"};
    struct memfile m;
    struct outcome out;
    struct cv_trace *trace;
    memfile_init(&m);
    scenario_record(&s, &m, 0, true, &out);
    struct cv_replay *replay = open_replay(&m, &trace);
    struct cv_vm *vm = cv_replay_vm(replay);
    enum cv_replay_exit exit;
    unsigned seed = 5;
    do {
        cv_gva at = cv_replay_icount(replay) + (unsigned)rand_r(&seed) % 9000;
        cv_vm_breakpoints(vm, &at, 1);
        cv_vm_skip_first_break(vm);
        exit = cv_replay_run(replay, cv_replay_icount(replay) + 6000);
        if (rand_r(&seed) % 4 == 0) {
            cv_vm_stop(vm);
            enum cv_replay_exit stopped = cv_replay_run(replay, CV_NEVER);
            cr_assert(stopped == CV_REPLAY_STOPPED || exit == CV_REPLAY_END ||
                      stopped == CV_REPLAY_END);
            cv_vm_clear_stop(vm);
        }
    } while (exit != CV_REPLAY_END);
    cv_vm_breakpoints(vm, NULL, 0);
    cv_replay_check_digests(replay, true);
    assert_end(replay, &out);
    cv_replay_free(replay);
    cv_trace_close(trace);
    memfile_fini(&m);
}

/* Steps at which a replay stops for the watch; each run goes at most `stride` steps. */
static size_t list_hits(struct memfile *m, const struct outcome *out, cv_icount stride,
                        cv_icount *hits, size_t cap)
{
    static const struct cv_watch watch = {0, 0x3fff, CV_WATCH_WRITE, true};
    struct cv_trace *trace;
    struct cv_replay *replay = open_replay(m, &trace);
    struct cv_vm *vm = cv_replay_vm(replay);
    enum cv_replay_exit exit;
    size_t n = 0;
    cv_replay_check_digests(replay, true);
    cr_assert(cv_vm_watch(vm, &watch, 1, 0));
    do {
        cv_icount limit = stride == 0 ? CV_NEVER : cv_replay_icount(replay) + stride;
        exit = cv_replay_run(replay, limit);
        if (exit == CV_REPLAY_HIT) {
            cr_assert_lt(n, cap);
            cr_assert_not_null(cv_vm_hit(vm));
            cr_assert_eq(cv_vm_hit(vm)->step + 1, cv_replay_icount(replay));
            hits[n++] = cv_vm_hit(vm)->step;
        }
        if (exit == CV_REPLAY_REACHED && cv_replay_icount(replay) == out->end.icount) {
            stride = 0; /* the last inputs and the end itself */
        }
    } while (exit == CV_REPLAY_HIT || exit == CV_REPLAY_REACHED);
    assert_end(replay, out);
    cv_replay_free(replay);
    cv_trace_close(trace);
    return n;
}

Test(roundtrip, hits_are_passed_on_whatever_the_limits, .timeout = 120)
{
    struct scenario s = {.steps = 1500000, .seed = 23, .input_odds = 2, .last = "w"};
    static cv_icount straight[20000], stepped[20000];
    struct memfile m;
    struct outcome out;
    memfile_init(&m);
    scenario_record(&s, &m, 0, true, &out);
    size_t n = list_hits(&m, &out, 0, straight, 20000);
    cr_assert_gt(n, 100);
    cr_assert_eq(straight[n - 1] + 1, out.end.icount); /* of the step that ended it */
    for (cv_icount stride = 1; stride < 4000; stride = stride * 9 + 1) {
        cr_assert_eq(list_hits(&m, &out, stride, stepped, 20000), n);
        cr_assert_arr_eq(stepped, straight, n * sizeof(straight[0]));
    }
    memfile_fini(&m);
}

/* -- divergence ---------------------------------------------------------------------- */

struct corruption {
    bool fine;
    char component;
    cv_icount at, reported;
    const char *name;
};
static const struct corruption corruptions[] = {
    {true, 'r', 100, 1 << 24, "ram"},
    {true, 'c', 1500000, 2 << 20, "cpu"},
    {true, 'u', 3000000, 3 << 20, "uart"},
    {false, 'u', 3000000, 3 << 20, "cpu+dev"},
    {false, 'c', (1 << 24) + 5, 17 << 20, "cpu+dev"},
    {false, 'r', 100, 1 << 24, "ram"},
};

ParameterizedTestParameters(divergence, is_reported_at_the_first_bad_digest)
{
    static size_t rows[CV_ARRAY_LEN(corruptions)];
    for (size_t i = 0; i < CV_ARRAY_LEN(rows); i++) {
        rows[i] = i;
    }
    return cr_make_param_array(size_t, rows, CV_ARRAY_LEN(rows));
}

ParameterizedTest(size_t *row, divergence, is_reported_at_the_first_bad_digest,
                  .timeout = 60)
{
    const struct corruption *c = &corruptions[*row];
    struct scenario s = {.steps = 20000000, .seed = 31, .fine = c->fine};
    struct memfile m;
    struct outcome out;
    struct cv_trace *trace;
    memfile_init(&m);
    scenario_record(&s, &m, 0, true, &out);
    struct cv_replay *replay = open_replay(&m, &trace);
    toy_vm_corrupt(cv_replay_vm(replay), c->at, c->component);
    cv_replay_check_digests(replay, true);
    cr_assert(cv_replay_run(replay, CV_NEVER) == CV_REPLAY_DIVERGED);
    const struct cv_divergence *d = cv_replay_divergence(replay);
    cr_assert(d->icount == c->reported, "at %lu", d->icount);
    cr_assert_str_eq(d->component, c->name);
    cr_assert(strcmp(d->expected, d->found) != 0);
    cr_assert(cv_replay_run(replay, CV_NEVER) == CV_REPLAY_DIVERGED);
    cv_replay_free(replay);
    cv_trace_close(trace);
    memfile_fini(&m);
}

Test(divergence, of_events_is_noticed_without_digests, .timeout = 60)
{
    struct scenario s = {
        .steps = 900000, .seed = 32, .slice = 20000, .input_odds = 2, .last = "q"};
    struct memfile m;
    struct outcome out;
    struct cv_trace *trace;
    memfile_init(&m);
    scenario_record(&s, &m, 0, true, &out);
    struct cv_replay *replay = open_replay(&m, &trace);
    toy_vm_corrupt(cv_replay_vm(replay), 1000, 'c');
    cr_assert(cv_replay_run(replay, CV_NEVER) == CV_REPLAY_DIVERGED);
    const struct cv_divergence *d = cv_replay_divergence(replay);
    cr_assert(strcmp(d->component, "event") == 0 || strcmp(d->component, "end") == 0);
    cv_replay_free(replay);
    cv_trace_close(trace);
    memfile_fini(&m);
}

/* -- marks --------------------------------------------------------------------------- */

static bool find_crash(const char *last, cv_icount *icount, size_t *marks)
{
    struct scenario s = {.steps = 200000, .seed = 41, .last = last};
    struct memfile m;
    struct outcome out;
    memfile_init(&m);
    scenario_record(&s, &m, 0, true, &out);
    struct cv_trace *trace = cv_trace_open(&m.file, NULL);
    cr_assert(trace != NULL);
    bool found = cv_trace_crash(trace, icount);
    *marks = cv_trace_mark_count(trace);
    cv_trace_close(trace);
    memfile_fini(&m);
    return found;
}

Test(marks, crash_is_the_last_thing_that_was_not_returned_from)
{
    static const struct {
        const char *bytes;
        bool crash;
        size_t marks;
    } rows[] = {
        {"abc", false, 0}, {"fr", false, 0}, {"f", true, 1},  {"frf", true, 1},
        {"ffr", true, 1},  {"p", true, 1},   {"fp", true, 2}, {"t", true, 1},
        {"frq", false, 0}, {"fpt", true, 3},
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(rows); i++) {
        cv_icount icount = 0;
        size_t marks;
        bool found = find_crash(rows[i].bytes, &icount, &marks);
        cr_assert(found == rows[i].crash && marks == rows[i].marks, "%s: %d, %zu",
                  rows[i].bytes, found, marks);
        cr_assert(!found || icount >= 200000);
    }
}

/* More panics than there are marks: the first ones, the very last, and what crashed before it are there. */
Test(marks, a_flood_of_panics_keeps_the_end)
{
    static const char report[] = "Kernel panic - not syncing: flood\n";
    struct cv_vm_config config = {.ram_bytes = 4 << 20, .cpus = 1};
    struct cv_error err = {0};
    struct memfile m;
    memfile_init(&m);
    struct cv_vm *vm = cv_vm_new(&config, NULL, 0, NULL);
    struct cv_recorder *rec = cv_recorder_new(&m.file, vm, &config, NULL, &err);
    cr_assert(rec != NULL, "%s", err.text);
    for (unsigned i = 0; i < 5000; i++) {
        cv_icount now = cv_vm_icount(vm);
        cv_recorder_pvpanic(rec, now, i);
        if (i == 4000) {
            cv_recorder_exception(rec, now, 13, 0x1234, 0x5678, 0);
            for (const char *p = report; *p != '\0'; p++) {
                cv_recorder_serial(rec, (uint8_t)*p);
            }
        }
        if (i % 37 == 0 && cv_recorder_run(rec, now + 1) == CV_VM_IDLE) {
            cv_vm_idle_jump(vm, cv_vm_next_deadline(vm));
        }
    }
    cr_assert(cv_recorder_finish(rec, &err), "%s", err.text);
    cv_recorder_free(rec);
    cv_vm_free(vm);
    struct cv_trace *trace = cv_trace_open(&m.file, &err);
    cr_assert(trace != NULL, "%s", err.text);
    size_t count = cv_trace_mark_count(trace), exceptions = 0, reports = 0;
    uint32_t last = 0;
    for (size_t i = 0; i < count; i++) {
        const struct cv_trace_mark *mark = cv_trace_mark(trace, i);
        exceptions += mark->kind == CV_MARK_EXCEPTION;
        reports += mark->kind == CV_MARK_PANIC;
        last = mark->kind == CV_MARK_PVPANIC ? mark->vector : last;
    }
    cr_assert(count == 256 + 1 + 1 + 1 && exceptions == 1 && reports == 1 && last == 4999,
              "%zu marks, %zu exceptions, %zu reports, last panic %u", count, exceptions, reports, last);
    cv_trace_close(trace);
    memfile_fini(&m);
}
