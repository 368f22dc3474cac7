#include "core/board/tables.h"
#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/board/aml.h"
#include "core/board/pcmap.h"
#include "core/dev/acpipm.h"

/* Where each table stands, from ADDR_ACPI */
#define AT_RSDP   0x000u
#define AT_XSDT   0x040u
#define AT_FADT   0x080u
#define AT_MADT   0x180u
#define AT_FACS   0x240u /* 64-byte aligned */
#define AT_DSDT   0x280u
#define IMAGE_CAP 8192u

#define RSDP_BYTES   36u
#define FADT_BYTES   244u
#define FACS_BYTES   64u
#define HEADER_BYTES 36u

static uint8_t checksum(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum = (uint8_t)(sum + p[i]);
    }
    return (uint8_t)(0u - sum);
}

/* "System Description Table Header" (5.2.6); the checksum is the last thing to be known.
 */
static void write_header(uint8_t *t, const char *signature, size_t bytes,
                         uint8_t revision)
{
    cv_memcpy(t, signature, 4);
    cv_st32(t + 4, (uint32_t)bytes);
    t[8] = revision;
    cv_memcpy(t + 10, "CVISOR", 6);
    cv_memcpy(t + 16, "CVPC    ", 8);
    cv_st32(t + 24, 1);
    cv_memcpy(t + 28, "CVIS", 4);
    cv_st32(t + 32, 1);
    t[9] = 0;
    t[9] = checksum(t, bytes);
}

static void write_rsdp(uint8_t *t)
{
    cv_memcpy(t, "RSD PTR ", 8);
    cv_memcpy(t + 9, "CVISOR", 6);
    t[15] = 2;
    cv_st32(t + 16, 0); /* no RSDT: whoever reads revision 2 takes the XSDT */
    cv_st32(t + 20, RSDP_BYTES);
    cv_st64(t + 24, ADDR_ACPI + AT_XSDT);
    t[8] = checksum(t, 20);
    t[32] = checksum(t, RSDP_BYTES);
}

static void write_xsdt(uint8_t *t)
{
    cv_st64(t + HEADER_BYTES, ADDR_ACPI + AT_FADT);
    cv_st64(t + HEADER_BYTES + 8, ADDR_ACPI + AT_MADT);
    write_header(t, "XSDT", HEADER_BYTES + 16, 1);
}

/* "Generic Address Structure" (5.2.3.2) in I/O space */
static void write_gas(uint8_t *p, unsigned bits, unsigned access, uint32_t port)
{
    p[0] = 1;
    p[1] = (uint8_t)bits;
    p[2] = 0;
    p[3] = (uint8_t)access; /* 1 byte, 2 word, 3 dword */
    cv_st64(p + 4, port);
}

/* "Fixed ACPI Description Table" (5.2.9): numbers are byte offsets of table 5.9 */
static void write_fadt(uint8_t *t)
{
    cv_st32(t + 36, ADDR_ACPI + AT_FACS);
    cv_st32(t + 40, ADDR_ACPI + AT_DSDT);
    t[45] = 1; /* desktop */
    cv_st16(t + 46, IRQ_SCI);
    cv_st32(t + 56, PORT_ACPI_PM);     /* PM1a_EVT_BLK */
    cv_st32(t + 64, PORT_ACPI_PM + 4); /* PM1a_CNT_BLK */
    cv_st32(t + 76, PORT_ACPI_PM + 8); /* PM_TMR_BLK */
    t[88] = 4;                         /* PM1_EVT_LEN */
    t[89] = 2;                         /* PM1_CNT_LEN */
    t[91] = 4;                         /* PM_TMR_LEN */
    cv_st16(t + 96, 0xfff);            /* P_LVL2_LAT > 100: no C2 */
    cv_st16(t + 98, 0xfff);            /* P_LVL3_LAT > 1000: no C3 */
    t[108] = 0x32;                     /* CENTURY */
    cv_st16(t + 109, 0x0007);          /* legacy devices, 8042, no VGA */
    /* WBINVD, C1, no fixed sleep button or RTC wake, 32-bit timer, reset register */
    cv_st32(t + 112, 1u << 0 | 1u << 2 | 1u << 5 | 1u << 6 | 1u << 8 | 1u << 10);
    write_gas(t + 116, 8, 1, PORT_RESET);
    t[128] = 6; /* RESET_VALUE */
    cv_st64(t + 140, ADDR_ACPI + AT_DSDT);
    write_gas(t + 148, 32, 2, PORT_ACPI_PM);
    write_gas(t + 172, 16, 2, PORT_ACPI_PM + 4);
    write_gas(t + 208, 32, 3, PORT_ACPI_PM + 8);
    write_header(t, "FACP", FADT_BYTES, 4);
}

static void write_facs(uint8_t *t)
{
    cv_memcpy(t, "FACS", 4);
    cv_st32(t + 4, FACS_BYTES);
    t[32] = 2; /* version */
}

/* "Interrupt Source Override Structure" (5.2.12.5) */
static size_t write_override(uint8_t *p, unsigned irq, unsigned gsi, unsigned flags)
{
    p[0] = 2;
    p[1] = 10;
    p[3] = (uint8_t)irq;
    cv_st32(p + 4, gsi);
    cv_st16(p + 8, (uint16_t)flags);
    return 10;
}

/* "Multiple APIC Description Table" (5.2.12) */
static void write_madt(uint8_t *t, unsigned cpus)
{
    size_t n = HEADER_BYTES;
    cv_st32(t + n, ADDR_LAPIC);
    cv_st32(t + n + 4, 1); /* PCAT_COMPAT: there is an 8259 pair */
    n += 8;
    for (unsigned i = 0; i < cpus; i++) {
        t[n] = 0; /* processor local APIC */
        t[n + 1] = 8;
        t[n + 2] = (uint8_t)i;
        t[n + 3] = (uint8_t)i;
        cv_st32(t + n + 4, 1); /* enabled */
        n += 8;
    }
    t[n] = 1; /* I/O APIC */
    t[n + 1] = 12;
    t[n + 2] = 0;
    cv_st32(t + n + 4, ADDR_IOAPIC);
    cv_st32(t + n + 8, 0);
    n += 12;
    n += write_override(t + n, IRQ_PIT, PIN_PIT, 0);
    n += write_override(t + n, IRQ_SCI, IRQ_SCI, 0x0d); /* active high, level */
    t[n] = 4; /* local APIC NMI: all processors, LINT1 */
    t[n + 1] = 6;
    t[n + 2] = 0xff;
    t[n + 5] = 1;
    n += 6;
    CV_ASSERT(AT_MADT + n <= AT_FACS);
    write_header(t, "APIC", n, 3);
}

/* -- DSDT ---------------------------------------------------------------------------- */

static void write_routing(struct cv_aml *a)
{
    size_t prt = cv_aml_named_package(a, "_PRT", 31 * 4);
    for (unsigned slot = 1; slot <= 31; slot++) {
        for (unsigned pin = 0; pin < 4; pin++) {
            size_t entry = cv_aml_package(a, 4);
            cv_aml_integer(a, slot << 16 | 0xffff);
            cv_aml_integer(a, pin);
            cv_aml_integer(a, 0);
            cv_aml_integer(a, GSI_PCI + ((slot + pin) & 3));
            cv_aml_close(a, entry);
        }
    }
    cv_aml_close(a, prt);
}

static void write_host_resources(struct cv_aml *a)
{
    size_t crs = cv_aml_resources(a, "_CRS");
    cv_aml_word_range(a, CV_AML_BUS, 0, 0xff);
    cv_aml_io(a, PORT_PCI_CONFIG, 8);
    cv_aml_word_range(a, CV_AML_IO, 0, PORT_PCI_CONFIG - 1);
    cv_aml_word_range(a, CV_AML_IO, PORT_PCI_CONFIG + 8, 0xffff);
    cv_aml_dword_memory(a, 0xa0000, 0xbffff);
    cv_aml_dword_memory(a, ADDR_PCI_WINDOW, ADDR_IOAPIC - 1);
    cv_aml_close_resources(a, crs);
}

/* One legacy device: up to two port ranges and one IRQ (16: none). */
struct legacy {
    const char *name;
    uint16_t pnp, port, port2;
    uint8_t length, irq, uid;
};

static void write_legacy(struct cv_aml *a, const struct legacy *d)
{
    size_t device = cv_aml_device(a, d->name);
    if (d->pnp != 0) {
        cv_aml_name_pnp(a, "_HID", d->pnp);
    } else {
        cv_aml_name_string(a, "_HID", "QEMU0001"); /* what pvpanic drivers bind to */
    }
    cv_aml_name_integer(a, "_UID", d->uid);
    cv_aml_name_integer(a, "_STA", 0x0f);
    size_t crs = cv_aml_resources(a, "_CRS");
    cv_aml_io(a, d->port, d->length);
    if (d->port2 != 0) {
        cv_aml_io(a, d->port2, d->length);
    }
    if (d->irq < 16) {
        cv_aml_irq(a, d->irq);
    }
    cv_aml_close_resources(a, crs);
    cv_aml_close(a, device);
}

static const struct legacy LEGACY[] = {
    {"MBRD", 0x0c02, PORT_ACPI_PM, 0, 12, 16, 0}, /* ports of the board itself */
    {"RTC_", 0x0b00, PORT_RTC, 0, 2, IRQ_RTC, 0},
    {"KBD_", 0x0303, PORT_KBD_DATA, PORT_KBD_STATUS, 1, IRQ_KBD, 0},
    {"COM1", 0x0501, PORT_COM1, 0, 8, IRQ_COM1, 1},
    {"COM2", 0x0501, PORT_COM2, 0, 8, IRQ_COM2, 2},
    {"PEVT", 0, PORT_PVPANIC, 0, 1, 16, 0},
};

static size_t write_dsdt(uint8_t *t, size_t cap, unsigned cpus)
{
    struct cv_aml a = {.buf = t, .cap = cap, .len = HEADER_BYTES};
    size_t s5 = cv_aml_named_package(&a, "_S5_", 4);
    cv_aml_integer(&a, CV_ACPIPM_SLP_TYP_S5);
    cv_aml_integer(&a, CV_ACPIPM_SLP_TYP_S5);
    cv_aml_integer(&a, 0);
    cv_aml_integer(&a, 0);
    cv_aml_close(&a, s5);
    size_t sb = cv_aml_scope(&a, "\\_SB_");
    for (unsigned i = 0; i < cpus; i++) {
        char name[5] = {'C', 'P', 'U', "0123456789ABCDEF"[i & 15], '\0'};
        size_t cpu = cv_aml_device(&a, name);
        cv_aml_name_string(&a, "_HID", "ACPI0007");
        cv_aml_name_integer(&a, "_UID", i);
        cv_aml_close(&a, cpu);
    }
    size_t pci = cv_aml_device(&a, "PCI0");
    cv_aml_name_pnp(&a, "_HID", 0x0a03);
    cv_aml_name_integer(&a, "_UID", 0);
    cv_aml_name_integer(&a, "_BBN", 0);
    write_host_resources(&a);
    write_routing(&a);
    size_t isa = cv_aml_device(&a, "ISA_");
    cv_aml_name_integer(&a, "_ADR", 0x00010000);
    for (size_t i = 0; i < CV_ARRAY_LEN(LEGACY); i++) {
        write_legacy(&a, &LEGACY[i]);
    }
    cv_aml_close(&a, isa);
    cv_aml_close(&a, pci);
    cv_aml_close(&a, sb);
    CV_ASSERT(!a.full);
    write_header(t, "DSDT", a.len, 2);
    return a.len;
}

size_t cv_tables_build(uint8_t *buf, size_t cap, unsigned cpus)
{
    CV_ASSERT(cap > AT_DSDT);
    cv_memset(buf, 0, cap);
    write_rsdp(buf + AT_RSDP);
    write_xsdt(buf + AT_XSDT);
    write_fadt(buf + AT_FADT);
    write_madt(buf + AT_MADT, cpus);
    write_facs(buf + AT_FACS);
    return AT_DSDT + write_dsdt(buf + AT_DSDT, cap - AT_DSDT, cpus);
}

/* "BIOS Data Area" of the IBM PC: serial ports, EBDA segment, KiB of low memory */
static void write_bda(struct cv_ram *ram)
{
    uint8_t bda[0x16] = {0};
    cv_st16(bda + 0x00, PORT_COM1);
    cv_st16(bda + 0x02, PORT_COM2);
    cv_st16(bda + 0x0e, ADDR_EBDA >> 4);
    cv_st16(bda + 0x13, ADDR_EBDA >> 10);
    bool ok = cv_ram_write(ram, ADDR_BDA, bda, sizeof(bda));
    CV_ASSERT(ok);
}

void cv_tables_write(struct cv_ram *ram, unsigned cpus)
{
    uint8_t image[IMAGE_CAP];
    size_t n = cv_tables_build(image, sizeof(image), cpus);
    bool ok = cv_ram_write(ram, ADDR_ACPI, image, n);
    CV_ASSERT(ok);
    write_bda(ram);
}
