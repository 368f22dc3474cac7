/*
 * ioapic.c - the I/O APIC: registers, edge and level, remote IRR and EOI, masks, delivery modes, destinations
 * Spec:    82093AA data sheet "I/O Redirection Table Registers" (3.2.4); SDM 3A "Signaling Interrupt Servicing
 *          Completion" (10.8.5)
 */
#include "apic.h"
#include "catch.h"

#define RED_LEVEL 0x8000u
#define RED_RIRR  0x4000u
#define RED_LOW   0x2000u

static bool eoi;

static void on_fixed(struct frame *f)
{
    catch_note(f);
    if (eoi) {
        apic_write(APIC_EOI, 0);
    }
}

static void window(void)
{
    __asm__ volatile("sti\n nop\n nop\n cli" : : : "memory");
}

static void irq3_high(void) { outb(0x2fc, 8); outb(0x2f9, 0); outb(0x2f9, 2); }
static void irq3_low(void) { (void)inb(0x2fa); }

static void start(void)
{
    irq0_low();
    irq3_low();
    eoi = true;
    catch_clear();
}

static void check_registers(void)
{
    CHECK((ioapic_read(1) & 0xff) == 0x20 && (ioapic_read(1) >> 16 & 0xff) == 23);
    ioapic_write(0, 0x0f000000);
    CHECK(ioapic_read(0) == 0x0f000000 && ioapic_read(2) == 0x0f000000);
    ioapic_write(0, 0);
    ioapic_write(1, 0xffffffff);
    CHECK((ioapic_read(1) & 0xff) == 0x20);
    for (unsigned pin = 0; pin < 24; pin++) {
        CHECK(ioapic_read(0x10 + 2 * pin) == LVT_MASK && ioapic_read(0x11 + 2 * pin) == 0);
        ioapic_write(0x11 + 2 * pin, 0xffffffff);
        ioapic_write(0x10 + 2 * pin, 0xffffffff);
        CHECK(ioapic_read(0x11 + 2 * pin) == 0xff000000); /* the destination only */
        CHECK(ioapic_read(0x10 + 2 * pin) == 0x1afff);    /* status and remote IRR are read-only */
        ioapic_write(0x10 + 2 * pin, LVT_MASK);
        ioapic_write(0x11 + 2 * pin, 0);
    }
    CHECK(ioapic_read(0x40) == 0);
    CHECK(*(volatile uint32_t *)(uint64_t)IOAPIC_AT == 0x40); /* IOREGSEL reads back */
}

static void check_edges(void)
{
    start();
    ioapic_route(2, 0x51);
    irq0_high();
    window();
    CHECK(caught_count == 1 && caught[0].vector == 0x51);
    window();
    CHECK(caught_count == 1);
    irq0_low();
    window();
    CHECK(caught_count == 1);
    irq0_high(); /* an edge is an event: its end takes nothing back */
    irq0_low();
    CHECK(apic_bit(APIC_IRR, 0x51) && !apic_bit(APIC_TMR, 0x51));
    window();
    CHECK(caught_count == 2);
    ioapic_route(2, LVT_MASK | 0x51);
    irq0_high(); /* edges at a masked pin are lost */
    ioapic_route(2, 0x51);
    window();
    CHECK(caught_count == 2);
    irq0_low();
    irq0_high();
    ioapic_route(2, LVT_MASK | 0x51); /* a mask does not call back what was sent */
    window();
    CHECK(caught_count == 3);
    CHECK((ioapic_read(0x14) & RED_RIRR) == 0);
    catch_explain("edges");
    irq0_low();
}

static void check_levels(void)
{
    start();
    eoi = false;
    ioapic_route(3, RED_LEVEL | 0x61);
    irq3_high();
    CHECK((ioapic_read(0x16) & RED_RIRR) != 0);
    CHECK(apic_bit(APIC_IRR, 0x61) && apic_bit(APIC_TMR, 0x61));
    window();
    CHECK(caught_count == 1 && caught[0].vector == 0x61);
    window();
    CHECK(caught_count == 1); /* told once, until its EOI */
    irq3_low();
    irq3_high();
    window();
    CHECK(caught_count == 1 && (ioapic_read(0x16) & RED_RIRR) != 0);
    apic_write(APIC_EOI, 0); /* the line is still high: again */
    CHECK((ioapic_read(0x16) & RED_RIRR) != 0);
    window();
    CHECK(caught_count == 2);
    irq3_low();
    apic_write(APIC_EOI, 0);
    CHECK((ioapic_read(0x16) & RED_RIRR) == 0);
    window();
    CHECK(caught_count == 2);
    /* masked while high, then opened: a level is not lost */
    ioapic_route(3, LVT_MASK | RED_LEVEL | 0x61);
    irq3_high();
    window();
    CHECK(caught_count == 2 && (ioapic_read(0x16) & RED_RIRR) == 0);
    ioapic_route(3, RED_LEVEL | 0x61);
    window();
    CHECK(caught_count == 3);
    irq3_low();
    apic_write(APIC_EOI, 0);
    /* a vector of a level pin that came as an edge: its EOI is not told */
    irq3_high();
    window();
    CHECK(caught_count == 4);
    irq3_low();
    *(volatile uint32_t *)(uint64_t)(IOAPIC_AT + 0x40) = 0x62; /* the EOI register: another vector */
    CHECK((ioapic_read(0x16) & RED_RIRR) != 0);
    *(volatile uint32_t *)(uint64_t)(IOAPIC_AT + 0x40) = 0x61;
    CHECK((ioapic_read(0x16) & RED_RIRR) == 0);
    apic_write(APIC_EOI, 0);
    /* edge mode ends remote IRR, too: what drivers of parts without an EOI register do */
    irq3_high();
    window();
    irq3_low();
    ioapic_write(0x16, LVT_MASK | 0x61);
    CHECK((ioapic_read(0x16) & RED_RIRR) == 0);
    apic_write(APIC_EOI, 0);
    CHECK(caught_count == 5);
    catch_explain("levels");
    ioapic_route(3, LVT_MASK);
}

static unsigned count_of(uint32_t high, uint32_t low)
{
    start();
    ioapic_write(0x15, high);
    ioapic_write(0x14, low);
    irq0_high();
    window();
    unsigned n = caught_count;
    ioapic_write(0x14, LVT_MASK);
    return n;
}

static void check_messages(void)
{
    CHECK(count_of(0, 0x51) == 1);
    CHECK(count_of(1u << 24, 0x51) == 0);
    CHECK(count_of(0xffu << 24, 0x51) == 1);
    CHECK(count_of(0, 0x151) == 1); /* lowest priority */
    CHECK(count_of(0, 0x451) == 1 && caught[0].vector == 2);
    CHECK(count_of(0, 0x251) == 0); /* SMI: there is none */
    apic_write(APIC_LDR, 0x04000000);
    CHECK(count_of(0x04u << 24, 0x851) == 1 && count_of(0x03u << 24, 0x851) == 0);
    apic_write(APIC_ESR, 0);
    CHECK(count_of(0, 0x0f) == 0); /* an illegal vector is an error of the receiver */
    apic_write(APIC_ESR, 0);
    CHECK((apic_read(APIC_ESR) & 0x40) != 0);
    /* two pins, one vector: one request while it waits */
    start();
    ioapic_route(2, 0x51);
    ioapic_route(3, 0x51);
    irq0_high();
    irq3_high();
    window();
    window();
    CHECK(caught_count == 1);
    ioapic_route(2, LVT_MASK);
    ioapic_route(3, LVT_MASK);
    /* polarity is stored; lines of this board are told as active or not, whatever the level on a wire */
    ioapic_route(2, LVT_MASK | RED_LOW | 0x51);
    CHECK(ioapic_read(0x14) == (LVT_MASK | RED_LOW | 0x51));
    irq0_low();
}

int main(void)
{
    pic_setup(0xff, 0xff);
    catch_exceptions();
    on_vector(0x51, on_fixed);
    on_vector(0x61, on_fixed);
    apic_write(APIC_SVR, 0x1ff);
    check_registers();
    check_edges();
    check_levels();
    check_messages();
    return finish();
}
