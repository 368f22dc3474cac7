/*
 * real.h - real-address mode, and what virtual-8086 mode shares with it
 *
 * In both modes a segment register is loaded without a descriptor: its base is the
 * selector times 16. What else the load does differs:
 *   real mode   selector and base change; limit and attributes stay as the register
 *               holds them, so that limits loaded in protected mode last ("unreal" mode),
 *               and a CS of 32-bit code goes on decoding as such. A register that was
 *               left unusable by a null selector stays unusable until it is loaded; the
 *               load then gives it the attributes and the limit of reset
 *   vm86        limit 0xffff, writable data of DPL 3 (SDM 3A 20.2.1 "Enabling
 *               Virtual-8086 Mode"), also for CS
 * Types are not looked at in real mode: CS is writable and every segment readable. Limits
 * are: an offset beyond is #GP, on the stack #SS, and neither pushes an error code. A
 * change of CR0.PE alters no hidden part; CPL is 0 in real mode. Linear addresses reach
 * 10ffefh, and beyond with larger limits; what becomes of bit 20 is the board's affair.
 *
 * Spec:    Intel SDM 3A chapter 20 "8086 Emulation", 9.9 "Mode Switching"; volume 2
 *          "CALL", "JMP", "RET", "IRET/IRETD/IRETQ", "INT n/INTO/INT3/INT1"
 * Errors:  false with cpu->fault; no register has changed then
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_SYSTEM_REAL_H
#define CV_CORE_SYSTEM_REAL_H

#include "core/cpu/regs.h"

struct cv_gate_event;

/* Are segments loaded as paragraphs: real or virtual-8086 mode? */
static inline bool cv_real_addresses(const struct cv_cpu *cpu)
{
    return (cpu->mode & (CV_MODE_PE | CV_MODE_VM86)) != CV_MODE_PE;
}

/* -- both modes; opsize 2 or 4 ------------------------------------------------------- */

void cv_real_load_segment(struct cv_cpu *cpu, unsigned seg, uint16_t sel);
bool cv_real_far_jump(struct cv_cpu *cpu, uint16_t sel, uint64_t off);
bool cv_real_far_call(struct cv_cpu *cpu, uint16_t sel, uint64_t off, unsigned opsize,
                      uint64_t next_rip);
bool cv_real_far_ret(struct cv_cpu *cpu, unsigned opsize, uint16_t pop_bytes);
/* In virtual-8086 mode #GP(0) when IOPL is below 3; there IOPL stays, too. */
bool cv_real_iret(struct cv_cpu *cpu, unsigned opsize);

/* -- real mode only ------------------------------------------------------------------ */

/* One passage through the interrupt vector table at IDTR.base: pushes FLAGS, CS and IP as
 * words, clears IF, TF, AC and RF. #GP for a vector past IDTR.limit, #SS. */
bool cv_real_interrupt(struct cv_cpu *cpu, const struct cv_gate_event *event);

#endif
