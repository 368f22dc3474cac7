/*
 * legacy.h - the stepper's machine in real mode, virtual-8086 mode and protected mode
 * with 16- and 32-bit segments, paging off
 *
 * Linear layout, the same in all: code 20000h, data 40000h, extra 50000h, stack 60000h,
 * one segment of 64 KiB each; handlers at 30000h + 16 * vector; ring-0 stack below
 * 70000h. Code starts at offset 100h of CS, the stack pointer at 1000h. Upper halves of
 * the registers that 16-bit instructions leave alone hold LEGACY_HIGH.
 */
#ifndef CV_TESTS_LEGACY_H
#define CV_TESTS_LEGACY_H

#include "stepper.h"

#define LEGACY_CODE  0x20000u
#define LEGACY_DATA  0x40000u
#define LEGACY_EXTRA 0x50000u
#define LEGACY_STACK 0x60000u
#define LEGACY_ESP0  0x70000u
#define LEGACY_IP    0x100u
#define LEGACY_SP    0x1000u
#define LEGACY_HIGH  0xabcd0000u
#define LEGACY_GDT   0x6000u
#define LEGACY_IDT   0x7000u
#define LEGACY_TSS   0x8000u

enum { /* selectors of the protected modes; ring 3 ones carry their RPL */
       LEGACY_CS0_32 = 0x08, /* flat */
       LEGACY_DS0_32 = 0x10,
       LEGACY_CS0_16 = 0x18, /* at the bases above, 64 KiB */
       LEGACY_DS0_16 = 0x20,
       LEGACY_ES0_16 = 0x28,
       LEGACY_SS0_16 = 0x30,
       LEGACY_CS3_16 = 0x3b,
       LEGACY_DS3_16 = 0x43,
       LEGACY_ES3_16 = 0x4b,
       LEGACY_SS3_16 = 0x53,
       LEGACY_CONFORMING = 0x58,
       LEGACY_CS1_32 = 0x61,
       LEGACY_TSS_SEL = 0x68,
       LEGACY_CS3_32 = 0x73,
       LEGACY_DS3_32 = 0x7b,
       LEGACY_GDT_BYTES = 0x80
};

void legacy_real(struct stepper *s);
/* A 32-bit TSS whose permission map opens ports 500h..503h; gates are 32-bit interrupt
 * gates of DPL 3 to flat ring-0 code. */
void legacy_vm86(struct stepper *s, unsigned iopl);
void legacy_prot16(struct stepper *s, unsigned cpl);
/* Flat 32-bit code of ring 0 or 3 at the same linear places. */
void legacy_prot32(struct stepper *s, unsigned cpl);

/* Gate of a protected mode: type 6, 7, 14, 15 with P and DPL as in bits 40..47. */
void legacy_gate(struct stepper *s, unsigned vector, uint16_t sel, unsigned type);

/* Copies code to CS:rip, which becomes off. */
void legacy_code_at(struct stepper *s, uint64_t off, const void *code, unsigned len);
/* Vector of the handler that CS:rip stands at, or -1. */
int legacy_vector(const struct stepper *s);
uint64_t legacy_get(struct stepper *s, uint32_t at, unsigned size);
void legacy_put(struct stepper *s, uint32_t at, unsigned size, uint64_t v);
/* The i-th item of size bytes from the top of the stack. */
uint32_t legacy_top(struct stepper *s, unsigned size, unsigned i);

/* Code at LEGACY_IP of the present CS. */
#define LEGACY(s, ...)                                                                   \
    do {                                                                                 \
        static const uint8_t code_[] = {__VA_ARGS__};                                    \
        legacy_code_at((s), LEGACY_IP, code_, sizeof(code_));                            \
    } while (0)

#endif
