/*
 * native.h - one instruction on the bare host CPU, in user mode
 *
 * The window of stepper.h is mapped at the same address in this process, so that memory
 * operands and code have the same linear addresses on both sides. After the instruction,
 * and at NATIVE_TAKEN (where tests aim branches), stand exits that save the registers.
 */
#ifndef CV_TESTS_NATIVE_H
#define CV_TESTS_NATIVE_H

#include "stepper.h"

#define NATIVE_CTX   (STEPPER_WINDOW + 0x8000u)
#define NATIVE_TAKEN (STEPPER_CODE + 100u)

struct native_ctx {      /* offsets are used by the assembly in native.c */
    uint64_t gpr[16];    /* 0x00 */
    uint64_t rflags;     /* 0x80 */
    uint64_t host_rsp;   /* 0x88 */
    uint64_t target;     /* 0x90: where to jump; far: offset32, selector16 */
    uint64_t exit_next;  /* 0x98 */
    uint64_t exit_taken; /* 0xa0 */
    uint64_t taken;      /* 0xa8 */
};

/* Maps the window; false when the address is not free. */
bool native_init(void);
/* May 32-bit code run here? */
bool native_has_32(void);
/* Places the instruction with its exits at STEPPER_CODE. */
void native_code(const uint8_t *bytes, unsigned len, unsigned bits);
/* Runs it with the registers of ctx, which then holds the result. 0, or the signal it
 * died of. */
int native_run(struct native_ctx *ctx, unsigned bits);

#endif
