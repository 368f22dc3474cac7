#include "core/base/error.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(error, formats_the_subset_like_printf)
{
    char ours[200], libc[200];
#define SAME(...)                                                                        \
    do {                                                                                 \
        size_t n = cv_format(ours, sizeof(ours), __VA_ARGS__);                           \
        int m = snprintf(libc, sizeof(libc), __VA_ARGS__);                               \
        cr_assert_str_eq(ours, libc);                                                    \
        cr_assert_eq(n, (size_t)m);                                                      \
    } while (0)
    SAME("plain");
    SAME("%s and %s", "one", "two");
    SAME("%d %d %d", 0, -1, 2147483647);
    SAME("%u %x %08x %5u|%3d|%03d", 42u, 0xbeefu, 0xbeefu, 7u, -5, -5);
    SAME("%lu %lx %ld", 18446744073709551615ul, 0x123456789abcdeful, -9223372036854775807l);
    SAME("%llu %llx %zu", 1ull << 63, 1ull << 63, sizeof(ours));
    SAME("%c%%", 'x');
}

Test(error, escapes_control_characters_and_cuts_at_the_end)
{
    char buf[16];
    cr_assert_eq(cv_format(buf, sizeof(buf), "%s", "a\x1b[m\nb"), 12);
    cr_assert_str_eq(buf, "a\\x1b[m\\x0ab");
    cr_assert_eq(cv_format(buf, sizeof(buf), "%s", "a long text that does not fit"), 15);
    cr_assert_eq(strlen(buf), 15);
    cr_assert_eq(cv_format(buf, 0, "%s", "x"), 0);
}

Test(error, keeps_the_first_failure)
{
    struct cv_error err = {0};
    cr_assert_not(cv_error_set(&err, 65, "first %d", 1));
    cr_assert_not(cv_error_set(&err, 74, "second"));
    cr_assert_eq(err.code, 65);
    cr_assert_str_eq(err.text, "first 1");
    cr_assert_not(cv_error_set(NULL, 65, "nobody listens"));
}
