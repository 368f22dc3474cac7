/*
 * legacy.h - the fixture in 32-bit protected mode with several tasks
 *
 * On top of machine_new(false): a busy 32-bit TSS in TR, an available 32-bit and 16-bit
 * one, a TSS for CPL 3, gates to them and descriptors that are wrong in one way each.
 * Ring 0 runs on KCODE/KDATA, ring 3 on UCODE32/UDATA.
 */
#ifndef CV_TESTS_UNIT_CORE_SYSTEM_LEGACY_H
#define CV_TESTS_UNIT_CORE_SYSTEM_LEGACY_H

#include "core/base/mem.h"
#include "fixture.h"

/* clang-format off */
enum { TSS_B = 0x9000, TSS_16 = 0x9100, TSS_C = 0x9200, LDT_B = 0x9300, DIRECTORY = 0xa000,
       TABLE = 0xb000, PDPTES = 0xc000 };
enum { B = 0x100, B16 = 0x108, GATE_B = 0x110, B_SHORT = 0x118, B_NP = 0x120, LDTB = 0x128,
       C16 = 0x130, GATE_NPRES = 0x138, GATE_LOW = 0x140, B16_SHORT = 0x148, LDT_NP = 0x150,
       GATE_TO_DATA = 0x158, GATE_TO_LDT = 0x160, CODE16 = 0x168, DATA16 = 0x170,
       CONFORM3 = 0x178, B_BUSY = 0x180, GATE16 = 0x188, GATE32 = 0x190, GATE_CONF = 0x198,
       GATE_OUT = 0x1a0, GATE0 = 0x1a8, NPSTACK = 0x1b0, DPL2CODE = 0x1b8, LEGACY_END = 0x1c0 };
/* clang-format on */

static inline uint64_t gate_desc(uint16_t sel, uint32_t off, unsigned type_attr,
                                 unsigned params)
{
    return (off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)params << 32 |
           (uint64_t)type_attr << 40 | (uint64_t)(off >> 16) << 48;
}

static inline void put16(struct machine *m, uint64_t gpa, uint16_t v)
{
    cr_assert(cv_ram_write(&m->ram, gpa, &v, 2));
}
static inline void put32(struct machine *m, uint64_t gpa, uint32_t v)
{
    cr_assert(cv_ram_write(&m->ram, gpa, &v, 4));
}
static inline uint16_t peek16(const struct machine *m, uint64_t gpa)
{
    return (uint16_t)peek(m, gpa);
}

/* A 32-bit image: eip 0x41000, registers 0xb0..0xb7, flat segments of the CPL, LDTB. */
static inline void image32(struct machine *m, uint32_t tss, unsigned cpl)
{
    uint16_t data = cpl == 0 ? KDATA : UDATA | 3;
    put32(m, tss + 4, KSTACK);
    put32(m, tss + 8, KDATA);
    put32(m, tss + 0x1c, 0);
    put32(m, tss + 0x20, 0x41000);
    put32(m, tss + 0x24, CV_FL_FIXED | CV_FL_CF);
    for (unsigned i = 0; i < 8; i++) {
        put32(m, tss + 0x28 + 4 * i, i == CV_RSP ? 0x60000 : 0xb0 + i);
    }
    for (unsigned i = 0; i < 6; i++) {
        put32(m, tss + 0x48 + 4 * i, data);
    }
    put32(m, tss + 0x4c, cpl == 0 ? KCODE : UCODE32 | 3);
    put32(m, tss + 0x60, LDTB);
    put32(m, tss + 0x64, 0);
}
static inline void image16(struct machine *m, uint32_t tss)
{
    put16(m, tss + 0x0e, 0x4100);
    put16(m, tss + 0x10, CV_FL_FIXED | CV_FL_ZF);
    for (unsigned i = 0; i < 8; i++) {
        put16(m, tss + 0x12 + 2 * i, i == CV_RSP ? 0x6000 : (uint16_t)(0xc0 + i));
    }
    for (unsigned i = 0; i < 4; i++) {
        put16(m, tss + 0x22 + 2 * i, KDATA);
    }
    put16(m, tss + 0x24, KCODE);
    put16(m, tss + 0x2a, 0);
}

static inline struct machine *legacy_new(void)
{
    struct machine *m = machine_new(false);
    struct cv_cpu *cpu = &m->cpu;
    cpu->gdtr.limit = LEGACY_END - 1;
    poke(m, GDT + TSSSEL, descriptor(TSS, 0x67, 0x8b));
    poke(m, GDT + B, descriptor(TSS_B, 0x67, 0x89));
    poke(m, GDT + B16, descriptor(TSS_16, 0x2b, 0x81));
    poke(m, GDT + C16, descriptor(TSS_C, 0x2b, 0x81));
    poke(m, GDT + B_SHORT, descriptor(TSS_B, 0x66, 0x89));
    poke(m, GDT + B16_SHORT, descriptor(TSS_16, 0x2a, 0x81));
    poke(m, GDT + B_NP, descriptor(TSS_B, 0x67, 0x09));
    poke(m, GDT + B_BUSY, descriptor(TSS_B, 0x67, 0x8b));
    poke(m, GDT + LDTB, descriptor(LDT_B, 0x1f, 0x82));
    poke(m, GDT + LDT_NP, descriptor(LDT_B, 0x1f, 0x02));
    poke(m, GDT + GATE_B, gate_desc(B, 0, 0xe5, 0));
    poke(m, GDT + GATE_NPRES, gate_desc(B, 0, 0x65, 0));
    poke(m, GDT + GATE_LOW, gate_desc(B, 0, 0x85, 0));
    poke(m, GDT + GATE_TO_DATA, gate_desc(KDATA, 0, 0xe5, 0));
    poke(m, GDT + GATE_TO_LDT, gate_desc(0xc, 0, 0xe5, 0));
    poke(m, GDT + CODE16, descriptor(0, 0xffff, 0x009a));
    poke(m, GDT + DATA16, descriptor(0, 0xffff, 0x0092));
    poke(m, GDT + CONFORM3, descriptor(0, 0xfffff, 0xc0fe));
    poke(m, GDT + NPSTACK, descriptor(0, 0xfffff, 0xc012));
    poke(m, GDT + DPL2CODE, descriptor(0, 0xfffff, 0xc0da));
    image32(m, TSS_B, 0);
    image16(m, TSS_16);
    image16(m, TSS_C);
    poke(m, LDT_B + 8, descriptor(0x2000, 0xffff, 0x40f2));
    for (unsigned i = 0; i < 8; i++) {
        cpu->gpr[i] = i == CV_RSP ? 0x50000 : 0xa0 + i;
    }
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        if (i != CV_CS) {
            cr_assert(cv_seg_load(cpu, i, KDATA));
        }
    }
    cpu->leave = 0;
    return m;
}

static inline void legacy_ring(struct machine *m, unsigned cpl)
{
    set_cpl(m, cpl, false);
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        if (i != CV_CS && i != CV_SS) {
            m->cpu.seg[i] = m->cpu.seg[CV_SS];
        }
    }
}

static inline bool is_busy(const struct machine *m, uint16_t sel)
{
    return (peek(m, GDT + (sel & ~7u)) >> 41 & 1) != 0;
}

#endif
