/*
 * interrupt.h - delivery of exceptions and interrupts through the IDT
 *
 * Spec:    Intel SDM 3A chapter 6 "Interrupt and Exception Handling"; 6.15 double-fault rules
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_SYSTEM_INTERRUPT_H
#define CV_CORE_SYSTEM_INTERRUPT_H

#include "core/cpu/regs.h"

/* Fills cpu->fault and returns false: the way every rule reports a fault. */
bool cv_raise(struct cv_cpu *cpu, unsigned vector, bool has_error, uint32_t error);
static inline bool cv_raise_gp0(struct cv_cpu *cpu) { return cv_raise(cpu, CV_EXC_GP, true, 0); }
static inline bool cv_raise_ud(struct cv_cpu *cpu) { return cv_raise(cpu, CV_EXC_UD, false, 0); }

/* Delivers cpu->fault with cpu->rip at the faulting instruction: 1 step. Faults during
 * delivery become #DF and then shutdown (cpu->shutdown = 1, CV_LEAVE_STOP); a contributory
 * chain is one step in all. */
void cv_deliver_fault(struct cv_cpu *cpu);
/* Or'ed to the vector for INT1 (F1): no check of the gate's DPL, and #DB's side effects. */
#define CV_SOFT_INT1 0x100u
/* INT n, INT3, INTO, INT1: part of the running instruction, whose step the caller counts.
 * next_rip is pushed. False: cpu->fault. */
bool cv_soft_interrupt(struct cv_cpu *cpu, unsigned vector, uint64_t next_rip);
/* At a boundary: serves what is due, in SDM order ("Priority Among Simultaneous Exceptions and
 * Interrupts", 6.9): #DB trap (not behind a load of SS), NMI (no shadow), external interrupt (IF
 * set, no shadow). Each delivery is 1 step and ends HLT. True when something was delivered. */
bool cv_boundary_deliver(struct cv_cpu *cpu);
/* Would cv_boundary_deliver() do something now? */
bool cv_boundary_pending(const struct cv_cpu *cpu);

#endif
