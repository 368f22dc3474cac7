/*
 * vm_state.c - the machine's state as one image: saved, loaded, and where a byte of it belongs
 */
#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/section.h"
#include "core/board/pc.h"
#include "core/mem/taps.h"
#include "core/mem/tlb.h"
#include "core/system/control.h"
#include "core/vm_private.h"

#define VM_STATE_NAME   "vm"
#define VM_STATE_FORMAT 1u

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
    struct cv_section s = {
        .mode = CV_SECTION_LOAD, .buf = (uint8_t *)(uintptr_t)buf, .cap = len};
    walk_state(vm, &s);
    vm->cpu.skew = (int64_t)cv_board_timeq(vm->board)->skew;
    cv_board_tsc_loaded(vm->board, 0, vm->cpu.tsc_offset);
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
    static const char *const known[] = {
        "vm",   "cpu",   "timeq", "pic",   "pit",    "rtc", "lapic",   "ioapic",
        "uart", "uart0", "uart1", "i8042", "acpipm", "pci", "pvpanic", "port92"};
    size_t at = 0;
    while (len - at >= CV_SECTION_HEADER) {
        size_t bytes = cv_ld32(buf + at + 12);
        if (bytes > len - at - CV_SECTION_HEADER) {
            break;
        }
        if (offset < at + CV_SECTION_HEADER + bytes) {
            for (size_t i = 0; i < CV_ARRAY_LEN(known); i++) {
                size_t n = cv_strlen(known[i]);
                if (cv_memcmp(buf + at, known[i], n) == 0 &&
                    (n == 8 || buf[at + n] == 0)) {
                    return known[i];
                }
            }
            return "device";
        }
        at += CV_SECTION_HEADER + bytes;
    }
    return "state";
}
