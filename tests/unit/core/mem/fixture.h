/*
 * fixture.h - a CPU with RAM, bus and TLB, and helpers to build page tables
 * Thread:  one
 */
#ifndef CV_TESTS_UNIT_CORE_MEM_FIXTURE_H
#define CV_TESTS_UNIT_CORE_MEM_FIXTURE_H

#include "core/cpu/regs.h"
#include "core/mem/bus.h"
#include "core/mem/mmu.h"
#include "core/mem/ram.h"

#include <stdlib.h>
#include <string.h>

#define P  0x1ull
#define W  0x2ull
#define U  0x4ull
#define A  0x20ull
#define D  0x40ull
#define PS 0x80ull
#define NX (1ull << 63)

struct machine {
    struct cv_cpu cpu;
    struct cv_ram ram;
    struct cv_bus bus;
    unsigned charged;
};

static inline void count_charge(void *arg, uint32_t ns)
{
    ((struct machine *)arg)->charged += ns;
}

/* entries 0: no TLB at all (for the pure walker). */
static inline struct machine *machine_new(uint64_t ram_bytes, unsigned entries)
{
    struct machine *m = aligned_alloc(64, (sizeof(*m) + 63) & ~(size_t)63);
    memset(m, 0, sizeof(*m));
    if (!cv_ram_init(&m->ram, ram_bytes)) {
        abort();
    }
    cv_bus_init(&m->bus);
    m->cpu.ram = &m->ram;
    m->cpu.bus = &m->bus;
    m->cpu.charge = count_charge;
    m->cpu.charge_arg = m;
    cv_cpu_reset(&m->cpu, 1);
    if (entries != 0) {
        m->cpu.tlbs = cv_tlb_new(&m->ram, entries);
        cv_tlb_bind(m->cpu.tlbs, &m->cpu);
        cv_tlb_select(&m->cpu);
    }
    return m;
}

static inline void machine_free(struct machine *m)
{
    cv_tlb_free(m->cpu.tlbs);
    cv_ram_fini(&m->ram);
    free(m);
}

/* Makes what was set in the control registers effective, at this privilege. */
static inline void machine_apply(struct machine *m, unsigned cpl)
{
    bool lma = (m->cpu.efer & CV_EFER_LMA) != 0;
    m->cpu.seg[CV_CS].attr = 0x9b | (lma ? CV_SEG_L : CV_SEG_DB) | cpl << 5;
    m->cpu.seg[CV_SS].attr = 0x93 | CV_SEG_DB | cpl << 5;
    cv_cpu_update_mode(&m->cpu);
    if (m->cpu.tlbs != NULL) {
        cv_tlb_select(&m->cpu);
    }
}

static inline void machine_long_mode(struct machine *m, cv_gpa root, unsigned cpl)
{
    m->cpu.cr0 = CV_CR0_PE | CV_CR0_PG | CV_CR0_WP | CV_CR0_ET;
    m->cpu.cr4 = CV_CR4_PAE;
    m->cpu.efer = CV_EFER_LME | CV_EFER_LMA | CV_EFER_NXE;
    m->cpu.cr3 = root;
    machine_apply(m, cpl);
}

static inline uint64_t phys64(const struct machine *m, cv_gpa gpa)
{
    uint64_t v;
    memcpy(&v, m->ram.base + gpa, 8);
    return v;
}

/* Writes behind everybody's back: for building tables before they are used. */
static inline void set_phys64(struct machine *m, cv_gpa gpa, uint64_t v)
{
    memcpy(m->ram.base + gpa, &v, 8);
}

/* The usual tables: PML4 0x1000, PDPT 0x2000, PD 0x3000, PT 0x4000, all permissive. The
 * PT maps gva 0..2 MiB; PD[1..3] map 2..8 MiB one to one as large pages (a "direct map").
 */
static inline void build_tables(struct machine *m)
{
    set_phys64(m, 0x1000, 0x2000 | P | W | U);
    set_phys64(m, 0x2000, 0x3000 | P | W | U);
    set_phys64(m, 0x3000, 0x4000 | P | W | U);
    for (unsigned i = 0; i < 512; i++) {
        set_phys64(m, 0x4000 + 8 * i, (uint64_t)i * 4096 | P | W | U);
    }
    for (unsigned i = 1; i < 4; i++) {
        set_phys64(m, 0x3000 + 8 * i, (uint64_t)i << 21 | PS | P | W | U);
    }
}

#endif
