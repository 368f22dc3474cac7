/*
 * cpuid.h - the guest's CPU model: one table, never the host's leaves
 *
 * docs/decisions/0001-cpu-model.md says why each value is what it is. The model is
 * frozen: a change is a new machine epoch. Bits that follow guest state (OSXSAVE, APIC,
 * the XSAVE size of the enabled features) are added by core/system/msr.c.
 * Spec:    Intel SDM 2A "CPUID—CPU Identification", volume 4 for the capability MSRs
 * Thread:  any; constants only
 */
#ifndef CV_CORE_CPU_CPUID_H
#define CV_CORE_CPU_CPUID_H

#include "core/cpu/regs.h"

#define CV_CPUID_PHYS_BITS   40u
#define CV_CPUID_LINEAR_BITS 48u
#define CV_CPUID_TSC_HZ      1000000000u
#define CV_CPUID_CRYSTAL_HZ                                                              \
    25000000u /* also the APIC timer's input, before its divider */
#define CV_CPUID_MICROCODE 1u

/* What the guest may set: each bit belongs to a feature in the table. */
#define CV_CPUID_XCR0_MASK ((uint64_t)(CV_XCR0_X87 | CV_XCR0_SSE | CV_XCR0_AVX))
#define CV_CPUID_CR4_MASK                                                                \
    (CV_CR4_TSD | CV_CR4_DE | CV_CR4_PSE | CV_CR4_PAE | CV_CR4_MCE | CV_CR4_PGE |        \
     CV_CR4_PCE | CV_CR4_OSFXSR | CV_CR4_OSXMMEXCPT | CV_CR4_UMIP | CV_CR4_FSGSBASE |    \
     CV_CR4_PCIDE | CV_CR4_OSXSAVE | CV_CR4_SMEP | CV_CR4_SMAP)
#define CV_CPUID_EFER_MASK (CV_EFER_SCE | CV_EFER_LME | CV_EFER_LMA | CV_EFER_NXE)

/* IA32_ARCH_CAPABILITIES, SDM 4 table 2-2 */
#define CV_ARCH_RDCL_NO        (1ull << 0)
#define CV_ARCH_IBRS_ALL       (1ull << 1)
#define CV_ARCH_SKIP_L1DFL     (1ull << 3)
#define CV_ARCH_SSB_NO         (1ull << 4)
#define CV_ARCH_MDS_NO         (1ull << 5)
#define CV_ARCH_PSCHANGE_MC_NO (1ull << 6)
#define CV_ARCH_TAA_NO         (1ull << 8)
#define CV_ARCH_SBDR_SSDP_NO   (1ull << 13)
#define CV_ARCH_FBSDP_NO       (1ull << 14)
#define CV_ARCH_PSDP_NO        (1ull << 15)
#define CV_ARCH_BHI_NO         (1ull << 20)
#define CV_ARCH_PBRSB_NO       (1ull << 24)
#define CV_ARCH_GDS_NO         (1ull << 26)
#define CV_ARCH_RFDS_NO        (1ull << 27)
#define CV_ARCH_ITS_NO         (1ull << 62)
#define CV_CPUID_ARCH_CAPABILITIES                                                       \
    (CV_ARCH_RDCL_NO | CV_ARCH_IBRS_ALL | CV_ARCH_SKIP_L1DFL | CV_ARCH_SSB_NO |          \
     CV_ARCH_MDS_NO | CV_ARCH_PSCHANGE_MC_NO | CV_ARCH_TAA_NO | CV_ARCH_SBDR_SSDP_NO |   \
     CV_ARCH_FBSDP_NO | CV_ARCH_PSDP_NO | CV_ARCH_BHI_NO | CV_ARCH_PBRSB_NO |            \
     CV_ARCH_GDS_NO | CV_ARCH_RFDS_NO | CV_ARCH_ITS_NO)

#define CV_CPUID_VARIABLE_MTRRS 8u
#define CV_CPUID_MTRR_CAP       (CV_CPUID_VARIABLE_MTRRS | 1u << 8 | 1u << 10) /* FIX, WC */

/* IA32_SPEC_CTRL: IBRS, STIBP, BHI_DIS_S */
#define CV_CPUID_SPEC_CTRL_MASK 0x403ull

/* Bits that msr.c switches */
#define CV_CPUID_1_EDX_APIC    (1u << 9)
#define CV_CPUID_1_ECX_OSXSAVE (1u << 27)

/* out[0..3] = EAX EBX ECX EDX of the fixed table. A leaf above the highest basic or
 * extended one gives the highest basic leaf, as the manual has it; one that is not in the
 * table gives zeros. */
void cv_cpuid_model(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

#endif
