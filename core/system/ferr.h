/*
 * ferr.h - x87 errors the way of the PC: FERR#, IRQ 13 and IGNNE#, with CR0.NE = 0
 *
 * Problem. With CR0.NE = 0 a waiting x87 instruction that finds an unmasked error pending
 * does not raise #MF: the processor asserts FERR#, stops and waits for the interrupt that
 * the chipset makes of it, unless IGNNE# lets it go on. When exactly FERR# rises differs
 * between processors, so it is defined here:
 *   F1  FERR# rises when a waiting x87 or an MMX instruction meets the error (FSW.ES =
 *       1), not before. The instruction changes nothing, stays where it is and halts the
 *       CPU; that is one step. An interrupt or NMI ends the halt and pushes this
 *       instruction's address; after its return the instruction is tried again, and
 *       halts again if the error is still there
 *   F2  a write to port F0h lowers IRQ 13 and, if the error is still pending, asserts
 *       IGNNE#: waiting instructions then run as if there were none and leave it pending
 *   F3  both signals fall when an x87 instruction leaves FSW.ES clear, whatever CR0.NE
 *       says by then. While one is up, blocks are not translated, so that this is seen
 *       at once
 * Spec:    Intel SDM 1 "Handling x87 FPU Exceptions in Software" (8.7), "MS-DOS
 *          Compatibility Sub-mode" (8.7.2); 82371AB (PIIX4) data sheet "Coprocessor
 *          Error Register" (F0h)
 * State:   cpu->ferr, in section "cpu" together with `halted`
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_SYSTEM_FERR_H
#define CV_CORE_SYSTEM_FERR_H

#include "core/cpu/regs.h"

/* A waiting instruction has met the error: F1. */
void cv_ferr_raise(struct cv_cpu *cpu);
/* Port F0h was written: F2. The caller lowers IRQ 13. */
void cv_ferr_acknowledge(struct cv_cpu *cpu);
/* After an x87 instruction, when cpu->ferr is not 0: F3. */
void cv_ferr_settle(struct cv_cpu *cpu);

#endif
