/*
 * test_paging32.c - 32-bit and PAE paging outside IA-32e mode: every right, reserved
 * bits, NX with and without EFER.NXE, error codes, A and D
 *
 * Spec: Intel SDM 3A "32-Bit Paging" (4.3), "PAE Paging" (4.4), "Access Rights" (4.6),
 *       "Page-Fault Exceptions" (4.7), "Accessed and Dirty Flags" (4.8)
 */
#include "fixture.h"

#include <criterion/criterion.h>

/* The same linear address by both schemes: GVA + a 4 KiB leaf, BIG a large one. */
#define GVA   0x00410123u
#define BIG   0x00812345u
#define PD32  0x5000u
#define PT32  0x6000u
#define PDPAE 0x8000u
#define PTPAE 0x9000u

struct scheme {
    bool pae, big;
};

static struct machine *m;

static void setup(void)
{
    m = machine_new(16 << 20, 64);
}
static void teardown(void)
{
    machine_free(m);
}

TestSuite(paging32, .init = setup, .fini = teardown);

static unsigned bytes(const struct scheme *s)
{
    return s->pae ? 8 : 4;
}

/* Places of the entries that translate the scheme's address: directory, leaf. */
static cv_gpa entry_at(const struct scheme *s, unsigned level)
{
    uint32_t gva = s->big ? BIG : GVA;
    if (level == 0 || s->big) {
        return s->pae ? PDPAE + (gva >> 21 & 511) * 8 : PD32 + (gva >> 22) * 4;
    }
    return s->pae ? PTPAE + (gva >> 12 & 511) * 8 : PT32 + (gva >> 12 & 1023) * 4;
}

static void put_entry(const struct scheme *s, unsigned level, uint64_t v)
{
    memcpy(m->ram.base + entry_at(s, level), &v, bytes(s));
}
static uint64_t get_entry(const struct scheme *s, unsigned level)
{
    uint64_t v = 0;
    memcpy(&v, m->ram.base + entry_at(s, level), bytes(s));
    return v;
}

static uint64_t leaf(const struct scheme *s)
{
    uint32_t gva = s->big ? BIG : GVA;
    uint32_t frame = !s->big  ? gva & ~0xfffu
                     : s->pae ? gva & ~0x1fffffu
                              : gva & ~0x3fffffu;
    return frame | P | W | U | (s->big ? PS : 0);
}

static void build(const struct scheme *s)
{
    put_entry(s, 0, s->big ? leaf(s) : (s->pae ? PTPAE : PT32) | P | W | U);
    if (!s->big) {
        put_entry(s, 1, leaf(s));
    }
    m->cpu.cr0 = CV_CR0_PE | CV_CR0_PG | CV_CR0_WP | CV_CR0_ET;
    m->cpu.cr4 = s->pae ? CV_CR4_PAE : CV_CR4_PSE;
    m->cpu.cr3 = PD32;
    m->cpu.efer = 0;
    memset(m->cpu.pdpte, 0, sizeof(m->cpu.pdpte));
    m->cpu.pdpte[0] = PDPAE | P;
}

static bool permitted(bool user, unsigned kind, bool system, bool u, bool w, bool nx,
                      bool wp, bool smep, bool smap, bool ac)
{
    if (kind == CV_ACC_FETCH && nx) {
        return false;
    }
    if (user && !system) {
        return u && (kind != CV_ACC_WRITE || w);
    }
    if (kind == CV_ACC_FETCH) {
        return !u || !smep;
    }
    if (u && smap && (system || !ac)) {
        return false;
    }
    return kind == CV_ACC_READ || w || !wp;
}

struct rights {
    bool u, w, nx, wp, smep, smap, ac, nxe;
    unsigned cpl, level;
};

static void apply(const struct scheme *s, const struct rights *r)
{
    build(s);
    uint64_t e = get_entry(s, r->level) & ~(U | W);
    put_entry(s, r->level, e | (r->u ? U : 0) | (r->w ? W : 0) | (r->nx ? NX : 0));
    m->cpu.rflags = CV_FL_FIXED | (r->ac ? CV_FL_AC : 0);
    m->cpu.cr0 &= r->wp ? ~0ull : ~CV_CR0_WP;
    m->cpu.cr4 |= (r->smep ? CV_CR4_SMEP : 0) | (r->smap ? CV_CR4_SMAP : 0);
    m->cpu.efer = r->nxe ? CV_EFER_NXE : 0;
    machine_apply(m, r->cpl);
    cv_tlb_drop_all(m->cpu.tlbs);
}

static void check(const struct scheme *s, const struct rights *r, unsigned acc)
{
    uint32_t gva = s->big ? BIG : GVA;
    unsigned kind = acc & 3;
    bool system = (acc & CV_ACC_SYSTEM) != 0, user = r->cpl == 3 && !system;
    bool reserved = r->nx && !r->nxe;
    bool want = !reserved && permitted(r->cpl == 3, kind, system, r->u, r->w, r->nx,
                                       r->wp, r->smep, r->smap, r->ac);
    bool tells_fetch = kind == CV_ACC_FETCH && ((r->nxe && s->pae) || r->smep);
    uint32_t error = 1u | (kind == CV_ACC_WRITE ? 2u : 0) | (user ? 4u : 0) |
                     (reserved ? 8u : 0) | (tells_fetch ? 16u : 0);
    uint64_t before[2] = {get_entry(s, 0), get_entry(s, 1)};
    struct cv_walk w;
    bool got = cv_mmu_walk(&m->cpu, gva, acc, true, &w);
    cr_assert_eq(got, want, "pae %d big %d cpl %u level %u acc %x", s->pae, s->big,
                 r->cpl, r->level, acc);
    cr_assert_eq(w.error, want ? 0 : error, "pae %d big %d acc %x: %x, not %x", s->pae,
                 s->big, acc, w.error, error);
    uint64_t ad = !want ? 0 : kind == CV_ACC_WRITE ? A | D : A;
    cr_assert_eq(get_entry(s, 1), before[1] | ad);
    cr_assert_eq(get_entry(s, 0), before[0] | (s->big ? ad : ad & A),
                 "no D above a leaf");
    cv_gpa gpa;
    for (unsigned again = 0; again < 2; again++) {
        cr_assert_eq(cv_tlb_translate(&m->cpu, gva, acc, &gpa), want);
        cr_assert(want ? gpa == gva : m->cpu.fault.error == error);
    }
}

Test(paging32, every_combination_of_rights_follows_the_manual)
{
    static const unsigned accs[] = {CV_ACC_READ, CV_ACC_WRITE, CV_ACC_FETCH,
                                    CV_ACC_READ | CV_ACC_SYSTEM,
                                    CV_ACC_WRITE | CV_ACC_SYSTEM};
    for (unsigned kind = 0; kind < 4; kind++) {
        struct scheme s = {.pae = kind & 1, .big = kind & 2};
        for (unsigned c = 0; c < 1u << 9; c++) {
            for (unsigned cpl = 0; cpl < 4; cpl++) {
                struct rights r = {.u = c & 1,
                                   .w = c & 2,
                                   .nx = c & 4 && s.pae,
                                   .wp = c & 8,
                                   .smep = c & 16,
                                   .smap = c & 32,
                                   .ac = c & 64,
                                   .nxe = c & 128,
                                   .cpl = cpl,
                                   .level = c & 256 ? 0 : 1};
                for (unsigned i = 0; i < CV_ARRAY_LEN(accs); i++) {
                    apply(&s, &r);
                    check(&s, &r, accs[i]);
                }
            }
        }
    }
}

/* A reserved bit faults at its own level, only in an entry that is present: figure 4-4,
 * 4-7 */
Test(paging32, reserved_bits_of_each_entry)
{
    for (unsigned kind = 0; kind < 4; kind++) {
        struct scheme s = {.pae = kind & 1, .big = kind & 2};
        for (unsigned level = 0; level < (s.big ? 1 : 2); level++) {
            for (unsigned bit = 1; bit < 8 * bytes(&s); bit++) {
                bool large = s.big;
                bool reserved;
                if (!s.pae) {
                    reserved = large && bit == 21;
                } else {
                    reserved = bit >= 40 || (large && bit >= 13 && bit <= 20);
                }
                if (bit >= 12 && !reserved) {
                    continue; /* another frame */
                }
                if (level == 0 && !s.big && bit == 7) {
                    continue; /* another kind of entry */
                }
                build(&s);
                put_entry(&s, level, get_entry(&s, level) | 1ull << bit);
                machine_apply(m, 0);
                cv_tlb_drop_all(m->cpu.tlbs);
                struct cv_walk w;
                bool got =
                    cv_mmu_walk(&m->cpu, s.big ? BIG : GVA, CV_ACC_WRITE, false, &w);
                cr_assert_eq(got, !reserved, "pae %d big %d level %u bit %u", s.pae,
                             s.big, level, bit);
                cr_assert_eq(w.error, reserved ? 11 : 0);
                put_entry(&s, level, get_entry(&s, level) & ~P);
                cr_assert(
                    !cv_mmu_walk(&m->cpu, s.big ? BIG : GVA, CV_ACC_WRITE, false, &w));
                cr_assert_eq(w.error, 2, "not present comes first");
            }
        }
    }
}

/* EFER.NXE: bit 63 is a right with it and reserved without it; 32-bit paging has none */
Test(paging32, nx_needs_nxe_and_pae)
{
    struct scheme s = {.pae = true};
    struct cv_walk w;
    for (unsigned nxe = 0; nxe < 2; nxe++) {
        build(&s);
        put_entry(&s, 1, leaf(&s) | NX);
        m->cpu.efer = nxe ? CV_EFER_NXE : 0;
        machine_apply(m, 0);
        cr_assert_eq(cv_mmu_walk(&m->cpu, GVA, CV_ACC_READ, false, &w), nxe != 0);
        cr_assert(!cv_mmu_walk(&m->cpu, GVA, CV_ACC_FETCH, false, &w));
        cr_assert_eq(w.error, nxe ? 17 : 9, "%x", w.error);
    }
}

/* PSE-36, table 4-4: bits 20:13 are physical bits 39:32 */
Test(paging32, pse_36_reaches_forty_bits)
{
    struct scheme s = {.big = true};
    struct cv_walk w;
    for (unsigned bit = 0; bit < 8; bit++) {
        build(&s);
        put_entry(&s, 0, leaf(&s) | 1u << (13 + bit));
        machine_apply(m, 0);
        cr_assert(cv_mmu_walk(&m->cpu, BIG, CV_ACC_READ, false, &w));
        cr_assert_eq(w.gpa, BIG | 1ull << (32 + bit));
        cr_assert_eq(w.page_shift, 22);
    }
    build(&s);
    put_entry(&s, 0, leaf(&s) | 1u << 12); /* PAT */
    machine_apply(m, 0);
    cr_assert(cv_mmu_walk(&m->cpu, BIG, CV_ACC_READ, false, &w));
    cr_assert_eq(w.gpa, BIG);
}

/* Table 4-8: a PDPTE that is not present faults without P, whatever else it holds; PAE's
 * three others serve their gigabytes */
Test(paging32, four_pdptes_serve_a_gigabyte_each)
{
    struct scheme s = {.pae = true};
    struct cv_walk w;
    build(&s);
    for (unsigned i = 0; i < 4; i++) {
        memset(m->cpu.pdpte, 0, sizeof(m->cpu.pdpte));
        m->cpu.pdpte[i] = PDPAE | P;
        machine_apply(m, 0);
        for (uint32_t k = 0; k < 4; k++) {
            cr_assert_eq(cv_mmu_walk(&m->cpu, k << 30 | GVA, CV_ACC_READ, false, &w),
                         k == i);
            cr_assert_eq(w.error, 0);
        }
    }
    m->cpu.pdpte[0] = ~1ull;
    machine_apply(m, 3);
    cr_assert(!cv_mmu_walk(&m->cpu, GVA, CV_ACC_WRITE, false, &w));
    cr_assert_eq(w.error, 6);
}

/* 4.8: the walk sets A at each level, D in the leaf; a second access changes nothing */
Test(paging32, a_write_after_a_read_sets_d_through_the_tlb)
{
    for (unsigned kind = 0; kind < 4; kind++) {
        struct scheme s = {.pae = kind & 1, .big = kind & 2};
        uint32_t gva = s.big ? BIG : GVA;
        uint64_t v;
        build(&s);
        machine_apply(m, 0);
        cv_tlb_drop_all(m->cpu.tlbs);
        cr_assert(cv_mem_read(&m->cpu, gva, 4, &v));
        cr_assert_eq(get_entry(&s, 1) & (A | D), A);
        cr_assert_eq(get_entry(&s, 0) & A, A);
        cr_assert(cv_mem_write(&m->cpu, gva, 4, 0x1234));
        cr_assert_eq(get_entry(&s, 1) & (A | D), A | D);
        cr_assert(cv_mem_read(&m->cpu, gva, 4, &v) && v == 0x1234);
    }
}

/* An access over the top of the address space goes on at 0. */
Test(paging32, an_access_wraps_at_four_gigabytes)
{
    struct scheme s = {0};
    uint64_t v;
    build(&s);
    uint32_t table = PT32 | P | W | U, page = 0x00300000 | P | W,
             first = 0x00200000 | P | W;
    memcpy(m->ram.base + PD32 + 1023 * 4, &table, 4);
    memcpy(m->ram.base + PD32, &table, 4);
    memcpy(m->ram.base + PT32 + 1023 * 4, &page, 4);
    memcpy(m->ram.base + PT32, &first, 4);
    machine_apply(m, 0);
    cv_tlb_drop_all(m->cpu.tlbs);
    cr_assert(cv_mem_write(&m->cpu, 0xfffffffe, 4, 0x44332211));
    cr_assert_eq(memcmp(m->ram.base + 0x300ffe, "\x11\x22", 2), 0);
    cr_assert_eq(memcmp(m->ram.base + 0x200000, "\x33\x44", 2), 0);
    cr_assert(cv_mem_read(&m->cpu, 0xfffffffe, 4, &v) && v == 0x44332211);
}

/* A page directory outside of RAM reads as an empty bus: all ones. */
Test(paging32, tables_outside_of_ram_read_as_ones)
{
    struct cv_walk w;
    struct scheme s = {0};
    build(&s);
    m->cpu.cr3 = 0xf0000000;
    m->cpu.cr4 = 0;
    machine_apply(m, 0);
    cr_assert(cv_mmu_walk(&m->cpu, GVA, CV_ACC_READ, false, &w),
              "P, W, U; PS means nothing");
    cr_assert_eq(w.gpa, 0xfffff123u);
    m->cpu.cr4 = CV_CR4_PSE;
    machine_apply(m, 0);
    cr_assert(!cv_mmu_walk(&m->cpu, GVA, CV_ACC_READ, false, &w));
    cr_assert_eq(w.error, 9, "bit 21 is set");
}
