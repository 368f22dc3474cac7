#include "app/host/features.h"

#include <cpuid.h>
#include <sys/auxv.h>

#define XCR0_NEED 7u /* x87, SSE, AVX state */


enum word { LEAF1_ECX, LEAF1_EDX, LEAF7_EBX, EXT1_ECX, HWCAP2, WORDS };

struct need {
    const char *name;
    uint8_t word, bit;
};

/* x86-64 psABI "Micro-Architecture Levels", table 3.1, level 3; then what the model adds. */
static const struct need NEEDS[] = {
    {"SSE2", LEAF1_EDX, 26},
    {"FXSR", LEAF1_EDX, 24},
    {"SSE3", LEAF1_ECX, 0},
    {"SSSE3", LEAF1_ECX, 9},
    {"CMPXCHG16B", LEAF1_ECX, 13},
    {"SSE4.1", LEAF1_ECX, 19},
    {"SSE4.2", LEAF1_ECX, 20},
    {"POPCNT", LEAF1_ECX, 23},
    {"LAHF in 64-bit mode", EXT1_ECX, 0},
    {"OSXSAVE", LEAF1_ECX, 27},
    {"AVX", LEAF1_ECX, 28},
    {"AVX2", LEAF7_EBX, 5},
    {"BMI1", LEAF7_EBX, 3},
    {"BMI2", LEAF7_EBX, 8},
    {"F16C", LEAF1_ECX, 29},
    {"FMA", LEAF1_ECX, 12},
    {"LZCNT", EXT1_ECX, 5},
    {"MOVBE", LEAF1_ECX, 22},
    {"AES", LEAF1_ECX, 25},
    {"PCLMULQDQ", LEAF1_ECX, 1},
    {"ADX", LEAF7_EBX, 19},
    {"FSGSBASE", LEAF7_EBX, 0},
    {"FSGSBASE for programs (Linux 5.9 or newer)", HWCAP2, 1},
};

static uint64_t read_xcr0(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

void cv_features_read(struct cv_features *out)
{
    unsigned a, b, c, d;
    *out = (struct cv_features){.hwcap2 = getauxval(AT_HWCAP2)};
    if (__get_cpuid(1, &a, &b, &c, &d)) {
        out->leaf1_ecx = c;
        out->leaf1_edx = d;
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        out->leaf7_ebx = b;
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d)) {
        out->ext1_ecx = c;
    }
    if ((out->leaf1_ecx & bit_OSXSAVE) != 0) { /* XGETBV is #UD without it */
        out->xcr0 = read_xcr0();
    }
}

bool cv_features_check(const struct cv_features *host, struct cv_error *err)
{
    const uint64_t words[WORDS] = {
        [LEAF1_ECX] = host->leaf1_ecx, [LEAF1_EDX] = host->leaf1_edx,
        [LEAF7_EBX] = host->leaf7_ebx, [EXT1_ECX] = host->ext1_ecx,
        [HWCAP2] = host->hwcap2,
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(NEEDS); i++) {
        if ((words[NEEDS[i].word] >> NEEDS[i].bit & 1) == 0) {
            return cv_error_set(err, CV_EXIT_HOST,
                                "host CPU: it has no %s, which the guest's processor needs "
                                "(x86-64-v3 with AES, PCLMULQDQ, ADX, FSGSBASE)",
                                NEEDS[i].name);
        }
    }
    if ((host->xcr0 & XCR0_NEED) != XCR0_NEED) {
        return cv_error_set(err, CV_EXIT_HOST,
                            "host system: it has not enabled AVX state (XCR0 is %llx, bits 0 "
                            "to 2 are needed)",
                            (unsigned long long)host->xcr0);
    }
    return true;
}
