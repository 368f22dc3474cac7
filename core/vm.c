#include "core/vm.h"
#include "core/base/check.h"
#include "core/base/hostmem.h"
#include "core/base/mem.h"
#include "core/base/section.h"
#include "core/board/pc.h"
#include "core/cpu/fpu.h"
#include "core/inspect.h"
#include "core/interp/interp.h"
#include "core/load/load.h"
#include "core/mem/ram.h"
#include "core/mem/taps.h"
#include "core/mem/tlb.h"
#include "core/system/control.h"
#include "core/system/ferr.h"
#include "core/system/interrupt.h"
#include "core/vm_private.h"

#define VM_RUN_STEPS    (1u << 20) /* the CPU returns here at least this often */
#define RTC_EPOCH_MAX   (1ll << 39) /* seconds from 1970, either way */
#define VM_STATE_NAME   "vm"
#define VM_STATE_FORMAT 1u

/* -- what the board and the CPU call ------------------------------------------------------------ */

static cv_icount read_icount(void *arg)
{
    struct cv_vm *vm = arg;
    return cv_cpu_icount(&vm->cpu);
}

static void note_deadline(void *arg)
{
    struct cv_vm *vm = arg;
    if (vm->board != NULL) {
        vm->cpu.skew = (int64_t)cv_board_timeq(vm->board)->skew;
    }
    vm->cpu.leave |= CV_LEAVE_DEADLINE;
}

static void set_intr(void *arg, unsigned cpu, bool level)
{
    struct cv_vm *vm = arg;
    (void)cpu;
    vm->cpu.intr_line = level;
    vm->cpu.leave |= CV_LEAVE_LINES;
}

static void pulse_nmi(void *arg, unsigned cpu)
{
    struct cv_vm *vm = arg;
    (void)cpu;
    vm->cpu.nmi_pending = 1;
    vm->cpu.leave |= CV_LEAVE_LINES;
}

static void end_machine(struct cv_vm *vm, enum cv_vm_end reason, uint32_t value)
{
    if (vm->end == CV_END_NONE) {
        vm->end = (uint8_t)reason;
        vm->guest_exit = value;
    }
    vm->cpu.leave |= CV_LEAVE_STOP;
}

static void take_poweroff(void *arg)
{
    end_machine(arg, CV_END_POWEROFF, 0);
}

static void take_guest_exit(void *arg, uint32_t value)
{
    end_machine(arg, CV_END_GUEST_EXIT, value);
}

static void take_reset(void *arg)
{
    struct cv_vm *vm = arg;
    vm->reset_pending = true;
    vm->cpu.leave |= CV_LEAVE_STOP;
}

static void take_init(void *arg, unsigned cpu)
{
    (void)cpu;
    take_reset(arg); /* INIT to the only CPU restarts the machine */
}

static void put_serial(void *arg, unsigned unit, uint8_t byte)
{
    struct cv_vm *vm = arg;
    if (unit == 0) {
        cv_taps_raise(&vm->cpu, CV_TAP_CONSOLE, byte);
    }
    if (vm->outlet.serial != NULL) {
        vm->outlet.serial(vm->outlet.arg, unit, byte);
    }
}

static void take_pvpanic(void *arg, unsigned event)
{
    struct cv_vm *vm = arg;
    if (vm->outlet.pvpanic != NULL) {
        vm->outlet.pvpanic(vm->outlet.arg, cv_cpu_icount(&vm->cpu), event);
    }
}

static uint8_t ack_interrupt(void *arg)
{
    struct cv_vm *vm = arg;
    return cv_board_intr_ack(vm->board, 0);
}

static uint64_t read_apic_msr(void *arg, uint32_t msr, bool *ok)
{
    struct cv_vm *vm = arg;
    return cv_board_apic_msr_read(vm->board, 0, msr, ok);
}

static void move_tsc(void *arg, uint64_t tsc_offset)
{
    struct cv_vm *vm = arg;
    cv_board_tsc_offset(vm->board, 0, tsc_offset);
}

static bool write_apic_msr(void *arg, uint32_t msr, uint64_t value)
{
    struct cv_vm *vm = arg;
    return cv_board_apic_msr_write(vm->board, 0, msr, value);
}

static uint64_t read_tpr(void *arg)
{
    struct cv_vm *vm = arg;
    return cv_board_tpr_read(vm->board, 0);
}

static void write_tpr(void *arg, uint64_t cr8)
{
    struct cv_vm *vm = arg;
    cv_board_tpr_write(vm->board, 0, cr8);
}

static void charge_access(void *arg, uint32_t ns)
{
    struct cv_vm *vm = arg;
    cv_timeq_advance(cv_board_timeq(vm->board), ns);
}

static void see_exception(void *arg, const struct cv_fault *fault, uint64_t rip, uint64_t frame)
{
    struct cv_vm *vm = arg;
    if (vm->outlet.exception != NULL) {
        vm->outlet.exception(vm->outlet.arg, cv_cpu_icount(&vm->cpu), fault->vector, rip, frame,
                             fault->cr2);
    }
}

static void see_iret(void *arg, uint64_t frame)
{
    struct cv_vm *vm = arg;
    if (vm->outlet.iret != NULL) {
        vm->outlet.iret(vm->outlet.arg, frame);
    }
}

static void drive_ferr(void *arg, bool level)
{
    struct cv_vm *vm = arg;
    cv_board_ferr(vm->board, level);
}

static void take_ignne(void *arg)
{
    struct cv_vm *vm = arg;
    cv_ferr_acknowledge(&vm->cpu);
}

/* -- building and resetting --------------------------------------------------------------------- */

static void wire_cpu(struct cv_vm *vm)
{
    struct cv_cpu *cpu = &vm->cpu;
    cpu->ram = &vm->ram;
    cpu->bus = cv_board_bus(vm->board);
    cpu->tlbs = vm->tlb;
    cpu->intr_ack = ack_interrupt;
    cpu->intr_arg = vm;
    cpu->apic_msr_read = read_apic_msr;
    cpu->apic_msr_write = write_apic_msr;
    cpu->apic_tpr_read = read_tpr;
    cpu->apic_tpr_write = write_tpr;
    cpu->tsc_moved = move_tsc;
    cpu->charge = charge_access;
    cpu->charge_arg = vm;
    cpu->ferr_line = drive_ferr;
    cpu->ferr_arg = vm;
    cpu->on_exception = see_exception;
    cpu->on_iret = see_iret;
    cpu->on_exception_arg = vm;
}

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
    struct cv_board_host host = {
        .arg = vm,
        .icount = read_icount,
        .deadline_moved = note_deadline,
        .intr = set_intr,
        .nmi = pulse_nmi,
        .init = take_init,
        .poweroff = take_poweroff,
        .reset = take_reset,
        .guest_exit = take_guest_exit,
        .serial = put_serial,
        .pvpanic = take_pvpanic,
        .ignne = take_ignne,
    };
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
    wire_cpu(vm);
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
        end_machine(vm, triple ? CV_END_TRIPLE_FAULT : CV_END_RESET, 0);
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

/* -- inputs -------------------------------------------------------------------------------------- */

static bool apply_command(struct cv_vm *vm, const struct cv_input *input)
{
    if (input->len != 1) {
        return false;
    }
    switch (input->data[0]) {
    case CV_COMMAND_RESET:
        take_reset(vm);
        return true;
    case CV_COMMAND_NMI:
        pulse_nmi(vm, 0);
        return true;
    case CV_COMMAND_POWER_BUTTON:
        return cv_board_input(vm->board, input);
    default:
        return false;
    }
}

static bool apply_poke_mem(struct cv_vm *vm, const struct cv_input *input)
{
    return input->len >= 8 && cv_ram_write(&vm->ram, cv_ld64(input->data), input->data + 8,
                                           input->len - 8);
}

static bool apply_poke_reg(struct cv_vm *vm, const struct cv_input *input)
{
    if (input->len != 12) {
        return false;
    }
    return cv_inspect_set_reg(vm, cv_ld32(input->data), cv_ld64(input->data + 4));
}

static bool input_is_sound(const struct cv_vm *vm, const struct cv_input *input)
{
    if (input->len > CV_INPUT_MAX || vm->end != CV_END_NONE) {
        return false;
    }
    switch (input->kind) {
    case CV_INPUT_SERIAL:
        return input->unit < 2 && input->len <= cv_board_serial_room(vm->board, input->unit);
    case CV_INPUT_KEYBOARD:
    case CV_INPUT_COMMAND:
        return input->len >= 1;
    case CV_INPUT_POKE_MEM:
        return input->len >= 8 && cv_ram_has(&vm->ram, cv_ld64(input->data), input->len - 8);
    case CV_INPUT_POKE_REG:
        return input->len == 12 && cv_ld32(input->data) <= CV_REG_RIP;
    default:
        return false;
    }
}

static bool apply_input(struct cv_vm *vm, const struct cv_input *input)
{
    switch (input->kind) {
    case CV_INPUT_COMMAND:
        return apply_command(vm, input);
    case CV_INPUT_POKE_MEM:
        return apply_poke_mem(vm, input);
    case CV_INPUT_POKE_REG:
        return apply_poke_reg(vm, input);
    default:
        return cv_board_input(vm->board, input);
    }
}

bool cv_vm_input(struct cv_vm *vm, const struct cv_input *input)
{
    struct cv_position pos;
    if (!input_is_sound(vm, input)) {
        return false;
    }
    cv_vm_position(vm, &pos);
    if (vm->inlet != NULL && !vm->inlet->accept(vm->inlet, &pos, input)) {
        return false;
    }
    if (vm->taps != NULL) {
        cv_taps_open(vm->taps, true);
    }
    bool done = apply_input(vm, input);
    if (vm->taps != NULL) {
        cv_taps_open(vm->taps, false);
    }
    return done;
}

unsigned cv_vm_serial_room(const struct cv_vm *vm, unsigned unit)
{
    return cv_board_serial_room(vm->board, unit);
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

/* -- saving and loading --------------------------------------------------------------------------- */

static void walk_state(struct cv_vm *vm, struct cv_section *s)
{
    cv_section_begin(s, VM_STATE_NAME, VM_STATE_FORMAT);
    cv_section_u8_max(s, &vm->end, CV_END_HALTED);
    cv_section_u32(s, &vm->guest_exit);
    cv_section_bool(s, &vm->reset_pending);
    cv_cpu_section(&vm->cpu, s);
    cv_board_section(vm->board, s);
    cv_section_end(s);
}

size_t cv_vm_save(struct cv_vm *vm, uint8_t *buf, size_t cap)
{
    struct cv_section s = {.mode = CV_SECTION_SAVE, .buf = buf, .cap = cap};
    walk_state(vm, &s);
    CV_ASSERT(!s.failed);
    return s.pos;
}

bool cv_vm_load(struct cv_vm *vm, const uint8_t *buf, size_t len)
{
    struct cv_section s = {.mode = CV_SECTION_LOAD, .buf = (uint8_t *)(uintptr_t)buf, .cap = len};
    walk_state(vm, &s);
    vm->cpu.skew = (int64_t)cv_board_timeq(vm->board)->skew;
    cv_board_tsc_offset(vm->board, 0, vm->cpu.tsc_offset);
    vm->cpu.leave = 0;
    if (vm->taps != NULL) {
        cv_taps_forget(vm->taps);
    }
    cv_exec_skip_first(vm->exec, false); /* it was meant for another place */
    cv_tlb_drop_all(vm->tlb);
    cv_control_changed(&vm->cpu);
    vm->phase = CV_PHASE_STEP;
    return !s.failed && s.pos == len;
}

const char *cv_vm_section_at(const uint8_t *buf, size_t len, size_t offset)
{
    static const char *const known[] = {"vm",     "cpu",    "timeq",   "pic",  "pit",  "rtc",
                                        "lapic",  "ioapic", "uart",    "uart0", "uart1", "i8042",
                                        "acpipm", "pci",    "pvpanic", "port92"};
    size_t at = 0;
    while (len - at >= CV_SECTION_HEADER) {
        size_t bytes = cv_ld32(buf + at + 12);
        if (bytes > len - at - CV_SECTION_HEADER) {
            break;
        }
        if (offset < at + CV_SECTION_HEADER + bytes) {
            for (size_t i = 0; i < CV_ARRAY_LEN(known); i++) {
                size_t n = cv_strlen(known[i]);
                if (cv_memcmp(buf + at, known[i], n) == 0 && (n == 8 || buf[at + n] == 0)) {
                    return known[i];
                }
            }
            return "device";
        }
        at += CV_SECTION_HEADER + bytes;
    }
    return "state";
}
