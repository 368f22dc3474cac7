#include "record/version.h"
#include "core/base/check.h"
#include "core/base/mem.h"
#include "record/lz4.h"

#define GENERAL_REGS __attribute__((target("general-regs-only")))

CV_STATIC_ASSERT(sizeof(struct cv_version) == CV_SLAB_SMALL, "a class of its own");

/* All-zero content needs no copy of its own. */
static const uint8_t ZERO_PAGE[CV_PAGE_SIZE] __attribute__((aligned(64)));

bool cv_versions_init(struct cv_versions *versions)
{
    *versions = (struct cv_versions){.count = 0};
    cv_version_borrow(versions, &versions->zeros, ZERO_PAGE);
    versions->zeros.refs = 1;
    return cv_slabs_init(&versions->slabs);
}

void cv_versions_fini(struct cv_versions *versions)
{
    cv_slabs_fini(&versions->slabs);
}

GENERAL_REGS struct cv_version *cv_version_new(struct cv_versions *versions,
                                               uint16_t stamp)
{
    uint32_t home;
    struct cv_version *v = cv_slab_alloc(&versions->slabs, sizeof(*v), &home);
    *v = (struct cv_version){.home = home, .stamp = stamp & CV_VERSION_STAMP};
    versions->count++;
    return v;
}

/* Slabs are numbered from 1. */
GENERAL_REGS static bool is_borrowed(const struct cv_version *v)
{
    return v->slab == 0;
}

GENERAL_REGS static void free_data(struct cv_versions *versions, struct cv_version *v)
{
    if (v->data == NULL || is_borrowed(v)) {
        return;
    }
    if (v->packed != 0) {
        versions->packed--;
        versions->packed_bytes -= v->packed;
    } else {
        versions->raw--;
        versions->untried -= v->tried ? 0 : 1;
    }
    cv_slab_free(&versions->slabs, v->slab, v->data);
}

GENERAL_REGS void cv_version_unref(struct cv_versions *versions, struct cv_version *v)
{
    if (--v->refs > 0) {
        return;
    }
    free_data(versions, v);
    versions->count--;
    cv_slab_free(&versions->slabs, v->home, v);
}

GENERAL_REGS bool cv_version_is_zero(const uint8_t *page)
{
    for (size_t i = 0; i < CV_PAGE_SIZE; i += 8) {
        if (cv_ld64(page + i) != 0) {
            return false;
        }
    }
    return true;
}

GENERAL_REGS void cv_version_borrow(struct cv_versions *versions, struct cv_version *v,
                                    const uint8_t *page)
{
    free_data(versions, v);
    v->data = (uint8_t *)(uintptr_t)page; /* never written through */
    v->slab = 0;
    v->tried = 1;
}

GENERAL_REGS bool cv_version_keep(struct cv_versions *versions, struct cv_version *v,
                                  const uint8_t *page, bool room)
{
    if (cv_version_is_zero(page)) {
        cv_version_borrow(versions, v, ZERO_PAGE);
        return true;
    }
    if (!room && !cv_slab_fits(&versions->slabs, CV_PAGE_SIZE)) {
        return false;
    }
    v->data = cv_slab_alloc(&versions->slabs, CV_PAGE_SIZE, &v->slab);
    versions->raw++;
    versions->untried++;
    cv_memcpy(v->data, page, CV_PAGE_SIZE);
    return true;
}

const uint8_t *cv_version_bytes(const struct cv_version *v, uint8_t *room)
{
    if (v->packed == 0) {
        return v->data;
    }
    bool ok = cv_lz4_unpack(v->data, v->packed, room, CV_PAGE_SIZE);
    CV_ASSERT(ok);
    return room;
}

const uint8_t *cv_version_try(struct cv_versions *versions, struct cv_version *v)
{
    if (v->tried || v->data == NULL) {
        return NULL;
    }
    v->tried = 1;
    versions->untried--;
    return v->data;
}

static void set_packed(struct cv_versions *versions, struct cv_version *v,
                       const void *packed, size_t len)
{
    v->data = cv_slab_alloc(&versions->slabs, (uint32_t)len, &v->slab);
    cv_memcpy(v->data, packed, len);
    v->packed = (uint16_t)len;
    v->tried = 1;
    versions->packed++;
    versions->packed_bytes += len;
}

bool cv_version_pack(struct cv_versions *versions, struct cv_version *v,
                     const void *packed, size_t len, bool room)
{
    if (len == 0) {
        return true;
    }
    if (!room && !cv_slab_fits(&versions->slabs, (uint32_t)len)) {
        v->tried = 0;
        versions->untried++;
        return false;
    }
    cv_slab_free(&versions->slabs, v->slab, v->data);
    versions->raw--;
    set_packed(versions, v, packed, len);
    return true;
}

bool cv_version_keep_packed(struct cv_versions *versions, struct cv_version *v,
                            const uint8_t *page, bool room)
{
    uint8_t packed[CV_VERSION_PACKED_MAX];
    size_t len = cv_version_is_zero(page)
                     ? 0
                     : cv_lz4_pack(page, CV_PAGE_SIZE, packed, sizeof(packed));
    if (len == 0) {
        bool kept = cv_version_keep(versions, v, page, room);
        (void)cv_version_try(versions, v); /* it would be in vain */
        return kept;
    }
    if (!room && !cv_slab_fits(&versions->slabs, (uint32_t)len)) {
        return false;
    }
    set_packed(versions, v, packed, len);
    return true;
}
