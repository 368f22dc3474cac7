/*
 * timer.c - interrupts at exact steps: PIT through the PIC, APIC timer one-shot, periodic and TSC-deadline, HLT
 * Spec:    8254 "Mode 2"; SDM 3A 10.5.4 "APIC Timer"
 */
#include "lib.h"

#define APIC 0xfee00000ull

static volatile unsigned ticks, apic_ticks;
static uint64_t rips;

static void eoi_pic(struct frame *frame)
{
    ticks++;
    rips = rips * 31 + frame->rip + frame->rax;
    outb(0x20, 0x20);
}

static void eoi_apic(struct frame *frame)
{
    apic_ticks++;
    rips = rips * 31 + frame->rip + frame->rcx;
    *(volatile uint32_t *)(APIC + 0xb0) = 0;
}

static void setup_pic(void)
{
    outb(0x20, 0x11);
    outb(0x21, 0x20);
    outb(0x21, 0x04);
    outb(0x21, 0x01);
    outb(0xa0, 0x11);
    outb(0xa1, 0x28);
    outb(0xa1, 0x02);
    outb(0xa1, 0x01);
    outb(0x21, 0xfe);
    outb(0xa1, 0xff);
}

static void spin(unsigned n)
{
    for (volatile unsigned i = 0; i < n; i++) {
    }
}

int main(void)
{
    on_vector(0x20, eoi_pic);
    on_vector(0x40, eoi_apic);
    setup_pic();
    outb(0x43, 0x34);
    outb(0x40, 0x9c); /* 1193182 / 1180: about 1 kHz */
    outb(0x40, 0x04);
    sti();
    while (ticks < 10) {
        spin(1000);
    }
    while (ticks < 25) {
        sti_hlt();
    }
    cli();
    outb(0x21, 0xff);
    CHECK(ticks == 25);
    *(volatile uint32_t *)(APIC + 0xf0) = 0x1ff;
    *(volatile uint32_t *)(APIC + 0x3e0) = 0xb;      /* divide by 1 */
    *(volatile uint32_t *)(APIC + 0x320) = 0x20040;  /* periodic */
    *(volatile uint32_t *)(APIC + 0x380) = 25000;    /* 1 ms at 25 MHz */
    sti();
    while (apic_ticks < 10) {
        spin(333);
    }
    cli();
    *(volatile uint32_t *)(APIC + 0x380) = 0;
    *(volatile uint32_t *)(APIC + 0x320) = 0x40040; /* TSC deadline */
    for (unsigned i = 0; i < 20; i++) {
        uint64_t due = rdtsc() + 50000;
        wrmsr(0x6e0, due);
        sti_hlt();
        cli();
        uint64_t now = rdtsc();
        CHECK(now >= due && now < due + 3000);
        mix(now - due);
    }
    mix(rips);
    mix(rdtsc());
    print("ticks ");
    print_dec(ticks);
    print(" ");
    print_dec(apic_ticks);
    print("\n");
    return finish();
}
