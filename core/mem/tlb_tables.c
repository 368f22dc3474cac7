/*
 * tlb_tables.c - page tables that were walked: watched, and what is dropped when one changes
 *
 * A write to a watched table drops what the written entries map; after TABLE_WRITES of them all of lo..hi goes and the
 * page is no longer watched, until the next walk through it. A kernel that maps one page pays for one page; one that
 * fills or empties a whole table pays once. A table reached at two addresses or levels is `many`: a write to it drops
 * everything.
 */
#include "core/mem/mmu.h"
#include "core/mem/ram.h"
#include "core/mem/tlb_private.h"

#define GVA_BITS     48u
#define GVA_MASK     ((1ull << GVA_BITS) - 1)
#define TABLE_WRITES 16u

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
        cv_tlb_leave_if_current(tlb, set);
    }
}

static void drop_entries(struct cv_tlb *tlb, const struct cv_tlb_table *t, unsigned lo,
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

bool cv_tlb_table_written(void *arg, cv_gpa gpa, uint32_t len)
{
    struct cv_tlb *tlb = arg;
    struct cv_tlb_table *t = &tlb->tables[gpa >> CV_PAGE_SHIFT];
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
    struct cv_tlb_table *t = &tlb->tables[page >> CV_PAGE_SHIFT];
    unsigned shift = walk->table_shift[level];
    unsigned count = CV_PAGE_SIZE / walk->entry_bytes;
    uint64_t covers = (uint64_t)count << shift;
    uint64_t base = gva & GVA_MASK & ~(covers - 1);
    uint16_t index = (uint16_t)((gva >> shift) & (count - 1));
    uint16_t bit = (uint16_t)(1u << (unsigned)(set - tlb->sets));
    if ((tlb->ram->page_flags[page >> CV_PAGE_SHIFT] & CV_PAGE_PT) == 0) {
        *t = (struct cv_tlb_table){.gva = base,
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

void cv_tlb_watch_tables(struct cv_tlb *tlb, const struct cv_walk *walk, cv_gva gva,
                         const struct cv_tlbset *set)
{
    for (unsigned level = 0; level < walk->tables; level++) {
        watch_table(tlb, walk, level, gva, set);
    }
}
