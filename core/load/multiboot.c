#include "core/base/mem.h"
#include "core/load/elf.h"
#include "core/load/formats.h"
#include "core/load/place.h"

/* Multiboot Specification 0.6.96, "The layout of Multiboot header" (3.1.1) */
#define HEADER_MAGIC   0x1badb002u
#define HEADER_SEARCH  8192u
#define FLAG_ADDRESSES 0x10000u
#define FLAGS_KNOWN    0x0007u /* page-aligned modules, memory information, video mode */
#define FLAGS_REQUIRED 0xffffu /* a loader must know all of these that are set */

/* "Boot information format" (3.3) */
#define BOOT_MAGIC   0x2badb002u
#define INFO_BYTES   116u
#define INFO_MODULES 0x100u /* from CV_PLACE_INFO */
#define INFO_MAP     0x200u
#define INFO_NAME    0x400u
#define INFO_FLAGS                                                                       \
    (1u << 0 | 1u << 2 | 1u << 6 | 1u << 9) /* memory, cmdline, map, name */
#define INFO_FLAG_MODS (1u << 3)

static const uint8_t *find_header(const struct cv_load_input *in)
{
    uint64_t end = in->kernel_len < HEADER_SEARCH ? in->kernel_len : HEADER_SEARCH;
    for (uint64_t off = 0; off + 12 <= end; off += 4) {
        const uint8_t *p = in->kernel + off;
        if (cv_ld32(p) == HEADER_MAGIC &&
            (uint32_t)(cv_ld32(p) + cv_ld32(p + 4) + cv_ld32(p + 8)) == 0) {
            return p;
        }
    }
    return NULL;
}

bool cv_multiboot_is(const struct cv_load_input *in)
{
    return find_header(in) != NULL;
}

/* "The address fields of Multiboot header" (3.1.3) */
static bool load_addresses(const struct cv_load_input *in, const uint8_t *h,
                           struct cv_ram *ram, uint64_t *entry, cv_gpa *end,
                           struct cv_error *err)
{
    uint64_t at = (uint64_t)(h - in->kernel);
    if (in->kernel_len - at < 32) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "kernel: its multiboot header is truncated");
    }
    uint64_t header = cv_ld32(h + 12);
    uint64_t load = cv_ld32(h + 16);
    uint64_t load_end = cv_ld32(h + 20);
    uint64_t bss_end = cv_ld32(h + 24);
    *entry = cv_ld32(h + 28);
    if (load > header || header - load > at) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "kernel: multiboot addresses are inconsistent (header at 0x%lx, load "
            "at 0x%lx)",
            (unsigned long)header, (unsigned long)load);
    }
    uint64_t from = at - (header - load);
    uint64_t have = in->kernel_len - from;
    uint64_t bytes = load_end == 0 ? have : load_end - load;
    if (load_end != 0 && (load_end < load || bytes > have)) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "kernel: is a truncated multiboot image (%lu bytes of %lu)",
                            (unsigned long)have, (unsigned long)bytes);
    }
    *end = bss_end > load + bytes ? bss_end : load + bytes;
    if (!cv_place_is_free(ram, load, *end - load)) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "kernel: 0x%lx to 0x%lx does not fit into this machine's memory; "
            "give it more",
            (unsigned long)load, (unsigned long)*end);
    }
    if (!cv_ram_write(ram, load, in->kernel + from, bytes)) {
        return cv_error_set(err, CV_EXIT_DATA, "kernel: multiboot image is outside RAM");
    }
    cv_place_zero(ram, load + bytes, *end - (load + bytes));
    return true;
}

static void write_info(const struct cv_load_input *in, struct cv_ram *ram, cv_gpa initrd)
{
    static const char name[] = "chronovisor";
    uint8_t page[0x420];
    struct cv_map_range map[CV_MAP_MAX];
    unsigned ranges = cv_place_map(ram, map);
    cv_memset(page, 0, sizeof(page));
    cv_st32(page, INFO_FLAGS | (in->initrd_len != 0 ? INFO_FLAG_MODS : 0));
    cv_st32(page + 4, CV_PLACE_EBDA >> 10);
    cv_st32(page + 8, (uint32_t)((ram->low_bytes - CV_PLACE_HIGH) >> 10));
    cv_st32(page + 16, CV_PLACE_CMDLINE);
    if (in->initrd_len != 0) {
        cv_st32(page + 20, 1);
        cv_st32(page + 24, CV_PLACE_INFO + INFO_MODULES);
        cv_st32(page + INFO_MODULES, (uint32_t)initrd);
        cv_st32(page + INFO_MODULES + 4, (uint32_t)(initrd + in->initrd_len));
        cv_st32(page + INFO_MODULES + 8, CV_PLACE_INFO + INFO_BYTES); /* empty string */
    }
    cv_st32(page + 44, 24 * ranges);
    cv_st32(page + 48, CV_PLACE_INFO + INFO_MAP);
    cv_st32(page + 64, CV_PLACE_INFO + INFO_NAME);
    for (unsigned i = 0; i < ranges; i++) {
        uint8_t *e = page + INFO_MAP + 24u * i;
        cv_st32(e, 20); /* size of what follows */
        cv_st64(e + 4, map[i].base);
        cv_st64(e + 12, map[i].len);
        cv_st32(e + 20, map[i].type);
    }
    cv_memcpy(page + INFO_NAME, name, sizeof(name));
    bool ok = cv_ram_write(ram, CV_PLACE_INFO, page, sizeof(page));
    (void)ok; /* low memory */
}

bool cv_multiboot_load(const struct cv_load_input *in, struct cv_ram *ram,
                       struct cv_cpu *cpu, struct cv_error *err)
{
    const uint8_t *h = find_header(in);
    uint64_t entry = 0;
    cv_gpa end = 0, initrd = 0;
    if (h == NULL) {
        return cv_error_set(err, CV_EXIT_DATA, "kernel: has no multiboot header");
    }
    uint32_t flags = cv_ld32(h + 4);
    if (flags & FLAGS_REQUIRED & ~FLAGS_KNOWN) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "kernel: wants multiboot features 0x%x that are not known",
                            flags);
    }
    if (flags & FLAG_ADDRESSES) {
        if (!load_addresses(in, h, ram, &entry, &end, err)) {
            return false;
        }
    } else {
        struct cv_elf elf;
        if (!cv_elf_open(in->kernel, in->kernel_len, &elf, err) ||
            !cv_elf_load(&elf, ram, &end, err)) {
            return false;
        }
        entry = elf.entry;
    }
    if (entry > UINT32_MAX || !cv_ram_has(ram, entry, 1)) {
        return cv_error_set(err, CV_EXIT_DATA, "kernel: entry point 0x%lx is not in RAM",
                            (unsigned long)entry);
    }
    if (!cv_place_cmdline(in, ram, CV_PLACE_CMDLINE_MAX, err) ||
        !cv_place_initrd(in, ram, end, CV_RAM_HOLE_BASE, &initrd, err)) {
        return false;
    }
    write_info(in, ram, initrd);
    cv_place_enter32(ram, cpu, (uint32_t)entry); /* "I386 machine state" (3.2) */
    cpu->gpr[CV_RAX] = BOOT_MAGIC;
    cpu->gpr[CV_RBX] = CV_PLACE_INFO;
    return true;
}
