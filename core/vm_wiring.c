/*
 * vm_wiring.c - what the board and the CPU call in the machine: lines, time, ends, and what the outlet is told
 */
#include "core/board/pc.h"
#include "core/mem/taps.h"
#include "core/system/ferr.h"
#include "core/vm_private.h"

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

void cv_vm_pulse_nmi(struct cv_vm *vm)
{
    vm->cpu.nmi_pending = 1;
    vm->cpu.leave |= CV_LEAVE_LINES;
}

void cv_vm_end_machine(struct cv_vm *vm, enum cv_vm_end reason, uint32_t value)
{
    if (vm->end == CV_END_NONE) {
        vm->end = (uint8_t)reason;
        vm->guest_exit = value;
    }
    vm->cpu.leave |= CV_LEAVE_STOP;
}

static void take_poweroff(void *arg)
{
    cv_vm_end_machine(arg, CV_END_POWEROFF, 0);
}

static void take_guest_exit(void *arg, uint32_t value)
{
    cv_vm_end_machine(arg, CV_END_GUEST_EXIT, value);
}

void cv_vm_ask_reset(struct cv_vm *vm)
{
    vm->reset_pending = true;
    vm->cpu.leave |= CV_LEAVE_STOP;
}

static void take_nmi(void *arg, unsigned cpu)
{
    (void)cpu;
    cv_vm_pulse_nmi(arg);
}

static void take_reset(void *arg)
{
    cv_vm_ask_reset(arg);
}

static void take_init(void *arg, unsigned cpu)
{
    (void)cpu;
    cv_vm_ask_reset(arg); /* INIT to the only CPU restarts the machine */
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

static void see_exception(void *arg, const struct cv_fault *fault, uint64_t rip,
                          uint64_t frame)
{
    struct cv_vm *vm = arg;
    if (vm->outlet.exception != NULL) {
        vm->outlet.exception(vm->outlet.arg, cv_cpu_icount(&vm->cpu), fault->vector, rip,
                             frame, fault->cr2);
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

/* -- the tables of them -------------------------------------------------------------------------- */

void cv_vm_fill_host(struct cv_vm *vm, struct cv_board_host *host)
{
    *host = (struct cv_board_host){
        .arg = vm,
        .icount = read_icount,
        .deadline_moved = note_deadline,
        .intr = set_intr,
        .nmi = take_nmi,
        .init = take_init,
        .poweroff = take_poweroff,
        .reset = take_reset,
        .guest_exit = take_guest_exit,
        .serial = put_serial,
        .pvpanic = take_pvpanic,
        .ignne = take_ignne,
    };
}

void cv_vm_wire_cpu(struct cv_vm *vm)
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
