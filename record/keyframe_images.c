#include "record/keyframe_images.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define GRAIN     512u
#define IMAGE_MAX (64u << 20) /* what lies beyond is not looked at */
#define PROBES    4u /* an image may have thousands of equal pieces: no search is longer */

/* Three words tell pages apart well enough; all bytes are compared afterwards. */
static size_t find_slot(const struct cv_keyframe_images *t, const uint8_t *page)
{
    uint64_t key = cv_ld64(page + 8) * 0x9e3779b97f4a7c15ull;
    key = (key ^ key >> 29 ^ cv_ld64(page + 2040)) * 0xbf58476d1ce4e5b9ull;
    key = (key ^ key >> 32 ^ cv_ld64(page + 4080)) * 0x94d049bb133111ebull;
    return (size_t)(key >> (64 - t->bits));
}

void cv_keyframe_images_init(struct cv_keyframe_images *t, const struct cv_image *image)
{
    *t = (struct cv_keyframe_images){.image = *image};
    if (t->image.len > IMAGE_MAX) {
        t->image.len = IMAGE_MAX;
    }
    for (t->bits = 4; 1ull << t->bits < 2 * t->image.len / GRAIN; t->bits++) {
    }
    t->slots = calloc((1u << t->bits) + PROBES, sizeof(uint32_t));
    if (t->slots == NULL) {
        return;
    }
    for (uint64_t at = 0; at + CV_PAGE_SIZE <= t->image.len; at += GRAIN) {
        uint32_t *slot = t->slots + find_slot(t, t->image.data + at);
        for (unsigned i = 0; i < PROBES; i++) {
            if (slot[i] == 0) {
                slot[i] = (uint32_t)(at / GRAIN) + 1;
                break;
            }
        }
    }
}

void cv_keyframe_images_fini(struct cv_keyframe_images *t)
{
    free(t->slots);
    t->slots = NULL;
}

bool cv_keyframe_images_find(const struct cv_keyframe_images *t, const uint8_t *page,
                             uint64_t *offset)
{
    if (t->slots == NULL) {
        return false;
    }
    const uint32_t *slot = t->slots + find_slot(t, page);
    for (unsigned i = 0; i < PROBES && slot[i] != 0; i++) {
        uint64_t at = (uint64_t)(slot[i] - 1) * GRAIN;
        if (memcmp(t->image.data + at, page, CV_PAGE_SIZE) == 0) {
            *offset = at;
            return true;
        }
    }
    return false;
}
