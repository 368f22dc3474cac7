/*
 * digest.h - what a machine's state hashes to: running chain, RAM sum, single components
 *
 * chain' = XXH3-128(chain || icount || XXH3-128(state image)), folded every 2^20 steps.
 * ram    = sum mod 2^128 over all pages that are not zero of XXH3-128(page, seed = page
 *          number); kept by hashing only what was written since (record/pages.h).
 *
 * Thread:  engine thread; never while guest FPU state is live
 */
#ifndef CV_RECORD_DIGEST_H
#define CV_RECORD_DIGEST_H

#include "record/hash.h"
#include "record/pages.h"

/* hand-numbered: they stand in files */
enum cv_digest_kind {
    CV_DIGEST_SMALL = 1,     /* 2 bytes of the chain */
    CV_DIGEST_FULL = 2,      /* 8 of the chain, 8 of the RAM sum */
    CV_DIGEST_COMPONENT = 3, /* 8 of name, 8 of its hash; where the last one was */
    CV_DIGEST_END = 4,       /* as FULL, at the end of the trace, wherever that is */
};
/* Bytes of a kind; 0: no such kind. */
unsigned cv_digest_len(unsigned kind);

#define CV_DIGEST_STEP      (1ull << 20)
#define CV_DIGEST_FULL_STEP (1ull << 24) /* in the first FULL_WIDE steps, */
#define CV_DIGEST_FULL_WIDE (1ull << 28) /* and from then on */
/* The next icount > icount at which a digest is due. */
static inline cv_icount cv_digest_next(cv_icount icount)
{
    return (icount / CV_DIGEST_STEP + 1) * CV_DIGEST_STEP;
}

/* Is the digest at icount, a multiple of CV_DIGEST_STEP, a full one? A recorder may make
 * more of them full; a replay goes by what is logged. Hashing what was written costs by
 * pages, and the same ones are written again and again. */
static inline bool cv_digest_is_full(cv_icount icount)
{
    cv_icount step =
        icount < CV_DIGEST_FULL_WIDE ? CV_DIGEST_FULL_STEP : CV_DIGEST_FULL_WIDE;
    return icount % step == 0;
}

/* The running chain: 16 bytes of a machine's history. */
struct cv_hash128 cv_digest_fold(struct cv_hash128 chain, cv_icount icount,
                                 const uint8_t *state, size_t len);

/* Calls fn for each component of a state image with its name (as NUL-padded 8 bytes) and
 * hash; stops when fn returns false. */
void cv_digest_components(const uint8_t *state, size_t len,
                          bool (*fn)(void *arg, const char name[8], uint64_t hash),
                          void *arg);

/* -- RAM ----------------------------------------------------------------------------- */

struct cv_ram_digest;

/* Hashes RAM once and attaches to pages. NULL: no memory. */
struct cv_ram_digest *cv_ram_digest_new(struct cv_pages *pages);
void cv_ram_digest_free(struct cv_ram_digest *digest);
/* The sum of RAM as it is now. */
struct cv_hash128 cv_ram_digest_sum(struct cv_ram_digest *digest);
/* A page's share of the sum, and the sum with one share in place of another: what RAM
 * would sum to with other content. */
struct cv_hash128 cv_ram_digest_share(const uint8_t *page, uint64_t number);
void cv_ram_digest_swap(struct cv_hash128 *sum, struct cv_hash128 out,
                        struct cv_hash128 in);
/* The same from nothing: reads all of RAM. */
struct cv_hash128 cv_ram_digest_full(const struct cv_ram *ram);

#endif
