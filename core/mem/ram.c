/*
 * ram.c - guest RAM, its page flags, and serving them on a write
 */
#include "core/mem/ram.h"
#include "core/base/hostmem.h"
#include "core/base/mem.h"

static uint64_t flag_bytes(const struct cv_ram *ram)
{
    /* whole words for the epoch's sweep, whole pages for the host */
    return ((ram->span >> CV_PAGE_SHIFT) + CV_PAGE_SIZE - 1) & CV_PAGE_MASK;
}

bool cv_ram_init(struct cv_ram *ram, uint64_t bytes)
{
    cv_memset(ram, 0, sizeof(*ram));
    if (bytes < (1u << 20) || bytes > CV_RAM_MAX_BYTES || (bytes & 0xfffff) != 0) {
        return false;
    }
    ram->bytes = bytes;
    ram->low_bytes = bytes < CV_RAM_HOLE_BASE ? bytes : CV_RAM_HOLE_BASE;
    ram->span =
        bytes > CV_RAM_HOLE_BASE ? CV_RAM_HIGH_BASE + (bytes - CV_RAM_HOLE_BASE) : bytes;
    ram->base = cv_hostmem_ram_new(ram->span);
    ram->page_flags = cv_hostmem_pages_new(flag_bytes(ram));
    if (ram->base == NULL || ram->page_flags == NULL) {
        cv_ram_fini(ram);
        return false;
    }
    /* All pages start CLEAN: who never wrote a page is known without looking at it. */
    cv_memset(ram->page_flags, CV_PAGE_CLEAN, flag_bytes(ram));
    return true;
}

void cv_ram_fini(struct cv_ram *ram)
{
    if (ram->base != NULL) {
        cv_hostmem_ram_free(ram->base, ram->span);
    }
    if (ram->page_flags != NULL) {
        cv_hostmem_pages_free(ram->page_flags, flag_bytes(ram));
    }
    ram->base = NULL;
    ram->page_flags = NULL;
}

/* Serves the bits of one page; `served` leaves out those this writer does not disturb. */
static void touch_page(struct cv_ram *ram, cv_gpa gpa, uint32_t len, uint8_t served)
{
    cv_gpa page = gpa & CV_PAGE_MASK;
    uint8_t *flags = &ram->page_flags[gpa >> CV_PAGE_SHIFT];
    uint8_t have = *flags & served;
    if ((have & CV_PAGE_CLEAN) != 0) {
        *flags &= (uint8_t)~CV_PAGE_CLEAN;
        if (ram->first_write.on_first_write != NULL) {
            ram->first_write.on_first_write(ram->first_write.arg, page);
        }
    }
    if ((have & CV_PAGE_PT) != 0 &&
        (ram->on_pt_write == NULL || !ram->on_pt_write(ram->pt_arg, gpa, len))) {
        *flags &= (uint8_t)~CV_PAGE_PT;
    }
    if ((have & CV_PAGE_CODE) != 0 && ram->on_code_write != NULL) {
        ram->on_code_write(ram->code_arg, gpa, len);
    }
    if ((have & CV_PAGE_WATCH) != 0 && ram->on_watch_write != NULL) {
        ram->on_watch_write(ram->watch_arg, gpa, len);
    }
}

void cv_ram_touch_slow(struct cv_ram *ram, cv_gpa gpa, uint64_t len)
{
    while (len > 0) {
        uint64_t room = CV_PAGE_SIZE - (gpa & (CV_PAGE_SIZE - 1));
        uint32_t part = (uint32_t)(len < room ? len : room);
        if (ram->page_flags[gpa >> CV_PAGE_SHIFT] != 0) {
            touch_page(ram, gpa, part, 0xff);
        }
        gpa += part;
        len -= part;
    }
}

void cv_ram_touch_walker(struct cv_ram *ram, cv_gpa gpa, uint32_t len)
{
    touch_page(ram, gpa, len, (uint8_t)~CV_PAGE_PT);
}

bool cv_ram_read(const struct cv_ram *ram, cv_gpa gpa, void *dst, uint64_t len)
{
    if (!cv_ram_has(ram, gpa, len)) {
        return false;
    }
    cv_memcpy(dst, ram->base + gpa, len);
    return true;
}

bool cv_ram_write(struct cv_ram *ram, cv_gpa gpa, const void *src, uint64_t len)
{
    if (!cv_ram_has(ram, gpa, len)) {
        return false;
    }
    if (len > 0) {
        if (CV_UNLIKELY(ram->on_copy_in != NULL)) {
            ram->on_copy_in(ram->watch_arg, gpa, len);
        }
        cv_ram_touch(ram, gpa, len);
        cv_memcpy(ram->base + gpa, src, len);
    }
    return true;
}

/* Sets or clears CLEAN on the pages of [first, end), eight at a time. */
static void sweep_clean(struct cv_ram *ram, cv_gpa first, cv_gpa end, bool set)
{
    uint8_t *at = ram->page_flags + (first >> CV_PAGE_SHIFT);
    uint8_t *stop = ram->page_flags + (end >> CV_PAGE_SHIFT);
    const uint64_t ones = 0x0101010101010101ull * CV_PAGE_CLEAN;
    for (; stop - at >= 8; at += 8) { /* ranges are whole MiB: 256 pages */
        uint64_t word = cv_ld64(at);
        cv_st64(at, set ? word | ones : word & ~ones);
    }
}

void cv_ram_new_epoch(struct cv_ram *ram, const struct cv_ram_hooks *hooks)
{
    bool set = hooks != NULL;
    ram->first_write = set ? *hooks : (struct cv_ram_hooks){0};
    sweep_clean(ram, 0, ram->low_bytes, set);
    if (ram->span > CV_RAM_HIGH_BASE) {
        sweep_clean(ram, CV_RAM_HIGH_BASE, ram->span, set);
    }
    if (set && ram->withdraw_stores != NULL) {
        ram->withdraw_stores(ram->tags_arg);
    }
}

void cv_ram_flag_page(struct cv_ram *ram, cv_gpa page, uint8_t flags)
{
    if (!cv_ram_has(ram, page, 1)) {
        return;
    }
    uint8_t *have = &ram->page_flags[page >> CV_PAGE_SHIFT];
    bool first = *have == 0 && flags != 0;
    *have |= flags;
    if (!first) {
        return; /* a page with flags has no store tags: T3 of tlb.h */
    }
    if (ram->withdraw_page != NULL) {
        ram->withdraw_page(ram->tags_arg, page & CV_PAGE_MASK);
    } else if (ram->withdraw_stores != NULL) {
        ram->withdraw_stores(ram->tags_arg);
    }
}

void cv_ram_unflag_page(struct cv_ram *ram, cv_gpa page, uint8_t flags)
{
    if (cv_ram_has(ram, page, 1)) {
        ram->page_flags[page >> CV_PAGE_SHIFT] &= (uint8_t)~flags;
    }
}
