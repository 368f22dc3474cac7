#include "packet.h"

#include <string.h>

enum { OUTSIDE, INSIDE, SUM_HIGH, SUM_LOW };

static const char DIGITS[] = "0123456789abcdef";

static int digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static void begin_packet(struct cv_packet_reader *reader)
{
    reader->state = INSIDE;
    reader->len = 0;
    reader->sum = 0;
    reader->escaped = false;
    reader->too_long = false;
}

void cv_packet_reader_reset(struct cv_packet_reader *reader)
{
    begin_packet(reader);
    reader->state = OUTSIDE;
    reader->begun = false;
}

static enum cv_packet_event take_outside(struct cv_packet_reader *reader, uint8_t c)
{
    bool first = !reader->begun;
    reader->begun = true;
    switch (c) {
    case '$':
        begin_packet(reader);
        return CV_PACKET_NONE;
    case '+':
        return CV_PACKET_ACK;
    case '-':
        return CV_PACKET_NAK;
    case 0x03:
        return CV_PACKET_INTERRUPT;
    default:
        return first ? CV_PACKET_FOREIGN : CV_PACKET_NONE; /* noise between packets */
    }
}

static void take_inside(struct cv_packet_reader *reader, uint8_t c)
{
    if (c == '$') {
        begin_packet(reader); /* the other side began anew */
        return;
    }
    if (c == '#') {
        reader->state = SUM_HIGH;
        return;
    }
    reader->sum = (uint8_t)(reader->sum + c);
    if (c == '}' && !reader->escaped) {
        reader->escaped = true;
        return;
    }
    if (reader->escaped) {
        c ^= 0x20;
        reader->escaped = false;
    }
    if (reader->len == CV_PACKET_MAX) {
        reader->too_long = true;
        return;
    }
    reader->payload[reader->len++] = c;
}

static enum cv_packet_event end_packet(struct cv_packet_reader *reader, uint8_t c)
{
    int high = digit_value(reader->sent_sum);
    int low = digit_value(c);
    reader->state = OUTSIDE;
    if (reader->too_long) {
        return CV_PACKET_TOO_LONG;
    }
    reader->payload[reader->len] = '\0';
    return high >= 0 && low >= 0 && (high << 4 | low) == reader->sum ? CV_PACKET_PAYLOAD
                                                                     : CV_PACKET_BAD_SUM;
}

static enum cv_packet_event take_byte(struct cv_packet_reader *reader, uint8_t c)
{
    switch (reader->state) {
    case INSIDE:
        take_inside(reader, c);
        return CV_PACKET_NONE;
    case SUM_HIGH:
        reader->sent_sum = c;
        reader->state = SUM_LOW;
        return CV_PACKET_NONE;
    case SUM_LOW:
        return end_packet(reader, c);
    default:
        return take_outside(reader, c);
    }
}

enum cv_packet_event cv_packet_feed(struct cv_packet_reader *reader, const uint8_t *data,
                                    size_t len, size_t *used)
{
    for (size_t i = 0; i < len; i++) {
        enum cv_packet_event event = take_byte(reader, data[i]);
        if (event != CV_PACKET_NONE) {
            *used = i + 1;
            return event;
        }
    }
    *used = len;
    return CV_PACKET_NONE;
}

size_t cv_packet_frame(const uint8_t *payload, size_t len, uint8_t *dst)
{
    size_t n = 0;
    uint8_t sum = 0;
    dst[n++] = '$';
    for (size_t i = 0; i < len; i++) {
        uint8_t c = payload[i];
        if (c == '$' || c == '#' || c == '}' || c == '*') {
            dst[n++] = '}';
            sum = (uint8_t)(sum + '}');
            c ^= 0x20;
        }
        dst[n++] = c;
        sum = (uint8_t)(sum + c);
    }
    dst[n++] = '#';
    dst[n++] = (uint8_t)DIGITS[sum >> 4];
    dst[n++] = (uint8_t)DIGITS[sum & 15];
    return n;
}

/* -- replies ----------------------------------------------------------------------------------- */

void cv_reply_reset(struct cv_reply *reply)
{
    reply->len = 0;
    reply->overflow = false;
}

void cv_reply_bytes(struct cv_reply *reply, const void *bytes, size_t len)
{
    if (len > sizeof(reply->bytes) - reply->len) {
        reply->overflow = true;
        return;
    }
    memcpy(reply->bytes + reply->len, bytes, len);
    reply->len += len;
}

void cv_reply_text(struct cv_reply *reply, const char *text)
{
    cv_reply_bytes(reply, text, strlen(text));
}

void cv_reply_hex(struct cv_reply *reply, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    if (len > (sizeof(reply->bytes) - reply->len) / 2) {
        reply->overflow = true;
        return;
    }
    for (size_t i = 0; i < len; i++) {
        reply->bytes[reply->len++] = (uint8_t)DIGITS[p[i] >> 4];
        reply->bytes[reply->len++] = (uint8_t)DIGITS[p[i] & 15];
    }
}

void cv_reply_number(struct cv_reply *reply, uint64_t value)
{
    char text[16];
    size_t at = sizeof(text);
    do {
        text[--at] = DIGITS[value & 15];
        value >>= 4;
    } while (value != 0);
    cv_reply_bytes(reply, text + at, sizeof(text) - at);
}

void cv_reply_error(struct cv_reply *reply, const char *text)
{
    cv_reply_reset(reply);
    cv_reply_text(reply, "E.");
    for (; *text != '\0'; text++) {
        char c = *text;
        bool plain = c >= ' ' && c <= '~' && strchr("$#}*", c) == NULL;
        cv_reply_bytes(reply, plain ? &c : "?", 1);
    }
}

/* -- host I/O ---------------------------------------------------------------------------------- */

void cv_reply_file(struct cv_reply *reply, uint64_t result, const void *attachment, size_t len)
{
    cv_reply_text(reply, "F");
    cv_reply_number(reply, result);
    if (attachment != NULL) {
        cv_reply_text(reply, ";");
        cv_reply_bytes(reply, attachment, len);
    }
}

void cv_reply_file_error(struct cv_reply *reply, unsigned number)
{
    cv_reply_text(reply, "F-1,");
    cv_reply_number(reply, number);
}

static void put_big_endian(uint8_t *dst, uint64_t value, unsigned bytes)
{
    while (bytes-- > 0) {
        *dst++ = (uint8_t)(value >> (8 * bytes));
    }
}

void cv_reply_file_stat(struct cv_reply *reply, uint64_t len)
{
    uint8_t stat[CV_FILE_STAT_BYTES] = {0};
    put_big_endian(stat + 8, 0100444, 4); /* st_mode: a plain file that all may read */
    put_big_endian(stat + 12, 1, 4);      /* st_nlink */
    put_big_endian(stat + 28, len, 8);    /* st_size */
    put_big_endian(stat + 36, 4096, 8);   /* st_blksize */
    put_big_endian(stat + 44, len / 512 + (len % 512 != 0), 8);
    cv_reply_file(reply, sizeof(stat), stat, sizeof(stat));
}
