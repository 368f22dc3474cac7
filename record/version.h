/*
 * version.h - what one page held at some time: an immutable, counted copy, raw or packed
 *
 * A version without content stands for live RAM (checkpoint.c, C1). A page of zeros needs no copy, nor does a piece of
 * an image that is in memory anyway. Content, once there, never changes; packing changes only how it is kept.
 * Thread:  engine thread; new, keep and unref may be called while guest FPU state is live (general registers only)
 */
#ifndef CV_RECORD_VERSION_H
#define CV_RECORD_VERSION_H

#include "record/slab.h"

struct cv_version {
    uint8_t *data; /* NULL: live RAM, or lost */
    uint32_t refs;
    uint32_t slab;   /* of data */
    uint32_t home;   /* of this */
    uint16_t packed; /* bytes of packed data; 0: a raw page */
    uint16_t stamp : 14; /* for the owner: when it was made or used last */
    uint16_t tried : 1;  /* was or is being packed, or that is not worth it */
    uint16_t lost : 1;   /* there was no room for its content, which is gone (C8) */
};
#define CV_VERSION_STAMP 0x3fffu

struct cv_versions {
    struct cv_slabs slabs;
    struct cv_version zeros; /* a page of zeros, for as many as want it; never freed */
    uint64_t count, raw; /* versions; those that hold a raw page */
    uint64_t untried;    /* raw ones that packing was not tried on */
    uint64_t packed;     /* those that hold a packed one */
    uint64_t packed_bytes;
};

bool cv_versions_init(struct cv_versions *versions) CV_MUST_CHECK;
void cv_versions_fini(struct cv_versions *versions);

/* One without content or references. */
struct cv_version *cv_version_new(struct cv_versions *versions, uint16_t stamp);
/* Takes one reference away; the last one frees it. */
void cv_version_unref(struct cv_versions *versions, struct cv_version *v);
/* Gives it a copy of this page. False: that would take a new slab, and there is no room for one. */
bool cv_version_keep(struct cv_versions *versions, struct cv_version *v, const uint8_t *page, bool room);
bool cv_version_is_zero(const uint8_t *page);
/* Its content is that of `page`, 4096 bytes that stay where they are as long as the versions live. */
void cv_version_borrow(struct cv_versions *versions, struct cv_version *v, const uint8_t *page);

/* Its content: 4096 bytes, in place or unpacked into room. */
const uint8_t *cv_version_bytes(const struct cv_version *v, uint8_t *room);

/* More bytes than this are not worth keeping packed. */
#define CV_VERSION_PACKED_MAX 3712u
/* May packing be tried? Its raw bytes; they stay where they are until they are packed or the version goes. NULL: no. */
const uint8_t *cv_version_try(struct cv_versions *versions, struct cv_version *v);
/* Keeps these packed bytes instead of the raw page; len 0: they are not worth it. False: without room for a slab it can only be
 * tried again. */
bool cv_version_pack(struct cv_versions *versions, struct cv_version *v, const void *packed, size_t len,
                     bool room);
/* As cv_version_keep(), packed at once. Never while guest FPU state is live. */
bool cv_version_keep_packed(struct cv_versions *versions, struct cv_version *v, const uint8_t *page, bool room);

#endif
