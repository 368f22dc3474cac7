/*
 * tlb_stores.c - which entries may be written through: store tags, given, withheld and withdrawn
 *
 * A page's holders make flagging one page (a new page table, translated code) withdraw those few tags and not all.
 */
#include "core/mem/ram.h"
#include "core/mem/taps.h"
#include "core/mem/tlb_private.h"

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

void cv_tlb_withdraw_page(void *arg, cv_gpa page)
{
    struct cv_tlb *tlb = arg;
    struct cv_tlb_holders *h = &tlb->holders[page >> CV_PAGE_SHIFT];
    if (h->count != CV_TLB_HOLDERS_MANY) {
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
    struct cv_tlb_holders *h = &tlb->holders[page >> CV_PAGE_SHIFT];
    uint16_t at = (uint16_t)((unsigned)(set - tlb->sets) * CV_TLB_ENTRIES_MAX + i);
    if (h->count == CV_TLB_HOLDERS_MANY) {
        return;
    }
    unsigned kept = 0;
    for (unsigned k = 0; k < h->count; k++) {
        if (h->at[k] != at && holds(tlb, h->at[k], page)) {
            h->at[kept++] = h->at[k];
        }
    }
    if (kept == CV_TLB_HOLDERS) {
        h->count = CV_TLB_HOLDERS_MANY;
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

void cv_tlb_offer_store(struct cv_tlb *tlb, struct cv_tlbset *set, unsigned i,
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
        cv_tlb_offer_store(tlb, set, i, tag);
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
