#include "debugger/position.h"

#include <criterion/criterion.h>

struct good {
    const char *text;
    enum cv_pos_kind kind;
    uint64_t value;
};
static const struct good GOOD[] = {
    {"0", CV_POS_ICOUNT, 0},
    {"12345678", CV_POS_ICOUNT, 12345678},
    {"12345678.2", CV_POS_ICOUNT, 12345678},
    {"18446744073709551615", CV_POS_ICOUNT, UINT64_MAX},
    {"12.5s", CV_POS_VTIME, 12500000000u},
    {"3s", CV_POS_VTIME, 3000000000u},
    {"0.000000001s", CV_POS_VTIME, 1},
    {"0.00000000099s", CV_POS_VTIME, 0},
    {"40%", CV_POS_PERCENT, 40000000},
    {"99.5%", CV_POS_PERCENT, 99500000},
    {"100%", CV_POS_PERCENT, 100000000},
    {"end", CV_POS_END, 0},
    {"crash", CV_POS_CRASH, 0},
    {"mark:boot", CV_POS_MARK, 0},
};
static const char *const BAD[] = {"", " 1", "-1", "1x", "0x10", "1.", "1.s", "s", "%",
                                  "101%", "18446744073709551616", "99999999999999s", "mark:",
                                  "END", "1 ", "12.5s2", ".5s", "1.2.3"};

Test(position, what_is_written_is_understood)
{
    for (size_t i = 0; i < CV_ARRAY_LEN(GOOD); i++) {
        struct cv_pos pos;
        struct cv_error err = {0};
        cr_assert(cv_position_parse(GOOD[i].text, &pos, &err), "%s: %s", GOOD[i].text, err.text);
        cr_assert_eq(pos.kind, GOOD[i].kind, "%s", GOOD[i].text);
        cr_assert_eq(pos.value, GOOD[i].value, "%s", GOOD[i].text);
    }
}

Test(position, what_is_no_position_is_refused_with_a_sentence)
{
    for (size_t i = 0; i < CV_ARRAY_LEN(BAD); i++) {
        struct cv_pos pos;
        struct cv_error err = {0};
        cr_assert_not(cv_position_parse(BAD[i], &pos, &err), "%s", BAD[i]);
        cr_assert_eq(err.code, CV_EXIT_USAGE);
    }
}
