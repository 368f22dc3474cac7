/*
 * test_mmio.c - accesses that leave RAM: how often the device sees them, and what they
 * cost
 *
 * Spec: DESIGN.md section 4, point 4 (250 ns an access); Intel SDM 3A "Bus Locking"
 * (8.1.2)
 */
#include "legacy32.h"

#include "core/system/control.h"

#include <criterion/criterion.h>
#include <string.h>

#define MMIO_GPA 0xfe000000u
#define MMIO     (STEPPER_WINDOW + 0x40000u) /* mapped there */
#define NEIGHBOR (STEPPER_WINDOW + 0x41000u) /* RAM behind it */

static struct stepper *s;
static struct {
    unsigned reads, writes;
    uint64_t off[16], value[16];
    unsigned size[16];
    uint8_t byte[0x1000];
} dev;

static uint64_t dev_read(void *arg, uint64_t off, unsigned size)
{
    uint64_t v = 0;
    (void)arg;
    dev.reads++;
    memcpy(&v, dev.byte + off, size);
    return v;
}

static void dev_write(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    unsigned i = dev.writes++ & 15;
    (void)arg;
    dev.off[i] = off;
    dev.size[i] = size;
    dev.value[i] = value;
    memcpy(dev.byte + off, &value, size);
}

static void setup(void)
{
    s = stepper_new();
    struct cv_bus_range range = {.base = MMIO_GPA,
                                 .size = 0x1000,
                                 .read = dev_read,
                                 .write = dev_write,
                                 .arg = &dev,
                                 .min_size = 1,
                                 .max_size = 8,
                                 .name = "test"};
    cv_bus_add_mmio(&s->bus, &range);
    stepper_map(s, MMIO, MMIO_GPA, 7);
    memset(&dev, 0, sizeof(dev));
    s->cpu.gpr[CV_RBX] = MMIO + 0x10;
}
static void teardown(void)
{
    stepper_free(s);
}

TestSuite(mmio, .init = setup, .fini = teardown);

struct rmw {
    const char *name;
    uint8_t code[6];
    unsigned size;
    uint64_t start, rax, rcx, result;
    uint64_t rcx_after;
};

/* A read-modify-write reads once and writes once, and is charged as two accesses. */
Test(mmio, a_read_modify_write_is_one_read_and_one_write)
{
    static const struct rmw cases[] = {
        {"add", {0x01, 0x0b}, 4, 5, 0, 7, 12, 7},
        {"lock add", {0xf0, 0x01, 0x0b}, 4, 5, 0, 7, 12, 7},
        {"lock inc", {0xf0, 0xff, 0x03}, 4, 5, 0, 0, 6, 0},
        {"lock neg", {0xf0, 0x48, 0xf7, 0x1b}, 8, 5, 0, 0, -5ull, 0},
        {"xchg", {0x87, 0x0b}, 4, 5, 0, 7, 7, 5},
        {"lock xadd", {0xf0, 0x0f, 0xc1, 0x0b}, 4, 5, 0, 7, 12, 5},
        {"lock cmpxchg equal", {0xf0, 0x0f, 0xb1, 0x0b}, 4, 5, 5, 7, 7, 7},
        {"lock cmpxchg unequal", {0xf0, 0x0f, 0xb1, 0x0b}, 4, 5, 6, 7, 5, 7},
        {"lock bts", {0xf0, 0x0f, 0xab, 0x0b}, 4, 5, 0, 1, 7, 1},
        {"shl", {0xd1, 0x23}, 4, 5, 0, 0, 10, 0},
        {"or byte", {0x08, 0x0b}, 1, 5, 0, 8, 13, 8},
        {"not word", {0x66, 0xf7, 0x13}, 2, 5, 0, 0, 0xfffa, 0},
    };
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        const struct rmw *c = &cases[i];
        uint64_t result = 0;
        memset(&dev, 0, sizeof(dev));
        memcpy(dev.byte + 0x10, &c->start, 8);
        s->charged_ns = 0;
        s->cpu.leave = 0;
        s->cpu.gpr[CV_RAX] = c->rax;
        s->cpu.gpr[CV_RCX] = c->rcx;
        stepper_code(s, c->code, sizeof(c->code));
        stepper_step(s);
        memcpy(&result, dev.byte + 0x10, c->size);
        cr_expect_eq(dev.reads, 1, "%s: %u reads", c->name, dev.reads);
        cr_expect_eq(dev.writes, 1, "%s: %u writes", c->name, dev.writes);
        cr_expect_eq(dev.size[0], c->size, "%s", c->name);
        cr_expect_eq(s->charged_ns, 500, "%s: %lu ns", c->name, (long)s->charged_ns);
        cr_expect_eq(result, c->result, "%s", c->name);
        cr_expect_eq(s->cpu.gpr[CV_RCX], c->rcx_after, "%s", c->name);
        cr_expect_neq(s->cpu.leave & CV_LEAVE_DEADLINE, 0, "%s", c->name);
    }
}

Test(mmio, a_plain_access_is_one_charge)
{
    static const uint8_t load[] = {0x48, 0x8b, 0x03};
    static const uint8_t store[] = {0x48, 0x89, 0x03};
    stepper_code(s, load, 3);
    stepper_step(s);
    cr_assert_eq(dev.reads, 1);
    cr_assert_eq(s->charged_ns, 250);
    stepper_code(s, store, 3);
    stepper_step(s);
    cr_assert_eq(dev.writes, 1);
    cr_assert_eq(s->charged_ns, 500);
}

/* A store over the edge: bytes to the device, the rest to RAM, one charge. */
Test(mmio, an_operand_over_the_edge_to_ram_is_split_by_bytes)
{
    static const uint8_t store[] = {0x89, 0x03};
    static const uint8_t load[] = {0x8b, 0x0b};
    s->cpu.gpr[CV_RBX] = MMIO + 0xffe;
    s->cpu.gpr[CV_RAX] = 0x44332211;
    stepper_code(s, store, 2);
    stepper_step(s);
    cr_assert_eq(dev.writes, 2);
    cr_assert_eq(dev.off[0], 0xffe);
    cr_assert_eq(dev.value[0], 0x11);
    cr_assert_eq(dev.value[1], 0x22);
    cr_assert_eq(memcmp(stepper_at(s, NEIGHBOR), "\x33\x44", 2), 0);
    cr_assert_eq(s->charged_ns, 250);
    stepper_code(s, load, 2);
    stepper_step(s);
    cr_assert_eq(s->cpu.gpr[CV_RCX], 0x44332211);
    cr_assert_eq(dev.reads, 2);
    /* and the other way round */
    s->cpu.gpr[CV_RBX] = MMIO - 1;
    stepper_code(s, store, 2);
    stepper_step(s);
    cr_assert_eq(*stepper_at(s, MMIO - 1), 0x11);
    cr_assert_eq(memcmp(dev.byte, "\x22\x33\x44", 3), 0);
}

Test(mmio, a_fault_on_the_far_page_keeps_the_device_untouched)
{
    static const uint8_t rmw[] = {0xf0, 0x01, 0x0b};
    stepper_protect(s, NEIGHBOR, 5); /* read-only */
    s->cpu.gpr[CV_RBX] = MMIO + 0xffe;
    stepper_code(s, rmw, 3);
    stepper_step(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_PF);
    cr_assert_eq(s->cpu.cr2, NEIGHBOR);
    cr_assert_eq(dev.reads + dev.writes, 0);
    cr_assert_eq(s->charged_ns, 0);
}

/* RAM ends at 4 MiB: what lies behind is an empty bus, which reads as ones. */
Test(mmio, the_end_of_ram_inside_of_an_operand)
{
    static const uint8_t store[] = {0x48, 0x89, 0x03};
    static const uint8_t load[] = {0x48, 0x8b, 0x0b};
    stepper_map(s, MMIO, 0x3ff000, 7);
    stepper_map(s, NEIGHBOR, 0x400000, 7);
    s->cpu.gpr[CV_RBX] = MMIO + 0xffc;
    s->cpu.gpr[CV_RAX] = 0x8877665544332211;
    stepper_code(s, store, 3);
    stepper_step(s);
    cr_assert_eq(memcmp(s->ram.base + 0x3ffffc, "\x11\x22\x33\x44", 4), 0);
    cr_assert_eq(s->charged_ns, 250);
    stepper_code(s, load, 3);
    stepper_step(s);
    cr_assert_eq(s->cpu.gpr[CV_RCX], 0xffffffff44332211);
}

Test(mmio, string_moves_charge_each_element)
{
    static const uint8_t code[] = {0xf3, 0xa5}; /* rep movsd */
    s->cpu.gpr[CV_RSI] = MMIO;
    s->cpu.gpr[CV_RDI] = STEPPER_DATA;
    s->cpu.gpr[CV_RCX] = 4;
    memcpy(dev.byte, "abcdefghijklmnop", 16);
    stepper_code(s, code, 2);
    stepper_step(s);
    cr_assert_eq(dev.reads, 4);
    cr_assert_eq(s->charged_ns, 1000);
    cr_assert_eq(memcmp(stepper_at(s, STEPPER_DATA), "abcdefghijklmnop", 16), 0);
}

/* SDM 2A "CMPXCHG8B/CMPXCHG16B": the destination is written in either case */
Test(mmio, cmpxchg8b_reads_and_writes_the_device)
{
    static const uint8_t code[] = {0xf0, 0x0f, 0xc7, 0x0e}; /* [rsi] */
    uint64_t start = 0x0000000200000001;
    s->cpu.gpr[CV_RSI] = MMIO + 0x20;
    memcpy(dev.byte + 0x20, &start, 8);
    stepper_code(s, code, 4);
    stepper_step(s);
    cr_assert_eq(s->cpu.gpr[CV_RAX], 1);
    cr_assert_eq(s->cpu.gpr[CV_RDX], 2);
    cr_assert_eq(dev.reads, 1);
    cr_assert_eq(dev.writes, 1);
    cr_assert_eq(s->charged_ns, 500);
}

Test(mmio, a_push_to_a_device_is_a_store)
{
    static const uint8_t code[] = {0x50};
    s->cpu.gpr[CV_RSP] = MMIO + 0x18;
    s->cpu.gpr[CV_RAX] = 0x99;
    stepper_code(s, code, 1);
    stepper_step(s);
    cr_assert_eq(dev.writes, 1);
    cr_assert_eq(dev.off[0], 0x10);
    cr_assert_eq(dev.value[0], 0x99);
}
