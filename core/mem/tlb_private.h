/*
 * tlb_private.h - the software TLB's insides, shared by tlb*.c only
 *
 * For each page of RAM the TLB keeps two small records, in lazily backed arrays:
 *   holders  which entries were given a store tag for it (tlb_stores.c); may be stale, since each is checked before use
 *   table    while the page has CV_PAGE_PT: the addresses its entries map (base, bits an entry covers), which of its
 *            entries were walked (lo..hi) and the sets that were filled from it (tlb_tables.c)
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_MEM_TLB_PRIVATE_H
#define CV_CORE_MEM_TLB_PRIVATE_H

#include "core/mem/tlb.h"

#define CV_TLB_HOLDERS      3u
#define CV_TLB_HOLDERS_MANY 0xffu

struct cv_ram;
struct cv_walk;

struct cv_tlb_holders {
    uint16_t at[CV_TLB_HOLDERS]; /* set * CV_TLB_ENTRIES_MAX + index */
    uint8_t count;               /* or CV_TLB_HOLDERS_MANY */
    uint8_t unused;
};

struct cv_tlb_table {
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
    unsigned hint[2];           /* last set used for supervisor, user */
    uint64_t keys[CV_TLB_SETS]; /* copies, together; a free set is told by `used` */
    struct cv_tlbset *sets;
    struct cv_tlb_holders *holders; /* one a page of RAM span */
    struct cv_tlb_table *tables;    /* the same */
};

/* The running block must end when the set it uses lost a mapping that code was fetched through. */
static inline void cv_tlb_leave_if_current(struct cv_tlb *tlb,
                                           const struct cv_tlbset *set)
{
    if (tlb->cpu != NULL && tlb->cpu->tlb == set) {
        tlb->cpu->leave |= CV_LEAVE_MODE;
    }
}

/* tlb_stores.c */

/* The ram's withdraw_page: no entry keeps a store tag for the page. */
void cv_tlb_withdraw_page(void *tlb, cv_gpa page);
/* The store tag of a page whose D is set and that may be written; withheld when a watch is all that is in the way. */
void cv_tlb_offer_store(struct cv_tlb *tlb, struct cv_tlbset *set, unsigned i,
                        uint64_t tag);

/* tlb_tables.c */

/* The ram's on_pt_write. */
bool cv_tlb_table_written(void *tlb, cv_gpa gpa, uint32_t len);
/* The walk is about to be held by an entry of the set: its tables are watched. */
void cv_tlb_watch_tables(struct cv_tlb *tlb, const struct cv_walk *walk, cv_gva gva,
                         const struct cv_tlbset *set);

#endif
