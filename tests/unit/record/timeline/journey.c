#include "journey.h"
#include "core/cpu/regs.h"
#include "record/recorder.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define POKED 0x150000u

extern const uint8_t journey_image[], journey_image_end[];

const struct cv_watch journey_watches[JOURNEY_WATCHES] = {
    {0x140000, 0x140003, CV_WATCH_CHANGE, false},
    {0x140010, 0x140013, CV_WATCH_CHANGE, false}, /* never */
    {0x140010, 0x140010, CV_WATCH_WRITE, false},
    {0x145000, 0x14500f, CV_WATCH_WRITE, false},
    {0x140024, 0x140027, CV_WATCH_CHANGE, true},
    {0x141000, 0x141001, CV_WATCH_READ | CV_WATCH_WRITE, false},
    {0x141900, 0x141900, CV_WATCH_READ, false},
    {POKED, POKED + 3, CV_WATCH_WRITE, true},
};

/* -- recording ----------------------------------------------------------------------------------- */

static void feed(struct cv_vm *vm, unsigned n)
{
    uint64_t gpa = POKED + n % 5;
    uint8_t poke[16];
    uint8_t byte = (uint8_t)(n * 7);
    struct cv_input input = {.kind = CV_INPUT_SERIAL, .len = 1, .data = &byte};
    if (n % 3 == 0) {
        memcpy(poke, &gpa, 8);
        memset(poke + 8, (int)(n / 6), 8);
        input = (struct cv_input){.kind = CV_INPUT_POKE_MEM, .len = sizeof(poke), .data = poke};
    }
    if (input.kind == CV_INPUT_POKE_MEM || cv_vm_serial_room(vm, 0) > 0) {
        cr_assert(cv_vm_input(vm, &input));
    }
}

static void run_guest(struct cv_recorder *rec, struct cv_vm *vm)
{
    cv_icount limit = 0;
    for (unsigned n = 1;; n++) {
        limit += 2000 + n * 17 % 300;
        enum cv_vm_exit exit;
        while ((exit = cv_recorder_run(rec, limit)) == CV_VM_IDLE) {
            if (n % 2 == 0) {
                feed(vm, n + 1);
            }
            cv_vm_idle_jump(vm, cv_vm_next_deadline(vm));
        }
        if (exit == CV_VM_ENDED) {
            return;
        }
        feed(vm, n);
    }
}

static void record(struct journey *j)
{
    static struct cv_vm_config config;
    struct cv_error err = {0};
    config = (struct cv_vm_config){.ram_bytes = 2u << 20, .cpus = 1, .seed = 1};
    config.kernel = (struct cv_image){journey_image, (uint64_t)(journey_image_end - journey_image)};
    struct cv_vm *vm = cv_vm_new(&config, NULL, 0, &err);
    cr_assert_not_null(vm, "%s", err.text);
    struct cv_record_options options = {.tool = "unit test"};
    struct cv_recorder *rec = cv_recorder_new(&j->file, vm, &config, &options, &err);
    cr_assert_not_null(rec, "%s", err.text);
    run_guest(rec, vm);
    uint32_t value = 0;
    cr_assert_eq(cv_vm_end(vm, &value), CV_END_GUEST_EXIT);
    cr_assert_eq(value, 0x15);
    cr_assert(!cv_recorder_failed(rec, &err), "%s", err.text);
    cr_assert(cv_recorder_finish(rec, &err), "%s", err.text);
    cv_recorder_free(rec);
    cv_vm_free(vm);
}

void journey_open(struct journey *j, const struct cv_timeline_config *config)
{
    struct cv_error err = {0};
    memset(j, 0, sizeof(*j));
    j->fd = memfd_create("trace", MFD_CLOEXEC);
    cr_assert_geq(j->fd, 0);
    cv_file_from_fd(&j->file, j->fd);
    record(j);
    j->trace = cv_trace_open(&j->file, &err);
    cr_assert_not_null(j->trace, "%s", err.text);
    j->end = cv_trace_info(j->trace)->end.icount;
    j->replay = cv_replay_new(j->trace, NULL, 0, &err);
    cr_assert_not_null(j->replay, "%s", err.text);
    cv_replay_check_digests(j->replay, true);
    j->tl = cv_timeline_new(j->replay, config, &err);
    cr_assert_not_null(j->tl, "%s", err.text);
}

void journey_close(struct journey *j)
{
    cv_timeline_free(j->tl);
    cv_replay_free(j->replay);
    cv_trace_close(j->trace);
    close(j->fd);
    free(j->events);
}

/* -- the list ------------------------------------------------------------------------------------ */

static void add_event(struct journey *j, struct cv_replay *replay, const struct journey_event *event)
{
    if ((j->event_count & (j->event_count - 1)) == 0) {
        size_t cap = j->event_count == 0 ? 1 : j->event_count * 2;
        j->events = realloc(j->events, cap * sizeof(*j->events));
        cr_assert_not_null(j->events);
    }
    j->events[j->event_count] = *event;
    cv_replay_digest(replay, j->events[j->event_count++].digest);
}

static void add_break(struct journey *j, struct cv_replay *replay)
{
    uint64_t rip = cv_vm_cpu(cv_replay_vm(replay), 0)->rip;
    struct journey_event event = {.at = cv_replay_icount(replay), .is_break = true};
    while (journey_breaks[event.which] != rip) {
        cr_assert_lt(++event.which, JOURNEY_BREAKS);
    }
    add_event(j, replay, &event);
    cv_vm_skip_first_break(cv_replay_vm(replay));
}

static void add_hit(struct journey *j, struct cv_replay *replay)
{
    const struct cv_tap_hit *hit = cv_vm_hit(cv_replay_vm(replay));
    struct journey_event event = {
        .at = hit->step, .watches = hit->watches[0], .taps = hit->taps, .rip = hit->rip};
    cr_assert_eq(cv_replay_icount(replay), hit->step + 1);
    cr_assert(hit->watches[0] != 0 || hit->taps != 0);
    add_event(j, replay, &event);
}

void journey_list(struct journey *j)
{
    struct cv_error err = {0};
    struct cv_replay *replay = cv_replay_new(j->trace, NULL, 0, &err);
    cr_assert_not_null(replay, "%s", err.text);
    struct cv_vm *vm = cv_replay_vm(replay);
    cv_vm_breakpoints(vm, journey_breaks, JOURNEY_BREAKS);
    cr_assert(cv_vm_watch(vm, journey_watches, JOURNEY_WATCHES, JOURNEY_TAPS));
    for (;;) {
        enum cv_replay_exit out = cv_replay_run(replay, CV_NEVER);
        if (out == CV_REPLAY_BREAK) {
            add_break(j, replay);
        } else if (out == CV_REPLAY_HIT) {
            add_hit(j, replay);
        } else {
            cr_assert_eq(out, CV_REPLAY_END);
            break;
        }
    }
    const struct journey_event *last = &j->events[j->event_count - 1];
    if (cv_vm_hit(vm) != NULL && (last->is_break || last->at != cv_vm_hit(vm)->step)) {
        add_hit(j, replay); /* the step that ended the machine, unless the run told of it */
    }
    cr_assert_eq(cv_replay_icount(replay), j->end);
    cv_replay_free(replay);
}
