/*
 * uart.c - the second serial port: registers, loopback, FIFO levels, overrun, identification and priority of interrupts,
 *         THRE at the line's rate
 * Spec:    PC16550D data sheet (TL/C/8652) "Interrupt Identification Register" (8.6), "FIFO Control Register" (8.5), "MODEM
 *          Control Register" (8.7), "FIFO Interrupt Mode Operation" (8.9)
 */
#include "moment.h"

#define PORT   0x2f8u
#define VECTOR 0x23u
enum { RBR = PORT, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = IIR };
enum { IIR_MODEM = 0, IIR_NONE = 1, IIR_THRE = 2, IIR_RX = 4, IIR_LINE = 6, IIR_TIMEOUT = 12 };

static unsigned id(void) { return inb(IIR) & 15; }

static void divisor(uint16_t v)
{
    outb(LCR, 0x83);
    outb(RBR, (uint8_t)v);
    outb(IER, (uint8_t)(v >> 8));
    CHECK(inb(RBR) == (uint8_t)v && inb(IER) == v >> 8);
    outb(LCR, 3);
}

/* 8 bits, no parity: ten bit times */
static uint64_t char_ns(uint16_t v) { return 10ull * 16 * v * 1000000000ull / 1843200; }

/* What was written has gone out (in loopback, too, it takes its time); no interrupt is left. */
static void drain(void)
{
    outb(IER, 2);
    while (id() != IIR_THRE) {
    }
    outb(IER, 0);
}

static void check_registers(void)
{
    outb(IER, 0xff);
    CHECK(inb(IER) == 0x0f);
    outb(IER, 0);
    outb(SCR, 0x5a);
    CHECK(inb(SCR) == 0x5a);
    outb(MCR, 0xff);
    CHECK(inb(MCR) == 0x1f);
    outb(MCR, 0);
    CHECK((inb(IIR) & 0xc0) == 0);
    outb(FCR, 1);
    CHECK((inb(IIR) & 0xc0) == 0xc0); /* FIFOs are on */
    outb(FCR, 0);
    CHECK((inb(LSR) & 0x61) == 0x60);
    divisor(0x1234);
    divisor(12);
}

static void check_loopback(void)
{
    /* MODEM outputs come back as inputs: RTS -> CTS, DTR -> DSR, OUT1 -> RI, OUT2 -> DCD */
    for (unsigned v = 0; v < 16; v++) {
        outb(MCR, (uint8_t)(0x10 | v));
        unsigned expected = (v & 1) << 5 | (v & 2) << 3 | (v & 4) << 4 | (v & 8) << 4;
        CHECK((inb(MSR) & 0xf0u) == expected);
    }
    (void)inb(MSR);
    outb(MCR, 0x10);
    CHECK((inb(MSR) & 0x0f) == 0x0f); /* all fell: deltas, and the trailing edge of RI */
    CHECK((inb(MSR) & 0x0f) == 0);    /* a read clears them */
    outb(MCR, 0x14);
    CHECK((inb(MSR) & 0x0f) == 0);    /* a rise of RI is none */
    outb(MCR, 0x10);
    CHECK((inb(MSR) & 0x0f) == 4);
    for (unsigned v = 0; v < 256; v += 51) {
        outb(RBR, (uint8_t)v);
        CHECK((inb(LSR) & 1) == 1 && inb(RBR) == v && (inb(LSR) & 1) == 0);
    }
    outb(RBR, 1); /* without FIFOs the second byte overruns */
    outb(RBR, 2);
    CHECK((inb(LSR) & 3) == 3);
    CHECK((inb(LSR) & 3) == 1); /* the error is cleared by the read */
    (void)inb(RBR);
}

static void check_levels(void)
{
    static const uint8_t levels[4] = {1, 4, 8, 14};
    outb(IER, 1);
    for (unsigned i = 0; i < 4; i++) {
        outb(FCR, (uint8_t)(0x07 | i << 6));
        for (unsigned n = 1; n <= 16; n++) {
            outb(RBR, (uint8_t)n);
            unsigned got = id();
            CHECK(got == (n >= levels[i] ? IIR_RX : IIR_NONE));
        }
        outb(RBR, 99); /* the seventeenth is lost, the FIFO stays */
        CHECK((inb(LSR) & 2) == 2);
        for (unsigned n = 1; n <= 16; n++) {
            CHECK(inb(RBR) == n);
            CHECK(id() == (16 - n >= levels[i] ? IIR_RX : IIR_NONE));
        }
    }
    /* character timeout: below the level, no more for four character times; reading the last byte ends it */
    outb(FCR, 0xc7);
    outb(RBR, 7);
    CHECK(id() == IIR_NONE);
    uint64_t begin = rdtsc();
    while (id() == IIR_NONE) {
    }
    uint64_t took = rdtsc() - begin;
    CHECK(took > 4 * char_ns(12) - 5000 && took < 4 * char_ns(12) + 5000);
    CHECK(id() == IIR_TIMEOUT);
    CHECK(inb(RBR) == 7 && id() == IIR_NONE);
    outb(RBR, 8);
    outb(FCR, 0xc3); /* the receiver's FIFO is cleared */
    CHECK((inb(LSR) & 1) == 0);
    outb(IER, 0);
}

static void check_priorities(void)
{
    drain();
    outb(FCR, 0);
    outb(MCR, 0x10);
    (void)inb(MSR);
    outb(RBR, 1);
    outb(RBR, 2);    /* overrun */
    outb(MCR, 0x12); /* CTS changes */
    for (unsigned i = 0; i < 2100; i++) { /* two character times */
        inb(0x80);
    }
    outb(IER, 0x0f); /* THRE is enabled while the register is empty */
    CHECK(id() == IIR_LINE && id() == IIR_LINE);
    (void)inb(LSR);
    CHECK(id() == IIR_RX);
    (void)inb(RBR);
    CHECK(id() == IIR_THRE);
    CHECK(id() == IIR_MODEM); /* reading IIR has ended THRE */
    (void)inb(MSR);
    CHECK(id() == IIR_NONE);
    outb(IER, 0);
}

static void on_irq(struct frame *f)
{
    catch_note(f);
    outb(0x20, 0x20);
}

static void window(void)
{
    __asm__ volatile("sti\n nop\n nop\n cli" : : : "memory");
}

static void check_line(void)
{
    on_vector(VECTOR, on_irq);
    drain();
    outb(MCR, 0); /* OUT2 opens the way on a PC */
    outb(IER, 2);
    catch_clear();
    window();
    CHECK(caught_count == 0);
    CHECK(id() == IIR_THRE);
    outb(IER, 0);
    outb(MCR, 8);
    outb(IER, 2);
    window();
    CHECK(caught_count == 1 && id() == IIR_THRE && id() == IIR_NONE);
    outb(IER, 2); /* no rise of the bit: nothing */
    window();
    CHECK(caught_count == 1);
    /* after the bytes have gone at the programmed rate */
    for (uint16_t d = 1; d <= 12; d += 11) {
        divisor(d);
        outb(IER, 2);
        (void)id();
        window();
        CHECK(id() == IIR_NONE);
        moment_use_pic(VECTOR);
        moment_clear();
        outb(FCR, 7);
        uint64_t w = 0;
        for (unsigned n = 0; n < 3; n++) {
            uint64_t t = moment_out(RBR, 'x');
            w = n == 0 ? t : w;
        }
        while (moments < 1) {
            moment_halt();
        }
        CHECK(moment_at[0] == w + 3 * char_ns(d));
        CHECK(id() == IIR_THRE);
        outb(FCR, 0);
    }
    outb(IER, 0);
    outb(MCR, 0);
}

int main(void)
{
    catch_exceptions();
    pic_setup(0xf7, 0xff);
    apic_write(APIC_SVR, 0x1ff);
    apic_write(APIC_LVT_LINT0, 0x700);
    check_registers();
    check_loopback();
    check_levels();
    check_priorities();
    check_line();
    return finish();
}
