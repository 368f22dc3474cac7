#include "record/images.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct cv_vm_config config;
static struct cv_images images;

/* Bytes as packed files have them. */
static void make_image(struct cv_image *image, uint64_t len)
{
    uint8_t *data = malloc(len + 1);
    cr_assert_not_null(data);
    for (uint64_t i = 0; i < len; i++) {
        data[i] = (uint8_t)(random() >> 8);
    }
    *image = (struct cv_image){data, len};
}

static void make_images(uint64_t kernel, uint64_t initrd)
{
    srandom(7);
    make_image(&config.kernel, kernel);
    make_image(&config.initrd, initrd);
    cv_images_init(&images, &config);
}

static void free_images(void)
{
    cv_images_fini(&images);
    free((void *)(uintptr_t)config.kernel.data);
    free((void *)(uintptr_t)config.initrd.data);
}

/* Is the page at that place of the image found, as itself, wherever in RAM it lies? */
static void find_piece(const struct cv_image *image, uint64_t at)
{
    uint8_t page[CV_PAGE_SIZE];
    memcpy(page, image->data + at, sizeof(page));
    const uint8_t *piece = cv_images_find(&images, (size_t)random() % 65536, page);
    cr_assert_eq(piece, image->data + at, "%p: at %lu of %lu", (const void *)piece, (unsigned long)at, (unsigned long)image->len);
    page[random() % CV_PAGE_SIZE] ^= 1;
    cr_assert_null(cv_images_find(&images, 1, page));
}

static void find_pieces(uint64_t kernel, uint64_t initrd)
{
    make_images(kernel, initrd);
    cr_assert_leq(cv_images_bytes(&images), 512u << 10);
    for (unsigned i = 0; i < 300; i++) {
        const struct cv_image *image = i % 2 == 0 ? &config.kernel : &config.initrd;
        find_piece(image, (uint64_t)random() % (image->len - CV_PAGE_SIZE + 1));
    }
    find_piece(&config.kernel, 0);
    find_piece(&config.initrd, config.initrd.len - CV_PAGE_SIZE);
    free_images();
}

Test(images, a_page_from_anywhere_in_an_image_is_found)
{
    find_pieces(70000, 12345);
    find_pieces(14000001, 1000003);
    find_pieces(9999, 40u << 20);
}

Test(images, what_is_in_none_is_not_found)
{
    uint8_t page[CV_PAGE_SIZE] = {0};
    make_images(100000, 0);
    cr_assert_null(cv_images_find(&images, 0, page));
    memcpy(page, config.kernel.data + 50000, CV_PAGE_SIZE / 2);
    cr_assert_null(cv_images_find(&images, 0, page));
    memcpy(page, config.kernel.data + config.kernel.len - 1000, 1000); /* its end: no whole page */
    cr_assert_null(cv_images_find(&images, 0, page));
    free_images();
    make_images(100, 0);
    cr_assert_null(cv_images_find(&images, 0, page));
    free_images();
}

Test(images, neighbours_are_found_without_the_index)
{
    make_images(1u << 20, 0);
    cr_assert_eq(cv_images_find(&images, 100, config.kernel.data + 777), config.kernel.data + 777);
    memset(images.index, 0, cv_images_bytes(&images));
    for (size_t i = 1; i < 100; i++) {
        const uint8_t *page = config.kernel.data + 777 + i * CV_PAGE_SIZE;
        cr_assert_eq(cv_images_find(&images, 100 + i, page), page);
        cr_assert_null(cv_images_find(&images, 101 + i, page));
    }
    free_images();
}
