/*
 * images.h - which pages of RAM hold a piece of a boot image as it is
 *
 * A machine's images stay in memory as long as its trace is open, so a page that a loader or the guest copied from one
 * needs no second copy to be remembered. Nothing is known of loaders: some words of the images are indexed, and a page that
 * holds one of them is compared.
 * Units:   page numbers are gpa >> 12
 * Thread:  any, one at a time
 */
#ifndef CV_RECORD_IMAGES_H
#define CV_RECORD_IMAGES_H

#include "core/vm.h"

#define CV_IMAGES_PLACES 4u

struct cv_images {
    const struct cv_image *images[2]; /* borrowed */
    /* How far what RAM holds lies from where an image holds it, for the copies met last. */
    struct cv_images_place {
        const struct cv_image *image; /* NULL: none yet */
        int64_t offset;               /* in the image, less the guest physical address */
    } places[CV_IMAGES_PLACES];
    unsigned next; /* of places, to be used again */
    /* The words at multiples of stride: half of their hash, and their number from 1. */
    uint32_t *index;
    uint32_t mask, stride;
};

/* Without memory for the index nothing is found. */
void cv_images_init(struct cv_images *images, const struct cv_vm_config *config);
void cv_images_fini(struct cv_images *images);
/* What the index takes: at most 512 KiB. */
uint64_t cv_images_bytes(const struct cv_images *images);
/* The same 4096 bytes in an image, or NULL: not found. */
const uint8_t *cv_images_find(struct cv_images *images, size_t number, const uint8_t *page);

#endif
