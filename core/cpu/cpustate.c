/*
 * cpustate.c - reset, derived mode word, and the section that saves a CPU
 */
#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/base/section.h"
#include "core/cpu/fpu.h"
#include "core/cpu/regs.h"

#define MAXPHYADDR 40u

#define CR0_KNOWN                                                                        \
    (CV_CR0_PE | CV_CR0_MP | CV_CR0_EM | CV_CR0_TS | CV_CR0_ET | CV_CR0_NE | CV_CR0_WP | \
     CV_CR0_AM | CV_CR0_NW | CV_CR0_CD | CV_CR0_PG)
#define CR4_KNOWN                                                                        \
    (CV_CR4_TSD | CV_CR4_DE | CV_CR4_PSE | CV_CR4_PAE |        \
     CV_CR4_MCE | CV_CR4_PGE | CV_CR4_PCE | CV_CR4_OSFXSR | CV_CR4_OSXMMEXCPT |          \
     CV_CR4_UMIP | CV_CR4_FSGSBASE | CV_CR4_PCIDE | CV_CR4_OSXSAVE | CV_CR4_SMEP |       \
     CV_CR4_SMAP)
#define EFER_KNOWN (CV_EFER_SCE | CV_EFER_LME | CV_EFER_LMA | CV_EFER_NXE)
#define RFLAGS_KNOWN                                                                     \
    0x3f7fd7u /* SDM 1 "EFLAGS Register" (3.4.3): 21..16, 14..6, 4, 2, 1, 0 */
#define SEG_KNOWN 0x1f0ffu

/* SDM 3B "Debug Status Register (DR6)", "Debug Control Register (DR7)" (17.2.3, 17.2.4)
 */
#define DR6_FIXED    0xffff0ff0ull
#define DR6_WRITABLE 0xe00full
#define DR7_FIXED    0x400ull
#define DR7_RESERVED 0xffffffff0000d800ull

/* SDM 1 "XSAVE-Managed State" (13.4); the fields core/cpu/fpu.c keeps canonical */
#define FCW_INIT     0x037fu
#define FCW_FIXED    0x0040u
#define FCW_RESERVED 0xe080u
#define MXCSR_INIT   0x1f80u
#define MXCSR_MASK   0xffffu
#define OFF_ST       32u
#define OFF_UNUSED   416u
#define OFF_HEADER   512u
#define OFF_AVX      576u

/* attr bits of a flat segment: SDM 3A "Segment Descriptors" (3.4.5) */
#define FLAT_DATA_MASK (CV_SEG_NULL | 0x9eu) /* P S code expand-down writable */
#define FLAT_DATA      0x92u
#define FLAT_CODE_MASK (CV_SEG_NULL | CV_SEG_DB | 0x98u)
#define FLAT_CODE      (CV_SEG_DB | 0x98u)

static bool is_flat(const struct cv_seg *seg, uint32_t mask, uint32_t want)
{
    return seg->base == 0 && seg->limit == UINT32_MAX && (seg->attr & mask) == want;
}

static bool segments_are_flat(const struct cv_cpu *cpu)
{
    return is_flat(&cpu->seg[CV_CS], FLAT_CODE_MASK, FLAT_CODE) &&
           is_flat(&cpu->seg[CV_SS], FLAT_DATA_MASK | CV_SEG_DB, FLAT_DATA | CV_SEG_DB) &&
           is_flat(&cpu->seg[CV_DS], FLAT_DATA_MASK, FLAT_DATA) &&
           is_flat(&cpu->seg[CV_ES], FLAT_DATA_MASK, FLAT_DATA);
}

void cv_cpu_update_mode(struct cv_cpu *cpu)
{
    const struct cv_seg *cs = &cpu->seg[CV_CS];
    const struct cv_seg *ss = &cpu->seg[CV_SS];
    bool pe = (cpu->cr0 & CV_CR0_PE) != 0;
    bool vm86 = pe && (cpu->rflags & CV_FL_VM) != 0;
    bool lma = (cpu->efer & CV_EFER_LMA) != 0;
    bool cs64 = lma && (cs->attr & CV_SEG_L) != 0;
    bool osxsave = (cpu->cr4 & CV_CR4_OSXSAVE) != 0;
    unsigned cpl = !pe ? 0 : vm86 ? 3 : (ss->attr >> 5) & 3u;
    uint32_t mode = cpl;

    mode |= cs64 ? CV_MODE_CS64 : 0;
    mode |= !cs64 && (cs->attr & CV_SEG_DB) != 0 ? CV_MODE_CS32 : 0;
    mode |= !cs64 && (ss->attr & CV_SEG_DB) != 0 ? CV_MODE_SS32 : 0;
    mode |= pe ? CV_MODE_PE : 0;
    mode |= (cpu->cr0 & CV_CR0_PG) != 0 ? CV_MODE_PG : 0;
    mode |= lma ? CV_MODE_LMA : 0;
    mode |= (cpu->cr0 & CV_CR0_TS) != 0 ? CV_MODE_TS : 0;
    mode |= (cpu->cr0 & CV_CR0_EM) != 0 ? CV_MODE_EM : 0;
    mode |= (cpu->cr0 & CV_CR0_MP) != 0 ? CV_MODE_MP : 0;
    mode |= (cpu->cr4 & CV_CR4_OSFXSR) != 0 ? CV_MODE_OSFXSR : 0;
    mode |= osxsave ? CV_MODE_OSXSAVE : 0;
    mode |= osxsave && (cpu->xcr0 & 6u) == 6u ? CV_MODE_AVX : 0;
    mode |= (cpu->cr4 & CV_CR4_UMIP) != 0 ? CV_MODE_UMIP : 0;
    mode |= (cpu->cr4 & CV_CR4_FSGSBASE) != 0 ? CV_MODE_FSGSBASE : 0;
    mode |= (cpu->rflags & CV_FL_TF) != 0 ? CV_MODE_TF : 0;
    mode |= cpl == 3 && (cpu->cr0 & CV_CR0_AM) != 0 && (cpu->rflags & CV_FL_AC) != 0
                ? CV_MODE_AC
                : 0;
    mode |= vm86 ? CV_MODE_VM86 : 0;
    mode |= (cpu->cr4 & CV_CR4_TSD) != 0 ? CV_MODE_TSD : 0;
    mode |= (cpu->dr[7] & 0xff) != 0 ? CV_MODE_DR7 : 0;
    mode |= pe && !vm86 && (mode & CV_MODE_CS32) != 0 && segments_are_flat(cpu)
                ? CV_MODE_FLAT
                : 0;
    cpu->mode = mode;
}

/* splitmix64: spreads a small seed over the generator's four words, never all zero. */
static uint64_t next_seed(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static void reset_fpu(struct cv_cpu *cpu)
{
    cv_memset(cpu->xsave, 0, sizeof(cpu->xsave));
    cv_st16(cpu->xsave, FCW_INIT);
    cv_st32(cpu->xsave + 24, MXCSR_INIT);
    cv_st32(cpu->xsave + 28, MXCSR_MASK);
    cv_st64(cpu->xsave + OFF_HEADER, 7);
    cv_fpu_sync_in(cpu);
}

static void reset_segments(struct cv_cpu *cpu)
{
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        cpu->seg[i] = (struct cv_seg){.limit = 0xffff, .attr = 0x93};
    }
    cpu->seg[CV_CS].sel = 0xf000;
    cpu->seg[CV_CS].base = 0xffff0000;
    cpu->ldtr = (struct cv_seg){.limit = 0xffff, .attr = 0x82};
    cpu->tr = (struct cv_seg){.limit = 0xffff, .attr = 0x8b};
    cpu->gdtr = (struct cv_dtable){.limit = 0xffff};
    cpu->idtr = (struct cv_dtable){.limit = 0xffff};
}

void cv_cpu_reset(struct cv_cpu *cpu, uint64_t seed)
{
    cv_memset(cpu->gpr, 0, sizeof(cpu->gpr));
    cpu->gpr[CV_RDX] = CV_CPU_SIGNATURE;
    cpu->rip = 0xfff0;
    cpu->rflags = CV_FL_FIXED;
    reset_segments(cpu);
    cpu->cr0 = CV_CR0_CD | CV_CR0_NW | CV_CR0_ET;
    cpu->cr2 = cpu->cr3 = cpu->cr4 = cpu->efer = 0;
    cpu->xcr0 = CV_XCR0_X87;
    cv_memset(cpu->dr, 0, sizeof(cpu->dr));
    cpu->dr[6] = DR6_FIXED;
    cpu->dr[7] = DR7_FIXED;
    cv_memset(cpu->pdpte, 0, sizeof(cpu->pdpte));
    cpu->star = cpu->lstar = cpu->cstar = cpu->sfmask = 0;
    cpu->kernel_gs_base = cpu->tsc_aux = cpu->tsc_offset = 0;
    cpu->sysenter_cs = cpu->sysenter_esp = cpu->sysenter_eip = 0;
    cpu->pat = 0x0007040600070406ull; /* SDM 3A "Programming the PAT" (11.12.4) */
    cpu->misc_enable = 1;             /* fast strings */
    cpu->spec_ctrl = 0;
    cpu->mtrr_def_type = 0;
    cv_memset(cpu->mtrr_fixed, 0, sizeof(cpu->mtrr_fixed));
    cv_memset(cpu->mtrr_base, 0, sizeof(cpu->mtrr_base));
    cv_memset(cpu->mtrr_mask, 0, sizeof(cpu->mtrr_mask));
    for (unsigned i = 0; i < CV_ARRAY_LEN(cpu->rng); i++) {
        cpu->rng[i] = next_seed(&seed);
    }
    cpu->halted = cpu->shutdown = cpu->shadow = cpu->ferr = 0;
    cpu->nmi_blocked = cpu->nmi_pending = cpu->db_pending = 0;
    cpu->dr6_pending = 0;
    reset_fpu(cpu);
    cv_cpu_update_mode(cpu);
}

void cv_cpu_set_deadline(struct cv_cpu *cpu, uint64_t deadline)
{
    uint64_t icount = cv_cpu_icount(cpu);
    cpu->deadline = deadline;
    cpu->left = (int64_t)(deadline - icount);
}

/* -- the section --------------------------------------------------------------------- */

static bool is_canonical(uint64_t v)
{
    return (uint64_t)((int64_t)(v << 16) >> 16) == v;
}

static bool control_ok(const struct cv_cpu *cpu)
{
    uint64_t cr0 = cpu->cr0, cr4 = cpu->cr4, efer = cpu->efer, xcr0 = cpu->xcr0;
    bool pg = (cr0 & CV_CR0_PG) != 0;
    bool lma = (efer & CV_EFER_LMA) != 0;
    if ((cr0 & ~CR0_KNOWN) != 0 || (cr0 & CV_CR0_ET) == 0 || (cr4 & ~CR4_KNOWN) != 0 ||
        (efer & ~EFER_KNOWN) != 0) {
        return false;
    }
    if ((pg && (cr0 & CV_CR0_PE) == 0) ||
        ((cr0 & CV_CR0_NW) != 0 && (cr0 & CV_CR0_CD) == 0)) {
        return false;
    }
    if (lma != (pg && (efer & CV_EFER_LME) != 0) || (lma && (cr4 & CV_CR4_PAE) == 0) ||
        (!lma && (cr4 & CV_CR4_PCIDE) != 0)) {
        return false;
    }
    if ((xcr0 & ~7ull) != 0 || (xcr0 & 1) == 0 || (xcr0 & 6) == 4) {
        return false;
    }
    return cpu->cr3 >> MAXPHYADDR == 0;
}

static bool flags_ok(const struct cv_cpu *cpu)
{
    uint64_t fl = cpu->rflags;
    bool vm86 = (fl & CV_FL_VM) != 0;
    if ((fl & ~(uint64_t)RFLAGS_KNOWN) != 0 || (fl & CV_FL_FIXED) == 0) {
        return false;
    }
    if (vm86 && ((cpu->cr0 & CV_CR0_PE) == 0 || (cpu->efer & CV_EFER_LMA) != 0)) {
        return false;
    }
    return (cpu->dr6_pending & ~DR6_WRITABLE) == 0 &&
           (cpu->dr[6] & ~DR6_WRITABLE) == DR6_FIXED &&
           (cpu->dr[7] & (DR7_RESERVED | DR7_FIXED)) == DR7_FIXED;
}

static bool seg_ok(const struct cv_seg *seg)
{
    return is_canonical(seg->base) && (seg->attr & ~SEG_KNOWN) == 0;
}

static bool bases_ok(const struct cv_cpu *cpu)
{
    const struct cv_seg *cs = &cpu->seg[CV_CS];
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        if (!seg_ok(&cpu->seg[i])) {
            return false;
        }
    }
    if ((cpu->efer & CV_EFER_LMA) != 0 && (cs->attr & CV_SEG_L) != 0 &&
        (cs->attr & CV_SEG_DB) != 0) {
        return false; /* SDM 3A "Code Segment Descriptor in 64-bit Mode" (5.2.1): reserved
                       */
    }
    return seg_ok(&cpu->ldtr) && seg_ok(&cpu->tr) && is_canonical(cpu->gdtr.base) &&
           is_canonical(cpu->idtr.base) && is_canonical(cpu->lstar) &&
           is_canonical(cpu->cstar) && is_canonical(cpu->kernel_gs_base) &&
           is_canonical(cpu->sysenter_esp) && is_canonical(cpu->sysenter_eip);
}

static bool msrs_ok(const struct cv_cpu *cpu)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned type = (cpu->pat >> (8 * i)) & 0xff;
        if (type > 7 || type == 2 || type == 3) {
            return false;
        }
    }
    bool pae = (cpu->cr4 & CV_CR4_PAE) != 0 && (cpu->cr0 & CV_CR0_PG) != 0 &&
               (cpu->efer & CV_EFER_LMA) == 0;
    for (unsigned i = 0; pae && i < 4; i++) {
        /* SDM 3A "PDPTE Registers" (4.4.1): bits 2:1, 8:5 and those past MAXPHYADDR */
        if ((cpu->pdpte[i] & 1) != 0 &&
            (cpu->pdpte[i] & (0x1e6ull | ~((1ull << MAXPHYADDR) - 1))) != 0) {
            return false;
        }
    }
    return cpu->tsc_aux >> 32 == 0 &&
           (cpu->rng[0] | cpu->rng[1] | cpu->rng[2] | cpu->rng[3]) != 0;
}

static bool all_zero(const uint8_t *p, size_t n)
{
    uint8_t any = 0;
    for (size_t i = 0; i < n; i++) {
        any |= p[i];
    }
    return any == 0;
}

/* Everything for which XRSTOR would fault, or which fpu.c would have written otherwise.
 */
static bool xsave_ok(const uint8_t *x)
{
    uint16_t fcw = cv_ld16(x);
    if ((fcw & FCW_FIXED) == 0 || (fcw & FCW_RESERVED) != 0 || !all_zero(x + 5, 19) ||
        (cv_ld32(x + 24) & ~MXCSR_MASK) != 0 || cv_ld32(x + 28) != MXCSR_MASK) {
        return false;
    }
    for (unsigned i = 0; i < 8; i++) {
        if (!all_zero(x + OFF_ST + 16 * i + 10, 6)) {
            return false;
        }
    }
    return all_zero(x + OFF_UNUSED, OFF_HEADER - OFF_UNUSED) &&
           cv_ld64(x + OFF_HEADER) == 7 &&
           all_zero(x + OFF_HEADER + 8, OFF_AVX - OFF_HEADER - 8);
}

static void section_seg(struct cv_section *s, struct cv_seg *seg)
{
    cv_section_u64(s, &seg->base);
    cv_section_u32(s, &seg->limit);
    cv_section_u32(s, &seg->attr);
    cv_section_u16(s, &seg->sel);
}

static void section_u64s(struct cv_section *s, uint64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        cv_section_u64(s, &v[i]);
    }
}

static void section_system(struct cv_cpu *cpu, struct cv_section *s)
{
    section_seg(s, &cpu->ldtr);
    section_seg(s, &cpu->tr);
    cv_section_u64(s, &cpu->gdtr.base);
    cv_section_u16(s, &cpu->gdtr.limit);
    cv_section_u64(s, &cpu->idtr.base);
    cv_section_u16(s, &cpu->idtr.limit);
    cv_section_u64(s, &cpu->cr0);
    cv_section_u64(s, &cpu->cr2);
    cv_section_u64(s, &cpu->cr3);
    cv_section_u64(s, &cpu->cr4);
    cv_section_u64(s, &cpu->efer);
    cv_section_u64(s, &cpu->xcr0);
    section_u64s(s, cpu->dr, 4);
    section_u64s(s, cpu->dr + 6, 2);
    section_u64s(s, cpu->pdpte, CV_ARRAY_LEN(cpu->pdpte));
}

static void section_msrs(struct cv_cpu *cpu, struct cv_section *s)
{
    cv_section_u64(s, &cpu->star);
    cv_section_u64(s, &cpu->lstar);
    cv_section_u64(s, &cpu->cstar);
    cv_section_u64(s, &cpu->sfmask);
    cv_section_u64(s, &cpu->kernel_gs_base);
    cv_section_u64(s, &cpu->tsc_aux);
    cv_section_u64(s, &cpu->tsc_offset);
    cv_section_u64(s, &cpu->sysenter_cs);
    cv_section_u64(s, &cpu->sysenter_esp);
    cv_section_u64(s, &cpu->sysenter_eip);
    cv_section_u64(s, &cpu->pat);
    cv_section_u64(s, &cpu->misc_enable);
    cv_section_u64(s, &cpu->spec_ctrl);
    cv_section_u64(s, &cpu->mtrr_def_type);
    section_u64s(s, cpu->mtrr_fixed, CV_ARRAY_LEN(cpu->mtrr_fixed));
    section_u64s(s, cpu->mtrr_base, CV_ARRAY_LEN(cpu->mtrr_base));
    section_u64s(s, cpu->mtrr_mask, CV_ARRAY_LEN(cpu->mtrr_mask));
    section_u64s(s, cpu->rng, CV_ARRAY_LEN(cpu->rng));
}

static void section_pending(struct cv_cpu *cpu, struct cv_section *s)
{
    /* FERR# shares the byte of HLT: 0 for whoever does not use it, as in older states */
    uint8_t halted = (uint8_t)(cpu->halted | cpu->ferr << 1);
    cv_section_u8_max(s, &halted, 1 | CV_FERR_IGNORED << 1);
    if (cv_section_loading(s)) {
        cpu->halted = halted & 1;
        cpu->ferr = halted >> 1;
    }
    cv_section_u8_max(s, &cpu->shutdown, 1);
    cv_section_u8_max(s, &cpu->shadow, CV_SHADOW_SS);
    cv_section_u8_max(s, &cpu->nmi_blocked, 1);
    cv_section_u8_max(s, &cpu->nmi_pending, 1);
    cv_section_u8_max(s, &cpu->db_pending, 1);
    cv_section_u64(s, &cpu->dr6_pending);
}

void cv_cpu_section(struct cv_cpu *cpu, struct cv_section *s)
{
    uint64_t icount = cv_cpu_icount(cpu);
    CV_ASSERT(!cpu->fpu_live);
    cv_section_begin(s, "cpu", 1);
    cv_section_u64(s, &icount);
    section_u64s(s, cpu->gpr, CV_ARRAY_LEN(cpu->gpr));
    cv_section_u64(s, &cpu->rip);
    cv_section_u64(s, &cpu->rflags);
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        section_seg(s, &cpu->seg[i]);
    }
    section_system(cpu, s);
    section_msrs(cpu, s);
    section_pending(cpu, s);
    cv_section_bytes(s, cpu->xsave, sizeof(cpu->xsave));
    if (!cv_section_loading(s)) {
        return;
    }
    cpu->deadline = icount;
    cpu->left = 0;
    cpu->leave = 0;
    cpu->fault = (struct cv_fault){0};
    cpu->dr[4] = cpu->dr[5] = 0;
    if (!control_ok(cpu) || !flags_ok(cpu) || !bases_ok(cpu) || !msrs_ok(cpu) ||
        !xsave_ok(cpu->xsave)) {
        s->failed = true;
    }
    cv_cpu_update_mode(cpu);
}
