#include "debugger/agent_format.h"

#include <string.h>

#define FIELD_MAX  255u
#define STRING_MAX 1024u

struct field {
    bool left, plus, space, alternate, zero;
    unsigned width;
    bool has_precision;
    unsigned precision;
    unsigned bits; /* of an integer: 8, 16, 32, 64 */
    char conversion;
};

struct text {
    char *at;
    size_t len, cap;
};

static void put(struct text *t, char c)
{
    if (t->len < t->cap) {
        t->at[t->len++] = c;
    }
}

static void put_many(struct text *t, char c, size_t n)
{
    while (n-- > 0) {
        put(t, c);
    }
}

/* -- reading a format -------------------------------------------------------------------------- */

static bool take_number(const char **p, unsigned *value)
{
    *value = 0;
    while (**p >= '0' && **p <= '9') {
        *value = *value * 10 + (unsigned)(*(*p)++ - '0');
        if (*value > FIELD_MAX) {
            return false;
        }
    }
    return true;
}

static bool *flag_of(struct field *f, char c)
{
    switch (c) {
    case '-':
        return &f->left;
    case '+':
        return &f->plus;
    case ' ':
        return &f->space;
    case '#':
        return &f->alternate;
    case '0':
        return &f->zero;
    default:
        return NULL;
    }
}

static void take_length(const char **p, struct field *f)
{
    f->bits = 32;
    if (**p == 'h') {
        f->bits = (*p)[1] == 'h' ? 8 : 16;
        *p += f->bits == 8 ? 2 : 1;
    } else if (**p == 'l') {
        f->bits = 64;
        *p += (*p)[1] == 'l' ? 2 : 1;
    } else if (**p == 'z' || **p == 'j' || **p == 't') {
        f->bits = 64;
        (*p)++;
    }
}

/* Behind the %. */
static bool take_field(const char **p, struct field *f)
{
    *f = (struct field){.width = 0};
    for (bool *flag; (flag = flag_of(f, **p)) != NULL; (*p)++) {
        *flag = true;
    }
    if (!take_number(p, &f->width)) {
        return false;
    }
    if (**p == '.') {
        (*p)++;
        f->has_precision = true;
        if (!take_number(p, &f->precision)) {
            return false;
        }
    }
    const char *length = *p;
    take_length(p, f);
    bool plain = *p == length;
    f->conversion = **p;
    if (f->conversion == '\0') {
        return false;
    }
    (*p)++;
    if (f->conversion == 'c' || f->conversion == 's' || f->conversion == 'p' ||
        f->conversion == '%') {
        return plain;
    }
    return strchr("diuoxX", f->conversion) != NULL;
}

int cv_agent_format_args(const char *format)
{
    int count = 0;
    while (*format != '\0') {
        struct field f;
        if (*format++ != '%') {
            continue;
        }
        if (!take_field(&format, &f)) {
            return -1;
        }
        count += f.conversion != '%';
    }
    return count;
}

/* Behind a backslash: one of C's escapes; any other character stands for itself. */
static void put_escape(struct text *t, const char **p)
{
    static const char names[] = "abefnrtv";
    static const char values[] = "\a\b\033\f\n\r\t\v";
    char c = *(*p)++;
    const char *name = strchr(names, c);
    if (c >= '0' && c <= '7') {
        unsigned value = (unsigned)(c - '0');
        for (unsigned i = 0; i < 2 && **p >= '0' && **p <= '7'; i++) {
            value = value * 8 + (unsigned)(*(*p)++ - '0');
        }
        put(t, (char)value);
    } else {
        put(t, name != NULL ? values[name - names] : c);
    }
}

/* -- writing values ---------------------------------------------------------------------------- */

static void put_padded(struct text *t, const struct field *f, const char *s, size_t len)
{
    size_t pad = f->width > len ? f->width - len : 0;
    put_many(t, ' ', f->left ? 0 : pad);
    for (size_t i = 0; i < len; i++) {
        put(t, s[i]);
    }
    put_many(t, ' ', f->left ? pad : 0);
}

static uint64_t narrow(uint64_t value, const struct field *f, bool is_signed)
{
    unsigned shift = 64 - f->bits;
    return is_signed ? (uint64_t)((int64_t)(value << shift) >> shift)
                     : value << shift >> shift;
}

static unsigned base_of(char conversion)
{
    switch (conversion) {
    case 'x':
    case 'X':
    case 'p':
        return 16;
    case 'o':
        return 8;
    default:
        return 10;
    }
}

/* What stands before the digits: a sign or the mark of a base. */
static const char *prefix_of(const struct field *f, bool negative, uint64_t magnitude)
{
    if (negative) {
        return "-";
    }
    switch (f->conversion) {
    case 'd':
    case 'i':
        return f->plus ? "+" : f->space ? " " : "";
    case 'p':
        return "0x";
    case 'x':
        return f->alternate && magnitude != 0 ? "0x" : "";
    case 'X':
        return f->alternate && magnitude != 0 ? "0X" : "";
    case 'o':
        return f->alternate && magnitude != 0 ? "0" : "";
    default:
        return "";
    }
}

static void put_integer(struct text *t, const struct field *f, uint64_t value)
{
    char digits[24];
    size_t at = sizeof(digits);
    bool is_signed = f->conversion == 'd' || f->conversion == 'i';
    unsigned base = base_of(f->conversion);
    value = narrow(value, f, is_signed);
    bool negative = is_signed && (int64_t)value < 0;
    uint64_t magnitude = negative ? 0 - value : value;
    const char *prefix = prefix_of(f, negative, magnitude);
    for (uint64_t rest = magnitude; rest != 0; rest /= base) {
        unsigned digit = (unsigned)(rest % base);
        digits[--at] =
            (char)(digit < 10 ? '0' + digit
                              : (f->conversion == 'X' ? 'A' : 'a') + digit - 10);
    }
    size_t count = sizeof(digits) - at;
    size_t least = f->has_precision ? f->precision : 1;
    size_t zeros = least > count ? least - count : 0;
    size_t used = strlen(prefix) + zeros + count;
    size_t pad = f->width > used ? f->width - used : 0;
    if (f->zero && !f->left && !f->has_precision) {
        zeros += pad;
        pad = 0;
    }
    put_many(t, ' ', f->left ? 0 : pad);
    for (; *prefix != '\0'; prefix++) {
        put(t, *prefix);
    }
    put_many(t, '0', zeros);
    for (; at < sizeof(digits); at++) {
        put(t, digits[at]);
    }
    put_many(t, ' ', f->left ? pad : 0);
}

/* Byte by byte, since a string may end just before memory does. */
static void put_string(struct text *t, const struct field *f, uint64_t addr,
                       const struct cv_agent_host *host)
{
    char s[STRING_MAX];
    size_t most = f->has_precision ? f->precision : sizeof(s);
    size_t len = 0;
    for (; len < most; len++) {
        if (!host->read(host->arg, addr + len, s + len, 1)) {
            static const struct field address = {.conversion = 'p', .bits = 64};
            put_padded(t, f, s, len);
            put_many(t, '<', 1);
            put_integer(t, &address, addr + len);
            for (const char *p = ": cannot be read>"; *p != '\0'; p++) {
                put(t, *p);
            }
            return;
        }
        if (s[len] == '\0') {
            break;
        }
    }
    put_padded(t, f, s, len);
}

static void put_value(struct text *t, struct field *f, uint64_t value,
                      const struct cv_agent_host *host)
{
    char c = (char)value;
    switch (f->conversion) {
    case 'c':
        put_padded(t, f, &c, 1);
        break;
    case 's':
        put_string(t, f, value, host);
        break;
    case 'p':
        f->bits = 64;
        put_integer(t, f, value);
        break;
    default:
        put_integer(t, f, value);
        break;
    }
}

size_t cv_agent_format(const char *format, const uint64_t *args,
                       const struct cv_agent_host *host, char *out, size_t cap)
{
    struct text t = {.at = out, .cap = cap};
    while (*format != '\0') {
        struct field f;
        char c = *format++;
        if (c == '\\' && *format != '\0') {
            put_escape(&t, &format);
        } else if (c != '%') {
            put(&t, c);
        } else if (!take_field(&format, &f)) {
            break; /* checked before: no format comes here */
        } else if (f.conversion == '%') {
            put(&t, '%');
        } else {
            put_value(&t, &f, *args++, host);
        }
    }
    return t.len;
}
