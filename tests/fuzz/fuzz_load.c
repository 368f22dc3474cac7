/*
 * fuzz_load.c - kernel images into a small machine
 *
 * Input: a byte for the RAM size, a byte for the initrd, then the kernel file. Whatever
 * was loaded, the CPU must stand in RAM and the file must not have been read past its
 * end.
 */
#include "core/load/load.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/images.h"

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

/* ram: a number into the sizes above */
static uint8_t seed[2 + CV_IMAGE_BZIMAGE_BYTES];
static void keep(const char *name, unsigned ram, unsigned initrd, size_t len)
{
    seed[0] = (uint8_t)ram;
    seed[1] = (uint8_t)initrd;
    fuzz_seed(name, seed, 2 + len);
}

void write_seeds(void)
{
    keep("bzimage64", 2, 1, cv_image_bzimage(seed + 2, true));
    keep("bzimage32", 2, 1, cv_image_bzimage(seed + 2, false));
    keep("elf-pvh", 2, 0, cv_image_elf(seed + 2));
    keep("multiboot-elf", 1, 0, cv_image_multiboot_elf(seed + 2));
    keep("multiboot-flat", 1, 0, cv_image_multiboot(seed + 2));
}
