/*
 * expr.h - small C-like expressions over registers and memory, compiled to agent expressions
 *
 *   number      12, 0x1f, 'c'
 *   register    rax .. r15, rip, eflags, cr2, cr3, fs_base, gs_base; a leading $ is allowed
 *   memory      u8[E] u16[E] u32[E] u64[E], s8[E] .. s64[E]: little endian at linear address E
 *   operators   those of C with C's precedence: ! ~ - (unary), * / % + - << >> < <= > >= == != & ^ | && ||, and ( )
 *
 * Values are 64 bits; comparison, division and >> are unsigned, s8[] .. s32[] extend their sign.
 * Errors:  64, with what was expected and where
 * Thread:  any; no state
 */
#ifndef CV_DEBUGGER_EXPR_H
#define CV_DEBUGGER_EXPR_H

#include "core/base/error.h"
#include "core/base/types.h"

/* Appends the code that leaves the expression's value on the stack, without `end`. len: bytes of buf used, in and out. */
bool cv_expr_compile(const char *text, uint8_t *buf, size_t cap, size_t *len, struct cv_error *err) CV_MUST_CHECK;
/* A whole condition: the code and `end`. */
bool cv_expr_condition(const char *text, uint8_t *buf, size_t cap, size_t *len, struct cv_error *err) CV_MUST_CHECK;
/* A whole printf: format with one conversion an argument, as gdb's dprintf in agent style. */
bool cv_expr_printf(const char *format, const char *const *args, unsigned count, uint8_t *buf, size_t cap, size_t *len,
                    struct cv_error *err) CV_MUST_CHECK;

#endif
