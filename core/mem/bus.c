/*
 * bus.c - finds the device behind a port or an address and fits the access to it
 *
 * An access no single range can take is halved until a range takes the part or one byte
 * is left that nobody claims; so splitting follows from the ranges alone.
 */
#include "core/mem/bus.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "core/base/mem.h"

void cv_bus_init(struct cv_bus *bus)
{
    cv_memset(bus, 0, sizeof(*bus));
}

static bool is_size(unsigned size)
{
    return size == 1 || size == 2 || size == 4 || size == 8;
}

static void check_range(const struct cv_bus_range *range)
{
    CV_ASSERT(is_size(range->min_size) && is_size(range->max_size));
    CV_ASSERT(range->min_size <= range->max_size);
    CV_ASSERT(range->read != NULL && range->write != NULL);
}

void cv_bus_add_port(struct cv_bus *bus, const struct cv_bus_range *range)
{
    check_range(range);
    CV_ASSERT(bus->ports < CV_BUS_MAX);
    CV_ASSERT(range->base < 65536 && range->size <= 65536 - range->base);
    for (uint64_t i = 0; i < range->size; i++) {
        CV_ASSERT(bus->port_index[range->base + i] == 0);
        bus->port_index[range->base + i] = (uint8_t)(bus->ports + 1);
    }
    bus->port[bus->ports++] = *range;
}

void cv_bus_add_mmio(struct cv_bus *bus, const struct cv_bus_range *range)
{
    check_range(range);
    CV_ASSERT(bus->mmios < CV_BUS_MAX);
    bus->mmio[bus->mmios++] = *range;
}

void cv_bus_move_mmio(struct cv_bus *bus, void *arg, uint64_t base)
{
    for (unsigned i = 0; i < bus->mmios; i++) {
        if (bus->mmio[i].arg == arg) {
            bus->mmio[i].base = base;
            return;
        }
    }
}

static const struct cv_bus_range *find_port(const struct cv_bus *bus, uint64_t port)
{
    unsigned index = port < 65536 ? bus->port_index[port] : 0;
    return index == 0 ? NULL : &bus->port[index - 1];
}

static const struct cv_bus_range *find_mmio(const struct cv_bus *bus, uint64_t gpa)
{
    for (unsigned i = 0; i < bus->mmios; i++) {
        const struct cv_bus_range *r = &bus->mmio[i];
        if (r->base != CV_BUS_UNMAPPED && gpa - r->base < r->size) {
            return r;
        }
    }
    return NULL;
}

static const struct cv_bus_range *find(const struct cv_bus *bus, bool port, uint64_t at)
{
    return port ? find_port(bus, at) : find_mmio(bus, at);
}

/* One line for each place the guest looks for hardware that is not there. */
static void note_unclaimed(struct cv_bus *bus, bool port, uint64_t at, unsigned size,
                           const char *what)
{
    uint64_t hash = (at * 2 + (port ? 1 : 0)) * 0x9e3779b97f4a7c15ull;
    unsigned bit = (unsigned)(hash >> 52);
    if ((bus->unclaimed_seen[bit / 64] >> (bit % 64) & 1) != 0) {
        return;
    }
    bus->unclaimed_seen[bit / 64] |= 1ull << (bit % 64);
    cv_log("bus", CV_LOG_DEBUG, "unclaimed %s of %u bytes at %s %llx", what, size,
           port ? "port" : "mmio", (unsigned long long)at);
}

static uint64_t ones(unsigned size)
{
    return size == 8 ? UINT64_MAX : (1ull << (size * 8)) - 1;
}

/* Can r take the whole access at its own size or a wider aligned one? */
static bool takes(const struct cv_bus_range *r, uint64_t off, unsigned size)
{
    if (size > r->max_size || size > r->size - off) {
        return false;
    }
    if (size >= r->min_size) {
        return true;
    }
    uint64_t start = off & ~(uint64_t)(r->min_size - 1);
    return off + size <= start + r->min_size && r->min_size <= r->size - start;
}

static uint64_t read_at(struct cv_bus *bus, bool port, uint64_t at, unsigned size)
{
    const struct cv_bus_range *r = find(bus, port, at);
    uint64_t off = r == NULL ? 0 : at - r->base;
    if (r != NULL && takes(r, off, size)) {
        if (size >= r->min_size) {
            return r->read(r->arg, off, size) & ones(size);
        }
        uint64_t start = off & ~(uint64_t)(r->min_size - 1);
        uint64_t value = r->read(r->arg, start, r->min_size);
        return value >> ((off - start) * 8) & ones(size);
    }
    if (size == 1) {
        note_unclaimed(bus, port, at, size, "read");
        return 0xff;
    }
    unsigned half = size / 2;
    uint64_t low = read_at(bus, port, at, half);
    return low | read_at(bus, port, at + half, half) << (half * 8);
}

static void write_at(struct cv_bus *bus, bool port, uint64_t at, unsigned size,
                     uint64_t value)
{
    const struct cv_bus_range *r = find(bus, port, at);
    uint64_t off = r == NULL ? 0 : at - r->base;
    value &= ones(size);
    if (r != NULL && takes(r, off, size)) {
        if (size >= r->min_size) {
            r->write(r->arg, off, size, value);
            return;
        }
        uint64_t start = off & ~(uint64_t)(r->min_size - 1);
        r->write(r->arg, start, r->min_size, value << ((off - start) * 8));
        return;
    }
    if (size == 1) {
        note_unclaimed(bus, port, at, size, "write");
        return;
    }
    unsigned half = size / 2;
    write_at(bus, port, at, half, value);
    write_at(bus, port, at + half, half, value >> (half * 8));
}

uint32_t cv_bus_in(struct cv_bus *bus, uint16_t port, unsigned size)
{
    return (uint32_t)read_at(bus, true, port, size);
}

void cv_bus_out(struct cv_bus *bus, uint16_t port, unsigned size, uint32_t value)
{
    write_at(bus, true, port, size, value);
}

uint64_t cv_bus_read(struct cv_bus *bus, cv_gpa gpa, unsigned size)
{
    return read_at(bus, false, gpa, size);
}

void cv_bus_write(struct cv_bus *bus, cv_gpa gpa, unsigned size, uint64_t value)
{
    write_at(bus, false, gpa, size, value);
}
