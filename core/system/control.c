#include "core/system/control.h"
#include "core/cpu/cpuid.h"
#include "core/mem/mmu.h"
#include "core/mem/ram.h"
#include "core/mem/taps.h"
#include "core/system/interrupt.h"
#include "core/system/segment.h"

#define CR0_KNOWN                                                                        \
    (CV_CR0_PE | CV_CR0_MP | CV_CR0_EM | CV_CR0_TS | CV_CR0_ET | CV_CR0_NE | CV_CR0_WP | \
     CV_CR0_AM | CV_CR0_NW | CV_CR0_CD | CV_CR0_PG)
#define CR3_NO_FLUSH  (1ull << 63)
#define PHYS_RESERVED (~0ull << CV_CPUID_PHYS_BITS)

#define DR6_WRITABLE 0xe00full
#define DR6_ONES     0xffff0ff0ull
#define DR6_BD       (1ull << 13)
#define DR7_WRITABLE 0xffff23ffull
#define DR7_ONES     0x400ull
#define DR7_GD       (1ull << 13)

void cv_control_changed(struct cv_cpu *cpu)
{
    cv_cpu_update_mode(cpu);
    cv_tlb_select(cpu);
    cpu->leave |= CV_LEAVE_MODE;
}

static bool check_privileged(struct cv_cpu *cpu)
{
    return cv_cpu_cpl(cpu) == 0 || cv_raise_gp0(cpu);
}

/* -- control registers ------------------------------------------------------------- */

static bool uses_pdptes(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CV_CR0_PG) != 0 && (cr4 & CV_CR4_PAE) != 0 && (efer & CV_EFER_LME) == 0;
}

/* SDM 3A "PDPTE Registers" (4.4.1): loaded together, #GP(0) for a reserved bit. */
static bool load_pdptes(struct cv_cpu *cpu, uint64_t cr3)
{
    uint64_t entry[4];
    if (!cv_ram_read(cpu->ram, (uint32_t)cr3 & ~31u, entry, sizeof(entry))) {
        return cv_raise_gp0(cpu); /* nothing there reads as all ones: reserved bits */
    }
    for (unsigned i = 0; i < 4; i++) {
        if ((entry[i] & 1) != 0 && (entry[i] & (PHYS_RESERVED | 0x1e6)) != 0) {
            return cv_raise_gp0(cpu);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        cpu->pdpte[i] = entry[i];
    }
    return true;
}

/* SDM 3A "Initializing IA-32e Mode" (9.8.5), 2B "MOV—Move to/from Control Registers" */
static bool check_paging_switch(struct cv_cpu *cpu, uint64_t cr0)
{
    bool code64 = (cpu->mode & CV_MODE_CS64) != 0;
    if ((cr0 & CV_CR0_PG) == 0) {
        return !code64 && (cpu->cr4 & CV_CR4_PCIDE) == 0;
    }
    if ((cpu->efer & CV_EFER_LME) == 0) {
        return true;
    }
    bool tss16 = (cpu->tr.attr & (CV_SEG_NULL | 8)) == 0;
    return (cpu->cr4 & CV_CR4_PAE) != 0 && (cpu->seg[CV_CS].attr & CV_SEG_L) == 0 &&
           !tss16;
}

static bool write_cr0(struct cv_cpu *cpu, uint64_t value)
{
    if (value >> 32 != 0) {
        return cv_raise_gp0(cpu);
    }
    uint64_t cr0 = (value & CR0_KNOWN) | CV_CR0_ET;
    uint64_t changed = cr0 ^ cpu->cr0;
    if (((cr0 & CV_CR0_PG) != 0 && (cr0 & CV_CR0_PE) == 0) ||
        ((cr0 & CV_CR0_NW) != 0 && (cr0 & CV_CR0_CD) == 0) ||
        ((changed & CV_CR0_PG) != 0 && !check_paging_switch(cpu, cr0))) {
        return cv_raise_gp0(cpu);
    }
    if (uses_pdptes(cr0, cpu->cr4, cpu->efer) &&
        (changed & (CV_CR0_PG | CV_CR0_CD | CV_CR0_NW)) != 0 &&
        !load_pdptes(cpu, cpu->cr3)) {
        return false;
    }
    cpu->cr0 = cr0;
    if ((changed & CV_CR0_PG) != 0) {
        bool active = (cr0 & CV_CR0_PG) != 0 && (cpu->efer & CV_EFER_LME) != 0;
        cpu->efer = (cpu->efer & ~CV_EFER_LMA) | (active ? CV_EFER_LMA : 0);
    }
    return true;
}

static bool write_cr3(struct cv_cpu *cpu, uint64_t value)
{
    if ((cpu->efer & CV_EFER_LMA) != 0) {
        /* Bit 63 says "keep the TLB", which means nothing here, and is not stored. */
        if ((cpu->cr4 & CV_CR4_PCIDE) != 0) {
            value &= ~CR3_NO_FLUSH;
        }
        if ((value & PHYS_RESERVED) != 0) {
            return cv_raise_gp0(cpu);
        }
    } else {
        value = (uint32_t)value;
        if (uses_pdptes(cpu->cr0, cpu->cr4, cpu->efer) && !load_pdptes(cpu, value)) {
            return false;
        }
    }
    cpu->cr3 = value;
    cv_taps_raise(cpu, CV_TAP_CR3, value);
    return true;
}

/* SDM 3A "PDPTE Registers" (4.4.1): "task switch that changes the value of CR3" */
bool cv_control_switch_cr3(struct cv_cpu *cpu, uint32_t value)
{
    if (value != cpu->cr3 && !write_cr3(cpu, value)) {
        return false;
    }
    cv_control_changed(cpu);
    return true;
}

static bool write_cr4(struct cv_cpu *cpu, uint64_t value)
{
    uint64_t changed = value ^ cpu->cr4;
    bool lma = (cpu->efer & CV_EFER_LMA) != 0;
    if ((value & ~CV_CPUID_CR4_MASK) != 0 || (lma && (value & CV_CR4_PAE) == 0)) {
        return cv_raise_gp0(cpu);
    }
    if ((changed & value & CV_CR4_PCIDE) != 0 && (!lma || (cpu->cr3 & 0xfff) != 0)) {
        return cv_raise_gp0(cpu);
    }
    if (uses_pdptes(cpu->cr0, value, cpu->efer) &&
        (changed & (CV_CR4_PAE | CV_CR4_PGE | CV_CR4_PSE | CV_CR4_SMEP)) != 0 &&
        !load_pdptes(cpu, cpu->cr3)) {
        return false;
    }
    cpu->cr4 = value;
    return true;
}

static bool write_cr8(struct cv_cpu *cpu, uint64_t value)
{
    if (value > 15) {
        return cv_raise_gp0(cpu);
    }
    if (cpu->apic_tpr_write != NULL) {
        cpu->apic_tpr_write(cpu->intr_arg, value);
    }
    cpu->leave |= CV_LEAVE_LINES;
    return true;
}

bool cv_control_write(struct cv_cpu *cpu, unsigned cr, uint64_t value)
{
    bool done;
    if (cr > 8 || (cr > 4 && cr != 8) || cr == 1) {
        return cv_raise_ud(cpu);
    }
    if (!check_privileged(cpu)) {
        return false;
    }
    switch (cr) {
    case 0:
        done = write_cr0(cpu, value);
        break;
    case 2:
        cpu->cr2 = value;
        return true;
    case 3:
        done = write_cr3(cpu, value);
        break;
    case 4:
        done = write_cr4(cpu, value);
        break;
    default:
        return write_cr8(cpu, value);
    }
    if (done) {
        cv_control_changed(cpu);
    }
    return done;
}

bool cv_control_read(struct cv_cpu *cpu, unsigned cr, uint64_t *value)
{
    if (cr > 8 || (cr > 4 && cr != 8) || cr == 1) {
        return cv_raise_ud(cpu);
    }
    if (!check_privileged(cpu)) {
        return false;
    }
    switch (cr) {
    case 0:
        *value = cpu->cr0;
        break;
    case 2:
        *value = cpu->cr2;
        break;
    case 3:
        *value = cpu->cr3;
        break;
    case 4:
        *value = cpu->cr4;
        break;
    default:
        *value = cpu->apic_tpr_read != NULL ? cpu->apic_tpr_read(cpu->intr_arg) & 15 : 0;
        break;
    }
    return true;
}

/* -- debug registers --------------------------------------------------------------- */

/* Common to reads and writes: which register, may it be touched. SDM 3B 17.2.2 (DR4,
 * DR5), 17.2.4 (general detect). */
static bool open_debug(struct cv_cpu *cpu, unsigned *dr)
{
    if (*dr > 7 || ((*dr == 4 || *dr == 5) && (cpu->cr4 & CV_CR4_DE) != 0)) {
        return cv_raise_ud(cpu);
    }
    if (!check_privileged(cpu)) {
        return false;
    }
    if ((cpu->dr[7] & DR7_GD) != 0) {
        cv_raise(cpu, CV_EXC_DB, false, 0);
        cpu->fault.dr6_bits = DR6_BD;
        return false;
    }
    if (*dr == 4 || *dr == 5) {
        *dr += 2;
    }
    return true;
}

bool cv_debug_write(struct cv_cpu *cpu, unsigned dr, uint64_t value)
{
    if (!open_debug(cpu, &dr)) {
        return false;
    }
    if (dr < 4) {
        cpu->dr[dr] = value;
    } else if (value >> 32 != 0) {
        return cv_raise_gp0(cpu);
    } else if (dr == 6) {
        cpu->dr[6] = (value & DR6_WRITABLE) | DR6_ONES;
    } else {
        cpu->dr[7] = (value & DR7_WRITABLE) | DR7_ONES;
    }
    cv_control_changed(cpu);
    return true;
}

bool cv_debug_read(struct cv_cpu *cpu, unsigned dr, uint64_t *value)
{
    if (!open_debug(cpu, &dr)) {
        return false;
    }
    *value = cpu->dr[dr];
    if (dr == 6) {
        *value |= DR6_ONES;
    } else if (dr == 7) {
        *value |= DR7_ONES;
    }
    return true;
}

/* -- extended state, INVPCID, RFLAGS ----------------------------------------------- */

bool cv_xcr_write(struct cv_cpu *cpu, uint32_t index, uint64_t value)
{
    if ((cpu->cr4 & CV_CR4_OSXSAVE) == 0) {
        return cv_raise_ud(cpu);
    }
    if (!check_privileged(cpu)) {
        return false;
    }
    /* SDM 2C "XSETBV" */
    if (index != 0 || (value & ~CV_CPUID_XCR0_MASK) != 0 || (value & CV_XCR0_X87) == 0 ||
        ((value & CV_XCR0_AVX) != 0 && (value & CV_XCR0_SSE) == 0)) {
        return cv_raise_gp0(cpu);
    }
    cpu->xcr0 = value;
    cv_control_changed(cpu);
    return true;
}

bool cv_invpcid(struct cv_cpu *cpu, uint64_t type, uint64_t desc_lo, uint64_t desc_hi)
{
    if (!check_privileged(cpu)) {
        return false;
    }
    bool bad = type > 3 || desc_lo >> 12 != 0 || (type == 0 && !cv_canonical(desc_hi)) ||
               (type < 2 && (cpu->cr4 & CV_CR4_PCIDE) == 0 && desc_lo != 0);
    return !bad || cv_raise_gp0(cpu);
}

bool cv_flags_pop(struct cv_cpu *cpu, uint64_t value, unsigned opsize)
{
    /* SDM 2B "POPF/POPFD/POPFQ", table 4-16; RF is cleared, VM VIF VIP stay */
    uint64_t mask = CV_FL_ARITH | CV_FL_TF | CV_FL_DF | CV_FL_NT;
    unsigned cpl = cv_cpu_cpl(cpu);
    uint64_t old = cpu->rflags;
    if (opsize != 2) {
        mask |= CV_FL_AC | CV_FL_ID;
    }
    if (cpl <= (old >> 12 & 3)) {
        mask |= CV_FL_IF;
    }
    if (cpl == 0) {
        mask |= CV_FL_IOPL;
    }
    cpu->rflags = ((old & ~mask) | (value & mask) | CV_FL_FIXED) & ~(uint64_t)CV_FL_RF;
    uint64_t changed = old ^ cpu->rflags;
    if ((changed & CV_FL_IF) != 0) {
        cpu->leave |= CV_LEAVE_LINES;
    }
    if ((changed & (CV_FL_TF | CV_FL_AC)) != 0) {
        cv_control_changed(cpu);
    }
    return true;
}
