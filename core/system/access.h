/*
 * access.h - implicit supervisor reads and writes of descriptor tables and TSS
 *
 * Spec:    Intel SDM 3A "Determination of Access Rights" (4.6.1)
 * Errors:  false with cpu->fault: #PF, or #GP(0) for a non-canonical address
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_SYSTEM_ACCESS_H
#define CV_CORE_SYSTEM_ACCESS_H

#include "core/mem/mmu.h"
#include "core/system/interrupt.h"

/* Outside IA-32e mode linear addresses are 32 bits wide and wrap. */
static inline bool cv_access_place(struct cv_cpu *cpu, unsigned size, cv_gva *gva)
{
    if ((cpu->efer & CV_EFER_LMA) == 0) {
        *gva = (uint32_t)*gva;
        return true;
    }
    return (cv_canonical(*gva) && cv_canonical(*gva + size - 1)) || cv_raise_gp0(cpu);
}

static inline bool cv_access_read(struct cv_cpu *cpu, cv_gva gva, unsigned size,
                                  uint64_t *value)
{
    return cv_access_place(cpu, size, &gva) && cv_mem_read_sys(cpu, gva, size, value);
}

static inline bool cv_access_write(struct cv_cpu *cpu, cv_gva gva, unsigned size,
                                   uint64_t value)
{
    return cv_access_place(cpu, size, &gva) && cv_mem_write_sys(cpu, gva, size, value);
}

#endif
