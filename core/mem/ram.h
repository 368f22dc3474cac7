/*
 * ram.h - guest RAM, and the one door for everyone who writes it
 *
 * RAM is one linear host mapping: guest physical [0, low_bytes) and, when there is more than
 * fits below the PCI hole, [4 GiB, ...). hva = base + gpa for both (the hole is left
 * unbacked in the host mapping as well), so "host = guest physical + constant" everywhere.
 *
 * Per page there is one byte of reasons why a store must take the slow path (CV_PAGE_*). The
 * software TLB gives a page a store tag only when the byte is zero. Who sets a bit withdraws
 * the store tags (core/mem/tlb.h); cv_ram_touch() serves the bits on a write:
 *   CLEAN  not written since the last cv_ram_new_epoch(): on_first_write, then cleared
 *   CODE   translated code comes from this page: on_code_write(gpa, len); may clear
 *   PT     the walker has read it as a page table: on_pt_write(gpa, len); cleared unless
 *          that returns true (what the written bytes derived is gone, the rest is watched on)
 *   WATCH  a watch lies on it (core/mem/taps.h): on_watch_write(gpa, len), never cleared here
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_MEM_RAM_H
#define CV_CORE_MEM_RAM_H

#include "core/base/types.h"

#define CV_PAGE_CLEAN 1u
#define CV_PAGE_CODE  2u
#define CV_PAGE_PT    4u
#define CV_PAGE_WATCH 8u

#define CV_RAM_HOLE_BASE  0xc0000000ull  /* PCI hole: 3 GiB .. 4 GiB */
#define CV_RAM_HIGH_BASE  0x100000000ull
#define CV_RAM_MAX_BYTES  (16ull << 30)

struct cv_ram_hooks {
    void *arg;
    void (*on_first_write)(void *arg, cv_gpa page); /* page still holds its old content */
};

struct cv_ram {
    uint8_t *base;       /* hva of gpa 0 */
    uint64_t bytes;      /* RAM installed */
    uint64_t low_bytes;  /* min(bytes, hole base) */
    uint64_t span;       /* bytes of the host mapping: top gpa + 1 */
    uint8_t *page_flags; /* one per page of span */
    struct cv_ram_hooks first_write;
    /* set by translate (code) and mem/tlb (page tables); NULL when absent */
    void *code_arg;
    void (*on_code_write)(void *arg, cv_gpa gpa, uint32_t len);
    void *pt_arg;
    bool (*on_pt_write)(void *arg, cv_gpa gpa, uint32_t len); /* true: keep watching */
    void *watch_arg;
    void (*on_watch_write)(void *arg, cv_gpa gpa, uint32_t len);
    void (*on_copy_in)(void *arg, cv_gpa gpa, uint64_t len); /* cv_ram_write(); arg is watch_arg */
    void *tags_arg; /* mem/tlb: withdraw every store tag, or those of one page */
    void (*withdraw_stores)(void *arg);
    void (*withdraw_page)(void *arg, cv_gpa page);
};

/* bytes: a multiple of 1 MiB, 1 MiB .. CV_RAM_MAX_BYTES. False: no memory. */
bool cv_ram_init(struct cv_ram *ram, uint64_t bytes) CV_MUST_CHECK;
void cv_ram_fini(struct cv_ram *ram);

/* Is [gpa, gpa+len) wholly RAM? len may be 0. */
static inline bool cv_ram_has(const struct cv_ram *ram, cv_gpa gpa, uint64_t len)
{
    if (gpa < ram->low_bytes) {
        return len <= ram->low_bytes - gpa;
    }
    return gpa >= CV_RAM_HIGH_BASE && gpa < ram->span && len <= ram->span - gpa;
}

/* Must be called before any byte of [gpa, gpa+len) changes; the range is RAM. */
void cv_ram_touch_slow(struct cv_ram *ram, cv_gpa gpa, uint64_t len);
static inline void cv_ram_touch(struct cv_ram *ram, cv_gpa gpa, uint64_t len)
{
    uint64_t first = gpa >> CV_PAGE_SHIFT;
    if (((gpa + len - 1) >> CV_PAGE_SHIFT) != first || ram->page_flags[first] != 0) {
        cv_ram_touch_slow(ram, gpa, len);
    }
}

/* The same for the walker's own accessed and dirty bits: serves everything but PT, which stays
 * set; such a write takes no translation away. The range lies in one page. */
void cv_ram_touch_walker(struct cv_ram *ram, cv_gpa gpa, uint32_t len);

/* Copies for DMA, loaders and pokes. False when the range is not wholly RAM (nothing is
 * copied then). cv_ram_write touches. */
bool cv_ram_read(const struct cv_ram *ram, cv_gpa gpa, void *dst, uint64_t len);
bool cv_ram_write(struct cv_ram *ram, cv_gpa gpa, const void *src, uint64_t len);

/* Marks every page CLEAN and withdraws store tags. hooks->on_first_write is called once a
 * page from now on. NULL hooks: no epoch, CLEAN bits are dropped. */
void cv_ram_new_epoch(struct cv_ram *ram, const struct cv_ram_hooks *hooks);

/* Sets flag bits on a page and withdraws store tags if the page had none before. */
void cv_ram_flag_page(struct cv_ram *ram, cv_gpa page, uint8_t flags);
void cv_ram_unflag_page(struct cv_ram *ram, cv_gpa page, uint8_t flags);

#endif
