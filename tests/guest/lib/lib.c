#include "lib.h"

#define COM1       0x3f8
#define EXIT_PORT  0xf4

struct gate {
    uint16_t offset0, selector;
    uint8_t ist, type;
    uint16_t offset1;
    uint32_t offset2, zero;
};

extern struct gate idt[256];
extern uint8_t stubs[256][16];
void setup_idt(void);
void dispatch(struct frame *frame);

static handler_fn handlers[256];
static int failed;
static uint64_t hash = 0xcbf29ce484222325ull;
static uint64_t next_free;

void setup_idt(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t at = (uint64_t)stubs[i];
        idt[i] = (struct gate){(uint16_t)at, 0x08, 0, 0x8e, (uint16_t)(at >> 16),
                               (uint32_t)(at >> 32), 0};
    }
    idt[3].type = 0xee; /* INT3 and INT 0x80 from user mode */
    idt[0x80].type = 0xee;
}

void use_ist(unsigned vector, unsigned ist)
{
    idt[vector].ist = (uint8_t)ist;
}

void open_gate(unsigned vector)
{
    idt[vector].type = 0xee;
}

void on_vector(unsigned vector, handler_fn handler)
{
    handlers[vector] = handler;
}

void dispatch(struct frame *frame)
{
    if (handlers[frame->vector] != NULL) {
        handlers[frame->vector](frame);
        return;
    }
    print("UNEXPECTED vector ");
    print_dec(frame->vector);
    print(" error ");
    print_hex(frame->error);
    print(" rip ");
    print_hex(frame->rip);
    print(" cr2 ");
    print_hex(read_cr2());
    print("\n");
    guest_exit(99);
}

void guest_exit(uint32_t value)
{
    outl(EXIT_PORT, value);
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

void put_char(char c)
{
    while ((inb(COM1 + 5) & 0x20) == 0) {
    }
    outb(COM1, (uint8_t)c);
}

void print(const char *text)
{
    for (; *text != '\0'; text++) {
        put_char(*text);
    }
}

void print_hex(uint64_t value)
{
    for (int shift = 60; shift >= 0; shift -= 4) {
        put_char("0123456789abcdef"[value >> shift & 15]);
    }
}

void print_dec(uint64_t value)
{
    char digits[24];
    unsigned n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (n > 0) {
        put_char(digits[--n]);
    }
}

void mix(uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        hash = (hash ^ (value >> (8 * i) & 0xff)) * 0x100000001b3ull;
    }
}

void check_at(bool ok, const char *what, int line)
{
    mix(ok);
    if (!ok) {
        failed++;
        print("FAILED line ");
        print_dec((uint64_t)line);
        print(": ");
        print(what);
        print("\n");
    }
}

int failures(void)
{
    return failed;
}

int finish(void)
{
    print("mix ");
    print_hex(hash);
    print(failed != 0 ? " FAILED\n" : " ok\n");
    return failed != 0 ? 1 : 0;
}

uint64_t *new_page(void)
{
    if (next_free == 0) {
        next_free = (uint64_t)end_of_image;
    }
    uint64_t *page = (uint64_t *)next_free;
    next_free += 4096;
    for (unsigned i = 0; i < 512; i++) {
        page[i] = 0;
    }
    return page;
}

static uint64_t *next_table(uint64_t *entry)
{
    if ((*entry & PTE_P) == 0) {
        *entry = (uint64_t)new_page() | PTE_P | PTE_W | PTE_U;
    }
    return (uint64_t *)(*entry & 0x000ffffffffff000ull);
}

uint64_t *pte_of(uint64_t gva)
{
    uint64_t *table = pml4;
    for (unsigned shift = 39; shift > 12; shift -= 9) {
        table = next_table(&table[gva >> shift & 511]);
    }
    return &table[gva >> 12 & 511];
}

void map_page(uint64_t gva, uint64_t gpa, uint64_t flags)
{
    *pte_of(gva) = gpa | flags;
}
