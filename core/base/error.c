#include "core/base/error.h"
#include "core/base/mem.h"

struct out {
    char *buf;
    size_t cap, len;
};

static void put(struct out *o, char c)
{
    if (o->len + 1 < o->cap) {
        o->buf[o->len++] = c;
    }
}

static void put_escaped(struct out *o, const char *s)
{
    static const char hex[] = "0123456789abcdef";
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c == 0x7f) {
            put(o, '\\');
            put(o, 'x');
            put(o, hex[c >> 4]);
            put(o, hex[c & 15]);
        } else {
            put(o, (char)c);
        }
    }
}

static void put_number(struct out *o, uint64_t v, unsigned base, unsigned width, char pad,
                       bool negative)
{
    char digits[24];
    unsigned n = 0;
    do {
        digits[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v != 0);
    if (negative && pad == '0') {
        put(o, '-');
    }
    for (unsigned i = n + (negative ? 1 : 0); i < width; i++) {
        put(o, pad);
    }
    if (negative && pad != '0') {
        put(o, '-');
    }
    while (n > 0) {
        put(o, digits[--n]);
    }
}

static uint64_t take_integer(__builtin_va_list *ap, unsigned longs, bool is_signed)
{
    if (longs > 0) {
        return __builtin_va_arg(*ap, unsigned long);
    }
    if (is_signed) {
        return (uint64_t)(int64_t)__builtin_va_arg(*ap, int);
    }
    return __builtin_va_arg(*ap, unsigned);
}

size_t cv_vformat(char *buf, size_t cap, const char *fmt, __builtin_va_list ap0)
{
    struct out o = {buf, cap, 0};
    __builtin_va_list ap;
    __builtin_va_copy(ap, ap0);
    for (; *fmt != '\0'; fmt++) {
        if (*fmt != '%') {
            put(&o, *fmt);
            continue;
        }
        fmt++;
        char pad = ' ';
        unsigned width = 0;
        unsigned longs = 0;
        if (*fmt == '0') {
            pad = '0';
            fmt++;
        }
        while (*fmt >= '0' && *fmt <= '9') {
            width = width * 10 + (unsigned)(*fmt++ - '0');
        }
        while (*fmt == 'l' || *fmt == 'z') {
            longs++;
            fmt++;
        }
        if (*fmt == 's') {
            put_escaped(&o, __builtin_va_arg(ap, const char *));
        } else if (*fmt == 'c') {
            char c[2] = {(char)__builtin_va_arg(ap, int), '\0'};
            put_escaped(&o, c);
        } else if (*fmt == 'd' || *fmt == 'i') {
            int64_t v = (int64_t)take_integer(&ap, longs, true);
            bool negative = v < 0;
            put_number(&o, negative ? 0 - (uint64_t)v : (uint64_t)v, 10, width, pad, negative);
        } else if (*fmt == 'u') {
            put_number(&o, take_integer(&ap, longs, false), 10, width, pad, false);
        } else if (*fmt == 'x') {
            put_number(&o, take_integer(&ap, longs, false), 16, width, pad, false);
        } else if (*fmt == '%') {
            put(&o, '%');
        } else {
            break;
        }
    }
    __builtin_va_end(ap);
    if (cap > 0) {
        buf[o.len] = '\0';
    }
    return o.len;
}

size_t cv_format(char *buf, size_t cap, const char *fmt, ...)
{
    __builtin_va_list ap;
    __builtin_va_start(ap, fmt);
    size_t n = cv_vformat(buf, cap, fmt, ap);
    __builtin_va_end(ap);
    return n;
}

bool cv_error_set(struct cv_error *err, int code, const char *fmt, ...)
{
    if (err != NULL && err->code == 0) {
        __builtin_va_list ap;
        __builtin_va_start(ap, fmt);
        err->code = code;
        cv_vformat(err->text, sizeof(err->text), fmt, ap);
        __builtin_va_end(ap);
    }
    return false;
}
