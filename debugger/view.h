/*
 * view.h - the machine as conditions, questions and searches read it: registers as numbers, memory whole or not at all
 * Thread:  engine thread; the machine stands still
 */
#ifndef CV_DEBUGGER_VIEW_H
#define CV_DEBUGGER_VIEW_H

#include "core/base/types.h"

struct cv_vm;

/* A register by its number in core/inspect.h. False: there is none, or it is wider than 8 bytes. */
bool cv_view_reg(struct cv_vm *vm, unsigned reg, uint64_t *value);
uint64_t cv_view_number(struct cv_vm *vm, unsigned reg); /* of one that is there */
/* len bytes at a linear address, by the tables of the CPU. */
bool cv_view_mem(struct cv_vm *vm, uint64_t addr, void *dst, size_t len);
uint64_t cv_view_space(struct cv_vm *vm); /* the root of its page tables, CR3 bits 12..51 */

#endif
