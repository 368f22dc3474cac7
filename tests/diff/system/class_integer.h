/*
 * class_integer.h - classes made of the forms table
 */
#ifndef CV_TESTS_DIFF_SYSTEM_CLASS_INTEGER_H
#define CV_TESTS_DIFF_SYSTEM_CLASS_INTEGER_H

#include "engine.h"

void integer_real16(struct tcase *c, u32 n);
void integer_unreal(struct tcase *c, u32 n);
void integer_vm86(struct tcase *c, u32 n);
void integer_protected16(struct tcase *c, u32 n);
void integer_protected32(struct tcase *c, u32 n);
void integer_ring0(struct tcase *c, u32 n);
void integer_compat(struct tcase *c, u32 n);
void integer_step(struct tcase *c, u32 n);
void integer_step86(struct tcase *c, u32 n);

#endif
