/*
 * inspect.h - reading the machine without touching it
 *
 * The debugger's and the control server's only view: no A/D bits, no TLB fills, no device reads. The machine
 * must be stopped (not inside cv_vm_run).
 * Thread:  engine thread only
 */
#ifndef CV_CORE_INSPECT_H
#define CV_CORE_INSPECT_H

#include "core/base/types.h"

struct cv_vm;

/* Register numbers are those of debugger/gdb/x86-64.xml and of POKE_REG inputs: 0-15 rax rbx rcx rdx rsi rdi
 * rbp rsp r8..r15 (gdb's order), 16 rip, 17 eflags, 18-23 cs ss ds es fs gs, then the names below. */
enum cv_reg {
    CV_REG_RIP = 16, CV_REG_EFLAGS, CV_REG_CS, CV_REG_SS, CV_REG_DS, CV_REG_ES, CV_REG_FS, CV_REG_GS,
    CV_REG_ST0, CV_REG_FCTRL = CV_REG_ST0 + 8, CV_REG_FSTAT, CV_REG_FTAG, CV_REG_FISEG, CV_REG_FIOFF,
    CV_REG_FOSEG, CV_REG_FOOFF, CV_REG_FOP, CV_REG_XMM0, CV_REG_MXCSR = CV_REG_XMM0 + 16,
    CV_REG_YMMH0, CV_REG_FS_BASE = CV_REG_YMMH0 + 16, CV_REG_GS_BASE, CV_REG_K_GS_BASE,
    CV_REG_CR0, CV_REG_CR2, CV_REG_CR3, CV_REG_CR4, CV_REG_CR8, CV_REG_EFER,
    CV_REG_DR0, CV_REG_DR1, CV_REG_DR2, CV_REG_DR3, CV_REG_DR6, CV_REG_DR7,
    CV_REG_GDTR_BASE, CV_REG_GDTR_LIMIT, CV_REG_IDTR_BASE, CV_REG_IDTR_LIMIT,
    CV_REG_LINEAR_PC, /* where the next instruction is: rip, and outside 64-bit code the base of CS besides */
    CV_REG_COUNT
};

/* Bytes of a register: 8 for general and system, 4 for eflags and selectors and x87 control, 10 for st,
 * 16 for xmm and ymmh. */
unsigned cv_inspect_reg_size(unsigned reg);
/* Copies the register, little endian. False: no such register. */
bool cv_inspect_reg(struct cv_vm *vm, unsigned cpu, unsigned reg, uint8_t *dst);
/* The interrupt descriptor table: linear address and limit. */
void cv_inspect_idt(struct cv_vm *vm, unsigned cpu, cv_gva *base, uint32_t *limit);
/* Guest linear to physical by the CPU's tables, at supervisor rights. False: not mapped. */
bool cv_inspect_translate(struct cv_vm *vm, unsigned cpu, cv_gva gva, cv_gpa *gpa);
/* Reads up to len bytes; returns how many from the start could be read (RAM only, never MMIO). */
size_t cv_inspect_mem(struct cv_vm *vm, unsigned cpu, cv_gva gva, void *dst, size_t len);
size_t cv_inspect_phys(struct cv_vm *vm, cv_gpa gpa, void *dst, size_t len);
/* Writes a general register or RIP: only for POKE_REG inputs (core/vm.c). */
bool cv_inspect_set_reg(struct cv_vm *vm, unsigned reg, uint64_t value);
bool cv_inspect_halted(struct cv_vm *vm, unsigned cpu);

#endif
