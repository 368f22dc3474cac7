#include "record/digest.h"

#include "core/base/hostmem.h"
#include "core/base/mem.h"
#include "core/vm.h"

#include <stdlib.h>
#include <string.h>

unsigned cv_digest_len(unsigned kind)
{
    switch (kind) {
    case CV_DIGEST_SMALL:
        return 2;
    case CV_DIGEST_FULL:
    case CV_DIGEST_COMPONENT:
    case CV_DIGEST_END:
        return 16;
    default:
        return 0;
    }
}

struct cv_hash128 cv_digest_fold(struct cv_hash128 chain, cv_icount icount,
                                 const uint8_t *state, size_t len)
{
    struct cv_hash128 now = cv_hash128(state, len, 0);
    uint64_t link[5] = {chain.lo, chain.hi, icount, now.lo, now.hi};
    return cv_hash128(link, sizeof(link), 0);
}

/* Where the component that begins at `at` ends, given that components are contiguous. */
static size_t find_component_end(const uint8_t *state, size_t len, size_t at,
                                 const char *name)
{
    size_t inside = at;
    size_t outside = len;
    size_t stride = 64;
    while (inside + stride < len &&
           strcmp(cv_vm_section_at(state, len, inside + stride), name) == 0) {
        inside += stride;
        stride *= 2;
    }
    if (inside + stride < len) {
        outside = inside + stride;
    }
    while (outside - inside > 1) {
        size_t middle = inside + (outside - inside) / 2;
        if (strcmp(cv_vm_section_at(state, len, middle), name) == 0) {
            inside = middle;
        } else {
            outside = middle;
        }
    }
    return outside;
}

void cv_digest_components(const uint8_t *state, size_t len,
                          bool (*fn)(void *arg, const char name[8], uint64_t hash),
                          void *arg)
{
    size_t at = 0;
    while (at < len) {
        const char *name = cv_vm_section_at(state, len, at);
        char padded[8] = {0};
        size_t end = find_component_end(state, len, at, name);
        memcpy(padded, name, strnlen(name, sizeof(padded)));
        if (!fn(arg, padded, cv_hash64(state + at, end - at, 0))) {
            return;
        }
        at = end;
    }
}

/* -- RAM ----------------------------------------------------------------------------- */

struct cv_ram_digest {
    struct cv_pages *pages;
    int id;
    struct cv_hash128 *hashes; /* a page's share of the sum; zero for a zero page */
    size_t hashes_bytes;
    struct cv_hash128 sum;
};

static bool is_zero_page(const uint8_t *page)
{
    const uint64_t *p = (const uint64_t *)(const void *)page;
    uint64_t any = 0;
    for (size_t i = 0; i < CV_PAGE_SIZE / 8; i += 8) {
        any = p[i] | p[i + 1] | p[i + 2] | p[i + 3] | p[i + 4] | p[i + 5] | p[i + 6] |
              p[i + 7];
        if (any != 0) {
            return false;
        }
    }
    return true;
}

struct cv_hash128 cv_ram_digest_share(const uint8_t *page, uint64_t number)
{
    if (is_zero_page(page)) {
        return (struct cv_hash128){0, 0};
    }
    return cv_hash128(page, CV_PAGE_SIZE, number);
}

static struct cv_hash128 hash_page(const struct cv_ram *ram, uint64_t number)
{
    return cv_ram_digest_share(ram->base + (number << CV_PAGE_SHIFT), number);
}

static void add(struct cv_hash128 *sum, struct cv_hash128 h)
{
    unsigned __int128 s = ((unsigned __int128)sum->hi << 64 | sum->lo) +
                          ((unsigned __int128)h.hi << 64 | h.lo);
    sum->lo = (uint64_t)s;
    sum->hi = (uint64_t)(s >> 64);
}

static void subtract(struct cv_hash128 *sum, struct cv_hash128 h)
{
    unsigned __int128 s = ((unsigned __int128)sum->hi << 64 | sum->lo) -
                          ((unsigned __int128)h.hi << 64 | h.lo);
    sum->lo = (uint64_t)s;
    sum->hi = (uint64_t)(s >> 64);
}

void cv_ram_digest_swap(struct cv_hash128 *sum, struct cv_hash128 out,
                        struct cv_hash128 in)
{
    subtract(sum, out);
    add(sum, in);
}

struct cv_ram_digest *cv_ram_digest_new(struct cv_pages *pages)
{
    const struct cv_ram *ram = cv_pages_ram(pages);
    struct cv_ram_digest *digest = calloc(1, sizeof(*digest));
    struct cv_pages_consumer consumer = {NULL, NULL};
    if (digest == NULL) {
        return NULL;
    }
    digest->pages = pages;
    digest->hashes_bytes =
        (size_t)(ram->span >> CV_PAGE_SHIFT) * sizeof(struct cv_hash128);
    digest->hashes = cv_hostmem_pages_new(digest->hashes_bytes);
    digest->id = digest->hashes == NULL ? -1 : cv_pages_attach(pages, &consumer);
    if (digest->id < 0) {
        cv_hostmem_pages_free(digest->hashes, digest->hashes_bytes);
        free(digest);
        return NULL;
    }
    for (uint64_t i = 0; i < ram->span >> CV_PAGE_SHIFT; i++) {
        cv_gpa gpa = i << CV_PAGE_SHIFT;
        if (!cv_ram_has(ram, gpa, CV_PAGE_SIZE) || cv_pages_never_written(pages, gpa)) {
            continue;
        }
        struct cv_hash128 h = hash_page(ram, i);
        if ((h.lo | h.hi) != 0) { /* leave the table unbacked where RAM is zero */
            digest->hashes[i] = h;
            add(&digest->sum, h);
        }
    }
    return digest;
}

void cv_ram_digest_free(struct cv_ram_digest *digest)
{
    if (digest != NULL) {
        cv_pages_detach(digest->pages, digest->id);
        cv_hostmem_pages_free(digest->hashes, digest->hashes_bytes);
        free(digest);
    }
}

struct cv_hash128 cv_ram_digest_sum(struct cv_ram_digest *digest)
{
    const struct cv_ram *ram = cv_pages_ram(digest->pages);
    size_t count;
    const uint32_t *dirty = cv_pages_dirty(digest->pages, digest->id, &count);
    for (size_t i = 0; i < count; i++) {
        struct cv_hash128 h = hash_page(ram, dirty[i]);
        subtract(&digest->sum, digest->hashes[dirty[i]]);
        add(&digest->sum, h);
        digest->hashes[dirty[i]] = h;
    }
    cv_pages_mark(digest->pages, digest->id);
    return digest->sum;
}

struct cv_hash128 cv_ram_digest_full(const struct cv_ram *ram)
{
    struct cv_hash128 sum = {0, 0};
    for (uint64_t i = 0; i < ram->span >> CV_PAGE_SHIFT; i++) {
        if (cv_ram_has(ram, i << CV_PAGE_SHIFT, CV_PAGE_SIZE)) {
            add(&sum, hash_page(ram, i));
        }
    }
    return sum;
}
