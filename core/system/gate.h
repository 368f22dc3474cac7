/*
 * gate.h - one passage through an IDT gate: find the handler, switch stacks, push the
 * frame
 *
 * Spec:    Intel SDM 3A "Exception- or Interrupt-Handler Procedures" (6.12), "Exception
 *          and Interrupt Handling in 64-bit Mode" (6.14)
 * Errors:  false with cpu->fault (EXT not yet set in its error code); no register has
 *          changed
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_SYSTEM_GATE_H
#define CV_CORE_SYSTEM_GATE_H

#include "core/cpu/regs.h"

struct cv_gate_event {
    uint8_t vector;
    bool check_dpl; /* INT n, INT3, INTO */
    bool has_error;
    uint32_t error;
    uint64_t rip;    /* pushed */
    uint64_t rflags; /* pushed */
};

/* cpu->frame tells where RIP was pushed. */
bool cv_gate_enter(struct cv_cpu *cpu, const struct cv_gate_event *event);

#endif
