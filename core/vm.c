#include "core/vm.h"
#include "core/base/check.h"
#include "core/base/hostmem.h"
#include "core/board/pc.h"
#include "core/cpu/fpu.h"
#include "core/interp/interp.h"
#include "core/load/load.h"
#include "core/mem/ram.h"
#include "core/mem/taps.h"
#include "core/mem/tlb.h"
#include "core/system/control.h"
#include "core/system/interrupt.h"
#include "core/vm_private.h"

#define VM_RUN_STEPS  (1u << 20)  /* the CPU returns here at least this often */
#define RTC_EPOCH_MAX (1ll << 39) /* seconds from 1970, either way */

/* -- building and resetting --------------------------------------------------------------------- */

/* Power-on and every restart: devices, CPU, tables, then the kernel. RAM keeps its content. */
static bool reset_machine(struct cv_vm *vm, struct cv_error *err)
{
    struct cv_load_input in = {
        .kernel = vm->config.kernel.data,
        .kernel_len = vm->config.kernel.len,
        .initrd = vm->config.initrd.data,
        .initrd_len = vm->config.initrd.len,
        .append = vm->config.append,
        .rsdp = cv_board_rsdp(vm->board),
    };
    vm->reset_pending = false;
    cv_board_reset(vm->board);
    cv_cpu_reset(&vm->cpu, vm->config.seed);
    vm->cpu.skew = (int64_t)cv_board_timeq(vm->board)->skew;
    cv_board_tsc_offset(vm->board, 0, vm->cpu.tsc_offset);
    cv_board_write_tables(vm->board);
    bool ok = cv_load_kernel(&in, &vm->ram, &vm->cpu, err);
    cv_tlb_drop_all(vm->tlb);
    cv_exec_flush(vm->exec);
    cv_control_changed(&vm->cpu);
    return ok;
}

static bool check_config(const struct cv_vm_config *config, struct cv_error *err)
{
    if (config->ram_bytes < (1u << 20) || config->ram_bytes > CV_RAM_MAX_BYTES ||
        (config->ram_bytes & ((1u << 20) - 1)) != 0) {
        return cv_error_set(err, CV_EXIT_USAGE,
                            "memory: %lu bytes is not between 1M and 16G in whole MiB",
                            (unsigned long)config->ram_bytes);
    }
    if (config->rtc_epoch < -RTC_EPOCH_MAX || config->rtc_epoch > RTC_EPOCH_MAX) {
        return cv_error_set(err, CV_EXIT_DATA, "rtc: %ld s is no date", (long)config->rtc_epoch);
    }
    if (config->cpus != 1) {
        return cv_error_set(err, CV_EXIT_USAGE, "cpus: this version has 1 CPU, not %u",
                            config->cpus);
    }
    return true;
}

static bool build_machine(struct cv_vm *vm, const struct cv_exec_config *exec,
                          unsigned tlb_entries)
{
    struct cv_board_config board = {
        .ram_bytes = vm->config.ram_bytes,
        .rtc_epoch = vm->config.rtc_epoch,
        .cpus = vm->config.cpus,
    };
    struct cv_board_host host;
    cv_vm_fill_host(vm, &host);
    vm->ram_made = cv_ram_init(&vm->ram, vm->config.ram_bytes);
    if (!vm->ram_made) {
        return false;
    }
    vm->tlb = cv_tlb_new(&vm->ram, tlb_entries);
    vm->interp = cv_interp_new();
    vm->board = cv_board_new(&board, &vm->ram, &host);
    if (vm->tlb == NULL || vm->interp == NULL || vm->board == NULL) {
        return false;
    }
    cv_vm_wire_cpu(vm);
    cv_tlb_bind(vm->tlb, &vm->cpu);
    vm->exec = cv_exec_new(&vm->cpu, vm->interp, exec);
    return vm->exec != NULL;
}

struct cv_vm *cv_vm_new(const struct cv_vm_config *config, const struct cv_exec_config *exec,
                        unsigned tlb_entries, struct cv_error *err)
{
    static const struct cv_exec_config defaults = {.cache_bytes = 64u << 20,
                                                   .block_insns = 64};
    if (!check_config(config, err)) {
        return NULL;
    }
    struct cv_vm *vm = cv_hostmem_pages_new(sizeof(*vm));
    if (vm == NULL) {
        cv_error_set(err, CV_EXIT_OS, "memory: the host has none for a machine");
        return NULL;
    }
    vm->config = *config;
    if (!build_machine(vm, exec != NULL ? exec : &defaults,
                       tlb_entries != 0 ? tlb_entries : CV_TLB_ENTRIES_MAX)) {
        cv_error_set(err, CV_EXIT_OS, "memory: the host cannot give the guest %lu MiB",
                     (unsigned long)(config->ram_bytes >> 20));
        cv_vm_free(vm);
        return NULL;
    }
    cv_cpu_set_deadline(&vm->cpu, 0);
    if (!reset_machine(vm, err)) {
        cv_vm_free(vm);
        return NULL;
    }
    vm->disturbed = exec != NULL && exec->watch_all;
    return vm;
}

void cv_vm_free(struct cv_vm *vm)
{
    if (vm == NULL) {
        return;
    }
    cv_taps_free(vm->taps);
    cv_exec_free(vm->exec);
    cv_board_free(vm->board);
    cv_interp_free(vm->interp);
    cv_tlb_free(vm->tlb);
    if (vm->ram_made) {
        cv_ram_fini(&vm->ram);
    }
    cv_hostmem_pages_free(vm, sizeof(*vm));
}

/* -- the loop ------------------------------------------------------------------------------------ */

/* A reset or a triple fault is due: does what config.on_reset says. True: go on running. */
static bool serve_reset(struct cv_vm *vm, enum cv_vm_exit *out)
{
    bool triple = vm->cpu.shutdown != 0;
    if (vm->config.on_reset == CV_ON_RESET_END) {
        cv_vm_end_machine(vm, triple ? CV_END_TRIPLE_FAULT : CV_END_RESET, 0);
        *out = CV_VM_ENDED;
        return false;
    }
    /* The images loaded once at creation, so they load again. */
    bool ok = reset_machine(vm, NULL);
    CV_ASSERT(ok);
    *out = CV_VM_RESET;
    return vm->config.on_reset == CV_ON_RESET_RESTART;
}

static cv_icount next_stop(struct cv_vm *vm, cv_icount now, cv_icount limit)
{
    if (vm->cpu.taps != NULL && cv_taps_pending(vm->cpu.taps)) {
        return now + 1; /* found at this boundary: it belongs to the next step */
    }
    cv_icount stop = limit < now + VM_RUN_STEPS ? limit : now + VM_RUN_STEPS;
    cv_icount due = cv_timeq_next_icount(cv_board_timeq(vm->board));
    if (due < stop) {
        stop = due;
    }
    return stop > now ? stop : now + 1;
}

static enum cv_vm_exit run_loop(struct cv_vm *vm, cv_icount limit, bool to_idle)
{
    struct cv_cpu *cpu = &vm->cpu;
    for (;;) {
        enum cv_vm_exit out;
        cv_icount now = cv_cpu_icount(cpu);
        vm->phase = CV_PHASE_STEP; /* B1 */
        bool hit = cpu->taps != NULL && cv_taps_conclude(cpu->taps, now);
        if (vm->end != CV_END_NONE) {
            return CV_VM_ENDED;
        }
        if (hit) {
            return CV_VM_HIT;
        }
        if (now > limit || (now == limit && !to_idle)) {
            return CV_VM_LIMIT;
        }
        if (__atomic_load_n(&vm->stop, __ATOMIC_RELAXED)) {
            return CV_VM_STOPPED;
        }
        cv_timeq_run(cv_board_timeq(vm->board)); /* B2 */
        if (vm->end != CV_END_NONE) {
            return CV_VM_ENDED;
        }
        if (vm->reset_pending || cpu->shutdown != 0) {
            if (!serve_reset(vm, &out)) {
                return out;
            }
            continue;
        }
        cpu->leave = 0;
        if (cv_boundary_deliver(cpu)) { /* B3 */
            cv_exec_skip_first(vm->exec, false); /* a handler's first instruction is a new place */
            continue;
        }
        if (cpu->halted != 0) { /* B4 */
            vm->phase = CV_PHASE_IDLE;
            return CV_VM_IDLE;
        }
        if (to_idle && now == limit) {
            return CV_VM_LIMIT; /* it did not idle here */
        }
        cv_cpu_set_deadline(cpu, next_stop(vm, now, limit)); /* B5 */
        cv_exec_run(vm->exec, cpu);
        if (cv_exec_break_hit(vm->exec)) {
            return CV_VM_BREAK;
        }
    }
}

static enum cv_vm_exit run(struct cv_vm *vm, cv_icount limit, bool to_idle)
{
    enum cv_vm_exit out;
    if (vm->taps != NULL) {
        if (vm->end == CV_END_NONE) {
            cv_taps_clear_hit(vm->taps);
        }
        cv_taps_open(vm->taps, true);
    }
    cv_fpu_enter(&vm->cpu);
    out = run_loop(vm, limit, to_idle);
    cv_fpu_leave(&vm->cpu);
    if (vm->taps != NULL) {
        cv_taps_open(vm->taps, false);
    }
    return out;
}

/* The same under cv_exec_config.watch_all: in pieces, and on behind each hit. */
static enum cv_vm_exit run_disturbed(struct cv_vm *vm, cv_icount limit, bool to_idle)
{
    for (;;) {
        cv_icount part = cv_vm_disturb(vm);
        enum cv_vm_exit out = run(vm, to_idle || limit < part ? limit : part, to_idle);
        if (out != CV_VM_HIT && (out != CV_VM_LIMIT || to_idle || part >= limit)) {
            return out;
        }
    }
}

enum cv_vm_exit cv_vm_run(struct cv_vm *vm, cv_icount limit)
{
    return vm->disturbed ? run_disturbed(vm, limit, false) : run(vm, limit, false);
}

enum cv_vm_exit cv_vm_run_to_idle(struct cv_vm *vm, cv_icount at)
{
    return vm->disturbed ? run_disturbed(vm, at, true) : run(vm, at, true);
}

void cv_vm_stop(struct cv_vm *vm)
{
    __atomic_store_n(&vm->stop, true, __ATOMIC_RELAXED);
}

void cv_vm_clear_stop(struct cv_vm *vm)
{
    __atomic_store_n(&vm->stop, false, __ATOMIC_RELAXED);
}

cv_vtime_ns cv_vm_next_deadline(const struct cv_vm *vm)
{
    const struct cv_cpu *cpu = &vm->cpu;
    if (cpu->halted != 0 && (cpu->rflags & CV_FL_IF) == 0 && !cv_board_wakes_deaf(vm->board)) {
        return CV_NEVER; /* no device event can wake it */
    }
    return cv_board_timeq(vm->board)->next;
}

void cv_vm_idle_jump(struct cv_vm *vm, cv_vtime_ns vtime)
{
    struct cv_timeq *q = cv_board_timeq(vm->board);
    cv_vtime_ns now = cv_timeq_now(q);
    if (vm->phase == CV_PHASE_IDLE && vtime > now) {
        cv_timeq_advance(q, vtime - now);
    }
}

/* -- where it stands ----------------------------------------------------------------------------- */

cv_icount cv_vm_icount(const struct cv_vm *vm)
{
    return cv_cpu_icount(&vm->cpu);
}

void cv_vm_position(const struct cv_vm *vm, struct cv_position *pos)
{
    pos->icount = cv_vm_icount(vm);
    pos->vtime = cv_timeq_now(cv_board_timeq(vm->board));
    pos->phase = vm->phase;
}

enum cv_vm_end cv_vm_end(const struct cv_vm *vm, uint32_t *guest_exit_value)
{
    if (guest_exit_value != NULL) {
        *guest_exit_value = vm->guest_exit;
    }
    return vm->end;
}

struct cv_ram *cv_vm_ram(struct cv_vm *vm)
{
    return &vm->ram;
}

const struct cv_cpu *cv_vm_cpu(const struct cv_vm *vm, unsigned index)
{
    CV_ASSERT(index == 0);
    return &vm->cpu;
}

void cv_vm_breakpoints(struct cv_vm *vm, const cv_gva *list, size_t count)
{
    cv_exec_breakpoints(vm->exec, list, count);
}

void cv_vm_skip_first_break(struct cv_vm *vm)
{
    cv_exec_skip_first(vm->exec, true);
}

const struct cv_exec_stats *cv_vm_exec_stats(const struct cv_vm *vm)
{
    return cv_exec_stats(vm->exec);
}

void cv_vm_set_inlet(struct cv_vm *vm, struct cv_inlet *inlet)
{
    vm->inlet = inlet;
}

void cv_vm_set_outlet(struct cv_vm *vm, const struct cv_vm_outlet *outlet)
{
    static const struct cv_vm_outlet none;
    vm->outlet = outlet != NULL ? *outlet : none;
}
