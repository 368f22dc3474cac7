/*
 * layout.h - where things lie: selectors, low memory, and struct cpu as the assembly sees
 * it
 */
#ifndef CV_TESTS_DIFF_SYSTEM_LAYOUT_H
#define CV_TESTS_DIFF_SYSTEM_LAYOUT_H

/* GDT of the engine; a case's own descriptors start at SEL_CASE. */
#define SEL_CODE      0x08
#define SEL_DATA      0x10
#define SEL_TSS       0x18
#define SEL_REAL_CODE 0x20
#define SEL_CODE64    0x28
#define SEL_TSS64     0x30
#define SEL_LDT       0x40
#define SEL_REAL_DATA 0x50
#define SEL_CASE      0x80
#define GDT_ENTRIES   128

/* Physical memory below 1 MiB */
#define REAL_BASE  0x8000  /* code and data of real.S */
#define REAL_STACK 0xfff0  /* its stack, as an offset from REAL_BASE */
#define ARENA      0x20000 /* what a case may write */
#define ARENA_SIZE 0x40000
#define CODE_AREA  0x60000 /* where it runs: all INT3 but the case's own bytes */
#define CODE_SIZE  0x20000

/* Above the image: fixed, since 64-bit code in a 32-bit ELF cannot name symbols */
#define IN_AT        0x1f0000 /* struct cpu at entry */
#define OUT_AT       0x1f0100 /* struct cpu at exit */
#define ENGINE_SP_AT 0x1f0200
#define RETURN_AT    0x1f0208 /* address of back_to_engine */

/* struct cpu (engine.h) */
#define IN_GPR    0
#define IN_RIP    128
#define IN_FLAGS  136
#define IN_SEG    144
#define IN_VECTOR 168
#define IN_ERROR  172
#define IN_CR2    176
#define IN_BYTES  192

/* real.S, as offsets from REAL_BASE */
#define REAL_ENTRY  0
#define REAL_IN     0x10 /* copy of struct cpu */
#define REAL_OUT    0x100
#define REAL_RELOAD 0x1f0 /* one byte per segment register: load it in real mode? */
#define REAL_STUBS  0x400 /* 16 bytes a vector */

#endif
