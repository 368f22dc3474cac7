#include "core/dev/ioapic.h"

#define IOREGSEL 0x00u
#define IOWIN    0x10u
#define IOEOI    0x40u

#define REG_ID    0x00u
#define REG_VER   0x01u
#define REG_ARB   0x02u
#define REG_REDIR 0x10u

#define VERSION 0x20u

/* Redirection table entry, data sheet 3.2.4 "IOREDTBL[23:0]" */
#define RT_LOGICAL    (1ull << 11)
#define RT_STATUS     (1ull << 12)
#define RT_REMOTE_IRR (1ull << 14)
#define RT_LEVEL      (1ull << 15)
#define RT_MASKED     (1ull << 16)
#define RT_READ_ONLY  (RT_STATUS | RT_REMOTE_IRR)
#define RT_WRITABLE   (0xff0000000001ffffull & ~RT_READ_ONLY)

static void send(struct cv_ioapic *io, unsigned pin)
{
    uint64_t e = io->redir[pin];
    struct cv_apic_msg msg = {
        .dest = (uint32_t)(e >> 56),
        .logical = (e & RT_LOGICAL) != 0,
        .mode = (uint8_t)(e >> 8 & 7),
        .vector = (uint8_t)e,
        .level = (e & RT_LEVEL) != 0,
    };
    if (io->send != NULL) {
        io->send(io->send_arg, &msg);
    }
}

/* A level pin is told once, until its EOI. */
static void serve_level(struct cv_ioapic *io, unsigned pin)
{
    uint64_t e = io->redir[pin];
    if ((e & RT_LEVEL) && !(e & (RT_MASKED | RT_REMOTE_IRR)) &&
        (io->lines & (1u << pin))) {
        io->redir[pin] |= RT_REMOTE_IRR;
        send(io, pin);
    }
}

void cv_ioapic_set_pin(void *arg, unsigned pin, bool level)
{
    struct cv_ioapic *io = arg;
    if (pin >= CV_IOAPIC_PINS) {
        return;
    }
    bool was = (io->lines & (1u << pin)) != 0;
    io->lines = level ? io->lines | (1u << pin) : io->lines & ~(1u << pin);
    uint64_t e = io->redir[pin];
    if (e & RT_LEVEL) {
        serve_level(io, pin);
    } else if (level && !was && !(e & RT_MASKED)) {
        send(io, pin); /* edges on a masked pin are lost: 3.2.4, "Interrupt Mask" */
    }
}

bool cv_ioapic_has_nmi(const struct cv_ioapic *io)
{
    for (unsigned pin = 0; pin < CV_IOAPIC_PINS; pin++) {
        unsigned mode = io->redir[pin] >> 8 & 7;
        if (!(io->redir[pin] & RT_MASKED) &&
            (mode == CV_APIC_NMI || mode == CV_APIC_INIT)) {
            return true;
        }
    }
    return false;
}

void cv_ioapic_eoi(struct cv_ioapic *io, uint8_t vector)
{
    for (unsigned pin = 0; pin < CV_IOAPIC_PINS; pin++) {
        uint64_t e = io->redir[pin];
        if ((uint8_t)e == vector && (e & RT_LEVEL) && (e & RT_REMOTE_IRR)) {
            io->redir[pin] &= ~RT_REMOTE_IRR;
            serve_level(io, pin);
        }
    }
}

static uint32_t read_window(const struct cv_ioapic *io)
{
    unsigned reg = io->select;
    if (reg == REG_ID || reg == REG_ARB) {
        return (uint32_t)io->id << 24;
    }
    if (reg == REG_VER) {
        return VERSION | (CV_IOAPIC_PINS - 1) << 16;
    }
    if (reg >= REG_REDIR && reg < REG_REDIR + 2 * CV_IOAPIC_PINS) {
        uint64_t e = io->redir[(reg - REG_REDIR) / 2];
        return (uint32_t)(reg & 1 ? e >> 32 : e);
    }
    return 0;
}

static void write_redir(struct cv_ioapic *io, unsigned reg, uint32_t value)
{
    unsigned pin = (reg - REG_REDIR) / 2;
    uint64_t old = io->redir[pin];
    uint64_t e = reg & 1 ? (old & 0xffffffffull) | (uint64_t)value << 32
                         : (old & ~0xffffffffull) | value;
    e = (e & RT_WRITABLE) | (old & RT_READ_ONLY);
    if (!(e & RT_LEVEL)) {
        e &= ~RT_REMOTE_IRR; /* undefined for edge; drivers of old parts use this as an
                                EOI */
    }
    io->redir[pin] = e;
    serve_level(io, pin);
}

uint64_t cv_ioapic_read(void *arg, uint64_t off, unsigned size)
{
    const struct cv_ioapic *io = arg;
    (void)size;
    switch (off & 0xff) {
    case IOREGSEL:
        return io->select;
    case IOWIN:
        return read_window(io);
    default:
        return 0;
    }
}

void cv_ioapic_write(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct cv_ioapic *io = arg;
    (void)size;
    switch (off & 0xff) {
    case IOREGSEL:
        io->select = (uint8_t)value;
        break;
    case IOWIN:
        if (io->select == REG_ID) {
            io->id = (uint8_t)(value >> 24 & 15);
        } else if (io->select >= REG_REDIR &&
                   io->select < REG_REDIR + 2 * CV_IOAPIC_PINS) {
            write_redir(io, io->select, (uint32_t)value);
        }
        break;
    case IOEOI:
        cv_ioapic_eoi(io, (uint8_t)value);
        break;
    default:
        break;
    }
}

static void reset(void *dev)
{
    struct cv_ioapic *io = dev;
    io->id = 0;
    io->select = 0;
    for (unsigned pin = 0; pin < CV_IOAPIC_PINS; pin++) {
        io->redir[pin] = RT_MASKED;
    }
}

static void section(void *dev, struct cv_section *s)
{
    struct cv_ioapic *io = dev;
    cv_section_u8_max(s, &io->id, 15);
    cv_section_u8(s, &io->select);
    cv_section_u32_max(s, &io->lines, (1u << CV_IOAPIC_PINS) - 1);
    for (unsigned pin = 0; pin < CV_IOAPIC_PINS; pin++) {
        cv_section_u64(s, &io->redir[pin]);
        if (io->redir[pin] & ~(RT_WRITABLE | RT_REMOTE_IRR)) {
            s->failed = true;
        }
    }
}

const struct cv_device_class cv_ioapic_class = {
    .name = "ioapic", .version = 1, .reset = reset, .section = section};
