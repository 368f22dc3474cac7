/*
 * test_selftest.c - the start-up self-test: this host passes, a wrong one is found, in time
 */
#include "core/translate/selftest.h"
#include "core/base/hostmem.h"
#include "core/decode/decode.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

Test(selftest, this_host_computes_what_the_machine_defines)
{
    static struct cv_selftest_result r;
    double best = 1e9;
    for (unsigned i = 0; i < 5; i++) {
        double start = now_ms();
        cr_assert(cv_selftest_run(&r));
        double took = now_ms() - start;
        best = took < best ? took : best;
    }
    for (unsigned c = 0; c < CV_SELFTEST_COUNT; c++) {
        cr_expect((r.failed >> c & 1) == 0, "class %s disagrees", cv_selftest_name(c));
    }
    if (r.first.len != 0) {
        char hex[48] = "";
        for (unsigned i = 0; i < r.first.len; i++) {
            snprintf(hex + 3 * i, 4, "%02x ", r.first.bytes[i]);
        }
        cr_log_error("first: %s %s", cv_op_name(r.first.info->op), hex);
    }
    fprintf(stderr, "self-test: %u cases, %.1f ms\n", r.cases, best);
    cr_assert_gt(r.cases, 50000);
}

Test(selftest, every_native_class_has_rows_and_a_value)
{
    unsigned rows[CV_SELFTEST_COUNT] = {0};
    for (unsigned i = 0; i < cv_tab_selftest_rows; i++) {
        cr_assert_lt(cv_tab_selftest[i].cls, CV_SELFTEST_COUNT);
        rows[cv_tab_selftest[i].cls]++;
    }
    for (unsigned c = CV_SELFTEST_FIRST_NATIVE; c < CV_SELFTEST_X87CC; c++) {
        cr_expect_gt(rows[c], 1, "%s", cv_selftest_name(c));
        cr_expect_neq(cv_tab_selftest_hash[c], 0, "%s", cv_selftest_name(c));
    }
}

/* The rows are instructions of the guest's CPU model. */
Test(selftest, every_row_decodes_to_its_own_length)
{
    for (unsigned i = 0; i < cv_tab_selftest_rows; i++) {
        struct cv_insn insn;
        uint8_t bytes[16] = {0};
        memcpy(bytes, cv_tab_selftest[i].bytes, sizeof(cv_tab_selftest[i].bytes));
        cr_assert_eq(cv_decode(bytes, 15, 64, &insn), CV_DECODE_OK, "row %u", i);
        cr_assert_eq(insn.len, cv_tab_selftest[i].len, "row %u", i);
    }
}

Test(selftest, integer_operations_have_a_class_and_moves_have_none)
{
    static const struct {
        uint8_t bytes[6];
        unsigned cls;
    } cases[] = {
        {{0x01, 0xc8}, CV_SELFTEST_ARITH},       {{0x31, 0xc8}, CV_SELFTEST_LOGIC},
        {{0xd3, 0xe0}, CV_SELFTEST_SHIFT},       {{0xd1, 0xc0}, CV_SELFTEST_ROTATE},
        {{0xf7, 0xe1}, CV_SELFTEST_MUL},         {{0xf7, 0xf1}, CV_SELFTEST_DIV},
        {{0x0f, 0xa3, 0xc8}, CV_SELFTEST_BITTEST}, {{0x0f, 0xbc, 0xc1}, CV_SELFTEST_SCAN},
        {{0xf3, 0x0f, 0xb8, 0xc1}, CV_SELFTEST_COUNTBITS},
        {{0xc4, 0xe2, 0x78, 0xf2, 0xc1}, CV_SELFTEST_BMI},
        {{0xf2, 0x0f, 0x38, 0xf1, 0xc1}, CV_SELFTEST_CRC32},
        {{0x66, 0x0f, 0x38, 0xf6, 0xc1}, CV_SELFTEST_ADX},
        {{0x0f, 0xb1, 0xc8}, CV_SELFTEST_EXCHANGE}, {{0x89, 0xc8}, CV_SELFTEST_COUNT},
        {{0x0f, 0x58, 0xc1}, CV_SELFTEST_COUNT},
    };
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        struct cv_insn insn;
        uint8_t bytes[16] = {0};
        memcpy(bytes, cases[i].bytes, 6);
        cr_assert_eq(cv_decode(bytes, 15, 64, &insn), CV_DECODE_OK);
        cr_expect_eq(cv_selftest_class(&insn), cases[i].cls, "case %u", i);
    }
}
