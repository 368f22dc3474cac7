#include "tests/support/images.h"
#include "core/base/mem.h"

#include <string.h>

size_t cv_image_bzimage(uint8_t *f, bool is64)
{
    memset(f, 0, CV_IMAGE_BZIMAGE_BYTES);
    f[0x1f1] = 1;
    cv_st32(f + 0x1f4, 1024 / 16);
    cv_st16(f + 0x1fe, 0xaa55);
    f[0x200] = 0xeb;
    f[0x201] = 0x66;
    memcpy(f + 0x202, "HdrS", 4);
    cv_st16(f + 0x206, 0x020f);
    f[0x211] = 1;
    cv_st32(f + 0x22c, 0x7fffffff);
    cv_st32(f + 0x230, 0x200000);
    f[0x234] = 1;
    cv_st16(f + 0x236, is64 ? 1 : 0);
    cv_st32(f + 0x238, 2047);
    cv_st64(f + 0x258, 0x400000);
    cv_st32(f + 0x260, 0x100000);
    memset(f + 1024, 0x90, 1024);
    return CV_IMAGE_BZIMAGE_BYTES;
}

size_t cv_image_elf(uint8_t *f)
{
    memset(f, 0, CV_IMAGE_ELF_BYTES);
    memcpy(f, "\177ELF\2\1\1", 7);
    cv_st16(f + 16, 2);
    cv_st16(f + 18, 62);
    cv_st64(f + 24, 0x1000000);
    cv_st64(f + 32, 64);
    cv_st16(f + 52, 64);
    cv_st16(f + 54, 56);
    cv_st16(f + 56, 2);
    uint8_t *p = f + 64;
    cv_st32(p, 1);
    cv_st64(p + 8, 512);
    cv_st64(p + 24, 0x200000);
    cv_st64(p + 32, 512);
    cv_st64(p + 40, 0x3000);
    p += 56;
    cv_st32(p, 4);
    cv_st64(p + 8, 256);
    cv_st64(p + 32, 40);
    cv_st64(p + 40, 40);
    uint8_t *n = f + 256; /* another note first */
    cv_st32(n, 3);
    cv_st32(n + 4, 3);
    cv_st32(n + 8, 9);
    memcpy(n + 12, "GNU", 3);
    n += 20;
    cv_st32(n, 4);
    cv_st32(n + 4, 4);
    cv_st32(n + 8, 18);
    memcpy(n + 12, "Xen", 4);
    cv_st32(n + 16, 0x200010);
    memset(f + 512, 0xaa, 512);
    return CV_IMAGE_ELF_BYTES;
}

size_t cv_image_multiboot(uint8_t *f)
{
    memset(f, 0x11, CV_IMAGE_MULTIBOOT_BYTES);
    uint8_t *h = f + 64;
    cv_st32(h, 0x1badb002);
    cv_st32(h + 4, 0x10003);
    cv_st32(h + 8, 0u - 0x1badb002u - 0x10003u);
    cv_st32(h + 12, 0x100040);
    cv_st32(h + 16, 0x100000);
    cv_st32(h + 20, 0x100000 + CV_IMAGE_MULTIBOOT_BYTES);
    cv_st32(h + 24, 0x102000);
    cv_st32(h + 28, 0x100080);
    return CV_IMAGE_MULTIBOOT_BYTES;
}

size_t cv_image_multiboot_elf(uint8_t *f)
{
    memset(f, 0, CV_IMAGE_MULTIBOOT_ELF_BYTES);
    memcpy(f, "\177ELF\1\1\1", 7);
    cv_st16(f + 16, 2);
    cv_st16(f + 18, 3);
    cv_st32(f + 24, 0x100080);
    cv_st32(f + 28, 52);
    cv_st16(f + 40, 52);
    cv_st16(f + 42, 32);
    cv_st16(f + 44, 1);
    uint8_t *p = f + 52;
    cv_st32(p, 1);
    cv_st32(p + 8, 0x100000);
    cv_st32(p + 12, 0x100000);
    cv_st32(p + 16, 256);
    cv_st32(p + 20, 0x1000);
    uint8_t *h = f + 128;
    cv_st32(h, 0x1badb002);
    cv_st32(h + 4, 3);
    cv_st32(h + 8, 0u - 0x1badb002u - 3u);
    return CV_IMAGE_MULTIBOOT_ELF_BYTES;
}
