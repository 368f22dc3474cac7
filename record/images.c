#include "record/images.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX  65000u /* numbers have 16 bits */
#define STRIDE_MIN 64u
#define STRIDE_MAX 1024u /* any page holds some */
#define PROBES     32u

static uint64_t words_of(const struct cv_image *image, uint32_t stride)
{
    return image->len < CV_PAGE_SIZE ? 0 : image->len / stride - 1;
}

static uint64_t words(const struct cv_images *images, uint32_t stride)
{
    return words_of(images->images[0], stride) + words_of(images->images[1], stride);
}

static uint64_t hash(uint64_t word)
{
    return word * 0x9e3779b97f4a7c15ull;
}

static uint32_t tag_of(uint64_t h)
{
    return (uint32_t)(h >> 16) & 0xffff0000u;
}

/* Of a word by its number: its image, and where it is there. */
static const struct cv_image *locate(const struct cv_images *images, uint64_t number,
                                     uint64_t *at)
{
    uint64_t first = words_of(images->images[0], images->stride);
    bool is_first = number < first;
    *at = (is_first ? number : number - first) * images->stride;
    return images->images[is_first ? 0 : 1];
}

static void add_word(struct cv_images *images, uint64_t number)
{
    uint64_t at;
    const struct cv_image *image = locate(images, number, &at);
    uint64_t word = cv_ld64(image->data + at);
    uint64_t h = hash(word);
    for (unsigned i = 0; word != 0 && i < PROBES; i++) {
        uint32_t *slot = &images->index[((h >> 47) + i) & images->mask];
        if (*slot == 0) {
            *slot = tag_of(h) | (uint32_t)(number + 1);
            return;
        }
    }
}

void cv_images_init(struct cv_images *images, const struct cv_vm_config *config)
{
    *images = (struct cv_images){.images = {&config->kernel, &config->initrd},
                                 .stride = STRIDE_MIN};
    while (words(images, images->stride) > WORDS_MAX && images->stride < STRIDE_MAX) {
        images->stride *= 2;
    }
    uint64_t count = words(images, images->stride);
    count = count < WORDS_MAX ? count : WORDS_MAX; /* of larger images only the begin */
    images->mask = 1;
    while (images->mask < 2 * count) {
        images->mask = images->mask * 2 + 1;
    }
    images->index = calloc((size_t)images->mask + 1, sizeof(*images->index));
    for (uint64_t i = 0; images->index != NULL && i < count; i++) {
        add_word(images, i);
    }
}

void cv_images_fini(struct cv_images *images)
{
    free(images->index);
    images->index = NULL;
}

uint64_t cv_images_bytes(const struct cv_images *images)
{
    return images->index == NULL ? 0
                                 : ((uint64_t)images->mask + 1) * sizeof(*images->index);
}

static const uint8_t *compare(const struct cv_image *image, int64_t at,
                              const uint8_t *page)
{
    if (image == NULL || at < 0 || image->len < CV_PAGE_SIZE ||
        (uint64_t)at > image->len - CV_PAGE_SIZE ||
        memcmp(image->data + at, page, CV_PAGE_SIZE) != 0) {
        return NULL;
    }
    return image->data + at;
}

/* By a word of the page, if it is one of the index. */
static const uint8_t *find_by_word(struct cv_images *images, size_t number,
                                   const uint8_t *page, uint32_t in_page)
{
    uint64_t word = cv_ld64(page + in_page);
    uint64_t h = hash(word);
    for (unsigned i = 0; word != 0 && i < PROBES; i++) {
        uint32_t entry = images->index[((h >> 47) + i) & images->mask];
        if (entry == 0) {
            break;
        }
        if ((entry & 0xffff0000u) != tag_of(h)) {
            continue;
        }
        uint64_t at;
        const struct cv_image *image = locate(images, (entry & 0xffffu) - 1, &at);
        const uint8_t *piece = compare(image, (int64_t)at - in_page, page);
        if (piece != NULL) {
            images->places[images->next] = (struct cv_images_place){
                image, (int64_t)at - in_page - (int64_t)(number << CV_PAGE_SHIFT)};
            images->next = (images->next + 1) % CV_IMAGES_PLACES;
            return piece;
        }
    }
    return NULL;
}

const uint8_t *cv_images_find(struct cv_images *images, size_t number,
                              const uint8_t *page)
{
    int64_t gpa = (int64_t)(number << CV_PAGE_SHIFT);
    const uint8_t *piece = NULL;
    for (unsigned i = 0; piece == NULL && i < CV_IMAGES_PLACES; i++) {
        const struct cv_images_place *place = &images->places[i];
        piece = compare(place->image, gpa + place->offset, page);
    }
    /* two words, since the index may be without one */
    for (uint32_t i = 0; piece == NULL && images->index != NULL && i < 2 * images->stride;
         i++) {
        piece = find_by_word(images, number, page, i);
    }
    return piece;
}
