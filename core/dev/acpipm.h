/*
 * acpipm.h - ACPI power management: PM1 event and control blocks, PM timer
 *
 * Spec:    ACPI Specification 6.4, "PM1 Event Grouping" (4.8.3.1), "PM1 Control"
 *          (4.8.3.2), "Power Management Timer" (4.8.3.3)
 * Units:   timer 3.579545 MHz = 315/88 MHz: tick = floor(vtime x 315 / 88000), 32 bits
 * Inputs:  8 + 4 ports (PM1_STS PM1_EN PM1_CNT, PM_TMR), power button, virtual-time
 *          events
 * Outputs: SCI, power-off
 * State:   section "acpipm" version 1
 * Missing: sleep states other than S5, SMI, global lock, GPE blocks
 *
 * There is no legacy mode: SCI_EN always reads 1 (FADT SMI_CMD is 0).
 */
#ifndef CV_CORE_DEV_ACPIPM_H
#define CV_CORE_DEV_ACPIPM_H

#include "core/base/line.h"
#include "core/dev/device.h"
#include "core/dev/timeq.h"

#define CV_ACPIPM_SLP_TYP_S5 5u

struct cv_acpipm {
    uint16_t status; /* PM1_STS without TMR_STS */
    uint16_t enable;
    uint16_t control;
    uint64_t
        seen_carry; /* toggles of the timer's top bit that TMR_STS has been cleared for */
    struct cv_timeq *timeq;
    unsigned slot;
    struct cv_line sci;
    void (*poweroff)(void *arg);
    void *poweroff_arg;
};

extern const struct cv_device_class cv_acpipm_class;

void cv_acpipm_event(void *pm);
void cv_acpipm_power_button(struct cv_acpipm *pm);
/* Offsets 0..1 PM1_STS, 2..3 PM1_EN, 4..5 PM1_CNT, 8..11 PM_TMR. */
uint64_t cv_acpipm_read(void *pm, uint64_t off, unsigned size);
void cv_acpipm_write(void *pm, uint64_t off, unsigned size, uint64_t value);

#endif
