/*
 * keyframe_pack.h - the chunks of one stored checkpoint: building them, reading them
 *
 * Building needs no file: parts are packed in memory, and framed when they are appended.
 * Spec:    docs/trace-format.md "Stored checkpoints"
 * Units:   page numbers are gpa >> 12
 * Errors:  false: no memory or too large, or, reading, nonsense
 * Thread:  any, one at a time
 */
#ifndef CV_RECORD_KEYFRAME_PACK_H
#define CV_RECORD_KEYFRAME_PACK_H

#include "record/format.h"
#include "record/hash.h"
#include "record/keyframe_images.h"

/* Everything about a stored checkpoint but its pages. */
struct cv_keyframe_head {
    cv_icount icount, base;
    uint64_t events;
    struct cv_hash128 chain;
    const uint8_t *state; /* borrowed */
    uint32_t state_len;
    const struct cv_stored_open *open; /* borrowed */
    uint32_t open_count;
};

struct cv_keyframe_part { /* a packed chunk that waits for its place in the file */
    struct cv_keyframe_part *next;
    uint32_t raw_len, stored_len;
    uint8_t out[]; /* room for the chunk header, then the payload */
};

struct cv_keyframe_builder {
    struct cv_keyframe_head head;
    const struct cv_keyframe_images *images; /* may be NULL */
    uint64_t limit, bytes; /* of chunks, headers included: at most, and so far */
    struct cv_keyframe_part *first, *last;
    uint8_t *raw, *packed;
    uint32_t *numbers, *zeros;
    struct cv_stored_copy *copies;
    uint32_t part, pages_count, zeros_count, copies_count;
    size_t used; /* of raw: head, state, open exceptions and pages */
};

/* The builder borrows what head points to, and images, until it is finished. */
bool cv_keyframe_begin(struct cv_keyframe_builder *b, const struct cv_keyframe_head *head,
                       const struct cv_keyframe_images *images,
                       uint64_t limit) CV_MUST_CHECK;
/* Where the content of the next page is to be put (4096 bytes, unaligned); NULL: no memory or
 * too large. Then page() takes it from there. */
uint8_t *cv_keyframe_room(struct cv_keyframe_builder *b) CV_MUST_CHECK;
void cv_keyframe_page(struct cv_keyframe_builder *b, uint32_t number);
/* b->first is the list of parts, which becomes the caller's. */
bool cv_keyframe_end(struct cv_keyframe_builder *b) CV_MUST_CHECK;
/* Frees everything, parts included that are still b's. */
void cv_keyframe_fini(struct cv_keyframe_builder *b);
void cv_keyframe_free_parts(struct cv_keyframe_part *part);

/* -- reading ------------------------------------------------------------------------- */

/* A raw chunk with every length checked; pointers into it, unaligned. */
struct cv_keyframe_view {
    struct cv_stored_record rec;
    uint32_t copies_count;
    const uint8_t *state, *open, *pages, *numbers, *zeros, *copies;
};
bool cv_keyframe_view(const uint8_t *raw, size_t len,
                      struct cv_keyframe_view *view) CV_MUST_CHECK;

#endif
