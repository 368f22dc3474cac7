/*
 * native.h - one instruction on the bare host CPU, in user mode
 *
 * The pages of layout.h are mapped in this process, at the addresses they have in the
 * guest. The instruction runs with all registers of struct native_ctx; behind it, and at
 * DIFF_TAKEN, stand exits that save them again. A signal is turned into a third exit,
 * after the vector and error code of the exception were taken from its frame.
 * Spec:    Linux: the sigcontext of x86-64 keeps trapno, err and cr2
 */
#ifndef CV_TESTS_DIFF_NATIVE_H
#define CV_TESTS_DIFF_NATIVE_H

#include "core/cpu/regs.h"
#include "layout.h"

#define NATIVE_CTX 0x20200000u /* a page of its own, which the guest does not have */

enum native_exit { NATIVE_NEXT, NATIVE_AT_TAKEN, NATIVE_FAULT };

struct native_ctx {        /* offsets are used by the assembly in native.c */
    uint64_t gpr[16];      /* 0x00 */
    uint64_t rflags;       /* 0x80 */
    uint64_t host_rsp;     /* 0x88 */
    uint64_t target;       /* 0x90: where to jump; far: offset32, selector16 */
    uint64_t exit_next;    /* 0x98 */
    uint64_t exit_taken;   /* 0xa0 */
    uint64_t how;          /* 0xa8: enum native_exit */
    uint64_t base[2];      /* 0xb0: FS, GS */
    uint64_t host_base[2]; /* 0xc0 */
    uint16_t sel[8];       /* 0xd0: ES CS SS DS FS GS */
    uint64_t vector, error, cr2, fault_rip, fault_rflags; /* 0xe0, after NATIVE_FAULT */
    uint64_t unused[7];
    uint8_t fpu[CV_XSAVE_BYTES] __attribute__((aligned(64))); /* 0x140 */
};

struct native_host { /* what this host allows */
    bool has_32, has_ldt;
};

/* Maps the window and finds out what the host allows. False: the addresses are taken. */
bool native_init(struct native_host *host);
/* Installs handlers that stand before those of core's host: to be called after machines
 * were made. */
bool native_init_signals(void);
/* Places the instruction and its exits. */
void native_code(const uint8_t *bytes, unsigned len, unsigned bits);
/* Runs it with the registers of ctx, which then holds the result. bits 64 or 32. */
void native_run(struct native_ctx *ctx, unsigned bits);

#endif
