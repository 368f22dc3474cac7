/*
 * vm.h - the machine: create, run to an exact position, feed, save, load
 *
 * A machine is a pure function of its config and the inputs it is given (DESIGN.md section 4). It owns CPU,
 * RAM, TLB, translator, interpreter and board.
 *
 * The loop. cv_vm_run() repeats, until icount == limit:
 *   B1  boundary, PHASE_STEP: return when icount == limit, or a stop was asked for
 *   B2  serve device events due at vtime (cv_timeq_run), then the ended/reset flags
 *   B3  deliver what is pending (cv_boundary_deliver: 1 step each), back to B1
 *   B4  halted and nothing pending: PHASE_IDLE: return CV_VM_IDLE; the caller jumps the clock
 *       (cv_vm_idle_jump) or feeds an input, and calls again
 *   B5  run the CPU to min(limit, next device deadline, 2^20 steps), back to B1
 * An input given after a return is therefore at PHASE_STEP or PHASE_IDLE as cv_vm_position() says, and
 * replay can name that very place.
 *
 * Units:   icount in steps, vtime in ns, RAM in bytes
 * State:   cv_vm_save() writes every section; RAM is apart (core/mem/ram.h)
 * Thread:  engine thread only, except cv_vm_stop()
 */
#ifndef CV_CORE_VM_H
#define CV_CORE_VM_H

#include "core/base/error.h"
#include "core/base/inlet.h"
#include "core/cpu/tap.h"
#include "core/translate/exec.h"

struct cv_board;
struct cv_ram;
struct cv_cpu;

enum cv_on_reset { CV_ON_RESET_END, CV_ON_RESET_RESTART, CV_ON_RESET_STOP };

enum cv_image_kind { /* hand-numbered: in traces */
    CV_IMAGE_KERNEL = 1, CV_IMAGE_INITRD = 2, CV_IMAGE_FIRMWARE = 3 };

struct cv_image {
    const uint8_t *data; /* borrowed during cv_vm_new and each reset: lives as long as the vm */
    uint64_t len;        /* 0: absent */
};

#define CV_APPEND_MAX 2047u

struct cv_vm_config { /* everything a guest can see; stored in the trace's machine chunk */
    uint64_t ram_bytes;  /* multiple of 1 MiB, 16 MiB (mini guests: 1 MiB) .. 16 GiB */
    uint32_t cpus;       /* 1 */
    uint64_t seed;       /* RDRAND generator */
    int64_t rtc_epoch;   /* seconds since 1970 at vtime 0 */
    uint8_t on_reset;    /* enum cv_on_reset */
    char append[CV_APPEND_MAX + 1];
    struct cv_image kernel, initrd;
};

enum cv_vm_exit {
    CV_VM_LIMIT,   /* icount == limit, PHASE_STEP */
    CV_VM_STOPPED, /* cv_vm_stop() was seen, PHASE_STEP */
    CV_VM_IDLE,    /* PHASE_IDLE */
    CV_VM_BREAK,   /* at a breakpoint, before the instruction; PHASE_STEP */
    CV_VM_HIT,     /* a watch or tap was met in the step before: cv_vm_hit(); PHASE_STEP */
    CV_VM_ENDED,   /* cv_vm_end() says why; nothing runs any more */
    CV_VM_RESET,   /* config.on_reset == STOP and the guest asked for a reset */
};
enum cv_vm_end {
    CV_END_NONE, CV_END_POWEROFF, CV_END_RESET, CV_END_TRIPLE_FAULT, CV_END_GUEST_EXIT,
    CV_END_HALTED /* halted for good: nothing pending and no input possible */
};

/* What the machine tells the outside; called at definite steps, never changing the guest. General
 * registers only. May be NULL. */
struct cv_vm_outlet {
    void *arg;
    void (*serial)(void *arg, unsigned unit, uint8_t byte);
    /* An exception was delivered at CPL 0 (vector #DE #UD #DF #GP #PF); rip is the faulting
     * instruction's; icount is the position before the delivery step; frame is the address
     * where RIP was pushed. */
    void (*exception)(void *arg, cv_icount icount, unsigned vector, uint64_t rip,
                      uint64_t frame, uint64_t cr2);
    /* An IRET at CPL 0 is about to pop the frame at this address. */
    void (*iret)(void *arg, uint64_t frame);
    void (*pvpanic)(void *arg, cv_icount icount, unsigned event);
};

struct cv_vm; /* opaque */

/* Builds the machine, loads images, resets. Config is copied (images borrowed). exec NULL:
 * defaults. NULL with err: bad image (65), no memory (71), host lacks a feature (69). */
struct cv_vm *cv_vm_new(const struct cv_vm_config *config, const struct cv_exec_config *exec,
                        unsigned tlb_entries, struct cv_error *err);
void cv_vm_free(struct cv_vm *vm);

void cv_vm_set_inlet(struct cv_vm *vm, struct cv_inlet *inlet);
void cv_vm_set_outlet(struct cv_vm *vm, const struct cv_vm_outlet *outlet);

enum cv_vm_exit cv_vm_run(struct cv_vm *vm, cv_icount limit);
/* Runs until PHASE_IDLE at exactly this icount; replay uses it for inputs logged there. Returns as
 * cv_vm_run; CV_VM_LIMIT when icount went past without idling (a divergence). */
enum cv_vm_exit cv_vm_run_to_idle(struct cv_vm *vm, cv_icount at);
/* Any thread: the run in progress (or the next) returns CV_VM_STOPPED within 2^20 steps. */
void cv_vm_stop(struct cv_vm *vm);
void cv_vm_clear_stop(struct cv_vm *vm);

/* Only in PHASE_IDLE: moves the clock to vtime (>= now, <= next deadline). */
void cv_vm_idle_jump(struct cv_vm *vm, cv_vtime_ns vtime);
cv_vtime_ns cv_vm_next_deadline(const struct cv_vm *vm); /* CV_NEVER: none */

/* Offers the input to the inlet, then applies it. False: refused by the inlet or malformed. */
bool cv_vm_input(struct cv_vm *vm, const struct cv_input *input) CV_MUST_CHECK;
/* How many bytes serial unit can take now without dropping; the host side waits. */
unsigned cv_vm_serial_room(const struct cv_vm *vm, unsigned unit);

void cv_vm_position(const struct cv_vm *vm, struct cv_position *pos);
cv_icount cv_vm_icount(const struct cv_vm *vm);
enum cv_vm_end cv_vm_end(const struct cv_vm *vm, uint32_t *guest_exit_value);

/* All state but RAM, canonical; cap CV_VM_STATE_MAX is always enough. Works at any boundary, ended
 * machines included. Load validates and drops every derived cache; on false the machine must
 * be freed or loaded again. */
#define CV_VM_STATE_MAX 65536u
size_t cv_vm_save(struct cv_vm *vm, uint8_t *buf, size_t cap);
bool cv_vm_load(struct cv_vm *vm, const uint8_t *buf, size_t len) CV_MUST_CHECK;
/* Names the component that byte `offset` of a state image belongs to ("cpu", "uart"). */
const char *cv_vm_section_at(const uint8_t *buf, size_t len, size_t offset);

struct cv_ram *cv_vm_ram(struct cv_vm *vm);
const struct cv_cpu *cv_vm_cpu(const struct cv_vm *vm, unsigned index);
void cv_vm_breakpoints(struct cv_vm *vm, const cv_gva *list, size_t count);
void cv_vm_skip_first_break(struct cv_vm *vm);
/* What the next runs look for besides breakpoints (core/cpu/tap.h). The list is copied; watches are numbered by their
 * place in it, at most CV_WATCHES_MAX of them. A run that meets something returns CV_VM_HIT at the boundary after that
 * step, before it looks at a breakpoint there (the next run finds that one); a step that ends the machine returns
 * CV_VM_ENDED, with cv_vm_hit() telling of it all the same. Found while serving devices or inputs at icount N: the step
 * from N is taken first. Writing RAM outside of runs and inputs (loading a checkpoint) and cv_vm_load() meet nothing,
 * and watches stay armed over them. The same list again costs nothing and forgets nothing. False: no memory, or a watch
 * that wraps, is too long or of no kind; nothing changed. */
bool cv_vm_watch(struct cv_vm *vm, const struct cv_watch *list, size_t count, uint32_t taps) CV_MUST_CHECK;
/* What was met in the step before this boundary: after CV_VM_HIT, or CV_VM_ENDED. Until the next run, cv_vm_load() or
 * cv_vm_watch(); NULL: nothing. */
const struct cv_tap_hit *cv_vm_hit(const struct cv_vm *vm);
const struct cv_exec_stats *cv_vm_exec_stats(const struct cv_vm *vm);

#endif
