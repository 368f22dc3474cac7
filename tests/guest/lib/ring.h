/*
 * ring.h - other privilege levels: a wide GDT, gates, a TSS with an I/O bitmap, and ways out of CPL 0 and back
 *
 * ring_setup() maps the first 16 MiB user-accessible, so that a routine of the guest's own image can run at CPL 3. Whatever
 * leaves CPL 0 comes back by INT 81h (LAND), from any mode; its frame is then the newest entry of the log of catch.h.
 */
#ifndef CV_TESTS_GUEST_RING_H
#define CV_TESTS_GUEST_RING_H

#include "catch.h"

enum { /* selectors of ring_gdt; RPL 0 */
    S_KCODE = 0x08, S_KDATA = 0x10, S_UDATA = 0x18, S_UCODE = 0x20, S_TSS = 0x28, S_LDT = 0x38, S_UCODE32 = 0x48,
    S_KCODE32 = 0x50, S_CONFORMING = 0x58, S_ABSENT_CODE = 0x60, S_ABSENT_DATA = 0x68, S_GATE = 0x70,
    S_KGATE = 0x80, S_LD = 0x90, S_BASED = 0x98, S_READ_ONLY = 0xa0,
    S_FAST = 0xc0, /* the six of SYSENTER and SYSCALL: kernel code, data, user code 32, data, user code 64, data */
    S_FAST_USER = 0xd0, S_SPARE = 0xf0, GDT_WORDS = 34
};
#define LAND_VECTOR 0x81u
#define LAND "int $0x81\n"

extern uint64_t ring_gdt[GDT_WORDS], ring_ldt[8];
struct ring_tss {
    uint32_t zero0;
    uint64_t rsp[3], zero1, ist[7], zero2;
    uint16_t zero3, iomap;
    uint8_t map[8193];
} __attribute__((packed));
extern struct ring_tss ring_tss;

void ring_setup(void);
/* access: P DPL S type; flags: G D L AVL as in bits 55..52 */
uint64_t ring_descriptor(uint32_t base, uint32_t limit, unsigned access, unsigned flags);
void ring_set_gate(unsigned vector, const void *target, uint16_t sel, unsigned ist, unsigned access);
void ring_set_call_gate(unsigned sel, const void *target, uint16_t code, unsigned access);
void ring_load_tss(uint32_t limit);

/* Jumps to one of the tails below with these registers. Comes back after LAND, or with the fault that the tail raised;
 * gives the vector that ended it. */
unsigned ring_leave(const void *tail, uint64_t rsp, uint64_t rdx, uint64_t rcx, uint64_t r11);
extern const char tail_iretq[], tail_iretl[], tail_iretw[], tail_lretq[], tail_lretl[], tail_sysretq[], tail_sysretl[],
    tail_sysexitq[], tail_sysexitl[], tail_jump[];
extern const char land[]; /* LAND and nothing else */
/* IRETQ with this frame. */
unsigned ring_iret(uint64_t rip, uint64_t cs, uint64_t rflags, uint64_t rsp, uint64_t ss);
/* A C function at CPL 3, with IOPL and so on from rflags. */
void ring_user(void (*fn)(void), uint64_t rflags);
/* The stack that ring_user and landings run on. */
uint64_t ring_user_stack(void);
#define NEWEST() (&caught[caught_count - 1])

#endif
