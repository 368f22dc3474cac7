#include "lib.h"

#define COM1      0x3f8
#define EXIT_PORT 0xf4

struct gate {
    uint16_t offset0, selector;
    uint8_t zero, type;
    uint16_t offset1;
};

extern struct gate idt[256];
extern uint8_t stubs[256][16];
void setup_idt(void);
void dispatch(struct frame *frame);

static handler_fn handlers[256];
static int failed;
static uint32_t hash = 0x811c9dc5u;

void setup_idt(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint32_t at = (uint32_t)stubs[i];
        idt[i] = (struct gate){(uint16_t)at, 0x08, 0, 0x8e, (uint16_t)(at >> 16)};
    }
    idt[3].type = 0xee; /* INT3 and INT 0x80 from user mode */
    idt[0x80].type = 0xee;
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
    print_hex(frame->vector);
    print(" error ");
    print_hex(frame->error);
    print(" eip ");
    print_hex(frame->eip);
    print(" cr2 ");
    print_hex(read_cr2());
    print("\n");
    guest_exit(99);
}

static void put_char(char c)
{
    while ((inb(COM1 + 5) & 0x20) == 0) {
    }
    outb(COM1, (uint8_t)c);
}

void print(const char *text)
{
    for (; *text != '\0'; text++) {
        put_char(*text);
        mix((uint8_t)*text);
    }
}

void print_hex(uint32_t value)
{
    char text[9];
    for (unsigned i = 0; i < 8; i++) {
        text[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    }
    text[8] = '\0';
    print(text);
}

/* FNV-1a */
void mix(uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        hash = (hash ^ (value >> 8 * i & 0xff)) * 0x01000193u;
    }
}

void check_at(bool ok, const char *what, int line)
{
    mix(ok);
    if (!ok) {
        print("FAILED ");
        print(what);
        print(" line ");
        print_hex((uint32_t)line);
        print("\n");
        failed++;
    }
}

int finish(void)
{
    print("hash ");
    print_hex(hash);
    print(failed == 0 ? " ok\n" : " FAILED\n");
    return failed;
}

void guest_exit(uint32_t value)
{
    for (;;) {
        outl(EXIT_PORT, value);
    }
}
