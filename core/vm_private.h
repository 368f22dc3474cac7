/*
 * vm_private.h - the machine's insides, shared by vm.c and inspect.c only
 * Thread:  engine thread only, except `stop`
 */
#ifndef CV_CORE_VM_PRIVATE_H
#define CV_CORE_VM_PRIVATE_H

#include "core/cpu/regs.h"
#include "core/mem/ram.h"
#include "core/vm.h"

struct cv_vm {
    struct cv_cpu cpu;
    struct cv_vm_config config;
    struct cv_ram ram;
    struct cv_tlb *tlb;
    struct cv_interp *interp;
    struct cv_exec *exec;
    struct cv_board *board;
    struct cv_inlet *inlet;
    struct cv_vm_outlet outlet;
    bool ram_made;
    /* state */
    uint8_t end; /* enum cv_vm_end */
    uint32_t guest_exit;
    bool reset_pending;
    uint8_t phase; /* enum cv_phase: derived from where the loop returned */
    bool stop;     /* any thread, atomic */
};

#endif
