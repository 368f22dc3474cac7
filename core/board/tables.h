/*
 * tables.h - what firmware leaves in memory: ACPI tables and the BIOS data area
 *
 * Spec:    ACPI Specification 6.4, "ACPI Software Programming Model" (5): RSDP 2.0,
 *          XSDT, FADT revision 4, FACS, MADT, DSDT
 * Errors:  none: the tables are of fixed shape and their place is RAM of every machine
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_BOARD_TABLES_H
#define CV_CORE_BOARD_TABLES_H

#include "core/mem/ram.h"

/* Builds the image of [ADDR_ACPI, ADDR_ACPI + cap) at buf; returns its length. */
size_t cv_tables_build(uint8_t *buf, size_t cap, unsigned cpus);
/* Writes it, and the BIOS data area, to RAM. */
void cv_tables_write(struct cv_ram *ram, unsigned cpus);

#endif
