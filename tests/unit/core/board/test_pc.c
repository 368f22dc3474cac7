/* The whole board through its bus: wiring, tables, state. */
#include "core/base/mem.h"
#include "core/board/pc.h"
#include "core/board/tables.h"

#include <criterion/criterion.h>

struct machine {
    struct cv_ram ram;
    struct cv_board *board;
    uint64_t icount;
    bool intr;
    unsigned nmis, resets, poweroffs, moved;
    uint32_t exit_value;
    char serial[16];
    unsigned chars, ignnes;
};

static cv_icount on_icount(void *arg)
{
    return ((struct machine *)arg)->icount;
}
static void on_moved(void *arg)
{
    ((struct machine *)arg)->moved++;
}
static void on_intr(void *arg, unsigned cpu, bool level)
{
    (void)cpu;
    ((struct machine *)arg)->intr = level;
}
static void on_nmi(void *arg, unsigned cpu)
{
    (void)cpu;
    ((struct machine *)arg)->nmis++;
}
static void on_reset(void *arg)
{
    ((struct machine *)arg)->resets++;
}
static void on_poweroff(void *arg)
{
    ((struct machine *)arg)->poweroffs++;
}
static void on_exit_value(void *arg, uint32_t value)
{
    ((struct machine *)arg)->exit_value = value;
}
static void on_ignne(void *arg)
{
    ((struct machine *)arg)->ignnes++;
}
static void on_serial(void *arg, unsigned unit, uint8_t byte)
{
    struct machine *m = arg;
    (void)unit;
    m->serial[m->chars++ % sizeof(m->serial)] = (char)byte;
}

static void setup(struct machine *m)
{
    memset(m, 0, sizeof(*m));
    cr_assert(cv_ram_init(&m->ram, 4u << 20));
    struct cv_board_config config = {
        .ram_bytes = 4u << 20, .rtc_epoch = 1700000000, .cpus = 1};
    struct cv_board_host host = {.arg = m,
                                 .icount = on_icount,
                                 .deadline_moved = on_moved,
                                 .intr = on_intr,
                                 .nmi = on_nmi,
                                 .init = on_nmi,
                                 .poweroff = on_poweroff,
                                 .reset = on_reset,
                                 .guest_exit = on_exit_value,
                                 .serial = on_serial,
                                 .pvpanic = on_nmi,
                                 .ignne = on_ignne};
    m->board = cv_board_new(&config, &m->ram, &host);
    cr_assert_not_null(m->board);
    cv_board_reset(m->board);
}

static void out(struct machine *m, uint16_t port, uint32_t value)
{
    cv_bus_out(cv_board_bus(m->board), port, 1, value);
}
static uint32_t in(struct machine *m, uint16_t port)
{
    return cv_bus_in(cv_board_bus(m->board), port, 1);
}

static void init_pics(struct machine *m)
{
    static const uint16_t ports[] = {0x20, 0x21, 0x21, 0x21, 0xa0,
                                     0xa1, 0xa1, 0xa1, 0x21, 0xa1};
    static const uint8_t bytes[] = {0x11, 0x30, 4, 1, 0x11, 0x38, 2, 1, 0, 0};
    for (size_t i = 0; i < sizeof(bytes); i++) {
        out(m, ports[i], bytes[i]);
    }
}

Test(pc, timer_interrupt_through_the_8259_in_virtual_wire_mode)
{
    struct machine m;
    setup(&m);
    init_pics(&m);
    out(&m, 0x43, 0x34);
    out(&m, 0x40, 0xff);
    out(&m, 0x40, 0x00);
    struct cv_timeq *q = cv_board_timeq(m.board);
    for (unsigned i = 0; i < 2; i++) { /* OUT falls, OUT rises */
        m.icount = cv_timeq_next_icount(q);
        cv_timeq_run(q);
    }
    cr_assert(m.intr);
    cr_assert_eq(cv_board_intr_ack(m.board, 0), 0x30);
    cr_assert(!m.intr);
    cr_assert_eq(m.icount, cv_vtime_of_tick(1 + 255, 105, 88000));
}

Test(pc, timer_interrupt_through_the_io_apic_pin_2)
{
    struct machine m;
    bool ok;
    setup(&m);
    cv_bus_write(cv_board_bus(m.board), 0xfec00000, 4, 0x14);
    cv_bus_write(cv_board_bus(m.board), 0xfec00010, 4, 0x41);
    out(&m, 0x43, 0x34);
    out(&m, 0x40, 0xff);
    out(&m, 0x40, 0x00);
    m.icount = 1000000;
    cv_timeq_run(cv_board_timeq(m.board));
    cr_assert(m.intr);
    cr_assert_eq(cv_board_intr_ack(m.board, 0), 0x41);
    cr_assert_eq(cv_board_apic_msr_read(m.board, 0, 0x1b, &ok), 0xfee00900u);
    cr_assert(ok);
    cr_assert_eq(cv_bus_read(cv_board_bus(m.board), 0xfee00100 + 0x20, 4), 2,
                 "ISR of 41H");
    cr_assert(cv_board_apic_msr_write(m.board, 0, 0x1b, 0xfec00900), "onto the I/O APIC");
    cr_assert_eq(cv_bus_read(cv_board_bus(m.board), 0xfec00000, 4), 0x14);
    cr_assert(cv_board_apic_msr_write(m.board, 0, 0x1b, 0xd0000900));
    cr_assert_eq(cv_bus_read(cv_board_bus(m.board), 0xd0000120, 4), 2);
}

Test(pc, ports_that_end_or_restart_the_machine)
{
    struct machine m;
    setup(&m);
    out(&m, 0xf4, 0x21);
    cr_assert_eq(m.exit_value, 0x21);
    out(&m, 0x64, 0xfe);
    out(&m, 0xcf9, 6);
    out(&m, 0x92, 3);
    cr_assert_eq(m.resets, 3);
    cv_bus_out(cv_board_bus(m.board), 0x604, 2, 5u << 10 | 0x2000);
    cr_assert_eq(m.poweroffs, 1);
    out(&m, 0x505, 1);
    cr_assert_eq(m.nmis, 1, "pvpanic");
    out(&m, 0x3f8, 'h');
    cr_assert_str_eq(m.serial, "h");
}

/* 82371AB "Coprocessor Error Register": FERR# is IRQ 13 until port F0h is written */
Test(pc, a_coprocessor_error_is_irq_13_until_port_f0)
{
    struct machine m;
    setup(&m);
    init_pics(&m);
    cv_board_ferr(m.board, true);
    cr_assert(m.intr);
    cr_assert_eq(cv_board_intr_ack(m.board, 0), 0x38 + 5);
    cr_assert(!m.intr);
    out(&m, 0xa0, 0x20);
    out(&m, 0x20, 0x20);
    cr_assert(!m.intr, "edge-triggered");
    out(&m, 0xf0, 0);
    cr_assert_eq(m.ignnes, 1);
    cr_assert_eq(in(&m, 0xf0), 0xff);
    cv_board_ferr(m.board, true);
    cr_assert(m.intr, "the line had fallen");
}

Test(pc, inputs_reach_their_devices)
{
    struct machine m;
    setup(&m);
    struct cv_input serial = {
        .kind = CV_INPUT_SERIAL, .unit = 1, .len = 3, .data = (const uint8_t *)"abc"};
    unsigned room = cv_board_serial_room(m.board, 1);
    cr_assert(cv_board_input(m.board, &serial));
    cr_assert_eq(cv_board_serial_room(m.board, 1), room - 3);
    serial.unit = 2;
    cr_assert(!cv_board_input(m.board, &serial));
    struct cv_input key = {
        .kind = CV_INPUT_KEYBOARD, .len = 1, .data = (const uint8_t *)"\x1c"};
    cr_assert(cv_board_input(m.board, &key));
    cr_assert_eq(in(&m, 0x60), 0x1e);
    uint8_t button = CV_COMMAND_POWER_BUTTON;
    struct cv_input command = {.kind = CV_INPUT_COMMAND, .len = 1, .data = &button};
    cr_assert(cv_board_input(m.board, &command));
    cr_assert_eq(cv_bus_in(cv_board_bus(m.board), 0x600, 2), 0x100);
    command.kind = CV_INPUT_DISK;
    cr_assert(!cv_board_input(m.board, &command));
}

static uint8_t sum(const uint8_t *p, size_t n)
{
    uint8_t s = 0;
    while (n-- > 0) {
        s = (uint8_t)(s + *p++);
    }
    return s;
}

Test(tables, every_checksum_is_right_and_every_pointer_leads_somewhere)
{
    static uint8_t image[8192];
    size_t n = cv_tables_build(image, sizeof(image), 1);
    cr_assert_eq(sum(image, 20), 0);
    cr_assert_eq(sum(image, 36), 0);
    const uint8_t *xsdt = image + (cv_ld64(image + 24) - 0xe0000);
    unsigned seen = 0;
    cr_assert_eq(sum(xsdt, cv_ld32(xsdt + 4)), 0);
    for (size_t at = 36; at < cv_ld32(xsdt + 4); at += 8) {
        const uint8_t *t = image + (cv_ld64(xsdt + at) - 0xe0000);
        cr_assert_lt((size_t)(t - image) + cv_ld32(t + 4), n);
        cr_assert_eq(sum(t, cv_ld32(t + 4)), 0, "%.4s", (const char *)t);
        seen++;
        if (memcmp(t, "FACP", 4) == 0) {
            const uint8_t *dsdt = image + (cv_ld32(t + 40) - 0xe0000);
            cr_assert_eq(memcmp(dsdt, "DSDT", 4), 0);
            cr_assert_eq(sum(dsdt, cv_ld32(dsdt + 4)), 0);
            cr_assert_eq((size_t)(dsdt - image) + cv_ld32(dsdt + 4), n);
            cr_assert_eq(memcmp(image + (cv_ld32(t + 36) - 0xe0000), "FACS", 4), 0);
            cr_assert_not_null(memmem(dsdt, n, "QEMU0001", 9));
        }
    }
    cr_assert_eq(seen, 2);
}

Test(pc, state_comes_back_and_damage_is_refused_or_kept)
{
    struct machine m, f;
    static uint8_t a[65536], b[65536];
    setup(&m);
    setup(&f);
    init_pics(&m);
    out(&m, 0x43, 0x34);
    out(&m, 0x40, 0xff);
    out(&m, 0x40, 0x00);
    out(&m, 0x3f9, 2);
    out(&m, 0x3f8, 'x');
    m.icount = 100000000;
    f.icount = m.icount;
    cv_timeq_run(cv_board_timeq(m.board));
    struct cv_section s = {.mode = CV_SECTION_SAVE, .buf = a, .cap = sizeof(a)};
    cv_board_section(m.board, &s);
    cv_section_end(&s);
    cr_assert(!s.failed);
    size_t n = s.pos;
    for (size_t bit = 0; bit <= n * 8; bit++) {
        if (bit < n * 8) {
            a[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
        struct cv_section l = {.mode = CV_SECTION_LOAD, .buf = a, .cap = n};
        cv_board_section(f.board, &l);
        cv_section_end(&l);
        cr_assert(bit < n * 8 || !l.failed);
        if (!l.failed) {
            cv_timeq_next_icount(cv_board_timeq(f.board));
            struct cv_section o = {.mode = CV_SECTION_SAVE, .buf = b, .cap = sizeof(b)};
            cv_board_section(f.board, &o);
            cv_section_end(&o);
            cr_assert_eq(o.pos, n);
            cr_assert_arr_eq(a, b, n, "bit %zu", bit);
            cv_timeq_run(
                cv_board_timeq(f.board)); /* whatever it is, it comes to an end */
        }
        if (bit < n * 8) {
            a[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
    }
    cr_assert_eq(f.intr, m.intr);
}
