/*
 * mmu.h - page walks, and memory access by linear address
 *
 * Spec:    Intel SDM 3A chapter 4 "Paging"
 * Units:   size in bytes, 1..64; accesses may cross pages: both pages are translated before
 *          anything is transferred
 * Errors:  false with cpu->fault filled (#PF, #GP/#SS for non-canonical addresses)
 * Thread:  engine thread only; general registers only
 * Order:   an access that crosses a page probes the lower page first
 */
#ifndef CV_CORE_MEM_MMU_H
#define CV_CORE_MEM_MMU_H

#include "core/mem/tlb.h"

/* A pure walk, with the error code a fault would have. set_ad writes A (and D for writes) into
 * the tables in RAM, without dropping anything derived from them. */
struct cv_walk {
    cv_gpa gpa;         /* of the address, not the page */
    uint8_t page_shift; /* 12, 21, 22, 30; 0 with paging off */
    bool writable, user, nx, dirty; /* combined over the levels */
    uint32_t error;     /* #PF error code when false is returned */
    unsigned tables;    /* table pages read, in table[] */
    cv_gpa table[4];
    uint8_t table_shift[4]; /* address bits one entry of that table covers: 12, 21, 22, 30, 39 */
    uint8_t entry_bytes;    /* 4 or 8 */
};
bool cv_mmu_walk(struct cv_cpu *cpu, cv_gva gva, unsigned acc, bool set_ad,
                 struct cv_walk *walk);

/* Linear accesses by the running instruction (after segmentation). value: little endian. MMIO
 * is dispatched to the bus, charged, and leaves (CV_LEAVE_DEADLINE as needed). */
bool cv_mem_read(struct cv_cpu *cpu, cv_gva gva, unsigned size, uint64_t *value); /* 1,2,4,8 */
bool cv_mem_write(struct cv_cpu *cpu, cv_gva gva, unsigned size, uint64_t value);
bool cv_mem_read_buf(struct cv_cpu *cpu, cv_gva gva, void *dst, unsigned size); /* <= 64, or any
                         size <= 4096 for XSAVE areas */
bool cv_mem_write_buf(struct cv_cpu *cpu, cv_gva gva, const void *src, unsigned size);
/* Probes without transfer: for read-modify-write and multi-store instructions. acc may be or'ed
 * with CV_ACC_UNALIGNED. */
bool cv_mem_probe(struct cv_cpu *cpu, cv_gva gva, unsigned size, unsigned acc);
/* Operands whose alignment is not that of their size: SDM 3A table 6-7 "Alignment Requirements by
 * Data Type". align is 1 (never #AC), 2, 4 or 8. The functions above demand the size itself for
 * 2, 4 and 8 bytes, 8 for 10 bytes, and nothing of all other sizes. */
bool cv_mem_check_aligned(struct cv_cpu *cpu, cv_gva gva, unsigned align);
bool cv_mem_read_as(struct cv_cpu *cpu, cv_gva gva, void *dst, unsigned size, unsigned align);
bool cv_mem_write_as(struct cv_cpu *cpu, cv_gva gva, const void *src, unsigned size,
                     unsigned align);
/* The same with CV_ACC_SYSTEM: descriptor tables, TSS, interrupt stacks at new CPL 0. */
bool cv_mem_read_sys(struct cv_cpu *cpu, cv_gva gva, unsigned size, uint64_t *value);
bool cv_mem_write_sys(struct cv_cpu *cpu, cv_gva gva, unsigned size, uint64_t value);
/* Instruction bytes at gva: copies what can be fetched, up to n (<= 15), stopping at a page
 * that faults or is not RAM; *got >= 1. False when not even the first byte can be fetched. Bytes
 * beyond gva's page are only looked at: no accessed bit is set for them and nothing is cached,
 * since the instruction may end before. A caller whose instruction does extend there fetches
 * again from the page boundary, which sets A, or reports the fault. Never charged. */
bool cv_mem_fetch(struct cv_cpu *cpu, cv_gva gva, uint8_t *dst, unsigned n, unsigned *got);
/* Direct pointer for RAM within one page, for string slices: NULL when it is MMIO. The caller
 * touches before writing. */
bool cv_mem_page(struct cv_cpu *cpu, cv_gva gva, unsigned acc, uint8_t **hva, cv_gpa *gpa);

/* May an access of kind acc, in cpu's present state, use a page with these combined rights? */
bool cv_mmu_allows(const struct cv_cpu *cpu, const struct cv_walk *walk, unsigned acc);
/* DR7 data breakpoints: makes a #DB trap pending when [gva, gva+size) meets an enabled one of
 * this kind (CV_ACC_READ or CV_ACC_WRITE). The functions above do it; users of cv_mem_page call
 * it for what they transferred. */
void cv_mem_debug_check(struct cv_cpu *cpu, cv_gva gva, unsigned size, unsigned acc);

static inline bool cv_canonical(cv_gva gva)
{
    return (uint64_t)((int64_t)(gva << 16) >> 16) == gva;
}

#endif
