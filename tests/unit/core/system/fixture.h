/*
 * fixture.h - a CPU in long or 32-bit protected mode with page tables, GDT, IDT and TSS
 * in RAM
 *
 * Pages map one to one for 16 MiB, 0..2 MiB by 4 KiB pages, so that a test can take one
 * away. 0x1000 PML4  0x2000 PDPT  0x3000 PD  0x4000 PT 0x5000 GDT   0x6000 IDT   0x7000
 * TSS  0x8000 LDT handlers at 0x100000 + vector * 16; kernel stack below 0x20000, IST n
 * below 0x30000 + n * 0x1000
 * Thread:  one
 */
#ifndef CV_TESTS_UNIT_CORE_SYSTEM_FIXTURE_H
#define CV_TESTS_UNIT_CORE_SYSTEM_FIXTURE_H

#include "core/cpu/cpuid.h"
#include "core/decode/op.h"
#include "core/mem/bus.h"
#include "core/mem/mmu.h"
#include "core/mem/ram.h"
#include "core/system/control.h"
#include "core/system/interrupt.h"
#include "core/system/msr.h"
#include "core/system/segment.h"
#include "core/system/syscall.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum {
    GDT = 0x5000,
    IDT = 0x6000,
    TSS = 0x7000,
    LDT = 0x8000,
    PT = 0x4000,
    KSTACK = 0x20000,
    ISTS = 0x30000,
    HANDLERS = 0x100000
};

/* clang-format off */
/* Selectors; the order serves SYSCALL, SYSRET, SYSENTER and SYSEXIT. */
enum { KCODE = 0x10, KDATA = 0x18, UCODE32 = 0x20, UDATA = 0x28, UCODE = 0x30, CONFORM = 0x38,
       CODE32 = 0x40, ROCODE = 0x48, XOCODE = 0x50, RODATA = 0x58, NOTP = 0x60, NOTPCODE = 0x68,
       TSSSEL = 0x70, LDTSEL = 0x80, GATE = 0x90, USEG3 = 0xa0, LDBAD = 0xa8, DOWN = 0xb0,
       DPL1CODE = 0xb8, DPL1DATA = 0xc0, GATE_USER = 0xd0, GATE_NP = 0xe0, NOTPDATA3 = 0xf0,
       SEG16 = 0xf8, GDT_END = 0x100 };
/* clang-format on */

struct machine {
    struct cv_cpu cpu;
    struct cv_ram ram;
    struct cv_bus bus;
    uint8_t vector; /* what intr_ack returns */
    unsigned acks;
    unsigned seen, irets; /* calls of on_exception, on_iret */
    struct cv_fault last;
    uint64_t last_rip, last_pushed, last_frame; /* frame of on_exception, of on_iret */
    uint64_t apic_base, tpr, apic_value;
    uint32_t apic_msr;
    uint64_t moved; /* tsc_moved */
};

static inline uint64_t peek(const struct machine *m, uint64_t gpa)
{
    uint64_t v;
    memcpy(&v, m->ram.base + gpa, 8);
    return v;
}
static inline uint32_t peek32(const struct machine *m, uint64_t gpa)
{
    return (uint32_t)peek(m, gpa);
}
static inline void poke(struct machine *m, uint64_t gpa, uint64_t v)
{
    cr_assert(
        cv_ram_write(&m->ram, gpa, &v, 8)); /* through the one door: tables are watched */
}

/* type_attr: bits 40..55 of the descriptor */
static inline uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t type_attr)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 |
           (uint64_t)(type_attr & 0xf0ff) << 40 | (uint64_t)(limit >> 16 & 15) << 48 |
           (uint64_t)(base >> 24) << 56;
}

static inline void set_gate(struct machine *m, unsigned vector, uint16_t sel,
                            uint64_t off, unsigned type, unsigned ist)
{
    uint64_t low = (off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)ist << 32 |
                   (uint64_t)type << 40 | (off >> 16 & 0xffff) << 48;
    if ((m->cpu.efer & CV_EFER_LMA) != 0) {
        poke(m, IDT + vector * 16, low);
        poke(m, IDT + vector * 16 + 8, off >> 32);
    } else {
        poke(m, IDT + vector * 8, low);
    }
}

static inline uint64_t handler(unsigned vector)
{
    return HANDLERS + vector * 16;
}

static inline void set_mapped(struct machine *m, uint64_t gva, bool present)
{
    poke(m, PT + (gva >> 12) * 8, (gva & ~0xfffull) | (present ? 7 : 6));
}

/* Puts the CPU at a privilege with matching flat segments. */
static inline void set_cpl(struct machine *m, unsigned cpl, bool code64)
{
    struct cv_cpu *cpu = &m->cpu;
    uint32_t dpl = cpl << 5;
    uint16_t cs = cpl == 0 ? KCODE : code64 ? UCODE | 3 : UCODE32 | 3;
    uint16_t ss = cpl == 0 ? KDATA : UDATA | 3;
    uint32_t bits = code64 ? CV_SEG_L : CV_SEG_DB;
    cpu->seg[CV_CS] = (struct cv_seg){0, UINT32_MAX, 0x809b | bits | dpl, cs};
    cpu->seg[CV_SS] = (struct cv_seg){0, UINT32_MAX, 0xc093 | dpl, ss};
    cv_cpu_update_mode(cpu);
    cv_tlb_select(cpu);
}

static uint8_t ack(void *arg)
{
    struct machine *m = arg;
    m->acks++;
    return m->vector;
}
static void see(void *arg, const struct cv_fault *fault, uint64_t rip, uint64_t frame)
{
    struct machine *m = arg;
    m->last_pushed = frame;
    m->seen++;
    m->last = *fault;
    m->last_rip = rip;
}
static void see_iret(void *arg, uint64_t frame)
{
    struct machine *m = arg;
    m->irets++;
    m->last_frame = frame;
}

static inline void build_gdt(struct machine *m, bool lma)
{
    uint32_t code = lma ? 0xa09a : 0xc09a;
    poke(m, GDT + KCODE, descriptor(0, 0xfffff, code));
    poke(m, GDT + KDATA, descriptor(0, 0xfffff, 0xc092));
    poke(m, GDT + UCODE32, descriptor(0, 0xfffff, 0xc0fa));
    poke(m, GDT + UDATA, descriptor(0, 0xfffff, 0xc0f2));
    poke(m, GDT + UCODE, descriptor(0, 0xfffff, lma ? 0xa0fa : 0xc0fa));
    poke(m, GDT + CONFORM, descriptor(0, 0xfffff, code | 4));
    poke(m, GDT + CODE32, descriptor(0, 0xfffff, 0xc09a));
    poke(m, GDT + ROCODE, descriptor(0, 0xfffff, 0xc09a));
    poke(m, GDT + XOCODE, descriptor(0, 0xfffff, 0xc0f8));
    poke(m, GDT + RODATA, descriptor(0, 0xfffff, 0xc0f0));
    poke(m, GDT + NOTP, descriptor(0, 0xfffff, 0xc012));
    poke(m, GDT + NOTPCODE, descriptor(0, 0xfffff, code & ~0x80u));
    poke(m, GDT + TSSSEL, descriptor(TSS, 0x67, 0x89));
    poke(m, GDT + TSSSEL + 8, 0);
    poke(m, GDT + LDTSEL, descriptor(LDT, 0x1f, 0x82));
    poke(m, GDT + LDTSEL + 8, 0);
    poke(m, GDT + USEG3, descriptor(0x1000, 0xfff, 0x40f2));
    poke(m, GDT + LDBAD, descriptor(0, 0xfffff, 0xe09a));
    poke(m, GDT + DOWN, descriptor(0, 0xfff, 0x40f6));
    poke(m, GDT + DPL1CODE, descriptor(0, 0xfffff, code | 0x20));
    poke(m, GDT + DPL1DATA, descriptor(0, 0xfffff, 0xc0b2));
    poke(m, GDT + NOTPDATA3, descriptor(0, 0xfffff, 0xc072));
    poke(m, GDT + SEG16, descriptor(0, 0xffff, 0x00f2));
    poke(m, LDT + 8, descriptor(0, 0xfffff, 0xc0f2));
}

static inline struct machine *machine_new(bool lma)
{
    struct machine *m = aligned_alloc(64, (sizeof(*m) + 63) & ~(size_t)63);
    memset(m, 0, sizeof(*m));
    struct cv_cpu *cpu = &m->cpu;
    cr_assert(cv_ram_init(&m->ram, 16 << 20));
    cv_bus_init(&m->bus);
    cpu->ram = &m->ram;
    cpu->bus = &m->bus;
    cv_cpu_reset(cpu, 1);
    cpu->tlbs = cv_tlb_new(&m->ram, 256);
    cv_tlb_bind(cpu->tlbs, cpu);
    cv_tlb_select(cpu);
    poke(m, 0x1000, 0x2007);
    poke(m, 0x2000, 0x3007);
    poke(m, 0x3000, PT | 7);
    for (unsigned i = 0; i < 512; i++) {
        poke(m, PT + 8 * i, (uint64_t)i << 12 | 7);
    }
    for (unsigned i = 1; i < 8; i++) {
        poke(m, 0x3000 + 8 * i, (uint64_t)i << 21 | 0x87);
    }
    cpu->cr0 = CV_CR0_PE | CV_CR0_ET | CV_CR0_NE | CV_CR0_WP | (lma ? CV_CR0_PG : 0);
    cpu->cr4 = CV_CR4_PAE;
    cpu->cr3 = 0x1000;
    cpu->efer = lma ? CV_EFER_LME | CV_EFER_LMA | CV_EFER_SCE | CV_EFER_NXE : 0;
    cpu->gdtr = (struct cv_dtable){GDT, GDT_END - 1};
    cpu->idtr = (struct cv_dtable){IDT, lma ? 4095 : 2047};
    cpu->tr = (struct cv_seg){TSS, 0x67, 0x8b, TSSSEL};
    cpu->ldtr = (struct cv_seg){LDT, 0x1f, 0x82, LDTSEL};
    build_gdt(m, lma);
    for (unsigned v = 0; v < 256; v++) {
        set_gate(m, v, KCODE, handler(v), 0x8e, 0);
    }
    if (lma) {
        poke(m, TSS + 4, KSTACK);
        poke(m, TSS + 12, KSTACK - 0x1000);
        for (unsigned i = 0; i < 7; i++) {
            poke(m, TSS + 0x24 + 8 * i, ISTS + (i + 1) * 0x1000);
        }
    } else {
        poke(m, TSS + 4, (uint64_t)KDATA << 32 | KSTACK);
        poke(m, TSS + 12, (uint64_t)(DPL1DATA | 1) << 32 | (KSTACK - 0x1000));
    }
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        cv_seg_nullify(&cpu->seg[i], 0, 0);
    }
    set_cpl(m, 0, lma);
    cpu->rip = 0x40000;
    cpu->gpr[CV_RSP] = 0x50008;
    cpu->intr_ack = ack;
    cpu->intr_arg = m;
    cpu->on_exception = see;
    cpu->on_iret = see_iret;
    cpu->on_exception_arg = m;
    cpu->left = 1000;
    cpu->deadline = 1000;
    return m;
}

static inline void machine_free(struct machine *m)
{
    cv_tlb_free(m->cpu.tlbs);
    cv_ram_fini(&m->ram);
    free(m);
}

/* A call has failed with this fault and left rip, rsp, flags and selectors alone. */
#define expect_fault(m, call, vec, err)                                                  \
    do {                                                                                 \
        struct cv_cpu before_ = (m)->cpu;                                                \
        bool done_ = (call);                                                             \
        cr_assert(!done_, "%s should fault", #call);                                     \
        cr_assert_eq((m)->cpu.fault.vector, (vec), "%s: vector %u", #call,               \
                     (m)->cpu.fault.vector);                                             \
        cr_assert_eq((m)->cpu.fault.error, (uint32_t)(err), "%s: error %x", #call,       \
                     (m)->cpu.fault.error);                                              \
        cr_assert(before_.rip == (m)->cpu.rip && before_.rflags == (m)->cpu.rflags);     \
        cr_assert(memcmp(before_.gpr, (m)->cpu.gpr, sizeof(before_.gpr)) == 0);          \
        for (unsigned s_ = 0; s_ < CV_SEG_COUNT; s_++) {                                 \
            cr_assert_eq(before_.seg[s_].sel, (m)->cpu.seg[s_].sel);                     \
            cr_assert_eq(before_.seg[s_].attr, (m)->cpu.seg[s_].attr);                   \
        }                                                                                \
    } while (0)

#endif
