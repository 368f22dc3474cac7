/*
 * pci.h - PCI configuration mechanism #1, host bridge, ISA bridge, reset control
 *
 * Spec:    PCI Local Bus Specification 3.0, "Software Generation of Configuration
 *          Transactions" (3.2.2.3.2); Intel 82441FX (PMC) data sheet; 82371SB (PIIX3)
 *          data sheet, "Reset Control Register" (CF9h)
 * Inputs:  ports CF8h..CFFh
 * Outputs: reset
 * State:   section "pci" version 1
 * Missing: INTx routing by PIRQ (registers are stored), PAM and SMRAM effects (registers
 *          are stored)
 *
 * Bus 0: 00.0 8086:1237, 01.0 8086:7000. Absent functions read all ones.
 */
#ifndef CV_CORE_DEV_PCI_H
#define CV_CORE_DEV_PCI_H

#include "core/dev/device.h"

#define CV_PCI_FUNCTIONS 2u

struct cv_pci {
    uint32_t address; /* CONFIG_ADDRESS */
    uint8_t reset_control;
    uint8_t config[CV_PCI_FUNCTIONS][256];
    void (*hard_reset)(void *arg);
    void *reset_arg;
};

extern const struct cv_device_class cv_pci_class;

uint64_t cv_pci_read(void *pci, uint64_t off, unsigned size);
void cv_pci_write(void *pci, uint64_t off, unsigned size, uint64_t value);

#endif
