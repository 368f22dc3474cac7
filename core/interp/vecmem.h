/*
 * vecmem.h - vector instructions that access memory element by element
 *
 * Elements are taken in ascending order. Loads read all selected elements, stores probe
 * all of them, before anything changes: a fault leaves registers, masks and memory as
 * they were (the manual lets a gather keep finished elements; here it restarts from the
 * beginning). A zero mask touches no memory and cannot fault.
 * Spec:    Intel SDM volume 2 "MASKMOVQ", "MASKMOVDQU", "VMASKMOV", "VPMASKMOV",
 *          "VGATHERDPS"...
 * Errors:  false with cpu->fault
 * Thread:  engine thread only; guest FPU state is live
 */
#ifndef CV_CORE_INTERP_VECMEM_H
#define CV_CORE_INTERP_VECMEM_H

#include "core/cpu/regs.h"
#include "core/decode/insn.h"

bool cv_vecmem_maskmov(struct cv_cpu *cpu,
                       const struct cv_insn *insn); /* [rDI], by bytes */
bool cv_vecmem_vmaskmov(struct cv_cpu *cpu, const struct cv_insn *insn); /* by 4 or 8 */
bool cv_vecmem_gather(struct cv_cpu *cpu, const struct cv_insn *insn);

#endif
