/*
 * test_modes.c - system instructions in 64-bit, compatibility and legacy protected mode,
 * with their ways to fail
 *
 * Spec: Intel SDM volume 2, each instruction's "Exceptions" tables; 3A 2.5 "Control
 * Registers"
 */
#include "legacy32.h"

#include "core/system/control.h"
#include "core/system/msr.h"

#include <criterion/criterion.h>
#include <string.h>

enum mode { LONG, COMPAT, LEGACY };

static struct stepper *s;

static void open_mode(enum mode mode, unsigned cpl)
{
    if (s != NULL) {
        stepper_free(s);
    }
    s = mode == LEGACY ? legacy32_new() : stepper_new();
    stepper_mode(s, cpl, mode == LONG ? 64 : 32);
    s->cpu.gpr[CV_RSP] = cpl == 0 ? STEPPER_RSP0 : STEPPER_DATA + 0x1000;
    s->cpu.gpr[CV_RBX] = STEPPER_DATA;
}
static void setup(void)
{
    s = NULL;
}
static void teardown(void)
{
    if (s != NULL) {
        stepper_free(s);
    }
}

TestSuite(modes, .init = setup, .fini = teardown);

/* Runs one instruction: the vector it raised, or -1. */
static int run(const char *code, unsigned len)
{
    stepper_code(s, code, len);
    uint64_t before = cv_cpu_icount(&s->cpu);
    stepper_step(s);
    cr_assert_eq(cv_cpu_icount(&s->cpu), before + 1);
    return stepper_vector(s);
}
#define RUN(bytes) run(bytes, sizeof(bytes) - 1)

static uint32_t error_code(void)
{
    return legacy32_word(s, s->cpu.gpr[CV_RSP]);
}

/* -- fast system calls -------------------------------------------------------------- */

#define SYSENTER "\x0f\x34"
#define SYSEXIT  "\x0f\x35"
#define SYSEXITQ "\x48\x0f\x35"
#define SYSCALL  "\x0f\x05"
#define SYSRET   "\x0f\x07"
#define SYSRETQ  "\x48\x0f\x07"

/* SDM 2B "SYSENTER": works in every protected mode, in IA-32e mode always to 64-bit code
 */
Test(modes, sysenter_enters_the_kernel_from_every_mode)
{
    for (unsigned mode = LONG; mode <= LEGACY; mode++) {
        for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
            open_mode((enum mode)mode, cpl);
            s->cpu.sysenter_cs = STEPPER_CS0_64;
            s->cpu.sysenter_esp = 0xffffffff00051000;
            s->cpu.sysenter_eip = STEPPER_HANDLER + 0x4000;
            s->cpu.rflags |= CV_FL_AC | CV_FL_DF;
            cr_assert_eq(RUN(SYSENTER), -1);
            cr_assert_eq(s->cpu.rip, STEPPER_HANDLER + 0x4000);
            cr_assert_eq(s->cpu.gpr[CV_RSP],
                         mode == LEGACY ? 0x51000u : 0xffffffff00051000);
            cr_assert_eq(s->cpu.rflags & CV_FL_IF, 0);
            cr_assert_neq(s->cpu.rflags & CV_FL_DF, 0, "other flags stay");
            cr_assert_eq(cv_cpu_cpl(&s->cpu), 0);
            cr_assert_eq(s->cpu.seg[CV_CS].sel, STEPPER_CS0_64);
            cr_assert_eq(s->cpu.seg[CV_SS].sel, STEPPER_CS0_64 + 8);
            cr_assert_eq((s->cpu.mode & CV_MODE_CS64) != 0, mode != LEGACY);
            s->cpu.sysenter_cs = 3;
            s->cpu.gpr[CV_RSP] = STEPPER_RSP0;
            cr_assert_eq(RUN(SYSENTER), CV_EXC_GP, "a null selector");
            cr_assert_eq(error_code(), 0);
        }
    }
}

Test(modes, sysexit_leaves_it_to_32_or_64_bit_code)
{
    for (unsigned mode = LONG; mode <= LEGACY; mode++) {
        for (unsigned wide = 0; wide < (mode == LONG ? 2 : 1); wide++) {
            open_mode((enum mode)mode, 0);
            s->cpu.sysenter_cs = 0x100;
            s->cpu.gpr[CV_RCX] = 0x1111000022220000 & (wide ? 0x7fffffffffff : ~0ull);
            s->cpu.gpr[CV_RDX] = 0x5555000000000000 | STEPPER_CODE;
            s->cpu.gpr[CV_RDX] &= wide ? 0x7fffffffffff : ~0ull;
            uint64_t rcx = s->cpu.gpr[CV_RCX], rdx = s->cpu.gpr[CV_RDX];
            cr_assert_eq(wide ? RUN(SYSEXITQ) : RUN(SYSEXIT), -1);
            cr_assert_eq(s->cpu.rip, wide ? rdx : (uint32_t)rdx);
            cr_assert_eq(s->cpu.gpr[CV_RSP], wide ? rcx : (uint32_t)rcx);
            cr_assert_eq(s->cpu.seg[CV_CS].sel, 0x100 + (wide ? 0x23 : 0x13));
            cr_assert_eq(s->cpu.seg[CV_SS].sel, 0x100 + (wide ? 0x2b : 0x1b));
            cr_assert_eq(cv_cpu_cpl(&s->cpu), 3);
            cr_assert_eq((s->cpu.mode & CV_MODE_CS64) != 0, wide);
        }
        open_mode((enum mode)mode, 0);
        cr_assert_eq(RUN(SYSEXIT), CV_EXC_GP, "a null selector");
        open_mode((enum mode)mode, 3);
        s->cpu.sysenter_cs = 0x100;
        cr_assert_eq(RUN(SYSEXIT), CV_EXC_GP, "CPL 3");
    }
    open_mode(LONG, 0);
    s->cpu.sysenter_cs = 0x100;
    s->cpu.gpr[CV_RDX] = 1ull << 47;
    cr_assert_eq(RUN(SYSEXITQ), CV_EXC_GP, "not canonical");
    s->cpu.gpr[CV_RDX] = 0;
    s->cpu.gpr[CV_RCX] = 1ull << 47;
    cr_assert_eq(RUN(SYSEXITQ), CV_EXC_GP, "not canonical");
}

/* SDM 2B "SYSCALL", "SYSRET": #UD outside 64-bit mode (Intel), and without EFER.SCE */
Test(modes, syscall_and_sysret_exist_in_64_bit_mode_only)
{
    for (unsigned mode = LONG; mode <= LEGACY; mode++) {
        for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
            open_mode((enum mode)mode, cpl);
            s->cpu.efer |= CV_EFER_SCE;
            s->cpu.star = (uint64_t)STEPPER_CS0_64 << 32;
            s->cpu.lstar = STEPPER_HANDLER + 0x4000;
            cr_assert_eq(RUN(SYSCALL), mode == LONG ? -1 : CV_EXC_UD);
            open_mode((enum mode)mode, cpl);
            s->cpu.efer |= CV_EFER_SCE;
            cr_assert_eq(RUN(SYSRET), mode != LONG ? CV_EXC_UD
                                      : cpl == 0   ? -1
                                                   : CV_EXC_GP);
            open_mode((enum mode)mode, cpl);
            s->cpu.efer &= ~CV_EFER_SCE;
            cr_assert_eq(RUN(SYSCALL), CV_EXC_UD);
            open_mode((enum mode)mode, cpl);
            s->cpu.efer &= ~CV_EFER_SCE;
            cr_assert_eq(RUN(SYSRET), CV_EXC_UD);
        }
    }
    open_mode(LONG, 0);
    s->cpu.gpr[CV_RCX] = 1ull << 47;
    cr_assert_eq(RUN(SYSRETQ), CV_EXC_GP, "at CPL 0, not canonical");
    cr_assert_eq(cv_cpu_cpl(&s->cpu), 0);
}

/* -- control registers ----------------------------------------------------------------
 */

#define LMSW_AX  "\x0f\x01\xf0"
#define SMSW_EAX "\x0f\x01\xe0"
#define CLTS     "\x0f\x06"

/* SDM 2A "LMSW": PE MP EM TS; PE cannot be cleared */
Test(modes, lmsw_sets_four_bits_and_never_clears_pe)
{
    for (unsigned mode = LONG; mode <= LEGACY; mode++) {
        open_mode((enum mode)mode, 0);
        uint64_t cr0 = s->cpu.cr0;
        s->cpu.gpr[CV_RAX] = 0xfffe;
        cr_assert_eq(RUN(LMSW_AX), -1);
        cr_assert_eq(s->cpu.cr0, cr0 | CV_CR0_MP | CV_CR0_EM | CV_CR0_TS);
        cr_assert_neq(s->cpu.mode & CV_MODE_TS, 0);
        cr_assert_eq(RUN(SMSW_EAX), -1);
        cr_assert_eq(s->cpu.gpr[CV_RAX], s->cpu.cr0);
        cr_assert_eq(RUN(CLTS), -1);
        cr_assert_eq(s->cpu.cr0, cr0 | CV_CR0_MP | CV_CR0_EM);
        s->cpu.gpr[CV_RAX] = 0;
        cr_assert_eq(RUN(LMSW_AX), -1);
        cr_assert_eq(s->cpu.cr0, cr0);
        uint16_t word = 8;
        memcpy(stepper_at(s, STEPPER_DATA), &word, 2);
        cr_assert_eq(RUN("\x0f\x01\x33"), -1); /* lmsw [rbx] */
        cr_assert_eq(s->cpu.cr0, cr0 | CV_CR0_TS);
        cr_assert_eq(RUN("\x0f\x01\x23"), -1); /* smsw [rbx]: 16 bits always */
        cr_assert_eq(legacy32_word(s, STEPPER_DATA), (uint16_t)s->cpu.cr0);
        open_mode((enum mode)mode, 3);
        cr_assert_eq(RUN(LMSW_AX), CV_EXC_GP);
        open_mode((enum mode)mode, 3);
        cr_assert_eq(RUN(CLTS), CV_EXC_GP);
        open_mode((enum mode)mode, 3);
        cr_assert_eq(RUN(SMSW_EAX), -1, "SMSW is free without UMIP");
        s->cpu.cr4 |= CV_CR4_UMIP;
        cv_control_changed(&s->cpu);
        cr_assert_eq(RUN(SMSW_EAX), CV_EXC_GP);
    }
}

struct write_case {
    const char *name;
    enum mode mode;
    unsigned cr;
    uint64_t set, clear; /* on the value it has */
    int vector;
};

/* SDM 2B "MOV—Move to/from Control Registers" */
Test(modes, mov_to_a_control_register_refuses_reserved_bits_by_mode)
{
    static const struct write_case cases[] = {
        {"CR0 upper half", LONG, 0, 1ull << 32, 0, CV_EXC_GP},
        {"CR0 reserved low bit is dropped", LONG, 0, 1u << 6, 0, -1},
        {"CR0.NW alone", LONG, 0, CV_CR0_NW, 0, CV_EXC_GP},
        {"CR0.NW with CD", LONG, 0, CV_CR0_NW | CV_CR0_CD, 0, -1},
        {"CR0.PG off in 64-bit code", LONG, 0, 0, CV_CR0_PG, CV_EXC_GP},
        {"CR0.PE off under PG", LONG, 0, 0, CV_CR0_PE, CV_EXC_GP},
        {"CR0.PE off under PG", LEGACY, 0, 0, CV_CR0_PE, CV_EXC_GP},
        {"CR3 past MAXPHYADDR", LONG, 3, 1ull << 40, 0, CV_EXC_GP},
        {"CR3 bit 63 without PCIDE", LONG, 3, 1ull << 63, 0, CV_EXC_GP},
        {"CR3 low bits", LONG, 3, 0x18, 0, -1},
        {"CR3 low bits", LEGACY, 3, 0xfff, 0, -1},
        {"CR4 reserved", LONG, 4, 1u << 15, 0, CV_EXC_GP},
        {"CR4 reserved", LEGACY, 4, 1u << 31, 0, CV_EXC_GP},
        {"CR4.PAE off in IA-32e mode", LONG, 4, 0, CV_CR4_PAE, CV_EXC_GP},
        {"CR4.PAE off in IA-32e mode", COMPAT, 4, 0, CV_CR4_PAE, CV_EXC_GP},
        {"CR4.PCIDE in 64-bit mode", LONG, 4, CV_CR4_PCIDE, 0, -1},
        {"CR4.PCIDE in legacy mode", LEGACY, 4, CV_CR4_PCIDE, 0, CV_EXC_GP},
        {"CR4.PSE in legacy mode", LEGACY, 4, CV_CR4_PSE, 0, -1},
    };
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        const struct write_case *c = &cases[i];
        open_mode(c->mode, 0);
        uint64_t *reg = c->cr == 0 ? &s->cpu.cr0 : c->cr == 3 ? &s->cpu.cr3 : &s->cpu.cr4;
        uint64_t old = *reg;
        char code[3] = {0x0f, 0x22, (char)(0xc0 | c->cr << 3)};
        s->cpu.gpr[CV_RAX] = (old | c->set) & ~c->clear;
        cr_expect_eq(run(code, 3), c->vector, "%s: %d", c->name, stepper_vector(s));
        uint64_t want = ((old | c->set) & ~c->clear) & ~(c->cr == 0 ? 1ull << 6 : 0);
        cr_expect_eq(*reg, c->vector < 0 ? want : old, "%s: %lx", c->name, (long)*reg);
    }
}

Test(modes, registers_that_do_not_exist_are_undefined_at_any_privilege)
{
    static const uint8_t missing[] = {1, 5, 6, 7};
    for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
        for (unsigned i = 0; i < sizeof(missing); i++) {
            open_mode(LONG, cpl);
            char load[3] = {0x0f, 0x22, (char)(0xc0 | missing[i] << 3)};
            char store[3] = {0x0f, 0x20, (char)(0xc0 | missing[i] << 3)};
            cr_expect_eq(run(load, 3), CV_EXC_UD, "mov cr%u", missing[i]);
            open_mode(LONG, cpl);
            cr_expect_eq(run(store, 3), CV_EXC_UD, "mov from cr%u", missing[i]);
        }
        open_mode(LONG, cpl);
        cr_expect_eq(RUN("\x44\x0f\x20\xc0"), cpl == 0 ? -1 : CV_EXC_GP, "mov rax, cr8");
        open_mode(LONG, cpl);
        cr_expect_eq(RUN("\x0f\x20\xd8"), cpl == 0 ? -1 : CV_EXC_GP, "mov rax, cr3");
        open_mode(LONG, cpl);
        s->cpu.cr4 |= CV_CR4_DE;
        cr_expect_eq(RUN("\x0f\x21\xe0"), CV_EXC_UD, "mov rax, dr4");
        open_mode(LONG, cpl);
        s->cpu.cr4 &= ~CV_CR4_OSXSAVE;
        cr_expect_eq(RUN("\x0f\x01\xd1"), CV_EXC_UD, "xsetbv");
    }
}

/* SDM 2B "MOV—Move to/from Debug Registers" */
Test(modes, debug_registers_by_mode)
{
    open_mode(LONG, 0);
    s->cpu.gpr[CV_RAX] = 1ull << 32;
    cr_assert_eq(RUN("\x0f\x23\xf8"), CV_EXC_GP, "mov dr7, rax");
    s->cpu.gpr[CV_RAX] = 1ull << 32;
    cr_assert_eq(RUN("\x0f\x23\xf0"), CV_EXC_GP, "mov dr6, rax");
    s->cpu.gpr[CV_RAX] = 0xffff888000000000;
    cr_assert_eq(RUN("\x0f\x23\xc0"), -1);
    cr_assert_eq(s->cpu.dr[0], 0xffff888000000000);
    s->cpu.gpr[CV_RAX] = 0xffffffff;
    cr_assert_eq(RUN("\x0f\x23\xf0"), -1);
    cr_assert_eq(s->cpu.dr[6], 0xffffeffful & 0xffffffff & (0xffff0ff0 | 0xe00f));
    open_mode(LEGACY, 0);
    s->cpu.gpr[CV_RAX] = 0xffffffff;
    cr_assert_eq(RUN("\x0f\x23\xf8"), -1);
    cr_assert_eq(s->cpu.dr[7], 0xffff27ff);
    cr_assert_eq(RUN("\x0f\x21\xf9"), CV_EXC_DB, "GD is in it");
    s->cpu.dr[7] = 0x400;
    cr_assert_eq(RUN("\x0f\x21\xe1"), -1); /* mov ecx, dr4 reads DR6 */
    cr_assert_eq(s->cpu.gpr[CV_RCX], s->cpu.dr[6]);
}

/* -- paging switches in legacy mode ------------------------------------------------- */

#define MOV_CR0 "\x0f\x22\xc0"
#define MOV_CR3 "\x0f\x22\xd8"
#define MOV_CR4 "\x0f\x22\xe0"
#define PDPT    0x8000u

static void put64(uint32_t gpa, uint64_t v)
{
    cv_ram_touch(&s->ram, gpa, 8);
    memcpy(s->ram.base + gpa, &v, 8);
}

/* SDM 3A "PDPTE Registers" (4.4.1), table 4-8: bits 2:1, 8:5 and 63:MAXPHYADDR are
 * reserved */
Test(modes, pdptes_are_checked_when_they_are_loaded_and_only_then)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        bool reserved = bit == 1 || bit == 2 || (bit >= 5 && bit <= 8) || bit >= 40;
        open_mode(LEGACY, 0);
        s->cpu.cr0 &= ~CV_CR0_PG;
        s->cpu.cr4 |= CV_CR4_PAE;
        cv_control_changed(&s->cpu);
        memset(s->ram.base + PDPT, 0, 32);
        s->cpu.gpr[CV_RAX] = PDPT;
        put64(PDPT + 24, 1 | 1ull << bit);
        stepper_code(s, MOV_CR3, 3);
        s->cpu.rip = STEPPER_CODE_GPA; /* paging is off */
        s->cpu.idtr.limit = 0;
        stepper_step(s);
        cr_assert_eq(s->cpu.cr3, PDPT, "paging is off: not looked at");
        s->cpu.idtr.limit = 0x7ff;
        s->cpu.gpr[CV_RAX] = s->cpu.cr0 | CV_CR0_PG;
        memcpy(s->ram.base + STEPPER_CODE_GPA, MOV_CR0, 3);
        s->cpu.rip = STEPPER_CODE_GPA;
        stepper_step(s);
        if (bit == 0 || !reserved) {
            cr_assert_neq(s->cpu.cr0 & CV_CR0_PG, 0, "bit %u", bit);
            cr_assert_eq(s->cpu.pdpte[3], 1 | 1ull << bit);
        } else {
            cr_assert_eq(s->cpu.cr0 & CV_CR0_PG, 0, "bit %u", bit);
            cr_assert_eq(stepper_vector(s), CV_EXC_GP);
        }
    }
    /* an entry that is not present may hold anything */
    open_mode(LEGACY, 0);
    s->cpu.cr4 |= CV_CR4_PAE;
    put64(PDPT, 0x4001);
    put64(PDPT + 8, ~1ull);
    put64(PDPT + 16, 0);
    put64(PDPT + 24, 0);
    s->cpu.gpr[CV_RAX] = PDPT | 0x1f; /* bits 4:0 are ignored */
    s->cpu.pdpte[0] = 0x4001;
    cr_assert(cv_control_write(&s->cpu, 3, PDPT | 0x1f));
    cr_assert_eq(s->cpu.pdpte[1], ~1ull);
}

Test(modes, pae_and_pse_may_be_flipped_under_paging)
{
    /* identity directories for both kinds, with large pages, at 0x8000 */
    open_mode(LEGACY, 0);
    for (unsigned i = 0; i < 2; i++) {
        put64(0x70000 + 8 * i, (uint64_t)i << 21 | 0x83); /* PAE: 2 MiB pages */
    }
    put64(0x70020, 0x70001);
    uint32_t pse = 0x83; /* as a 32-bit directory, PSE: 4 MiB */
    memcpy(s->ram.base + 0x71000, &pse, 4);
    put64(0x71020, 0x70001); /* the same page read as PDPTEs from 0x71020 */
    s->cpu.cr0 &= ~CV_CR0_PG;
    s->cpu.cr4 |= CV_CR4_PSE;
    s->cpu.cr3 = 0x71000;
    s->cpu.cr0 |= CV_CR0_PG;
    cv_control_changed(&s->cpu);
    memcpy(s->ram.base + 0x60000, "\x0f\x22\xe0\x90\x8b\x03", 6);
    s->cpu.rip = 0x60000;
    s->cpu.cr3 = 0x71020; /* CR3[31:12] is the same for 32-bit paging */
    s->cpu.gpr[CV_RAX] = s->cpu.cr4 | CV_CR4_PAE;
    stepper_step(s);
    cr_assert_eq(s->cpu.rip, 0x60003, "vector %d", stepper_vector(s));
    cr_assert_eq(s->cpu.pdpte[0], 0x70001);
    stepper_step(s);
    cr_assert_eq(s->cpu.rip, 0x60004, "fetched through PAE");
    s->cpu.rip = 0x60000;
    s->cpu.gpr[CV_RAX] = s->cpu.cr4 & ~CV_CR4_PAE;
    stepper_step(s);
    stepper_step(s);
    cr_assert_eq(s->cpu.rip, 0x60004, "and through 4 MiB pages again");
    /* without PSE the entry names a table: the one at 0, whose entries are not present */
    s->cpu.rip = 0x60000;
    s->cpu.gpr[CV_RAX] = s->cpu.cr4 & ~CV_CR4_PSE;
    memset(s->ram.base, 0, 0x1000);
    stepper_step(s);
    stepper_step(s);
    cr_assert_eq(s->cpu.rip, 0x60003);
    cr_assert_eq(s->cpu.shutdown, 1, "no page, no handler");
}

/* SDM 3A "Paging-Mode Modifiers" (4.1.3), 9.9.2: paging off in 32-bit code goes on at
 * once */
Test(modes, paging_goes_off_and_on_in_legacy_mode)
{
    open_mode(LEGACY, 0);
    memcpy(s->ram.base + 0x60000, MOV_CR0, 3);
    s->cpu.rip = 0x60000;
    s->cpu.gpr[CV_RAX] = s->cpu.cr0 & ~CV_CR0_PG;
    stepper_step(s);
    cr_assert_eq(s->cpu.cr0 & CV_CR0_PG, 0);
    cr_assert_eq(s->cpu.mode & CV_MODE_PG, 0);
    memcpy(s->ram.base + 0x60003, "\x8b\x0d\x00\x00\x10\x00",
           6); /* mov ecx, [0x100000] */
    put64(0x100000, 0x12345678);
    stepper_step(s);
    cr_assert_eq(s->cpu.gpr[CV_RCX], 0x12345678, "physical");
    memcpy(s->ram.base + 0x60009, MOV_CR0, 3);
    s->cpu.gpr[CV_RAX] = s->cpu.cr0 | CV_CR0_PG;
    stepper_step(s);
    memcpy(s->ram.base + 0x6000c, "\x8b\x0d\x00\x00\x10\x00", 6);
    stepper_step(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_PF, "1 MiB is not mapped here");
}

/* -- the rest -------------------------------------------------------------------------
 */

/* SDM 2B "STAC", 2A "CLAC": #UD above CPL 0, whatever CR4.SMAP says */
Test(modes, stac_and_clac)
{
    for (unsigned mode = LONG; mode <= LEGACY; mode++) {
        open_mode((enum mode)mode, 0);
        cr_assert_eq(RUN("\x0f\x01\xcb"), -1);
        cr_assert_neq(s->cpu.rflags & CV_FL_AC, 0);
        cr_assert_eq(RUN("\x0f\x01\xca"), -1);
        cr_assert_eq(s->cpu.rflags & CV_FL_AC, 0);
        open_mode((enum mode)mode, 3);
        cr_assert_eq(RUN("\x0f\x01\xcb"), CV_EXC_UD);
        open_mode((enum mode)mode, 3);
        cr_assert_eq(RUN("\x0f\x01\xca"), CV_EXC_UD);
    }
}

struct invpcid_case {
    const char *name;
    enum mode mode;
    bool pcide;
    uint64_t type, lo, hi;
    int vector;
};

/* SDM 2A "INVPCID" */
Test(modes, invpcid_checks_type_pcid_and_address)
{
    static const struct invpcid_case cases[] = {
        {"type 0", LONG, true, 0, 5, 0x1000, -1},
        {"type 0, not canonical", LONG, true, 0, 5, 1ull << 47, CV_EXC_GP},
        {"type 1 ignores the address", LONG, true, 1, 5, 1ull << 47, -1},
        {"type 0, PCID without PCIDE", LONG, false, 0, 5, 0, CV_EXC_GP},
        {"type 1, PCID without PCIDE", LONG, false, 1, 5, 0, CV_EXC_GP},
        {"type 2", LONG, false, 2, 5, 0, -1},
        {"type 3", LONG, false, 3, 0, 0, -1},
        {"type 4", LONG, true, 4, 0, 0, CV_EXC_GP},
        {"reserved bits", LONG, true, 2, 0x1000, 0, CV_EXC_GP},
        {"a 64-bit type in 64-bit mode", LONG, true, 1ull << 32, 0, 0, CV_EXC_GP},
        {"a 32-bit type elsewhere", LEGACY, false, 1ull << 32, 0, 0, -1},
        {"legacy", LEGACY, false, 2, 0, 0, -1},
        {"legacy, type 4", LEGACY, false, 4, 0, 0, CV_EXC_GP},
    };
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        const struct invpcid_case *c = &cases[i];
        open_mode(c->mode, 0);
        s->cpu.cr4 |= c->pcide ? CV_CR4_PCIDE : 0;
        memcpy(stepper_at(s, STEPPER_DATA), &c->lo, 8);
        memcpy(stepper_at(s, STEPPER_DATA + 8), &c->hi, 8);
        s->cpu.gpr[CV_RAX] = c->type;
        cr_expect_eq(RUN("\x66\x0f\x38\x82\x03"), c->vector, "%s: %d", c->name,
                     stepper_vector(s));
    }
    open_mode(LONG, 0);
    s->cpu.gpr[CV_RBX] = STEPPER_WINDOW + 0x200000;
    s->cpu.gpr[CV_RAX] = 2;
    cr_assert_eq(RUN("\x66\x0f\x38\x82\x03"), CV_EXC_PF, "the descriptor is read");
    open_mode(LONG, 0);
    cr_assert_eq(RUN("\x66\x0f\x38\x82\xc3"), CV_EXC_UD, "a register");
}

/* SDM 2A "INVLPG": no access, no #PF, in 64-bit mode no #GP for any address */
Test(modes, invlpg_never_faults_on_its_address)
{
    open_mode(LONG, 0);
    s->cpu.gpr[CV_RBX] = 1ull << 47;
    cr_assert_eq(RUN("\x0f\x01\x3b"), -1);
    open_mode(LEGACY, 0);
    s->cpu.gpr[CV_RBX] = 0x90000000;
    cr_assert_eq(RUN("\x0f\x01\x3b"), -1);
    open_mode(LEGACY, 3);
    cr_assert_eq(RUN("\x0f\x01\x3b"), CV_EXC_GP);
    open_mode(LONG, 0);
    cr_assert_eq(RUN("\x0f\x01\xfb"), CV_EXC_UD, "a register");
}

Test(modes, msrs_by_mode)
{
    for (unsigned mode = LONG; mode <= LEGACY; mode++) {
        open_mode((enum mode)mode, 0);
        s->cpu.gpr[CV_RCX] = 0xc0000103; /* TSC_AUX */
        s->cpu.gpr[CV_RAX] = 0x77;
        s->cpu.gpr[CV_RDX] = 0;
        cr_assert_eq(RUN("\x0f\x30"), -1);
        s->cpu.gpr[CV_RAX] = s->cpu.gpr[CV_RDX] = ~0ull;
        cr_assert_eq(RUN("\x0f\x32"), -1);
        cr_assert_eq(s->cpu.gpr[CV_RAX], 0x77, "upper halves are cleared");
        cr_assert_eq(s->cpu.gpr[CV_RDX], 0);
        s->cpu.gpr[CV_RDX] = 1;
        cr_assert_eq(RUN("\x0f\x30"), CV_EXC_GP, "reserved half");
        open_mode((enum mode)mode, 0);
        s->cpu.gpr[CV_RCX] = 0xc0000080; /* EFER */
        s->cpu.gpr[CV_RAX] = s->cpu.efer ^ CV_EFER_LME;
        cr_assert_eq(RUN("\x0f\x30"), CV_EXC_GP, "LME under paging");
        open_mode((enum mode)mode, 0);
        s->cpu.gpr[CV_RCX] = 0xc0000082; /* LSTAR */
        s->cpu.gpr[CV_RDX] = 0x8000;
        cr_assert_eq(RUN("\x0f\x30"), CV_EXC_GP, "not canonical");
        open_mode((enum mode)mode, 3);
        cr_assert_eq(RUN("\x0f\x32"), CV_EXC_GP);
        open_mode((enum mode)mode, 3);
        cr_assert_eq(RUN("\x0f\x30"), CV_EXC_GP);
    }
}

/* SDM 2C "XSETBV" */
Test(modes, xsetbv)
{
    static const struct {
        uint32_t ecx, eax, edx;
        int vector;
    } cases[] = {{0, 7, 0, -1},        {0, 3, 0, -1},        {0, 1, 0, -1},
                 {0, 6, 0, CV_EXC_GP}, {0, 5, 0, CV_EXC_GP}, {0, 0xf, 0, CV_EXC_GP},
                 {0, 7, 1, CV_EXC_GP}, {1, 7, 0, CV_EXC_GP}, {0, 0, 0, CV_EXC_GP}};
    for (unsigned mode = LONG; mode <= LEGACY; mode++) {
        for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
            open_mode((enum mode)mode, 0);
            s->cpu.cr4 |= CV_CR4_OSXSAVE;
            s->cpu.gpr[CV_RCX] = cases[i].ecx;
            s->cpu.gpr[CV_RAX] = cases[i].eax;
            s->cpu.gpr[CV_RDX] = cases[i].edx;
            cr_assert_eq(RUN("\x0f\x01\xd1"), cases[i].vector, "case %u", i);
        }
        open_mode((enum mode)mode, 3);
        s->cpu.cr4 |= CV_CR4_OSXSAVE;
        s->cpu.gpr[CV_RAX] = 7;
        cr_assert_eq(RUN("\x0f\x01\xd1"), CV_EXC_GP);
    }
}

/* SDM 2A "LLDT", "LTR"; the busy bit is written to memory */
Test(modes, lldt_and_ltr_in_legacy_mode)
{
    open_mode(LEGACY, 0);
    s->cpu.gpr[CV_RAX] = LEGACY32_TSS_B;
    cr_assert_eq(RUN("\x0f\x00\xd8"), -1);
    cr_assert_eq(s->cpu.tr.base, LEGACY32_TSSB_GPA);
    cr_assert_eq(s->ram.base[LEGACY32_GDT + LEGACY32_TSS_B + 5], 0x8b);
    cr_assert_eq(RUN("\x0f\x00\xd8"), CV_EXC_GP, "busy now");
    cr_assert_eq(error_code(), LEGACY32_TSS_B);
    s->cpu.gpr[CV_RAX] = LEGACY32_TSS16;
    cr_assert_eq(RUN("\x0f\x00\xd8"), -1, "a 16-bit TSS");
    s->cpu.gpr[CV_RAX] = 0;
    cr_assert_eq(RUN("\x0f\x00\xd8"), CV_EXC_GP, "null");
    cr_assert_eq(RUN("\x0f\x00\xd0"), -1, "LLDT null");
    cr_assert_neq(s->cpu.ldtr.attr & CV_SEG_NULL, 0);
    s->cpu.gpr[CV_RAX] = STEPPER_DS0;
    cr_assert_eq(RUN("\x0f\x00\xd0"), CV_EXC_GP);
    s->cpu.gpr[CV_RAX] = LEGACY32_LDT;
    cr_assert_eq(RUN("\x0f\x00\xd0"), -1);
    cr_assert_eq(RUN("\x0f\x00\xc1"), -1); /* sldt ecx */
    cr_assert_eq(s->cpu.gpr[CV_RCX], LEGACY32_LDT);
    open_mode(LONG, 0);
    memset(s->ram.base + s->cpu.gdtr.base + STEPPER_TSS + 5, 0x81, 1);
    s->cpu.gpr[CV_RAX] = STEPPER_TSS;
    cr_assert_eq(RUN("\x0f\x00\xd8"), CV_EXC_GP, "no 16-bit TSS in IA-32e mode");
}

/* -- task switches, seen from the instruction -------------------------------------------
 */

Test(modes, a_task_switch_is_the_step_of_its_instruction)
{
    open_mode(LEGACY, 0);
    s->cpu.rflags |= CV_FL_TF;
    cv_control_changed(&s->cpu);
    cr_assert_eq(RUN("\xea\x00\x00\x00\x00\x58\x00"), -1); /* jmp 0x58:0 */
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 0x800);
    cr_assert_eq(s->cpu.tr.sel, LEGACY32_TSS_B);
    cr_assert_eq(s->cpu.db_pending, 0, "TF was the old task's");
    cr_assert_eq(s->cpu.gpr[CV_RSP], LEGACY32_STACK_B);
    uint32_t eip, flags;
    memcpy(&eip, s->ram.base + LEGACY32_TSS_GPA + 0x20, 4);
    memcpy(&flags, s->ram.base + LEGACY32_TSS_GPA + 0x24, 4);
    cr_assert_eq(eip, STEPPER_CODE + 7);
    cr_assert_neq(flags & CV_FL_TF, 0);
    /* RF and TF of the image hold for the first instruction of the task */
    open_mode(LEGACY, 0);
    s->ram.base[LEGACY32_TSSB_GPA + 0x25] = 1;
    s->ram.base[LEGACY32_TSSB_GPA + 0x26] = 1;
    s->cpu.dr[0] = STEPPER_CODE + 0x800;
    s->cpu.dr[7] = 0x402;
    cr_assert_eq(RUN("\x9a\x00\x00\x00\x00\x60\x00"), -1); /* call 0x60:0, a gate */
    cr_assert_neq(s->cpu.rflags & CV_FL_RF, 0);
    *stepper_at(s, STEPPER_CODE + 0x800) = 0xcf; /* iret */
    stepper_step(s);
    cr_assert_eq(s->cpu.tr.sel, LEGACY32_TSS);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 7);
    cr_assert_eq(s->cpu.db_pending, 0);
}

Test(modes, a_fault_of_the_new_task_is_one_step_with_the_switch)
{
    open_mode(LEGACY, 0);
    s->ram.base[LEGACY32_TSSB_GPA + 0x54] = 0xf8; /* DS past the table */
    cr_assert_eq(RUN("\xea\x00\x00\x00\x00\x58\x00"), CV_EXC_TS);
    cr_assert_eq(error_code(), 0xf8);
    cr_assert_eq(legacy32_word(s, s->cpu.gpr[CV_RSP] + 4), STEPPER_CODE + 0x800);
    cr_assert_eq(s->cpu.gpr[CV_RSP], LEGACY32_STACK_B - 16);
    cr_assert_eq(s->cpu.tr.sel, LEGACY32_TSS_B);
}

Test(modes, int_n_and_page_faults_go_through_task_gates)
{
    open_mode(LEGACY, 3);
    legacy32_gate(s, 0x80, LEGACY32_TSS_B, 0xe5);
    s->cpu.rflags |= CV_FL_TF;
    cr_assert_eq(RUN("\xcd\x80"), -1);
    cr_assert_eq(s->cpu.tr.sel, LEGACY32_TSS_B);
    cr_assert_eq(s->cpu.db_pending, 0);
    *stepper_at(s, STEPPER_CODE + 0x800) = 0xcf;
    stepper_step(s);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 2);
    cr_assert_eq(cv_cpu_cpl(&s->cpu), 3);
    open_mode(LEGACY, 3);
    legacy32_gate(s, CV_EXC_PF, LEGACY32_TSS_B, 0x85);
    cr_assert_eq(RUN("\xa1\x00\x00\x00\x00"), -1); /* mov eax, [0] */
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 0x800);
    cr_assert_eq(error_code(), 5);
    cr_assert_eq(s->cpu.cr2, 0);
}
