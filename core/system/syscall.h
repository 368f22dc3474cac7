/*
 * syscall.h - SYSCALL, SYSRET, SYSENTER, SYSEXIT
 * Spec:    Intel SDM volume 2 "SYSCALL", "SYSRET" (Intel behaviour: SYSRET with non-canonical RCX
 *          faults at CPL 0), volume 3A 5.8.7, 5.8.8
 * Errors:  false with cpu->fault
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_SYSTEM_SYSCALL_H
#define CV_CORE_SYSTEM_SYSCALL_H

#include "core/cpu/regs.h"

bool cv_syscall(struct cv_cpu *cpu, uint64_t next_rip);
bool cv_sysret(struct cv_cpu *cpu, unsigned opsize);
bool cv_sysenter(struct cv_cpu *cpu);
bool cv_sysexit(struct cv_cpu *cpu, unsigned opsize);

#endif
