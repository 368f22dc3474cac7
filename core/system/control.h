/*
 * control.h - control, debug and extended control registers, with their side effects
 *
 * Spec:    Intel SDM 3A section 2.5 "Control Registers", 17.2 "Debug Registers"
 * Errors:  false with cpu->fault = #GP(0) (or #UD); nothing has changed then
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_SYSTEM_CONTROL_H
#define CV_CORE_SYSTEM_CONTROL_H

#include "core/cpu/regs.h"

bool cv_control_write(struct cv_cpu *cpu, unsigned cr, uint64_t value); /* 0, 2, 3, 4, 8 */
/* CR3 as a task switch loads it: legacy modes, at any CPL; PDPTEs are loaded when the value
 * changes. */
bool cv_control_switch_cr3(struct cv_cpu *cpu, uint32_t value);
bool cv_control_read(struct cv_cpu *cpu, unsigned cr, uint64_t *value);
bool cv_debug_write(struct cv_cpu *cpu, unsigned dr, uint64_t value); /* 4, 5 alias unless CR4.DE */
bool cv_debug_read(struct cv_cpu *cpu, unsigned dr, uint64_t *value);
bool cv_xcr_write(struct cv_cpu *cpu, uint32_t index, uint64_t value);
/* INVLPG and INVPCID change nothing (law, point 6) but check their operands. */
bool cv_invpcid(struct cv_cpu *cpu, uint64_t type, uint64_t desc_lo, uint64_t desc_hi);
/* Sets RFLAGS bits writable at this privilege for POPF of opsize; leaves as needed. */
bool cv_flags_pop(struct cv_cpu *cpu, uint64_t value, unsigned opsize);
/* Everything derived that must follow a change of CR0/CR3/CR4/EFER/CPL/AC: mode word, TLB set,
 * LEAVE_MODE. */
void cv_control_changed(struct cv_cpu *cpu);

#endif
