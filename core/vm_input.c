/*
 * vm_input.c - what comes from outside: judged, offered to the inlet, then given to the guest
 */
#include "core/base/mem.h"
#include "core/board/pc.h"
#include "core/inspect.h"
#include "core/mem/taps.h"
#include "core/vm_private.h"

static bool apply_command(struct cv_vm *vm, const struct cv_input *input)
{
    if (input->len != 1) {
        return false;
    }
    switch (input->data[0]) {
    case CV_COMMAND_RESET:
        cv_vm_ask_reset(vm);
        return true;
    case CV_COMMAND_NMI:
        cv_vm_pulse_nmi(vm);
        return true;
    case CV_COMMAND_POWER_BUTTON:
        return cv_board_input(vm->board, input);
    default:
        return false;
    }
}

static bool apply_poke_mem(struct cv_vm *vm, const struct cv_input *input)
{
    return input->len >= 8 &&
           cv_ram_write(&vm->ram, cv_ld64(input->data), input->data + 8, input->len - 8);
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
        return input->unit < 2 &&
               input->len <= cv_board_serial_room(vm->board, input->unit);
    case CV_INPUT_KEYBOARD:
    case CV_INPUT_COMMAND:
        return input->len >= 1;
    case CV_INPUT_POKE_MEM:
        return input->len >= 8 &&
               cv_ram_has(&vm->ram, cv_ld64(input->data), input->len - 8);
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
