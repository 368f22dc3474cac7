#include "core/system/msr.h"
#include "core/base/log.h"
#include "core/cpu/cpuid.h"
#include "core/mem/mmu.h"
#include "core/system/control.h"
#include "core/system/interrupt.h"

/* Numbers and names as in SDM volume 4, table 2-2 */
enum {
    P5_MC_ADDR = 0x0,
    P5_MC_TYPE = 0x1,
    TIME_STAMP_COUNTER = 0x10,
    PLATFORM_ID = 0x17,
    APIC_BASE = 0x1b,
    FEATURE_CONTROL = 0x3a,
    TSC_ADJUST = 0x3b,
    SPEC_CTRL = 0x48,
    PRED_CMD = 0x49,
    BIOS_UPDT_TRIG = 0x79,
    BIOS_SIGN_ID = 0x8b,
    PLATFORM_INFO = 0xce,
    MTRRCAP = 0xfe,
    ARCH_CAPABILITIES = 0x10a,
    FLUSH_CMD = 0x10b,
    SYSENTER_CS = 0x174,
    SYSENTER_ESP = 0x175,
    SYSENTER_EIP = 0x176,
    MCG_CAP = 0x179,
    MCG_STATUS = 0x17a,
    MISC_ENABLE = 0x1a0,
    DEBUGCTL = 0x1d9,
    MTRR_PHYSBASE0 = 0x200,
    MTRR_PHYS_END = MTRR_PHYSBASE0 + 2 * CV_CPUID_VARIABLE_MTRRS,
    MTRR_FIX64K_00000 = 0x250,
    MTRR_FIX16K_80000 = 0x258,
    MTRR_FIX16K_A0000 = 0x259,
    MTRR_FIX4K_C0000 = 0x268,
    MTRR_FIX4K_F8000 = 0x26f,
    PAT = 0x277,
    MTRR_DEF_TYPE = 0x2ff,
    TSC_DEADLINE = 0x6e0,
    X2APIC_FIRST = 0x800,
    X2APIC_LAST = 0x8ff,
};
#define EFER           0xc0000080u
#define STAR           0xc0000081u
#define LSTAR          0xc0000082u
#define CSTAR          0xc0000083u
#define FMASK          0xc0000084u
#define FS_BASE        0xc0000100u
#define GS_BASE        0xc0000101u
#define KERNEL_GS_BASE 0xc0000102u
#define TSC_AUX        0xc0000103u

#define PHYS_RESERVED (~0ull << CV_CPUID_PHYS_BITS)
#define BUS_RATIO     (CV_CPUID_TSC_HZ / 100000000u)

uint64_t cv_cpu_vtime(const struct cv_cpu *cpu)
{
    return cv_cpu_icount(cpu) + (uint64_t)cpu->skew;
}

uint64_t cv_tsc(const struct cv_cpu *cpu)
{
    return cv_cpu_vtime(cpu) + cpu->tsc_offset;
}

/* xoshiro256**, Blackman and Vigna */
uint64_t cv_rng_next(struct cv_cpu *cpu)
{
    uint64_t *s = cpu->rng;
    uint64_t x = s[1] * 5;
    uint64_t result = (x << 7 | x >> 57) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3] << 45 | s[3] >> 19;
    return result;
}

/* -- CPUID ------------------------------------------------------------------------- */

static bool apic_enabled(const struct cv_cpu *cpu)
{
    bool ok = false;
    if (cpu->apic_msr_read == NULL) {
        return true;
    }
    uint64_t base = cpu->apic_msr_read(cpu->intr_arg, APIC_BASE, &ok);
    return !ok || (base >> 11 & 1) != 0;
}

void cv_cpuid(const struct cv_cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    cv_cpuid_model(leaf, subleaf, out);
    if (leaf == 1) {
        if (apic_enabled(cpu)) {
            out[3] |= CV_CPUID_1_EDX_APIC;
        }
        if ((cpu->cr4 & CV_CR4_OSXSAVE) != 0) {
            out[2] |= CV_CPUID_1_ECX_OSXSAVE;
        }
    } else if (leaf == 0xd && subleaf == 0 && (cpu->xcr0 & CV_XCR0_AVX) == 0) {
        out[1] = 576; /* legacy area and header */
    }
}

/* -- which MSR --------------------------------------------------------------------- */

/* Logs an MSR that this model does not have, once each as far as the bloom can tell. */
static bool refuse_unknown(struct cv_cpu *cpu, uint32_t msr, const char *what)
{
    uint32_t bit = (msr * 0x9e3779b1u) >> 24;
    uint64_t mask = 1ull << (bit & 63);
    if ((cpu->msr_seen[bit >> 6] & mask) == 0) {
        cpu->msr_seen[bit >> 6] |= mask;
        cv_log("msr", CV_LOG_INFO, "%s of unknown MSR %x: #GP", what, msr);
    }
    return cv_raise_gp0(cpu);
}

static bool is_apic(uint32_t msr)
{
    return msr == APIC_BASE || msr == TSC_DEADLINE ||
           (msr >= X2APIC_FIRST && msr <= X2APIC_LAST);
}

/* The MSRs that are plain 64-bit registers with no rule but, perhaps, a canonical
 * address. */
static uint64_t *find_plain(struct cv_cpu *cpu, uint32_t msr, bool *address)
{
    *address = true;
    switch (msr) {
    case SYSENTER_ESP:
        return &cpu->sysenter_esp;
    case SYSENTER_EIP:
        return &cpu->sysenter_eip;
    case LSTAR:
        return &cpu->lstar;
    case CSTAR:
        return &cpu->cstar;
    case FS_BASE:
        return &cpu->seg[CV_FS].base;
    case GS_BASE:
        return &cpu->seg[CV_GS].base;
    case KERNEL_GS_BASE:
        return &cpu->kernel_gs_base;
    default:
        break;
    }
    *address = false;
    switch (msr) {
    case SYSENTER_CS:
        return &cpu->sysenter_cs;
    case STAR:
        return &cpu->star;
    default:
        return NULL;
    }
}

/* -- memory types: SDM 3A "MTRRs" (11.11), "PAT" (11.12) --------------------------- */

static uint64_t *find_mtrr(struct cv_cpu *cpu, uint32_t msr)
{
    if (msr >= MTRR_PHYSBASE0 && msr < MTRR_PHYS_END) {
        unsigned i = (msr - MTRR_PHYSBASE0) >> 1;
        return (msr & 1) == 0 ? &cpu->mtrr_base[i] : &cpu->mtrr_mask[i];
    }
    if (msr >= MTRR_FIX4K_C0000 && msr <= MTRR_FIX4K_F8000) {
        return &cpu->mtrr_fixed[3 + (msr - MTRR_FIX4K_C0000)];
    }
    switch (msr) {
    case MTRR_FIX64K_00000:
        return &cpu->mtrr_fixed[0];
    case MTRR_FIX16K_80000:
        return &cpu->mtrr_fixed[1];
    case MTRR_FIX16K_A0000:
        return &cpu->mtrr_fixed[2];
    case MTRR_DEF_TYPE:
        return &cpu->mtrr_def_type;
    default:
        return NULL;
    }
}

#define MTRR_TYPES 0x73u /* UC WC WT WP WB */
#define PAT_TYPES  0xf3u /* and UC- */

static bool is_type(uint8_t type, unsigned allowed)
{
    return type < 8 && (allowed >> type & 1) != 0;
}

static bool are_types(uint64_t value, unsigned allowed)
{
    for (unsigned i = 0; i < 8; i++) {
        if (!is_type((uint8_t)(value >> 8 * i), allowed)) {
            return false;
        }
    }
    return true;
}

static bool check_mtrr(uint32_t msr, uint64_t value)
{
    if (msr == MTRR_DEF_TYPE) {
        return (value & ~0xcffull) == 0 && is_type((uint8_t)value, MTRR_TYPES);
    }
    if (msr >= MTRR_FIX64K_00000) {
        return are_types(value, MTRR_TYPES);
    }
    if ((msr & 1) != 0) {
        return (value & (PHYS_RESERVED | 0x7ff)) == 0;
    }
    return (value & (PHYS_RESERVED | 0xf00)) == 0 && is_type((uint8_t)value, MTRR_TYPES);
}

/* -- reads ------------------------------------------------------------------------- */

static bool read_constant(struct cv_cpu *cpu, uint32_t msr, uint64_t *value)
{
    switch (msr) {
    case P5_MC_ADDR:
    case P5_MC_TYPE:
    case PLATFORM_ID:
    case MCG_CAP: /* no banks */
    case MCG_STATUS:
    case DEBUGCTL:
        *value = 0;
        return true;
    case FEATURE_CONTROL:
        *value = 1; /* locked */
        return true;
    case BIOS_SIGN_ID:
        *value = (uint64_t)CV_CPUID_MICROCODE << 32;
        return true;
    case PLATFORM_INFO:
        *value = BUS_RATIO << 8;
        return true;
    case MTRRCAP:
        *value = CV_CPUID_MTRR_CAP;
        return true;
    case ARCH_CAPABILITIES:
        *value = CV_CPUID_ARCH_CAPABILITIES;
        return true;
    default:
        return refuse_unknown(cpu, msr, "read");
    }
}

static bool read_apic(struct cv_cpu *cpu, uint32_t msr, uint64_t *value)
{
    bool ok = false;
    if (cpu->apic_msr_read != NULL) {
        *value = cpu->apic_msr_read(cpu->intr_arg, msr, &ok);
    }
    return ok || cv_raise_gp0(cpu);
}

bool cv_msr_read(struct cv_cpu *cpu, uint32_t msr, uint64_t *value)
{
    bool address;
    *value = 0;
    if (cv_cpu_cpl(cpu) != 0) {
        return cv_raise_gp0(cpu);
    }
    if (is_apic(msr)) {
        return read_apic(cpu, msr, value);
    }
    const uint64_t *field = find_plain(cpu, msr, &address);
    if (field == NULL) {
        field = find_mtrr(cpu, msr);
    }
    if (field != NULL) {
        *value = *field;
        return true;
    }
    switch (msr) {
    case TIME_STAMP_COUNTER:
        *value = cv_tsc(cpu);
        return true;
    case TSC_ADJUST: /* both start at 0 and move together: SDM 3B 17.17.3 */
        *value = cpu->tsc_offset;
        return true;
    case SPEC_CTRL:
        *value = cpu->spec_ctrl;
        return true;
    case MISC_ENABLE:
        *value = cpu->misc_enable;
        return true;
    case PAT:
        *value = cpu->pat;
        return true;
    case EFER:
        *value = cpu->efer;
        return true;
    case FMASK:
        *value = cpu->sfmask;
        return true;
    case TSC_AUX:
        *value = cpu->tsc_aux;
        return true;
    default:
        return read_constant(cpu, msr, value);
    }
}

/* -- writes ------------------------------------------------------------------------ */

static bool store_if(struct cv_cpu *cpu, uint64_t *field, uint64_t value, bool good)
{
    if (!good) {
        return cv_raise_gp0(cpu);
    }
    *field = value;
    return true;
}

static bool write_efer(struct cv_cpu *cpu, uint64_t value)
{
    uint64_t changed = cpu->efer ^ value;
    if ((value & ~CV_CPUID_EFER_MASK) != 0 ||
        ((changed & CV_EFER_LME) != 0 && (cpu->cr0 & CV_CR0_PG) != 0)) {
        return cv_raise_gp0(cpu);
    }
    /* LMA is read-only; Intel processors ignore what is written to it. */
    cpu->efer = (value & ~CV_EFER_LMA) | (cpu->efer & CV_EFER_LMA);
    cv_control_changed(cpu);
    return true;
}

static void move_tsc(struct cv_cpu *cpu, uint64_t offset)
{
    cpu->tsc_offset = offset;
    if (cpu->tsc_moved != NULL) {
        cpu->tsc_moved(cpu->intr_arg, offset);
    }
    cpu->leave |= CV_LEAVE_DEADLINE;
}

static bool write_apic(struct cv_cpu *cpu, uint32_t msr, uint64_t value)
{
    bool ok =
        cpu->apic_msr_write != NULL && cpu->apic_msr_write(cpu->intr_arg, msr, value);
    return ok || cv_raise_gp0(cpu);
}

/* Commands and registers whose writes have no effect on this machine */
static bool write_command(struct cv_cpu *cpu, uint32_t msr, uint64_t value)
{
    switch (msr) {
    case PRED_CMD:
    case FLUSH_CMD:
        return value <= 1 || cv_raise_gp0(cpu);
    case DEBUGCTL: /* LBR and BTF are taken and forgotten */
        return (value & ~3ull) == 0 || cv_raise_gp0(cpu);
    case BIOS_SIGN_ID:
    case BIOS_UPDT_TRIG:
    case P5_MC_ADDR:
    case P5_MC_TYPE:
        return true;
    case MCG_STATUS:
        return value == 0 || cv_raise_gp0(cpu);
    case FEATURE_CONTROL: /* locked */
    case PLATFORM_ID:
    case PLATFORM_INFO:
    case MTRRCAP:
    case ARCH_CAPABILITIES:
    case MCG_CAP:
        return cv_raise_gp0(cpu);
    default:
        return refuse_unknown(cpu, msr, "write");
    }
}

bool cv_msr_write(struct cv_cpu *cpu, uint32_t msr, uint64_t value)
{
    bool address;
    if (cv_cpu_cpl(cpu) != 0) {
        return cv_raise_gp0(cpu);
    }
    if (is_apic(msr)) {
        return write_apic(cpu, msr, value);
    }
    uint64_t *field = find_plain(cpu, msr, &address);
    if (field != NULL) {
        return store_if(cpu, field, value, !address || cv_canonical(value));
    }
    field = find_mtrr(cpu, msr);
    if (field != NULL) {
        return store_if(cpu, field, value, check_mtrr(msr, value));
    }
    switch (msr) {
    case TIME_STAMP_COUNTER:
        move_tsc(cpu, value - cv_cpu_vtime(cpu));
        return true;
    case TSC_ADJUST:
        move_tsc(cpu, value);
        return true;
    case SPEC_CTRL:
        return store_if(cpu, &cpu->spec_ctrl, value,
                        (value & ~CV_CPUID_SPEC_CTRL_MASK) == 0);
    case MISC_ENABLE: /* only fast strings can be switched; XD stays enabled */
        cpu->misc_enable = value & 1;
        return true;
    case PAT:
        return store_if(cpu, &cpu->pat, value, are_types(value, PAT_TYPES));
    case EFER:
        return write_efer(cpu, value);
    case FMASK:
        return store_if(cpu, &cpu->sfmask, value, value >> 32 == 0);
    case TSC_AUX:
        return store_if(cpu, &cpu->tsc_aux, value, value >> 32 == 0);
    default:
        return write_command(cpu, msr, value);
    }
}
