#include "debugger/printable.h"
#include "record/trace.h"

#include <criterion/criterion.h>
#include <string.h>

Test(printable, text_harms_no_terminal_and_no_json)
{
    static const char text[] = "a\"\\\x1b[m\xff\n";
    char out[CV_PRINTABLE_MAX(sizeof(text))];
    size_t len = cv_printable_text(text, sizeof(text) - 1, false, out, sizeof(out));
    cr_assert_str_eq(out, "a\"\\\\x1b[m\\xff\\x0a");
    cr_assert_eq(len, strlen(out));
    cv_printable_text(text, sizeof(text) - 1, true, out, sizeof(out));
    cr_assert_str_eq(out, "a\\u0022\\u005c\\u001b[m\\u00ff\\u000a");
    cr_assert_eq(cv_printable_text("\1\1", 2, true, out, 8), 6, "what does not fit is left out whole");
    cr_assert_eq(cv_printable_text("", 0, true, out, 1), 0);
}

Test(printable, the_longest_mark_fits)
{
    struct cv_trace_mark mark = {.icount = UINT64_MAX, .kind = CV_MARK_PATTERN, .rip = UINT64_MAX};
    char out[CV_PRINTABLE_MARK_MAX];
    memset(mark.name, 1, sizeof(mark.name));
    cv_printable_mark(&mark, true, out, sizeof(out));
    cr_assert_eq(out[strlen(out) - 1], '}');
    cv_printable_mark(&mark, false, out, sizeof(out));
    cr_assert_eq(strlen(out), strlen("step 18446744073709551615, ") + 4 * sizeof(mark.name));
    memcpy(mark.name, "oops-1 \"x\"", 11);
    mark.icount = 5;
    cv_printable_mark(&mark, true, out, sizeof(out));
    cr_assert_str_eq(out, "{\"icount\":5,\"kind\":\"pattern\",\"rip\":\"0xffffffffffffffff\",\"name\":\"oops-1 \\u0022x\\u0022\"}");
}
