/*
 * packet.h - the framing of the gdb remote protocol: bytes to payloads and back
 *
 * Spec:    "Debugging with GDB", appendix "GDB Remote Serial Protocol", sections "Overview" and "Packet
 *          Acknowledgment"
 * Units:   a payload is what stands between $ and #, with } escapes undone; at most CV_PACKET_MAX bytes
 * Thread:  a reader or a reply belongs to one thread; neither knows a socket
 */
#ifndef CV_TINYGDBSTUB_PACKET_H
#define CV_TINYGDBSTUB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CV_PACKET_MAX 0x20000u /* 128 KiB: told to gdb as PacketSize=20000 */
#define CV_PACKET_FRAME_MAX(payload) (2 * (payload) + 4) /* every byte escaped, $ # and sum */

enum cv_packet_event {
    CV_PACKET_NONE,      /* all bytes used up, nothing complete yet */
    CV_PACKET_PAYLOAD,   /* reader->payload, reader->len, with a NUL behind; until the next feed */
    CV_PACKET_BAD_SUM,   /* as PAYLOAD, but the checksum is wrong */
    CV_PACKET_TOO_LONG,  /* a packet above CV_PACKET_MAX went by and was thrown away */
    CV_PACKET_ACK,
    CV_PACKET_NAK,
    CV_PACKET_INTERRUPT, /* byte 0x03 outside a packet */
    CV_PACKET_FOREIGN,   /* the very first byte of the link is not of this protocol */
};

struct cv_packet_reader { /* all zero but payload: at the start of a link */
    uint8_t payload[CV_PACKET_MAX + 1];
    size_t len;
    uint8_t sum, sent_sum;
    uint8_t state;
    bool escaped, too_long, begun;
};

void cv_packet_reader_reset(struct cv_packet_reader *reader);
/* Takes bytes up to and including the first event; *used says how many. Any bytes are fine. */
enum cv_packet_event cv_packet_feed(struct cv_packet_reader *reader, const uint8_t *data,
                                    size_t len, size_t *used);
/* Writes $...#xx around a payload, escaping $ # } and *. dst holds CV_PACKET_FRAME_MAX(len) bytes.
 * Returns the length. */
size_t cv_packet_frame(const uint8_t *payload, size_t len, uint8_t *dst);

/* A payload being put together. What does not fit is left out and sets `overflow`. */
struct cv_reply {
    uint8_t bytes[CV_PACKET_MAX];
    size_t len;
    bool overflow;
};
void cv_reply_reset(struct cv_reply *reply);
void cv_reply_bytes(struct cv_reply *reply, const void *bytes, size_t len);
void cv_reply_text(struct cv_reply *reply, const char *text);
void cv_reply_hex(struct cv_reply *reply, const void *bytes, size_t len); /* two digits a byte */
void cv_reply_number(struct cv_reply *reply, uint64_t value); /* hex without leading zeros */
/* What "Host I/O Packets" answer: "F result[;attachment]", or "F-1,errno" with a number of "Errno Values". */
void cv_reply_file(struct cv_reply *reply, uint64_t result, const void *attachment, size_t len);
void cv_reply_file_error(struct cv_reply *reply, unsigned number);
#define CV_FILE_ENOENT       2u
#define CV_FILE_EBADF        9u
#define CV_FILE_EINVAL       22u
#define CV_FILE_ENFILE       23u
#define CV_FILE_EROFS        30u
#define CV_FILE_ENAMETOOLONG 91u
/* The 64 bytes of a struct stat, section "struct stat", of a read-only plain file of this length. */
#define CV_FILE_STAT_BYTES 64u
void cv_reply_file_stat(struct cv_reply *reply, uint64_t len);
/* Replaces the content by E.text (what gdb prints), with protocol characters made harmless. */
void cv_reply_error(struct cv_reply *reply, const char *text);

#endif
