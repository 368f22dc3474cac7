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

GENERAL_REGS static void free_data(struct cv_versions *versions, struct cv_version *v)
{
    if (v->data == NULL || v->data == ZERO_PAGE) {
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

GENERAL_REGS static bool is_zero(const uint8_t *page)
{
    for (size_t i = 0; i < CV_PAGE_SIZE; i += 8) {
        if (cv_ld64(page + i) != 0) {
            return false;
        }
    }
    return true;
}

GENERAL_REGS void cv_version_keep(struct cv_versions *versions, struct cv_version *v,
                                  const uint8_t *page)
{
    if (is_zero(page)) {
        v->data = (uint8_t *)(uintptr_t)ZERO_PAGE; /* never written through */
        return;
    }
    v->data = cv_slab_alloc(&versions->slabs, CV_PAGE_SIZE, &v->slab);
    versions->raw++;
    versions->untried++;
    cv_memcpy(v->data, page, CV_PAGE_SIZE);
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
    if (v->tried || v->packed != 0 || v->data == NULL || v->data == ZERO_PAGE) {
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

void cv_version_pack(struct cv_versions *versions, struct cv_version *v,
                     const void *packed, size_t len)
{
    if (len != 0) {
        cv_slab_free(&versions->slabs, v->slab, v->data);
        versions->raw--;
        set_packed(versions, v, packed, len);
    }
}

void cv_version_keep_packed(struct cv_versions *versions, struct cv_version *v,
                            const uint8_t *page)
{
    uint8_t packed[CV_VERSION_PACKED_MAX];
    size_t len =
        is_zero(page) ? 0 : cv_lz4_pack(page, CV_PAGE_SIZE, packed, sizeof(packed));
    if (len != 0) {
        set_packed(versions, v, packed, len);
        return;
    }
    cv_version_keep(versions, v, page);
    const uint8_t *raw = cv_version_try(versions, v); /* in vain */
    (void)raw;
}
