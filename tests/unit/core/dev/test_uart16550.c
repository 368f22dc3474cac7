#include "bench_clock.h"
#include "core/dev/uart16550.h"

#define CHAR_NS 86805ull /* 10 bits at 115200 baud */

struct bench {
    struct bench_clock c;
    struct cv_uart16550 u;
    struct bench_line irq;
    char sent[64];
    unsigned n;
};

static void on_send(void *arg, unsigned unit, uint8_t byte)
{
    struct bench *b = arg;
    (void)unit;
    b->sent[b->n++ % sizeof(b->sent)] = (char)byte;
}

static void setup(struct bench *b)
{
    memset(b, 0, sizeof(*b));
    bench_clock_init(&b->c);
    b->u.timeq = &b->c.q;
    b->u.slot_tx = cv_timeq_add(&b->c.q, "tx", cv_uart16550_tx_event, &b->u);
    b->u.slot_rx = cv_timeq_add(&b->c.q, "rx", cv_uart16550_rx_event, &b->u);
    b->u.slot_timeout =
        cv_timeq_add(&b->c.q, "timeout", cv_uart16550_timeout_event, &b->u);
    b->u.irq = BENCH_LINE(&b->irq);
    b->u.send = on_send;
    b->u.send_arg = b;
    cv_uart16550_class[0].reset(&b->u);
    cv_uart16550_write(&b->u, 4, 1, 0x0b);
}
static void set(struct bench *b, unsigned reg, unsigned value)
{
    cv_uart16550_write(&b->u, reg, 1, value);
}
static unsigned get(struct bench *b, unsigned reg)
{
    return (unsigned)cv_uart16550_read(&b->u, reg, 1);
}

Test(uart16550, a_byte_leaves_at_once_and_thre_interrupts_later)
{
    struct bench b;
    setup(&b);
    set(&b, 1, 2);
    cr_assert(b.irq.level, "enabling with an empty register interrupts");
    cr_assert_eq(get(&b, 2), 0x02);
    cr_assert(!b.irq.level);
    set(&b, 0, 'x');
    set(&b, 0, 'y');
    cr_assert_str_eq(b.sent, "xy");
    cr_assert_eq(get(&b, 5), 0x60);
    bench_clock_to(&b.c, 2 * CHAR_NS - 1);
    cr_assert(!b.irq.level);
    bench_clock_to(&b.c, 2 * CHAR_NS);
    cr_assert(b.irq.level);
    cr_assert_eq(get(&b, 2), 0x02);
    cr_assert_eq(get(&b, 2), 0x01);
}

Test(uart16550, input_fills_the_fifo_at_the_baud_rate_and_loses_nothing)
{
    struct bench b;
    uint8_t data[40];
    setup(&b);
    for (unsigned i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i + 1);
    }
    set(&b, 2, 0xc1); /* FIFO, trigger 14 */
    set(&b, 1, 1);
    cr_assert(cv_uart16550_input(&b.u, data, sizeof(data)));
    cr_assert_eq(cv_uart16550_room(&b.u), CV_UART_QUEUE - 40);
    bench_clock_to(&b.c, 13 * CHAR_NS);
    cr_assert(!b.irq.level);
    bench_clock_to(&b.c, 14 * CHAR_NS);
    cr_assert_eq(get(&b, 2), 0xc4);
    bench_clock_to(&b.c, 100 * CHAR_NS);
    cr_assert_eq(cv_uart16550_room(&b.u), CV_UART_QUEUE - 24,
                 "16 in the FIFO, the rest waits");
    for (unsigned i = 0; i < sizeof(data); i++) {
        bench_clock_to(&b.c, b.c.now + 2 * CHAR_NS);
        cr_assert(get(&b, 5) & 1);
        cr_assert_eq(get(&b, 0), i + 1);
    }
    cr_assert(!(get(&b, 5) & 1));
    cr_assert_eq(cv_uart16550_room(&b.u), CV_UART_QUEUE);
}

Test(uart16550, a_lonely_byte_times_out)
{
    struct bench b;
    setup(&b);
    set(&b, 2, 0x81);
    set(&b, 1, 1);
    cr_assert(cv_uart16550_input(&b.u, (const uint8_t *)"z", 1));
    bench_clock_to(&b.c, 5 * CHAR_NS - 1);
    cr_assert(!b.irq.level);
    bench_clock_to(&b.c, 5 * CHAR_NS);
    cr_assert_eq(get(&b, 2), 0xcc);
    cr_assert_eq(get(&b, 0), 'z');
    cr_assert_eq(get(&b, 2), 0xc1);
}

Test(uart16550, more_than_the_room_is_refused_whole)
{
    struct bench b;
    static uint8_t data[CV_UART_QUEUE + 1];
    setup(&b);
    cr_assert(!cv_uart16550_input(&b.u, data, sizeof(data)));
    cr_assert_eq(cv_uart16550_room(&b.u), CV_UART_QUEUE);
    cr_assert(cv_uart16550_input(&b.u, data, CV_UART_QUEUE));
    cr_assert(!cv_uart16550_input(&b.u, data, 1));
}

Test(uart16550, loopback_as_drivers_probe_it)
{
    struct bench b;
    setup(&b);
    set(&b, 4, 0x1a);
    cr_assert_eq(get(&b, 6) & 0xf0, 0x90);
    set(&b, 0, 'q');
    cr_assert_eq(b.n, 0, "nothing leaves");
    cr_assert_eq(get(&b, 0), 'q');
    set(&b, 4, 0x0b);
    cr_assert_eq(get(&b, 6) & 0xf0, 0xb0);
    set(&b, 7, 0x5a);
    cr_assert_eq(get(&b, 7), 0x5a);
    set(&b, 3, 0x83);
    set(&b, 0, 0x34);
    set(&b, 1, 0x12);
    cr_assert_eq(get(&b, 0), 0x34);
    cr_assert_eq(b.u.divisor, 0x1234);
}

Test(uart16550, state_comes_back)
{
    struct bench b, f;
    setup(&b);
    setup(&f);
    set(&b, 2, 0xc1);
    set(&b, 1, 7);
    for (unsigned i = 0; i < 600; i++) { /* turns the ring over */
        cr_assert(cv_uart16550_input(&b.u, (const uint8_t *)"12345678", 8));
        bench_clock_to(&b.c, b.c.now + 20 * CHAR_NS);
        while (get(&b, 5) & 1) {
            get(&b, 0);
        }
    }
    cr_assert(cv_uart16550_input(&b.u, (const uint8_t *)"abcdef", 6));
    bench_clock_to(&b.c, b.c.now + 2 * CHAR_NS);
    f.c.now = b.c.now;
    bench_round_trip(&cv_uart16550_class[0], &b.u, &f.u);
}
