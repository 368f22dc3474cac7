/*
 * pic.c - the pair of 8259A: initialization, edge and level, nesting, EOI of every kind, rotation, masks, special mask,
 *         automatic EOI, poll, cascade, ELCR
 * Spec:    8259A data sheet (231468) "Initialization Command Words", "Operation Command Words", "Priority Rotation",
 *          "Special Mask Mode", "Poll Command", "Cascade Mode"; 82371AB data sheet "ELCR"
 */
#include "apic.h"
#include "catch.h"

static bool eoi; /* handlers send a non-specific one */

static void on_irq(struct frame *f)
{
    catch_note(f);
    if (eoi) {
        if (f->vector >= 0x28) {
            outb(0xa0, 0x20);
        }
        outb(0x20, 0x20);
    }
}

static void window(void)
{
    __asm__ volatile("sti\n nop\n nop\n cli" : : : "memory");
}

/* Lines that a program can move: 0 is OUT of the PIT, 3 is COM2's THRE interrupt, 8 the RTC's periodic flag. */
static void irq3_high(void) { outb(0x2fc, 8); outb(0x2f9, 0); outb(0x2f9, 2); }
static void irq3_low(void) { (void)inb(0x2fa); }

static uint8_t rtc(uint8_t reg)
{
    outb(0x70, reg);
    return inb(0x71);
}

static void irq8_high(void)
{
    outb(0x70, 11);
    outb(0x71, 2);
    while ((inb(0x80), rtc(12) & 0x40) != 0) {
    }
    for (unsigned i = 0; i < 200; i++) { /* 122 us at 8192 Hz */
        inb(0x80);
    }
    outb(0x70, 11);
    outb(0x71, 0x42);
}

static void irq8_low(void)
{
    (void)rtc(12);
    outb(0x70, 11);
    outb(0x71, 2);
}

static void quiet(void)
{
    irq0_low();
    irq3_low();
    irq8_low();
}

static uint8_t irr(uint16_t port) { outb(port, 0x0a); return inb(port); }
static uint8_t isr(uint16_t port) { outb(port, 0x0b); return inb(port); }

/* Starts anew with these masks; automatic: ICW4 with AEOI. */
static void start(uint8_t mask0, uint8_t mask1, bool automatic)
{
    quiet();
    outb(0x20, 0x11);
    outb(0x21, 0x25); /* the low three bits of ICW2 are the line's */
    outb(0x21, 0x04);
    outb(0x21, automatic ? 3 : 1);
    CHECK(inb(0x21) == 0 && isr(0x20) == 0); /* ICW1 clears IMR and ISR */
    outb(0xa0, 0x11);
    outb(0xa1, 0x28);
    outb(0xa1, 0x02);
    outb(0xa1, automatic ? 3 : 1);
    outb(0x21, mask0);
    outb(0xa1, mask1);
    CHECK(inb(0x21) == mask0 && inb(0xa1) == mask1);
    eoi = true;
    catch_clear();
}

static void check_edges(void)
{
    start(0xff, 0xff, false);
    irq0_high();
    CHECK(irr(0x20) == 1 && isr(0x20) == 0); /* a mask does not hide a request */
    window();
    CHECK(caught_count == 0);
    outb(0x21, 0xfe);
    window();
    CHECK(caught_count == 1 && caught[0].vector == 0x20);
    CHECK(irr(0x20) == 0 && isr(0x20) == 0);
    window(); /* the line is high still: no new edge */
    CHECK(caught_count == 1);
    irq0_low();
    irq0_high();
    irq0_low(); /* a request must stay until it is acknowledged */
    CHECK(irr(0x20) == 0);
    window();
    CHECK(caught_count == 1);
    irq0_high();
    eoi = false;
    window();
    CHECK(caught_count == 2 && isr(0x20) == 1);
    irq0_low();
    irq0_high(); /* its own line waits while it is in service */
    CHECK(irr(0x20) == 1 && isr(0x20) == 1);
    window();
    CHECK(caught_count == 2);
    outb(0x20, 0x20);
    window();
    CHECK(caught_count == 3);
    outb(0x20, 0x60); /* specific EOI of 0 */
    CHECK(isr(0x20) == 0);
    /* ICW1 forgets edges: a line that is high must fall first */
    irq0_low();
    irq0_high();
    CHECK(irr(0x20) == 1);
    pic_setup(0xfe, 0xff);
    CHECK(irr(0x20) == 0);
    window();
    CHECK(caught_count == 3);
    catch_explain("edges");
}

static void check_levels(void)
{
    start(0xf7, 0xff, false);
    outb(0x4d0, 0xff);
    outb(0x4d1, 0xff);
    CHECK(inb(0x4d0) == 0xf8 && inb(0x4d1) == 0xde); /* 0, 1, 2, 8 and 13 are edges always */
    outb(0x4d1, 0);
    outb(0x4d0, 8);
    irq3_high();
    eoi = false;
    window();
    CHECK(caught_count == 1 && caught[0].vector == 0x23);
    CHECK(irr(0x20) == 8 && isr(0x20) == 8);
    window();
    CHECK(caught_count == 1);
    outb(0x20, 0x20);
    window();
    CHECK(caught_count == 2); /* as long as it is high */
    irq3_low();
    CHECK(irr(0x20) == 0);
    outb(0x20, 0x20);
    eoi = true;
    window();
    CHECK(caught_count == 2);
    outb(0x4d0, 0);
    irq3_high();
    window();
    window();
    CHECK(caught_count == 3);
    irq3_low();
    catch_explain("levels");
}

static void check_nesting(void)
{
    start(0xf6, 0xff, false);
    eoi = false;
    irq3_high();
    window();
    irq0_high(); /* higher: comes through */
    window();
    CHECK(caught_count == 2 && caught[0].vector == 0x23 && caught[1].vector == 0x20 && isr(0x20) == 9);
    outb(0x20, 0x20); /* non-specific: the highest in service */
    CHECK(isr(0x20) == 8);
    outb(0x20, 0x20);
    CHECK(isr(0x20) == 0);
    quiet();
    irq0_high();
    window();
    irq3_high(); /* lower: waits */
    window();
    CHECK(caught_count == 3 && isr(0x20) == 1 && irr(0x20) == 8);
    /* special mask mode: a masked line in service holds nobody back */
    outb(0x21, 0xf7);
    outb(0x20, 0x68);
    window();
    CHECK(caught_count == 4 && caught[3].vector == 0x23 && isr(0x20) == 9);
    outb(0x20, 0x20); /* non-specific EOI skips what special mask mode hides */
    CHECK(isr(0x20) == 1);
    outb(0x20, 0x60);
    CHECK(isr(0x20) == 0);
    outb(0x20, 0x48);
    catch_explain("nesting");
}

static void both(unsigned first, const char *what)
{
    quiet();
    catch_clear();
    irq0_high();
    irq3_high();
    window();
    window();
    CHECK(caught_count == 2 && caught[0].vector == 0x20 + first);
    catch_explain(what);
}

static void check_rotation(void)
{
    start(0xf6, 0xff, false);
    both(0, "fixed priorities");
    outb(0x20, 0xc0); /* set priority: 0 is the lowest */
    both(3, "0 lowest");
    outb(0x20, 0xc2);
    both(3, "2 lowest: 3 is the highest");
    outb(0x20, 0xc3);
    both(0, "3 lowest");
    outb(0x20, 0xc7);
    both(0, "7 lowest");
    eoi = false;
    quiet();
    irq0_high();
    window();
    outb(0x20, 0xa0); /* rotate on non-specific EOI: what was served becomes the lowest */
    CHECK(isr(0x20) == 0);
    eoi = true;
    both(3, "rotated");
    eoi = false;
    quiet();
    irq3_high();
    window();
    outb(0x20, 0xe3); /* rotate on specific EOI */
    CHECK(isr(0x20) == 0);
    eoi = true;
    both(0, "rotated by name");
    start(0xf6, 0xff, true);
    eoi = false;
    both(0, "automatic EOI");
    CHECK(isr(0x20) == 0);
    outb(0x20, 0x80); /* rotate in automatic EOI mode */
    both(0, "before");
    both(0, "0 and then 3 were served: 3 is the lowest");
    quiet();
    irq0_high();
    window();
    both(3, "0 is the lowest");
    outb(0x20, 0x00);
}

static void check_poll(void)
{
    start(0xff, 0xff, false);
    outb(0x20, 0x0c);
    CHECK((inb(0x20) & 0x80) == 0); /* nothing to be served */
    outb(0x21, 0xf6);
    irq3_high();
    irq0_high();
    outb(0x20, 0x0c);
    CHECK(inb(0x20) == 0x80); /* line 0, and it is in service now */
    CHECK(isr(0x20) == 1 && irr(0x20) == 8);
    outb(0x20, 0x0c);
    CHECK((inb(0x20) & 0x80) == 0); /* 3 waits */
    outb(0x20, 0x20);
    outb(0x20, 0x0c);
    CHECK(inb(0x20) == 0x83);
    outb(0x20, 0x20);
    window();
    CHECK(caught_count == 0);
}

static void check_cascade(void)
{
    start(0xfb, 0xfe, false);
    outb(0x70, 10);
    outb(0x71, 0x23); /* 8192 Hz */
    eoi = false;
    irq8_high();
    CHECK(irr(0xa0) == 1 && irr(0x20) == 4);
    window();
    CHECK(caught_count == 1 && caught[0].vector == 0x28);
    CHECK(isr(0xa0) == 1 && isr(0x20) == 4);
    outb(0x20, 0x20);
    CHECK(isr(0x20) == 0 && isr(0xa0) == 1); /* each chip wants its own */
    irq8_low();
    irq8_high();
    window();
    CHECK(caught_count == 1);
    outb(0xa0, 0x20);
    window();
    CHECK(caught_count == 2 && isr(0x20) == 4);
    outb(0xa0, 0x60);
    outb(0x20, 0x62);
    CHECK(isr(0x20) == 0 && isr(0xa0) == 0);
    /* slave's lines rank as the master's line 2: after 0, before 3 */
    quiet();
    outb(0x21, 0xf2);
    irq3_high();
    irq8_high();
    irq0_high();
    eoi = true;
    catch_clear();
    for (unsigned i = 0; i < 4; i++) {
        window();
    }
    CHECK(caught_count == 3 && caught[0].vector == 0x20 && caught[1].vector == 0x28 && caught[2].vector == 0x23);
    catch_explain("cascade");
    irq8_low();
    outb(0x21, 0xff);
    irq8_high();
    irq8_low(); /* gone before it was seen */
    outb(0x21, 0xfb);
    window();
    CHECK(caught_count == 3);
    quiet();
}

int main(void)
{
    catch_exceptions();
    for (unsigned v = 0x20; v < 0x30; v++) {
        on_vector(v, on_irq);
    }
    apic_write(APIC_SVR, 0x1ff);
    apic_write(APIC_LVT_LINT0, 0x700);
    check_edges();
    check_levels();
    check_nesting();
    check_rotation();
    check_poll();
    check_cascade();
    return finish();
}
