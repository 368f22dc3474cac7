#include "debugger/symbols.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOLS_MAX  (1u << 23)
#define SECTION_MAX  (256u << 20)
#define BUILD_ID_MAX 64u
#define STRUCTS_MAX  32u
#define DEPTH_MAX    16u
#define LOOKS_MAX    (1u << 16) /* members: nested hostile types must not multiply */
#define CHILDREN_MAX (1u << 20) /* of a unit */
#define TEXTS_MAX    7u         /* sections with names of entries */

struct symbol {
    uint64_t addr, end; /* end: of its section */
    const char *name;   /* borrowed from libelf */
};

struct cv_symbols {
    Elf *elf;
    Dwarf *dwarf;
    bool dwarf_tried, wide;
    struct {
        const char *bytes;
        size_t len;
    } texts[TEXTS_MAX];  /* as libdw holds them */
    struct symbol *list; /* by address */
    size_t count;
    uint8_t build_id[BUILD_ID_MAX];
    size_t build_id_len;
    struct {
        const char *name; /* the caller's, constant */
        Dwarf_Die die;
        bool found;
    } structs[STRUCTS_MAX];
    size_t struct_count;
};

/* Where the structures of a kernel that anyone asks for are defined. */
static const char *const UNITS[] = {"init/main.c", "kernel/printk/printk.c",
                                    "kernel/module/main.c", "kernel/module.c",
                                    "kernel/fork.c"};

/* -- sections and symbols ------------------------------------------------------------------------ */

static Elf_Scn *find_section(Elf *elf, const char *name, GElf_Shdr *shdr)
{
    size_t strings;
    if (elf_getshdrstrndx(elf, &strings) != 0) {
        return NULL;
    }
    for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn)) != NULL;) {
        const char *called;
        if (gelf_getshdr(scn, shdr) != NULL &&
            (called = elf_strptr(elf, strings, shdr->sh_name)) != NULL &&
            strcmp(called, name) == 0) {
            return scn;
        }
    }
    return NULL;
}

static int compare_symbols(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;
    if (x->addr != y->addr) {
        return x->addr < y->addr ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

/* A symbol that names a place in memory; data of CPUs is linked at 0 and is at no address. */
static bool take_symbol(struct cv_symbols *s, const GElf_Sym *sym, size_t strings)
{
    unsigned type = GELF_ST_TYPE(sym->st_info);
    GElf_Shdr shdr = {0};
    Elf_Scn *scn;
    if (type == STT_SECTION || type == STT_FILE || sym->st_shndx == SHN_UNDEF) {
        return true;
    }
    const char *name = elf_strptr(s->elf, strings, sym->st_name);
    if (name == NULL || name[0] == '\0' || name[0] == '$') {
        return true;
    }
    struct symbol *symbol = &s->list[s->count];
    *symbol = (struct symbol){.addr = sym->st_value, .end = sym->st_value, .name = name};
    if (sym->st_shndx < SHN_LORESERVE &&
        (scn = elf_getscn(s->elf, sym->st_shndx)) != NULL &&
        gelf_getshdr(scn, &shdr) != NULL && (shdr.sh_flags & SHF_ALLOC) != 0 &&
        shdr.sh_addr != 0) {
        symbol->end = shdr.sh_addr + shdr.sh_size;
    }
    s->count++;
    return true;
}

static bool read_symbols(struct cv_symbols *s)
{
    GElf_Shdr shdr = {0};
    Elf_Scn *scn = find_section(s->elf, ".symtab", &shdr);
    Elf_Data *data = scn != NULL ? elf_getdata(scn, NULL) : NULL;
    size_t each = scn != NULL ? gelf_fsize(s->elf, ELF_T_SYM, 1, EV_CURRENT) : 0;
    if (data == NULL || each == 0 || data->d_size / each > SYMBOLS_MAX) {
        return false;
    }
    size_t n = data->d_size / each;
    s->list = calloc(n + 1, sizeof(s->list[0]));
    for (size_t i = 0; s->list != NULL && i < n; i++) {
        GElf_Sym sym;
        if (gelf_getsym(data, (int)i, &sym) != NULL) {
            take_symbol(s, &sym, shdr.sh_link);
        }
    }
    if (s->count > 0) {
        qsort(s->list, s->count, sizeof(s->list[0]), compare_symbols);
    }
    return s->count > 0;
}

static void read_build_id(struct cv_symbols *s)
{
    for (Elf_Scn *scn = NULL; (scn = elf_nextscn(s->elf, scn)) != NULL;) {
        GElf_Shdr shdr;
        GElf_Nhdr note;
        size_t name, desc;
        if (gelf_getshdr(scn, &shdr) == NULL || shdr.sh_type != SHT_NOTE) {
            continue;
        }
        Elf_Data *data = elf_getdata(scn, NULL);
        for (size_t at = 0;
             data != NULL && (at = gelf_getnote(data, at, &note, &name, &desc)) > 0;) {
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
                note.n_descsz > 0 && note.n_descsz <= BUILD_ID_MAX &&
                memcmp((char *)data->d_buf + name, "GNU", 4) == 0) {
                s->build_id_len = note.n_descsz;
                memcpy(s->build_id, (char *)data->d_buf + desc, note.n_descsz);
                return;
            }
        }
    }
}

static bool check_header(struct cv_symbols *s, const char *name, struct cv_error *err)
{
    GElf_Ehdr head;
    if (s->elf == NULL || elf_kind(s->elf) != ELF_K_ELF ||
        gelf_getehdr(s->elf, &head) == NULL) {
        return cv_error_set(err, CV_EXIT_DATA,
                            "%s: is no ELF file; give the vmlinux of the guest's kernel",
                            name);
    }
    s->wide = head.e_ident[EI_CLASS] == ELFCLASS64;
    if ((head.e_machine != EM_X86_64 && head.e_machine != EM_386) ||
        head.e_ident[EI_DATA] != ELFDATA2LSB) {
        return cv_error_set(err, CV_EXIT_DATA, "%s: is not for x86 processors", name);
    }
    if (head.e_type != ET_EXEC && head.e_type != ET_DYN) {
        return cv_error_set(err, CV_EXIT_DATA, "%s: is no linked program", name);
    }
    return true;
}

struct cv_symbols *cv_symbols_open(int fd, const char *name, struct cv_error *err)
{
    struct cv_symbols *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        cv_error_set(err, CV_EXIT_OS, "%s: no memory for its symbols", name);
        return NULL;
    }
    elf_version(EV_CURRENT);
    s->elf = elf_begin(fd, ELF_C_READ, NULL);
    if (!check_header(s, name, err)) {
        cv_symbols_free(s);
        return NULL;
    }
    if (!read_symbols(s)) {
        cv_error_set(err, CV_EXIT_DATA, "%s: has no symbols (stripped?)", name);
        cv_symbols_free(s);
        return NULL;
    }
    read_build_id(s);
    return s;
}

void cv_symbols_free(struct cv_symbols *s)
{
    if (s != NULL) {
        dwarf_end(s->dwarf);
        elf_end(s->elf);
        free(s->list);
        free(s);
    }
}

bool cv_symbols_is_64(const struct cv_symbols *s)
{
    return s->wide;
}

const uint8_t *cv_symbols_build_id(const struct cv_symbols *s, size_t *len)
{
    *len = s->build_id_len;
    return s->build_id_len > 0 ? s->build_id : NULL;
}

bool cv_symbols_lookup(const struct cv_symbols *s, const char *name, uint64_t *addr)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->list[i].name, name) == 0) {
            *addr = s->list[i].addr;
            return true;
        }
    }
    return false;
}

const char *cv_symbols_at(const struct cv_symbols *s, uint64_t addr, uint64_t *start)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->list[middle].addr <= addr) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0 || addr >= s->list[low - 1].end) {
        return NULL;
    }
    *start = s->list[low - 1].addr;
    return s->list[low - 1].name;
}

uint8_t *cv_symbols_section(const struct cv_symbols *s, const char *name, size_t *len)
{
    GElf_Shdr shdr = {0};
    Elf_Scn *scn = find_section(s->elf, name, &shdr);
    Elf_Data *data =
        scn != NULL && shdr.sh_type != SHT_NOBITS ? elf_rawdata(scn, NULL) : NULL;
    if (data == NULL || data->d_buf == NULL || data->d_size == 0 ||
        data->d_size > SECTION_MAX) {
        return NULL;
    }
    uint8_t *copy = malloc(data->d_size);
    if (copy != NULL) {
        memcpy(copy, data->d_buf, data->d_size);
        *len = data->d_size;
    }
    return copy;
}

/* -- layouts ------------------------------------------------------------------------------------- */

/* Where names may lie: libdw 0.188 hands them out without looking for their end. */
static void note_texts(struct cv_symbols *s)
{
    static const char *const names[TEXTS_MAX] = {
        ".debug_info",  ".debug_types",  ".debug_str", ".debug_line_str",
        ".zdebug_info", ".zdebug_types", ".zdebug_str"};
    for (size_t i = 0; i < TEXTS_MAX; i++) {
        GElf_Shdr shdr;
        Elf_Scn *scn = find_section(s->elf, names[i], &shdr);
        Elf_Data *data = scn != NULL ? elf_rawdata(scn, NULL) : NULL;
        if (data != NULL && data->d_buf != NULL) {
            s->texts[i].bytes = data->d_buf;
            s->texts[i].len = data->d_size;
        }
    }
}

static const char *check_end(const struct cv_symbols *s, const char *name)
{
    for (size_t i = 0; name != NULL && i < TEXTS_MAX; i++) {
        size_t at = (uintptr_t)name - (uintptr_t)s->texts[i].bytes;
        if (at < s->texts[i].len) {
            return memchr(name, 0, s->texts[i].len - at) != NULL ? name : NULL;
        }
    }
    return NULL;
}

/* NULL: none, or one in another file. */
static const char *name_of(const struct cv_symbols *s, Dwarf_Die *die)
{
    Dwarf_Attribute attr;
    if (dwarf_attr(die, DW_AT_name, &attr) == NULL) {
        return NULL;
    }
    switch (dwarf_whatform(&attr)) {
    case DW_FORM_string:
    case DW_FORM_strp:
    case DW_FORM_line_strp:
    case DW_FORM_strx:
    case DW_FORM_strx1:
    case DW_FORM_strx2:
    case DW_FORM_strx3:
    case DW_FORM_strx4:
        return check_end(s, dwarf_formstring(&attr));
    default:
        return NULL;
    }
}

static bool is_wanted_unit(const struct cv_symbols *s, Dwarf_Die *unit)
{
    const char *name = name_of(s, unit);
    for (size_t i = 0; name != NULL && i < CV_ARRAY_LEN(UNITS); i++) {
        size_t n = strlen(name), m = strlen(UNITS[i]);
        if (n >= m && strcmp(name + n - m, UNITS[i]) == 0 &&
            (n == m || name[n - m - 1] == '/')) {
            return true;
        }
    }
    return false;
}

static bool find_in_unit(const struct cv_symbols *s, Dwarf_Die *unit, const char *name,
                         Dwarf_Die *result)
{
    Dwarf_Die die;
    unsigned looked = 0;
    for (int rc = dwarf_child(unit, &die); rc == 0 && looked < CHILDREN_MAX;
         rc = dwarf_siblingof(&die, &die), looked++) {
        if (dwarf_tag(&die) != DW_TAG_structure_type ||
            dwarf_hasattr(&die, DW_AT_declaration)) {
            continue;
        }
        const char *called = name_of(s, &die);
        if (called != NULL && strcmp(called, name) == 0) {
            *result = die;
            return true;
        }
    }
    return false;
}

static bool search_units(struct cv_symbols *s, const char *name, Dwarf_Die *die)
{
    Dwarf_CU *cu = NULL;
    Dwarf_Die unit;
    while (dwarf_get_units(s->dwarf, cu, &cu, NULL, NULL, &unit, NULL) == 0) {
        if (is_wanted_unit(s, &unit) && find_in_unit(s, &unit, name, die)) {
            return true;
        }
    }
    return false;
}

static bool find_struct(struct cv_symbols *s, const char *name, Dwarf_Die *die)
{
    if (!s->dwarf_tried) {
        s->dwarf_tried = true;
        s->dwarf = dwarf_begin_elf(s->elf, DWARF_C_READ, NULL);
        note_texts(s);
    }
    for (size_t i = 0; i < s->struct_count; i++) {
        if (strcmp(s->structs[i].name, name) == 0) {
            *die = s->structs[i].die;
            return s->structs[i].found;
        }
    }
    bool found = s->dwarf != NULL && search_units(s, name, die);
    if (s->struct_count < STRUCTS_MAX) {
        size_t i = s->struct_count++;
        s->structs[i].name = name;
        s->structs[i].found = found;
        if (found) {
            s->structs[i].die = *die;
        }
    }
    return found;
}

/* The type of a member, past typedefs and qualifiers. */
static bool get_type(Dwarf_Die *of, Dwarf_Die *type)
{
    Dwarf_Attribute attr;
    return dwarf_attr_integrate(of, DW_AT_type, &attr) != NULL &&
           dwarf_formref_die(&attr, type) != NULL && dwarf_peel_type(type, type) == 0;
}

static bool member_offset(Dwarf_Die *member, uint32_t *offset)
{
    Dwarf_Attribute attr;
    Dwarf_Word value = 0; /* absent: 0, as in unions */
    if (dwarf_hasattr(member, DW_AT_data_bit_offset) ||
        dwarf_hasattr(member, DW_AT_bit_size)) {
        return false;
    }
    if (dwarf_attr(member, DW_AT_data_member_location, &attr) != NULL &&
        (dwarf_formudata(&attr, &value) != 0 || value > UINT32_MAX / 2)) {
        return false;
    }
    *offset = (uint32_t)value;
    return true;
}

struct wanted {
    const struct cv_symbols *in;
    const char *name;
    size_t len;
    unsigned looks;
};

static bool find_member(Dwarf_Die *in, struct wanted *wanted, unsigned depth,
                        uint32_t *offset, Dwarf_Die *type)
{
    Dwarf_Die member;
    int tag = dwarf_tag(in);
    if (depth == DEPTH_MAX ||
        (tag != DW_TAG_structure_type && tag != DW_TAG_union_type)) {
        return false;
    }
    for (int rc = dwarf_child(in, &member); rc == 0;
         rc = dwarf_siblingof(&member, &member)) {
        uint32_t at;
        Dwarf_Die inner;
        if (wanted->looks++ > LOOKS_MAX) {
            return false;
        }
        if (dwarf_tag(&member) != DW_TAG_member || !member_offset(&member, &at) ||
            !get_type(&member, &inner)) {
            continue;
        }
        const char *called = name_of(wanted->in, &member);
        if (called == NULL && find_member(&inner, wanted, depth + 1, offset, type)) {
            *offset += at;
            return true;
        }
        if (called != NULL && strncmp(called, wanted->name, wanted->len) == 0 &&
            called[wanted->len] == '\0') {
            *offset = at;
            *type = inner;
            return true;
        }
    }
    return false;
}

bool cv_symbols_member(struct cv_symbols *s, const char *type, const char *member,
                       uint32_t *offset, uint32_t *size)
{
    Dwarf_Die in, of;
    Dwarf_Word bytes;
    uint32_t at;
    if (!find_struct(s, type, &in)) {
        return false;
    }
    for (*offset = 0;;) {
        size_t len = strcspn(member, ".");
        struct wanted wanted = {.in = s, .name = member, .len = len};
        if (!find_member(&in, &wanted, 0, &at, &of)) {
            return false;
        }
        *offset += at;
        *size = dwarf_aggregate_size(&of, &bytes) == 0 && bytes <= UINT32_MAX
                    ? (uint32_t)bytes
                    : 0;
        if (member[len] == '\0') {
            return true;
        }
        member += len + 1;
        in = of;
        if (dwarf_tag(&in) == DW_TAG_array_type && !get_type(&of, &in)) {
            return false;
        }
    }
}

uint32_t cv_symbols_size(struct cv_symbols *s, const char *type)
{
    Dwarf_Die die;
    Dwarf_Word bytes;
    return find_struct(s, type, &die) && dwarf_aggregate_size(&die, &bytes) == 0 &&
                   bytes <= UINT32_MAX
               ? (uint32_t)bytes
               : 0;
}
