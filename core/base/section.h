/*
 * section.h - one visitor that saves, loads and digests a component's state
 *
 * A component declares its state once: a function that walks its fields through a
 * struct cv_section. The same walk writes a canonical image (little endian, fixed widths,
 * no padding), reads one back, or feeds a digest. Every load is validated: cv_section_range
 * fields refuse values outside their range, and the component's load hook checks the rest.
 * Errors:  a failed load leaves section->failed set; the walk goes on harmlessly and
 *          the caller discards the machine
 * Thread:  engine thread only
 */
#ifndef CV_CORE_BASE_SECTION_H
#define CV_CORE_BASE_SECTION_H

#include "core/base/types.h"

enum cv_section_mode { CV_SECTION_SAVE, CV_SECTION_LOAD };

struct cv_section {
    enum cv_section_mode mode;
    uint8_t *buf; /* save: destination; load: source */
    size_t cap;   /* bytes at buf */
    size_t pos;   /* bytes written or read so far */
    bool failed;  /* overflow on save, short or invalid data on load */
    size_t open;  /* private: where the open component's length stands; 0: none open */
    uint32_t open_bytes; /* private: that length, on load */
};

static inline bool cv_section_loading(const struct cv_section *s)
{
    return s->mode == CV_SECTION_LOAD;
}

void cv_section_u8(struct cv_section *s, uint8_t *v);
void cv_section_u16(struct cv_section *s, uint16_t *v);
void cv_section_u32(struct cv_section *s, uint32_t *v);
void cv_section_u64(struct cv_section *s, uint64_t *v);
void cv_section_i64(struct cv_section *s, int64_t *v);
void cv_section_bool(struct cv_section *s, bool *v); /* 0 or 1, else failed */
void cv_section_bytes(struct cv_section *s, void *p, size_t n);
/* As u8/u32 but a loaded value above max sets failed and loads 0. */
void cv_section_u8_max(struct cv_section *s, uint8_t *v, uint8_t max);
void cv_section_u32_max(struct cv_section *s, uint32_t *v, uint32_t max);
/* Begins a component: 8 bytes of name, u32 version, u32 length of what follows. Ends the one
 * before. On load a mismatch of any of them sets failed. */
void cv_section_begin(struct cv_section *s, const char *name, uint32_t version);
/* Ends the last component. */
void cv_section_end(struct cv_section *s);
#define CV_SECTION_HEADER 16u /* bytes that cv_section_begin writes */

#endif
