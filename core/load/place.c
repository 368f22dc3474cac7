#include "core/load/place.h"
#include "core/base/check.h"
#include "core/base/mem.h"

/* IA32_MTRR_DEF_TYPE as firmware leaves it: enabled, fixed ranges enabled, write-back. */
#define MTRR_DEFAULT_WB 0xc06u

#define GDT_CODE32  0x00cf9b000000ffffull
#define GDT_CODE64  0x00af9b000000ffffull
#define GDT_DATA    0x00cf93000000ffffull
#define SEL_CODE    0x10u
#define SEL_DATA    0x18u
#define ATTR_CODE32 0xc09bu
#define ATTR_CODE64 0xa09bu
#define ATTR_DATA   0xc093u
#define ATTR_TSS    0x008bu /* busy 32/64-bit TSS */
#define ATTR_LDT    0x0082u
#define PTE_TABLE   0x3u /* present, writable */
#define PTE_PAGE2M  0x83u

static void write_or_die(struct cv_ram *ram, cv_gpa gpa, const void *p, uint64_t len)
{
    bool ok = cv_ram_write(ram, gpa, p, len); /* low memory: RAM of every machine */
    CV_ASSERT(ok);
}

unsigned cv_place_map(const struct cv_ram *ram, struct cv_map_range out[CV_MAP_MAX])
{
    unsigned n = 0;
    out[n++] = (struct cv_map_range){0, CV_PLACE_EBDA, CV_MAP_RAM};
    out[n++] = (struct cv_map_range){CV_PLACE_EBDA, CV_PLACE_HIGH - CV_PLACE_EBDA,
                                     CV_MAP_RESERVED};
    if (ram->low_bytes > CV_PLACE_HIGH) {
        out[n++] = (struct cv_map_range){CV_PLACE_HIGH, ram->low_bytes - CV_PLACE_HIGH,
                                         CV_MAP_RAM};
    }
    out[n++] = (struct cv_map_range){0xfec00000u, 0x1000, CV_MAP_RESERVED}; /* I/O APIC */
    out[n++] =
        (struct cv_map_range){0xfee00000u, 0x1000, CV_MAP_RESERVED}; /* local APICs */
    if (ram->span > CV_RAM_HIGH_BASE) {
        out[n++] = (struct cv_map_range){CV_RAM_HIGH_BASE, ram->span - CV_RAM_HIGH_BASE,
                                         CV_MAP_RAM};
    }
    return n;
}

bool cv_place_is_free(const struct cv_ram *ram, cv_gpa gpa, uint64_t len)
{
    if (!cv_ram_has(ram, gpa, len) || gpa < CV_PLACE_FREE) {
        return false;
    }
    return gpa >= CV_PLACE_HIGH || len <= (gpa < CV_PLACE_EBDA ? CV_PLACE_EBDA - gpa : 0);
}

void cv_place_zero(struct cv_ram *ram, cv_gpa gpa, uint64_t len)
{
    static const uint8_t zeros[CV_PAGE_SIZE];
    while (len > 0) {
        uint64_t n = len < sizeof(zeros) ? len : sizeof(zeros);
        write_or_die(ram, gpa, zeros, n);
        gpa += n;
        len -= n;
    }
}

bool cv_place_initrd(const struct cv_load_input *in, struct cv_ram *ram, cv_gpa floor,
                     cv_gpa ceiling, cv_gpa *gpa, struct cv_error *err)
{
    *gpa = 0;
    if (in->initrd_len == 0) {
        return true;
    }
    cv_gpa top = ceiling < ram->low_bytes ? ceiling : ram->low_bytes;
    floor = floor < CV_PLACE_HIGH ? CV_PLACE_HIGH : floor;
    if (top > floor && in->initrd_len <= top - floor) {
        cv_gpa at = (top - in->initrd_len) & CV_PAGE_MASK;
        if (at >= floor) {
            write_or_die(ram, at, in->initrd, in->initrd_len);
            *gpa = at;
            return true;
        }
    }
    return cv_error_set(
        err, CV_EXIT_DATA,
        "initrd: %lu KiB do not fit beside the kernel (free: 0x%lx to 0x%lx); "
        "give the machine more memory",
        (unsigned long)((in->initrd_len + 1023) >> 10), (unsigned long)floor,
        (unsigned long)top);
}

bool cv_place_cmdline(const struct cv_load_input *in, struct cv_ram *ram, uint64_t max,
                      struct cv_error *err)
{
    const char *text = in->append != NULL ? in->append : "";
    size_t len = cv_strlen(text);
    max = max < CV_PLACE_CMDLINE_MAX ? max : CV_PLACE_CMDLINE_MAX;
    if (len > max) {
        return cv_error_set(
            err, CV_EXIT_DATA,
            "append: %zu bytes; this kernel takes a command line of at most %lu", len,
            (unsigned long)max);
    }
    write_or_die(ram, CV_PLACE_CMDLINE, text, len + 1);
    return true;
}

static void enter(struct cv_ram *ram, struct cv_cpu *cpu, uint64_t code,
                  uint32_t code_attr)
{
    const uint64_t gdt[4] = {0, 0, code, GDT_DATA};
    write_or_die(ram, CV_PLACE_GDT, gdt, sizeof(gdt));
    for (unsigned i = 0; i < CV_SEG_COUNT; i++) {
        cpu->seg[i] = (struct cv_seg){
            .base = 0, .limit = 0xffffffffu, .attr = ATTR_DATA, .sel = SEL_DATA};
    }
    cpu->seg[CV_CS].attr = code_attr;
    cpu->seg[CV_CS].sel = SEL_CODE;
    cpu->tr = (struct cv_seg){.limit = 0x67, .attr = ATTR_TSS};
    cpu->ldtr = (struct cv_seg){.limit = 0xffff, .attr = ATTR_LDT};
    cpu->gdtr = (struct cv_dtable){.base = CV_PLACE_GDT, .limit = sizeof(gdt) - 1};
    cpu->idtr = (struct cv_dtable){.base = 0, .limit = 0};
    for (unsigned i = 0; i < 16; i++) {
        cpu->gpr[i] = 0;
    }
    cpu->rflags = CV_FL_FIXED;
}

void cv_place_enter32(struct cv_ram *ram, struct cv_cpu *cpu, uint32_t entry)
{
    enter(ram, cpu, GDT_CODE32, ATTR_CODE32);
    cpu->cr0 = CV_CR0_PE | CV_CR0_ET;
    cpu->mtrr_def_type = MTRR_DEFAULT_WB;
    cpu->cr3 = 0;
    cpu->cr4 = 0;
    cpu->efer = 0;
    cpu->rip = entry;
}

/* SDM 3A "4-Level Paging and 5-Level Paging" (4.5): one PML4 and one PDPT entry chain, 4
 * directories */
static void write_identity_tables(struct cv_ram *ram)
{
    uint64_t table[512];
    cv_memset(table, 0, sizeof(table));
    table[0] = (CV_PLACE_TABLES + 0x1000u) | PTE_TABLE;
    write_or_die(ram, CV_PLACE_TABLES, table, sizeof(table));
    for (unsigned i = 0; i < 4; i++) {
        table[i] = (CV_PLACE_TABLES + 0x2000u + i * 0x1000u) | PTE_TABLE;
    }
    write_or_die(ram, CV_PLACE_TABLES + 0x1000u, table, sizeof(table));
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned j = 0; j < 512; j++) {
            table[j] = ((uint64_t)i << 30 | (uint64_t)j << 21) | PTE_PAGE2M;
        }
        write_or_die(ram, CV_PLACE_TABLES + 0x2000u + i * 0x1000u, table, sizeof(table));
    }
}

void cv_place_enter64(struct cv_ram *ram, struct cv_cpu *cpu, uint64_t entry)
{
    enter(ram, cpu, GDT_CODE64, ATTR_CODE64);
    write_identity_tables(ram);
    cpu->cr0 = CV_CR0_PE | CV_CR0_ET | CV_CR0_PG;
    cpu->mtrr_def_type = MTRR_DEFAULT_WB;
    cpu->cr3 = CV_PLACE_TABLES;
    cpu->cr4 = CV_CR4_PAE;
    cpu->efer = CV_EFER_LME | CV_EFER_LMA;
    cpu->rip = entry;
}
