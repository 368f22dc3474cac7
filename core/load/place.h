/*
 * place.h - where loaders put things, and the CPU states they hand over in
 *
 * Low memory during the hand-over; a kernel may not be loaded over it:
 *   0x05000  start info, memory map, module list, multiboot info (1 page)
 *   0x06000  GDT
 *   0x07000  boot_params ("zero page")
 *   0x09000  page tables: PML4, PDPT, 4 page directories
 *   0x0f000  command line
 *   0x10000  free to 0x9fc00; then EBDA, ROM area with the ACPI tables, to 1 MiB
 * Modules (initrd) go to the top of the memory allowed, page-aligned.
 * Errors:  65 (does not fit, overlaps)
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_LOAD_PLACE_H
#define CV_CORE_LOAD_PLACE_H

#include "core/load/load.h"

#define CV_PLACE_INFO    0x5000u
#define CV_PLACE_GDT     0x6000u
#define CV_PLACE_PARAMS  0x7000u
#define CV_PLACE_TABLES  0x9000u
#define CV_PLACE_CMDLINE 0xf000u
#define CV_PLACE_FREE    0x10000u
#define CV_PLACE_EBDA    0x9fc00u
#define CV_PLACE_HIGH    0x100000u

#define CV_PLACE_CMDLINE_MAX 2047u

/* Types as in E820 and PVH memory maps. */
#define CV_MAP_RAM      1u
#define CV_MAP_RESERVED 2u
struct cv_map_range {
    uint64_t base, len;
    uint32_t type;
};
#define CV_MAP_MAX 8u

/* The machine's memory map, ascending; returns the number of ranges. */
unsigned cv_place_map(const struct cv_ram *ram, struct cv_map_range out[CV_MAP_MAX]);

/* May something be loaded at [gpa, gpa+len)? It is RAM and not in use during the
 * hand-over. */
bool cv_place_is_free(const struct cv_ram *ram, cv_gpa gpa, uint64_t len);

/* Writes zeros. The range must be RAM. */
void cv_place_zero(struct cv_ram *ram, cv_gpa gpa, uint64_t len);

/* Copies the initrd to the highest page-aligned place in [floor, ceiling) of low RAM.
 * *gpa is 0 when there is no initrd. */
bool cv_place_initrd(const struct cv_load_input *in, struct cv_ram *ram, cv_gpa floor,
                     cv_gpa ceiling, cv_gpa *gpa, struct cv_error *err) CV_MUST_CHECK;

/* Copies the command line, cut to `max` bytes of text by refusal, not silently. */
bool cv_place_cmdline(const struct cv_load_input *in, struct cv_ram *ram, uint64_t max,
                      struct cv_error *err) CV_MUST_CHECK;

/* Flat 32-bit protected mode, paging off, interrupts off: code selector 10H, data 18H. */
void cv_place_enter32(struct cv_ram *ram, struct cv_cpu *cpu, uint32_t entry);
/* 64-bit mode with the first 4 GiB identity-mapped by 2 MiB pages; same selectors. */
void cv_place_enter64(struct cv_ram *ram, struct cv_cpu *cpu, uint64_t entry);

#endif
