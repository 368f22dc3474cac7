/*
 * pc.h - the PC: every device, wired
 *
 * The schematic (pc.c) reads top to bottom; addresses and IRQ numbers live in pcmap.h. The board connects devices to
 * the bus, lines to the interrupt controllers, the local APIC to the CPU (cpu->intr_*, apic_*), time to the event
 * queue, and knows the order in which devices are reset, saved and served.
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_BOARD_PC_H
#define CV_CORE_BOARD_PC_H

#include "core/base/error.h"
#include "core/base/inlet.h"
#include "core/base/section.h"
#include "core/dev/timeq.h"
#include "core/mem/bus.h"
#include "core/mem/ram.h"

struct cv_board;

struct cv_board_config {
    uint64_t ram_bytes;
    int64_t rtc_epoch;
    uint32_t cpus;
};
/* Calls up to the machine; all set before cv_board_new. */
struct cv_board_host {
    void *arg;
    cv_icount (*icount)(void *arg);
    void (*deadline_moved)(void *arg);              /* CV_LEAVE_DEADLINE */
    void (*intr)(void *arg, unsigned cpu, bool level); /* INTR pin of a CPU: intr_line + CV_LEAVE_LINES */
    void (*nmi)(void *arg, unsigned cpu);
    void (*init)(void *arg, unsigned cpu);           /* INIT / SIPI */
    void (*poweroff)(void *arg);
    void (*reset)(void *arg);                        /* the guest asked for a reset */
    void (*guest_exit)(void *arg, uint32_t value);   /* debug-exit port 0xf4 */
    void (*serial)(void *arg, unsigned unit, uint8_t byte);
    void (*pvpanic)(void *arg, unsigned event);
    void (*ignne)(void *arg);                        /* port 0xf0 was written: cv_ferr_acknowledge */
};

struct cv_board *cv_board_new(const struct cv_board_config *config, struct cv_ram *ram,
                              const struct cv_board_host *host);
void cv_board_free(struct cv_board *board);
void cv_board_reset(struct cv_board *board);
struct cv_bus *cv_board_bus(struct cv_board *board);
struct cv_timeq *cv_board_timeq(struct cv_board *board);
/* CPU-facing side of the local APIC and the 8259 pair. */
/* May a device event reach a CPU that has IF clear: is some line routed as NMI or INIT? */
bool cv_board_wakes_deaf(const struct cv_board *board);
uint8_t cv_board_intr_ack(struct cv_board *board, unsigned cpu);
uint64_t cv_board_apic_msr_read(struct cv_board *board, unsigned cpu, uint32_t msr, bool *ok);
bool cv_board_apic_msr_write(struct cv_board *board, unsigned cpu, uint32_t msr, uint64_t value);
uint64_t cv_board_tpr_read(struct cv_board *board, unsigned cpu);
void cv_board_tpr_write(struct cv_board *board, unsigned cpu, uint64_t cr8);
/* The CPU's TSC offset, for the TSC-deadline timer: deadline in TSC ticks -> vtime. */
void cv_board_tsc_offset(struct cv_board *board, unsigned cpu, uint64_t tsc_offset);
/* The same when a state was loaded, which moves no deadline. */
void cv_board_tsc_loaded(struct cv_board *board, unsigned cpu, uint64_t tsc_offset);

/* FERR# of the CPU: IRQ 13. */
void cv_board_ferr(struct cv_board *board, bool level);

/* Applies an accepted input. False: malformed or no such device. */
bool cv_board_input(struct cv_board *board, const struct cv_input *input);
unsigned cv_board_serial_room(const struct cv_board *board, unsigned unit);
/* Every device's section and the event queue, in the fixed order. */
void cv_board_section(struct cv_board *board, struct cv_section *s);
/* ACPI tables, in RAM at their fixed place; called by the loaders at reset. */
void cv_board_write_tables(struct cv_board *board);
/* Where that puts the ACPI root pointer. */
cv_gpa cv_board_rsdp(const struct cv_board *board);

#endif
