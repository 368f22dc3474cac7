/*
 * moment.h - the exact time of an interrupt, of a port access, of an MSR access
 * Spec:    docs/determinism.md "Time": one step is one nanosecond, a port access 1000 more, charged before the access
 * Units:   TSC = guest nanoseconds, as long as IA32_TSC_ADJUST is 0
 */
#ifndef CV_TESTS_GUEST_MOMENT_H
#define CV_TESTS_GUEST_MOMENT_H

#include "apic.h"
#include "catch.h"

#define MOMENTS 64u
#define PORT_NS 1000u
/* When the boundary was at which each interrupt of moment_vector was taken, and where; from a handler of its own, which
 * ends the interrupt at the APIC (x2APIC) or at both PICs. */
extern volatile uint64_t moment_at[MOMENTS], moment_rip[MOMENTS];
extern volatile unsigned moments;

void moment_use_apic(unsigned vector);
void moment_use_pic(unsigned vector);
void moment_clear(void);

/* These give the vtime that the access sees. The waits end with the interrupt; IF is 0 before and after. */
uint64_t moment_wrmsr(uint32_t msr, uint64_t value);
uint64_t moment_wrmsr_halt(uint32_t msr, uint64_t value); /* STI; HLT right after it */
uint64_t moment_wrmsr_slide(uint32_t msr, uint64_t value); /* STI; then NOPs from moment_slide to moment_slide_end */
extern const char moment_slide[], moment_slide_end[];
uint64_t moment_rdmsr(uint32_t msr, uint64_t *value);
uint64_t moment_out(uint16_t port, uint8_t value);
uint64_t moment_out_halt(uint16_t port, uint8_t value);
uint64_t moment_in(uint16_t port, uint8_t *value);
uint64_t moment_in32(uint16_t port, uint32_t *value);
void moment_halt(void); /* STI; HLT; CLI */

/* floor(vtime x num / den), and the first vtime at which that is `tick` */
static inline uint64_t ticks_at(uint64_t ns, uint64_t num, uint64_t den)
{
    return ns / den * num + ns % den * num / den;
}
static inline uint64_t time_of(uint64_t tick, uint64_t num, uint64_t den)
{
    return tick / num * den + (tick % num * den + num - 1) / num;
}

#endif
