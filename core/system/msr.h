/*
 * msr.h - model-specific registers, and CPUID's dynamic bits
 * Spec:    Intel SDM volume 4; docs/decisions/0001
 * Errors:  false with cpu->fault = #GP(0); unknown MSRs #GP, logged once each
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_SYSTEM_MSR_H
#define CV_CORE_SYSTEM_MSR_H

#include "core/cpu/regs.h"

bool cv_msr_read(struct cv_cpu *cpu, uint32_t msr, uint64_t *value);
bool cv_msr_write(struct cv_cpu *cpu, uint32_t msr, uint64_t value);
/* vtime as the running instruction sees it; RDTSC returns cv_tsc(). */
uint64_t cv_cpu_vtime(const struct cv_cpu *cpu);
uint64_t cv_tsc(const struct cv_cpu *cpu);
/* out[0..3] = EAX EBX ECX EDX. */
void cv_cpuid(const struct cv_cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
uint64_t cv_rng_next(struct cv_cpu *cpu);

#endif
