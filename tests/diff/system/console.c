#include <stdarg.h>
#include "engine.h"

#define COM1 0x3f8

static void put_char(char c)
{
    while ((inb(COM1 + 5) & 0x20) == 0) {
    }
    outb(COM1, (u8)c);
}

static void print_hex(u64 v, int digits)
{
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
        put_char("0123456789abcdef"[v >> shift & 15]);
    }
}

static void print_dec(u32 v)
{
    char digits[12];
    u32 n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    while (n > 0) {
        put_char(digits[--n]);
    }
}

void print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            put_char(*format);
            continue;
        }
        switch (*++format) {
        case 's':
            for (const char *s = va_arg(args, const char *); *s != '\0'; s++) {
                put_char(*s);
            }
            break;
        case 'u':
            print_dec(va_arg(args, u32));
            break;
        case 'b':
            print_hex(va_arg(args, u32), 2);
            break;
        case 'x':
            print_hex(va_arg(args, u32), 8);
            break;
        default:
            print_hex(va_arg(args, u64), 16);
            break;
        }
    }
    va_end(args);
}

void *memcpy(void *to, const void *from, size_t n)
{
    void *d = to;
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n) : : "memory");
    return to;
}

void *memset(void *to, int c, size_t n)
{
    void *d = to;
    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return to;
}
