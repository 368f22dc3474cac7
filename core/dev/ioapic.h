/*
 * ioapic.h - I/O APIC, 24 pins
 *
 * Spec:    Intel 82093AA data sheet (order number 290566); version 0x20 with the EOI
 *          register of later parts (Intel ICH data sheets "EOI Register")
 * Inputs:  24 lines, MMIO, EOI of a vector
 * Outputs: interrupt messages
 * State:   section "ioapic" version 1
 * Missing: interrupt remapping, PCI MSI (has no pins), polarity (kept, without effect:
 *          lines are told as active or not)
 */
#ifndef CV_CORE_DEV_IOAPIC_H
#define CV_CORE_DEV_IOAPIC_H

#include "core/dev/device.h"

#define CV_IOAPIC_PINS 24u

/* An interrupt message on its way to local APICs; also what an IPI is. */
struct cv_apic_msg {
    uint32_t dest;
    bool logical;
    uint8_t mode; /* CV_APIC_FIXED ... */
    uint8_t vector;
    bool level;
};
enum {
    CV_APIC_FIXED = 0,
    CV_APIC_LOWEST = 1,
    CV_APIC_SMI = 2,
    CV_APIC_NMI = 4,
    CV_APIC_INIT = 5,
    CV_APIC_STARTUP = 6,
    CV_APIC_EXTINT = 7
};

struct cv_ioapic {
    uint8_t id;
    uint8_t select;
    uint32_t lines; /* input levels */
    uint64_t redir[CV_IOAPIC_PINS];
    void (*send)(void *arg, const struct cv_apic_msg *msg);
    void *send_arg;
};

extern const struct cv_device_class cv_ioapic_class;

void cv_ioapic_set_pin(void *ioapic, unsigned pin, bool level);
/* Is some pin open that sends NMI or INIT? */
bool cv_ioapic_has_nmi(const struct cv_ioapic *ioapic);
/* A local APIC ended a level-triggered interrupt. */
void cv_ioapic_eoi(struct cv_ioapic *ioapic, uint8_t vector);
uint64_t cv_ioapic_read(void *ioapic, uint64_t off, unsigned size);
void cv_ioapic_write(void *ioapic, uint64_t off, unsigned size, uint64_t value);

#endif
