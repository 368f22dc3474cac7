/*
 * images.h - the smallest kernel files that the loaders take, for tests and as seeds of a fuzzer
 *
 * Each fills a buffer of its size and returns that size.
 */
#ifndef CV_TESTS_SUPPORT_IMAGES_H
#define CV_TESTS_SUPPORT_IMAGES_H

#include "core/base/types.h"

#define CV_IMAGE_BZIMAGE_BYTES       (1024u + 1024u)
#define CV_IMAGE_ELF_BYTES           1024u
#define CV_IMAGE_MULTIBOOT_BYTES     512u
#define CV_IMAGE_MULTIBOOT_ELF_BYTES 256u

size_t cv_image_bzimage(uint8_t *f, bool is64); /* one sector of setup, entered at 0x400000 */
size_t cv_image_elf(uint8_t *f);                /* 64-bit, with the note of PVH */
size_t cv_image_multiboot(uint8_t *f);          /* by addresses in its header */
size_t cv_image_multiboot_elf(uint8_t *f);      /* 32-bit ELF */

#endif
