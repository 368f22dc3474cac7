#include "record/keyframe_pack.h"

#include "core/base/mem.h"
#include "record/chunk.h"

#include <stdlib.h>
#include <string.h>

/* All zero when it equals itself moved by one word, and that word is zero. */
static bool is_zero(const uint8_t *page)
{
    uint64_t word;
    memcpy(&word, page, sizeof(word));
    return word == 0 && memcmp(page, page + 8, CV_PAGE_SIZE - 8) == 0;
}

#define COPIES_HEAD (2 * sizeof(uint32_t)) /* how many, and 0 */

static size_t raw_len(const struct cv_keyframe_builder *b)
{
    return b->used + (b->pages_count + b->zeros_count) * sizeof(uint32_t) +
           (b->copies_count > 0 ? COPIES_HEAD : 0) +
           b->copies_count * sizeof(struct cv_stored_copy);
}

/* Room for the head of a part; its numbers are known at its end. */
static void begin_part(struct cv_keyframe_builder *b)
{
    b->used = sizeof(struct cv_stored_record);
    if (b->part == 0) {
        size_t open_bytes = b->head.open_count * sizeof(struct cv_stored_open);
        memcpy(b->raw + b->used, b->head.state, b->head.state_len);
        b->used += b->head.state_len;
        if (open_bytes > 0) {
            memcpy(b->raw + b->used, b->head.open, open_bytes);
        }
        b->used += open_bytes;
    }
    b->pages_count = 0;
    b->zeros_count = 0;
    b->copies_count = 0;
}

/* What stands behind the pages. */
static void put_lists(struct cv_keyframe_builder *b)
{
    size_t pages = b->pages_count * sizeof(uint32_t);
    size_t zeros = b->zeros_count * sizeof(uint32_t);
    uint8_t *at = b->raw + b->used;
    memcpy(at, b->numbers, pages);
    memcpy(at + pages, b->zeros, zeros);
    if (b->copies_count > 0) {
        uint32_t head[2] = {b->copies_count, 0};
        at += pages + zeros;
        memcpy(at, head, COPIES_HEAD);
        memcpy(at + COPIES_HEAD, b->copies, b->copies_count * sizeof(*b->copies));
    }
}

static bool end_part(struct cv_keyframe_builder *b, bool last)
{
    const struct cv_keyframe_head *head = &b->head;
    struct cv_stored_record rec = {
        .icount = head->icount,
        .base = head->base,
        .events = head->events,
        .chain_lo = head->chain.lo,
        .chain_hi = head->chain.hi,
        .part = b->part,
        .flags = (last ? CV_STORED_LAST : 0) |
                 (b->copies_count > 0 ? CV_STORED_COPIES : 0),
        .state_len = b->part == 0 ? head->state_len : 0,
        .open = b->part == 0 ? head->open_count : 0,
        .pages = b->pages_count,
        .zeros = b->zeros_count,
    };
    size_t len = raw_len(b);
    memcpy(b->raw, &rec, sizeof(rec));
    put_lists(b);
    size_t stored = cv_chunk_pack(b->raw, len, b->packed);
    if (b->bytes + CV_CHUNK_ROOM(stored) > b->limit) {
        return false;
    }
    struct cv_keyframe_part *part = malloc(sizeof(*part) + CV_CHUNK_ROOM(stored));
    if (part == NULL) {
        return false;
    }
    part->next = NULL;
    part->raw_len = (uint32_t)len;
    part->stored_len = (uint32_t)stored;
    memcpy(part->out + sizeof(struct cv_chunk_header), b->packed, stored);
    if (b->last == NULL) {
        b->first = part;
    } else {
        b->last->next = part;
    }
    b->last = part;
    b->bytes += CV_CHUNK_ROOM(stored);
    b->part++;
    return true;
}

bool cv_keyframe_begin(struct cv_keyframe_builder *b, const struct cv_keyframe_head *head,
                       const struct cv_keyframe_images *images, uint64_t limit)
{
    memset(b, 0, sizeof(*b));
    b->head = *head;
    b->images = images;
    b->limit = limit;
    b->raw = malloc(CV_CHUNK_RAW_MAX);
    b->packed = malloc(CV_CHUNK_RAW_MAX);
    b->numbers = malloc(CV_CHUNK_RAW_MAX / CV_PAGE_SIZE * sizeof(uint32_t));
    b->zeros = malloc(CV_CHUNK_RAW_MAX);
    b->copies = malloc(CV_CHUNK_RAW_MAX);
    if (b->raw == NULL || b->packed == NULL || b->numbers == NULL || b->zeros == NULL ||
        b->copies == NULL ||
        head->open_count > CV_STORED_OPEN_MAX || head->state_len > CV_CHUNK_RAW_MAX / 2) {
        return false;
    }
    begin_part(b);
    return true;
}

uint8_t *cv_keyframe_room(struct cv_keyframe_builder *b)
{
    /* a page and its number, or a copy with the head of their list: all fit behind it */
    size_t most = CV_PAGE_SIZE + COPIES_HEAD + sizeof(struct cv_stored_copy);
    if (raw_len(b) + most > CV_CHUNK_RAW_MAX) {
        if (!end_part(b, false)) {
            return NULL;
        }
        begin_part(b);
    }
    return b->raw + b->used;
}

void cv_keyframe_page(struct cv_keyframe_builder *b, uint32_t number)
{
    const uint8_t *content = b->raw + b->used;
    uint64_t offset;
    if (is_zero(content)) {
        b->zeros[b->zeros_count++] = number;
    } else if (b->images != NULL &&
               cv_keyframe_images_find(b->images, content, &offset)) {
        b->copies[b->copies_count++] =
            (struct cv_stored_copy){number, CV_IMAGE_KERNEL, offset};
    } else {
        b->used += CV_PAGE_SIZE;
        b->numbers[b->pages_count++] = number;
    }
}

bool cv_keyframe_end(struct cv_keyframe_builder *b)
{
    return end_part(b, true);
}

void cv_keyframe_free_parts(struct cv_keyframe_part *part)
{
    while (part != NULL) {
        struct cv_keyframe_part *next = part->next;
        free(part);
        part = next;
    }
}

void cv_keyframe_fini(struct cv_keyframe_builder *b)
{
    cv_keyframe_free_parts(b->first);
    free(b->raw);
    free(b->packed);
    free(b->numbers);
    free(b->zeros);
    free(b->copies);
    memset(b, 0, sizeof(*b));
}

/* The list of copies: at most `room` bytes are there. Returns its bytes; 0: nonsense. */
static uint64_t view_copies(struct cv_keyframe_view *view, const uint8_t *at, uint64_t room)
{
    if (room < COPIES_HEAD || cv_ld32(at + 4) != 0) {
        return 0;
    }
    view->copies_count = cv_ld32(at);
    view->copies = at + COPIES_HEAD;
    return COPIES_HEAD + (uint64_t)view->copies_count * sizeof(struct cv_stored_copy);
}

bool cv_keyframe_view(const uint8_t *raw, size_t len, struct cv_keyframe_view *view)
{
    struct cv_stored_record *rec = &view->rec;
    if (len < sizeof(*rec)) {
        return false;
    }
    memcpy(rec, raw, sizeof(*rec));
    if ((rec->flags & ~(CV_STORED_LAST | CV_STORED_COPIES)) != 0 ||
        rec->open > CV_STORED_OPEN_MAX || rec->base >= rec->icount ||
        rec->icount == CV_NEVER || (rec->part == 0) != (rec->state_len != 0) ||
        (rec->part != 0 && rec->open != 0) || rec->pages > len / CV_PAGE_SIZE ||
        rec->zeros > len / sizeof(uint32_t) || rec->state_len > len) {
        return false;
    }
    uint64_t open_bytes = rec->open * sizeof(struct cv_stored_open);
    uint64_t want = sizeof(*rec) + rec->state_len + open_bytes +
                    (uint64_t)rec->pages * (CV_PAGE_SIZE + sizeof(uint32_t)) +
                    (uint64_t)rec->zeros * sizeof(uint32_t);
    if (want > len) {
        return false;
    }
    view->copies_count = 0;
    view->copies = NULL;
    if ((rec->flags & CV_STORED_COPIES) != 0) {
        uint64_t bytes = view_copies(view, raw + want, len - want);
        want = bytes == 0 ? UINT64_MAX : want + bytes;
    }
    if (want != len) {
        return false;
    }
    view->state = raw + sizeof(*rec);
    view->open = view->state + rec->state_len;
    view->pages = view->open + open_bytes;
    view->numbers = view->pages + (size_t)rec->pages * CV_PAGE_SIZE;
    view->zeros = view->numbers + rec->pages * sizeof(uint32_t);
    return true;
}
