/*
 * vm_private.h - the machine's insides, shared by vm*.c and inspect.c only
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
    struct cv_taps *taps; /* NULL until the first cv_vm_watch() */
    bool ram_made;
    bool disturbed; /* cv_exec_config.watch_all, until a debugger watches */
    uint64_t disturb_state, disturb_hits;
    cv_icount disturb_from, disturb_until; /* the list in use was made for these steps */
    /* state */
    uint8_t end; /* enum cv_vm_end */
    uint32_t guest_exit;
    bool reset_pending;
    uint8_t phase; /* enum cv_phase: derived from where the loop returned */
    bool stop;     /* any thread, atomic */
};

struct cv_board_host;

/* vm_wiring.c: what the board and the CPU call. */
void cv_vm_fill_host(struct cv_vm *vm, struct cv_board_host *host);
void cv_vm_wire_cpu(struct cv_vm *vm);
/* The first reason counts. */
void cv_vm_end_machine(struct cv_vm *vm, enum cv_vm_end reason, uint32_t value);
void cv_vm_ask_reset(struct cv_vm *vm);
void cv_vm_pulse_nmi(struct cv_vm *vm);
/* vm_watch.c: cv_vm_watch() without its claim on the taps. */
bool cv_vm_arm(struct cv_vm *vm, const struct cv_watch *list, size_t count,
               uint32_t taps) CV_MUST_CHECK;
/* cv_exec_config.watch_all: arms another list when it is time, made around what the guest uses now. Says how far the
 * machine may run with it. */
cv_icount cv_vm_disturb(struct cv_vm *vm);

#endif
