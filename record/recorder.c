#include "record/recorder.h"

#include "record/console.h"
#include "record/digest.h"
#include "record/machine.h"
#include "record/marks.h"
#include "record/pages.h"
#include "record/writer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The tap runs inside the guest's run, where vector registers hold guest state. */
#define GENERAL_REGS __attribute__((target("general-regs-only")))

#define PANICS_NOTED_MAX 256u /* when they come; then the last one, at the end */

struct cv_recorder {
    struct cv_inlet inlet; /* first: the machine holds a pointer to it */
    struct cv_vm *vm;
    struct cv_writer *writer;
    struct cv_pages *pages;
    struct cv_ram_digest *ram;
    struct cv_keyframes *keyframes; /* NULL: none are stored */
    bool fine;

    struct cv_hash128 chain;
    cv_icount next_digest;
    struct cv_marks marks;
    struct cv_console console;
    unsigned panics;                /* noted */
    struct cv_trace_mark last_panic; /* kind 0: the last one was noted when it came */
    bool panicked; /* the last one: */
    struct cv_mark_panic panic;

    /* the last CV_VM_IDLE since the last input: how replay finds the same place again */
    bool idled;
    struct cv_position idle;
    bool was_reset; /* CV_VM_RESET since the last input, */
    cv_icount reset_icount;

    uint64_t digest_ns, append_ns;
    uint8_t state[CV_VM_STATE_MAX];
};

static uint64_t read_cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint8_t flags_at(const struct cv_recorder *rec, const struct cv_position *pos)
{
    uint8_t flags = pos->phase == CV_PHASE_IDLE ? CV_EVENT_PHASE_IDLE : 0;
    if (rec->idled && rec->idle.icount == pos->icount) {
        flags |= CV_EVENT_RAN;
        if (rec->idle.vtime == pos->vtime) {
            flags |= CV_EVENT_SERVED;
        }
    }
    if (rec->was_reset && rec->reset_icount == pos->icount) {
        flags |= CV_EVENT_RESET;
    }
    return flags;
}

static bool accept_input(struct cv_inlet *inlet, const struct cv_position *pos,
                         const struct cv_input *input)
{
    struct cv_recorder *rec = CV_CONTAINER_OF(inlet, struct cv_recorder, inlet);
    struct cv_trace_event event = {
        .pos = *pos, .input = *input, .flags = flags_at(rec, pos)};
    uint64_t begin = read_cpu_ns();
    bool good = cv_writer_event(rec->writer, &event);
    if (good) {
        rec->idled = false;
        rec->was_reset = false;
    }
    rec->append_ns += read_cpu_ns() - begin;
    return good;
}

static bool open_keyframes(struct cv_recorder *rec,
                           const struct cv_record_options *options,
                           const struct cv_image *kernel)
{
    struct cv_keyframes_config config = {.bound = options->stored_bound,
                                         .spacing = options->stored_spacing,
                                         .kernel = *kernel,
                                         .worker = options->worker};
    rec->keyframes = cv_keyframes_new(rec->pages, rec->writer, &config);
    return rec->keyframes != NULL;
}

struct cv_recorder *cv_recorder_new(const struct cv_file *file, struct cv_vm *vm,
                                    const struct cv_vm_config *config,
                                    const struct cv_record_options *options,
                                    struct cv_error *err)
{
    struct cv_recorder *rec = calloc(1, sizeof(*rec));
    if (rec == NULL) {
        cv_error_set(err, CV_EXIT_OS, "trace: out of memory");
        return NULL;
    }
    rec->inlet.accept = accept_input;
    rec->vm = vm;
    rec->fine = options != NULL && options->fine_digests;
    rec->next_digest = cv_digest_next(cv_vm_icount(vm));
    if (!cv_console_init(&rec->console, options == NULL ? NULL : options->mark_pattern, err)) {
        goto bad;
    }
    bool stores = options != NULL && options->stored_bound > 0;
    rec->writer = cv_writer_new(file, options == NULL ? NULL : options->tool,
                                stores ? CV_COMPAT_STORED : 0, err);
    if (rec->writer == NULL) {
        goto bad;
    }
    if (!cv_machine_write(rec->writer, config, rec->fine) ||
        !cv_writer_open_tail(rec->writer)) {
        if (!cv_writer_failed(rec->writer, err)) {
            cv_error_set(err, CV_EXIT_OS, "trace: out of memory");
        }
        goto bad;
    }
    rec->pages = cv_pages_new(cv_vm_ram(vm));
    rec->ram = rec->pages == NULL ? NULL : cv_ram_digest_new(rec->pages);
    if (rec->ram == NULL || (stores && !open_keyframes(rec, options, &config->kernel))) {
        cv_error_set(err, CV_EXIT_OS, "trace: out of memory");
        goto bad;
    }
    cv_vm_set_inlet(vm, &rec->inlet);
    return rec;
bad:
    cv_recorder_free(rec);
    return NULL;
}

void cv_recorder_free(struct cv_recorder *rec)
{
    if (rec != NULL) {
        if (rec->ram != NULL) {
            cv_vm_set_inlet(rec->vm, NULL);
        }
        cv_console_fini(&rec->console);
        cv_keyframes_free(rec->keyframes);
        cv_ram_digest_free(rec->ram);
        cv_pages_free(rec->pages);
        cv_writer_free(rec->writer);
        free(rec);
    }
}

struct cv_pages *cv_recorder_pages(struct cv_recorder *rec)
{
    return rec->pages;
}

bool cv_recorder_failed(const struct cv_recorder *rec, struct cv_error *err)
{
    return cv_writer_failed(rec->writer, err);
}

bool cv_recorder_sync(struct cv_recorder *rec)
{
    return cv_writer_sync(rec->writer);
}

/* -- digests ------------------------------------------------------------------------- */

struct component_sink {
    struct cv_recorder *rec;
    cv_icount icount;
    cv_vtime_ns vtime;
};

static bool log_component(void *arg, const char name[8], uint64_t hash)
{
    struct component_sink *sink = arg;
    struct cv_trace_digest d = {
        .icount = sink->icount, .kind = CV_DIGEST_COMPONENT, .len = 16};
    memcpy(d.bytes, name, 8);
    memcpy(d.bytes + 8, &hash, 8);
    return cv_writer_digest(sink->rec->writer, &d, sink->vtime);
}

/* The machine has just arrived at icount, and its state image is in rec->state. */
static void tell_keyframes(struct cv_recorder *rec, cv_icount icount,
                           struct cv_hash128 before, size_t len)
{
    struct cv_writer_stats w;
    cv_writer_stats(rec->writer, &w);
    struct cv_keyframes_place place = {
        .icount = icount,
        .events = w.events,
        .chain = before,
        .state = rec->state,
        .state_len = len,
        .marks = &rec->marks,
        .panicked = rec->panicked,
        .panic = {.icount = rec->panic.icount,
                  .kind = CV_MARK_PVPANIC,
                  .vector = rec->panic.event},
    };
    cv_keyframes_arrive(rec->keyframes, &place);
}

/* What a digest of this kind says of the machine, whose state was folded in. */
static void fill_digest(struct cv_recorder *rec, struct cv_trace_digest *d,
                        enum cv_digest_kind kind)
{
    d->kind = kind;
    d->len = cv_digest_len(kind);
    memcpy(d->bytes, &rec->chain.lo, 8);
    if (kind == CV_DIGEST_SMALL) {
        memset(d->bytes + 2, 0, sizeof(d->bytes) - 2);
    } else {
        struct cv_hash128 ram = cv_ram_digest_sum(rec->ram);
        memcpy(d->bytes + 8, &ram.lo, 8);
    }
}

/* Folds the state of this icount into the chain and logs what is due. */
static void take_digest(struct cv_recorder *rec, bool at_end)
{
    uint64_t begin = read_cpu_ns();
    struct cv_position pos;
    cv_vm_position(rec->vm, &pos);
    size_t len = cv_vm_save(rec->vm, rec->state, sizeof(rec->state));
    struct cv_trace_digest d = {.icount = pos.icount};
    struct cv_hash128 before = rec->chain;
    rec->chain = cv_digest_fold(before, pos.icount, rec->state, len);
    bool full = cv_digest_is_full(pos.icount) ||
                (rec->keyframes != NULL && cv_keyframes_wants(rec->keyframes, pos.icount));
    fill_digest(rec, &d,
                at_end ? CV_DIGEST_END
                : full ? CV_DIGEST_FULL
                       : CV_DIGEST_SMALL);
    if (cv_writer_digest(rec->writer, &d, pos.vtime) && rec->fine) {
        struct component_sink sink = {rec, pos.icount, pos.vtime};
        cv_digest_components(rec->state, len, log_component, &sink);
    }
    rec->next_digest = cv_digest_next(pos.icount);
    rec->digest_ns += read_cpu_ns() - begin;
    if (full && !at_end && rec->keyframes != NULL) {
        tell_keyframes(rec, pos.icount, before, len);
    }
}

/* -- running ------------------------------------------------------------------------- */

/* What the tap saw inside the run goes to the journal outside of it. Should the writer fail, it says so itself. */
static void drain_panics(struct cv_recorder *rec)
{
    for (size_t i = 0; i < rec->marks.panics_count; i++) {
        struct cv_trace_mark mark;
        rec->panicked = true;
        rec->panic = rec->marks.panics[i];
        cv_marks_describe_panic(&rec->marks, i, &mark);
        rec->last_panic = mark;
        if (rec->panics < PANICS_NOTED_MAX) {
            rec->panics++;
            rec->last_panic.kind = 0;
            if (!cv_writer_mark(rec->writer, &mark)) {
                break;
            }
        }
    }
    rec->marks.panics_count = 0;
}

static void drain_console(struct cv_recorder *rec)
{
    struct cv_trace_mark mark;
    while (cv_console_next(&rec->console, &mark)) {
        if (!cv_writer_mark(rec->writer, &mark)) {
            break;
        }
    }
}

enum cv_vm_exit cv_recorder_run(struct cv_recorder *rec, cv_icount limit)
{
    for (;;) {
        if (cv_recorder_failed(rec, NULL)) {
            return CV_VM_STOPPED;
        }
        cv_icount stop = limit < rec->next_digest ? limit : rec->next_digest;
        enum cv_vm_exit exit = cv_vm_run(rec->vm, stop);
        cv_icount now = cv_vm_icount(rec->vm);
        if (rec->marks.panics_count > 0) {
            drain_panics(rec);
        }
        drain_console(rec);
        if (now >= rec->next_digest) {
            take_digest(rec, false);
            if (rec->keyframes != NULL) {
                cv_keyframes_poll(rec->keyframes);
            }
        }
        if (exit == CV_VM_IDLE) {
            rec->idled = true;
            cv_vm_position(rec->vm, &rec->idle);
        } else if (exit == CV_VM_RESET) {
            rec->idled = false;
            rec->was_reset = true;
            rec->reset_icount = now;
        }
        if (exit != CV_VM_LIMIT || now >= limit) {
            /* it may stand here for long */
            return cv_writer_flush(rec->writer) && !cv_recorder_failed(rec, NULL)
                       ? exit
                       : CV_VM_STOPPED;
        }
    }
}

GENERAL_REGS void cv_recorder_exception(struct cv_recorder *rec, cv_icount icount,
                                        unsigned vector, uint64_t rip, uint64_t frame,
                                        uint64_t cr2)
{
    cv_marks_exception(&rec->marks, icount, vector, rip, frame, cr2);
}

GENERAL_REGS void cv_recorder_iret(struct cv_recorder *rec, uint64_t frame)
{
    cv_marks_iret(&rec->marks, frame);
}

GENERAL_REGS void cv_recorder_pvpanic(struct cv_recorder *rec, cv_icount icount,
                                      unsigned event)
{
    cv_marks_pvpanic(&rec->marks, icount, event);
}

GENERAL_REGS void cv_recorder_serial(struct cv_recorder *rec, uint8_t byte)
{
    cv_console_put(&rec->console, cv_vm_icount(rec->vm), byte);
}

/* -- the end ------------------------------------------------------------------------- */

static bool log_last_marks(struct cv_recorder *rec, const struct cv_end_record *end)
{
    struct cv_trace_mark mark;
    drain_panics(rec);
    if (rec->last_panic.kind != 0 && !cv_writer_mark(rec->writer, &rec->last_panic)) {
        return false;
    }
    for (size_t i = 0; i < rec->marks.open_count; i++) {
        cv_marks_describe_open(&rec->marks, i, &mark);
        if (!cv_writer_mark(rec->writer, &mark)) {
            return false;
        }
    }
    if (end->reason == CV_END_TRIPLE_FAULT) {
        mark =
            (struct cv_trace_mark){.icount = end->icount, .kind = CV_MARK_TRIPLE_FAULT};
        memcpy(mark.name, "triple fault", sizeof("triple fault"));
        return cv_writer_mark(rec->writer, &mark);
    }
    return true;
}

/* Where the trace will be opened: the crash of DESIGN.md section 10. */
static cv_icount find_crash(const struct cv_recorder *rec,
                            const struct cv_end_record *end)
{
    cv_icount crash = rec->panicked ? rec->panic.icount : CV_NEVER;
    if (rec->marks.open_count > 0) {
        cv_icount last = rec->marks.open[rec->marks.open_count - 1].icount;
        crash = crash == CV_NEVER || last > crash ? last : crash;
    }
    return end->reason == CV_END_TRIPLE_FAULT ? end->icount : crash;
}

static void store_last(struct cv_recorder *rec, const struct cv_end_record *end)
{
    cv_icount crash = find_crash(rec, end);
    bool well = end->reason == CV_END_POWEROFF || end->reason == CV_END_RESET ||
                end->reason == CV_END_GUEST_EXIT;
    cv_keyframes_finish(rec->keyframes, end->icount, crash,
                        crash != CV_NEVER || !well);
}

bool cv_recorder_finish(struct cv_recorder *rec, struct cv_error *err)
{
    struct cv_position pos;
    uint32_t guest_exit = 0;
    cv_vm_position(rec->vm, &pos);
    enum cv_vm_end reason = cv_vm_end(rec->vm, &guest_exit);
    if (reason == CV_END_NONE && pos.phase == CV_PHASE_IDLE &&
        cv_vm_next_deadline(rec->vm) == CV_NEVER) {
        reason = CV_END_HALTED;
    }
    struct cv_end_record end = {
        .icount = pos.icount,
        .vtime = pos.vtime,
        .flags = flags_at(rec, &pos),
        .reason = reason,
        .guest_exit = guest_exit,
    };
    /* after a failure the trace ends here all the same: nothing has run beyond what is
     * logged */
    if (!cv_recorder_failed(rec, NULL)) {
        take_digest(rec, true);
        log_last_marks(rec, &end);
    }
    if (rec->keyframes != NULL && !cv_recorder_failed(rec, NULL)) {
        store_last(rec, &end);
    }
    return cv_writer_finish(rec->writer, &end, err);
}

void cv_recorder_stats(const struct cv_recorder *rec, struct cv_record_stats *stats)
{
    struct cv_writer_stats w;
    cv_writer_stats(rec->writer, &w);
    *stats = (struct cv_record_stats){
        .file_bytes = w.file_bytes,
        .image_bytes = w.image_bytes,
        .stored_bytes = w.stored_bytes,
        .log_bytes = w.file_bytes - w.image_bytes - w.stored_bytes,
        .events = w.events,
        .digests = w.digests,
        .digest_ns = rec->digest_ns,
        .append_ns = rec->append_ns,
    };
    if (rec->keyframes != NULL) {
        cv_keyframes_stats(rec->keyframes, &stats->stored);
    }
}
