/*
 * test_control.c - reserved bits and consistency of CR, DR, XCR0, INVPCID and POPF
 */
#include "fixture.h"

#define BASE_CR0 (CV_CR0_PE | CV_CR0_ET | CV_CR0_NE | CV_CR0_WP)

Test(control, each_cr4_bit_is_writable_exactly_when_the_model_has_its_feature)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        struct machine *m = machine_new(true);
        uint64_t value = CV_CR4_PAE | 1ull << bit;
        if ((CV_CPUID_CR4_MASK >> bit & 1) != 0) {
            cr_assert(cv_control_write(&m->cpu, 4, value), "bit %u", bit);
            cr_assert_eq(m->cpu.cr4, value);
        } else {
            expect_fault(m, cv_control_write(&m->cpu, 4, value), CV_EXC_GP, 0);
        }
        machine_free(m);
    }
}

Test(control, cr0_consistency)
{
    static const struct {
        uint64_t value;
        bool good;
    } cases[] = {
        {BASE_CR0 | CV_CR0_PG, true},
        {BASE_CR0 | CV_CR0_PG | CV_CR0_TS | CV_CR0_EM | CV_CR0_MP | CV_CR0_AM, true},
        {BASE_CR0 | CV_CR0_PG | CV_CR0_CD, true},
        {BASE_CR0 | CV_CR0_PG | CV_CR0_CD | CV_CR0_NW, true},
        {BASE_CR0 | CV_CR0_PG | CV_CR0_NW, false},
        {CV_CR0_PG, false}, /* without PE */
        {BASE_CR0, false},  /* leaving paging from 64-bit code */
        {BASE_CR0 | CV_CR0_PG | 1ull << 32, false},
        {BASE_CR0 | CV_CR0_PG | 1ull << 63, false},
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        struct machine *m = machine_new(true);
        if (cases[i].good) {
            cr_assert(cv_control_write(&m->cpu, 0, cases[i].value), "case %zu", i);
            cr_assert_eq(m->cpu.cr0, cases[i].value);
            cr_assert((m->cpu.leave & CV_LEAVE_MODE) != 0);
        } else {
            expect_fault(m, cv_control_write(&m->cpu, 0, cases[i].value), CV_EXC_GP, 0);
        }
        machine_free(m);
    }
    struct machine *m =
        machine_new(false); /* reserved low bits are ignored, ET is fixed */
    cr_assert(cv_control_write(&m->cpu, 0, CV_CR0_PE | 0x1ff8ffc0));
    cr_assert_eq(m->cpu.cr0, CV_CR0_PE | CV_CR0_ET);
    machine_free(m);
}

Test(control, long_mode_is_entered_in_the_manuals_order_and_left_again)
{
    struct machine *m = machine_new(false);
    struct cv_cpu *cpu = &m->cpu;
    uint64_t efer;
    cr_assert(cv_msr_write(cpu, 0xc0000080, CV_EFER_LME));
    cr_assert(cv_control_write(cpu, 4, 0));
    expect_fault(m, cv_control_write(cpu, 0, BASE_CR0 | CV_CR0_PG), CV_EXC_GP,
                 0); /* no PAE */
    cr_assert(cv_control_write(cpu, 4, CV_CR4_PAE));
    cpu->tr.attr = 0x83; /* 16-bit TSS */
    expect_fault(m, cv_control_write(cpu, 0, BASE_CR0 | CV_CR0_PG), CV_EXC_GP, 0);
    cpu->tr.attr = 0x8b;
    cpu->seg[CV_CS].attr |= CV_SEG_L;
    expect_fault(m, cv_control_write(cpu, 0, BASE_CR0 | CV_CR0_PG), CV_EXC_GP, 0);
    cpu->seg[CV_CS].attr &= ~CV_SEG_L;
    cr_assert(cv_control_write(cpu, 0, BASE_CR0 | CV_CR0_PG));
    cr_assert(cv_msr_read(cpu, 0xc0000080, &efer));
    cr_assert_eq(efer, CV_EFER_LME | CV_EFER_LMA);
    cr_assert_eq(cpu->mode & (CV_MODE_LMA | CV_MODE_CS64 | CV_MODE_CS32),
                 CV_MODE_LMA | CV_MODE_CS32);
    expect_fault(m, cv_control_write(cpu, 4, 0), CV_EXC_GP, 0); /* PAE is needed now */
    expect_fault(m, cv_msr_write(cpu, 0xc0000080, 0), CV_EXC_GP, 0); /* LME under PG */
    cr_assert(cv_msr_write(cpu, 0xc0000080, CV_EFER_LME | CV_EFER_NXE | CV_EFER_SCE));
    cr_assert_eq(cpu->efer, CV_EFER_LME | CV_EFER_LMA | CV_EFER_NXE | CV_EFER_SCE);
    poke(m, GDT + KCODE, descriptor(0, 0xfffff, 0xa09a));
    cr_assert(cv_far_jump(cpu, KCODE, 0x1000, 4, 0));
    cr_assert((cpu->mode & CV_MODE_CS64) != 0);
    expect_fault(m, cv_control_write(cpu, 0, BASE_CR0), CV_EXC_GP, 0);
    cr_assert(cv_far_jump(cpu, CODE32, 0x1000, 4, 0));
    cr_assert(cv_control_write(cpu, 0, BASE_CR0));
    cr_assert_eq(cpu->efer & CV_EFER_LMA, 0);
    cr_assert(cv_msr_write(cpu, 0xc0000080, 0));
    machine_free(m);
}

Test(control, pcide_rules)
{
    struct machine *m = machine_new(false);
    struct cv_cpu *cpu = &m->cpu;
    expect_fault(m, cv_control_write(cpu, 4, CV_CR4_PAE | CV_CR4_PCIDE), CV_EXC_GP, 0);
    machine_free(m);
    m = machine_new(true);
    cpu = &m->cpu;
    cr_assert(cv_control_write(cpu, 3, 0x1001));
    expect_fault(m, cv_control_write(cpu, 4, CV_CR4_PAE | CV_CR4_PCIDE), CV_EXC_GP, 0);
    expect_fault(m, cv_control_write(cpu, 3, 1ull << 63 | 0x1000), CV_EXC_GP, 0);
    cr_assert(cv_control_write(cpu, 3, 0x1000));
    cr_assert(cv_control_write(cpu, 4, CV_CR4_PAE | CV_CR4_PCIDE));
    cr_assert(cv_control_write(cpu, 3, 1ull << 63 | 0x1fff));
    cr_assert_eq(cpu->cr3, 0x1fff);
    for (unsigned bit = CV_CPUID_PHYS_BITS; bit < 63; bit++) {
        expect_fault(m, cv_control_write(cpu, 3, 1ull << bit | 0x1000), CV_EXC_GP, 0);
    }
    cr_assert(cv_control_write(cpu, 3, 1ull << (CV_CPUID_PHYS_BITS - 1)));
    cr_assert(cv_control_write(cpu, 3, 0x1000));
    set_cpl(m, 0, false); /* PG may not go while PCIDE is set */
    expect_fault(m, cv_control_write(cpu, 0, BASE_CR0), CV_EXC_GP, 0);
    cr_assert(cv_control_write(cpu, 4, CV_CR4_PAE));
    cr_assert(cv_control_write(cpu, 0, BASE_CR0));
    machine_free(m);
}

Test(control, pae_paging_loads_its_four_pointers_as_registers)
{
    struct machine *m = machine_new(false);
    struct cv_cpu *cpu = &m->cpu;
    for (unsigned i = 0; i < 4; i++) {
        poke(m, 0x9020 + 8 * i, 0x3001);
    }
    cr_assert(cv_control_write(cpu, 3, 0x9020));
    cr_assert_eq(cpu->pdpte[0], 0);
    for (unsigned bit = 1; bit < 64; bit++) {
        bool reserved = bit == 1 || bit == 2 || (bit >= 5 && bit <= 8) || bit >= 40;
        poke(m, 0x9038, 0x3001 | 1ull << bit);
        if (reserved) {
            expect_fault(m, cv_control_write(cpu, 0, BASE_CR0 | CV_CR0_PG), CV_EXC_GP, 0);
        } else {
            cr_assert(cv_control_write(cpu, 0, BASE_CR0 | CV_CR0_PG), "bit %u", bit);
            cr_assert_eq(cpu->pdpte[3], 0x3001 | 1ull << bit);
            cr_assert(cv_control_write(cpu, 0, BASE_CR0));
        }
    }
    poke(m, 0x9038, UINT64_MAX - 1); /* not present: anything goes */
    cr_assert(cv_control_write(cpu, 0, BASE_CR0 | CV_CR0_PG));
    uint64_t v;
    cr_assert(cv_mem_read(cpu, KSTACK, 4, &v));
    poke(m, 0x9020, 0x1e7);
    cr_assert_eq(cpu->pdpte[0], 0x3001, "writing memory changes no register");
    expect_fault(m, cv_control_write(cpu, 3, 0x9020), CV_EXC_GP, 0);
    expect_fault(m, cv_control_write(cpu, 4, CV_CR4_PAE | CV_CR4_PGE), CV_EXC_GP, 0);
    expect_fault(m, cv_control_write(cpu, 3, 0xf0000000), CV_EXC_GP,
                 0); /* no RAM there */
    machine_free(m);
}

static uint64_t read_tpr(void *arg)
{
    return ((struct machine *)arg)->tpr;
}
static void write_tpr(void *arg, uint64_t value)
{
    ((struct machine *)arg)->tpr = value;
}

Test(control, cr8_cr2_and_the_registers_that_do_not_exist)
{
    struct machine *m = machine_new(true);
    uint64_t v;
    m->cpu.apic_tpr_read = read_tpr;
    m->cpu.apic_tpr_write = write_tpr;
    cr_assert(cv_control_write(&m->cpu, 8, 15));
    cr_assert(cv_control_read(&m->cpu, 8, &v) && v == 15);
    expect_fault(m, cv_control_write(&m->cpu, 8, 16), CV_EXC_GP, 0);
    cr_assert(cv_control_write(&m->cpu, 2, UINT64_MAX / 3));
    cr_assert(cv_control_read(&m->cpu, 2, &v) && v == UINT64_MAX / 3);
    static const uint8_t none[] = {1, 5, 6, 7, 9, 10, 15};
    for (size_t i = 0; i < CV_ARRAY_LEN(none); i++) {
        expect_fault(m, cv_control_write(&m->cpu, none[i], 0), CV_EXC_UD, 0);
        expect_fault(m, cv_control_read(&m->cpu, none[i], &v), CV_EXC_UD, 0);
    }
    set_cpl(m, 3, true);
    expect_fault(m, cv_control_write(&m->cpu, 3, 0x1000), CV_EXC_GP, 0);
    expect_fault(m, cv_control_read(&m->cpu, 0, &v), CV_EXC_GP, 0);
    machine_free(m);
}

Test(control, debug_registers_have_fixed_bits_aliases_and_general_detect)
{
    struct machine *m = machine_new(true);
    struct cv_cpu *cpu = &m->cpu;
    uint64_t v;
    cr_assert(cv_debug_write(cpu, 0, 0xffff888000001000));
    cr_assert(cv_debug_read(cpu, 0, &v) && v == 0xffff888000001000);
    cr_assert(cv_debug_write(cpu, 6, 0));
    cr_assert(cv_debug_read(cpu, 4, &v) && v == 0xffff0ff0); /* DR4 is DR6 */
    cr_assert(cv_debug_write(cpu, 5, 0xffffdfff));
    cr_assert(cv_debug_read(cpu, 7, &v) && v == 0xffff07ff);
    cr_assert((cpu->mode & CV_MODE_DR7) != 0);
    expect_fault(m, cv_debug_write(cpu, 7, 1ull << 32), CV_EXC_GP, 0);
    expect_fault(m, cv_debug_write(cpu, 6, 1ull << 63), CV_EXC_GP, 0);
    expect_fault(m, cv_debug_read(cpu, 8, &v), CV_EXC_UD, 0);
    cpu->cr4 |= CV_CR4_DE;
    expect_fault(m, cv_debug_read(cpu, 4, &v), CV_EXC_UD, 0);
    cr_assert(cv_debug_write(cpu, 7, 1 << 13));
    expect_fault(m, cv_debug_read(cpu, 0, &v), CV_EXC_DB, 0);
    cr_assert_eq(cpu->fault.dr6_bits, 1 << 13);
    cv_deliver_fault(cpu);
    cr_assert_eq(cpu->dr[6], 0xffff2ff0);
    cr_assert(cv_debug_read(cpu, 7, &v) && v == 0x400);
    set_cpl(m, 3, true);
    expect_fault(m, cv_debug_read(cpu, 0, &v), CV_EXC_GP, 0);
    machine_free(m);
}

Test(control, xsetbv_accepts_what_cpuid_shows)
{
    struct machine *m = machine_new(true);
    struct cv_cpu *cpu = &m->cpu;
    expect_fault(m, cv_xcr_write(cpu, 0, 7), CV_EXC_UD, 0);
    cr_assert(cv_control_write(cpu, 4, CV_CR4_PAE | CV_CR4_OSXSAVE));
    for (unsigned v = 0; v < 16; v++) {
        if (v == 1 || v == 3 || v == 7) {
            cr_assert(cv_xcr_write(cpu, 0, v));
            cr_assert_eq(cpu->xcr0, v);
            cr_assert_eq((cpu->mode & CV_MODE_AVX) != 0, v == 7);
        } else {
            expect_fault(m, cv_xcr_write(cpu, 0, v), CV_EXC_GP, 0);
        }
    }
    expect_fault(m, cv_xcr_write(cpu, 1, 1), CV_EXC_GP, 0);
    expect_fault(m, cv_xcr_write(cpu, 0, 7 | 1ull << 63), CV_EXC_GP, 0);
    set_cpl(m, 3, true);
    expect_fault(m, cv_xcr_write(cpu, 0, 7), CV_EXC_GP, 0);
    machine_free(m);
}

Test(control, invpcid_checks_its_operands)
{
    static const struct {
        uint64_t type, lo, hi;
        bool pcide, good;
    } cases[] = {{0, 0, 0x1000, false, true},    {0, 1, 0x1000, false, false},
                 {0, 1, 0x1000, true, true},     {0, 0, 1ull << 47, true, false},
                 {1, 5, 1ull << 47, true, true}, {1, 5, 0, false, false},
                 {2, 5, 0, false, true},         {3, 0xfff, 0, false, true},
                 {3, 0x1000, 0, true, false},    {4, 0, 0, true, false},
                 {UINT64_MAX, 0, 0, true, false}};
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        struct machine *m = machine_new(true);
        m->cpu.cr4 |= cases[i].pcide ? CV_CR4_PCIDE : 0;
        if (cases[i].good) {
            cr_assert(cv_invpcid(&m->cpu, cases[i].type, cases[i].lo, cases[i].hi), "%zu",
                      i);
        } else {
            expect_fault(m, cv_invpcid(&m->cpu, cases[i].type, cases[i].lo, cases[i].hi),
                         CV_EXC_GP, 0);
        }
        machine_free(m);
    }
}

Test(control, popf_changes_what_cpl_and_iopl_allow)
{
    static const struct {
        unsigned cpl, iopl, size;
        uint64_t changed;
    } cases[] = {
        {0, 0, 8, 0x247fd5}, {3, 0, 8, 0x244dd5}, {3, 3, 8, 0x244fd5},
        {0, 0, 2, 0x7fd5},   {3, 0, 2, 0x4dd5},
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        struct machine *m = machine_new(true);
        set_cpl(m, cases[i].cpl, true);
        m->cpu.rflags = 2 | cases[i].iopl << 12 | CV_FL_RF;
        uint64_t iopl = cases[i].iopl << 12;
        cr_assert(cv_flags_pop(&m->cpu, UINT64_MAX, cases[i].size));
        cr_assert_eq(m->cpu.rflags, 2 | iopl | cases[i].changed, "case %zu: %lx", i,
                     m->cpu.rflags);
        cr_assert((m->cpu.mode & CV_MODE_TF) != 0);
        cr_assert(cv_flags_pop(&m->cpu, 0, cases[i].size));
        uint64_t kept =
            cases[i].cpl == 0 ? 0 : iopl | (iopl == 0 ? m->cpu.rflags & CV_FL_IF : 0);
        cr_assert_eq(m->cpu.rflags,
                     2 | kept | (cases[i].size == 2 ? m->cpu.rflags & ~0xffffull : 0));
        machine_free(m);
    }
}
