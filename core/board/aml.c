#include "core/board/aml.h"
#include "core/base/mem.h"

/* AML opcodes, 20.3 "AML Byte Stream Byte Values" */
#define OP_ZERO    0x00u
#define OP_ONE     0x01u
#define OP_NAME    0x08u
#define OP_BYTE    0x0au
#define OP_WORD    0x0bu
#define OP_DWORD   0x0cu
#define OP_STRING  0x0du
#define OP_SCOPE   0x10u
#define OP_BUFFER  0x11u
#define OP_PACKAGE 0x12u
#define OP_EXT     0x5bu
#define OP_DEVICE  0x82u /* after OP_EXT */

#define LENGTH_BYTES 2u /* of every PkgLength here */

/* Resource tags, 6.4.2 and 6.4.3 */
#define TAG_IRQ    0x22u
#define TAG_IO     0x47u
#define TAG_END    0x79u
#define TAG_DWORD  0x87u
#define TAG_WORD   0x88u
#define FIXED_BOTH 0x0cu /* minimum and maximum are fixed */

void cv_aml_bytes(struct cv_aml *a, const void *p, size_t n)
{
    if (a->full || n > a->cap - a->len) {
        a->full = true;
        return;
    }
    cv_memcpy(a->buf + a->len, p, n);
    a->len += n;
}

static void put8(struct cv_aml *a, unsigned v)
{
    uint8_t b = (uint8_t)v;
    cv_aml_bytes(a, &b, 1);
}

static void put16(struct cv_aml *a, unsigned v)
{
    put8(a, v);
    put8(a, v >> 8);
}

static void put32(struct cv_aml *a, uint32_t v)
{
    put16(a, v);
    put16(a, v >> 16);
}

static void put_name(struct cv_aml *a, const char *name)
{
    cv_aml_bytes(a, name, cv_strlen(name));
}

static size_t open_length(struct cv_aml *a)
{
    size_t mark = a->len;
    put16(a, 0);
    return mark;
}

size_t cv_aml_scope(struct cv_aml *a, const char *name)
{
    put8(a, OP_SCOPE);
    size_t mark = open_length(a);
    put_name(a, name);
    return mark;
}

size_t cv_aml_device(struct cv_aml *a, const char *name)
{
    put8(a, OP_EXT);
    put8(a, OP_DEVICE);
    size_t mark = open_length(a);
    put_name(a, name);
    return mark;
}

size_t cv_aml_package(struct cv_aml *a, unsigned elements)
{
    put8(a, OP_PACKAGE);
    size_t mark = open_length(a);
    put8(a, elements);
    return mark;
}

size_t cv_aml_named_package(struct cv_aml *a, const char *name, unsigned elements)
{
    put8(a, OP_NAME);
    put_name(a, name);
    return cv_aml_package(a, elements);
}

size_t cv_aml_resources(struct cv_aml *a, const char *name)
{
    put8(a, OP_NAME);
    put_name(a, name);
    put8(a, OP_BUFFER);
    size_t mark = open_length(a);
    put8(a, OP_WORD);
    put16(a, 0); /* the buffer's size, known at the close */
    return mark;
}

/* "Package Length Encoding" (20.2.4): low 4 bits in the lead byte, 8 more in the next; it
 * counts itself. */
void cv_aml_close(struct cv_aml *a, size_t mark)
{
    size_t n = a->len - mark;
    if (a->full || n > 0xfff) {
        a->full = true;
        return;
    }
    a->buf[mark] = (uint8_t)(0x40u | (n & 15u));
    a->buf[mark + 1] = (uint8_t)(n >> 4);
}

void cv_aml_close_resources(struct cv_aml *a, size_t mark)
{
    put8(a, TAG_END);
    put8(a, 0); /* a zero checksum is taken as right */
    if (!a->full) {
        cv_st16(a->buf + mark + LENGTH_BYTES + 1,
                (uint16_t)(a->len - (mark + LENGTH_BYTES + 3)));
    }
    cv_aml_close(a, mark);
}

void cv_aml_integer(struct cv_aml *a, uint32_t value)
{
    if (value <= 1) {
        put8(a, value == 0 ? OP_ZERO : OP_ONE);
    } else if (value <= 0xff) {
        put8(a, OP_BYTE);
        put8(a, value);
    } else if (value <= 0xffff) {
        put8(a, OP_WORD);
        put16(a, value);
    } else {
        put8(a, OP_DWORD);
        put32(a, value);
    }
}

void cv_aml_name_integer(struct cv_aml *a, const char *name, uint32_t value)
{
    put8(a, OP_NAME);
    put_name(a, name);
    cv_aml_integer(a, value);
}

void cv_aml_name_string(struct cv_aml *a, const char *name, const char *text)
{
    put8(a, OP_NAME);
    put_name(a, name);
    put8(a, OP_STRING);
    cv_aml_bytes(a, text, cv_strlen(text) + 1);
}

void cv_aml_name_pnp(struct cv_aml *a, const char *name, uint16_t number)
{
    put8(a, OP_NAME);
    put_name(a, name);
    put8(a, OP_DWORD);
    put8(a, 0x41); /* "PNP" in three times five bits, high byte first */
    put8(a, 0xd0);
    put8(a, number >> 8);
    put8(a, number);
}

void cv_aml_io(struct cv_aml *a, uint16_t base, uint8_t length)
{
    put8(a, TAG_IO);
    put8(a, 1); /* 16 address bits are decoded */
    put16(a, base);
    put16(a, base);
    put8(a, 1);
    put8(a, length);
}

void cv_aml_irq(struct cv_aml *a, unsigned irq)
{
    put8(a, TAG_IRQ);
    put16(a, 1u << irq);
}

void cv_aml_word_range(struct cv_aml *a, enum cv_aml_space space, uint16_t from,
                       uint16_t to)
{
    put8(a, TAG_WORD);
    put16(a, 13);
    put8(a, space);
    put8(a, FIXED_BOTH);
    put8(a, space == CV_AML_IO ? 3 : 0); /* entire range */
    put16(a, 0);
    put16(a, from);
    put16(a, to);
    put16(a, 0);
    put16(a, (unsigned)to - from + 1);
}

void cv_aml_dword_memory(struct cv_aml *a, uint32_t from, uint32_t to)
{
    put8(a, TAG_DWORD);
    put16(a, 23);
    put8(a, CV_AML_MEMORY);
    put8(a, FIXED_BOTH);
    put8(a, 1); /* read-write, not cacheable */
    put32(a, 0);
    put32(a, from);
    put32(a, to);
    put32(a, 0);
    put32(a, to - from + 1);
}
