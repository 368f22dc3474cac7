#include "core/dev/i8042.h"
#include "core/base/mem.h"

#define ST_OUT_FULL 0x01u
#define ST_SYSTEM   0x04u
#define ST_COMMAND  0x08u
#define ST_UNLOCKED 0x10u

#define CTR_KBD_IRQ   0x01u
#define CTR_SYSTEM    0x04u
#define CTR_KBD_OFF   0x10u
#define CTR_AUX_OFF   0x20u
#define CTR_TRANSLATE 0x40u

#define KBD_ACK    0xfau
#define KBD_RESEND 0xfeu
#define KBD_BAT_OK 0xaau

/* What the controller's ROM makes of scan code set 2; 80h..FFh stay but for 83h and 84h.
 */
static const uint8_t TRANSLATE[128] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e,
    0x0f, 0x29, 0x59, 0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71,
    0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b, 0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04,
    0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d, 0x69, 0x31, 0x30, 0x23,
    0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f, 0x6b,
    0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19,
    0x0c, 0x61, 0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c,
    0x1b, 0x75, 0x2b, 0x63, 0x76, 0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b,
    0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, 0x52, 0x53, 0x50, 0x4c, 0x4d,
    0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

static uint8_t translate(uint8_t code)
{
    if (code < 0x80) {
        return TRANSLATE[code];
    }
    return code == 0x83 ? 0x41 : (code == 0x84 ? 0x54 : code);
}

static bool take_reply(struct cv_i8042 *c)
{
    if (c->replies == 0) {
        return false;
    }
    c->out = c->reply[0];
    c->out_full = true;
    c->replies--;
    cv_memmove(c->reply, c->reply + 1, c->replies);
    c->reply[c->replies] = 0;
    return true;
}

static bool take_key(struct cv_i8042 *c)
{
    while (c->keys > 0 && !(c->ctr & CTR_KBD_OFF)) {
        uint8_t byte = c->key[0];
        c->keys--;
        cv_memmove(c->key, c->key + 1, c->keys);
        c->key[c->keys] = 0;
        if (c->ctr & CTR_TRANSLATE) {
            if (byte == 0xf0) { /* the break prefix becomes bit 7 of what follows */
                c->break_next = true;
                continue;
            }
            byte = (uint8_t)(translate(byte) | (c->break_next ? 0x80 : 0));
        }
        c->break_next = false;
        c->out = byte;
        c->out_full = true;
        return true;
    }
    return false;
}

/* Fills an empty output buffer and sets the IRQ line. */
static void pump(struct cv_i8042 *c)
{
    if (!c->out_full && !take_reply(c)) {
        take_key(c);
    }
    cv_line_set(&c->irq, c->out_full && (c->ctr & CTR_KBD_IRQ));
}

static void put_reply(struct cv_i8042 *c, uint8_t byte)
{
    if (c->replies < CV_I8042_REPLIES) {
        c->reply[c->replies++] = byte;
    }
}

static void put_key(struct cv_i8042 *c, uint8_t byte)
{
    if (c->keys < CV_I8042_KEYS) {
        c->key[c->keys++] = byte;
    }
}

void cv_i8042_input(struct cv_i8042 *c, const uint8_t *data, size_t len)
{
    if (c->scanning) {
        for (size_t i = 0; i < len && i < CV_I8042_KEYS; i++) {
            put_key(c, data[i]);
        }
        pump(c);
    }
}

/* -- the keyboard -------------------------------------------------------------------- */

static void keyboard_defaults(struct cv_i8042 *c)
{
    c->leds = 0;
    c->rate = 0x2b;
    c->scan_set = 2;
    c->kbd_command = 0;
}

static void clear_keys(struct cv_i8042 *c)
{
    cv_memset(c->key, 0, sizeof(c->key));
    c->keys = 0;
    c->break_next = false;
}

static void keyboard_argument(struct cv_i8042 *c, uint8_t byte)
{
    uint8_t command = c->kbd_command;
    c->kbd_command = 0;
    put_key(c, KBD_ACK);
    switch (command) {
    case 0xed:
        c->leds = byte & 7;
        break;
    case 0xf3:
        c->rate = byte & 0x7f;
        break;
    default: /* F0: scan code set */
        if (byte == 0) {
            put_key(c, c->scan_set);
        } else if (byte <= 3) {
            c->scan_set = byte;
        }
        break;
    }
}

static void keyboard_write(struct cv_i8042 *c, uint8_t byte)
{
    c->ctr &= (uint8_t)~CTR_KBD_OFF; /* a byte to the keyboard enables its interface */
    if (c->kbd_command != 0 && byte < 0xed) {
        keyboard_argument(c, byte);
        return;
    }
    c->kbd_command = 0;
    switch (byte) {
    case 0xed:
    case 0xf0:
    case 0xf3:
        c->kbd_command = byte;
        put_key(c, KBD_ACK);
        break;
    case 0xee: /* echo */
        put_key(c, 0xee);
        break;
    case 0xf2: /* identify: 101/102 keys */
        put_key(c, KBD_ACK);
        put_key(c, 0xab);
        put_key(c, 0x83);
        break;
    case 0xf4:
    case 0xf5:
    case 0xf6:
        clear_keys(c);
        if (byte != 0xf4) {
            keyboard_defaults(c);
        }
        c->scanning = byte != 0xf5;
        put_key(c, KBD_ACK);
        break;
    case 0xff:
        clear_keys(c);
        keyboard_defaults(c);
        c->scanning = true;
        put_key(c, KBD_ACK);
        put_key(c, KBD_BAT_OK);
        break;
    default:
        put_key(c, byte >= 0xf7 && byte <= 0xfa ? KBD_ACK : KBD_RESEND);
        break;
    }
}

/* -- the controller ------------------------------------------------------------------ */

static void pulse_outport(struct cv_i8042 *c, uint8_t low_bits)
{
    if ((low_bits & 1) && c->cpu_reset != NULL) {
        c->cpu_reset(c->reset_arg);
    }
}

uint64_t cv_i8042_read_status(void *arg, uint64_t off, unsigned size)
{
    const struct cv_i8042 *c = arg;
    (void)off;
    (void)size;
    return ST_UNLOCKED | (c->out_full ? ST_OUT_FULL : 0) |
           (c->ctr & CTR_SYSTEM ? ST_SYSTEM : 0) | (c->last_was_command ? ST_COMMAND : 0);
}

uint64_t cv_i8042_read_data(void *arg, uint64_t off, unsigned size)
{
    struct cv_i8042 *c = arg;
    (void)off;
    (void)size;
    uint8_t value = c->out;
    if (c->out_full) {
        c->out_full = false;
        cv_line_set(&c->irq, false);
        pump(c);
    }
    return value;
}

void cv_i8042_write_command(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct cv_i8042 *c = arg;
    uint8_t command = (uint8_t)value;
    (void)off;
    (void)size;
    c->last_was_command = true;
    c->command = 0;
    if (command >= 0xf0) {
        pulse_outport(c, (uint8_t)~command);
    } else if (command >= 0x20 && command < 0x40) {
        put_reply(c, command == 0x20 ? c->ctr : c->ram[(command & 31) - 1]);
    } else if (command >= 0x60 && command < 0x80) {
        c->command = command;
    } else {
        switch (command) {
        case 0xa9: /* test auxiliary interface: clock line stuck low, nobody there */
            put_reply(c, 0x01);
            break;
        case 0xaa: /* self-test */
            c->ctr |= CTR_SYSTEM | CTR_KBD_OFF;
            put_reply(c, 0x55);
            break;
        case 0xab:
            put_reply(c, 0x00);
            break;
        case 0xad:
            c->ctr |= CTR_KBD_OFF;
            break;
        case 0xae:
            c->ctr &= (uint8_t)~CTR_KBD_OFF;
            break;
        case 0xc0: /* input port: keyboard not locked */
            put_reply(c, 0x80);
            break;
        case 0xd0:
            put_reply(c, (uint8_t)(c->outport | (c->out_full ? 0x10 : 0)));
            break;
        case 0xd1:
        case 0xd2:
        case 0xd3:
        case 0xd4:
            c->command = command;
            break;
        default: /* A7, A8 and the rest: no auxiliary port, no effect */
            break;
        }
    }
    pump(c);
}

void cv_i8042_write_data(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct cv_i8042 *c = arg;
    uint8_t byte = (uint8_t)value;
    uint8_t command = c->command;
    (void)off;
    (void)size;
    c->last_was_command = false;
    c->command = 0;
    if (command == 0x60) {
        c->ctr = (uint8_t)((byte & 0x7f) | CTR_AUX_OFF);
    } else if (command > 0x60 && command < 0x80) {
        c->ram[(command & 31) - 1] = byte;
    } else if (command == 0xd1) {
        c->outport = byte | 3u;
        pulse_outport(c, byte & 1 ? 0 : 1);
    } else if (command == 0xd2) { /* as if the keyboard had sent it, untranslated */
        put_reply(c, byte);
    } else if (command != 0xd3 && command != 0xd4) {
        keyboard_write(c, byte);
    }
    pump(c);
}

static void reset(void *dev)
{
    struct cv_i8042 *c = dev;
    c->ctr = CTR_KBD_IRQ | CTR_SYSTEM | CTR_AUX_OFF |
             CTR_TRANSLATE; /* as PC firmware leaves it */
    c->command = 0;
    c->out = 0;
    c->out_full = false;
    c->last_was_command = false;
    c->outport = 3; /* reset line high, A20 open */
    cv_memset(c->ram, 0, sizeof(c->ram));
    cv_memset(c->reply, 0, sizeof(c->reply));
    c->replies = 0;
    keyboard_defaults(c);
    clear_keys(c);
    c->scanning = true;
    pump(c);
}

static void section(void *dev, struct cv_section *s)
{
    struct cv_i8042 *c = dev;
    cv_section_u8_max(s, &c->ctr, 0x7f);
    cv_section_u8(s, &c->command);
    cv_section_u8(s, &c->out);
    cv_section_bool(s, &c->out_full);
    cv_section_bool(s, &c->last_was_command);
    cv_section_u8(s, &c->outport);
    cv_section_bytes(s, c->ram, sizeof(c->ram));
    cv_section_bytes(s, c->reply, sizeof(c->reply));
    cv_section_u8_max(s, &c->replies, CV_I8042_REPLIES);
    cv_section_bool(s, &c->scanning);
    cv_section_bool(s, &c->break_next);
    cv_section_u8(s, &c->kbd_command);
    cv_section_u8_max(s, &c->leds, 7);
    cv_section_u8_max(s, &c->rate, 0x7f);
    cv_section_u8_max(s, &c->scan_set, 3);
    cv_section_bytes(s, c->key, sizeof(c->key));
    cv_section_u8_max(s, &c->keys, CV_I8042_KEYS);
    if (c->kbd_command != 0 && c->kbd_command != 0xed && c->kbd_command != 0xf0 &&
        c->kbd_command != 0xf3) {
        s->failed = true;
    }
    if (c->command != 0 && (c->command < 0x60 || c->command >= 0x80) &&
        (c->command < 0xd1 || c->command > 0xd4)) {
        s->failed = true;
    }
}

const struct cv_device_class cv_i8042_class = {
    .name = "i8042", .version = 1, .reset = reset, .section = section};
