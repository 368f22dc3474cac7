/*
 * block.c - finding, linking and dropping blocks
 *
 * Dead blocks keep their number and host code until the cache is flushed, so every stale
 * reference stays harmless: their entry was overwritten with a jump to their head stub,
 * which leaves to the dispatcher with the block's own address. That covers jump caches;
 * direct links are taken back through the list of exits linked to the block.
 */
#include "core/translate/block.h"
#include "core/base/mem.h"
#include "core/mem/mmu.h"
#include "core/mem/ram.h"
#include "core/translate/execstate.h"

static uint32_t hash_slot(const struct cv_exec *x, cv_gva gva, cv_gpa gpa)
{
    uint64_t h = (gva >> CV_PAGE_SHIFT ^ gpa >> CV_PAGE_SHIFT << 7) * 0x9e3779b97f4a7c15ull;
    return ((uint32_t)(h >> 32) ^ (uint32_t)(gva & (CV_PAGE_SIZE - 1)) >> 2) & x->hash_mask;
}

uint32_t cv_block_find(struct cv_exec *x, cv_gva gva, cv_gpa gpa, uint32_t mode)
{
    uint32_t i = x->hash[hash_slot(x, gva, gpa)];
    while (i != 0) {
        const struct cv_block *b = &x->blocks[i];
        if (b->gva == gva && b->gpa == gpa && b->mode == mode) {
            cv_gpa second;
            if (b->gpa2 == CV_NEVER) {
                return i;
            }
            cv_gva next = (gva | (CV_PAGE_SIZE - 1)) + 1;
            if (cv_canonical(next) &&
                cv_tlb_translate(x->cpu, next, CV_ACC_FETCH, &second) &&
                second == b->gpa2) {
                return i;
            }
        }
        i = b->hash_next;
    }
    return 0;
}

static void add_to_page(struct cv_exec *x, uint32_t index, unsigned part, cv_gpa gpa)
{
    uint64_t page = gpa >> CV_PAGE_SHIFT;
    x->blocks[index].page_next[part] = x->page_head[page];
    x->page_head[page] = index * 2 + part;
    cv_ram_flag_page(x->ram, page << CV_PAGE_SHIFT, CV_PAGE_CODE);
}

void cv_block_publish(struct cv_exec *x, uint32_t index)
{
    struct cv_block *b = &x->blocks[index];
    uint32_t *head = &x->hash[hash_slot(x, b->gva, b->gpa)];
    b->hash_next = *head;
    *head = index;
    add_to_page(x, index, 0, b->gpa);
    if (b->gpa2 != CV_NEVER) {
        add_to_page(x, index, 1, b->gpa2);
    }
}

static void patch(struct cv_exec *x, uint32_t at, uint32_t target)
{
    cv_st32(x->code.rw + at, target - (at + 4));
}

void cv_block_link(struct cv_exec *x, uint32_t from, unsigned slot, uint32_t to)
{
    struct cv_block_exit *e = &x->blocks[from].exit[slot];
    struct cv_block *target = &x->blocks[to];
    if (e->patch == 0 || e->target != 0 || x->blocks[from].dead || target->dead) {
        return;
    }
    e->target = to;
    e->next_in = target->linked;
    target->linked = from * 2 + slot;
    patch(x, e->patch, target->host);
}

static void unlink_exits(struct cv_exec *x, struct cv_block *b)
{
    uint32_t i = b->linked;
    while (i != 0) {
        struct cv_block_exit *e = &x->blocks[i / 2].exit[i % 2];
        i = e->next_in;
        patch(x, e->patch, e->stub);
        e->target = 0;
        e->next_in = 0;
    }
    b->linked = 0;
}

static void unhash(struct cv_exec *x, uint32_t index)
{
    const struct cv_block *b = &x->blocks[index];
    uint32_t *at = &x->hash[hash_slot(x, b->gva, b->gpa)];
    while (*at != 0 && *at != index) {
        at = &x->blocks[*at].hash_next;
    }
    if (*at == index) {
        *at = b->hash_next;
    }
}

void cv_block_kill(struct cv_exec *x, uint32_t index)
{
    struct cv_block *b = &x->blocks[index];
    if (b->dead) {
        return;
    }
    b->dead = true;
    x->rewritten = true;
    unhash(x, index);
    unlink_exits(x, b);
    if (b->insns != 0) {
        x->code.rw[b->host] = 0xe9; /* entered again: leave with rip = gva */
        patch(x, b->host + 1, b->head_stub);
    }
    x->stats.invalidated++;
}

/* Takes dead blocks out of a page's list; an empty list unflags the page. */
static void sweep_page(struct cv_exec *x, uint64_t page)
{
    uint32_t *at = &x->page_head[page];
    while (*at != 0) {
        struct cv_block *b = &x->blocks[*at / 2];
        if (b->dead) {
            *at = b->page_next[*at % 2];
        } else {
            at = &b->page_next[*at % 2];
        }
    }
    if (x->page_head[page] == 0) {
        cv_ram_unflag_page(x->ram, page << CV_PAGE_SHIFT, CV_PAGE_CODE);
    }
}

/* Does the part of the block that list entry `i` stands for meet [lo, hi)? */
static bool overlaps(const struct cv_block *b, unsigned part, cv_gpa lo, cv_gpa hi)
{
    cv_gpa first = part == 0 ? b->gpa : b->gpa2;
    uint32_t room = CV_PAGE_SIZE - (uint32_t)(b->gpa & (CV_PAGE_SIZE - 1));
    uint32_t bytes = b->gpa2 == CV_NEVER ? b->bytes : part == 0 ? room : b->bytes - room;
    return first < hi && first + bytes > lo;
}

void cv_block_on_write(void *exec, cv_gpa gpa, uint32_t len)
{
    struct cv_exec *x = exec;
    uint64_t last = (gpa + len - 1) >> CV_PAGE_SHIFT;
    for (uint64_t page = gpa >> CV_PAGE_SHIFT; page <= last && page < x->ram_pages;
         page++) {
        bool killed = false;
        for (uint32_t i = x->page_head[page]; i != 0;
             i = x->blocks[i / 2].page_next[i % 2]) {
            const struct cv_block *b = &x->blocks[i / 2];
            if (!b->dead && overlaps(b, i % 2, gpa, gpa + len)) {
                cv_block_kill(x, i / 2);
                killed = true;
            }
        }
        if (killed || x->page_head[page] == 0) {
            sweep_page(x, page);
        }
    }
}

uint32_t cv_block_at_host(const struct cv_exec *x, uint32_t off)
{
    uint32_t lo = 1, hi = x->block_count + 1;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (x->blocks[mid].host_end <= off) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo <= x->block_count && x->blocks[lo].host <= off ? lo : 0;
}

void cv_block_drop_all(struct cv_exec *x)
{
    for (uint32_t i = 1; i <= x->block_count; i++) {
        const struct cv_block *b = &x->blocks[i];
        cv_gpa part[2] = {b->gpa, b->gpa2};
        for (unsigned k = 0; k < 2; k++) {
            uint64_t page = part[k] >> CV_PAGE_SHIFT;
            if (part[k] != CV_NEVER && page < x->ram_pages && x->page_head[page] != 0) {
                x->page_head[page] = 0;
                cv_ram_unflag_page(x->ram, page << CV_PAGE_SHIFT, CV_PAGE_CODE);
            }
        }
    }
    x->rewritten = true; /* what is emitted next stands where other code stood */
    cv_memset(x->hash, 0, ((size_t)x->hash_mask + 1) * sizeof(x->hash[0]));
    x->block_count = 0;
}
