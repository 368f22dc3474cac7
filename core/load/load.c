#include "core/load/load.h"
#include "core/base/mem.h"
#include "core/load/elf.h"
#include "core/load/formats.h"

/* Files that are often given by mistake, by their first bytes. */
static const char *foreign_format(const uint8_t *d, uint64_t len)
{
    static const struct {
        uint8_t bytes[8];
        uint8_t count;
        const char *what;
    } known[] = {
        {{0x1f, 0x8b}, 2, "is compressed with gzip; unpack it or give the bzImage"},
        {{0xfd, '7', 'z', 'X', 'Z'},
         5,
         "is compressed with xz; unpack it or give the bzImage"},
        {{0x28, 0xb5, 0x2f, 0xfd},
         4,
         "is compressed with zstd; unpack it or give the bzImage"},
        {{'0', '7', '0', '7', '0', '1'}, 6, "is a cpio archive: an initrd, not a kernel"},
        {{'Q', 'F', 'I', 0xfb}, 4, "is a qcow2 disk image, not a kernel"},
        {{'!', '<', 'a', 'r', 'c', 'h', '>'}, 7, "is an ar archive or Debian package"},
        {{'M', 'Z'}, 2, "is an EFI or DOS program without a Linux boot header"},
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(known); i++) {
        if (len >= known[i].count && cv_memcmp(d, known[i].bytes, known[i].count) == 0) {
            return known[i].what;
        }
    }
    return NULL;
}

static bool is_text(const uint8_t *d, uint64_t len)
{
    uint64_t n = len < 256 ? len : 256;
    for (uint64_t i = 0; i < n; i++) {
        if ((d[i] < 0x20 && d[i] != '\n' && d[i] != '\r' && d[i] != '\t') ||
            d[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool refuse(const struct cv_load_input *in, struct cv_error *err)
{
    const char *what = foreign_format(in->kernel, in->kernel_len);
    if (what == NULL) {
        what = is_text(in->kernel, in->kernel_len) ? "is a text file, not a kernel"
                                                   : "is of no known kernel format";
    }
    return cv_error_set(
        err, CV_EXIT_DATA,
        "kernel: %s (need a bzImage, an ELF with a PVH entry or a multiboot image)",
        what);
}

bool cv_load_kernel(const struct cv_load_input *in, struct cv_ram *ram,
                    struct cv_cpu *cpu, struct cv_error *err)
{
    if (in->kernel_len == 0 || in->kernel == NULL) {
        return cv_error_set(err, CV_EXIT_DATA, "kernel: is empty");
    }
    if (in->kernel_len >= ram->bytes) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "kernel: has %lu MiB, the machine's memory %lu MiB; give it more",
            (unsigned long)(in->kernel_len >> 20), (unsigned long)(ram->bytes >> 20));
    }
    if (cv_bzimage_is(in)) {
        return cv_bzimage_load(in, ram, cpu, err);
    }
    if (cv_multiboot_is(in)) {
        return cv_multiboot_load(in, ram, cpu, err);
    }
    if (cv_elf_is(in->kernel, in->kernel_len)) {
        return cv_pvh_load(in, ram, cpu, err);
    }
    return refuse(in, err);
}
