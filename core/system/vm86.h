/*
 * vm86.h - virtual-8086 mode without VME: in by IRETD, out through a gate, IOPL
 *
 * CPL is 3. CLI, STI, PUSHF, POPF, INT n and IRET are #GP(0) when IOPL is below 3; INT3,
 * INTO and INT1 are not, but obey the gate's DPL. IN and OUT go by the permission map of
 * the TSS whatever IOPL says (core/interp/interp_port.c). Every interrupt and exception
 * leaves for a ring-0 handler in a segment that is not conforming; its frame begins with
 * GS, FS, DS and ES, which are null in the handler. CR4.VME and CR4.PVI do not exist in
 * the CPU model (docs/decisions/0001).
 *
 * Spec:    Intel SDM 3A 20.2 "Virtual-8086 Mode", 20.3 "Interrupt and Exception Handling
 *          in Virtual-8086 Mode"; volume 2 "IRET/IRETD/IRETQ", "INT n/INTO/INT3/INT1"
 * Errors:  false with cpu->fault; no register has changed then
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_SYSTEM_VM86_H
#define CV_CORE_SYSTEM_VM86_H

#include "core/cpu/regs.h"

struct cv_stack;

/* True outside virtual-8086 mode, and there with IOPL 3; otherwise #GP(0). */
bool cv_vm86_check_iopl(struct cv_cpu *cpu);

/* Hidden parts as virtual-8086 mode has them, for one register or all (indexed by CV_ES
 * to CV_GS); for whoever sets EFLAGS.VM (IRETD, a task switch). The caller has then to
 * call cv_control_changed(). */
void cv_vm86_load_segment(struct cv_cpu *cpu, unsigned seg, uint16_t sel);
void cv_vm86_load_segments(struct cv_cpu *cpu, const uint16_t sel[CV_SEG_COUNT]);

/* Does an IRET with this image of EFLAGS enter virtual-8086 mode? */
bool cv_vm86_is_entered(const struct cv_cpu *cpu, uint64_t image, unsigned opsize);
/* The rest of that IRETD: EIP, CS and EFLAGS were popped, ESP, SS, ES, DS, FS and GS
 * follow. Loads everything; the caller has then to call cv_control_changed(). */
bool cv_vm86_enter(struct cv_cpu *cpu, struct cv_stack *stack, uint64_t rip, uint16_t cs,
                   uint64_t image);

/* First part of a gate's frame: GS, FS, DS, ES in slots of size bytes. */
bool cv_vm86_push_segments(struct cv_cpu *cpu, struct cv_stack *stack, unsigned size);
/* ... and their null selectors for the handler. */
void cv_vm86_clear_segments(struct cv_cpu *cpu);

#endif
