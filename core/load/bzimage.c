#include "core/base/mem.h"
#include "core/load/formats.h"
#include "core/load/place.h"

/* Offsets in the file and in struct boot_params; Documentation/x86/boot.rst "The
 * Real-Mode Kernel Header", Documentation/x86/zero-page.rst */
#define H_SETUP_SECTS  0x1f1u
#define H_SYSSIZE      0x1f4u
#define H_VID_MODE     0x1fau
#define H_BOOT_FLAG    0x1feu
#define H_JUMP_LENGTH  0x201u
#define H_HEADER       0x202u
#define H_VERSION      0x206u
#define H_LOADER       0x210u
#define H_LOADFLAGS    0x211u
#define H_RAMDISK      0x218u
#define H_RAMDISK_SIZE 0x21cu
#define H_CMD_LINE     0x228u
#define H_INITRD_MAX   0x22cu
#define H_ALIGNMENT    0x230u
#define H_RELOCATABLE  0x234u
#define H_XLOADFLAGS   0x236u
#define H_CMDLINE_SIZE 0x238u
#define H_PREF_ADDRESS 0x258u
#define H_INIT_SIZE    0x260u
#define H_END          0x264u
#define P_ACPI_RSDP    0x070u
#define P_ALT_MEM_K    0x1e0u
#define P_E820_ENTRIES 0x1e8u
#define P_E820_TABLE   0x2d0u
#define PARAMS_BYTES   4096u

#define LOADER_UNDEFINED 0xffu
#define LOADED_HIGH      0x01u
#define KEEP_SEGMENTS    0x40u
#define XLF_KERNEL_64    0x01u
#define VID_NORMAL       0xffffu
#define VERSION_MIN      0x020au /* pref_address and init_size */
#define ENTRY_64         0x200u  /* startup_64, from the start of the 32-bit code */

struct bzimage {
    const uint8_t *file;
    uint64_t setup_bytes, payload_bytes;
    unsigned header_end;
    bool is64;
    cv_gpa load;
    uint64_t init_size;
};

bool cv_bzimage_is(const struct cv_load_input *in)
{
    return in->kernel_len >= H_HEADER + 4 &&
           cv_ld16(in->kernel + H_BOOT_FLAG) == 0xaa55 &&
           cv_memcmp(in->kernel + H_HEADER, "HdrS", 4) == 0;
}

static bool read_header(const struct cv_load_input *in, struct bzimage *bz,
                        struct cv_error *err)
{
    const uint8_t *f = in->kernel;
    if (in->kernel_len < H_END) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "kernel: is a truncated bzImage (%lu bytes)",
                            (unsigned long)in->kernel_len);
    }
    unsigned version = cv_ld16(f + H_VERSION);
    bz->file = f;
    bz->header_end = H_HEADER + f[H_JUMP_LENGTH];
    if (version < VERSION_MIN || bz->header_end < H_END) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "kernel: is a Linux image of boot protocol %u.%02u; need 2.10 or later",
            version >> 8, version & 0xff);
    }
    if (!(f[H_LOADFLAGS] & LOADED_HIGH)) {
        return cv_error_set(err, CV_EXIT_DATA, "kernel: is a zImage, not a bzImage");
    }
    unsigned sectors = f[H_SETUP_SECTS] == 0 ? 4 : f[H_SETUP_SECTS];
    bz->setup_bytes = (sectors + 1ull) * 512;
    uint64_t want = (uint64_t)cv_ld32(f + H_SYSSIZE) * 16;
    if (bz->setup_bytes >= in->kernel_len ||
        want > in->kernel_len - bz->setup_bytes + 15) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "kernel: is a truncated bzImage (%lu bytes, its header tells %lu)",
            (unsigned long)in->kernel_len, (unsigned long)(bz->setup_bytes + want));
    }
    bz->payload_bytes = in->kernel_len - bz->setup_bytes;
    bz->is64 = version >= 0x020c && (cv_ld16(f + H_XLOADFLAGS) & XLF_KERNEL_64) != 0;
    if (bz->payload_bytes <= ENTRY_64) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "kernel: is a bzImage without a kernel in it");
    }
    return true;
}

/* boot.rst "init_size": a kernel runs at its preferred address, also when it was loaded
 * below; a relocatable one takes the next aligned address from there. */
static bool choose_address(const struct cv_ram *ram, struct bzimage *bz,
                           struct cv_error *err)
{
    uint64_t align = cv_ld32(bz->file + H_ALIGNMENT);
    cv_gpa start = cv_ld64(bz->file + H_PREF_ADDRESS);
    bz->init_size = cv_ld32(bz->file + H_INIT_SIZE);
    if (bz->init_size < bz->payload_bytes) {
        bz->init_size = bz->payload_bytes;
    }
    if (align == 0 || (align & (align - 1)) != 0) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "kernel: bzImage header has bad alignment 0x%lx",
                            (unsigned long)align);
    }
    if (bz->file[H_RELOCATABLE] != 0 && start < ram->low_bytes) {
        start = start < CV_PLACE_HIGH ? CV_PLACE_HIGH : start;
        start = (start + align - 1) & ~(align - 1);
    }
    if (start < CV_PLACE_HIGH || start >= ram->low_bytes ||
        bz->init_size > ram->low_bytes - start) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "kernel: needs %lu MiB at 0x%lx, the machine has %lu MiB; give it more "
            "memory",
            (unsigned long)((bz->init_size + 0xfffff) >> 20), (unsigned long)start,
            (unsigned long)(ram->bytes >> 20));
    }
    bz->load = start;
    return true;
}

static void write_params(const struct cv_load_input *in, struct cv_ram *ram,
                         const struct bzimage *bz, cv_gpa initrd)
{
    uint8_t page[PARAMS_BYTES];
    struct cv_map_range map[CV_MAP_MAX];
    unsigned ranges = cv_place_map(ram, map);
    cv_memset(page, 0, sizeof(page));
    cv_memcpy(page + H_SETUP_SECTS, bz->file + H_SETUP_SECTS,
              (bz->header_end < in->kernel_len ? bz->header_end : in->kernel_len) -
                  H_SETUP_SECTS);
    cv_st64(page + P_ACPI_RSDP, in->rsdp);
    uint64_t above_1m_k = (ram->low_bytes - CV_PLACE_HIGH) >> 10;
    cv_st32(page + P_ALT_MEM_K, (uint32_t)above_1m_k);
    cv_st16(page + H_VID_MODE, VID_NORMAL);
    page[H_LOADER] = LOADER_UNDEFINED;
    page[H_LOADFLAGS] = (uint8_t)(page[H_LOADFLAGS] & ~KEEP_SEGMENTS);
    cv_st32(page + H_CMD_LINE, CV_PLACE_CMDLINE);
    cv_st32(page + H_RAMDISK, (uint32_t)initrd); /* below 3 GiB */
    cv_st32(page + H_RAMDISK_SIZE, (uint32_t)in->initrd_len);
    page[P_E820_ENTRIES] = (uint8_t)ranges;
    for (unsigned i = 0; i < ranges; i++) {
        uint8_t *e = page + P_E820_TABLE + 20u * i;
        cv_st64(e, map[i].base);
        cv_st64(e + 8, map[i].len);
        cv_st32(e + 16, map[i].type);
    }
    bool ok = cv_ram_write(ram, CV_PLACE_PARAMS, page, sizeof(page));
    (void)ok; /* low memory */
}

bool cv_bzimage_load(const struct cv_load_input *in, struct cv_ram *ram,
                     struct cv_cpu *cpu, struct cv_error *err)
{
    struct bzimage bz = {0};
    cv_gpa initrd;
    if (!read_header(in, &bz, err) || !choose_address(ram, &bz, err)) {
        return false;
    }
    uint64_t cmdline_max = cv_ld32(bz.file + H_CMDLINE_SIZE);
    cv_gpa initrd_end =
        (cv_gpa)cv_ld32(bz.file + H_INITRD_MAX) + 1; /* the field is the last byte */
    if (!cv_place_cmdline(in, ram, cmdline_max, err) ||
        !cv_place_initrd(in, ram, bz.load + bz.init_size, initrd_end, &initrd, err)) {
        return false;
    }
    if (!cv_ram_write(ram, bz.load, bz.file + bz.setup_bytes, bz.payload_bytes)) {
        return cv_error_set(err, CV_EXIT_DATA, "kernel: does not fit into memory");
    }
    write_params(in, ram, &bz, initrd);
    if (bz.is64) { /* boot.rst "64-bit Boot Protocol" */
        cv_place_enter64(ram, cpu, bz.load + ENTRY_64);
    } else { /* "32-bit Boot Protocol" */
        cv_place_enter32(ram, cpu, (uint32_t)bz.load);
    }
    cpu->gpr[CV_RSI] = CV_PLACE_PARAMS;
    return true;
}
