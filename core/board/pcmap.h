/*
 * pcmap.h - every port, address, IRQ number and event slot of the PC, in one table
 *
 * Spec:    82371AB (PIIX4) data sheet "I/O Space"; Intel MultiProcessor Specification 1.4
 * "Memory Map"
 */
#ifndef CV_CORE_BOARD_PCMAP_H
#define CV_CORE_BOARD_PCMAP_H

/* -- ports --------------------------------------------------------------------------- */
#define PORT_PIC_MASTER  0x020u /* 2 */
#define PORT_PIT         0x040u /* 4 */
#define PORT_KBD_DATA    0x060u
#define PORT_SPEAKER     0x061u
#define PORT_KBD_STATUS  0x064u
#define PORT_RTC         0x070u /* 2 */
#define PORT_SYSTEM_A    0x092u
#define PORT_PIC_SLAVE   0x0a0u /* 2 */
#define PORT_DEBUGCON    0x0e9u
#define PORT_FERR        0x0f0u /* coprocessor error */
#define PORT_DEBUGEXIT   0x0f4u /* 4 */
#define PORT_COM2        0x2f8u /* 8 */
#define PORT_COM1        0x3f8u /* 8 */
#define PORT_DEBUGCON_FW 0x402u
#define PORT_ELCR        0x4d0u /* 2 */
#define PORT_PVPANIC     0x505u
#define PORT_ACPI_PM     0x600u /* 12: PM1_EVT +0, PM1_CNT +4, PM_TMR +8 */
#define PORT_PCI_CONFIG  0xcf8u /* 8; reset control at +1 */
#define PORT_RESET       0xcf9u

/* -- memory -------------------------------------------------------------------------- */
#define ADDR_BDA        0x00000400u
#define ADDR_EBDA       0x0009fc00u /* end of low memory as the BIOS tells it */
#define ADDR_ACPI       0x000e0000u /* root pointer and all tables */
#define ADDR_ACPI_END   0x000f0000u
#define ADDR_BIOS_END   0x00100000u
#define ADDR_PCI_WINDOW 0xc0000000u
#define ADDR_IOAPIC     0xfec00000u
#define ADDR_LAPIC      0xfee00000u
#define PAGE_APIC       0x1000u

/* -- interrupt requests (ISA numbers; I/O APIC pins too, but IRQ 0 is pin 2) ---------- */
#define IRQ_PIT  0u
#define IRQ_KBD  1u
#define IRQ_COM2 3u
#define IRQ_COM1 4u
#define IRQ_RTC  8u
#define IRQ_FERR 13u
#define IRQ_SCI  9u /* level, active high */
#define PIN_PIT  2u
#define GSI_PCI  16u /* INTA..INTD swizzled over 16..19 */

#define PC_CPUS_MAX 1u

/* -- virtual-time event slots: the order in which events due at one vtime are served */
enum pc_slot {
    SLOT_PIT,
    SLOT_RTC,
    SLOT_LAPIC,
    SLOT_ACPIPM,
    SLOT_COM1_TX,
    SLOT_COM1_RX,
    SLOT_COM1_TIMEOUT,
    SLOT_COM2_TX,
    SLOT_COM2_RX,
    SLOT_COM2_TIMEOUT,
};

#endif
