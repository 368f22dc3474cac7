/*
 * echo.c - input: reads lines from the serial console by interrupt and by polling, sleeps in between
 * Proves that inputs take effect at the same step in replay (the mix holds the time of each byte).
 */
#include "lib.h"

#define COM1 0x3f8

static volatile unsigned head;
static volatile uint8_t ring[256];
static volatile uint64_t times;

static void on_serial(struct frame *frame)
{
    while ((inb(COM1 + 5) & 1) != 0) {
        ring[head++ & 255] = inb(COM1);
        times = times * 31 + rdtsc() + frame->rip;
    }
    outb(0x20, 0x20);
}

int main(void)
{
    outb(0x20, 0x11);
    outb(0x21, 0x20);
    outb(0x21, 0x04);
    outb(0x21, 0x01);
    outb(0x21, 0xef); /* IRQ 4 */
    on_vector(0x24, on_serial);
    outb(COM1 + 3, 0x03);
    outb(COM1 + 2, 0x07);
    outb(COM1 + 4, 0x0b);
    outb(COM1 + 1, 0x01);
    print("ready\n");
    unsigned tail = 0;
    for (;;) {
        cli();
        if (tail == head) {
            sti_hlt();
            continue;
        }
        sti();
        uint8_t c = ring[tail++ & 255];
        mix(c);
        put_char((char)c);
        if (c == '.') {
            break;
        }
    }
    cli();
    mix(times);
    return finish();
}
