/*
 * cpuid.c - what CPUID shows is there, what it does not show raises #UD: one instruction a feature; the fixed leaves
 * Spec:    SDM 2A "CPUID"; the opcode maps; docs/decisions/0001
 */
#include "apic.h"
#include "catch.h"

struct regs {
    uint32_t a, b, c, d;
};

static struct regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct regs r = {.a = leaf, .c = subleaf};
    __asm__ volatile("cpuid" : "+a"(r.a), "=b"(r.b), "+c"(r.c), "=d"(r.d));
    return r;
}

struct feature {
    const char *name;
    uint32_t leaf;
    uint8_t subleaf, reg, bit;
    bool shown;
    void (*run)(void);
};

static uint8_t memory[1024] __attribute__((aligned(64)));

/* Each routine is one instruction; RDI points at memory of zeros, RCX and RAX are 0. */
#define INSN(name, bytes)                                                                \
    ROUTINE(name##_body, "mov $memory, %edi\n xor %eax, %eax\n xor %ecx, %ecx\n xor %edx, %edx\n" bytes); \
    static void name(void) { __asm__ volatile("call " #name "_body" : : : "rax", "rcx", "rdx", "rdi", "rsi", "memory", "cc"); }

INSN(sse3, ".byte 0xf2,0x0f,0x7c,0xc0\n")              /* HADDPS */
INSN(pclmul, ".byte 0x66,0x0f,0x3a,0x44,0xc0,0\n")
INSN(monitor, ".byte 0x0f,0x01,0xc8\n")
INSN(mwait, ".byte 0x0f,0x01,0xc9\n")
INSN(vmxon, ".byte 0xf3,0x0f,0xc7,0x37\n")
INSN(vmcall, ".byte 0x0f,0x01,0xc1\n")
INSN(getsec, ".byte 0x0f,0x37\n")
INSN(ssse3, ".byte 0x66,0x0f,0x38,0x00,0xc0\n")
INSN(fma, ".byte 0xc4,0xe2,0x79,0xa8,0xc0\n")
INSN(cx16, ".byte 0x48,0x0f,0xc7,0x0f\n")
INSN(sse41, ".byte 0x66,0x0f,0x38,0x17,0xc0\n")
INSN(sse42, ".byte 0xf2,0x0f,0x38,0xf1,0xc0\n")
INSN(movbe, ".byte 0x0f,0x38,0xf0,0x07\n")
INSN(popcnt, ".byte 0xf3,0x0f,0xb8,0xc0\n")
INSN(aes, ".byte 0x66,0x0f,0x38,0xdc,0xc0\n")
INSN(xgetbv, ".byte 0x0f,0x01,0xd0\n")
INSN(avx, ".byte 0xc5,0xf8,0x58,0xc0\n")
INSN(f16c, ".byte 0xc4,0xe2,0x79,0x13,0xc0\n")
INSN(rdrand, ".byte 0x0f,0xc7,0xf0\n")
INSN(cmpxchg8b, ".byte 0x0f,0xc7,0x0f\n")
INSN(cmov, ".byte 0x0f,0x44,0xc0\n")
INSN(clflush, ".byte 0x0f,0xae,0x3f\n")
INSN(fxsave, ".byte 0x0f,0xae,0x07\n")
INSN(sse, ".byte 0x0f,0x58,0xc0\n")
INSN(sse2, ".byte 0x66,0x0f,0x58,0xc0\n")
INSN(mmx, ".byte 0x0f,0xfc,0xc0\n")
INSN(rdfsbase, ".byte 0xf3,0x0f,0xae,0xc0\n")
INSN(bmi1, ".byte 0xc4,0xe2,0x78,0xf2,0xc0\n")         /* ANDN */
INSN(avx2, ".byte 0xc5,0xfd,0xfc,0xc0\n")              /* VPADDB ymm */
INSN(bmi2, ".byte 0xc4,0xe2,0x78,0xf5,0xc0\n")         /* BZHI */
INSN(invpcid, ".byte 0x66,0x0f,0x38,0x82,0x07\n")
INSN(xbegin, ".byte 0xc7,0xf8,0,0,0,0\n")
INSN(xtest, ".byte 0x0f,0x01,0xd6\n")
INSN(avx512f, ".byte 0x62,0xf1,0x7c,0x48,0x58,0xc0\n")
INSN(rdseed, ".byte 0x0f,0xc7,0xf8\n")
INSN(adx, ".byte 0x66,0x0f,0x38,0xf6,0xc0\n")
INSN(clac, ".byte 0x0f,0x01,0xca\n")
INSN(clflushopt, ".byte 0x66,0x0f,0xae,0x3f\n")
INSN(clwb, ".byte 0x66,0x0f,0xae,0x37\n")
INSN(sha, ".byte 0x0f,0x38,0xc8,0xc0\n")
INSN(rdpid, ".byte 0xf3,0x0f,0xc7,0xf8\n")
INSN(rdpkru, ".byte 0x0f,0x01,0xee\n")
INSN(tpause, ".byte 0x66,0x0f,0xae,0xf0\n")
INSN(gfni, ".byte 0x66,0x0f,0x38,0xcf,0xc0\n")
INSN(vaes, ".byte 0xc4,0xe2,0x7d,0xdc,0xc0\n")
INSN(vpclmul, ".byte 0xc4,0xe3,0x7d,0x44,0xc0,0\n")
INSN(movdiri, ".byte 0x0f,0x38,0xf9,0x07\n")
INSN(serialize, ".byte 0x0f,0x01,0xe8\n")
INSN(xsaveopt, ".byte 0x0f,0xae,0x37\n")
INSN(xsavec, ".byte 0x0f,0xc7,0x27\n")
INSN(xsaves, ".byte 0x0f,0xc7,0x2f\n")
INSN(xgetbv1, "inc %ecx\n .byte 0x0f,0x01,0xd0\n")
INSN(lahf, ".byte 0x9f\n")
INSN(lzcnt, ".byte 0xf3,0x0f,0xbd,0xc0\n")
INSN(sse4a, ".byte 0xf2,0x0f,0x79,0xc0\n")
INSN(xop, ".byte 0x8f,0xe9,0x78,0x81,0xc0\n")
INSN(tbm, ".byte 0x8f,0xe9,0x78,0x01,0xc8\n")
INSN(now3d, ".byte 0x0f,0x0f,0xc0,0x9e\n")
INSN(rdtscp, ".byte 0x0f,0x01,0xf9\n")
INSN(monitorx, ".byte 0x0f,0x01,0xfa\n")
INSN(clzero, ".byte 0x0f,0x01,0xfc\n")
INSN(rdpru, ".byte 0x0f,0x01,0xfd\n")
INSN(wbnoinvd_is_wbinvd, ".byte 0xf3,0x0f,0x09\n")
INSN(skinit, ".byte 0x0f,0x01,0xde\n")
INSN(vmrun, ".byte 0x0f,0x01,0xd8\n")
INSN(rdtsc_, ".byte 0x0f,0x31\n")

enum { A, B, C, D };
static const struct feature features[] = {
    {"SSE3", 1, 0, C, 0, true, sse3}, {"PCLMULQDQ", 1, 0, C, 1, true, pclmul},
    {"MONITOR", 1, 0, C, 3, false, monitor}, {"MWAIT", 1, 0, C, 3, false, mwait},
    {"VMX", 1, 0, C, 5, false, vmxon}, {"VMX", 1, 0, C, 5, false, vmcall}, {"SMX", 1, 0, C, 6, false, getsec},
    {"SSSE3", 1, 0, C, 9, true, ssse3}, {"FMA", 1, 0, C, 12, true, fma}, {"CX16", 1, 0, C, 13, true, cx16},
    {"SSE4.1", 1, 0, C, 19, true, sse41}, {"SSE4.2", 1, 0, C, 20, true, sse42}, {"MOVBE", 1, 0, C, 22, true, movbe},
    {"POPCNT", 1, 0, C, 23, true, popcnt}, {"AES", 1, 0, C, 25, true, aes}, {"XSAVE", 1, 0, C, 26, true, xgetbv},
    {"AVX", 1, 0, C, 28, true, avx}, {"F16C", 1, 0, C, 29, true, f16c}, {"RDRAND", 1, 0, C, 30, true, rdrand},
    {"TSC", 1, 0, D, 4, true, rdtsc_}, {"CX8", 1, 0, D, 8, true, cmpxchg8b}, {"CMOV", 1, 0, D, 15, true, cmov},
    {"CLFSH", 1, 0, D, 19, true, clflush}, {"MMX", 1, 0, D, 23, true, mmx}, {"FXSR", 1, 0, D, 24, true, fxsave},
    {"SSE", 1, 0, D, 25, true, sse}, {"SSE2", 1, 0, D, 26, true, sse2},
    {"FSGSBASE", 7, 0, B, 0, true, rdfsbase}, {"BMI1", 7, 0, B, 3, true, bmi1}, {"HLE", 7, 0, B, 4, false, NULL},
    {"AVX2", 7, 0, B, 5, true, avx2}, {"BMI2", 7, 0, B, 8, true, bmi2}, {"INVPCID", 7, 0, B, 10, true, invpcid},
    {"RTM", 7, 0, B, 11, false, xbegin}, {"RTM", 7, 0, B, 11, false, xtest}, {"AVX512F", 7, 0, B, 16, false, avx512f},
    {"RDSEED", 7, 0, B, 18, true, rdseed}, {"ADX", 7, 0, B, 19, true, adx}, {"SMAP", 7, 0, B, 20, true, clac},
    {"CLFLUSHOPT", 7, 0, B, 23, false, clflushopt}, {"CLWB", 7, 0, B, 24, false, clwb}, {"SHA", 7, 0, B, 29, false, sha},
    {"PKU", 7, 0, C, 3, false, rdpkru}, {"WAITPKG", 7, 0, C, 5, false, tpause}, {"GFNI", 7, 0, C, 8, false, gfni},
    {"VAES", 7, 0, C, 9, false, vaes}, {"VPCLMULQDQ", 7, 0, C, 10, false, vpclmul},
    {"RDPID", 7, 0, C, 22, false, rdpid}, {"MOVDIRI", 7, 0, C, 27, false, movdiri},
    {"SERIALIZE", 7, 0, D, 14, false, serialize}, {"XSAVEOPT", 0xd, 1, A, 0, true, xsaveopt},
    {"XSAVEC", 0xd, 1, A, 1, false, xsavec}, {"XSAVES", 0xd, 1, A, 3, false, xsaves},
    {"LAHF", 0x80000001, 0, C, 0, true, lahf}, {"LZCNT", 0x80000001, 0, C, 5, true, lzcnt},
    {"SVM", 0x80000001, 0, C, 2, false, vmrun}, {"SKINIT", 0x80000001, 0, C, 12, false, skinit},
    {"SSE4A", 0x80000001, 0, C, 6, false, sse4a}, {"XOP", 0x80000001, 0, C, 11, false, xop},
    {"TBM", 0x80000001, 0, C, 21, false, tbm}, {"MONITORX", 0x80000001, 0, C, 29, false, monitorx},
    {"3DNow", 0x80000001, 0, D, 31, false, now3d}, {"RDTSCP", 0x80000001, 0, D, 27, true, rdtscp},
    {"CLZERO", 0x80000008, 0, B, 0, false, clzero}, {"RDPRU", 0x80000008, 0, B, 4, false, rdpru},
    {"WBNOINVD", 0x80000008, 0, B, 9, false, NULL},
};

static unsigned run(void (*fn)(void))
{
    unsigned before = caught_count;
    uint64_t rsp;
    __asm__ volatile("movq $9f, catch_resume\n mov %%rsp, %%rbx\n push $0\n call *%2\n 9: mov %%rbx, %%rsp\n"
                     "movq $0, catch_resume" : "=r"(rsp) : "0"(0ull), "r"(fn)
                     : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
    return caught_count == before ? NOTHING : caught[before].vector;
}

static void check_features(void)
{
    for (unsigned i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        const struct feature *f = &features[i];
        struct regs r = cpuid(f->leaf, f->subleaf);
        uint32_t value = f->reg == A ? r.a : f->reg == B ? r.b : f->reg == C ? r.c : r.d;
        catch_clear();
        for (unsigned k = 0; k < sizeof(memory); k++) {
            memory[k] = 0;
        }
        unsigned got = f->run != NULL ? run(f->run) : f->shown ? NOTHING : 6;
        int before = failures();
        CHECK((value >> f->bit & 1) == f->shown);
        CHECK(got == (f->shown ? NOTHING : 6));
        if (failures() != before) {
            print("  feature ");
            print(f->name);
            print("\n");
        }
    }
    /* prefixes of what is absent are ignored: TZCNT, PREFETCHW, PAUSE, NOP forms of CET and MPX, WBINVD */
    CHECK(run(wbnoinvd_is_wbinvd) == NOTHING);
    CHECK(TRY(".byte 0xf3, 0x0f, 0x1e, 0xfa", : : : "memory") == NOTHING); /* ENDBR64 */
    CHECK(TRY(".byte 0xf3, 0x0f, 0x1b, 0x07", : : "D"(memory) : "memory") == NOTHING); /* BNDMK */
    CHECK(TRY(".byte 0xf3, 0x0f, 0x1e, 0xc8", : : : "rax", "memory") == NOTHING); /* RDSSPD */
    /* no performance counters: no RDPMC; no SMM to leave (SDM 2B "RDPMC", "RSM") */
    CHECK(TRY("rdpmc", : : "c"(0) : "rax", "rdx", "memory") == 13 && LAST_ERROR() == 0);
    CHECK(TRY(".byte 0x0f, 0xaa", : : : "memory") == 6);
    CHECK(TRY(".byte 0x0f, 0xff, 0xc0", : : : "memory") == 6 && TRY(".byte 0x0f, 0xb9, 0xc0", : : : "memory") == 6);
    CHECK(TRY(".byte 0x06", : : : "memory") == 6 && TRY(".byte 0xea, 0, 0, 0, 0, 8, 0", : : : "memory") == 6);
    CHECK(run(xgetbv1) == 13); /* no XGETBV with ECX = 1 */
}

static void check_leaves(void)
{
    struct regs r = cpuid(0, 0);
    CHECK(r.a == 0x16 && r.b == 0x756e6547 && r.d == 0x49656e69 && r.c == 0x6c65746e);
    r = cpuid(1, 0);
    CHECK(r.a == 0x000f0601 && (r.b >> 24) == 0 && (r.b >> 8 & 0xff) == 8);
    CHECK((r.c >> 31 & 1) == 1 && (r.c >> 27 & 1) == 1); /* hypervisor; OSXSAVE follows CR4 */
    write_cr4(read_cr4() & ~(1ull << 18));
    CHECK((cpuid(1, 0).c >> 27 & 1) == 0);
    CHECK(run(xgetbv) == 6 && run(avx) == 6 && run(xsaveopt) == 6);
    write_cr4(read_cr4() | 1ull << 18);
    CHECK(cpuid(7, 0).a == 2 && cpuid(7, 1).a == 0 && cpuid(7, 3).d == 0);
    CHECK(cpuid(0xd, 0).a == 7 && cpuid(0xd, 0).b == 832 && cpuid(0xd, 0).c == 832);
    CHECK(cpuid(0xd, 2).a == 256 && cpuid(0xd, 2).b == 576);
    __asm__ volatile("xsetbv" : : "a"(3), "d"(0), "c"(0));
    CHECK(cpuid(0xd, 0).b == 576 && run(avx) == 6); /* EBX follows XCR0 */
    __asm__ volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
    r = cpuid(0x15, 0);
    CHECK(r.a == 1 && r.b == 40 && r.c == 25000000);
    CHECK(cpuid(0xb, 0).d == 0 && cpuid(0xb, 5).c == 5); /* the level is echoed */
    CHECK(cpuid(0x40000000, 0).b == 0x6f726843);
    CHECK(cpuid(0x80000000, 0).a == 0x80000008 && cpuid(0x80000008, 0).a == (40 | 48 << 8));
    CHECK((cpuid(0x80000001, 0).d >> 29 & 1) == 1 && (cpuid(0x80000007, 0).d >> 8 & 1) == 1);
    /* SDM 2A: above the highest basic leaf comes the highest one */
    struct regs top = cpuid(0x16, 0), beyond = cpuid(0x1234, 0);
    CHECK(top.a == beyond.a && top.b == beyond.b && top.c == beyond.c && top.d == beyond.d);
    CHECK(cpuid(3, 0).a == 0 && cpuid(5, 0).a == 0 && cpuid(0xa, 0).a == 0 && cpuid(0x14, 0).b == 0);
    for (uint32_t leaf = 0; leaf <= 0x16; leaf++) {
        for (uint32_t sub = 0; sub < 3; sub++) {
            r = cpuid(leaf, sub);
            mix((uint64_t)r.a << 32 | r.b);
            mix((uint64_t)r.c << 32 | r.d);
        }
    }
    /* EM and TS: #UD and #NM of the whole classes (SDM 3A table 2-2) */
    uint64_t cr0 = read_cr0();
    write_cr0(cr0 | 8);
    CHECK(run(sse) == 7 && run(avx) == 7 && run(mmx) == 7 && run(fxsave) == 7 && run(xsaveopt) == 7);
    CHECK(run(popcnt) == NOTHING && run(clflush) == NOTHING && run(bmi1) == NOTHING && run(movbe) == NOTHING);
    write_cr0(cr0 | 4);
    CHECK(run(sse) == 6 && run(mmx) == 6 && run(fxsave) == 7);
    CHECK(run(avx) == NOTHING); /* EM does not bind VEX */
    write_cr0(cr0);
    write_cr4(read_cr4() & ~(1ull << 9)); /* OSFXSR: SSE is not there, MMX and FXSAVE are */
    CHECK(run(sse) == 6 && run(sse2) == 6 && run(mmx) == NOTHING && run(fxsave) == NOTHING);
    CHECK(run(sse42) == NOTHING && run(popcnt) == NOTHING); /* CRC32 and POPCNT use general registers */
    write_cr4(read_cr4() | 1ull << 9);
}

int main(void)
{
    catch_exceptions();
    write_cr4(read_cr4() | 1ull << 18 | 1ull << 16);
    __asm__ volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
    check_features();
    check_leaves();
    return finish();
}
