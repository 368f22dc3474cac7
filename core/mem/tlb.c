/*
 * tlb.c - sets: found by their key, filled by walks, cleared, recycled
 */
#include "core/mem/tlb.h"
#include "core/base/check.h"
#include "core/base/hostmem.h"
#include "core/base/mem.h"
#include "core/mem/mmu.h"
#include "core/mem/ram.h"
#include "core/mem/taps.h"
#include "core/mem/tlb_private.h"

/* key: root | these. A free set has `used` 0. */
#define KEY_PG   1u
#define KEY_WP   2u
#define KEY_PAE  4u
#define KEY_PSE  8u
#define KEY_SMEP 16u
#define KEY_SMAP 32u
#define KEY_NXE  64u
#define KEY_LMA  128u
#define KEY_USER 256u
#define KEY_AC   512u /* supervisor may touch user pages in spite of SMAP */
#define KEY_ROOT 0x000ffffffffff000ull

CV_STATIC_ASSERT(CV_TLB_SETS *CV_TLB_ENTRIES_MAX == 65536, "a holder is 16 bits");

static size_t whole_pages(uint64_t bytes)
{
    return (size_t)((bytes + CV_PAGE_SIZE - 1) & CV_PAGE_MASK);
}

static uint64_t ram_pages(const struct cv_tlb *tlb)
{
    return tlb->ram->span >> CV_PAGE_SHIFT;
}

/* -- clearing ------------------------------------------------------------------------ */

void cv_tlb_clear_jumps(struct cv_tlbset *set)
{
    if (set->jumps_used == 0) {
        return;
    }
    for (unsigned i = 0; i < CV_TLB_JUMPS; i++) {
        set->jump[i].rip = cv_tlb_jump_empty(i);
        set->jump[i].host = NULL;
    }
    set->jumps_used = 0;
}

static void clear_code(struct cv_tlbset *set)
{
    if (set->codes != 0) {
        cv_memset(set->code, 0, sizeof(set->code));
        set->codes = 0;
    }
}

static void clear_set(struct cv_tlbset *set)
{
    for (uint32_t k = 0; k < set->filled; k++) {
        unsigned i = set->fill_log[k];
        set->load[i] = CV_TLB_NONE;
        set->store[i] = CV_TLB_NONE;
        set->fetch[i] = CV_TLB_NONE;
        set->logged[i / 64] = 0;
    }
    set->filled = 0;
    cv_tlb_clear_jumps(set);
    clear_code(set);
}

/* First use of a set's memory. */
static void prepare_set(struct cv_tlb *tlb, struct cv_tlbset *set)
{
    for (unsigned i = 0; i < CV_TLB_ENTRIES_MAX; i++) {
        set->load[i] = CV_TLB_NONE;
        set->store[i] = CV_TLB_NONE;
        set->fetch[i] = CV_TLB_NONE;
    }
    set->index_mask = (uint64_t)(tlb->entries - 1) << CV_PAGE_SHIFT;
    set->jumps_used = 1;
    cv_tlb_clear_jumps(set);
}

void cv_tlb_drop_all(struct cv_tlb *tlb)
{
    for (unsigned s = 0; s < CV_TLB_SETS; s++) {
        struct cv_tlbset *set = &tlb->sets[s];
        if (set->used != 0) {
            clear_set(set);
            cv_tlb_leave_if_current(tlb, set);
        }
    }
}

void cv_tlb_drop_jumps(struct cv_tlb *tlb)
{
    for (unsigned s = 0; s < CV_TLB_SETS; s++) {
        struct cv_tlbset *set = &tlb->sets[s];
        for (uint32_t k = 0; set->used != 0 && k < set->filled; k++) {
            set->fetch[set->fill_log[k]] = CV_TLB_NONE;
        }
        cv_tlb_clear_jumps(set);
        clear_code(set);
    }
}

/* -- filling ------------------------------------------------------------------------- */

static void mark_code(struct cv_tlbset *set, cv_gva gva)
{
    uint64_t bit = (gva >> CV_PAGE_SHIFT) % CV_TLB_CODE_BITS;
    uint64_t mask = 1ull << (bit % 64);
    if ((set->code[bit / 64] & mask) == 0) {
        set->code[bit / 64] |= mask;
        set->codes++;
    }
}

static void fill(struct cv_cpu *cpu, struct cv_tlb *tlb, struct cv_tlbset *set,
                 cv_gva gva, unsigned acc, const struct cv_walk *walk)
{
    uint64_t va = gva & CV_PAGE_MASK;
    uint64_t tag = 0 - va;
    cv_gpa page = walk->gpa & CV_PAGE_MASK;
    unsigned i = (unsigned)((gva & set->index_mask) >> CV_PAGE_SHIFT);
    unsigned system = acc & CV_ACC_SYSTEM;
    cv_tlb_watch_tables(tlb, walk, gva, set);
    if (set->addend[i] != (uint64_t)(uintptr_t)tlb->ram->base + page - va ||
        set->gpa[i] != page) {
        set->load[i] = CV_TLB_NONE;
        set->store[i] = CV_TLB_NONE;
        set->fetch[i] = CV_TLB_NONE;
    }
    if ((set->logged[i / 64] >> (i % 64) & 1) == 0) {
        set->logged[i / 64] |= 1ull << (i % 64);
        set->fill_log[set->filled++] = (uint16_t)i;
    }
    set->gpa[i] = page;
    set->addend[i] = (uint64_t)(uintptr_t)tlb->ram->base + page - va;
    if (cv_mmu_allows(cpu, walk, CV_ACC_READ | system)) {
        bool hidden = CV_UNLIKELY(cpu->taps != NULL) &&
                      cv_taps_hides(cpu->taps, va, page, CV_ACC_READ);
        set->load[i] = hidden ? tag + CV_TLB_WITHHELD : tag;
    }
    if (walk->dirty && cv_mmu_allows(cpu, walk, CV_ACC_WRITE | system)) {
        cv_tlb_offer_store(tlb, set, i, tag);
    }
    if ((acc & 3u) == CV_ACC_FETCH) {
        set->fetch[i] = tag;
        mark_code(set, va);
    }
    tlb->fills++;
}

static bool hits(const struct cv_tlbset *set, cv_gva gva, unsigned kind, cv_gpa *gpa)
{
    unsigned i = (unsigned)((gva & set->index_mask) >> CV_PAGE_SHIFT);
    uint64_t tag = kind == CV_ACC_READ    ? set->load[i]
                   : kind == CV_ACC_WRITE ? set->store[i]
                                          : set->fetch[i];
    if (tag == CV_TLB_NONE ||
        (gva + tag >= CV_PAGE_SIZE && gva + tag - CV_TLB_WITHHELD >= CV_PAGE_SIZE)) {
        return false;
    }
    *gpa = set->gpa[i] | (gva & (CV_PAGE_SIZE - 1));
    return true;
}

bool cv_tlb_translate(struct cv_cpu *cpu, cv_gva gva, unsigned acc, cv_gpa *gpa_out)
{
    struct cv_tlbset *set =
        (acc & CV_ACC_SYSTEM) != 0 ? cv_tlb_system_set(cpu) : cpu->tlb;
    if (set != NULL && hits(set, gva, acc & 3u, gpa_out)) {
        return true;
    }
    struct cv_walk walk;
    if (!cv_mmu_walk(cpu, gva, acc, true, &walk)) {
        cpu->fault = (struct cv_fault){
            .vector = CV_EXC_PF, .has_error = true, .error = walk.error, .cr2 = gva};
        return false;
    }
    *gpa_out = walk.gpa;
    if (set != NULL && cv_ram_has(cpu->ram, walk.gpa & CV_PAGE_MASK, CV_PAGE_SIZE)) {
        fill(cpu, cpu->tlbs, set, gva, acc, &walk);
    }
    return true;
}

/* -- sets ---------------------------------------------------------------------------- */

static uint64_t make_key(const struct cv_cpu *cpu, bool user, bool ac)
{
    uint64_t key = user ? KEY_USER : 0;
    if ((cpu->cr0 & CV_CR0_PG) == 0) {
        return key;
    }
    bool lma = (cpu->efer & CV_EFER_LMA) != 0;
    key |= KEY_PG | (cpu->cr3 & KEY_ROOT);
    key |= (cpu->cr0 & CV_CR0_WP) != 0 ? KEY_WP : 0;
    key |= (cpu->cr4 & CV_CR4_PAE) != 0 ? KEY_PAE : 0;
    key |= (cpu->cr4 & CV_CR4_PSE) != 0 ? KEY_PSE : 0;
    key |= (cpu->cr4 & CV_CR4_SMEP) != 0 ? KEY_SMEP : 0;
    key |= (cpu->efer & CV_EFER_NXE) != 0 ? KEY_NXE : 0;
    key |= lma ? KEY_LMA : 0;
    if ((cpu->cr4 & CV_CR4_SMAP) != 0) {
        key |= KEY_SMAP | (!user && ac ? KEY_AC : 0);
    }
    return key;
}

static bool uses_pdptes(const struct cv_cpu *cpu)
{
    return (cpu->cr0 & CV_CR0_PG) != 0 && (cpu->cr4 & CV_CR4_PAE) != 0 &&
           (cpu->efer & CV_EFER_LMA) == 0;
}

static bool matches(const struct cv_cpu *cpu, const struct cv_tlb *tlb, unsigned s,
                    uint64_t key)
{
    const struct cv_tlbset *set = &tlb->sets[s];
    return tlb->keys[s] == key && set->used != 0 &&
           (!uses_pdptes(cpu) ||
            cv_memcmp(set->pdpte, cpu->pdpte, sizeof(set->pdpte)) == 0);
}

/* The set's number, or CV_TLB_SETS. */
static unsigned find_set(const struct cv_cpu *cpu, struct cv_tlb *tlb, uint64_t key)
{
    unsigned *hint = &tlb->hint[(key & KEY_USER) != 0];
    if (matches(cpu, tlb, *hint, key)) {
        return *hint;
    }
    for (unsigned s = 0; s < CV_TLB_SETS; s++) {
        if (matches(cpu, tlb, s, key)) {
            *hint = s;
            return s;
        }
    }
    return CV_TLB_SETS;
}

static unsigned recycle_set(const struct cv_cpu *cpu, struct cv_tlb *tlb, uint64_t key)
{
    unsigned oldest = 0;
    for (unsigned s = 1; s < CV_TLB_SETS; s++) {
        if (tlb->sets[s].used < tlb->sets[oldest].used) {
            oldest = s;
        }
    }
    struct cv_tlbset *set = &tlb->sets[oldest];
    if (set->used == 0) {
        prepare_set(tlb, set);
    } else {
        clear_set(set);
    }
    set->key = key;
    tlb->keys[oldest] = key;
    cv_memcpy(set->pdpte, cpu->pdpte, sizeof(set->pdpte));
    tlb->hint[(key & KEY_USER) != 0] = oldest;
    return oldest;
}

void cv_tlb_bind(struct cv_tlb *tlb, struct cv_cpu *cpu)
{
    tlb->cpu = cpu;
}

void cv_tlb_select(struct cv_cpu *cpu)
{
    struct cv_tlb *tlb = cpu->tlbs;
    uint64_t key = make_key(cpu, cv_cpu_cpl(cpu) == 3, (cpu->rflags & CV_FL_AC) != 0);
    unsigned s = find_set(cpu, tlb, key);
    if (s == CV_TLB_SETS) {
        s = recycle_set(cpu, tlb, key);
    }
    tlb->cpu = cpu;
    tlb->sets[s].used = ++tlb->clock;
    cpu->tlb = &tlb->sets[s];
}

struct cv_tlbset *cv_tlb_system_set(struct cv_cpu *cpu)
{
    uint64_t key = make_key(cpu, false, false);
    if (cpu->tlb != NULL && cpu->tlb->key == key) {
        return cpu->tlb;
    }
    unsigned s = find_set(cpu, cpu->tlbs, key);
    return s == CV_TLB_SETS ? NULL : &cpu->tlbs->sets[s];
}

static void withdraw_stores(void *arg)
{
    cv_tlb_withdraw_stores(arg);
}

struct cv_tlb *cv_tlb_new(struct cv_ram *ram, unsigned entries)
{
    CV_ASSERT(entries >= 16 && entries <= CV_TLB_ENTRIES_MAX &&
              (entries & (entries - 1)) == 0);
    struct cv_tlb *tlb = cv_hostmem_pages_new(whole_pages(sizeof(*tlb)));
    if (tlb == NULL) {
        return NULL;
    }
    tlb->ram = ram;
    tlb->entries = entries;
    tlb->sets = cv_hostmem_pages_new(whole_pages(CV_TLB_SETS * sizeof(*tlb->sets)));
    tlb->holders =
        cv_hostmem_pages_new(whole_pages(ram_pages(tlb) * sizeof(struct cv_tlb_holders)));
    tlb->tables =
        cv_hostmem_pages_new(whole_pages(ram_pages(tlb) * sizeof(struct cv_tlb_table)));
    if (tlb->sets == NULL || tlb->holders == NULL || tlb->tables == NULL) {
        cv_tlb_free(tlb);
        return NULL;
    }
    ram->pt_arg = tlb;
    ram->on_pt_write = cv_tlb_table_written;
    ram->tags_arg = tlb;
    ram->withdraw_stores = withdraw_stores;
    ram->withdraw_page = cv_tlb_withdraw_page;
    return tlb;
}

void cv_tlb_free(struct cv_tlb *tlb)
{
    if (tlb == NULL) {
        return;
    }
    struct cv_ram *ram = tlb->ram;
    if (ram->tags_arg == tlb) {
        ram->pt_arg = NULL;
        ram->on_pt_write = NULL;
        ram->tags_arg = NULL;
        ram->withdraw_stores = NULL;
        ram->withdraw_page = NULL;
    }
    cv_hostmem_pages_free(tlb->sets, whole_pages(CV_TLB_SETS * sizeof(*tlb->sets)));
    cv_hostmem_pages_free(tlb->holders,
                          whole_pages(ram_pages(tlb) * sizeof(struct cv_tlb_holders)));
    cv_hostmem_pages_free(tlb->tables,
                          whole_pages(ram_pages(tlb) * sizeof(struct cv_tlb_table)));
    cv_hostmem_pages_free(tlb, whole_pages(sizeof(*tlb)));
}

uint64_t cv_tlb_fills(const struct cv_tlb *tlb)
{
    return tlb->fills;
}
