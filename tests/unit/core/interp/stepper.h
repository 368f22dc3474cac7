/*
 * stepper.h - a tiny machine for interpreter tests
 *
 * One CPU, 4 MiB of RAM, 4-level page tables made of 4 KiB pages, a GDT, an IDT with one
 * handler address for each vector, a 64-bit TSS with an I/O bitmap, and a bus with one
 * port device that counts. Linear layout: [0, 1 MiB)                        identity,
 * supervisor: tables, handlers, kernel stack [STEPPER_WINDOW, + 1 MiB)         user, at
 * guest physical 1 MiB: code and data; at the same address the native harness maps host
 * memory
 */
#ifndef CV_TESTS_STEPPER_H
#define CV_TESTS_STEPPER_H

#include "core/cpu/regs.h"
#include "core/interp/interp.h"
#include "core/mem/bus.h"
#include "core/mem/ram.h"

#define STEPPER_WINDOW  0x20000000u
#define STEPPER_BYTES   0x100000u
#define STEPPER_CODE    (STEPPER_WINDOW + 0x1000u)
#define STEPPER_CODE_GPA 0x101000u
#define STEPPER_DATA    (STEPPER_WINDOW + 0x10000u)
#define STEPPER_HANDLER 0x30000u /* + 16 * vector */
#define STEPPER_RSP0    0x50000u
#define STEPPER_KDATA   0x60000u /* supervisor scratch */

enum { /* selectors */
       STEPPER_CS0_64 = 0x08,
       STEPPER_DS0 = 0x10,
       STEPPER_CS3_32 = 0x1b,
       STEPPER_DS3 = 0x23,
       STEPPER_CS3_64 = 0x2b,
       STEPPER_CS0_32 = 0x30,
       STEPPER_TSS = 0x40
};

struct stepper {
    struct cv_cpu cpu;
    struct cv_ram ram;
    struct cv_bus bus;
    struct cv_interp *interp;
    uint64_t charged_ns;
    unsigned port_reads, port_writes;
    uint32_t port_last;
};

/* cpl 0 or 3; bits 32 or 64. Registers are zero, rsp is in the middle of the data. */
struct stepper *stepper_new(void);
void stepper_free(struct stepper *s);
void stepper_mode(struct stepper *s, unsigned cpl, unsigned bits);

/* Host pointer of a linear address of the window or of the identity part. */
uint8_t *stepper_at(struct stepper *s, cv_gva gva);
/* Copies code to STEPPER_CODE and points rip there. */
void stepper_code(struct stepper *s, const void *code, unsigned len);
/* Replaces the low flag bits of the page's table entry (1 present, 2 writable, 4 user).
 */
void stepper_protect(struct stepper *s, cv_gva gva, unsigned bits);
/* Maps the page elsewhere. */
void stepper_map(struct stepper *s, cv_gva gva, cv_gpa gpa, unsigned bits);
void stepper_step(struct stepper *s);
/* One step, which must count as one; n of them. */
void stepper_one(struct stepper *s);
void stepper_some(struct stepper *s, unsigned n);
/* Copies the bytes of an instruction to STEPPER_CODE and points rip there. */
#define STEPPER_PLACE(s, ...)                                                            \
    do {                                                                                 \
        static const uint8_t code_[] = {__VA_ARGS__};                                    \
        stepper_code((s), code_, sizeof(code_));                                         \
    } while (0)
/* Vector of the handler rip stands at, or -1. */
int stepper_vector(const struct stepper *s);

#endif
