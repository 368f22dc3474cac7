/*
 * test_mmu.c - page walks: every right against the manual's table, reserved bits, A and D
 */
#include "fixture.h"

#include <criterion/criterion.h>

#define GVA 0x10123ull /* PT entry 16 */
#define PTE 0x4080ull

static bool walk(struct machine *m, cv_gva gva, unsigned acc, struct cv_walk *w)
{
    return cv_mmu_walk(&m->cpu, gva, acc, true, w);
}

/* What SDM 3A 4.6.1 says, written again from its text. */
static bool allowed(bool user, unsigned kind, bool system, bool pte_u, bool pte_w,
                    bool pte_nx, bool wp, bool smep, bool smap, bool ac)
{
    bool supervisor = !user || system;
    if (supervisor) {
        if (kind == CV_ACC_FETCH) {
            return !pte_nx && !(pte_u && smep);
        }
        if (pte_u && smap && (system || !ac)) {
            return false;
        }
        return kind == CV_ACC_READ || pte_w || !wp;
    }
    if (!pte_u) {
        return false;
    }
    return kind == CV_ACC_READ || (kind == CV_ACC_WRITE ? pte_w : !pte_nx);
}

Test(mmu, every_combination_of_rights_follows_the_manual)
{
    struct machine *m = machine_new(8 << 20, 64);
    for (unsigned c = 0; c < 1u << 9; c++) {
        for (unsigned acc = 0; acc < 6; acc++) {
            bool pte_u = c & 1, pte_w = c & 2, pte_nx = c & 4, wp = c & 8, smep = c & 16,
                 smap = c & 32, ac = c & 64, user = c & 128;
            unsigned level = c & 256 ? 0 : 3; /* the restricting entry */
            unsigned kind = acc % 3, system = acc >= 3 ? CV_ACC_SYSTEM : 0;
            static const cv_gpa entries[4] = {0x1000, 0x2000, 0x3000, PTE};
            build_tables(m);
            uint64_t e = phys64(m, entries[level]) & ~(U | W);
            set_phys64(m, entries[level],
                       e | (pte_u ? U : 0) | (pte_w ? W : 0) | (pte_nx ? NX : 0));
            m->cpu.rflags = 2 | (ac ? CV_FL_AC : 0);
            machine_long_mode(m, 0x1000, user ? 3 : 0);
            m->cpu.cr0 = wp ? m->cpu.cr0 : m->cpu.cr0 & ~CV_CR0_WP;
            m->cpu.cr4 |= (smep ? CV_CR4_SMEP : 0) | (smap ? CV_CR4_SMAP : 0);
            machine_apply(m, user ? 3 : 0);
            cv_tlb_drop_all(m->cpu.tlbs);
            bool want = allowed(user, kind, system != 0, pte_u, pte_w, pte_nx, wp, smep,
                                smap, ac);
            struct cv_walk w;
            bool got = walk(m, GVA, kind | system, &w);
            cr_assert_eq(got, want, "case %x access %u", c, acc);
            uint32_t error = 1u | (kind == CV_ACC_WRITE ? 2u : 0) |
                             (user && system == 0 ? 4u : 0) |
                             (kind == CV_ACC_FETCH ? 16u : 0);
            cr_assert_eq(w.error, want ? 0 : error, "case %x access %u: %x", c, acc,
                         w.error);
            cr_assert_eq(phys64(m, PTE) & (A | D), !want                  ? 0
                                                   : kind == CV_ACC_WRITE ? A | D
                                                                          : A);
            /* the TLB agrees, cold and warm */
            cv_gpa gpa;
            for (int again = 0; again < 2; again++) {
                cr_assert_eq(cv_tlb_translate(&m->cpu, GVA, kind | system, &gpa), want);
                cr_assert(!want || gpa == 0x10123);
                cr_assert(want ||
                          (m->cpu.fault.vector == CV_EXC_PF &&
                           m->cpu.fault.error == error && m->cpu.fault.cr2 == GVA));
            }
        }
    }
    machine_free(m);
}

struct reserved_case {
    const char *name;
    cv_gpa entry;
    uint64_t value;
    uint64_t efer;
    uint32_t error; /* 0: none */
};

Test(mmu, reserved_bits_fault_at_their_level_and_only_when_present)
{
    static const struct reserved_case cases[] = {
        {"bit 40 of a PTE", PTE, 0x10000 | P | W | U | 1ull << 40, CV_EFER_NXE, 9},
        {"bit 51 of a PML4E", 0x1000, 0x2000 | P | W | U | 1ull << 51, CV_EFER_NXE, 9},
        {"bits 62:52 are ignored", PTE, 0x10000 | P | W | U | 0x7ffull << 52, CV_EFER_NXE,
         0},
        {"NX without NXE", PTE, 0x10000 | P | W | U | NX, 0, 9},
        {"NX with NXE reads", PTE, 0x10000 | P | W | U | NX, CV_EFER_NXE, 0},
        {"PS in a PML4E", 0x1000, 0x2000 | P | W | U | PS, CV_EFER_NXE, 9},
        {"bit 13 of a 2M page", 0x3000, 0x2000 | P | W | U | PS, CV_EFER_NXE, 9},
        {"PAT of a 2M page", 0x3000, 0x1000 | P | W | U | PS, CV_EFER_NXE, 0},
        {"bit 29 of a 1G page", 0x2000, 0x20000000 | P | W | U | PS, CV_EFER_NXE, 9},
        {"PAT of a 1G page", 0x2000, 0x1000 | P | W | U | PS, CV_EFER_NXE, 0},
        {"PS of a PTE is PAT", PTE, 0x10000 | P | W | U | PS, CV_EFER_NXE, 0},
        {"not present hides the rest", PTE, ~P, CV_EFER_NXE, 0x100},
        {"a table beyond RAM", 0x3000, 0x40000000 | P | W | U, CV_EFER_NXE, 9},
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(cases); i++) {
        const struct reserved_case *c = &cases[i];
        struct machine *m = machine_new(8 << 20, 16);
        struct cv_walk w;
        build_tables(m);
        set_phys64(m, c->entry, c->value);
        machine_long_mode(m, 0x1000, 0);
        m->cpu.efer = (m->cpu.efer & ~CV_EFER_NXE) | c->efer;
        machine_apply(m, 0);
        bool ok = walk(m, GVA, CV_ACC_READ, &w);
        cr_assert_eq(ok, c->error == 0, "%s", c->name);
        cr_assert_eq(w.error, c->error & 0xff, "%s: %x", c->name, w.error);
        machine_free(m);
    }
}

Test(mmu, large_pages_and_their_offsets)
{
    struct machine *m = machine_new(8 << 20, 16);
    struct cv_walk w;
    build_tables(m);
    set_phys64(m, 0x2008, 0x00000000 | PS | P | W); /* 1 GiB at gva 1 GiB */
    machine_long_mode(m, 0x1000, 0);
    cr_assert(walk(m, 0x234567, CV_ACC_WRITE, &w));
    cr_assert(w.gpa == 0x234567 && w.page_shift == 21 && w.tables == 3 && w.dirty);
    cr_assert_eq(phys64(m, 0x3008) & (A | D), A | D);
    cr_assert_eq(phys64(m, 0x1000) & (A | D), A, "no D above the leaf");
    cr_assert(walk(m, 0x40654321, CV_ACC_READ, &w));
    cr_assert(w.gpa == 0x654321 && w.page_shift == 30 && w.tables == 2 && !w.dirty &&
              !w.user);
    machine_free(m);
}

Test(mmu, a_faulting_walk_and_a_look_leave_the_tables_alone)
{
    struct machine *m = machine_new(8 << 20, 16);
    struct cv_walk w;
    build_tables(m);
    set_phys64(m, PTE, 0x10000 | P | U);
    machine_long_mode(m, 0x1000, 0);
    cr_assert(!walk(m, GVA, CV_ACC_WRITE, &w));
    cr_assert(cv_mmu_walk(&m->cpu, GVA, CV_ACC_READ, false, &w));
    for (cv_gpa e = 0x1000; e <= 0x3000; e += 0x1000) {
        cr_assert_eq(phys64(m, e) & A, 0);
    }
    cr_assert_eq(phys64(m, PTE), 0x10000 | P | U);
    machine_free(m);
}

Test(mmu, a_debuggers_look_ignores_rights_but_not_presence)
{
    struct machine *m = machine_new(8 << 20, 16);
    struct cv_walk w;
    build_tables(m);
    set_phys64(m, PTE, 0x10000 | P);
    machine_long_mode(m, 0x1000, 3);
    cr_assert(!cv_mmu_walk(&m->cpu, GVA, CV_ACC_READ, false, &w));
    cr_assert(cv_mmu_walk(&m->cpu, GVA, CV_ACC_READ | CV_ACC_INSPECT, false, &w));
    cr_assert(w.gpa == 0x10123 && phys64(m, PTE) == (0x10000 | P));
    set_phys64(m, PTE, 0x10000);
    cr_assert(!cv_mmu_walk(&m->cpu, GVA, CV_ACC_READ | CV_ACC_INSPECT, false, &w));
    machine_free(m);
}

Test(mmu, pae_uses_the_pdpte_registers)
{
    struct machine *m = machine_new(8 << 20, 16);
    struct cv_walk w;
    build_tables(m);
    m->cpu.cr0 = CV_CR0_PE | CV_CR0_PG | CV_CR0_WP | CV_CR0_ET;
    m->cpu.cr4 = CV_CR4_PAE;
    m->cpu.cr3 = 0x7000; /* memory there is empty: only the registers count */
    m->cpu.pdpte[1] = 0x3000 | P;
    machine_apply(m, 0);
    cr_assert(!walk(m, GVA, CV_ACC_READ, &w));
    cr_assert_eq(w.error, 0);
    cr_assert(walk(m, 0x40000000 | GVA, CV_ACC_WRITE, &w));
    cr_assert(w.gpa == 0x10123 && w.tables == 2);
    cr_assert(walk(m, 0x40234567, CV_ACC_READ, &w));
    cr_assert(w.gpa == 0x234567 && w.page_shift == 21);
    set_phys64(m, PTE, 0x10000 | P | 1ull << 55);
    cr_assert(!walk(m, 0x40000000 | GVA, CV_ACC_READ, &w));
    cr_assert_eq(w.error, 9, "PAE reserves bits 62:52");
    cv_gpa gpa; /* two register sets are two address spaces */
    cr_assert(cv_tlb_translate(&m->cpu, 0x40234567, CV_ACC_READ, &gpa));
    m->cpu.pdpte[1] = 0;
    cv_tlb_select(&m->cpu);
    cr_assert(!cv_tlb_translate(&m->cpu, 0x40234567, CV_ACC_READ, &gpa));
    machine_free(m);
}

Test(mmu, thirty_two_bit_paging_with_and_without_pse)
{
    struct machine *m = machine_new(8 << 20, 16);
    struct cv_walk w;
    uint32_t pde[2] = {0x6000 | P | W | U, 0x00400000 | PS | P | W};
    uint32_t pte = 0x00123000 | P | W;
    memcpy(m->ram.base + 0x5000, pde, 8);
    memcpy(m->ram.base + 0x6000 + 4 * 0x10, &pte, 4);
    m->cpu.cr0 = CV_CR0_PE | CV_CR0_PG | CV_CR0_WP | CV_CR0_ET;
    m->cpu.cr4 = CV_CR4_PSE;
    m->cpu.cr3 = 0x5000;
    machine_apply(m, 0);
    cr_assert(walk(m, 0x10456, CV_ACC_WRITE, &w));
    cr_assert(w.gpa == 0x123456 && w.page_shift == 12 && !w.user && w.tables == 2);
    memcpy(&pte, m->ram.base + 0x6040, 4);
    cr_assert_eq(pte, 0x00123000 | P | W | A | D);
    cr_assert(walk(m, 0x654321, CV_ACC_READ, &w));
    cr_assert(w.gpa == 0x654321 && w.page_shift == 22);
    pde[1] |= 1u << 13; /* PSE-36: physical bit 32 */
    memcpy(m->ram.base + 0x5000, pde, 8);
    cr_assert(walk(m, 0x654321, CV_ACC_READ, &w));
    cr_assert_eq(w.gpa, 0x100654321ull);
    pde[1] |= 1u << 21;
    memcpy(m->ram.base + 0x5000, pde, 8);
    cr_assert(!walk(m, 0x654321, CV_ACC_READ, &w));
    cr_assert_eq(w.error, 9);
    m->cpu.cr4 = 0; /* PS is ignored: the entry names a table */
    pde[1] = 0x6000 | PS | P | W;
    memcpy(m->ram.base + 0x5000, pde, 8);
    cr_assert(walk(m, 0x410456, CV_ACC_READ, &w));
    cr_assert_eq(w.gpa, 0x123456);
    machine_free(m);
}

Test(mmu, paging_off_is_one_to_one_with_32_bits)
{
    struct machine *m = machine_new(8 << 20, 16);
    struct cv_walk w;
    m->cpu.cr0 = CV_CR0_PE | CV_CR0_ET;
    machine_apply(m, 0);
    cr_assert(walk(m, 0x12345678, CV_ACC_FETCH, &w));
    cr_assert(w.gpa == 0x12345678 && w.tables == 0 && w.page_shift == 0);
    uint64_t v;
    cr_assert(cv_mem_write(&m->cpu, 0x5000, 8, 0x1122334455667788));
    cr_assert(cv_mem_read(&m->cpu, 0x5004, 2, &v) && v == 0x3344);
    machine_free(m);
}
