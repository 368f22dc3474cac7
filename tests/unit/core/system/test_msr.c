/*
 * test_msr.c - MSR rules, time, the random generator, and CPUID as one consistent model
 */
#include "fixture.h"

#include "core/decode/decode.h"

#define GOOD(msr, value)                                                                 \
    do {                                                                                 \
        uint64_t got_;                                                                   \
        cr_assert(cv_msr_write(&m->cpu, (msr), (value)), "%x", (unsigned)(msr));         \
        cr_assert(cv_msr_read(&m->cpu, (msr), &got_));                                   \
        cr_assert_eq(got_, (value), "%x: %lx", (unsigned)(msr), got_);                   \
    } while (0)
#define BAD(msr, value)                                                                  \
    expect_fault(m, cv_msr_write(&m->cpu, (msr), (value)), CV_EXC_GP, 0)

Test(msr, addresses_must_be_canonical)
{
    static const uint32_t msrs[] = {0x175,      0x176,      0xc0000082, 0xc0000083,
                                    0xc0000100, 0xc0000101, 0xc0000102};
    struct machine *m = machine_new(true);
    for (size_t i = 0; i < CV_ARRAY_LEN(msrs); i++) {
        GOOD(msrs[i], 0xffff800000000000);
        GOOD(msrs[i], 0x7fffffffffff);
        BAD(msrs[i], 0x800000000000);
        BAD(msrs[i], 0x8000000000000000);
    }
    cr_assert_eq(m->cpu.seg[CV_GS].base, 0x7fffffffffff);
    machine_free(m);
}

Test(msr, efer_has_four_bits)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        struct machine *m = machine_new(false);
        if (bit == 10) { /* LMA: ignored */
            cr_assert(cv_msr_write(&m->cpu, 0xc0000080, 1 << 10) && m->cpu.efer == 0);
        } else if (bit == 0 || bit == 8 || bit == 11) {
            GOOD(0xc0000080, 1ull << bit);
        } else {
            BAD(0xc0000080, 1ull << bit);
        }
        machine_free(m);
    }
}

Test(msr, memory_types_are_checked)
{
    struct machine *m = machine_new(true);
    for (unsigned type = 0; type < 256; type++) {
        bool mtrr = type == 0 || type == 1 || (type >= 4 && type <= 6);
        bool pat = mtrr || type == 7;
        for (unsigned i = 0; i < 8; i++) {
            uint64_t v = (uint64_t)type << 8 * i;
            cr_assert_eq(cv_msr_write(&m->cpu, 0x277, v), pat);
            cr_assert_eq(cv_msr_write(&m->cpu, 0x26b, v), mtrr);
        }
        cr_assert_eq(cv_msr_write(&m->cpu, 0x2ff, 0xc00 | type), mtrr);
        cr_assert_eq(cv_msr_write(&m->cpu, 0x20e, 0xff00001000 | type), mtrr);
    }
    static const uint32_t fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                     0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
    for (size_t i = 0; i < CV_ARRAY_LEN(fixed); i++) {
        GOOD(fixed[i], 0x0606060606060600 | i % 2);
    }
    for (size_t i = 0; i < CV_ARRAY_LEN(fixed); i++) {
        cr_assert_eq(m->cpu.mtrr_fixed[i], 0x0606060606060600 | i % 2);
    }
    BAD(0x2ff, 0x1006);
    BAD(0x2ff, 0x306);
    GOOD(0x201, 0xff00000800);
    BAD(0x201, 0x400);
    BAD(0x201, 1ull << 40);
    BAD(0x200, 0x100);
    BAD(0x200, 1ull << 40);
    BAD(0xfe, 0x508);
    uint64_t v;
    cr_assert(cv_msr_read(&m->cpu, 0xfe, &v) && v == 0x508);
    cr_assert(cv_msr_read(&m->cpu, 0x20f, &v));
    expect_fault(m, cv_msr_read(&m->cpu, 0x210, &v), CV_EXC_GP, 0);
    machine_free(m);
}

static void tsc_moved(void *arg, uint64_t offset)
{
    ((struct machine *)arg)->moved = offset;
}

Test(msr, tsc_and_tsc_adjust_move_together)
{
    struct machine *m = machine_new(true);
    struct cv_cpu *cpu = &m->cpu;
    uint64_t v;
    cpu->tsc_moved = tsc_moved;
    cpu->deadline = 5000;
    cpu->left = 1000;
    cpu->skew = 123;
    cr_assert_eq(cv_cpu_vtime(cpu), 4123);
    cr_assert(cv_msr_read(cpu, 0x10, &v) && v == 4123 && cv_tsc(cpu) == 4123);
    cr_assert(cv_msr_write(cpu, 0x10, 1000000));
    cr_assert(cv_msr_read(cpu, 0x10, &v) && v == 1000000);
    cr_assert(cv_msr_read(cpu, 0x3b, &v) && v == 1000000 - 4123 && m->moved == v);
    cpu->left -= 7;
    cr_assert_eq(cv_tsc(cpu), 1000007);
    GOOD(0x3b, (uint64_t)-5);
    cr_assert_eq(cv_tsc(cpu), 4125);
    cr_assert_eq(cv_cpu_vtime(cpu), 4130, "vtime never moves");
    machine_free(m);
}

Test(msr, speculation_controls_and_read_only_registers)
{
    struct machine *m = machine_new(true);
    uint64_t v;
    GOOD(0x48, 0);
    GOOD(0x48, 0x403);
    BAD(0x48, 4);
    BAD(0x48, 0x80);
    cr_assert(cv_msr_write(&m->cpu, 0x49, 1));
    BAD(0x49, 2);
    expect_fault(m, cv_msr_read(&m->cpu, 0x49, &v), CV_EXC_GP, 0);
    cr_assert(cv_msr_write(&m->cpu, 0x10b, 1));
    expect_fault(m, cv_msr_read(&m->cpu, 0x10b, &v), CV_EXC_GP, 0);
    static const uint32_t read_only[] = {0x17, 0x3a, 0xce, 0xfe, 0x10a, 0x179};
    for (size_t i = 0; i < CV_ARRAY_LEN(read_only); i++) {
        cr_assert(cv_msr_read(&m->cpu, read_only[i], &v));
        BAD(read_only[i], v);
    }
    cr_assert(cv_msr_write(&m->cpu, 0x8b, 0));
    cr_assert(cv_msr_read(&m->cpu, 0x8b, &v) && v == 1ull << 32);
    cr_assert(cv_msr_read(&m->cpu, 0x1a0, &v) && v == 1);
    cr_assert(cv_msr_write(&m->cpu, 0x1a0, UINT64_MAX));
    cr_assert(cv_msr_read(&m->cpu, 0x1a0, &v) && v == 1);
    cr_assert(cv_msr_write(&m->cpu, 0x1d9, 2));
    BAD(0x1d9, 4);
    BAD(0xc0000103, 1ull << 32);
    BAD(0xc0000084, 1ull << 32);
    expect_fault(m, cv_msr_read(&m->cpu, 0x12345678, &v), CV_EXC_GP, 0);
    BAD(0x12345678, 0);
    set_cpl(m, 3, true);
    expect_fault(m, cv_msr_read(&m->cpu, 0x10, &v), CV_EXC_GP, 0);
    BAD(0x10, 0);
    machine_free(m);
}

static uint64_t apic_read(void *arg, uint32_t msr, bool *ok)
{
    struct machine *m = arg;
    m->apic_msr = msr;
    *ok = msr != 0x8ff;
    return msr == 0x1b ? m->apic_base : m->apic_value;
}
static bool apic_write(void *arg, uint32_t msr, uint64_t value)
{
    struct machine *m = arg;
    m->apic_msr = msr;
    m->apic_value = value;
    return msr != 0x802;
}

Test(msr, the_apics_registers_are_the_apics)
{
    static const uint32_t msrs[] = {0x1b, 0x6e0, 0x800, 0x80b, 0x8fe};
    struct machine *m = machine_new(true);
    uint64_t v;
    expect_fault(m, cv_msr_read(&m->cpu, 0x1b, &v), CV_EXC_GP, 0);
    BAD(0x6e0, 5);
    m->cpu.apic_msr_read = apic_read;
    m->cpu.apic_msr_write = apic_write;
    for (size_t i = 0; i < CV_ARRAY_LEN(msrs); i++) {
        cr_assert(cv_msr_write(&m->cpu, msrs[i], 0x77 + i));
        cr_assert(m->apic_msr == msrs[i] && m->apic_value == 0x77 + i);
        cr_assert(cv_msr_read(&m->cpu, msrs[i], &v) && m->apic_msr == msrs[i]);
    }
    BAD(0x802, 0);
    expect_fault(m, cv_msr_read(&m->cpu, 0x8ff, &v), CV_EXC_GP, 0);
    uint32_t r[4];
    m->apic_base = 0xfee00100;
    cv_cpuid(&m->cpu, 1, 0, r);
    cr_assert_eq(r[3] & 1 << 9, 0);
    m->apic_base = 0xfee00900;
    cv_cpuid(&m->cpu, 1, 0, r);
    cr_assert_neq(r[3] & 1 << 9, 0);
    machine_free(m);
}

Test(msr, the_generator_is_xoshiro256)
{
    struct machine *m = machine_new(true);
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    for (unsigned i = 0; i < 4; i++) {
        m->cpu.rng[i] = i + 1;
    }
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(cv_rng_next(&m->cpu), expected[i]);
    }
    machine_free(m);
}

/* -- CPUID ------------------------------------------------------------------------- */

static uint32_t leaf_reg(uint32_t leaf, uint32_t subleaf, unsigned reg)
{
    uint32_t r[4];
    cv_cpuid_model(leaf, subleaf, r);
    return r[reg];
}

Test(cpuid, vendor_signature_and_limits)
{
    uint32_t r[4];
    cv_cpuid_model(0, 0, r);
    cr_assert(r[0] == 0x16 && memcmp(&r[1], "Genu", 4) == 0 &&
              memcmp(&r[3], "ineI", 4) == 0 && memcmp(&r[2], "ntel", 4) == 0);
    cr_assert_eq(leaf_reg(1, 0, 0), CV_CPU_SIGNATURE);
    char brand[49] = {0};
    for (unsigned i = 0; i < 3; i++) {
        cv_cpuid_model(0x80000002 + i, 0, (uint32_t *)(void *)(brand + 16 * i));
    }
    cr_assert_str_eq(brand, "Chronovisor virtual CPU @ 1.00GHz");
    cv_cpuid_model(0x40000000, 0, r);
    cr_assert(memcmp(&r[1], "Chronovisor", 12) == 0);
    cv_cpuid_model(0x40000001, 0, r);
    cr_assert((r[0] | r[1] | r[2] | r[3]) == 0);
    uint32_t last[4];
    cv_cpuid_model(0x16, 0, last);
    cv_cpuid_model(0x17, 0, r);
    cr_assert(memcmp(r, last, sizeof(r)) == 0,
              "above the highest leaf: the highest basic leaf");
    cv_cpuid_model(0x80000009, 0, r);
    cr_assert(memcmp(r, last, sizeof(r)) == 0);
}

Test(cpuid, features_are_exactly_those_of_the_decision)
{
    cr_assert_eq(leaf_reg(1, 0, 2), 0xf7fa3203u & ~(1u << 27), "%x", leaf_reg(1, 0, 2));
    cr_assert_eq(leaf_reg(1, 0, 3), 0x078bf9fdu, "%x", leaf_reg(1, 0, 3));
    cr_assert_eq(leaf_reg(7, 0, 1), 0x001c27abu, "%x", leaf_reg(7, 0, 1));
    cr_assert_eq(leaf_reg(7, 0, 2), 0x4u);
    cr_assert_eq(leaf_reg(7, 0, 3), 0x3c000000u);
    cr_assert_eq(leaf_reg(7, 2, 3), 0x30u);
    cr_assert_eq(leaf_reg(0x80000001, 0, 2), 0x21u);
    cr_assert_eq(leaf_reg(0x80000001, 0, 3), 0x2c100800u);
}

Test(cpuid, time_leaves_agree_with_the_clock)
{
    uint64_t hz =
        (uint64_t)leaf_reg(0x15, 0, 2) * leaf_reg(0x15, 0, 1) / leaf_reg(0x15, 0, 0);
    cr_assert_eq(hz, 1000000000);
    cr_assert_eq(leaf_reg(0x16, 0, 0), 1000);
    cr_assert_eq(leaf_reg(0x80000007, 0, 3), 1 << 8);
}

Test(cpuid, xsave_leaves_follow_xcr0_and_osxsave_follows_cr4)
{
    struct machine *m = machine_new(true);
    uint32_t r[4];
    m->cpu.xcr0 = 7;
    cv_cpuid(&m->cpu, 0xd, 0, r);
    cr_assert(r[0] == 7 && r[1] == 832 && r[2] == 832 && r[3] == 0);
    m->cpu.xcr0 = 3;
    cv_cpuid(&m->cpu, 0xd, 0, r);
    cr_assert(r[1] == 576 && r[2] == 832);
    cv_cpuid(&m->cpu, 0xd, 1, r);
    cr_assert(r[0] == 1 && r[1] == 0);
    cv_cpuid(&m->cpu, 0xd, 2, r);
    cr_assert(r[0] + r[1] == 832);
    cv_cpuid(&m->cpu, 0xd, 3, r);
    cr_assert((r[0] | r[1] | r[2] | r[3]) == 0);
    cv_cpuid(&m->cpu, 1, 0, r);
    cr_assert_eq(r[2] & 1 << 27, 0);
    m->cpu.cr4 |= CV_CR4_OSXSAVE;
    cv_cpuid(&m->cpu, 1, 0, r);
    cr_assert_neq(r[2] & 1 << 27, 0);
    machine_free(m);
}

Test(cpuid, topology_has_one_processor_and_loops_end)
{
    uint32_t r[4];
    cv_cpuid_model(0xb, 0, r);
    cr_assert(r[0] == 0 && r[1] == 1 && r[2] == 0x100 && r[3] == 0);
    cv_cpuid_model(0xb, 1, r);
    cr_assert(r[0] == 0 && r[1] == 1 && r[2] == 0x201);
    cv_cpuid_model(0xb, 2, r);
    cr_assert(r[0] == 0 && r[1] == 0 && r[2] == 2);
    static const uint32_t kib[] = {32, 32, 1024, 16384};
    for (unsigned i = 0; i < 4; i++) {
        cv_cpuid_model(4, i, r);
        uint64_t bytes = ((r[1] >> 22) + 1) * ((r[1] & 0xfff) + 1) * ((uint64_t)r[2] + 1);
        cr_assert_eq(bytes, kib[i] * 1024ull);
        cr_assert_eq(r[0] >> 14, 0, "one thread, one core");
    }
    cv_cpuid_model(4, 4, r);
    cr_assert_eq(r[0], 0);
}

/* Every feature whose instructions can be missing is shown exactly when they decode. */
Test(cpuid, the_decoder_takes_each_feature_that_is_shown_and_refuses_those_that_are_not)
{
    static const struct {
        uint32_t leaf, subleaf;
        uint8_t reg, bit, len;
        uint8_t bytes[8];
    } cases[] = {
        {1, 0, 2, 0, 4, {0xf2, 0x0f, 0x7c, 0xc1}},              /* SSE3 haddps */
        {1, 0, 2, 1, 6, {0x66, 0x0f, 0x3a, 0x44, 0xc1, 0x00}},  /* PCLMULQDQ */
        {1, 0, 2, 3, 3, {0x0f, 0x01, 0xc8}},                    /* MONITOR */
        {1, 0, 2, 5, 3, {0x0f, 0x01, 0xc1}},                    /* VMX vmcall */
        {1, 0, 2, 9, 5, {0x66, 0x0f, 0x38, 0x00, 0xc1}},        /* SSSE3 pshufb */
        {1, 0, 2, 12, 5, {0xc4, 0xe2, 0x71, 0xa8, 0xc2}},       /* FMA */
        {1, 0, 2, 13, 4, {0x48, 0x0f, 0xc7, 0x08}},             /* CMPXCHG16B */
        {1, 0, 2, 19, 5, {0x66, 0x0f, 0x38, 0x17, 0xc1}},       /* SSE4.1 ptest */
        {1, 0, 2, 20, 5, {0xf2, 0x0f, 0x38, 0xf1, 0xc1}},       /* SSE4.2 crc32 */
        {1, 0, 2, 22, 4, {0x0f, 0x38, 0xf0, 0x08}},             /* MOVBE */
        {1, 0, 2, 23, 4, {0xf3, 0x0f, 0xb8, 0xc1}},             /* POPCNT */
        {1, 0, 2, 25, 5, {0x66, 0x0f, 0x38, 0xdc, 0xc1}},       /* AES */
        {1, 0, 2, 26, 3, {0x0f, 0xae, 0x20}},                   /* XSAVE */
        {1, 0, 2, 28, 4, {0xc5, 0xf0, 0x58, 0xc2}},             /* AVX */
        {1, 0, 2, 29, 5, {0xc4, 0xe2, 0x79, 0x13, 0xc1}},       /* F16C */
        {1, 0, 2, 30, 3, {0x0f, 0xc7, 0xf0}},                   /* RDRAND */
        {1, 0, 3, 11, 2, {0x0f, 0x34}},                         /* SYSENTER */
        {7, 0, 1, 0, 4, {0xf3, 0x0f, 0xae, 0xc0}},              /* FSGSBASE */
        {7, 0, 1, 3, 5, {0xc4, 0xe2, 0x70, 0xf2, 0xc2}},        /* BMI1 andn */
        {7, 0, 1, 5, 4, {0xc5, 0xf5, 0xfe, 0xc2}},              /* AVX2 vpaddd ymm */
        {7, 0, 1, 8, 5, {0xc4, 0xe2, 0x70, 0xf5, 0xc2}},        /* BMI2 bzhi */
        {7, 0, 1, 10, 5, {0x66, 0x0f, 0x38, 0x82, 0x08}},       /* INVPCID */
        {7, 0, 1, 11, 3, {0x0f, 0x01, 0xd5}},                   /* RTM xend */
        {7, 0, 1, 16, 6, {0x62, 0xf1, 0x74, 0x48, 0x58, 0xc2}}, /* AVX-512F */
        {7, 0, 1, 18, 3, {0x0f, 0xc7, 0xf8}},                   /* RDSEED */
        {7, 0, 1, 19, 5, {0x66, 0x0f, 0x38, 0xf6, 0xc1}},       /* ADX */
        {7, 0, 1, 20, 3, {0x0f, 0x01, 0xca}},                   /* SMAP clac */
        {7, 0, 1, 29, 4, {0x0f, 0x38, 0xcc, 0xc1}},             /* SHA */
        {7, 0, 2, 3, 3, {0x0f, 0x01, 0xee}},                    /* PKU */
        {7, 0, 2, 8, 5, {0x66, 0x0f, 0x38, 0xcf, 0xc1}},        /* GFNI */
        {7, 0, 2, 9, 5, {0xc4, 0xe2, 0x75, 0xdc, 0xc2}},        /* VAES ymm */
        {0xd, 1, 0, 0, 3, {0x0f, 0xae, 0x30}},                  /* XSAVEOPT */
        {0xd, 1, 0, 3, 3, {0x0f, 0xc7, 0x28}},                  /* XSAVES */
        {0x80000001, 0, 2, 5, 4, {0xf3, 0x0f, 0xbd, 0xc1}}, /* LZCNT (else BSR: decodes)
                                                             */
        {0x80000001, 0, 2, 6, 4, {0xf2, 0x0f, 0x78, 0xc1}}, /* SSE4A */
        {0x80000001, 0, 3, 11, 2, {0x0f, 0x05}},            /* SYSCALL */
        {0x80000001, 0, 3, 27, 3, {0x0f, 0x01, 0xf9}},      /* RDTSCP */
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        struct cv_insn insn;
        bool shown =
            (leaf_reg(cases[i].leaf, cases[i].subleaf, cases[i].reg) >> cases[i].bit & 1);
        bool decodes = cv_decode(cases[i].bytes, cases[i].len, 64, &insn) == CV_DECODE_OK;
        cr_assert_eq(decodes, shown, "case %zu (leaf %x bit %u): shown %d, decodes %d", i,
                     cases[i].leaf, cases[i].bit, shown, decodes);
    }
}

Test(cpuid, mitigations_that_cost_are_told_to_be_needless)
{
    uint64_t caps = CV_CPUID_ARCH_CAPABILITIES;
    cr_assert_eq(caps & 1ull << 2, 0, "no RSBA");
    cr_assert_eq(caps & 1ull << 7, 0, "no TSX_CTRL");
    cr_assert_eq(caps & 1ull << 17, 0, "no FB_CLEAR: nothing to clear");
    cr_assert_eq(caps & 1ull << 19, 0, "no RRSBA");
    cr_assert_eq(leaf_reg(7, 0, 3) & 1 << 10, 0, "no MD_CLEAR");
    cr_assert_eq(leaf_reg(7, 0, 1) & (1 << 4 | 1 << 11), 0, "no TSX");
    cr_assert_neq(leaf_reg(7, 0, 3) & 1 << 29, 0);
}
