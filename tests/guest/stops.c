/*
 * stops.c - what a debugger stops for: memory written never, once, often, in vain, across pages and by another address;
 * a function called often; and the instructions whose steps are easily miscounted
 * Run alone: chronovisor run --kernel build/guest/stops --memory 16M
 *
 * tests/gdb/test_stops.py names its variables, functions and places.
 */
#include "apic.h"
#include "lib.h"

#pragma GCC optimize("O0")

#define ALIAS    0x500000000000ull /* also maps `pages` */
#define ABSENT   0x600000000000ull
#define HOT      20000u
#define STRADDLE 4092u

volatile uint64_t never, once, many, unequal, calls, ticks, faults;
volatile uint32_t silent;
struct wide {
    uint64_t head, body[14], tail;
} wide;
uint8_t pages[8192] __attribute__((aligned(4096)));
uint8_t from[8192] __attribute__((aligned(4096))), to[8192] __attribute__((aligned(4096)));

void write_once(void)
{
    once = 5;
}

void write_many(void)
{
    for (unsigned i = 0; i < 100; i++) {
        many += i + 1;
    }
}

/* Six writes, of which two change the value. */
void write_silently(void)
{
    uint32_t same = 7;
    silent = 7;
    silent = 7;
    __asm__ volatile("xchg %0, %1" : "+r"(same), "+m"(silent));
    silent = 7;
    silent = 8;
    silent = 8;
}

/* Into the last byte of a page, the first of the next, and over both. */
void write_straddling(void)
{
    pages[4095] = 1;
    pages[4096] = 2;
    *(volatile uint64_t *)(pages + STRADDLE) = 0x1122334455667788ull;
    pages[4091] = 3; /* beside it */
    pages[4100] = 4;
}

void write_by_alias(void)
{
    *(volatile uint32_t *)(ALIAS + 64) = 0xa11a5;
    *(volatile uint32_t *)(pages + 68) = 0xd1ec7;
}

void write_wide(void)
{
    wide.head = 1;
    wide.body[7] = 2;
    wide.tail = 3;
}

uint64_t hot(uint64_t n)
{
    calls++;
    return n ^ calls;
}

void run_hot(void)
{
    for (uint64_t i = 0; i < HOT; i++) {
        unequal += hot(i) & 1;
    }
}

/* Each with a label, so that a test can stand before it. */
void odd_steps(void);
__asm__(".globl odd_steps\n"
        "odd_steps:\n"
        "  lea from+1(%rip), %rsi\n"
        "  lea to+3(%rip), %rdi\n"
        "  mov $6000, %ecx\n"
        "  cld\n"
        ".globl at_rep\nat_rep:\n"
        "  rep movsb\n"
        ".globl at_sti\nat_sti:\n"
        "  sti\n"
        "  nop\n"
        "  cli\n"
        "  mov %ss, %eax\n"
        ".globl at_mov_ss\nat_mov_ss:\n"
        "  mov %eax, %ss\n"
        "  nop\n"
        ".globl at_int\nat_int:\n"
        "  int $0x90\n"
        ".globl at_fault\nat_fault:\n"
        "  mov 0x600000000000, %al\n"
        "  ret\n");

static void on_soft_int(struct frame *frame)
{
    mix(frame->vector);
}

static void on_fault(struct frame *frame)
{
    faults++;
    mix(frame->error);
    map_page(ABSENT, (uint64_t)pages, PTE_P | PTE_W);
    (void)frame;
}

static void on_tick(struct frame *frame)
{
    ticks++;
    (void)frame;
    outb(0x20, 0x20);
}

void halt_for_ticks(void)
{
    pic_setup(0xfe, 0xff);
    outb(0x43, 0x34);
    outb(0x40, 0x9c); /* about 1 kHz */
    outb(0x40, 0x04);
    while (ticks < 5) {
        sti_hlt();
    }
    cli();
    pic_setup(0xff, 0xff);
}

int main(void)
{
    on_vector(0x20, on_tick);
    on_vector(0x90, on_soft_int);
    on_vector(14, on_fault);
    map_page(ALIAS, (uint64_t)pages, PTE_P | PTE_W);
    write_once();
    write_many();
    write_silently();
    write_straddling();
    write_by_alias();
    write_wide();
    run_hot();
    write_cr3(read_cr3());
    for (unsigned i = 0; i < sizeof(from); i++) {
        from[i] = (uint8_t)(i * 7);
    }
    odd_steps();
    halt_for_ticks();
    CHECK(never == 0 && once == 5 && many == 5050 && silent == 8);
    CHECK(pages[4091] == 3 && pages[4092] == 0x88 && pages[4099] == 0x11 && pages[4100] == 4);
    CHECK(*(uint32_t *)(pages + 64) == 0xa11a5 && *(uint32_t *)(ALIAS + 68) == 0xd1ec7);
    CHECK(calls == HOT && faults == 1 && ticks == 5);
    CHECK(to[3] == 7 && to[6002] == (uint8_t)(6000 * 7) && to[6003] == 0);
    mix(unequal);
    mix(wide.head + wide.body[7] + wide.tail);
    return finish();
}
