#include "record/slab.h"
#include "core/base/check.h"
#include "core/base/hostmem.h"

#define SLABS_MAX (1u << 20)
#define SPARE     8u /* empty slabs that are kept for what comes next */

/* Code that runs while the guest's vector registers are live. */
#define GENERAL_REGS __attribute__((target("general-regs-only")))

#define TABLE_BYTES (SLABS_MAX * sizeof(struct cv_slab))

GENERAL_REGS static uint32_t class_of(uint32_t bytes)
{
    return bytes <= CV_SLAB_SMALL ? 0 : (bytes + CV_SLAB_GRAIN - 1) / CV_SLAB_GRAIN;
}

GENERAL_REGS static uint32_t size_of_class(uint32_t class)
{
    return class == 0 ? CV_SLAB_SMALL : class * CV_SLAB_GRAIN;
}

uint32_t cv_slab_piece(uint32_t bytes)
{
    return size_of_class(class_of(bytes));
}

bool cv_slabs_init(struct cv_slabs *slabs)
{
    *slabs = (struct cv_slabs){.table = cv_hostmem_pages_new(TABLE_BYTES)};
    return slabs->table != NULL;
}

void cv_slabs_fini(struct cv_slabs *slabs)
{
    for (uint32_t i = 1; slabs->table != NULL && i <= slabs->top; i++) {
        cv_hostmem_pages_free(slabs->table[i].base, CV_SLAB_BYTES);
    }
    cv_hostmem_pages_free(slabs->table, TABLE_BYTES);
    slabs->table = NULL;
}

/* -- lists: linked through next and prev, 0 ends ------------------------------------------------- */

GENERAL_REGS static void push(struct cv_slabs *slabs, uint32_t *head, uint32_t i)
{
    struct cv_slab *slab = &slabs->table[i];
    slab->prev = 0;
    slab->next = *head;
    if (*head != 0) {
        slabs->table[*head].prev = i;
    }
    *head = i;
}

GENERAL_REGS static void unlink_slab(struct cv_slabs *slabs, uint32_t *head, uint32_t i)
{
    const struct cv_slab *slab = &slabs->table[i];
    if (slab->prev != 0) {
        slabs->table[slab->prev].next = slab->next;
    } else {
        *head = slab->next;
    }
    if (slab->next != 0) {
        slabs->table[slab->next].prev = slab->prev;
    }
}

/* -- slabs --------------------------------------------------------------------------------------- */

/* An empty slab, made or used again; it is in no list. */
GENERAL_REGS static uint32_t get_slab(struct cv_slabs *slabs)
{
    uint32_t i = slabs->empty;
    if (i != 0) {
        unlink_slab(slabs, &slabs->empty, i);
        slabs->empties--;
        return i;
    }
    i = slabs->unused;
    if (i != 0) {
        unlink_slab(slabs, &slabs->unused, i);
    } else {
        i = ++slabs->top;
    }
    slabs->table[i].base = i < SLABS_MAX ? cv_hostmem_pages_new(CV_SLAB_BYTES) : NULL;
    if (slabs->table[i].base == NULL) {
        cv_check_failed("memory for page versions", __FILE__, __LINE__);
    }
    slabs->mapped++;
    return i;
}

GENERAL_REGS static bool is_full(const struct cv_slab *slab)
{
    return slab->free == NULL &&
           slab->fresh == CV_SLAB_BYTES / size_of_class(slab->class);
}

GENERAL_REGS void *cv_slab_alloc(struct cv_slabs *slabs, uint32_t bytes, uint32_t *number)
{
    uint32_t class = class_of(bytes);
    uint32_t i = slabs->room[class];
    if (i == 0) {
        i = get_slab(slabs);
        slabs->table[i].class = class;
        slabs->table[i].free = NULL;
        slabs->table[i].fresh = 0;
        push(slabs, &slabs->room[class], i);
    }
    struct cv_slab *slab = &slabs->table[i];
    void *piece = slab->free;
    if (piece != NULL) {
        slab->free = *(void **)piece;
    } else {
        piece = slab->base + slab->fresh++ * size_of_class(class);
    }
    slab->used++;
    if (is_full(slab)) {
        unlink_slab(slabs, &slabs->room[class], i);
    }
    *number = i;
    return piece;
}

GENERAL_REGS void cv_slab_free(struct cv_slabs *slabs, uint32_t i, void *piece)
{
    struct cv_slab *slab = &slabs->table[i];
    bool was_full = is_full(slab);
    *(void **)piece = slab->free;
    slab->free = piece;
    if (was_full) {
        push(slabs, &slabs->room[slab->class], i);
    }
    if (--slab->used == 0) {
        unlink_slab(slabs, &slabs->room[slab->class], i);
        push(slabs, &slabs->empty, i);
        slabs->empties++;
    }
}

GENERAL_REGS bool cv_slab_fits(const struct cv_slabs *slabs, uint32_t bytes)
{
    return slabs->room[class_of(bytes)] != 0 || slabs->empty != 0;
}

void cv_slabs_trim(struct cv_slabs *slabs, bool all)
{
    while (slabs->empties > (all ? 0 : SPARE)) {
        uint32_t i = slabs->empty;
        unlink_slab(slabs, &slabs->empty, i);
        slabs->empties--;
        cv_hostmem_pages_free(slabs->table[i].base, CV_SLAB_BYTES);
        slabs->table[i].base = NULL;
        slabs->mapped--;
        push(slabs, &slabs->unused, i);
    }
}

GENERAL_REGS uint64_t cv_slabs_bytes(const struct cv_slabs *slabs)
{
    return (uint64_t)slabs->mapped * CV_SLAB_BYTES + slabs->top * sizeof(struct cv_slab);
}
