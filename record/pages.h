/*
 * pages.h - who has written which page since when: one first-write hook, many consumers
 *
 * cv_ram has a single first-write hook and a single page epoch. This dispatcher owns both
 * for one machine and gives each consumer (RAM digest, checkpoints) an interval of its own:
 * from its last cv_pages_mark(), each page that is written is reported to it once and stands
 * once in its list.
 *
 * Invariants
 *  1. A page is in a consumer's list exactly when a writer touched it since that consumer's
 *     mark; every writer counts (stores, DMA, loaders, checkpoint restore), since all pass
 *     cv_ram_touch().
 *  2. on_first_write runs before the page changes, once a consumer and interval.
 *  3. A mark of one consumer never loses or repeats a page of another.
 *
 * Units:   pages are guest physical addresses, multiples of 4096; lists hold page numbers
 *          (gpa >> 12)
 * Thread:  engine thread only. on_first_write runs inside the guest's run: general registers
 *          only, cv_* functions only, no allocation but cv_hostmem_pages_new
 */
#ifndef CV_RECORD_PAGES_H
#define CV_RECORD_PAGES_H

#include "core/mem/ram.h"

struct cv_pages;

#define CV_PAGES_CONSUMERS_MAX 4u

struct cv_pages_consumer {
    void *arg;
    void (*on_first_write)(void *arg,
                           cv_gpa page); /* may be NULL; page holds its old content */
};

/* Takes the first-write hook of ram, which must have none. Costs nothing until a consumer
 * attaches. NULL: no memory. free drops the hook and the epoch. */
struct cv_pages *cv_pages_new(struct cv_ram *ram);
void cv_pages_free(struct cv_pages *pages);
struct cv_ram *cv_pages_ram(const struct cv_pages *pages);

/* Adds a consumer, whose interval begins here with an empty list. Its number, or -1 when
 * there is no memory or no place. */
int cv_pages_attach(struct cv_pages *pages, const struct cv_pages_consumer *consumer);
void cv_pages_detach(struct cv_pages *pages, int id);

/* Ends the consumer's interval: empties its list and watches every page again. O(pages of
 * RAM) bytes of flags, nothing when no page was written since the last mark of anyone. */
void cv_pages_mark(struct cv_pages *pages, int id);

/* Page numbers written since the consumer's mark, in order of first write; borrowed until
 * the next mark or write. */
const uint32_t *cv_pages_dirty(const struct cv_pages *pages, int id, size_t *count);
bool cv_pages_is_dirty(const struct cv_pages *pages, int id, cv_gpa page);

/* Was the page certainly never written since RAM was made (so it is zero)? Known only for
 * pages that carried CLEAN before the first consumer attached. */
bool cv_pages_never_written(const struct cv_pages *pages, cv_gpa page);

#endif
