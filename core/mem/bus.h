/*
 * bus.h - port and MMIO dispatch, built once by the board
 *
 * Every access is charged by the caller (core/runtime): 1 us a port, 250 ns an MMIO access.
 * Unclaimed reads return all ones, unclaimed writes are dropped; each such site is logged once.
 * Thread:  engine thread only; general registers only
 */
#ifndef CV_CORE_MEM_BUS_H
#define CV_CORE_MEM_BUS_H

#include "core/base/types.h"

/* off is relative to the range's start; size is 1, 2, 4 (MMIO also 8). A device sees only
 * sizes within [min_size, max_size]; the bus splits or widens. */
typedef uint64_t (*cv_bus_read_fn)(void *arg, uint64_t off, unsigned size);
typedef void (*cv_bus_write_fn)(void *arg, uint64_t off, unsigned size, uint64_t value);

struct cv_bus_range {
    uint64_t base, size;
    cv_bus_read_fn read;
    cv_bus_write_fn write;
    void *arg;
    uint8_t min_size, max_size; /* power of two */
    const char *name;
};

#define CV_BUS_MAX 64u

struct cv_bus {
    struct cv_bus_range port[CV_BUS_MAX], mmio[CV_BUS_MAX];
    unsigned ports, mmios; /* in order of adding; ports do not overlap, of MMIO ranges that a
                              guest moved over each other the first added answers */
    uint8_t port_index[65536]; /* 0 none, else index + 1 */
    uint64_t unclaimed_seen[64]; /* bloom of sites already logged; not state */
};

void cv_bus_init(struct cv_bus *bus);
/* Ranges must have room (CV_BUS_MAX) and valid sizes: an assertion, boards are ours. An access
 * wider than max_size or over a range's end is split, low part first; one narrower than min_size
 * reads the aligned min_size and takes its part, or writes its part with zeroes around it. */
void cv_bus_add_port(struct cv_bus *bus, const struct cv_bus_range *range);
void cv_bus_add_mmio(struct cv_bus *bus, const struct cv_bus_range *range);
#define CV_BUS_UNMAPPED UINT64_MAX
/* Moves the MMIO range with this arg, which a guest relocates (PCI BARs, APIC base);
 * CV_BUS_UNMAPPED takes it away until it is moved again. */
void cv_bus_move_mmio(struct cv_bus *bus, void *arg, uint64_t base);

uint32_t cv_bus_in(struct cv_bus *bus, uint16_t port, unsigned size);
void cv_bus_out(struct cv_bus *bus, uint16_t port, unsigned size, uint32_t value);
uint64_t cv_bus_read(struct cv_bus *bus, cv_gpa gpa, unsigned size);
void cv_bus_write(struct cv_bus *bus, cv_gpa gpa, unsigned size, uint64_t value);

#endif
