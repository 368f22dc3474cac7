#include "record/chunk.h"
#include "record/hash.h"
#include "record/lz4.h"

#include <string.h>

static uint64_t hash_header(const struct cv_chunk_header *h)
{
    return cv_hash64(h, offsetof(struct cv_chunk_header, header_hash), CV_CHUNK_MAGIC);
}

size_t cv_chunk_pack(const void *raw, size_t raw_len, uint8_t *payload)
{
    size_t packed = raw_len > 1 ? cv_lz4_pack(raw, raw_len, payload, raw_len - 1) : 0;
    if (packed > 0) {
        return packed;
    }
    memcpy(payload, raw, raw_len);
    return raw_len;
}

void cv_chunk_frame(struct cv_chunk_chain *chain, enum cv_chunk_type type,
                    cv_icount first, cv_icount last, size_t raw_len,
                    const uint8_t *payload, size_t stored_len,
                    struct cv_chunk_header *header)
{
    struct cv_chunk_header h = {
        .magic = CV_CHUNK_MAGIC,
        .type = type,
        .seq = chain->seq,
        .raw_len = (uint32_t)raw_len,
        .stored_len = (uint32_t)stored_len,
        .first = first,
        .last = last,
        .previous = chain->previous,
    };
    h.payload_hash = cv_hash64(payload, stored_len, h.seq);
    h.header_hash = hash_header(&h);
    *header = h;
    chain->seq++;
    chain->previous = h.header_hash;
}

size_t cv_chunk_encode(struct cv_chunk_chain *chain, enum cv_chunk_type type,
                       cv_icount first, cv_icount last, const void *raw, size_t raw_len,
                       uint8_t *out)
{
    struct cv_chunk_header h;
    size_t stored_len = cv_chunk_pack(raw, raw_len, out + sizeof(h));
    cv_chunk_frame(chain, type, first, last, raw_len, out + sizeof(h), stored_len, &h);
    memcpy(out, &h, sizeof(h));
    return sizeof(h) + stored_len;
}

bool cv_chunk_header_good(const struct cv_chunk_header *h)
{
    return h->magic == CV_CHUNK_MAGIC && h->header_hash == hash_header(h) &&
           h->raw_len <= CV_CHUNK_RAW_MAX && h->stored_len <= h->raw_len &&
           (h->stored_len != 0 || h->raw_len == 0) && h->first <= h->last;
}

bool cv_chunk_decode(const struct cv_chunk_header *h, const void *stored, void *raw)
{
    if (cv_hash64(stored, h->stored_len, h->seq) != h->payload_hash) {
        return false;
    }
    if (h->stored_len == h->raw_len) {
        memcpy(raw, stored, h->raw_len);
        return true;
    }
    return cv_lz4_unpack(stored, h->stored_len, raw, h->raw_len);
}

const char *cv_chunk_type_name(uint32_t type)
{
    static const char *const names[] = {
        [CV_CHUNK_MACHINE] = "mach",    [CV_CHUNK_IMAGE] = "imag",
        [CV_CHUNK_DISK] = "disk",       [CV_CHUNK_EVENTS] = "evnt",
        [CV_CHUNK_DIGESTS] = "dgst",    [CV_CHUNK_KEY_FRAME] = "keyf",
        [CV_CHUNK_DELTA] = "delt",      [CV_CHUNK_MARKS] = "mark",
        [CV_CHUNK_THUMBNAILS] = "thmb", [CV_CHUNK_NOTES] = "note",
        [CV_CHUNK_INDEX] = "indx",      [CV_CHUNK_END] = "end ",
    };
    if (type < CV_ARRAY_LEN(names) && names[type] != NULL) {
        return names[type];
    }
    return "????";
}
