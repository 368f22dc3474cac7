/* Loaders: synthetic images, whole, cut at every length, and with bits flipped. */
#include "core/base/mem.h"
#include "core/load/load.h"
#include "tests/support/images.h"

#include <criterion/criterion.h>

#define RAM_BYTES (16u << 20)
#define INITRD    "initrd!"

struct bench {
    struct cv_ram ram;
    struct cv_cpu cpu;
    struct cv_error err;
};

static void setup(struct bench *b)
{
    memset(b, 0, sizeof(*b));
    cr_assert(cv_ram_init(&b->ram, RAM_BYTES));
}

static bool load(struct bench *b, const uint8_t *image, size_t len)
{
    struct cv_load_input in = {.kernel = image,
                               .kernel_len = len,
                               .initrd = (const uint8_t *)INITRD,
                               .initrd_len = 7,
                               .append = "console=ttyS0",
                               .rsdp = 0xe0000};
    memset(&b->err, 0, sizeof(b->err));
    return cv_load_kernel(&in, &b->ram, &b->cpu, &b->err);
}

static uint32_t ram32(struct bench *b, uint64_t gpa)
{
    uint32_t v = 0;
    cr_assert(cv_ram_read(&b->ram, gpa, &v, 4));
    return v;
}
static uint64_t ram64(struct bench *b, uint64_t gpa)
{
    return ram32(b, gpa) | (uint64_t)ram32(b, gpa + 4) << 32;
}

static void expect_initrd(struct bench *b, uint64_t at)
{
    char text[7];
    cr_assert_eq(at, RAM_BYTES - 4096);
    cr_assert(cv_ram_read(&b->ram, at, text, 7));
    cr_assert_arr_eq(text, INITRD, 7);
}

static void expect_flat(struct bench *b, uint32_t code_attr)
{
    cr_assert_eq(b->cpu.seg[CV_CS].sel, 0x10);
    cr_assert_eq(b->cpu.seg[CV_CS].attr, code_attr);
    cr_assert_eq(b->cpu.seg[CV_SS].sel, 0x18);
    cr_assert_eq(b->cpu.seg[CV_DS].attr, 0xc093);
    cr_assert_eq(b->cpu.seg[CV_DS].limit, 0xffffffffu);
    cr_assert_eq(b->cpu.rflags, 2);
}

Test(bzimage, is_entered_in_64_bit_mode)
{
    struct bench b;
    static uint8_t f[CV_IMAGE_BZIMAGE_BYTES];
    setup(&b);
    cr_assert(load(&b, f, cv_image_bzimage(f, true)), "%s", b.err.text);
    cr_assert_eq(b.cpu.rip, 0x400200);
    cr_assert_eq(ram32(&b, 0x400000), 0x90909090u);
    expect_flat(&b, 0xa09b);
    cr_assert_eq(b.cpu.efer, CV_EFER_LME | CV_EFER_LMA);
    uint64_t params = b.cpu.gpr[CV_RSI];
    cr_assert_eq(ram32(&b, params + 0x202), 0x53726448u);
    cr_assert_eq(ram32(&b, params + 0x210) & 0xff, 0xff);
    expect_initrd(&b, ram32(&b, params + 0x218));
    cr_assert_eq(ram32(&b, params + 0x21c), 7);
    cr_assert_eq(ram64(&b, params + 0x70), 0xe0000);
    char text[14];
    cr_assert(cv_ram_read(&b.ram, ram32(&b, params + 0x228), text, 14));
    cr_assert_str_eq(text, "console=ttyS0");
    unsigned entries = ram32(&b, params + 0x1e8) & 0xff;
    cr_assert_eq(entries, 5);
    cr_assert_eq(ram64(&b, params + 0x2d0 + 8), 0x9fc00);
    cr_assert_eq(ram64(&b, params + 0x2d0 + 40), 0x100000);
    cr_assert_eq(ram64(&b, params + 0x2d0 + 48), RAM_BYTES - 0x100000);
    for (uint64_t gva = 0; gva < 0x100000000ull; gva += 0x3ff123456ull % 0x1234567) {
        uint64_t l3 = ram64(&b, b.cpu.cr3) & ~0xfffull;
        uint64_t l2 = ram64(&b, l3 + (gva >> 30) * 8) & ~0xfffull;
        uint64_t pde = ram64(&b, l2 + (gva >> 21 & 511) * 8);
        cr_assert_eq(pde, (gva & ~0x1fffffull) | 0x83);
    }
    cv_ram_fini(&b.ram);
}

/* boot.rst "32-bit Boot Protocol" */
Test(bzimage, of_32_bits_is_entered_in_flat_protected_mode)
{
    struct bench b;
    static uint8_t f[CV_IMAGE_BZIMAGE_BYTES];
    setup(&b);
    memset(b.cpu.gpr, 0x77, sizeof(b.cpu.gpr));
    b.cpu.cr3 = 0x1000;
    b.cpu.cr4 = CV_CR4_PAE;
    b.cpu.efer = CV_EFER_LME | CV_EFER_LMA;
    cr_assert(load(&b, f, cv_image_bzimage(f, false)), "%s", b.err.text);
    cr_assert_eq(b.cpu.rip, 0x400000, "the start of the kernel, not 0x200 behind it");
    expect_flat(&b, 0xc09b);
    cr_assert_eq(b.cpu.seg[CV_ES].sel, 0x18);
    cr_assert_eq(b.cpu.seg[CV_DS].sel, 0x18);
    cr_assert_eq(b.cpu.cr0, CV_CR0_PE | CV_CR0_ET, "no paging");
    cr_assert_eq(b.cpu.cr4, 0);
    cr_assert_eq(b.cpu.efer, 0);
    cr_assert_eq(b.cpu.gpr[CV_RBP], 0);
    cr_assert_eq(b.cpu.gpr[CV_RDI], 0);
    cr_assert_eq(b.cpu.gpr[CV_RBX], 0);
    cr_assert_geq(b.cpu.gdtr.limit, 0x1fu);
    cr_assert_eq(ram64(&b, b.cpu.gdtr.base + 0x10), 0x00cf9b000000ffffull);
    cr_assert_eq(ram64(&b, b.cpu.gdtr.base + 0x18), 0x00cf93000000ffffull);
    uint64_t params = b.cpu.gpr[CV_RSI];
    cr_assert_eq(ram32(&b, params + 0x202), 0x53726448u);
    expect_initrd(&b, ram32(&b, params + 0x218));
    cr_assert_eq(ram32(&b, params + 0x1e8) & 0xff, 5, "memory map");
    cr_assert_eq(ram32(&b, params + 0x1e0), (RAM_BYTES - (1u << 20)) >> 10);
    cv_ram_fini(&b.ram);
}

Test(bzimage, gets_its_initrd_below_the_address_it_can_reach)
{
    struct bench b;
    static uint8_t f[CV_IMAGE_BZIMAGE_BYTES];
    setup(&b);
    cv_image_bzimage(f, false);
    cv_st32(f + 0x22c, 0x7fffff);
    cr_assert(load(&b, f, CV_IMAGE_BZIMAGE_BYTES), "%s", b.err.text);
    cr_assert_eq(ram32(&b, (uint64_t)b.cpu.gpr[CV_RSI] + 0x218), 0x7ff000);
    cv_st32(f + 0x22c, 0x4fffff); /* the kernel itself is there */
    cr_assert(!load(&b, f, CV_IMAGE_BZIMAGE_BYTES));
    cr_assert(strstr(b.err.text, "initrd: 1 KiB do not fit") != NULL, "%s", b.err.text);
    cv_image_bzimage(f, false);
    cv_st32(f + 0x238, 12);
    cr_assert(!load(&b, f, CV_IMAGE_BZIMAGE_BYTES));
    cr_assert(strstr(b.err.text, "a command line of at most 12") != NULL, "%s",
              b.err.text);
    cv_ram_fini(&b.ram);
}

/* boot.rst "init_size": loaded below its preferred address, it would run there all the
 * same. */
Test(bzimage, needs_its_preferred_address_or_says_so)
{
    struct bench b;
    static uint8_t f[CV_IMAGE_BZIMAGE_BYTES];
    setup(&b);
    cv_image_bzimage(f, true);
    cv_st64(f + 0x258, 0x1000000);
    for (f[0x234] = 0; f[0x234] < 2; f[0x234]++) {
        cr_assert(!load(&b, f, CV_IMAGE_BZIMAGE_BYTES));
        cr_assert_eq(b.err.code, CV_EXIT_DATA);
        cr_assert(strstr(b.err.text,
                         "needs 1 MiB at 0x1000000, the machine has 16 MiB") != NULL,
                  "%s", b.err.text);
    }
    cv_st64(f + 0x258,
            0xf80000); /* relocatable: the next aligned address, beyond the end */
    f[0x234] = 1;
    cr_assert(!load(&b, f, CV_IMAGE_BZIMAGE_BYTES));
    cv_st64(f + 0x258, 0x110000);
    cr_assert(load(&b, f, CV_IMAGE_BZIMAGE_BYTES), "%s", b.err.text);
    cr_assert_eq(b.cpu.rip, 0x200200);
    f[0x234] = 0;
    cr_assert(load(&b, f, CV_IMAGE_BZIMAGE_BYTES), "%s", b.err.text);
    cr_assert_eq(b.cpu.rip, 0x110200);
    cv_ram_fini(&b.ram);
}

Test(elf, with_pvh_note_is_entered_there)
{
    struct bench b;
    static uint8_t f[CV_IMAGE_ELF_BYTES];
    uint8_t dirt = 0x55;
    setup(&b);
    cr_assert(cv_ram_write(&b.ram, 0x202fff, &dirt, 1));
    cr_assert(load(&b, f, cv_image_elf(f)), "%s", b.err.text);
    cr_assert_eq(b.cpu.rip, 0x200010);
    expect_flat(&b, 0xc09b);
    cr_assert_eq(ram32(&b, 0x200000), 0xaaaaaaaau);
    cr_assert_eq(ram32(&b, 0x202ffc), 0, "bss is cleared");
    uint64_t info = b.cpu.gpr[CV_RBX];
    cr_assert_eq(ram32(&b, info), 0x336ec578u);
    cr_assert_eq(ram32(&b, info + 12), 1);
    expect_initrd(&b, ram64(&b, ram64(&b, info + 16)));
    cr_assert_eq(ram64(&b, info + 32), 0xe0000);
    cr_assert_eq(ram32(&b, info + 48), 5);
    cr_assert_eq(ram64(&b, ram64(&b, info + 40) + 8), 0x9fc00);
    cv_ram_fini(&b.ram);
}

Test(multiboot, is_entered_with_its_magic)
{
    struct bench b;
    static uint8_t f[CV_IMAGE_MULTIBOOT_BYTES];
    setup(&b);
    cr_assert(load(&b, f, cv_image_multiboot(f)), "%s", b.err.text);
    cr_assert_eq(b.cpu.rip, 0x100080);
    cr_assert_eq(b.cpu.gpr[CV_RAX], 0x2badb002u);
    expect_flat(&b, 0xc09b);
    uint64_t info = b.cpu.gpr[CV_RBX];
    cr_assert_eq(ram32(&b, info) & 0x4d, 0x4d);
    cr_assert_eq(ram32(&b, info + 8), 15 * 1024);
    expect_initrd(&b, ram32(&b, ram32(&b, info + 24)));
    cr_assert_eq(ram32(&b, info + 44), 5 * 24);
    cr_assert_eq(ram32(&b, 0x100000), 0x11111111u);
    cv_ram_fini(&b.ram);
}

static const struct {
    size_t (*make)(uint8_t *f);
    size_t whole_from; /* cut below this length: refused */
} IMAGES[] = {{cv_image_elf, CV_IMAGE_ELF_BYTES}, {cv_image_multiboot, CV_IMAGE_MULTIBOOT_BYTES}};

static size_t make_bz64(uint8_t *f)
{
    return cv_image_bzimage(f, true);
}

static void cut_and_flip(size_t (*make)(uint8_t *f), size_t step, size_t slack)
{
    struct bench b;
    static uint8_t f[8192];
    setup(&b);
    size_t n = make(f);
    for (size_t len = 0; len + slack < n; len += step) {
        uint8_t *exact = malloc(len + 1); /* so that ASan sees a read past the end */
        memcpy(exact + 1, f, len);
        cr_assert(!load(&b, exact + 1, len), "cut at %zu", len);
        cr_assert_neq(b.err.code, 0);
        cr_assert_neq(b.err.text[0], 0);
        free(exact);
    }
    for (size_t bit = 0; bit < 1024 * 8 && bit < n * 8; bit++) {
        f[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (!load(&b, f, n)) {
            cr_assert_eq(b.err.code, CV_EXIT_DATA);
        }
        f[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    cr_assert(load(&b, f, n), "the image itself is good");
    cv_ram_fini(&b.ram);
}

Test(load, cut_and_flipped_images_are_refused_or_harmless)
{
    cut_and_flip(make_bz64, 7, 15); /* the size is told in units of 16 bytes */
    for (size_t i = 0; i < CV_ARRAY_LEN(IMAGES); i++) {
        cut_and_flip(IMAGES[i].make, 1, 0);
    }
}

static const struct {
    const char *bytes;
    size_t len;
    const char *says;
} FOREIGN[] = {
    {"", 0, "empty"},
    {"#!/bin/sh\necho no kernel\n", 25, "text file"},
    {"\x1f\x8b\x08\0\0\0\0\0", 8, "gzip"},
    {"070701000000", 12, "initrd"},
    {"MZ\x90\0\x03\0", 6, "EFI or DOS"},
    {"\x00\x01\x02\x03\xff", 5, "no known kernel format"},
};

Test(load, says_what_a_file_is_instead)
{
    struct bench b;
    setup(&b);
    for (size_t i = 0; i < CV_ARRAY_LEN(FOREIGN); i++) {
        cr_assert(!load(&b, (const uint8_t *)FOREIGN[i].bytes, FOREIGN[i].len));
        cr_assert_eq(b.err.code, CV_EXIT_DATA);
        cr_assert(strstr(b.err.text, FOREIGN[i].says) != NULL, "%s", b.err.text);
    }
    static uint8_t f[CV_IMAGE_ELF_BYTES];
    cv_image_elf(f);
    f[18] = 183;
    cr_assert(!load(&b, f, CV_IMAGE_ELF_BYTES));
    cr_assert(strstr(b.err.text, "is an ELF for AArch64; need x86-64") != NULL, "%s",
              b.err.text);
    cv_image_elf(f);
    f[256 + 20 + 8] = 17; /* no such note any more */
    cr_assert(!load(&b, f, CV_IMAGE_ELF_BYTES));
    cr_assert(strstr(b.err.text, "PVH") != NULL, "%s", b.err.text);
    cv_ram_fini(&b.ram);
}

Test(load, an_initrd_that_does_not_fit_is_told)
{
    struct bench b;
    static uint8_t f[CV_IMAGE_BZIMAGE_BYTES];
    setup(&b);
    uint8_t *big = calloc(1, 13u << 20);
    struct cv_load_input in = {.kernel = f,
                               .kernel_len = cv_image_bzimage(f, true),
                               .initrd = big,
                               .initrd_len = 13u << 20,
                               .append = ""};
    cr_assert(!cv_load_kernel(&in, &b.ram, &b.cpu, &b.err));
    cr_assert(strstr(b.err.text, "initrd: 13312 KiB") != NULL, "%s", b.err.text);
    free(big);
    cv_ram_fini(&b.ram);
}
