/*
 * fuzz_load.c - kernel images into a small machine
 *
 * Input: a byte for the RAM size, a byte for the initrd, then the kernel file. Whatever
 * was loaded, the CPU must stand in RAM and the file must not have been read past its
 * end.
 */
#include "core/load/load.h"
#include "core/base/mem.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static struct cv_cpu cpu;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t sizes[] = {1, 2, 16, 64};
    static const uint8_t initrd[5000] = "070701";
    static char append[CV_PAGE_SIZE];
    struct cv_ram ram;
    struct cv_error err = {0};
    if (size < 2) {
        return 0;
    }
    if (append[0] == '\0') {
        memset(append, 'a', 2047);
    }
    if (!cv_ram_init(&ram, sizes[data[0] % 4] << 20)) {
        return 0;
    }
    uint8_t *kernel = malloc(size - 2 > 0 ? size - 2 : 1);
    memcpy(kernel, data + 2, size - 2);
    struct cv_load_input in = {
        .kernel = kernel,
        .kernel_len = size - 2,
        .initrd = initrd,
        .initrd_len = (data[1] & 1) != 0 ? sizeof(initrd) - (data[1] >> 1) : 0,
        .append = append + (2047 - data[1] * 8),
        .rsdp = 0xe0000};
    memset(&cpu, 0, sizeof(cpu));
    if (cv_load_kernel(&in, &ram, &cpu, &err)) {
        FUZZ_CHECK(err.code == 0, "loaded, and says %s", err.text);
        FUZZ_CHECK(cpu.rip < 1ull << 32, "entry %llx", (unsigned long long)cpu.rip);
    } else {
        FUZZ_CHECK(err.code != 0 && err.text[0] != '\0', "refused without a word");
    }
    free(kernel);
    cv_ram_fini(&ram);
    return 0;
}

static void seed_bzimage(bool is64)
{
    static uint8_t file[2 + 1024 + 1024];
    uint8_t *f = file + 2;
    memset(file, 0, sizeof(file));
    file[0] = 2;
    file[1] = 1;
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
    fuzz_seed(is64 ? "bzimage64" : "bzimage32", file, sizeof(file));
}

static void seed_elf(void)
{
    static uint8_t file[2 + 768];
    uint8_t *f = file + 2;
    file[0] = 2;
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
    cv_st64(p + 32, 256);
    cv_st64(p + 40, 0x3000);
    p += 56;
    cv_st32(p, 4);
    cv_st64(p + 8, 256);
    cv_st64(p + 32, 40);
    cv_st64(p + 40, 40);
    uint8_t *n = f + 256;
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
    fuzz_seed("elf-pvh", file, sizeof(file));
}

static void seed_multiboot_elf(void)
{
    static uint8_t file[2 + 256];
    uint8_t *f = file + 2;
    file[0] = 1;
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
    fuzz_seed("multiboot-elf", file, sizeof(file));
}

void write_seeds(void)
{
    static uint8_t file[2 + 512];
    uint8_t *h = file + 2 + 64;
    seed_bzimage(true);
    seed_bzimage(false);
    seed_elf();
    seed_multiboot_elf();
    memset(file, 0x11, sizeof(file));
    file[0] = 1;
    cv_st32(h, 0x1badb002);
    cv_st32(h + 4, 0x10003);
    cv_st32(h + 8, 0u - 0x1badb002u - 0x10003u);
    cv_st32(h + 12, 0x100040);
    cv_st32(h + 16, 0x100000);
    cv_st32(h + 20, 0x100200);
    cv_st32(h + 24, 0x102000);
    cv_st32(h + 28, 0x100080);
    fuzz_seed("multiboot-flat", file, sizeof(file));
}
