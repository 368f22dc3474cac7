/*
 * tlb.c - sets, tags, and what is dropped when a page table changes
 *
 * For each page of RAM the TLB keeps two small records, in lazily backed arrays:
 *   holders  which entries were given a store tag for it, so that flagging one page (a
 * new page table, translated code) withdraws those few and not all; may be stale, since
 * each is checked before use table    while the page has CV_PAGE_PT: the addresses its
 * entries map (base, bits an entry covers), which of its entries were walked (lo..hi) and
 * the sets that were filled from it. A table reached at two addresses or levels is
 * `many`: a write to it drops everything. A write to a watched table drops what the
 * written entries map; after TABLE_WRITES of them all of lo..hi goes and the page is no
 * longer watched, until the next walk through it. A kernel that maps one page pays for
 * one page; one that fills or empties a whole table pays once.
 */
#include "core/mem/tlb.h"
#include "core/base/check.h"
#include "core/base/hostmem.h"
#include "core/base/mem.h"
#include "core/mem/mmu.h"
#include "core/mem/ram.h"
#include "core/mem/taps.h"

#define GVA_BITS     48u
#define GVA_MASK     ((1ull << GVA_BITS) - 1)
#define TABLE_WRITES 16u
#define HOLDERS      3u
#define HOLDERS_MANY 0xffu

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

struct holders {
    uint16_t at[HOLDERS]; /* set * CV_TLB_ENTRIES_MAX + index */
    uint8_t count;        /* or HOLDERS_MANY */
    uint8_t unused;
};

struct table {
    uint64_t gva;    /* first address mapped, 48 bits */
    uint16_t sets;   /* bit per set filled through it */
    uint16_t lo, hi; /* entries walked */
    uint8_t shift;   /* address bits an entry covers */
    uint8_t entry_bytes;
    uint8_t writes; /* since watched */
    uint8_t many;
};

struct cv_tlb {
    struct cv_ram *ram;
    struct cv_cpu *cpu;
    unsigned entries;
    uint64_t clock;
    uint64_t fills;
    uint64_t
        keys[CV_TLB_SETS]; /* copies, together; 0 in a free set is checked by `used` */
    unsigned hint[2];      /* last set used for supervisor, user */
    struct cv_tlbset *sets;
    struct holders *holders; /* one a page of RAM span */
    struct table *tables;
};

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

static void leave_if_current(struct cv_tlb *tlb, const struct cv_tlbset *set)
{
    if (tlb->cpu != NULL && tlb->cpu->tlb == set) {
        tlb->cpu->leave |= CV_LEAVE_MODE;
    }
}

void cv_tlb_drop_all(struct cv_tlb *tlb)
{
    for (unsigned s = 0; s < CV_TLB_SETS; s++) {
        struct cv_tlbset *set = &tlb->sets[s];
        if (set->used != 0) {
            clear_set(set);
            leave_if_current(tlb, set);
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

/* -- store tags ---------------------------------------------------------------------- */

void cv_tlb_withdraw_stores(struct cv_tlb *tlb)
{
    for (unsigned s = 0; s < CV_TLB_SETS; s++) {
        struct cv_tlbset *set = &tlb->sets[s];
        for (uint32_t k = 0; set->used != 0 && k < set->filled; k++) {
            set->store[set->fill_log[k]] = CV_TLB_NONE;
        }
    }
}

static void withdraw_entry(struct cv_tlbset *set, unsigned i, cv_gpa page)
{
    if (set->store[i] != CV_TLB_NONE && set->gpa[i] == page) {
        set->store[i] = CV_TLB_NONE;
    }
}

static void withdraw_page(void *arg, cv_gpa page)
{
    struct cv_tlb *tlb = arg;
    struct holders *h = &tlb->holders[page >> CV_PAGE_SHIFT];
    if (h->count != HOLDERS_MANY) {
        for (unsigned k = 0; k < h->count; k++) {
            withdraw_entry(&tlb->sets[h->at[k] / CV_TLB_ENTRIES_MAX],
                           h->at[k] % CV_TLB_ENTRIES_MAX, page);
        }
        h->count = 0;
        return;
    }
    for (unsigned s = 0; s < CV_TLB_SETS; s++) {
        struct cv_tlbset *set = &tlb->sets[s];
        for (uint32_t k = 0; set->used != 0 && k < set->filled; k++) {
            withdraw_entry(set, set->fill_log[k], page);
        }
    }
    h->count = 0;
}

static void withdraw_stores(void *arg)
{
    cv_tlb_withdraw_stores(arg);
}

/* Does the entry that this holder names still give a store tag to the page? */
static bool holds(const struct cv_tlb *tlb, uint16_t at, cv_gpa page)
{
    const struct cv_tlbset *set = &tlb->sets[at / CV_TLB_ENTRIES_MAX];
    unsigned i = at % CV_TLB_ENTRIES_MAX;
    return set->store[i] != CV_TLB_NONE && set->gpa[i] == page;
}

/* Called before the tag is written. */
static void add_holder(struct cv_tlb *tlb, const struct cv_tlbset *set, unsigned i,
                       cv_gpa page)
{
    struct holders *h = &tlb->holders[page >> CV_PAGE_SHIFT];
    uint16_t at = (uint16_t)((unsigned)(set - tlb->sets) * CV_TLB_ENTRIES_MAX + i);
    if (h->count == HOLDERS_MANY) {
        return;
    }
    unsigned kept = 0;
    for (unsigned k = 0; k < h->count; k++) {
        if (h->at[k] != at && holds(tlb, h->at[k], page)) {
            h->at[kept++] = h->at[k];
        }
    }
    if (kept == HOLDERS) {
        h->count = HOLDERS_MANY;
        return;
    }
    h->at[kept++] = at;
    h->count = (uint8_t)kept;
}

static void give_store(struct cv_tlb *tlb, struct cv_tlbset *set, unsigned i,
                       uint64_t tag)
{
    if (set->store[i] != tag) {
        add_holder(tlb, set, i, set->gpa[i]);
        set->store[i] = tag;
    }
}

static const struct cv_taps *taps_of(const struct cv_tlb *tlb)
{
    return tlb->cpu != NULL ? tlb->cpu->taps : NULL;
}

/* The store tag of a page whose D is set and that may be written; withheld when a watch is all that is in the way. */
static void offer_store(struct cv_tlb *tlb, struct cv_tlbset *set, unsigned i,
                        uint64_t tag)
{
    uint8_t flags = tlb->ram->page_flags[set->gpa[i] >> CV_PAGE_SHIFT];
    const struct cv_taps *taps = taps_of(tlb);
    if (CV_UNLIKELY(taps != NULL) && (flags & ~CV_PAGE_WATCH) == 0 &&
        (flags != 0 || cv_taps_hides(taps, 0 - tag, set->gpa[i], CV_ACC_WRITE))) {
        set->store[i] = tag + CV_TLB_WITHHELD;
    } else if (flags == 0) {
        give_store(tlb, set, i, tag);
    }
}

void cv_tlb_grant_store(struct cv_tlb *tlb, struct cv_tlbset *set, cv_gva gva, cv_gpa gpa)
{
    if (set == NULL) {
        return;
    }
    uint64_t tag = 0 - (gva & CV_PAGE_MASK);
    unsigned i = (unsigned)((gva & set->index_mask) >> CV_PAGE_SHIFT);
    if ((set->load[i] == tag || set->load[i] == tag + CV_TLB_WITHHELD) &&
        set->gpa[i] == (gpa & CV_PAGE_MASK)) {
        offer_store(tlb, set, i, tag);
    }
}

/* -- watches ------------------------------------------------------------------------- */

static void forget_entry(struct cv_tlbset *set, unsigned i, uint64_t first, uint64_t last,
                         bool physical)
{
    uint64_t tag = set->load[i] != CV_TLB_NONE ? set->load[i] : set->store[i];
    if (tag == CV_TLB_NONE) {
        return;
    }
    uint64_t page = set->gpa[i];
    if (!physical) {
        page = (uint64_t)((int64_t)((0 - tag) << 16) >> 16);
    }
    if (page <= last && first <= (page | (CV_PAGE_SIZE - 1))) {
        set->load[i] = CV_TLB_NONE;
        set->store[i] = CV_TLB_NONE;
    }
}

void cv_tlb_forget(struct cv_tlb *tlb, uint64_t first, uint64_t last, bool physical)
{
    uint64_t pages = ((last >> CV_PAGE_SHIFT) - (first >> CV_PAGE_SHIFT)) + 1;
    for (unsigned s = 0; s < CV_TLB_SETS; s++) {
        struct cv_tlbset *set = &tlb->sets[s];
        if (set->used == 0) {
            continue;
        }
        if (!physical && pages < set->filled) {
            for (uint64_t p = 0; p < pages; p++) {
                uint64_t at = first + (p << CV_PAGE_SHIFT);
                forget_entry(set, (unsigned)((at & set->index_mask) >> CV_PAGE_SHIFT),
                             first, last, false);
            }
        } else {
            for (uint32_t k = 0; k < set->filled; k++) {
                forget_entry(set, set->fill_log[k], first, last, physical);
            }
        }
    }
}

/* -- page tables --------------------------------------------------------------------- */

/* Was code ever fetched through this set from [gva, gva + pages)? May say yes too often.
 */
static bool has_code(const struct cv_tlbset *set, uint64_t gva, uint64_t pages)
{
    if (set->codes == 0 || pages >= CV_TLB_CODE_BITS) {
        return set->codes != 0;
    }
    uint64_t first = gva >> CV_PAGE_SHIFT;
    if (pages >= 64 && first % 64 == 0 && pages % 64 == 0) {
        for (uint64_t p = 0; p < pages; p += 64) {
            if (set->code[(first + p) % CV_TLB_CODE_BITS / 64] != 0) {
                return true;
            }
        }
        return false;
    }
    for (uint64_t p = 0; p < pages; p++) {
        uint64_t bit = (first + p) % CV_TLB_CODE_BITS;
        if ((set->code[bit / 64] >> (bit % 64) & 1) != 0) {
            return true;
        }
    }
    return false;
}

static void drop_entry(struct cv_tlbset *set, unsigned i, uint64_t gva, uint64_t bytes)
{
    uint64_t tag = set->load[i] != CV_TLB_NONE    ? set->load[i]
                   : set->fetch[i] != CV_TLB_NONE ? set->fetch[i]
                                                  : set->store[i];
    if (tag == CV_TLB_NONE) {
        return;
    }
    if ((((0 - tag) - gva) & GVA_MASK) < bytes) {
        set->load[i] = CV_TLB_NONE;
        set->store[i] = CV_TLB_NONE;
        set->fetch[i] = CV_TLB_NONE;
    }
}

/* Drops what the set holds of [gva, gva + bytes), 48-bit addresses. */
static void drop_range(struct cv_tlb *tlb, struct cv_tlbset *set, uint64_t gva,
                       uint64_t bytes)
{
    uint64_t pages = bytes >> CV_PAGE_SHIFT;
    if (pages < set->filled && pages < tlb->entries) {
        for (uint64_t p = 0; p < pages; p++) {
            uint64_t at = gva + (p << CV_PAGE_SHIFT);
            drop_entry(set, (unsigned)((at & set->index_mask) >> CV_PAGE_SHIFT), gva,
                       bytes);
        }
    } else {
        for (uint32_t k = 0; k < set->filled; k++) {
            drop_entry(set, set->fill_log[k], gva, bytes);
        }
    }
    if (has_code(set, gva, pages)) {
        cv_tlb_clear_jumps(set);
        leave_if_current(tlb, set);
    }
}

static void drop_entries(struct cv_tlb *tlb, const struct table *t, unsigned lo,
                         unsigned hi)
{
    if (lo < t->lo) {
        lo = t->lo;
    }
    if (hi > t->hi) {
        hi = t->hi;
    }
    if (lo > hi) {
        return;
    }
    uint64_t gva = (t->gva + ((uint64_t)lo << t->shift)) & GVA_MASK;
    uint64_t bytes = (uint64_t)(hi - lo + 1) << t->shift;
    for (unsigned s = 0; s < CV_TLB_SETS; s++) {
        if ((t->sets >> s & 1) != 0 && tlb->sets[s].used != 0) {
            drop_range(tlb, &tlb->sets[s], gva, bytes);
        }
    }
}

/* The ram's on_pt_write. */
static bool table_written(void *arg, cv_gpa gpa, uint32_t len)
{
    struct cv_tlb *tlb = arg;
    struct table *t = &tlb->tables[gpa >> CV_PAGE_SHIFT];
    if (t->many != 0) {
        cv_tlb_drop_all(tlb);
        return false;
    }
    if (t->writes < TABLE_WRITES) {
        unsigned off = (unsigned)(gpa & (CV_PAGE_SIZE - 1));
        t->writes++;
        drop_entries(tlb, t, off / t->entry_bytes, (off + len - 1) / t->entry_bytes);
        return true;
    }
    drop_entries(tlb, t, t->lo, t->hi);
    return false;
}

static void watch_table(struct cv_tlb *tlb, const struct cv_walk *walk, unsigned level,
                        cv_gva gva, const struct cv_tlbset *set)
{
    cv_gpa page = walk->table[level];
    if (!cv_ram_has(tlb->ram, page, CV_PAGE_SIZE)) {
        return;
    }
    struct table *t = &tlb->tables[page >> CV_PAGE_SHIFT];
    unsigned shift = walk->table_shift[level];
    unsigned count = CV_PAGE_SIZE / walk->entry_bytes;
    uint64_t covers = (uint64_t)count << shift;
    uint64_t base = gva & GVA_MASK & ~(covers - 1);
    uint16_t index = (uint16_t)((gva >> shift) & (count - 1));
    uint16_t bit = (uint16_t)(1u << (unsigned)(set - tlb->sets));
    if ((tlb->ram->page_flags[page >> CV_PAGE_SHIFT] & CV_PAGE_PT) == 0) {
        *t = (struct table){.gva = base,
                            .sets = bit,
                            .lo = index,
                            .hi = index,
                            .shift = (uint8_t)shift,
                            .entry_bytes = walk->entry_bytes};
        cv_ram_flag_page(tlb->ram, page, CV_PAGE_PT);
        return;
    }
    if (t->gva != base || t->shift != shift || t->entry_bytes != walk->entry_bytes) {
        t->many = 1;
    }
    t->sets |= bit;
    t->lo = index < t->lo ? index : t->lo;
    t->hi = index > t->hi ? index : t->hi;
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
    for (unsigned level = 0; level < walk->tables; level++) {
        watch_table(tlb, walk, level, gva, set);
    }
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
        offer_store(tlb, set, i, tag);
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
        cv_hostmem_pages_new(whole_pages(ram_pages(tlb) * sizeof(struct holders)));
    tlb->tables =
        cv_hostmem_pages_new(whole_pages(ram_pages(tlb) * sizeof(struct table)));
    if (tlb->sets == NULL || tlb->holders == NULL || tlb->tables == NULL) {
        cv_tlb_free(tlb);
        return NULL;
    }
    ram->pt_arg = tlb;
    ram->on_pt_write = table_written;
    ram->tags_arg = tlb;
    ram->withdraw_stores = withdraw_stores;
    ram->withdraw_page = withdraw_page;
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
                          whole_pages(ram_pages(tlb) * sizeof(struct holders)));
    cv_hostmem_pages_free(tlb->tables,
                          whole_pages(ram_pages(tlb) * sizeof(struct table)));
    cv_hostmem_pages_free(tlb, whole_pages(sizeof(*tlb)));
}

uint64_t cv_tlb_fills(const struct cv_tlb *tlb)
{
    return tlb->fills;
}
