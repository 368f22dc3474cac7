/*
 * keyframe_images.h - pages of a guest that are pages of the kernel's image, which the trace has
 *
 * A kernel that unpacks itself first moves what is packed out of its own way and then forgets
 * it: megabytes of RAM that no packing makes smaller and that stand in the trace already.
 *
 * A recorder looks at every page it packs, so a page costs one look; record/images.h, for travel, takes hundreds and finds
 * pieces at any offset.
 *
 * Units:   offsets in bytes of the image; found are those that are multiples of 512, since
 *          that is the grain of a kernel file's parts
 * Thread:  any, one at a time
 */
#ifndef CV_RECORD_KEYFRAME_IMAGES_H
#define CV_RECORD_KEYFRAME_IMAGES_H

#include "core/vm.h"

struct cv_keyframe_images {
    struct cv_image image; /* borrowed */
    uint32_t *slots;       /* offset / 512 + 1; 0: free */
    unsigned bits;
};

/* Reads the image once. Without memory or with an empty image nothing will be found. */
void cv_keyframe_images_init(struct cv_keyframe_images *t, const struct cv_image *image);
void cv_keyframe_images_fini(struct cv_keyframe_images *t);
/* Where in the image these 4096 bytes stand. False: not found. */
bool cv_keyframe_images_find(const struct cv_keyframe_images *t, const uint8_t *page,
                             uint64_t *offset);

#endif
