/*
 * linux_log.c - the kernel log: printk's ring buffer
 *
 * Descriptors are numbered by ids that only grow; the id modulo the ring's size is the place. A record is whole when its state is committed
 * or finalized and carries the very id. Its text begins behind a copy of the id; a block that would run over the end of the
 * data lies at the beginning instead.
 * Spec: Linux kernel/printk/printk_ringbuffer.c "Data Structure", printk_ringbuffer.h
 */
#include "debugger/linux_private.h"
#include "core/base/error.h"

#include <stdlib.h>

#define BITS_MAX        24u
#define TEXT_MAX        4096u
#define STATE_COMMITTED 1u
#define STATE_FINAL     2u

struct ring {
    uint64_t descs, infos, data, head, tail;
    uint32_t count_bits, size_bits;
};

static bool open_ring(const struct cv_linux *lx, struct ring *r)
{
    uint64_t prb;
    cv_gva at = lx->sym[CV_LINUX_PRB];
    const uint32_t *off = lx->layout.at;
    return at != 0 && cv_linux_mem_word(&lx->mem, at, &prb) &&
           cv_linux_mem_u32(&lx->mem, prb + off[CV_PRB_COUNT_BITS], &r->count_bits) &&
           cv_linux_mem_u32(&lx->mem, prb + off[CV_PRB_SIZE_BITS], &r->size_bits) &&
           cv_linux_word(lx, prb, CV_PRB_DESCS, &r->descs) &&
           cv_linux_word(lx, prb, CV_PRB_INFOS, &r->infos) &&
           cv_linux_word(lx, prb, CV_PRB_DATA, &r->data) &&
           cv_linux_word(lx, prb, CV_PRB_HEAD, &r->head) &&
           cv_linux_word(lx, prb, CV_PRB_TAIL, &r->tail) && r->count_bits <= BITS_MAX &&
           r->size_bits <= BITS_MAX;
}

/* The text of a block: where it is and how long at most. */
static bool find_text(const struct cv_linux *lx, const struct ring *r, uint64_t begin,
                      uint64_t next, cv_gva *text, uint64_t *room)
{
    uint64_t mask = (1ull << r->size_bits) - 1;
    uint64_t from = begin & mask, to = next & mask;
    if ((begin & 1) != 0 || begin == next) {
        return false; /* a record without data */
    }
    if (begin >> r->size_bits != next >> r->size_bits && to != 0) {
        from = 0; /* wrapped */
    } else if (to == 0) {
        to = mask + 1;
    }
    if (to < from + lx->mem.pointer_bytes) {
        return false;
    }
    *text = r->data + from + lx->mem.pointer_bytes;
    *room = to - from - lx->mem.pointer_bytes;
    return true;
}

/* *again: the walk goes on. False: the memory cannot be read. */
static bool read_record(const struct cv_linux *lx, const struct ring *r, uint64_t id,
                        char *text, cv_linux_log_fn fn, void *arg, bool *again)
{
    const struct cv_linux_layout *l = &lx->layout;
    unsigned word_bits = lx->mem.pointer_bytes * 8;
    uint64_t id_mask = (1ull << (word_bits - 2)) - 1;
    uint64_t place = id & ((1ull << r->count_bits) - 1);
    cv_gva desc = r->descs + place * l->desc_bytes,
           info = r->infos + place * l->info_bytes, at = 0;
    uint64_t state, begin, next, ns, room;
    uint8_t len[2];
    if (!cv_linux_word(lx, desc, CV_DESC_STATE, &state) ||
        !cv_linux_word(lx, desc, CV_DESC_BEGIN, &begin) ||
        !cv_linux_word(lx, desc, CV_DESC_NEXT, &next) ||
        !cv_linux_mem_u64(&lx->mem, info + l->at[CV_INFO_TIME], &ns) ||
        !cv_linux_mem_read(&lx->mem, info + l->at[CV_INFO_LEN], len, sizeof(len))) {
        return false;
    }
    unsigned phase = (unsigned)(state >> (word_bits - 2));
    if ((state & id_mask) != (id & id_mask) ||
        (phase != STATE_COMMITTED && phase != STATE_FINAL)) {
        return true;
    }
    uint64_t want = cv_ld16(len) < TEXT_MAX ? cv_ld16(len) : TEXT_MAX;
    if (!find_text(lx, r, begin, next, &at, &room)) {
        want = 0;
    } else if (want > room) {
        want = room;
    }
    if (!cv_linux_mem_read(&lx->mem, at, text, want)) {
        return false;
    }
    *again = fn(arg, ns, text, (size_t)want);
    return true;
}

bool cv_linux_log(struct cv_linux *lx, cv_linux_log_fn fn, void *arg,
                  struct cv_error *err)
{
    static const char what[] = "kernel log";
    struct ring r;
    if (!cv_linux_layout_need(lx, what, CV_PRB_COUNT_BITS, CV_INFO_LEN, err)) {
        return false;
    }
    if (!open_ring(lx, &r)) {
        return cv_error_set(err, CV_EXIT_NOINPUT, "%s: cannot be read here", what);
    }
    char *text = malloc(TEXT_MAX);
    bool ok = text != NULL, again = true;
    uint64_t count = (r.head - r.tail) & ((1ull << r.count_bits) - 1);
    for (uint64_t i = 0; ok && again && i <= count; i++) {
        ok = read_record(lx, &r, r.tail + i, text, fn, arg, &again);
    }
    free(text);
    return ok || cv_error_set(err, CV_EXIT_NOINPUT,
                              "%s: the guest's ring buffer is not whole here", what);
}
