/*
 * chunk.h - one sealed piece of a trace: header, hashes, LZ4
 *
 * Spec:    docs/trace-format.md "Chunks"; LZ4 block format
 * Units:   at most CV_CHUNK_RAW_MAX bytes of raw payload
 * Thread:  any
 */
#ifndef CV_RECORD_CHUNK_H
#define CV_RECORD_CHUNK_H

#include "record/format.h"

/* Where a chunk stands in its file; what the next one must say. */
struct cv_chunk_chain {
    uint64_t seq;      /* the next chunk's */
    uint64_t previous; /* header hash of the last one */
};

/* Room that is always enough for cv_chunk_encode of raw_len bytes. */
#define CV_CHUNK_ROOM(raw_len) (sizeof(struct cv_chunk_header) + (size_t)(raw_len))

/* Writes header and payload to out and moves the chain on. Returns the bytes written.
 * raw_len <= CV_CHUNK_RAW_MAX; out has CV_CHUNK_ROOM(raw_len) bytes. */
size_t cv_chunk_encode(struct cv_chunk_chain *chain, enum cv_chunk_type type,
                       cv_icount first, cv_icount last, const void *raw, size_t raw_len,
                       uint8_t *out);

/* The same in two halves: packing, which needs no place in a file, and framing. Pack puts
 * the payload of raw (at least raw_len bytes of room) and returns its length; frame writes
 * the header of a payload packed so. */
size_t cv_chunk_pack(const void *raw, size_t raw_len, uint8_t *payload);
void cv_chunk_frame(struct cv_chunk_chain *chain, enum cv_chunk_type type,
                    cv_icount first, cv_icount last, size_t raw_len,
                    const uint8_t *payload, size_t stored_len,
                    struct cv_chunk_header *header);

/* Is this a header that may be used (magic, hash, sizes in bounds, positions in order)?
 * Says nothing about its payload or its place in the chain. */
bool cv_chunk_header_good(const struct cv_chunk_header *header);

/* Checks the stored payload and unpacks it to raw (raw_len bytes of a good header). */
bool cv_chunk_decode(const struct cv_chunk_header *header, const void *stored,
                     void *raw) CV_MUST_CHECK;

/* Four letters for `info --chunks`. */
const char *cv_chunk_type_name(uint32_t type);

#endif
