#include "core/base/section.h"
#include "core/base/mem.h"

#include <criterion/criterion.h>
#include <string.h>

struct thing {
    uint8_t a;
    uint16_t b;
    uint32_t c;
    uint64_t d;
    int64_t e;
    bool f;
    uint8_t g[5];
};

static void walk(struct thing *t, struct cv_section *s)
{
    cv_section_begin(s, "thing", 3);
    cv_section_u8_max(s, &t->a, 9);
    cv_section_u16(s, &t->b);
    cv_section_u32_max(s, &t->c, 1000);
    cv_section_begin(s, "other", 1);
    cv_section_u64(s, &t->d);
    cv_section_i64(s, &t->e);
    cv_section_bool(s, &t->f);
    cv_section_bytes(s, t->g, sizeof(t->g));
    cv_section_end(s);
}

static size_t save(struct thing *t, uint8_t *buf, size_t cap)
{
    struct cv_section s = {.mode = CV_SECTION_SAVE, .buf = buf, .cap = cap};
    walk(t, &s);
    return s.failed ? 0 : s.pos;
}

static bool load(struct thing *t, uint8_t *buf, size_t len)
{
    struct cv_section s = {.mode = CV_SECTION_LOAD, .buf = buf, .cap = len};
    walk(t, &s);
    return !s.failed && s.pos == len;
}

static const struct thing SAMPLE = {9, 0xbeef, 1000, 1ull << 63, -5, true, {1, 2, 3, 4, 5}};

Test(section, round_trip_is_the_identity)
{
    uint8_t one[200], two[200];
    struct thing t = SAMPLE, back = {0};
    size_t n = save(&t, one, sizeof(one));
    cr_assert_eq(n, 2 * CV_SECTION_HEADER + 7 + 22);
    cr_assert(load(&back, one, n));
    cr_assert_eq(save(&back, two, sizeof(two)), n);
    cr_assert_eq(memcmp(one, two, n), 0);
}

Test(section, every_cut_is_refused)
{
    uint8_t buf[200];
    struct thing t = SAMPLE;
    size_t n = save(&t, buf, sizeof(buf));
    for (size_t len = 0; len < n; len++) {
        struct thing back = {0};
        cr_assert_not(load(&back, buf, len), "%zu bytes", len);
        cr_assert_eq(save(&t, buf + 100, len < 100 ? len : 100), 0, "save into %zu", len);
        n = save(&t, buf, 100);
    }
}

Test(section, headers_and_ranges_are_checked)
{
    uint8_t buf[200];
    struct thing t = SAMPLE, back;
    size_t n = save(&t, buf, sizeof(buf));
    static const struct {
        size_t at;
        uint8_t value;
        const char *what;
    } bad[] = {
        {0, 'T', "name"},       {8, 4, "version"},    {12, 99, "length"},
        {16, 10, "u8 range"},   {20, 0xff, "u32 range"}, {23 + 0, 'x', "second name"},
        {23 + 16 + 16, 2, "bool"},
    };
    for (size_t i = 0; i < CV_ARRAY_LEN(bad); i++) {
        uint8_t was = buf[bad[i].at];
        buf[bad[i].at] = bad[i].value;
        cr_assert_not(load(&back, buf, n), "%s", bad[i].what);
        buf[bad[i].at] = was;
    }
    cr_assert(load(&back, buf, n));
}

Test(mem, does_what_libc_does)
{
    uint8_t a[64], b[64];
    for (unsigned off = 0; off < 20; off++) {
        for (unsigned to = 0; to < 20; to++) {
            for (unsigned i = 0; i < 64; i++) {
                a[i] = b[i] = (uint8_t)(i * 7);
            }
            memmove(a + to, a + off, 40);
            cv_memmove(b + to, b + off, 40);
            cr_assert_eq(memcmp(a, b, 64), 0);
            cr_assert_eq(cv_memcmp(a, b, 64), 0);
        }
    }
    cv_memset(b, 0x5a, 64);
    cr_assert_eq(b[63], 0x5a);
    cr_assert_eq(cv_memcmp("abc", "abd", 3), -1);
    cr_assert_eq(cv_memcmp("b", "a", 1), 1);
    cr_assert_eq(cv_strlen("four"), 4);
    cr_assert_eq(cv_strcmp("a", "a"), 0);
    cr_assert_lt(cv_strcmp("a", "b"), 0);
}
