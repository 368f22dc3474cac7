/*
 * class_system.h - classes of system instructions
 */
#ifndef CV_TESTS_DIFF_SYSTEM_CLASS_SYSTEM_H
#define CV_TESTS_DIFF_SYSTEM_CLASS_SYSTEM_H

#include "engine.h"

void segment_make(struct tcase *c, u32 n);
void segment_after(struct tcase *c, struct cpu *outcome);
void paging_legacy(struct tcase *c, u32 n);
void paging_pae(struct tcase *c, u32 n);
void paging_long(struct tcase *c, u32 n);
void paging_before(struct tcase *c);
void paging_after(struct tcase *c, struct cpu *outcome);
void control_legacy(struct tcase *c, u32 n);
void control_long(struct tcase *c, u32 n);
void control_before(struct tcase *c);
void control_after(struct tcase *c, struct cpu *outcome);
void io_make(struct tcase *c, u32 n);
void io_before(struct tcase *c);
void io_after(struct tcase *c, struct cpu *outcome);
void task_make(struct tcase *c, u32 n);
void task_before(struct tcase *c);
void task_after(struct tcase *c, struct cpu *outcome);
void debug_make(struct tcase *c, u32 n);
void debug_before(struct tcase *c);
void debug_after(struct tcase *c, struct cpu *outcome);

#endif
