#include "core/base/section.h"
#include "core/base/mem.h"

void cv_section_bytes(struct cv_section *s, void *p, size_t n)
{
    if (s->failed || n > s->cap - s->pos) {
        s->failed = true;
        if (cv_section_loading(s)) {
            cv_memset(p, 0, n);
        }
        return;
    }
    if (cv_section_loading(s)) {
        cv_memcpy(p, s->buf + s->pos, n);
    } else {
        cv_memcpy(s->buf + s->pos, p, n);
    }
    s->pos += n;
}

/* A few bytes, their number known where it is inlined: a move, where the string instruction
 * of cv_memcpy() takes dozens of cycles to begin. An image is hundreds of them. */
static inline __attribute__((always_inline)) void move_field(struct cv_section *s,
                                                             void *p, size_t n)
{
    if (s->failed || n > s->cap - s->pos) {
        cv_section_bytes(s, p, n);
        return;
    }
    if (cv_section_loading(s)) {
        __builtin_memcpy(p, s->buf + s->pos, n);
    } else {
        __builtin_memcpy(s->buf + s->pos, p, n);
    }
    s->pos += n;
}

void cv_section_u8(struct cv_section *s, uint8_t *v)
{
    move_field(s, v, sizeof(*v));
}

void cv_section_u16(struct cv_section *s, uint16_t *v)
{
    move_field(s, v, sizeof(*v));
}

void cv_section_u32(struct cv_section *s, uint32_t *v)
{
    move_field(s, v, sizeof(*v));
}

void cv_section_u64(struct cv_section *s, uint64_t *v)
{
    move_field(s, v, sizeof(*v));
}

void cv_section_i64(struct cv_section *s, int64_t *v)
{
    move_field(s, v, sizeof(*v));
}

void cv_section_u8_max(struct cv_section *s, uint8_t *v, uint8_t max)
{
    cv_section_u8(s, v);
    if (*v > max) {
        s->failed = true;
        *v = 0;
    }
}

void cv_section_u32_max(struct cv_section *s, uint32_t *v, uint32_t max)
{
    cv_section_u32(s, v);
    if (*v > max) {
        s->failed = true;
        *v = 0;
    }
}

void cv_section_bool(struct cv_section *s, bool *v)
{
    uint8_t byte = !cv_section_loading(s) && *v ? 1 : 0; /* nothing is read on load */
    cv_section_u8_max(s, &byte, 1);
    *v = byte != 0;
}

void cv_section_end(struct cv_section *s)
{
    if (s->open == 0 || s->failed) {
        return;
    }
    uint32_t bytes = (uint32_t)(s->pos - s->open - sizeof(bytes));
    if (!cv_section_loading(s)) {
        cv_st32(s->buf + s->open, bytes);
    } else if (bytes != s->open_bytes) {
        s->failed = true;
    }
    s->open = 0;
}

void cv_section_begin(struct cv_section *s, const char *name, uint32_t version)
{
    char want[8] = {0};
    char have[8];
    uint32_t have_version = version;
    uint32_t bytes = 0;
    cv_section_end(s);
    for (size_t i = 0; i < sizeof(want) && name[i] != '\0'; i++) {
        want[i] = name[i];
    }
    cv_memcpy(have, want, sizeof(have));
    cv_section_bytes(s, have, sizeof(have));
    cv_section_u32(s, &have_version);
    size_t length_at = s->pos;
    cv_section_u32(s, &bytes);
    if (cv_memcmp(have, want, sizeof(have)) != 0 || have_version != version) {
        s->failed = true;
    }
    s->open = length_at;
    s->open_bytes = bytes;
}
