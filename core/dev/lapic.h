/*
 * lapic.h - local APIC: xAPIC page, x2APIC MSRs, timer
 *
 * Spec:    Intel SDM 3A chapter "Advanced Programmable Interrupt Controller (APIC)"
 *          (10); "Extended XAPIC (x2APIC)" (10.12); version register 0x14, 6 LVT entries
 * Units:   timer input clock = the 25 MHz crystal of CPUID leaf 15H: tick = floor(vtime
 *          / 40)
 * Inputs:  MMIO, MSRs, CR8, messages, LINT0, LINT1, virtual-time events
 * Outputs: INTR of its CPU, NMI, INIT, EOI broadcast, IPIs
 * State:   section "lapic" version 1
 * Missing: CMCI entry, EOI broadcast suppression, writable APIC ID, level sense of LINT0
 *          and LINT1 (edges only), messages in ExtINT mode; SIPI to a running CPU is
 *          ignored
 *
 * LINT0 in ExtINT mode, or a globally disabled APIC, passes the 8259 pair through to
 * INTR. The timer holds a count and the tick it was valid at; the rest is computed.
 */
#ifndef CV_CORE_DEV_LAPIC_H
#define CV_CORE_DEV_LAPIC_H

#include "core/base/line.h"
#include "core/dev/device.h"
#include "core/dev/ioapic.h"
#include "core/dev/timeq.h"

#define CV_LAPIC_TICK_NS 40u

#define CV_MSR_APIC_BASE    0x1bu
#define CV_MSR_TSC_DEADLINE 0x6e0u
#define CV_MSR_X2APIC_FIRST 0x800u
#define CV_MSR_X2APIC_LAST  0x8ffu

enum cv_lapic_lvt {
    CV_LVT_TIMER,
    CV_LVT_THERMAL,
    CV_LVT_PERF,
    CV_LVT_LINT0,
    CV_LVT_LINT1,
    CV_LVT_ERROR,
    CV_LVT_COUNT
};
enum { CV_APIC_TO_DEST, CV_APIC_TO_SELF, CV_APIC_TO_ALL, CV_APIC_TO_OTHERS };

/* What the board gives it; not state. */
struct cv_lapic_host {
    void *arg;
    void (*intr)(void *arg, unsigned cpu, bool level);
    void (*nmi)(void *arg, unsigned cpu);
    void (*init)(void *arg, unsigned cpu);
    void (*eoi)(void *arg, uint8_t vector);
    void (*ipi)(void *arg, unsigned from, const struct cv_apic_msg *msg,
                unsigned shorthand);
    void (*moved)(void *arg, unsigned cpu, uint64_t base); /* of the MMIO page */
};

struct cv_lapic {
    uint64_t base_msr;
    uint32_t ldr, dfr, svr;
    uint32_t esr, esr_found; /* visible; found since the last write */
    uint64_t icr;
    uint32_t lvt[CV_LVT_COUNT];
    uint8_t tpr;
    uint32_t isr[8], tmr[8], irr[8];
    uint8_t divide; /* register value: bits 0, 1, 3 */
    uint32_t initial;
    uint32_t timer_count; /* ticks / divisor still to go at timer_tick */
    uint64_t timer_tick;
    uint64_t tsc_deadline; /* 0: not armed */
    bool lint0, lint1;     /* input levels */

    bool intr_level; /* derived: as told to the CPU */
    uint64_t tsc_offset;
    uint32_t id; /* configuration; CPU number */
    struct cv_timeq *timeq;
    unsigned slot;
    struct cv_lapic_host host;
};

extern const struct cv_device_class cv_lapic_class;

/* The state firmware leaves for the first CPU: enabled, LINT0 ExtINT, LINT1 NMI ("virtual
 * wire"). */
void cv_lapic_virtual_wire(struct cv_lapic *apic);
void cv_lapic_init_signal(
    struct cv_lapic *apic); /* state after INIT; ID and base are kept */
void cv_lapic_event(void *apic);
void cv_lapic_set_lint(void *apic, unsigned pin, bool level);
/* Does LINT0, where the 8259 pair is, make NMI? */
bool cv_lapic_has_nmi(const struct cv_lapic *apic);
bool cv_lapic_is_dest(const struct cv_lapic *apic, const struct cv_apic_msg *msg);
void cv_lapic_accept(struct cv_lapic *apic, const struct cv_apic_msg *msg);
/* Interrupt acknowledge: true with the vector; false: the 8259 pair must answer. */
bool cv_lapic_ack(struct cv_lapic *apic, uint8_t *vector);
uint8_t cv_lapic_spurious(const struct cv_lapic *apic);

uint64_t cv_lapic_read(void *apic, uint64_t off, unsigned size);
void cv_lapic_write(void *apic, uint64_t off, unsigned size, uint64_t value);
/* IA32_APIC_BASE, IA32_TSC_DEADLINE and 800H..8FFH. False: #GP. */
bool cv_lapic_msr_read(struct cv_lapic *apic, uint32_t msr, uint64_t *value);
bool cv_lapic_msr_write(struct cv_lapic *apic, uint32_t msr, uint64_t value);
void cv_lapic_set_tpr(struct cv_lapic *apic, uint8_t tpr);
void cv_lapic_set_tsc_offset(struct cv_lapic *apic, uint64_t tsc_offset);
/* The same when a state was loaded: its deadline is in it. */
void cv_lapic_load_tsc_offset(struct cv_lapic *apic, uint64_t tsc_offset);

#endif
