/*
 * apic.h - the local APIC, the I/O APIC and the PIC pair as a guest drives them
 * Spec:    SDM 3A "Local APIC Register Address Map" (table 10-1); 82093AA data sheet; 8259A data sheet
 */
#ifndef CV_TESTS_GUEST_APIC_H
#define CV_TESTS_GUEST_APIC_H

#include "lib.h"

#define APIC_AT   0xfee00000u
#define IOAPIC_AT 0xfec00000u
enum { APIC_ID = 0x20, APIC_VERSION = 0x30, APIC_TPR = 0x80, APIC_PPR = 0xa0, APIC_EOI = 0xb0, APIC_LDR = 0xd0,
       APIC_DFR = 0xe0, APIC_SVR = 0xf0, APIC_ISR = 0x100, APIC_TMR = 0x180, APIC_IRR = 0x200, APIC_ESR = 0x280,
       APIC_ICR = 0x300, APIC_ICR_HIGH = 0x310, APIC_LVT_TIMER = 0x320, APIC_LVT_LINT0 = 0x350,
       APIC_LVT_LINT1 = 0x360, APIC_LVT_ERROR = 0x370, APIC_INITIAL = 0x380, APIC_CURRENT = 0x390,
       APIC_DIVIDE = 0x3e0 };
#define ICR_SELF     0x44000u /* shorthand self, assert */
#define ICR_SELF_NMI 0x44400u
#define LVT_MASK     0x10000u
#define LVT_PERIODIC 0x20000u
#define LVT_DEADLINE 0x40000u

static inline uint32_t apic_read(unsigned reg) { return *(volatile uint32_t *)(uint64_t)(APIC_AT + reg); }
static inline void apic_write(unsigned reg, uint32_t v) { *(volatile uint32_t *)(uint64_t)(APIC_AT + reg) = v; }
static inline bool apic_bit(unsigned reg, unsigned vector)
{
    return (apic_read(reg + (vector >> 5) * 16) >> (vector & 31) & 1) != 0;
}
static inline uint32_t ioapic_read(unsigned reg)
{
    *(volatile uint32_t *)(uint64_t)IOAPIC_AT = reg;
    return *(volatile uint32_t *)(uint64_t)(IOAPIC_AT + 0x10);
}
static inline void ioapic_write(unsigned reg, uint32_t v)
{
    *(volatile uint32_t *)(uint64_t)IOAPIC_AT = reg;
    *(volatile uint32_t *)(uint64_t)(IOAPIC_AT + 0x10) = v;
}
static inline void ioapic_route(unsigned pin, uint32_t low)
{
    ioapic_write(0x11 + 2 * pin, 0);
    ioapic_write(0x10 + 2 * pin, low);
}
/* Both 8259A in the PC's way: vectors 20h and 28h, the given masks. */
static inline void pic_setup(uint8_t mask0, uint8_t mask1)
{
    outb(0x20, 0x11);
    outb(0x21, 0x20);
    outb(0x21, 0x04);
    outb(0x21, 0x01);
    outb(0xa0, 0x11);
    outb(0xa1, 0x28);
    outb(0xa1, 0x02);
    outb(0xa1, 0x01);
    outb(0x21, mask0);
    outb(0xa1, mask1);
}
/* OUT of PIT channel 0, the only line a guest moves at will: mode 0 starts low, mode 1 starts high. */
static inline void irq0_low(void) { outb(0x43, 0x30); }
static inline void irq0_high(void) { outb(0x43, 0x32); }

#endif
