/*
 * test_cpustate.c - reset, the mode word, and a section that refuses nonsense
 */
#include "core/base/mem.h"
#include "core/base/section.h"
#include "core/cpu/fpu.h"
#include "core/cpu/regs.h"

#include <criterion/criterion.h>
#include <string.h>

static struct cv_cpu cpu_a, cpu_b;
static uint8_t image[4096];

static size_t save(struct cv_cpu *cpu, uint8_t *buf)
{
    struct cv_section s = {.mode = CV_SECTION_SAVE, .buf = buf, .cap = 4096};
    cv_cpu_section(cpu, &s);
    s.failed = false; /* set when a flag is not 0 or 1: the image is there all the same */
    cv_section_end(&s);
    return s.pos;
}

static bool load(struct cv_cpu *cpu, uint8_t *buf, size_t len)
{
    struct cv_section s = {.mode = CV_SECTION_LOAD, .buf = buf, .cap = len};
    cv_cpu_section(cpu, &s);
    cv_section_end(&s);
    return !s.failed && s.pos == len;
}

/* A CPU in long mode at CPL 3 in which every saved field differs from zero. */
static void fill_cpu(struct cv_cpu *c)
{
    memset(c, 0, sizeof(*c));
    cv_cpu_reset(c, 7);
    for (unsigned i = 0; i < 16; i++) {
        c->gpr[i] = 0x1111111111111111ull * i + 1;
    }
    c->deadline = 1000;
    c->left = 77;
    c->rip = 0x401000;
    c->rflags = 0x202;
    c->cr0 = 0x80050033;
    c->cr2 = 0xdeadbeef;
    c->cr3 = 0x12345000;
    c->cr4 = CV_CR4_PAE | CV_CR4_OSFXSR | CV_CR4_OSXSAVE;
    c->efer = CV_EFER_SCE | CV_EFER_LME | CV_EFER_LMA | CV_EFER_NXE;
    c->xcr0 = 7;
    c->seg[CV_CS].attr = 0xa0fb;
    c->seg[CV_SS].attr = 0xc0f3;
    c->seg[CV_FS].base = 0x7ffff7d00000;
    c->ldtr.base = 0xffff800000001000;
    c->tr.base = 0xfffffe0000003000;
    c->gdtr.base = 0xfffffe0000001000;
    c->idtr.base = 0xfffffe0000000000;
    c->dr[0] = 0x401234;
    c->pdpte[2] = 0x5001;
    c->star = 0x23001000000000;
    c->lstar = 0xffffffff81800000;
    c->cstar = 0xffffffff81800100;
    c->sfmask = 0x47700;
    c->kernel_gs_base = 0xffff888000000000;
    c->tsc_aux = 3;
    c->tsc_offset = (uint64_t)-5;
    c->sysenter_cs = 16;
    c->sysenter_esp = 0xfffffe0000002000;
    c->sysenter_eip = 0xffffffff81800200;
    c->spec_ctrl = 1;
    c->mtrr_def_type = 0xc06;
    for (unsigned i = 0; i < 11; i++) {
        c->mtrr_fixed[i] = 0x0606060606060606ull + i;
    }
    for (unsigned i = 0; i < 8; i++) {
        c->mtrr_base[i] = (uint64_t)i << 20 | 6;
        c->mtrr_mask[i] = (uint64_t)i << 20 | 0x800;
    }
    c->halted = c->shadow = c->nmi_blocked = c->nmi_pending = c->db_pending = 1;
    c->dr6_pending = 0x4000;
    for (unsigned i = 160; i < 416; i++) {
        c->xsave[i] = (uint8_t)i;
    }
    cv_cpu_update_mode(c);
}

Test(cpustate, reset_is_the_manuals_power_up_state)
{
    memset(&cpu_a, 0, sizeof(cpu_a));
    cpu_a.deadline = 5000;
    cpu_a.left = 100;
    cv_cpu_reset(&cpu_a, 1);
    cr_assert_eq(cv_cpu_icount(&cpu_a), 4900, "icount is kept");
    cr_assert(cpu_a.rip == 0xfff0 && cpu_a.rflags == 2 && cpu_a.cr0 == 0x60000010);
    cr_assert(cpu_a.seg[CV_CS].sel == 0xf000 && cpu_a.seg[CV_CS].base == 0xffff0000);
    cr_assert(cpu_a.seg[CV_DS].limit == 0xffff && cpu_a.idtr.limit == 0xffff);
    cr_assert(cpu_a.dr[6] == 0xffff0ff0 && cpu_a.dr[7] == 0x400 && cpu_a.xcr0 == 1);
    cr_assert_eq(cpu_a.mode, 0);
    cr_assert(cv_ld16(cpu_a.xsave) == 0x37f && cv_ld32(cpu_a.xsave + 24) == 0x1f80);
    cr_assert_eq(cv_ld64(cpu_a.xsave + 512), 7);
    cv_cpu_reset(&cpu_b, 2);
    cr_assert(memcmp(cpu_a.rng, cpu_b.rng, sizeof(cpu_a.rng)) != 0, "the seed matters");
    cr_assert_eq(cpu_a.rng[0], 0x910a2dec89025cc1ull, "splitmix64 of 1");
}

Test(cpustate, a_reset_machine_saves_and_loads)
{
    memset(&cpu_a, 0, sizeof(cpu_a));
    cv_cpu_reset(&cpu_a, 0);
    size_t n = save(&cpu_a, image);
    cr_assert(load(&cpu_b, image, n));
}

Test(cpustate, deadlines_move_without_moving_icount)
{
    memset(&cpu_a, 0, sizeof(cpu_a));
    cv_cpu_set_deadline(&cpu_a, 1000);
    cr_assert(cv_cpu_icount(&cpu_a) == 0 && cpu_a.left == 1000);
    cpu_a.left -= 10;
    cv_cpu_set_deadline(&cpu_a, 5);
    cr_assert(cv_cpu_icount(&cpu_a) == 10 && cpu_a.left == -5);
    cv_cpu_set_deadline(&cpu_a, 1ull << 40);
    cr_assert_eq(cv_cpu_icount(&cpu_a), 10);
}

Test(cpustate, mode_word)
{
    fill_cpu(&cpu_a);
    cr_assert_eq(cpu_a.mode, 3 | CV_MODE_CS64 | CV_MODE_PE | CV_MODE_PG | CV_MODE_LMA |
                                 CV_MODE_MP | CV_MODE_OSFXSR | CV_MODE_OSXSAVE |
                                 CV_MODE_AVX);
    cpu_a.seg[CV_CS].attr = 0xc0fb; /* compatibility mode */
    cpu_a.rflags |= CV_FL_AC | CV_FL_TF;
    cpu_a.dr[7] |= 1;
    cv_cpu_update_mode(&cpu_a);
    cr_assert((cpu_a.mode & (CV_MODE_CS64 | CV_MODE_CS32)) == CV_MODE_CS32);
    cr_assert((cpu_a.mode & CV_MODE_SS32) && (cpu_a.mode & CV_MODE_TF));
    cr_assert((cpu_a.mode & CV_MODE_AC) && (cpu_a.mode & CV_MODE_DR7));
    cpu_a.seg[CV_SS].attr = 0xc093;
    cv_cpu_update_mode(&cpu_a);
    cr_assert(cv_cpu_cpl(&cpu_a) == 0 && (cpu_a.mode & CV_MODE_AC) == 0);
}

/* A CPU in flat 32-bit protected mode. */
static void fill_flat(struct cv_cpu *c)
{
    memset(c, 0, sizeof(*c));
    cv_cpu_reset(c, 0);
    c->cr0 |= CV_CR0_PE;
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        c->seg[i] = (struct cv_seg){
            .limit = UINT32_MAX, .attr = i == CV_CS ? 0xc09b : 0xc093, .sel = 8};
    }
    cv_cpu_update_mode(c);
}

Test(cpustate, the_flat_bit_needs_four_flat_segments)
{
    static const struct {
        unsigned seg;
        uint64_t base;
        uint32_t limit, attr;
        bool flat;
    } cases[] = {
        {CV_CS, 0, UINT32_MAX, 0xc09b, true},
        {CV_CS, 0, UINT32_MAX, 0xc099, true},
        {CV_CS, 0, UINT32_MAX, 0x809b, false},
        {CV_CS, 16, UINT32_MAX, 0xc09b, false},
        {CV_CS, 0, 0xfffff, 0xc09b, false},
        {CV_CS, 0, UINT32_MAX, 0xc01b, false},
        {CV_SS, 0, UINT32_MAX, 0x8093, false},
        {CV_SS, 0, UINT32_MAX, 0xc097, false},
        {CV_SS, 4096, UINT32_MAX, 0xc093, false},
        {CV_DS, 0, UINT32_MAX, 0x8093, true},
        {CV_DS, 0, UINT32_MAX, 0xc092, true},
        {CV_DS, 0, UINT32_MAX, 0xc091, false},
        {CV_DS, 0, UINT32_MAX, 0xc09b, false},
        {CV_DS, 0, UINT32_MAX - 1, 0xc093, false},
        {CV_ES, 0, UINT32_MAX, 0x1c093, false},
        {CV_ES, 0, UINT32_MAX, 0xc083, false},
        {CV_FS, 77, 5, 0x10000, true},
        {CV_GS, 77, 5, 0x10000, true},
    };
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        fill_flat(&cpu_a);
        cr_assert((cpu_a.mode & CV_MODE_FLAT) != 0);
        cpu_a.seg[cases[i].seg] = (struct cv_seg){
            .base = cases[i].base, .limit = cases[i].limit, .attr = cases[i].attr};
        cv_cpu_update_mode(&cpu_a);
        cr_assert_eq((cpu_a.mode & CV_MODE_FLAT) != 0, cases[i].flat, "case %u", i);
    }
    fill_flat(&cpu_a);
    cpu_a.rflags |= CV_FL_VM;
    cv_cpu_update_mode(&cpu_a);
    cr_assert_eq(cpu_a.mode & CV_MODE_FLAT, 0, "virtual-8086 mode");
    fill_flat(&cpu_a);
    cpu_a.cr0 &= ~(uint64_t)CV_CR0_PE;
    cv_cpu_update_mode(&cpu_a);
    cr_assert_eq(cpu_a.mode & CV_MODE_FLAT, 0, "real mode");
    fill_flat(&cpu_a);
    cpu_a.efer |= CV_EFER_LMA;
    cpu_a.seg[CV_CS].attr = 0xa09b;
    cv_cpu_update_mode(&cpu_a);
    cr_assert_eq(cpu_a.mode & CV_MODE_FLAT, 0, "64-bit mode");
}

Test(cpustate, every_field_survives_a_round_trip)
{
    static uint8_t again[4096];
    fill_cpu(&cpu_a);
    size_t n = save(&cpu_a, image);
    memset(&cpu_b, 0xff, sizeof(cpu_b));
    cpu_b.fpu_live = 0;
    cpu_b.ram = (struct cv_ram *)0x1234;
    cr_assert(load(&cpu_b, image, n));
    cr_assert_eq(cv_cpu_icount(&cpu_b), 923);
    cr_assert(cpu_b.left == 0 && cpu_b.leave == 0 && cpu_b.mode == cpu_a.mode);
    cr_assert_eq(cpu_b.ram, (struct cv_ram *)0x1234, "host fields are not touched");
    cr_assert_eq(save(&cpu_b, again), n);
    cr_assert(memcmp(image, again, n) == 0);
    /* state, field by field up to the host side, but for what is derived */
    cpu_b.deadline = cpu_a.deadline;
    cpu_b.left = cpu_a.left;
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        cr_assert(cpu_a.seg[i].base == cpu_b.seg[i].base &&
                  cpu_a.seg[i].attr == cpu_b.seg[i].attr &&
                  cpu_a.seg[i].limit == cpu_b.seg[i].limit &&
                  cpu_a.seg[i].sel == cpu_b.seg[i].sel);
    }
    cr_assert(memcmp(cpu_a.gpr, cpu_b.gpr, sizeof(cpu_a.gpr)) == 0);
    size_t from = offsetof(struct cv_cpu, cr0), to = offsetof(struct cv_cpu, halted);
    cr_assert(memcmp((char *)&cpu_a + from, (char *)&cpu_b + from, to - from) == 0);
    cr_assert(memcmp(cpu_a.xsave, cpu_b.xsave, sizeof(cpu_a.xsave)) == 0);
    cr_assert(cpu_b.halted && cpu_b.shadow && cpu_b.nmi_blocked && cpu_b.nmi_pending &&
              cpu_b.db_pending && !cpu_b.shutdown && cpu_b.dr6_pending == 0x4000);
}

/* docs/trace-format.md: states of machines that never used FERR# are as they always were */
Test(cpustate, ferr_shares_the_byte_of_hlt)
{
    static uint8_t plain[4096];
    fill_cpu(&cpu_a);
    cpu_a.halted = 1;
    size_t n = save(&cpu_a, plain);
    for (uint8_t ferr = 0; ferr <= CV_FERR_IGNORED; ferr++) {
        cpu_a.ferr = ferr;
        cr_assert_eq(save(&cpu_a, image), n);
        unsigned differ = 0;
        for (size_t i = 0; i < n; i++) {
            differ += image[i] != plain[i];
        }
        cr_assert_eq(differ, ferr == 0 ? 0 : 1);
        cr_assert(load(&cpu_b, image, n));
        cr_assert(cpu_b.halted == 1 && cpu_b.ferr == ferr);
    }
}

struct bad {
    const char *name;
    size_t off, size;
    uint64_t value;
};
#define BAD(field, value)                                                                \
    {                                                                                    \
#field " = " #value, offsetof(struct cv_cpu, field),                             \
            sizeof(((struct cv_cpu *)0)->field), value                                   \
    }

Test(cpustate, an_image_with_nonsense_is_refused)
{
    static const struct bad cases[] = {
        BAD(rflags, 0),
        BAD(rflags, 0x20a),
        BAD(rflags, 1ull << 32 | 2),
        BAD(rflags, 0x20002),
        BAD(cr0, 0x80050021),
        BAD(cr0, 0x180050033),
        BAD(cr0, 0x80050032),
        BAD(cr0, 0x20000033),
        BAD(cr4, 0),
        BAD(cr4, 1ull << 63 | 0x20),
        BAD(cr4, 0x2020),
        BAD(efer, 0x500 | 2),
        BAD(efer, 0x100),
        BAD(efer, 0x400),
        BAD(cr3, 1ull << 40),
        BAD(xcr0, 0),
        BAD(xcr0, 5),
        BAD(xcr0, 15),
        BAD(dr[6], 0),
        BAD(dr[7], 0),
        BAD(dr[7], 1ull << 32),
        BAD(dr6_pending, 0x10),
        BAD(seg[CV_FS].base, 0x800000000000),
        BAD(seg[CV_DS].attr, 0x100),
        BAD(seg[CV_CS].attr, 0xe09b),
        BAD(ldtr.base, 1ull << 63),
        BAD(tr.attr, 1u << 20),
        BAD(gdtr.base, 1ull << 50),
        BAD(idtr.base, 1ull << 50),
        BAD(lstar, 1ull << 47),
        BAD(cstar, 1ull << 47),
        BAD(kernel_gs_base, 1ull << 47),
        BAD(sysenter_esp, 1ull << 47),
        BAD(sysenter_eip, 1ull << 47),
        BAD(pat, 2),
        BAD(tsc_aux, 1ull << 32),
        BAD(halted, 6),
        BAD(shutdown, 2),
        BAD(shadow, 3),
        BAD(shadow, 255),
        BAD(nmi_blocked, 2),
        BAD(nmi_pending, 2),
        BAD(db_pending, 2),
        BAD(xsave[1], 0xe3),
        BAD(xsave[0], 0),
        BAD(xsave[5], 1),
        BAD(xsave[8], 1),
        BAD(xsave[26], 1),
        BAD(xsave[30], 1),
        BAD(xsave[42], 1),
        BAD(xsave[420], 1),
        BAD(xsave[500], 1),
        BAD(xsave[512], 6),
        BAD(xsave[512], 15),
        BAD(xsave[519], 0x80),
        BAD(xsave[527], 0x80),
        BAD(xsave[575], 1),
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        fill_cpu(&cpu_a);
        memcpy((char *)&cpu_a + cases[i].off, &cases[i].value, cases[i].size);
        size_t n = save(&cpu_a, image);
        memset(&cpu_b, 0, sizeof(cpu_b));
        cr_assert(!load(&cpu_b, image, n), "%s", cases[i].name);
    }
}

Test(cpustate, a_short_or_foreign_image_is_refused)
{
    fill_cpu(&cpu_a);
    size_t n = save(&cpu_a, image);
    for (size_t len = 0; len < n; len++) {
        memset(&cpu_b, 0, sizeof(cpu_b));
        cr_assert(!load(&cpu_b, image, len));
    }
    image[0] ^= 1;
    cr_assert(!load(&cpu_b, image, n));
}

Test(cpustate, any_image_that_loads_can_be_entered_and_saved_unchanged)
{
    static uint8_t again[4096];
    uint64_t r = 88172645463325252ull;
    unsigned loaded = 0;
    fill_cpu(&cpu_a);
    size_t n = save(&cpu_a, image);
    for (unsigned round = 0; round < 20000; round++) {
        static uint8_t bent[4096];
        memcpy(bent, image, n);
        for (unsigned k = 0; k < 1 + round % 3; k++) {
            r ^= r << 13, r ^= r >> 7, r ^= r << 17;
            bent[r % n] ^= (uint8_t)(1u << (r >> 32) % 8);
        }
        memset(&cpu_b, 0, sizeof(cpu_b));
        if (load(&cpu_b, bent, n)) {
            loaded++;
            cv_fpu_enter(&cpu_b); /* XRSTOR must not fault */
            cv_fpu_leave(&cpu_b);
            save(&cpu_b, again);
            size_t x = n - CV_XSAVE_BYTES;
            cr_assert(memcmp(again, bent, x) == 0);
            /* the FPU derives FSW's ES and B from its flags: all else is as loaded */
            cr_assert(memcmp(again + x + 4, bent + x + 4, CV_XSAVE_BYTES - 4) == 0);
        }
    }
    cr_assert(loaded > 100);
}
