/*
 * slab.h - pieces of memory from slabs that go back to the host once they are empty
 *
 * A slab is CV_SLAB_BYTES from the host and holds pieces of one size class. Who gets a piece also gets the number of its
 * slab, and gives both back.
 * Units:   bytes; classes are CV_SLAB_SMALL, and multiples of CV_SLAB_GRAIN up to 4096
 * Thread:  engine thread; alloc and free may be called while guest FPU state is live (general registers only)
 */
#ifndef CV_RECORD_SLAB_H
#define CV_RECORD_SLAB_H

#include "core/base/types.h"

#define CV_SLAB_BYTES     65536u
#define CV_SLAB_PIECE_MAX 4096u
#define CV_SLAB_SMALL     24u
#define CV_SLAB_GRAIN     128u
#define CV_SLAB_CLASSES   (1u + CV_SLAB_PIECE_MAX / CV_SLAB_GRAIN)

struct cv_slab {
    uint8_t *base;       /* NULL: the number is free */
    void *free;          /* pieces given back, linked through their first word */
    uint32_t used;       /* pieces in use */
    uint32_t fresh;      /* pieces never in use yet stand behind these */
    uint32_t next, prev; /* in the list of slabs with room, of empty slabs, or of free numbers */
    uint32_t class;
};

struct cv_slabs {
    struct cv_slab *table; /* by number; 0 is none */
    uint32_t top;          /* numbers ever used */
    uint32_t room[CV_SLAB_CLASSES];
    uint32_t empty, empties, unused;
    uint32_t mapped; /* slabs that the host gave */
};

bool cv_slabs_init(struct cv_slabs *slabs) CV_MUST_CHECK;
void cv_slabs_fini(struct cv_slabs *slabs);

/* A piece of at least `bytes` (1 .. CV_SLAB_PIECE_MAX), content undefined; its slab. The process ends when the host has no
 * memory: inside a guest's store there is nobody to tell, and the content to be kept would be lost. */
void *cv_slab_alloc(struct cv_slabs *slabs, uint32_t bytes, uint32_t *slab);
void cv_slab_free(struct cv_slabs *slabs, uint32_t slab, void *piece);
/* Would a piece of so many bytes come from the slabs that are there? */
bool cv_slab_fits(const struct cv_slabs *slabs, uint32_t bytes);
/* Gives empty slabs back to the host, but for a few, or all. Never while guest FPU state is live. */
void cv_slabs_trim(struct cv_slabs *slabs, bool all);

/* What all slabs take of the host. */
uint64_t cv_slabs_bytes(const struct cv_slabs *slabs);
/* What a piece of so many bytes takes of a slab. */
uint32_t cv_slab_piece(uint32_t bytes);

#endif
