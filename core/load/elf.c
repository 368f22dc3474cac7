#include "core/load/elf.h"
#include "core/base/mem.h"
#include "core/load/formats.h"
#include "core/load/place.h"

#define EM_386    3u
#define EM_X86_64 62u
#define ET_EXEC   2u
#define ET_DYN    3u
#define PHNUM_MAX 512u

/* PVH, "x86/HVM direct boot ABI" (Xen docs/misc/pvh.pandoc) */
#define XEN_ELFNOTE_PHYS32_ENTRY 18u
#define START_MAGIC              0x336ec578u
#define START_BYTES              56u
#define START_MODULES            0x100u /* from CV_PLACE_INFO */
#define START_MAP                0x200u

static const char *machine_name(unsigned machine)
{
    static const struct {
        uint16_t number;
        const char *name;
    } names[] = {{EM_386, "i386"},  {8, "MIPS"},     {20, "PowerPC"},
                 {21, "PowerPC64"}, {22, "S/390"},   {40, "ARM"},
                 {43, "SPARC V9"},  {50, "IA-64"},   {EM_X86_64, "x86-64"},
                 {183, "AArch64"},  {243, "RISC-V"}, {258, "LoongArch"}};
    for (size_t i = 0; i < CV_ARRAY_LEN(names); i++) {
        if (names[i].number == machine) {
            return names[i].name;
        }
    }
    return "an unknown machine";
}

bool cv_elf_is(const uint8_t *data, uint64_t len)
{
    return len >= 4 && cv_memcmp(data, "\177ELF", 4) == 0;
}

/* Header fields, and that they make sense together. */
static bool read_header(struct cv_elf *elf, struct cv_error *err)
{
    const uint8_t *d = elf->data;
    unsigned header = d[4] == 2 ? 64 : 52;
    if (elf->len < header) {
        return cv_error_set(err, CV_EXIT_DATA, "kernel: is a truncated ELF (%lu bytes)",
                            (unsigned long)elf->len);
    }
    unsigned machine = d[5] == 2 ? (unsigned)(d[18] << 8 | d[19]) : cv_ld16(d + 18);
    if (d[5] != 1 || (machine != EM_X86_64 && machine != EM_386)) {
        return cv_error_set(err, CV_EXIT_DATA, "kernel: is an ELF for %s; need x86-64",
                            machine_name(machine));
    }
    if (cv_ld16(d + 16) != ET_EXEC && cv_ld16(d + 16) != ET_DYN) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "kernel: is an ELF but no executable (type %u)",
                            cv_ld16(d + 16));
    }
    elf->is64 = d[4] == 2;
    elf->entry = elf->is64 ? cv_ld64(d + 24) : cv_ld32(d + 24);
    elf->phoff = elf->is64 ? cv_ld64(d + 32) : cv_ld32(d + 28);
    elf->phsize = cv_ld16(d + (elf->is64 ? 54 : 42));
    elf->phnum = cv_ld16(d + (elf->is64 ? 56 : 44));
    return true;
}

bool cv_elf_open(const uint8_t *data, uint64_t len, struct cv_elf *elf,
                 struct cv_error *err)
{
    *elf = (struct cv_elf){.data = data, .len = len};
    if (!cv_elf_is(data, len) || len < 20 || (data[4] != 1 && data[4] != 2)) {
        return cv_error_set(err, CV_EXIT_DATA, "kernel: is a damaged or truncated ELF");
    }
    if (!read_header(elf, err)) {
        return false;
    }
    unsigned want = elf->is64 ? 56 : 32;
    if (elf->phnum == 0 || elf->phnum > PHNUM_MAX || elf->phsize < want) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "kernel: is an ELF with bad program headers (%u of %u bytes)",
                            elf->phnum, elf->phsize);
    }
    uint64_t bytes = (uint64_t)elf->phnum * elf->phsize;
    if (elf->phoff > len || bytes > len - elf->phoff) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "kernel: is a truncated ELF (program headers end at %lu of %lu bytes)",
            (unsigned long)(elf->phoff + bytes), (unsigned long)len);
    }
    return true;
}

void cv_elf_segment(const struct cv_elf *elf, unsigned i, struct cv_elf_segment *seg)
{
    const uint8_t *p = elf->data + elf->phoff + (uint64_t)i * elf->phsize;
    seg->type = cv_ld32(p);
    if (elf->is64) {
        seg->off = cv_ld64(p + 8);
        seg->paddr = cv_ld64(p + 24);
        seg->filesz = cv_ld64(p + 32);
        seg->memsz = cv_ld64(p + 40);
    } else {
        seg->off = cv_ld32(p + 4);
        seg->paddr = cv_ld32(p + 12);
        seg->filesz = cv_ld32(p + 16);
        seg->memsz = cv_ld32(p + 20);
    }
}

static bool check_segment(const struct cv_elf *elf, const struct cv_elf_segment *seg,
                          unsigned i, const struct cv_ram *ram, struct cv_error *err)
{
    uint64_t end;
    if (seg->filesz > seg->memsz ||
        __builtin_add_overflow(seg->paddr, seg->memsz, &end)) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "kernel: ELF segment %u has nonsensical sizes", i);
    }
    if (seg->off > elf->len || seg->filesz > elf->len - seg->off) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "kernel: is a truncated ELF (segment %u is not all in the file)", i);
    }
    if (!cv_place_is_free(ram, seg->paddr, seg->memsz)) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "kernel: ELF segment %u (0x%lx to 0x%lx) does not fit into this "
            "machine's memory; give it more",
            i, (unsigned long)seg->paddr, (unsigned long)end);
    }
    return true;
}

bool cv_elf_load(const struct cv_elf *elf, struct cv_ram *ram, cv_gpa *end,
                 struct cv_error *err)
{
    uint64_t total = 0;
    *end = 0;
    for (unsigned i = 0; i < elf->phnum; i++) {
        struct cv_elf_segment seg;
        cv_elf_segment(elf, i, &seg);
        if (seg.type != CV_PT_LOAD || seg.memsz == 0) {
            continue;
        }
        if (!check_segment(elf, &seg, i, ram, err)) {
            return false;
        }
        total += seg.memsz; /* each is at most the RAM, and there are few */
        if (total > ram->bytes) {
            return cv_error_set(err, CV_EXIT_DATA, "kernel: ELF segments overlap");
        }
        if (!cv_ram_write(ram, seg.paddr, elf->data + seg.off, seg.filesz)) {
            return cv_error_set(err, CV_EXIT_DATA,
                                "kernel: ELF segment %u is outside RAM", i);
        }
        cv_place_zero(ram, seg.paddr + seg.filesz, seg.memsz - seg.filesz);
        *end = seg.paddr + seg.memsz > *end ? seg.paddr + seg.memsz : *end;
    }
    if (total == 0) {
        return cv_error_set(err, CV_EXIT_DATA, "kernel: is an ELF with nothing to load");
    }
    return true;
}

/* One PT_NOTE: "Note Section"; names and values are padded to 4 bytes. */
static bool scan_notes(const uint8_t *p, uint64_t len, const char *owner, uint32_t type,
                       uint64_t *value)
{
    size_t owner_len = cv_strlen(owner) + 1;
    while (len >= 12) {
        uint64_t namesz = cv_ld32(p);
        uint64_t descsz = cv_ld32(p + 4);
        uint64_t name_pad = (namesz + 3) & ~3ull;
        uint64_t desc_pad = (descsz + 3) & ~3ull;
        uint64_t body = len - 12;
        if (name_pad > body || descsz > body - name_pad) {
            return false;
        }
        const uint8_t *name = p + 12;
        const uint8_t *desc = name + name_pad;
        if (cv_ld32(p + 8) == type && namesz == owner_len &&
            cv_memcmp(name, owner, owner_len) == 0 && (descsz == 4 || descsz == 8)) {
            *value = descsz == 8 ? cv_ld64(desc) : cv_ld32(desc);
            return true;
        }
        if (desc_pad > body - name_pad) {
            return false;
        }
        p = desc + desc_pad;
        len = body - name_pad - desc_pad;
    }
    return false;
}

bool cv_elf_note(const struct cv_elf *elf, const char *owner, uint32_t type,
                 uint64_t *value)
{
    for (unsigned i = 0; i < elf->phnum; i++) {
        struct cv_elf_segment seg;
        cv_elf_segment(elf, i, &seg);
        if (seg.type == CV_PT_NOTE && seg.off <= elf->len &&
            seg.filesz <= elf->len - seg.off &&
            scan_notes(elf->data + seg.off, seg.filesz, owner, type, value)) {
            return true;
        }
    }
    return false;
}

/* -- PVH ----------------------------------------------------------------------------- */

/* struct hvm_start_info version 1, hvm_modlist_entry, hvm_memmap_table_entry */
static void write_start_info(const struct cv_load_input *in, struct cv_ram *ram,
                             cv_gpa initrd)
{
    uint8_t page[0x400];
    struct cv_map_range map[CV_MAP_MAX];
    unsigned ranges = cv_place_map(ram, map);
    cv_memset(page, 0, sizeof(page));
    cv_st32(page, START_MAGIC);
    cv_st32(page + 4, 1);
    cv_st64(page + 24, CV_PLACE_CMDLINE);
    cv_st64(page + 32, in->rsdp);
    cv_st64(page + 40, CV_PLACE_INFO + START_MAP);
    cv_st32(page + 48, ranges);
    if (in->initrd_len != 0) {
        cv_st32(page + 12, 1);
        cv_st64(page + 16, CV_PLACE_INFO + START_MODULES);
        cv_st64(page + START_MODULES, initrd);
        cv_st64(page + START_MODULES + 8, in->initrd_len);
    }
    for (unsigned i = 0; i < ranges; i++) {
        uint8_t *e = page + START_MAP + 24u * i;
        cv_st64(e, map[i].base);
        cv_st64(e + 8, map[i].len);
        cv_st32(e + 16, map[i].type);
    }
    bool ok = cv_ram_write(ram, CV_PLACE_INFO, page, sizeof(page));
    (void)ok; /* low memory */
}

bool cv_pvh_load(const struct cv_load_input *in, struct cv_ram *ram, struct cv_cpu *cpu,
                 struct cv_error *err)
{
    struct cv_elf elf;
    uint64_t entry;
    cv_gpa end, initrd;
    if (!cv_elf_open(in->kernel, in->kernel_len, &elf, err)) {
        return false;
    }
    if (!cv_elf_note(&elf, "Xen", XEN_ELFNOTE_PHYS32_ENTRY, &entry)) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "kernel: is an ELF for %s without a PVH entry point or a multiboot "
            "header; give the bzImage, or build with CONFIG_PVH",
            elf.is64 ? "x86-64" : "i386");
    }
    if (!cv_elf_load(&elf, ram, &end, err) ||
        !cv_place_cmdline(in, ram, CV_PLACE_CMDLINE_MAX, err) ||
        !cv_place_initrd(in, ram, end, CV_RAM_HOLE_BASE, &initrd, err)) {
        return false;
    }
    if (!cv_ram_has(ram, entry, 1) || entry > UINT32_MAX) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "kernel: PVH entry point 0x%lx is not in RAM",
                            (unsigned long)entry);
    }
    write_start_info(in, ram, initrd);
    cv_place_enter32(ram, cpu, (uint32_t)entry);
    cpu->gpr[CV_RBX] = CV_PLACE_INFO;
    return true;
}
