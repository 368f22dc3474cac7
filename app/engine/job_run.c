/*
 * job_run.c - run and record: the live machine, its clock and its inputs
 *
 * Pacing (law, point 5). The guest's clock jumps only while the CPU is halted. --pace=fast jumps at once;
 * --pace=real waits until the host's clock, anchored at the start, has reached the deadline, and an input that
 * comes earlier takes effect at the virtual time of its arrival. A guest that fell more than 100 ms behind is
 * anchored anew, never hurried.
 */
#include "app/engine/engine.h"
#include "app/engine/sandbox.h"
#include "app/engine/worker.h"
#include "core/base/inlet.h"
#include "record/recorder.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define IMAGE_MAX      (512ull << 20)
#define REANCHOR_NS    100000000ull

struct live {
    struct cv_engine *engine;
    struct cv_vm *vm;
    struct cv_recorder *rec; /* NULL: not recording */
    struct cv_background background; /* packs stored checkpoints, */
    bool has_background;             /* while this is set */
    uint64_t anchor_host_ns, anchor_vtime;
};

static uint64_t host_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t vtime_now(struct live *live)
{
    struct cv_position pos;
    cv_vm_position(live->vm, &pos);
    return pos.vtime;
}

/* -- outlets: called inside the run --------------------------------------------------------------- */

__attribute__((target("general-regs-only"))) static void put_serial(void *arg, unsigned unit,
                                                                    uint8_t byte)
{
    struct live *live = arg;
    if (unit == 0) {
        cv_mailbox_put_out(&live->engine->box, byte);
        if (live->rec != NULL) {
            cv_recorder_serial(live->rec, byte);
        }
    }
}

__attribute__((target("general-regs-only"))) static void
put_exception(void *arg, cv_icount icount, unsigned vector, uint64_t rip, uint64_t frame,
              uint64_t cr2)
{
    struct live *live = arg;
    if (live->rec != NULL) {
        cv_recorder_exception(live->rec, icount, vector, rip, frame, cr2);
    }
}

__attribute__((target("general-regs-only"))) static void put_iret(void *arg, uint64_t frame)
{
    struct live *live = arg;
    if (live->rec != NULL) {
        cv_recorder_iret(live->rec, frame);
    }
}

__attribute__((target("general-regs-only"))) static void put_pvpanic(void *arg, cv_icount icount,
                                                                     unsigned event)
{
    struct live *live = arg;
    if (live->rec != NULL) {
        cv_recorder_pvpanic(live->rec, icount, event);
    }
}

/* -- inputs ------------------------------------------------------------------------------------------ */

/* Feeds what the mailbox holds as far as the UART has room. False: it could not be logged. */
static bool feed_inputs(struct live *live)
{
    uint8_t data[CV_MAILBOX_IN];
    unsigned room = cv_vm_serial_room(live->vm, 0);
    unsigned n = cv_mailbox_take_in(&live->engine->box, data,
                                    room < sizeof(data) ? room : (unsigned)sizeof(data));
    if (n == 0) {
        return true;
    }
    struct cv_input input = {.kind = CV_INPUT_SERIAL, .unit = 0, .len = n, .data = data};
    return cv_vm_input(live->vm, &input);
}

static void anchor(struct live *live)
{
    live->anchor_host_ns = host_ns();
    live->anchor_vtime = vtime_now(live);
}

/* Moves the idle clock to where the host's clock is, short of the deadline. */
static void catch_up(struct live *live, cv_vtime_ns deadline)
{
    uint64_t vtime = live->anchor_vtime + (host_ns() - live->anchor_host_ns);
    if (vtime >= deadline) {
        vtime = deadline - 1;
    }
    if (vtime > vtime_now(live)) {
        cv_vm_idle_jump(live->vm, vtime);
    }
}

enum idle { IDLE_GO, IDLE_FOR_GOOD, IDLE_FAILED };

/* The CPU is halted: jump, wait, or feed. */
static enum idle serve_idle(struct live *live)
{
    struct cv_mailbox *box = &live->engine->box;
    cv_vtime_ns deadline = cv_vm_next_deadline(live->vm);
    bool possible = cv_mailbox_input_possible(box);
    if (deadline == CV_NEVER && !possible) {
        return IDLE_FOR_GOOD;
    }
    if (!live->engine->job.pace_real && deadline != CV_NEVER) {
        if (!feed_inputs(live)) {
            return IDLE_FAILED;
        }
        if (cv_vm_next_deadline(live->vm) == deadline) {
            cv_vm_idle_jump(live->vm, deadline);
        }
        return IDLE_GO;
    }
    uint64_t due = UINT64_MAX;
    if (deadline != CV_NEVER) {
        uint64_t now = host_ns();
        if (now - live->anchor_host_ns >
            vtime_now(live) - live->anchor_vtime + REANCHOR_NS) {
            anchor(live);
        }
        due = live->anchor_host_ns + (deadline - live->anchor_vtime);
    }
    if (cv_mailbox_wait(box, due)) {
        if (live->engine->job.pace_real) {
            catch_up(live, deadline);
        }
        return feed_inputs(live) ? IDLE_GO : IDLE_FAILED;
    }
    cv_vm_idle_jump(live->vm, deadline);
    return IDLE_GO;
}

/* -- the run ------------------------------------------------------------------------------------------ */

static enum cv_vm_exit run_slice(struct live *live, cv_icount limit)
{
    return live->rec != NULL ? cv_recorder_run(live->rec, limit) : cv_vm_run(live->vm, limit);
}

static const char *describe_end(struct live *live, char *buf, size_t cap)
{
    uint32_t value = 0;
    switch (cv_vm_end(live->vm, &value)) {
    case CV_END_POWEROFF:
        return "guest powered off";
    case CV_END_RESET:
        return "guest reset";
    case CV_END_TRIPLE_FAULT:
        return "guest triple fault";
    case CV_END_GUEST_EXIT:
        snprintf(buf, cap, "guest exit %u", value);
        return buf;
    default:
        return "guest halted for good";
    }
}

static void finish_note(struct live *live, const char *why)
{
    struct cv_position pos;
    cv_vm_position(live->vm, &pos);
    snprintf(live->engine->note, sizeof(live->engine->note),
             "%s (at step %llu, virtual time %llu.%03llu s)", why,
             (unsigned long long)pos.icount, (unsigned long long)(pos.vtime / 1000000000u),
             (unsigned long long)(pos.vtime / 1000000u % 1000u));
}

static void run_machine(struct live *live)
{
    struct cv_engine *engine = live->engine;
    char buf[64];
    cv_icount limit = engine->job.has_until ? engine->job.until : CV_NEVER;
    anchor(live);
    for (;;) {
        enum cv_vm_exit out = run_slice(live, limit);
        bool failed = live->rec != NULL && cv_recorder_failed(live->rec, NULL);
        if (!failed && out == CV_VM_IDLE) {
            enum idle idle = serve_idle(live);
            if (idle == IDLE_FOR_GOOD) {
                finish_note(live, "guest halted for good");
                return;
            }
            failed = idle == IDLE_FAILED;
        } else if (!failed && out == CV_VM_STOPPED) {
            cv_vm_clear_stop(live->vm);
            failed = !feed_inputs(live);
        }
        if (failed) {
            struct cv_error err = {0};
            if (live->rec == NULL || !cv_recorder_failed(live->rec, &err)) {
                cv_error_set(&err, CV_EXIT_INTERNAL, "%s: an input was refused",
                             engine->job.name);
            }
            cv_engine_fail(engine, &err);
            return;
        }
        if (cv_mailbox_quitting(&engine->box)) {
            finish_note(live, "stopped");
            return;
        }
        if (out == CV_VM_ENDED) {
            uint32_t value = 0;
            if (cv_vm_end(live->vm, &value) == CV_END_GUEST_EXIT) {
                engine->exit_code = (int)((value << 1 | 1) & 0xff);
            }
            finish_note(live, describe_end(live, buf, sizeof(buf)));
            return;
        }
        if (out == CV_VM_LIMIT || out == CV_VM_RESET) {
            finish_note(live, out == CV_VM_RESET ? "guest reset" : "reached --until");
            return;
        }
    }
}

static bool make_config(struct cv_engine *engine, struct cv_vm_config *config,
                        struct cv_error *err)
{
    const struct cv_job *job = &engine->job;
    memset(config, 0, sizeof(*config));
    config->ram_bytes = job->ram_bytes;
    config->cpus = job->cpus;
    config->seed = job->seed;
    config->rtc_epoch = job->rtc_epoch;
    config->on_reset = job->on_reset;
    memcpy(config->append, job->append, sizeof(config->append));
    if (job->fd[CV_JOB_FD_KERNEL] < 0) {
        return cv_error_set(err, CV_EXIT_USAGE, "machine: --kernel is missing");
    }
    return cv_engine_read_image(job->fd[CV_JOB_FD_KERNEL], "kernel", IMAGE_MAX, &config->kernel,
                                err) &&
           (job->fd[CV_JOB_FD_INITRD] < 0 ||
            cv_engine_read_image(job->fd[CV_JOB_FD_INITRD], "initrd", IMAGE_MAX, &config->initrd,
                                 err));
}

static void publish_recorder(struct cv_engine *engine, struct cv_recorder *rec)
{
    pthread_mutex_lock(&engine->box.lock);
    engine->recorder = rec;
    pthread_mutex_unlock(&engine->box.lock);
}

static bool start_recorder(struct live *live, const struct cv_file *file,
                           const struct cv_vm_config *config, struct cv_error *err)
{
    const struct cv_job *job = &live->engine->job;
    live->has_background = job->stored_bound > 0 && cv_background_start(&live->background);
    struct cv_record_options options = {
        .fine_digests = job->fine_digests,
        .tool = "chronovisor",
        .mark_pattern = job->mark_pattern,
        .stored_bound = job->stored_bound,
        .stored_spacing = job->stored_spacing,
        .worker = live->has_background ? &live->background.worker : NULL,
    };
    live->rec = cv_recorder_new(file, live->vm, config, &options, err);
    publish_recorder(live->engine, live->rec);
    return live->rec != NULL;
}

/* Adds to the note what opening the trace fast costs. */
static void note_stored(struct live *live)
{
    struct cv_record_stats r;
    char *note = live->engine->note;
    size_t len = strlen(note);
    cv_recorder_stats(live->rec, &r);
    if (len > 0 && r.stored_bytes > 0) {
        snprintf(note + len, sizeof(live->engine->note) - len,
                 "; stored checkpoints: %u, %llu KiB", r.stored.stored,
                 (unsigned long long)(r.stored_bytes + 1023) >> 10);
    }
}

static void print_stats(struct live *live)
{
    const struct cv_exec_stats *x = cv_vm_exec_stats(live->vm);
    if (!live->engine->job.stats) {
        return;
    }
    dprintf(2,
            "chronovisor: stats: native %llu interpreted %llu blocks %llu host-bytes %llu "
            "entries %llu slow %llu fills %llu flushes %llu invalidated %llu\n",
            (unsigned long long)x->native_steps, (unsigned long long)x->interp_steps,
            (unsigned long long)x->blocks, (unsigned long long)x->host_bytes,
            (unsigned long long)x->entries, (unsigned long long)x->exits_slow,
            (unsigned long long)x->tlb_fills, (unsigned long long)x->flushes,
            (unsigned long long)x->invalidated);
    if (live->rec != NULL) {
        struct cv_record_stats r;
        cv_recorder_stats(live->rec, &r);
        dprintf(2,
                "chronovisor: stats: file %llu images %llu stored %llu log %llu bytes, events "
                "%llu digests %llu, digest %llu us append %llu us\n",
                (unsigned long long)r.file_bytes, (unsigned long long)r.image_bytes,
                (unsigned long long)r.stored_bytes, (unsigned long long)r.log_bytes,
                (unsigned long long)r.events, (unsigned long long)r.digests,
                (unsigned long long)r.digest_ns / 1000, (unsigned long long)r.append_ns / 1000);
        dprintf(2,
                "chronovisor: stats: stored checkpoints %u, last at %llu; engine %llu us packing "
                "%llu us keeping %llu us, pages kept %llu packed %llu%s\n",
                r.stored.stored, (unsigned long long)r.stored.last,
                (unsigned long long)r.stored.engine_ns / 1000,
                (unsigned long long)r.stored.pack_ns / 1000,
                (unsigned long long)r.stored.keep_ns / 1000,
                (unsigned long long)r.stored.pages_kept,
                (unsigned long long)r.stored.pages_packed,
                r.stored.gave_up ? "; the disk took no more" : "");
    }
}

void cv_engine_run(struct cv_engine *engine)
{
    struct live live = {.engine = engine};
    struct cv_vm_config config;
    struct cv_file file;
    struct cv_error err = {0};
    struct cv_vm_outlet outlet = {.arg = &live,
                                  .serial = put_serial,
                                  .exception = put_exception,
                                  .iret = put_iret,
                                  .pvpanic = put_pvpanic};
    bool recording = strcmp(engine->job.method, "record") == 0;
    bool ok = make_config(engine, &config, &err);
    if (ok) {
        live.vm = cv_vm_new(&config, &engine->job.exec, engine->job.tlb_entries, &err);
        ok = live.vm != NULL && cv_sandbox_seal(&err);
    }
    if (ok && recording) {
        cv_file_from_fd(&file, engine->job.fd[CV_JOB_FD_TRACE]);
        ok = start_recorder(&live, &file, &config, &err);
    }
    if (ok) {
        cv_vm_set_outlet(live.vm, &outlet);
        cv_mailbox_bind(&engine->box, live.vm);
        run_machine(&live);
        cv_mailbox_bind(&engine->box, NULL);
    } else {
        cv_engine_fail(engine, &err);
    }
    if (live.rec != NULL) {
        publish_recorder(engine, NULL);
        if (!cv_recorder_finish(live.rec, &err) && engine->err.code == 0) {
            cv_engine_fail(engine, &err);
        }
        note_stored(&live);
        print_stats(&live);
        cv_recorder_free(live.rec);
    } else if (live.vm != NULL) {
        print_stats(&live);
    }
    if (live.has_background) {
        cv_background_stop(&live.background);
    }
    cv_vm_free(live.vm);
}
