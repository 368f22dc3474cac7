/*
 * task.h - hardware task switches through TSS descriptors, task gates and the back link
 *
 * A switch has two halves. Up to the commit everything that can fail is tried first, and
 * a fault finds the old task untouched. From the commit on, faults belong to the new
 * task: cpu->rip, the stack and CPL are then the new task's, segment registers not
 * reached yet hold their selector and are unusable. IA-32e mode has no task switches:
 * nothing here is called there.
 *
 * Spec:    Intel SDM 3A chapter 7 "Task Management", table 7-1 "Exception Conditions
 *          Checked During a Task Switch"; within the table's freedom the order is LDT,
 *          CS, SS, ES, DS, FS, GS
 * Errors:  false with cpu->fault, before the commit #GP #TS #NP #PF about the TSS, after
 *          it #TS #NP #SS #GP #PF of the new task
 * Thread:  engine thread only; general registers only
 *
 * Where the manual leaves a choice: a 16-bit TSS clears the upper halves of the general
 * registers and of EFLAGS and makes FS and GS null; LE of DR7 is cleared with L0..L3; the
 * single-step trap of the switching instruction is dropped; a T bit traps only when the
 * switch raised no fault; PDPTEs that may not be loaded are #GP(0) after the commit, with
 * the old CR3 in place.
 */
#ifndef CV_CORE_SYSTEM_TASK_H
#define CV_CORE_SYSTEM_TASK_H

#include "core/system/gate.h"
#include "core/system/segment.h"

/* Is this what a far JMP or CALL switches tasks by: a TSS of any state or a task gate,
 * outside IA-32e mode? */
bool cv_task_is_target(const struct cv_cpu *cpu, const struct cv_seg *raw);
/* JMP or CALL to such a descriptor, raw->sel being the operand. */
bool cv_task_jump(struct cv_cpu *cpu, uint64_t desc, const struct cv_seg *raw, bool call,
                  uint64_t next_rip);
/* Through a task gate of the IDT, whose DPL and P have been checked. */
bool cv_task_event(struct cv_cpu *cpu, uint16_t sel, const struct cv_gate_event *event);
/* IRET with NT set. */
bool cv_task_return(struct cv_cpu *cpu, uint64_t next_rip);

#endif
