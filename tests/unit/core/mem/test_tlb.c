/*
 * test_tlb.c - nobody can tell the TLB from walking every time
 *
 * The last suite runs a seeded random workload (loads, stores, fetches, system accesses,
 * page table edits through the direct map, through self-mapped tables and by DMA, control
 * register changes, epochs, flushes) on machines with TLBs of 16 and 4096 entries and on
 * a model that walks for every access, and compares each result and, at the end, all of
 * RAM.
 */
#include "fixture.h"

#include <criterion/criterion.h>

static uint64_t load(struct machine *m, cv_gva gva)
{
    uint64_t v = 0xdead;
    return cv_mem_read(&m->cpu, gva, 8, &v) ? v : 0xfa017;
}

static void mark_frames(struct machine *m)
{
    for (unsigned f = 0x10; f < 0x800; f++) {
        set_phys64(m, (cv_gpa)f << 12, f);
    }
}

Test(tlb, an_edit_through_the_direct_map_is_seen_by_the_next_access)
{
    struct machine *m = machine_new(8 << 20, 4096);
    build_tables(m);
    mark_frames(m);
    /* a second mapping of the page table itself, at 2 MiB + 0x4000 -> gpa 0x4000 */
    set_phys64(m, 0x3008, 0 | PS | P | W);
    machine_long_mode(m, 0x1000, 0);
    cv_gva pt = 0x204000;
    for (unsigned round = 0; round < 100;
         round++) { /* past the writes that stay watched */
        unsigned frame = 0x100 + round;
        cr_assert(
            cv_mem_write(&m->cpu, pt + 8 * 0x20, 8, (uint64_t)frame << 12 | P | W | U));
        cr_assert_eq(load(m, 0x20000), frame, "round %u", round);
    }
    cr_assert(cv_mem_write(&m->cpu, pt + 8 * 0x20, 8, 0));
    cr_assert_eq(load(m, 0x20000), 0xfa017);
    machine_free(m);
}

Test(tlb, an_edit_by_dma_is_seen_at_every_level)
{
    struct machine *m = machine_new(8 << 20, 64);
    build_tables(m);
    mark_frames(m);
    machine_long_mode(m, 0x1000, 0);
    cr_assert_eq(load(m, 0x20000), 0x20);
    cr_assert_eq(load(m, 0x220000), 0x220);
    uint64_t e = 0x600000 | PS | P | W;
    cr_assert(cv_ram_write(&m->ram, 0x3000, &e, 8));
    cr_assert_eq(load(m, 0x20000), 0x620);
    cr_assert_eq(load(m, 0x220000), 0x220);
    e = 0;
    cr_assert(cv_ram_write(&m->ram, 0x2000, &e, 8));
    cr_assert_eq(load(m, 0x20000), 0xfa017);
    cr_assert_eq(load(m, 0x220000), 0xfa017);
    e = 0x3000 | P | W;
    cr_assert(cv_ram_write(&m->ram, 0x2000, &e, 8));
    cr_assert_eq(load(m, 0x220000), 0x220);
    e = 0;
    cr_assert(cv_ram_write(&m->ram, 0x1000, &e, 8));
    cr_assert_eq(load(m, 0x220000), 0xfa017);
    machine_free(m);
}

Test(tlb, self_mapped_tables_are_coherent)
{
    struct machine *m = machine_new(8 << 20, 4096);
    build_tables(m);
    mark_frames(m);
    set_phys64(m, 0x1000 + 8 * 511, 0x1000 | P | W);
    machine_long_mode(m, 0x1000, 0);
    cv_gva pt = 0xffffff8000000000; /* PTE of gva 0 */
    cv_gva pml4 = 0xfffffffffffff000;
    for (unsigned round = 0; round < 60; round++) {
        unsigned frame = 0x100 + round;
        cr_assert(cv_mem_write(&m->cpu, pt + 8 * 0x20, 8, (uint64_t)frame << 12 | P | W));
        cr_assert_eq(load(m, 0x20000), frame);
        cr_assert_eq(load(m, pt + 8 * 0x20) & ~(A | D), (uint64_t)frame << 12 | P | W);
    }
    cr_assert_eq(load(m, pml4) & ~(A | D), 0x2000 | P | W | U);
    cr_assert(cv_mem_write(&m->cpu, pml4, 8, 0));
    cr_assert_eq(load(m, 0x20000), 0xfa017);
    cr_assert(cv_mem_write(&m->cpu, pml4 + 8 * 511, 8, 0));
    cr_assert_eq(load(m, pml4), 0xfa017);
    machine_free(m);
}

Test(tlb, dirty_is_set_by_the_first_store_and_again_after_it_was_cleared)
{
    struct machine *m = machine_new(8 << 20, 64);
    build_tables(m);
    set_phys64(m, 0x3008, 0 | PS | P | W);
    machine_long_mode(m, 0x1000, 0);
    load(m, 0x20000);
    cr_assert_eq(phys64(m, 0x4100) & (A | D), A);
    for (int i = 0; i < 40; i++) {
        cr_assert(cv_mem_write(&m->cpu, 0x20008, 8, 1));
        cr_assert_eq(phys64(m, 0x4100) & (A | D), A | D);
        cr_assert(cv_mem_write(&m->cpu, 0x204100, 8, 0x20000 | P | W));
    }
    machine_free(m);
}

Test(tlb, dropping_a_mapping_that_code_ran_through_leaves_and_empties_the_jump_cache)
{
    struct machine *m = machine_new(8 << 20, 64);
    uint8_t byte;
    unsigned got;
    build_tables(m);
    machine_long_mode(m, 0x1000, 0);
    load(m, 0x30000);
    cr_assert(cv_mem_fetch(&m->cpu, 0x20000, &byte, 1, &got));
    struct cv_tlb_jump *jump = &m->cpu.tlb->jump[0x20000 & (CV_TLB_JUMPS - 1)];
    jump->rip = 0x20000;
    m->cpu.tlb->jumps_used = 1;
    m->cpu.leave = 0;
    uint64_t e = 0x30000 | P | W;
    cr_assert(cv_ram_write(&m->ram, 0x4000 + 8 * 0x30, &e, 8));
    cr_assert(m->cpu.leave == 0 && jump->rip == 0x20000, "data only");
    e = 0;
    cr_assert(cv_ram_write(&m->ram, 0x4000 + 8 * 0x20, &e, 8));
    cr_assert(m->cpu.leave == CV_LEAVE_MODE && m->cpu.tlb->jumps_used == 0);
    cr_assert_eq(jump->rip, cv_tlb_jump_empty(0));
    cr_assert_neq(m->cpu.tlb->jump[1].rip, 1, "1 is a target of this slot");
    machine_free(m);
}

Test(tlb, sets_come_back_and_are_recycled_when_there_are_too_many)
{
    struct machine *m = machine_new(8 << 20, 64);
    build_tables(m);
    mark_frames(m);
    for (unsigned r = 0; r < 40; r++) { /* forty roots, each maps gva 1 GiB elsewhere */
        cv_gpa root = 0x100000 + r * 0x4000;
        set_phys64(m, root, (root + 0x1000) | P | W);
        set_phys64(m, root + 0x1000, (root + 0x2000) | P | W);
        set_phys64(m, root + 0x2000, (root + 0x3000) | P | W);
        set_phys64(m, root + 0x3000, (uint64_t)(0x400 + r) << 12 | P | W);
    }
    for (unsigned i = 0; i < 400; i++) {
        unsigned r = i * 7 % 40;
        machine_long_mode(m, 0x100000 + r * 0x4000, 0);
        cr_assert_eq(load(m, 0), 0x400 + r);
    }
    struct cv_tlbset *set = m->cpu.tlb;
    machine_apply(m, 3);
    cr_assert_neq(m->cpu.tlb, set);
    machine_apply(m, 0);
    cr_assert_eq(m->cpu.tlb, set);
    machine_free(m);
}

Test(tlb, a_page_mapped_at_many_addresses_loses_all_store_tags)
{
    struct machine *m = machine_new(8 << 20, 4096);
    build_tables(m);
    for (unsigned e = 0x20; e < 0x60; e++) {
        set_phys64(m, 0x4000 + 8 * e, 0x20000 | P | W);
    }
    machine_long_mode(m, 0x1000, 0);
    for (unsigned n = 1; n <= 0x40; n++) {
        for (unsigned e = 0x20; e < 0x20 + n; e++) {
            cr_assert(cv_mem_write(&m->cpu, (cv_gva)e << 12, 8, e));
            cr_assert_neq(m->cpu.tlb->store[e], CV_TLB_NONE);
        }
        cv_ram_flag_page(&m->ram, 0x20000, CV_PAGE_WATCH);
        for (unsigned e = 0x20; e < 0x60; e++) {
            cr_assert_eq(m->cpu.tlb->store[e], CV_TLB_NONE, "%u of %u", e, n);
        }
        cv_ram_unflag_page(&m->ram, 0x20000, CV_PAGE_WATCH);
    }
    machine_free(m);
}

Test(tlb, rights_follow_each_control_bit_at_once)
{
    struct machine *m = machine_new(8 << 20, 64);
    uint64_t v;
    uint8_t byte;
    unsigned got;
    build_tables(m);
    set_phys64(m, 0x4000 + 8 * 0x20, 0x20000 | P | U | NX);
    set_phys64(m, 0x4000 + 8 * 0x21, 0x21000 | P | W | U);
    machine_long_mode(m, 0x1000, 0);
    for (int round = 0; round < 3; round++) {
        m->cpu.efer |= CV_EFER_NXE;
        machine_apply(m, 0);
        cr_assert(cv_mem_read(&m->cpu, 0x20000, 8, &v));
        cr_assert(!cv_mem_write(&m->cpu, 0x20000, 8, v));
        m->cpu.efer &= ~CV_EFER_NXE;
        machine_apply(m, 0);
        cr_assert(!cv_mem_read(&m->cpu, 0x20000, 8, &v));
        cr_assert_eq(m->cpu.fault.error, 9);
        m->cpu.efer |= CV_EFER_NXE;
        m->cpu.cr0 &= ~CV_CR0_WP;
        machine_apply(m, 0);
        cr_assert(cv_mem_write(&m->cpu, 0x20000, 8, v));
        cr_assert(cv_mem_fetch(&m->cpu, 0x21000, &byte, 1, &got));
        m->cpu.cr0 |= CV_CR0_WP;
        m->cpu.cr4 |= CV_CR4_SMEP | CV_CR4_SMAP;
        machine_apply(m, 0);
        cr_assert(!cv_mem_fetch(&m->cpu, 0x21000, &byte, 1, &got));
        cr_assert(!cv_mem_read(&m->cpu, 0x21000, 8, &v));
        m->cpu.rflags |= CV_FL_AC;
        machine_apply(m, 0);
        cr_assert(cv_mem_read(&m->cpu, 0x21000, 8, &v));
        cr_assert(!cv_mem_read_sys(&m->cpu, 0x21000, 8, &v), "AC does not help here");
        m->cpu.rflags &= ~(uint64_t)CV_FL_AC;
        m->cpu.cr4 &= ~(CV_CR4_SMEP | CV_CR4_SMAP);
        m->cpu.cr4 |= CV_CR4_PCIDE;
        m->cpu.cr3 = 0x1000 | (unsigned)round;
        machine_apply(m, 3);
        cr_assert(cv_mem_read(&m->cpu, 0x21000, 8, &v));
    }
    machine_free(m);
}

/* -- differential
 * ------------------------------------------------------------------------------ */

#define RAM_BYTES (2u << 20)
#define TABLES    8u /* frames 1..8 are tables of every level, all entangled */

struct rng {
    uint64_t s;
};

static uint64_t next(struct rng *r)
{
    r->s ^= r->s << 13;
    r->s ^= r->s >> 7;
    r->s ^= r->s << 17;
    return r->s * 0x2545f4914f6cdd1dull >> 16;
}

static bool model_piece(struct machine *m, cv_gva gva, unsigned acc, struct cv_walk *w)
{
    if (!cv_canonical(gva)) {
        m->cpu.fault = (struct cv_fault){.vector = CV_EXC_GP, .has_error = true};
        return false;
    }
    if (!cv_mmu_walk(&m->cpu, gva, acc, true, w)) {
        m->cpu.fault = (struct cv_fault){
            .vector = CV_EXC_PF, .has_error = true, .error = w->error, .cr2 = gva};
        return false;
    }
    return true;
}

/* One access of 8 bytes, walking each byte's page anew. */
static bool model_access(struct machine *m, cv_gva gva, unsigned acc, uint64_t *value)
{
    struct cv_walk w;
    unsigned room = 4096 - (unsigned)(gva & 4095);
    cv_gva next_gva = (gva & ~4095ull) + 4096;
    if ((m->cpu.efer & CV_EFER_LMA) == 0) {
        next_gva &= 0xffffffff;
    }
    cv_gpa gpa[8];
    if (room < 8 && !cv_canonical(next_gva)) {
        m->cpu.fault = (struct cv_fault){.vector = CV_EXC_GP, .has_error = true};
        return false;
    }
    if (!model_piece(m, gva, acc, &w)) {
        return false;
    }
    for (unsigned i = 0; i < 8 && i < room; i++) {
        gpa[i] = w.gpa + i;
    }
    if (room < 8 && !model_piece(m, next_gva, acc, &w)) {
        return false;
    }
    for (unsigned i = room; i < 8; i++) {
        gpa[i] = w.gpa + i - room;
    }
    uint64_t got = 0;
    for (unsigned i = 0; i < 8; i++) {
        bool ram = cv_ram_has(&m->ram, gpa[i], 1);
        uint8_t byte = ram ? m->ram.base[gpa[i]] : 0xff;
        got |= (uint64_t)byte << (8 * i);
        if (ram && (acc & 3) == CV_ACC_WRITE) {
            cv_ram_touch(&m->ram, gpa[i], 1);
            m->ram.base[gpa[i]] = (uint8_t)(*value >> (8 * i));
        }
    }
    if ((acc & 3) != CV_ACC_WRITE) {
        *value = got;
    }
    return true;
}

static bool real_access(struct machine *m, cv_gva gva, unsigned acc, uint64_t *value)
{
    uint8_t bytes[15];
    unsigned got;
    switch (acc) {
    case CV_ACC_READ:
        return cv_mem_read(&m->cpu, gva, 8, value);
    case CV_ACC_WRITE:
        return cv_mem_write(&m->cpu, gva, 8, *value);
    case CV_ACC_READ | CV_ACC_SYSTEM:
        return cv_mem_read_sys(&m->cpu, gva, 8, value);
    case CV_ACC_WRITE | CV_ACC_SYSTEM:
        return cv_mem_write_sys(&m->cpu, gva, 8, *value);
    default:
        if (!cv_mem_fetch(&m->cpu, gva, bytes, 8, &got)) {
            return false;
        }
        memcpy(value, bytes, 8);
        return got == 8;
    }
}

static bool same_fault(const struct cv_fault *a, const struct cv_fault *b)
{
    return a->vector == b->vector && a->error == b->error && a->cr2 == b->cr2;
}

/* T1, T3, T4: every tag of the current set is what a walk finds now. */
static void check_tags(struct machine *m, unsigned entries)
{
    struct cv_tlbset *set = m->cpu.tlb;
    for (unsigned i = 0; i < entries; i++) {
        const uint64_t tags[3] = {set->load[i], set->store[i], set->fetch[i]};
        for (unsigned acc = 0; acc < 3; acc++) {
            if (tags[acc] == CV_TLB_NONE) {
                continue;
            }
            struct cv_walk w;
            cv_gva gva = 0 - tags[acc];
            cr_assert(cv_mmu_walk(&m->cpu, gva, acc, false, &w), "T1");
            cr_assert_eq(w.gpa, set->gpa[i]);
            cr_assert_eq(set->addend[i] + gva, (uint64_t)(uintptr_t)m->ram.base + w.gpa);
            cr_assert(cv_ram_has(&m->ram, w.gpa, 4096), "T4");
            cr_assert(acc != CV_ACC_WRITE ||
                          (w.dirty && m->ram.page_flags[w.gpa >> 12] == 0),
                      "T3");
        }
    }
}

/* A table entry that makes sense more often than not. */
static uint64_t random_entry(struct rng *r, unsigned mode, unsigned next_tables)
{
    uint64_t n = next(r);
    uint64_t frame = n % 3 == 0 ? 16 + (n >> 8) % 64 : 1 + (n >> 8) % TABLES;
    if (next_tables != 0) {
        frame = next_tables + (n >> 8) % 2;
        if (next_tables > TABLES) { /* leaf: now and then a page table, as data */
            frame = n % 8 == 0 ? 7 + (n >> 8) % 2 : 16 + (n >> 8) % 64;
        }
    }
    uint64_t e = frame << 12 | P;
    e |= (n >> 20) % 4 != 0 ? W : 0;
    e |= (n >> 22) % 4 != 0 ? U : 0;
    e |= (n >> 24) % 4 == 0 ? A | D : 0;
    if ((n >> 27) % 16 == 0) {
        e = (n >> 31) % 2 == 0 ? e & ~P : e | PS | 1u << 13;
    }
    if ((n >> 32) % 16 == 0) {
        e = (e & 0xfff) | PS; /* a large page at 0 */
    }
    if ((n >> 37) % 32 == 0) {
        e |= mode == 2 ? 0x40000000 : 0x4000000000; /* not RAM */
    }
    if (mode != 2 && (n >> 42) % 16 == 0) {
        e |= NX;
    }
    return mode == 2 ? e | e << 32 : e;
}

/* Few enough addresses that the same ones come again, at every level of the tables. */
static cv_gva random_gva(struct rng *r, unsigned mode)
{
    uint64_t n = next(r);
    cv_gva gva = (n & 3) << 12 | ((n >> 2) % 4 == 0 ? 4093 : ((n >> 4) & 511) * 8);
    if ((n >> 13) % 4 == 0) {
        gva |= 511 << 12;
    }
    if (mode == 2) {
        return gva | ((n >> 16) % 3) << 22;
    }
    gva |= ((n >> 16) % 3) << 21 | ((n >> 20) % 3) << 30;
    if (mode == 0) {
        gva |= ((n >> 24) % 3) << 39;
        if ((n >> 30) % 8 == 0) {
            gva |= 0xffffff8000000000; /* the last slot of the root */
        }
        if ((n >> 34) % 256 == 0) {
            gva ^= 0x800000000000;
        }
    }
    return gva;
}

struct trio {
    struct machine *m[3]; /* 16 entries, 4096 entries, model */
    unsigned mode;        /* 0: 4-level, 1: PAE, 2: 32-bit */
    bool tree;            /* each table has its level, as in a real kernel */
    unsigned first[3][RAM_BYTES >> 12];
};

static void change_registers(struct trio *t, struct rng *r)
{
    uint64_t n = next(r);
    for (unsigned k = 0; k < 3; k++) {
        struct cv_cpu *cpu = &t->m[k]->cpu;
        cpu->cr0 = CV_CR0_PE | CV_CR0_PG | CV_CR0_ET | (n & 1 ? CV_CR0_WP : 0);
        cpu->cr4 = (n & 2 ? CV_CR4_SMEP : 0) | (n & 4 ? CV_CR4_SMAP : 0) |
                   (t->mode == 2 ? 0 : CV_CR4_PAE) | (n & 8 ? CV_CR4_PSE : 0);
        cpu->efer = (t->mode == 0 ? CV_EFER_LME | CV_EFER_LMA : 0) |
                    ((n >> 4) % 8 != 0 ? CV_EFER_NXE : 0);
        cpu->rflags = 2 | (n & 128 ? CV_FL_AC : 0);
        unsigned top = !t->tree ? 1 : t->mode == 0 ? 1 : 5;
        cpu->cr3 = (top + (n >> 8) % (t->tree ? 2 : 4)) << 12;
        for (unsigned i = 0; i < 4; i++) {
            uint64_t pick = (n >> (12 + 3 * i)) & (t->tree ? 1 : 7);
            cpu->pdpte[i] = (top + pick) << 12 | P;
        }
        machine_apply(t->m[k], (n >> 32) % 2 ? 3 : 0);
    }
}

static void disturb(struct trio *t, struct rng *r)
{
    uint64_t n = next(r);
    cv_gpa page = (n >> 8) % (RAM_BYTES >> 12) << 12;
    for (unsigned k = 0; k < 2; k++) {
        struct machine *m = t->m[k];
        struct cv_ram_hooks hooks = {t->first[k], NULL};
        switch (n % 6) {
        case 0:
            cv_tlb_drop_all(m->cpu.tlbs);
            break;
        case 1:
            cv_tlb_drop_jumps(m->cpu.tlbs);
            break;
        case 2:
            cv_ram_flag_page(&m->ram, page, CV_PAGE_WATCH);
            break;
        case 3:
            cv_ram_unflag_page(&m->ram, page, CV_PAGE_WATCH);
            break;
        case 4:
            cv_tlb_withdraw_stores(m->cpu.tlbs);
            break;
        default:
            cv_ram_new_epoch(&m->ram, n & 64 ? &hooks : NULL);
            break;
        }
    }
}

static void edit_table(struct trio *t, struct rng *r)
{
    uint64_t n = next(r);
    static const unsigned slots[] = {0, 1, 2, 3, 511, 256};
    cv_gpa table = 1 + n % TABLES;
    cv_gpa at = table << 12 | slots[(n >> 8) % 6] * 8;
    uint64_t e =
        random_entry(r, t->mode, t->tree ? (unsigned)((table + 1) & ~1ull) + 1 : 0);
    for (unsigned k = 0; k < 3; k++) {
        cr_assert(cv_ram_write(&t->m[k]->ram, at, &e, 8));
    }
}

static void access_all(struct trio *t, struct rng *r)
{
    static const unsigned kinds[] = {CV_ACC_READ,
                                     CV_ACC_READ,
                                     CV_ACC_WRITE,
                                     CV_ACC_FETCH,
                                     CV_ACC_READ | CV_ACC_SYSTEM,
                                     CV_ACC_WRITE | CV_ACC_SYSTEM};
    unsigned acc = kinds[next(r) % 6];
    cv_gva gva = random_gva(r, t->mode);
    unsigned level = t->tree ? TABLES + 1 : 0;
    uint64_t in = t->tree || next(r) % 4 == 0 ? random_entry(r, t->mode, level) : next(r);
    uint64_t value[3];
    bool ok[3];
    if (acc == CV_ACC_FETCH) {
        gva &= ~7ull; /* within a page: what fetch peeks at is tested elsewhere */
    }
    for (unsigned k = 0; k < 3; k++) {
        value[k] = in;
        t->m[k]->cpu.fault = (struct cv_fault){0};
        ok[k] = k < 2 ? real_access(t->m[k], gva, acc, &value[k])
                      : model_access(t->m[k], gva, acc, &value[k]);
    }
    for (unsigned k = 0; k < 2; k++) {
        cr_assert_eq(ok[k], ok[2], "machine %u, access %u at %lx", k, acc, gva);
        cr_assert_eq(value[k], value[2], "machine %u, access %u at %lx", k, acc, gva);
        cr_assert(same_fault(&t->m[k]->cpu.fault, &t->m[2]->cpu.fault));
    }
}

static void run_trio(unsigned mode, uint64_t seed, unsigned steps)
{
    struct trio *t = calloc(1, sizeof(*t));
    struct rng r = {seed * 0x9e3779b97f4a7c15ull + 1};
    static const unsigned entries[3] = {16, 4096, 0};
    t->mode = mode;
    t->tree = seed % 2 == 0;
    for (unsigned k = 0; k < 3; k++) {
        t->m[k] = machine_new(RAM_BYTES, entries[k]);
    }
    for (unsigned i = 0; i < 200; i++) {
        edit_table(t, &r);
    }
    change_registers(t, &r);
    for (unsigned step = 0; step < steps; step++) {
        uint64_t what = next(&r) % 64;
        if (what < 3) {
            change_registers(t, &r);
        } else if (what < 8) {
            edit_table(t, &r);
        } else if (what == 8) {
            disturb(t, &r);
        } else {
            access_all(t, &r);
        }
        if (step % 64 == 0) {
            check_tags(t->m[0], 16);
            check_tags(t->m[1], 4096);
        }
    }
    for (unsigned k = 0; k < 2; k++) {
        cr_assert(memcmp(t->m[k]->ram.base, t->m[2]->ram.base, RAM_BYTES) == 0);
    }
    for (unsigned k = 0; k < 3; k++) {
        machine_free(t->m[k]);
    }
    free(t);
}

Test(tlb_random, four_level_paging_equals_the_pure_walker)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        run_trio(0, seed, 4000);
    }
}

Test(tlb_random, pae_paging_equals_the_pure_walker)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        run_trio(1, seed, 4000);
    }
}

Test(tlb_random, thirty_two_bit_paging_equals_the_pure_walker)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        run_trio(2, seed, 4000);
    }
}
