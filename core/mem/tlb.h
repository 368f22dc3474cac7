/*
 * tlb.h - the software TLB: a cache that no guest can tell from walking every time
 *
 * Problem. Architecturally no TLB exists here (law, point 6): every access acts as if it
 * walked the page tables at that step. The cache below is therefore coherent with guest
 * page-table memory.
 * Invariants:
 *   T1  an entry holds only what a walk would find now, A/D bits already set as needed
 *   T2  each page the walker read as a table for an entry still held has CV_PAGE_PT; a write
 *       to it drops every entry derived from the bytes written, before the next access. The
 *       first few writes keep the page watched; the next one drops everything derived from
 *       the page and clears the bit
 *   T3  a store tag exists only for a RAM page with page_flags == 0 and D set; neither a load nor a store tag where
 *       cv_taps_hides() says so. Where nothing but a watch is in the way the tag is kept *withheld*: no probe finds it,
 *       cv_tlb_translate() does
 *   T4  MMIO never has a tag
 *   T5  TLB size, evictions and set switches change nothing the guest or the trace sees
 *
 * Layout. One set per (CR3 root, paging mode bits, user/supervisor, SMAP state); translated
 * code holds the current set in a host register biased by 12 (set | 12: its low 6 bits are also
 * the shift count of shrx). Entry i = bits [12, 12+log2(entries)) of the address:
 *   load[i], store[i], fetch[i]  minus the page's gva, or CV_TLB_NONE
 *   addend[i]                    hva - gva of the page
 *   gpa[i]                       page frame
 * A probe for size bytes at gva: i = pext(gva, index_mask); hit iff
 * ((gva + load[i] + size - 1) >> 12) == 0, which also refuses page crossings.
 * Arrays have CV_TLB_ENTRIES_MAX slots at fixed offsets; index_mask selects how many are used.
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_MEM_TLB_H
#define CV_CORE_MEM_TLB_H

#include "core/cpu/regs.h"

#define CV_TLB_ENTRIES_MAX 4096u
#define CV_TLB_SETS        16u
#define CV_TLB_NONE        0x8000000000000000ull /* with any canonical gva: never a hit */
/* Added to a tag to withhold it: as CV_TLB_NONE, and with the guards of core/translate/execstate.h, never a hit. */
#define CV_TLB_WITHHELD    0x4000000000000000ull
#define CV_TLB_JUMPS       4096u
#define CV_TLB_CODE_BITS   32768u

struct cv_tlb_jump { /* jump cache: filled and read by core/translate only */
    uint64_t rip;    /* a tag made from the target; cv_tlb_jump_empty(slot) when empty */
    void *host;
};

struct cv_tlbset {
    uint64_t index_mask; /* (entries - 1) << 12 */
    uint64_t key;        /* root | mode bits; see tlb.c */
    uint64_t used;       /* LRU stamp; 0: free */
    uint32_t filled;     /* entries of fill_log; each index stands in it at most once */
    uint32_t jumps_used; /* not zero: jump cache holds something */
    uint64_t load[CV_TLB_ENTRIES_MAX];
    uint64_t store[CV_TLB_ENTRIES_MAX];
    uint64_t fetch[CV_TLB_ENTRIES_MAX];
    uint64_t addend[CV_TLB_ENTRIES_MAX];
    uint64_t gpa[CV_TLB_ENTRIES_MAX];
    uint16_t fill_log[CV_TLB_ENTRIES_MAX];
    struct cv_tlb_jump jump[CV_TLB_JUMPS]; /* slots are chosen by core/translate */
    uint64_t logged[CV_TLB_ENTRIES_MAX / 64]; /* index stands in fill_log */
    uint64_t code[CV_TLB_CODE_BITS / 64];     /* pages (gva >> 12, modulo) ever fetched from */
    uint64_t pdpte[4];                        /* part of the key with PAE */
    uint32_t codes;                           /* bits set in code[] */
    uint32_t jump_mode; /* what the jump cache was filled under; core/translate only */
} __attribute__((aligned(64)));

struct cv_tlb;

/* A tag that matches no target in this slot, whether tags are addresses or minus addresses and
 * whether the slot is taken from bits 1..12 or from (rip ^ rip >> 12): 1 and -1 fall into slots
 * 0, 1 and 4095, 0x800 and -0x800 into none of these. */
static inline uint64_t cv_tlb_jump_empty(unsigned slot)
{
    return slot <= 1 || slot == CV_TLB_JUMPS - 1 ? 0x800 : 1;
}

/* entries: power of two, 16 .. CV_TLB_ENTRIES_MAX. Registers with ram's pt and tags hooks. */
struct cv_tlb *cv_tlb_new(struct cv_ram *ram, unsigned entries);
void cv_tlb_free(struct cv_tlb *tlb);

/* Names the CPU whose running block must leave (CV_LEAVE_MODE) when a mapping that code was
 * fetched through is dropped; cv_tlb_select does it as well. */
void cv_tlb_bind(struct cv_tlb *tlb, struct cv_cpu *cpu);

/* Points cpu->tlb at the set for cpu's present CR0, CR3, CR4, EFER, CPL and AC; called
 * whenever one of them changed (sets are found by key, so switching back is cheap). */
void cv_tlb_select(struct cv_cpu *cpu);
/* Drops everything in all sets (state load, reset, A20, size change). */
void cv_tlb_drop_all(struct cv_tlb *tlb);
void cv_tlb_withdraw_stores(struct cv_tlb *tlb);
/* Empties the jump cache of one set. */
void cv_tlb_clear_jumps(struct cv_tlbset *set);
/* Drops fetch tags and jump caches of all sets (code cache flush). */
void cv_tlb_drop_jumps(struct cv_tlb *tlb);

enum cv_access { CV_ACC_READ, CV_ACC_WRITE, CV_ACC_FETCH };
#define CV_ACC_INSPECT 8u /* cv_mmu_walk only: a debugger's look; present is enough, permissions are ignored */
#define CV_ACC_UNALIGNED 16u /* core/mem/access.c only: alignment was judged by the caller */
/* cv_tlb_translate only: false, with nothing changed and no fault meant, when an A or D bit that would be
 * set lies in a page with code: the instruction that is being executed may stand there. */
#define CV_ACC_KEEP_CODE 32u
#define CV_ACC_SYSTEM 4u /* implicit supervisor access (descriptor tables, TSS): CPL ignored, SMAP applies */

/* Translates one address as a walk would, sets A/D, fills the current set. True: *gpa_out.
 * False: cpu->fault holds the #PF (cr2 and error code; cr2 register is written at delivery).
 * Addresses must be canonical and linear; the caller has checked. acc may be or'ed with
 * CV_ACC_SYSTEM (then nothing is filled for CPL 3 sets). */
bool cv_tlb_translate(struct cv_cpu *cpu, cv_gva gva, unsigned acc, cv_gpa *gpa_out);

/* The set whose tags CV_ACC_SYSTEM accesses may use now: that of CPL 0 with AC clear; NULL when
 * none is held. */
struct cv_tlbset *cv_tlb_system_set(struct cv_cpu *cpu);
/* After a write was translated and cv_ram_touch() served the page's flags: gives the entry its
 * store tag if the page has no flags left and the entry is still there. */
void cv_tlb_grant_store(struct cv_tlb *tlb, struct cv_tlbset *set, cv_gva gva, cv_gpa gpa);
/* Drops the load and store tags of [first, last], linear or physical: watches on them come or go. */
void cv_tlb_forget(struct cv_tlb *tlb, uint64_t first, uint64_t last, bool physical);
/* Does the entry translate gva by a tag that a watch withholds? */
static inline bool cv_tlb_is_withheld(const struct cv_tlbset *set, cv_gva gva, unsigned acc)
{
    uint64_t i = (gva & set->index_mask) >> CV_PAGE_SHIFT;
    uint64_t tag = acc == CV_ACC_WRITE ? set->store[i] : set->load[i];
    return gva + tag - CV_TLB_WITHHELD < CV_PAGE_SIZE;
}
/* Translations done by walking, for statistics only. */
uint64_t cv_tlb_fills(const struct cv_tlb *tlb);

#endif
