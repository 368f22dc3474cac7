#include "core/dev/pic8259.h"

#define CASCADE 2u /* the master's line the slave hangs on */

#define ICW1_INIT   0x10u
#define ICW1_SINGLE 0x02u
#define ICW1_IC4    0x01u
#define ICW4_SFNM   0x10u
#define ICW4_AEOI   0x02u
#define OCW3_SELECT 0x08u
#define OCW3_ESMM   0x40u
#define OCW3_SMM    0x20u
#define OCW3_POLL   0x04u
#define OCW3_RR     0x02u
#define OCW3_RIS    0x01u

static const uint8_t ELCR_MASK[2] = {0xf8, 0xde}; /* 0, 1, 2, 8 and 13 are always edge */

/* Distance of the highest-priority set bit from the top of the present rotation; 8: none.
 */
static unsigned rank_of(const struct cv_pic_chip *c, uint8_t bits)
{
    for (unsigned rank = 0; rank < 8; rank++) {
        if (bits & (1u << ((c->lowest + 1 + rank) & 7))) {
            return rank;
        }
    }
    return 8;
}

static unsigned line_at(const struct cv_pic_chip *c, unsigned rank)
{
    return (c->lowest + 1u + rank) & 7;
}

/* The request to be served now, or -1. "Fully Nested Mode", "Special Mask Mode". */
static int find_request(const struct cv_pic_chip *c, bool master)
{
    unsigned want = rank_of(c, c->irr & (uint8_t)~c->imr);
    if (want == 8) {
        return -1;
    }
    uint8_t served = c->isr;
    if (c->special_mask) {
        served &= (uint8_t)~c->imr;
    }
    if (c->special_nested && master) {
        served &= (uint8_t) ~(1u << CASCADE); /* further slave requests are let through */
    }
    return want < rank_of(c, served) ? (int)line_at(c, want) : -1;
}

static void set_chip_line(struct cv_pic_chip *c, unsigned line, bool level)
{
    uint8_t bit = (uint8_t)(1u << line);
    if (!level) {
        c->lines &= (uint8_t)~bit;
        c->irr &= (uint8_t)~bit; /* a request must stay until it is acknowledged */
        return;
    }
    if ((c->elcr & bit) || !(c->lines & bit)) {
        c->irr |= bit;
    }
    c->lines |= bit;
}

static void update(struct cv_pic8259 *pic)
{
    set_chip_line(&pic->chip[0], CASCADE, find_request(&pic->chip[1], false) >= 0);
    cv_line_set(&pic->intr, find_request(&pic->chip[0], true) >= 0);
}

void cv_pic8259_request(void *arg, unsigned irq, bool level)
{
    struct cv_pic8259 *pic = arg;
    if (irq >= 16 || irq == CASCADE) {
        return;
    }
    set_chip_line(&pic->chip[irq >> 3], irq & 7, level);
    update(pic);
}

bool cv_pic8259_is_pending(const struct cv_pic8259 *pic)
{
    return find_request(&pic->chip[0], true) >= 0;
}

/* One INTA cycle on one chip: returns the line, 7 when the request has gone ("spurious").
 */
static unsigned acknowledge(struct cv_pic_chip *c, bool master)
{
    int line = find_request(c, master);
    if (line < 0) {
        return 7;
    }
    uint8_t bit = (uint8_t)(1u << line);
    if (!(c->elcr & bit)) {
        c->irr &= (uint8_t)~bit;
    }
    if (!c->auto_eoi) {
        c->isr |= bit;
    } else if (c->rotate_on_aeoi) {
        c->lowest = (uint8_t)line;
    }
    return (unsigned)line;
}

uint8_t cv_pic8259_ack(struct cv_pic8259 *pic)
{
    unsigned irq = acknowledge(&pic->chip[0], true);
    unsigned vector = pic->chip[0].vector_base + irq;
    if (irq == CASCADE && !pic->chip[0].single) {
        vector = pic->chip[1].vector_base + acknowledge(&pic->chip[1], false);
    }
    update(pic);
    return (uint8_t)vector;
}

static void write_ocw2(struct cv_pic_chip *c, uint8_t value)
{
    unsigned line = value & 7;
    unsigned op = value >> 5;
    switch (op) {
    case 0: /* rotate in automatic EOI mode: clear */
    case 4: /* set */
        c->rotate_on_aeoi = op == 4;
        break;
    case 1: /* non-specific EOI */
    case 5: /* rotate on non-specific EOI */ {
        uint8_t served = c->isr;
        if (c->special_mask) {
            served &= (uint8_t)~c->imr;
        }
        unsigned rank = rank_of(c, served);
        if (rank < 8) {
            line = line_at(c, rank);
            c->isr &= (uint8_t) ~(1u << line);
            if (op == 5) {
                c->lowest = (uint8_t)line;
            }
        }
        break;
    }
    case 3: /* specific EOI */
    case 7: /* rotate on specific EOI */
        c->isr &= (uint8_t) ~(1u << line);
        if (op == 7) {
            c->lowest = (uint8_t)line;
        }
        break;
    case 6: /* set priority */
        c->lowest = (uint8_t)line;
        break;
    default: /* 2: no operation */
        break;
    }
}

static void write_ocw3(struct cv_pic_chip *c, uint8_t value)
{
    if (value & OCW3_POLL) {
        c->poll = true;
    }
    if (value & OCW3_RR) {
        c->read_isr = (value & OCW3_RIS) != 0;
    }
    if (value & OCW3_ESMM) {
        c->special_mask = (value & OCW3_SMM) != 0;
    }
}

/* "Initialization Command Words": edge sense is reset, so lines that are high must fall
 * first. */
static void write_icw1(struct cv_pic_chip *c, uint8_t value)
{
    c->irr = c->lines & c->elcr;
    c->imr = 0;
    c->isr = 0;
    c->lowest = 7;
    c->special_mask = false;
    c->special_nested = false;
    c->auto_eoi = false;
    c->rotate_on_aeoi = false;
    c->read_isr = false;
    c->poll = false;
    c->need_icw4 = (value & ICW1_IC4) != 0;
    c->single = (value & ICW1_SINGLE) != 0;
    c->init_step = 2;
}

static void write_data(struct cv_pic_chip *c, uint8_t value)
{
    switch (c->init_step) {
    case 2:
        c->vector_base = value & 0xf8;
        c->init_step = c->single ? (c->need_icw4 ? 4 : 0) : 3;
        break;
    case 3:
        c->icw3 = value;
        c->init_step = c->need_icw4 ? 4 : 0;
        break;
    case 4:
        c->special_nested = (value & ICW4_SFNM) != 0;
        c->auto_eoi = (value & ICW4_AEOI) != 0;
        c->init_step = 0;
        break;
    default:
        c->imr = value;
        break;
    }
}

static void write_chip(struct cv_pic8259 *pic, unsigned n, uint64_t off, uint8_t value)
{
    struct cv_pic_chip *c = &pic->chip[n];
    if (off != 0) {
        write_data(c, value);
    } else if (value & ICW1_INIT) {
        write_icw1(c, value);
    } else if (value & OCW3_SELECT) {
        write_ocw3(c, value);
    } else {
        write_ocw2(c, value);
    }
    update(pic);
}

static uint8_t read_chip(struct cv_pic8259 *pic, unsigned n, uint64_t off)
{
    struct cv_pic_chip *c = &pic->chip[n];
    if (c->poll) { /* "Poll Command": the read acts as an acknowledge */
        c->poll = false;
        uint8_t value = 0;
        if (find_request(c, n == 0) >= 0) {
            value = (uint8_t)(0x80u | acknowledge(c, n == 0));
        }
        update(pic);
        return value;
    }
    if (off != 0) {
        return c->imr;
    }
    return c->read_isr ? c->isr : c->irr;
}

uint64_t cv_pic8259_read_master(void *pic, uint64_t off, unsigned size)
{
    (void)size;
    return read_chip(pic, 0, off);
}

void cv_pic8259_write_master(void *pic, uint64_t off, unsigned size, uint64_t value)
{
    (void)size;
    write_chip(pic, 0, off, (uint8_t)value);
}

uint64_t cv_pic8259_read_slave(void *pic, uint64_t off, unsigned size)
{
    (void)size;
    return read_chip(pic, 1, off);
}

void cv_pic8259_write_slave(void *pic, uint64_t off, unsigned size, uint64_t value)
{
    (void)size;
    write_chip(pic, 1, off, (uint8_t)value);
}

uint64_t cv_pic8259_read_elcr(void *arg, uint64_t off, unsigned size)
{
    const struct cv_pic8259 *pic = arg;
    (void)size;
    return pic->chip[off & 1].elcr;
}

void cv_pic8259_write_elcr(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct cv_pic8259 *pic = arg;
    struct cv_pic_chip *c = &pic->chip[off & 1];
    (void)size;
    c->elcr = (uint8_t)value & ELCR_MASK[off & 1];
    c->irr |= c->lines & c->elcr;
    update(pic);
}

static void reset(void *dev)
{
    struct cv_pic8259 *pic = dev;
    for (unsigned n = 0; n < 2; n++) {
        uint8_t lines = pic->chip[n].lines;
        pic->chip[n] = (struct cv_pic_chip){.lines = lines, .lowest = 7, .imr = 0xff};
    }
    update(pic);
}

static void section(void *dev, struct cv_section *s)
{
    struct cv_pic8259 *pic = dev;
    for (unsigned n = 0; n < 2; n++) {
        struct cv_pic_chip *c = &pic->chip[n];
        cv_section_u8(s, &c->irr);
        cv_section_u8(s, &c->imr);
        cv_section_u8(s, &c->isr);
        cv_section_u8(s, &c->lines);
        cv_section_u8(s, &c->elcr);
        cv_section_u8(s, &c->vector_base);
        cv_section_u8(s, &c->icw3);
        cv_section_u8_max(s, &c->init_step, 4);
        cv_section_u8_max(s, &c->lowest, 7);
        cv_section_bool(s, &c->need_icw4);
        cv_section_bool(s, &c->single);
        cv_section_bool(s, &c->auto_eoi);
        cv_section_bool(s, &c->rotate_on_aeoi);
        cv_section_bool(s, &c->special_mask);
        cv_section_bool(s, &c->special_nested);
        cv_section_bool(s, &c->read_isr);
        cv_section_bool(s, &c->poll);
        if ((c->elcr & (uint8_t)~ELCR_MASK[n]) != 0 || (c->vector_base & 7) != 0 ||
            c->init_step == 1) {
            s->failed = true;
        }
    }
}

const struct cv_device_class cv_pic8259_class = {
    .name = "pic", .version = 1, .reset = reset, .section = section};
