#include "bench_clock.h"
#include "core/dev/pic8259.h"

static struct bench_line intr;

static void init_pair(struct cv_pic8259 *p, uint8_t icw4)
{
    memset(p, 0, sizeof(*p));
    memset(&intr, 0, sizeof(intr));
    p->intr = BENCH_LINE(&intr);
    cv_pic8259_class.reset(p);
    cv_pic8259_write_master(p, 0, 1, 0x11);
    cv_pic8259_write_master(p, 1, 1, 0x20);
    cv_pic8259_write_master(p, 1, 1, 0x04);
    cv_pic8259_write_master(p, 1, 1, icw4);
    cv_pic8259_write_slave(p, 0, 1, 0x11);
    cv_pic8259_write_slave(p, 1, 1, 0x28);
    cv_pic8259_write_slave(p, 1, 1, 0x02);
    cv_pic8259_write_slave(p, 1, 1, icw4);
}

static void pulse(struct cv_pic8259 *p, unsigned irq)
{
    cv_pic8259_request(p, irq, true);
}

Test(pic8259, serves_by_priority_and_nests)
{
    struct cv_pic8259 p;
    init_pair(&p, 1);
    pulse(&p, 4);
    pulse(&p, 1);
    cr_assert(intr.level);
    cr_assert_eq(cv_pic8259_ack(&p), 0x21);
    cr_assert(!intr.level, "4 is below 1 in service");
    pulse(&p, 0);
    cr_assert(intr.level, "0 is above 1");
    cr_assert_eq(cv_pic8259_ack(&p), 0x20);
    cv_pic8259_write_master(&p, 0, 1, 0x20);
    cv_pic8259_write_master(&p, 0, 1, 0x20);
    cr_assert_eq(cv_pic8259_ack(&p), 0x24);
}

Test(pic8259, slave_requests_come_through_line_2)
{
    struct cv_pic8259 p;
    init_pair(&p, 1);
    pulse(&p, 8);
    pulse(&p, 3);
    cr_assert_eq(cv_pic8259_ack(&p), 0x28, "8 hangs on 2, above 3");
    cv_pic8259_write_slave(&p, 0, 1, 0x20);
    cv_pic8259_write_master(&p, 0, 1, 0x62);
    cr_assert_eq(cv_pic8259_ack(&p), 0x23);
}

Test(pic8259, a_request_that_goes_away_is_spurious)
{
    struct cv_pic8259 p;
    init_pair(&p, 1);
    cv_pic8259_request(&p, 5, true);
    cv_pic8259_request(&p, 5, false);
    cr_assert(!intr.level);
    cr_assert_eq(cv_pic8259_ack(&p), 0x27);
    cv_pic8259_write_master(&p, 0, 1, 0x0b);
    cr_assert_eq(cv_pic8259_read_master(&p, 0, 1), 0, "ISR stays clear");
}

Test(pic8259, level_lines_ask_again_until_they_fall)
{
    struct cv_pic8259 p;
    init_pair(&p, 1);
    cv_pic8259_write_elcr(&p, 1, 1, 0x02 | 0x01);
    cr_assert_eq(cv_pic8259_read_elcr(&p, 1, 1), 0x02, "8 is always edge");
    cv_pic8259_request(&p, 9, true);
    cr_assert_eq(cv_pic8259_ack(&p), 0x29);
    cv_pic8259_write_slave(&p, 0, 1, 0x20);
    cv_pic8259_write_master(&p, 0, 1, 0x20);
    cr_assert(intr.level);
    cv_pic8259_request(&p, 9, false);
    cr_assert(!intr.level);
}

Test(pic8259, an_edge_is_latched_once)
{
    struct cv_pic8259 p;
    init_pair(&p, 3); /* AEOI */
    pulse(&p, 4);
    cr_assert_eq(cv_pic8259_ack(&p), 0x24);
    cr_assert(!intr.level,
              "still high, but no new edge, and AEOI left nothing in service");
    cv_pic8259_write_master(&p, 0, 1, 0x0b);
    cr_assert_eq(cv_pic8259_read_master(&p, 0, 1), 0);
}

Test(pic8259, special_mask_lets_lower_ones_through)
{
    struct cv_pic8259 p;
    init_pair(&p, 1);
    pulse(&p, 3);
    cr_assert_eq(cv_pic8259_ack(&p), 0x23);
    pulse(&p, 6);
    cr_assert(!intr.level);
    cv_pic8259_write_master(&p, 1, 1, 0x08);
    cv_pic8259_write_master(&p, 0, 1, 0x68);
    cr_assert(intr.level);
    cr_assert_eq(cv_pic8259_ack(&p), 0x26);
}

Test(pic8259, rotation_and_poll)
{
    struct cv_pic8259 p;
    init_pair(&p, 1);
    pulse(&p, 0);
    cr_assert_eq(cv_pic8259_ack(&p), 0x20);
    cv_pic8259_write_master(&p, 0, 1, 0xa0); /* rotate on EOI: 0 is lowest now */
    cv_pic8259_request(&p, 0, false);
    pulse(&p, 0);
    pulse(&p, 7);
    cv_pic8259_write_master(&p, 0, 1, 0x0c);
    cr_assert_eq(cv_pic8259_read_master(&p, 0, 1), 0x87);
}

Test(pic8259, state_comes_back)
{
    struct cv_pic8259 p, q;
    init_pair(&p, 1);
    init_pair(&q, 1);
    pulse(&p, 9);
    pulse(&p, 3);
    cv_pic8259_ack(&p);
    bench_round_trip(&cv_pic8259_class, &p, &q);
}
