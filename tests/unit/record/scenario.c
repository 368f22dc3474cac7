#include "tests/unit/record/scenario.h"

#include "record/digest.h"

#include <stdlib.h>
#include <string.h>

struct host {
    struct cv_recorder *rec;
    struct cv_vm *vm;
    const struct scenario *s;
    struct outcome *out;
    unsigned seed;
    struct cv_worker worker; /* works when its time has come */
    struct cv_work *work;
    unsigned wait; /* slices until then */
};

void scenario_state(struct cv_vm *vm, uint8_t out[16])
{
    static uint8_t buf[CV_VM_STATE_MAX];
    size_t len = cv_vm_save(vm, buf, sizeof(buf));
    struct cv_hash128 ram = cv_ram_digest_full(cv_vm_ram(vm));
    struct cv_hash128 all = cv_digest_fold(ram, cv_vm_icount(vm), buf, len);
    memcpy(out, &all, 16);
}

static void do_work(struct host *h)
{
    struct cv_work *work = h->work;
    h->work = NULL;
    if (work != NULL) {
        cv_work_run(work);
    }
}

static void submit_work(void *arg, struct cv_work *work)
{
    struct host *h = arg;
    do_work(h); /* in order, when there is more than one */
    h->work = work;
    h->wait = h->s->lag;
}

static void wait_for_work(void *arg, struct cv_work *work)
{
    (void)work;
    do_work(arg);
}

static bool chance(struct host *h, unsigned odds)
{
    return odds != 0 && (unsigned)rand_r(&h->seed) % odds == 0;
}

static void feed(struct host *h, uint8_t kind, const void *data, uint32_t len)
{
    struct cv_input input = {.kind = kind, .len = len, .data = data};
    if (cv_vm_input(h->vm, &input)) {
        h->out->accepted++;
    }
}

static void feed_big(struct host *h)
{
    static uint8_t bytes[60000];
    uint64_t gpa = 0x100000;
    for (size_t i = 8; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 31 + h->out->accepted * (i >> 4));
    }
    memcpy(bytes, &gpa, 8);
    feed(h, CV_INPUT_POKE_MEM, bytes, sizeof(bytes));
}

static void feed_something(struct host *h)
{
    if (h->s->big) {
        feed_big(h);
        return;
    }
    uint8_t bytes[4096 + 8] = {0};
    unsigned what = (unsigned)rand_r(&h->seed) % 8;
    if (what == 0) {
        uint32_t len = 8 + (unsigned)rand_r(&h->seed) % 4096;
        uint64_t gpa = 0x40000 + (uint64_t)(rand_r(&h->seed) % 65536);
        memcpy(bytes, &gpa, 8);
        for (uint32_t i = 8; i < len; i++) {
            bytes[i] = (uint8_t)rand_r(&h->seed);
        }
        feed(h, CV_INPUT_POKE_MEM, bytes, len);
    } else if (what == 1 && h->s->resets) {
        bytes[0] = CV_COMMAND_RESET;
        feed(h, CV_INPUT_COMMAND, bytes, 1);
    } else {
        uint32_t len = 1 + (unsigned)rand_r(&h->seed) % 5;
        for (uint32_t i = 0; i < len; i++) {
            bytes[i] = (uint8_t) "abcdfr0123"[rand_r(&h->seed) % 10];
        }
        feed(h, CV_INPUT_SERIAL, bytes, len);
    }
}

static void be_idle(struct host *h)
{
    cv_vtime_ns deadline = cv_vm_next_deadline(h->vm);
    struct cv_position pos;
    cv_vm_position(h->vm, &pos);
    if (chance(h, h->s->input_odds)) {
        unsigned how = (unsigned)rand_r(&h->seed) % 5;
        if (how == 0) {
            cv_vm_idle_jump(h->vm,
                            deadline); /* an input at the very deadline, not served yet */
        } else if (how < 3 && deadline > pos.vtime) {
            cv_vm_idle_jump(h->vm, pos.vtime + (unsigned)rand_r(&h->seed) %
                                                   (deadline - pos.vtime));
        }
        if (how == 2) {
            return; /* the clock moved, no input, run again */
        }
        feed_something(h);
        if (chance(h, 3)) {
            feed_something(h);
        }
        if (chance(h, 4)) { /* move the clock behind an input without running */
            cv_vtime_ns next = cv_vm_next_deadline(h->vm);
            cv_vm_position(h->vm, &pos);
            cv_vm_idle_jump(h->vm, pos.vtime + (next - pos.vtime) / 2);
            feed_something(h);
        }
        return;
    }
    cv_vm_idle_jump(h->vm, deadline);
    if (chance(h, 16)) { /* a stop is seen at B1 with the clock jumped */
        cv_vm_stop(h->vm);
    }
}

static void see_exception(void *arg, cv_icount icount, unsigned vector, uint64_t rip,
                          uint64_t frame, uint64_t cr2)
{
    cv_recorder_exception(((struct host *)arg)->rec, icount, vector, rip, frame, cr2);
}

static void see_iret(void *arg, uint64_t frame)
{
    cv_recorder_iret(((struct host *)arg)->rec, frame);
}

static void see_panic(void *arg, cv_icount icount, unsigned event)
{
    cv_recorder_pvpanic(((struct host *)arg)->rec, icount, event);
}

static void run_host(struct host *h, unsigned sync_every)
{
    uint64_t slice = h->s->slice == 0 ? 300000 : h->s->slice;
    unsigned count = 0;
    bool last_fed = h->s->last == NULL;
    while (!cv_recorder_failed(h->rec, NULL)) {
        if (h->work != NULL && h->wait-- == 0) {
            do_work(h);
        }
        cv_icount now = cv_vm_icount(h->vm);
        if (now >= h->s->steps && !last_fed) {
            feed(h, CV_INPUT_SERIAL, h->s->last, (uint32_t)strlen(h->s->last));
            last_fed = true;
        } else if (now >= h->s->steps + (h->s->last != NULL ? 100000 : 0)) {
            return;
        }
        cv_icount limit = now + 1 + (uint64_t)rand_r(&h->seed) % slice;
        if (now < h->s->steps && limit > h->s->steps) {
            limit = h->s->steps;
        }
        enum cv_vm_exit exit = cv_recorder_run(h->rec, limit);
        if (cv_recorder_failed(h->rec, NULL)) {
            return;
        }
        if (exit == CV_VM_ENDED) {
            return;
        }
        if (exit == CV_VM_STOPPED) {
            cv_vm_clear_stop(h->vm);
        }
        if (exit == CV_VM_IDLE) {
            be_idle(h);
        } else if (chance(h, h->s->input_odds)) {
            feed_something(h);
        }
        uint64_t events = h->out->accepted;
        if (sync_every != 0 && ++count % sync_every == 0 && cv_recorder_sync(h->rec)) {
            h->out->durable_events = events;
        }
    }
}

void scenario_record(const struct scenario *s, struct memfile *m, unsigned sync_every,
                     bool close, struct outcome *out)
{
    static uint8_t kernel[3 << 20];
    struct cv_vm_config config = {.ram_bytes = 4 << 20,
                                  .cpus = 1,
                                  .seed = s->seed,
                                  .rtc_epoch = -5,
                                  .on_reset = s->on_reset,
                                  .append = "console=ttyS0",
                                  .kernel = {kernel, s->kernel_len},
                                  .initrd = {kernel + 1000, s->kernel_len / 2}};
    struct host h = {.s = s, .out = out, .seed = s->seed};
    h.worker =
        (struct cv_worker){.arg = &h, .submit = submit_work, .wait = wait_for_work};
    struct cv_record_options options = {.fine_digests = s->fine,
                                        .tool = "test 1.0",
                                        .stored_bound = s->stored_bound,
                                        .stored_spacing = s->stored_spacing,
                                        .worker = s->lag > 0 ? &h.worker : NULL};
    if (s->small) {
        memcpy(config.append, "small", sizeof("small"));
    }
    memset(out, 0, sizeof(*out));
    if (kernel[1] == 0) {
        unsigned seed = 7;
        for (size_t i = 0; i < sizeof(kernel); i++) {
            kernel[i] = i % 3000 < 1500 ? (uint8_t)(rand_r(&seed) >> 8) : 0x90;
        }
        kernel[1] = 1;
    }
    h.vm = cv_vm_new(&config, NULL, 0, NULL);
    struct cv_vm_outlet outlet = {
        .arg = &h, .exception = see_exception, .iret = see_iret, .pvpanic = see_panic};
    cv_vm_set_outlet(h.vm, &outlet);
    h.rec = cv_recorder_new(&m->file, h.vm, &config, &options, &out->error);
    out->opened = h.rec != NULL;
    if (h.rec != NULL) {
        run_host(&h, sync_every);
        if (close) {
            out->finished = cv_recorder_finish(h.rec, &out->error);
            cv_recorder_stats(h.rec, &out->stats);
        }
        cv_vm_position(h.vm, &out->end);
        scenario_state(h.vm, out->state);
    }
    cv_recorder_free(h.rec);
    cv_vm_free(h.vm);
}
