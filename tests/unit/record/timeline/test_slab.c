#include "record/slab.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define PIECES 4000u

struct piece {
    uint8_t *at;
    uint32_t bytes, slab;
};

static void fill(const struct piece *p, size_t number)
{
    memset(p->at, (int)(number * 7 + 1), p->bytes);
}

static void check(const struct piece *p, size_t number)
{
    for (uint32_t i = 0; i < p->bytes; i++) {
        cr_assert_eq(p->at[i], (uint8_t)(number * 7 + 1));
    }
}

Test(slab, pieces_of_all_sizes_keep_their_content_and_all_memory_goes_back)
{
    static struct piece pieces[PIECES];
    struct cv_slabs slabs;
    cr_assert(cv_slabs_init(&slabs));
    srandom(3);
    for (unsigned n = 0; n < 60000; n++) {
        size_t i = (size_t)random() % PIECES;
        struct piece *p = &pieces[i];
        if (p->at != NULL) {
            check(p, i);
            cv_slab_free(&slabs, p->slab, p->at);
            p->at = NULL;
        } else {
            uint64_t before = cv_slabs_bytes(&slabs);
            p->bytes = random() % 4 == 0 ? CV_SLAB_SMALL : 1 + (uint32_t)random() % CV_SLAB_PIECE_MAX;
            bool fits = cv_slab_fits(&slabs, p->bytes);
            p->at = cv_slab_alloc(&slabs, p->bytes, &p->slab);
            cr_assert_eq(fits, cv_slabs_bytes(&slabs) == before);
            fill(p, i);
        }
        if (n % 1000 == 0) {
            cv_slabs_trim(&slabs, n % 2000 == 0);
        }
    }
    uint64_t used = 0;
    for (size_t i = 0; i < PIECES; i++) {
        used += pieces[i].at != NULL ? cv_slab_piece(pieces[i].bytes) : 0;
    }
    cr_assert_geq(cv_slabs_bytes(&slabs), used);
    cr_assert_gt(used, 1u << 20);
    for (size_t i = 0; i < PIECES; i++) {
        if (pieces[i].at != NULL) {
            check(&pieces[i], i);
            cv_slab_free(&slabs, pieces[i].slab, pieces[i].at);
        }
    }
    cv_slabs_trim(&slabs, false);
    cr_assert_lt(cv_slabs_bytes(&slabs), 1u << 20);
    cv_slabs_trim(&slabs, true);
    cr_assert_lt(cv_slabs_bytes(&slabs), CV_SLAB_BYTES);
    cv_slabs_fini(&slabs);
}

Test(slab, a_piece_takes_little_more_than_it_needs)
{
    for (uint32_t bytes = 1; bytes <= CV_SLAB_PIECE_MAX; bytes++) {
        cr_assert_geq(cv_slab_piece(bytes), bytes);
        cr_assert_leq(cv_slab_piece(bytes), bytes + CV_SLAB_GRAIN);
    }
    cr_assert_eq(cv_slab_piece(CV_SLAB_SMALL), CV_SLAB_SMALL);
}
