#include "core/cpu/cpuid.h"

#define ANY UINT32_MAX /* the leaf has no subleaves */

#define MAX_BASIC      0x16u
#define HYPERVISOR     0x40000000u
#define HYPERVISOR_END 0x400000ffu
#define MAX_EXTENDED   0x80000008u

#define BIT(n) (1u << (n))

/* Four characters of a string, as a register holds them. */
#define CHARS(a, b, c, d)                                                                \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

struct leaf {
    uint32_t leaf, subleaf;
    uint32_t eax, ebx, ecx, edx;
};

/* Cache descriptions of leaf 4: type, level, ways, sets; 64-byte lines, one thread. */
#define CACHE(type, level, ways, sets)                                                   \
    .eax = (type) | (level) << 5 | BIT(8), .ebx = ((ways)-1) << 22 | 63, .ecx = (sets)-1

/* clang-format off */
static const struct leaf leaves[] = {
    {0, ANY, MAX_BASIC, CHARS('G', 'e', 'n', 'u'), CHARS('n', 't', 'e', 'l'),
     CHARS('i', 'n', 'e', 'I')},

    /* family 6, model 0xf0, stepping 1; 64-byte CLFLUSH line, one logical CPU, APIC id 0 */
    {1, ANY, CV_CPU_SIGNATURE, 8 << 8 | 1 << 16,
     /* ECX: SSE3 PCLMULQDQ SSSE3 FMA CX16 PCID SSE4.1 SSE4.2 x2APIC MOVBE POPCNT
      * TSC-deadline AES XSAVE AVX F16C RDRAND hypervisor */
     BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(17) | BIT(19) | BIT(20) |
         BIT(21) | BIT(22) | BIT(23) | BIT(24) | BIT(25) | BIT(26) | BIT(28) | BIT(29) |
         BIT(30) | BIT(31),
     /* EDX: FPU DE PSE TSC MSR PAE MCE CX8 SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR
      * SSE SSE2 (APIC is added while it is enabled) */
     BIT(0) | BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(11) |
         BIT(12) | BIT(13) | BIT(14) | BIT(15) | BIT(16) | BIT(17) | BIT(19) | BIT(23) |
         BIT(24) | BIT(25) | BIT(26)},

    /* 64-byte prefetch; 0xff: caches are in leaf 4 */
    {2, ANY, 0x00fff001, 0, 0, 0},

    {4, 0, CACHE(1, 1, 8, 64), .edx = 0},          /* L1 data 32 KiB */
    {4, 1, CACHE(2, 1, 8, 64), .edx = 0},          /* L1 code 32 KiB */
    {4, 2, CACHE(3, 2, 16, 1024), .edx = 0},       /* L2 1 MiB */
    {4, 3, CACHE(3, 3, 16, 16384), .edx = BIT(1)}, /* L3 16 MiB, inclusive */

    {6, ANY, BIT(2), 0, 0, 0}, /* the APIC timer runs always */

    {7, 0, 2,
     /* EBX: FSGSBASE TSC_ADJUST BMI1 AVX2 SMEP BMI2 ERMS INVPCID no-FCS/FDS RDSEED ADX
      * SMAP */
     BIT(0) | BIT(1) | BIT(3) | BIT(5) | BIT(7) | BIT(8) | BIT(9) | BIT(10) | BIT(13) |
         BIT(18) | BIT(19) | BIT(20),
     /* ECX: UMIP */
     BIT(2),
     /* EDX: IBRS and IBPB, STIBP, L1D_FLUSH, ARCH_CAPABILITIES */
     BIT(26) | BIT(27) | BIT(28) | BIT(29)},
    {7, 2, 0, 0, 0, BIT(4) | BIT(5)}, /* BHI_CTRL, MCDT_NO */

    {0xb, 0, 0, 1, 1 << 8, 0},     /* thread level: one, x2APIC id 0 */
    {0xb, 1, 0, 1, 2 << 8 | 1, 0}, /* core level: one */

    {0xd, 0, (uint32_t)CV_CPUID_XCR0_MASK, CV_XSAVE_BYTES, CV_XSAVE_BYTES, 0},
    {0xd, 1, BIT(0), 0, 0, 0}, /* XSAVEOPT */
    {0xd, 2, 256, 576, 0, 0},  /* upper halves of YMM */

    /* TSC = crystal * 40 / 1; then base, maximum and bus frequency in MHz */
    {0x15, ANY, 1, CV_CPUID_TSC_HZ / CV_CPUID_CRYSTAL_HZ, CV_CPUID_CRYSTAL_HZ, 0},
    {0x16, ANY, CV_CPUID_TSC_HZ / 1000000, CV_CPUID_TSC_HZ / 1000000, 100, 0},

    {HYPERVISOR, ANY, HYPERVISOR, CHARS('C', 'h', 'r', 'o'), CHARS('n', 'o', 'v', 'i'),
     CHARS('s', 'o', 'r', 0)},

    {0x80000000, ANY, MAX_EXTENDED, 0, 0, 0},
    /* ECX: LAHF LZCNT; EDX: SYSCALL NX 1-GByte pages RDTSCP LM */
    {0x80000001, ANY, 0, 0, BIT(0) | BIT(5),
     BIT(11) | BIT(20) | BIT(26) | BIT(27) | BIT(29)},
    {0x80000002, ANY, CHARS('C', 'h', 'r', 'o'), CHARS('n', 'o', 'v', 'i'),
     CHARS('s', 'o', 'r', ' '), CHARS('v', 'i', 'r', 't')},
    {0x80000003, ANY, CHARS('u', 'a', 'l', ' '), CHARS('C', 'P', 'U', ' '),
     CHARS('@', ' ', '1', '.'), CHARS('0', '0', 'G', 'H')},
    {0x80000004, ANY, CHARS('z', 0, 0, 0), 0, 0, 0},
    {0x80000006, ANY, 0, 0, 1024u << 16 | 8 << 12 | 64, 0}, /* L2 1 MiB, 16 ways */
    {0x80000007, ANY, 0, 0, 0, BIT(8)},                     /* invariant TSC */
    {0x80000008, ANY, CV_CPUID_PHYS_BITS | CV_CPUID_LINEAR_BITS << 8, 0, 0, 0},
};
/* clang-format on */

static uint32_t clamp_leaf(uint32_t leaf)
{
    bool basic = leaf <= MAX_BASIC;
    bool hypervisor = leaf >= HYPERVISOR && leaf <= HYPERVISOR_END;
    bool extended = leaf >= 0x80000000u && leaf <= MAX_EXTENDED;
    return basic || hypervisor || extended ? leaf : MAX_BASIC;
}

void cv_cpuid_model(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    leaf = clamp_leaf(leaf);
    out[0] = out[1] = out[2] = out[3] = 0;
    for (size_t i = 0; i < CV_ARRAY_LEN(leaves); i++) {
        const struct leaf *l = &leaves[i];
        if (l->leaf == leaf && (l->subleaf == ANY || l->subleaf == subleaf)) {
            out[0] = l->eax;
            out[1] = l->ebx;
            out[2] = l->ecx;
            out[3] = l->edx;
            break;
        }
    }
    if (leaf == 0xb) {
        out[2] |= subleaf & 0xff; /* echoed for levels that do not exist, too */
    }
}
