/*
 * Expressions, compiled and run: values, precedence, sign, memory, short circuit, and what is refused.
 */
#include "debugger/agent.h"
#include "debugger/expr.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <string.h>

struct world {
    char printed[200];
    unsigned reads;
};

/* Register n holds 0x1000 + n; memory at address x holds bytes x, x + 1, ...; nothing above 64 KiB. */
static bool read_reg(void *arg, unsigned number, uint64_t *value)
{
    (void)arg;
    *value = 0x1000 + number;
    return true;
}

static bool read_memory(void *arg, uint64_t addr, void *dst, size_t len)
{
    struct world *w = arg;
    w->reads++;
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)dst)[i] = (uint8_t)(addr + i);
    }
    return addr < 0x10000;
}

static void print(void *arg, const char *text, size_t len)
{
    struct world *w = arg;
    size_t had = strlen(w->printed);
    cr_assert_lt(had + len, sizeof(w->printed));
    memcpy(w->printed + had, text, len);
    w->printed[had + len] = '\0';
}

static enum cv_agent_result run(struct world *w, const uint8_t *bytes, size_t len, uint64_t *value)
{
    struct cv_agent_host host = {.arg = w, .reg = read_reg, .read = read_memory, .print = print};
    const char *why = "";
    struct cv_agent_code *code = cv_agent_new(bytes, len, &why);
    cr_assert_not_null(code, "%s", why);
    enum cv_agent_result out = cv_agent_run(code, &host, value, &why);
    cv_agent_free(code);
    return out;
}

struct row {
    char text[60];
    uint64_t value;
};

ParameterizedTestParameters(expr, values)
{
    static struct row rows[] = {
        {"12", 12},
        {"0x1F", 0x1f},
        {"18446744073709551615", UINT64_MAX},
        {"'a'", 'a'},
        {"rax", 0x1000},
        {"$rdi", 0x1005},
        {" r15 ", 0x100f},
        {"rip", 0x1010},
        {"1 + 2 * 3", 7},
        {"(1 + 2) * 3", 9},
        {"10 - 3 - 2", 5},
        {"100 / 7 % 5", 4},
        {"1 << 4 + 1", 32},
        {"0xf0 >> 4 & 3", 3},
        {"6 & 3 == 3", 0},
        {"1 | 2 ^ 3 & 1", 3},
        {"-1", UINT64_MAX},
        {"- -1", 1},
        {"~0 == -1", 1},
        {"!5", 0},
        {"!!5", 1},
        {"3 < 4", 1},
        {"4 < 4", 0},
        {"4 <= 4", 1},
        {"5 <= 4", 0},
        {"4 > 3", 1},
        {"3 >= 4", 0},
        {"4 >= 4", 1},
        {"-1 > 1", 1},
        {"3 != 4", 1},
        {"4 != 4", 0},
        {"2 && 4", 1},
        {"2 && 0", 0},
        {"0 || 7", 1},
        {"0 || 0", 0},
        {"0 && 1 || 1", 1},
        {"1 || 0 && 0", 1},
        {"u8[0x12]", 0x12},
        {"u16[0x12]", 0x1312},
        {"u32[0x80]", 0x83828180},
        {"s8[0x80]", 0xffffffffffffff80},
        {"s32[0x80]", 0xffffffff83828180},
        {"s64[0x80]", 0x8786858483828180},
        {"u64[u8[4] + 4]", 0x0f0e0d0c0b0a0908},
        {"u8[rdi - 0x1000]", 5},
    };
    return cr_make_param_array(struct row, rows, CV_ARRAY_LEN(rows));
}

ParameterizedTest(struct row *row, expr, values)
{
    struct world w = {0};
    struct cv_error err = {0};
    uint8_t code[512];
    size_t len;
    uint64_t value = 0;
    cr_assert(cv_expr_condition(row->text, code, sizeof(code), &len, &err), "%s", err.text);
    cr_expect_eq(run(&w, code, len, &value), CV_AGENT_DONE);
    cr_expect_eq(value, row->value, "%s: %llx", row->text, (unsigned long long)value);
}

Test(expr, the_second_operand_is_read_only_when_it_decides)
{
    static const char *const texts[] = {"0 && u8[0x20000]", "1 || u8[0x20000]"};
    for (unsigned i = 0; i < 2; i++) {
        struct world w = {0};
        struct cv_error err = {0};
        uint8_t code[512];
        size_t len;
        uint64_t value = 9;
        cr_assert(cv_expr_condition(texts[i], code, sizeof(code), &len, &err));
        cr_expect_eq(run(&w, code, len, &value), CV_AGENT_DONE);
        cr_expect_eq(value, i);
        cr_expect_eq(w.reads, 0u);
    }
}

Test(expr, memory_that_cannot_be_read_fails)
{
    struct world w = {0};
    struct cv_error err = {0};
    uint8_t code[512];
    size_t len;
    uint64_t value = 0;
    cr_assert(cv_expr_condition("1 && u8[0x20000]", code, sizeof(code), &len, &err));
    cr_expect_eq(run(&w, code, len, &value), CV_AGENT_FAILED);
}

ParameterizedTestParameters(expr, what_is_refused)
{
    static struct row rows[] = {
        {"", 0},        {"1 +", 0},     {"(1", 0},          {"1)", 0},       {"foo", 0},
        {"u9[1]", 0},   {"u8 1", 0},    {"u8[1", 0},        {"0x", 0},       {"12ab", 0},
        {"1 2", 0},     {"1 = 2", 0},   {"18446744073709551616", 0},          {"&1", 0},
        {"$", 0},       {"'ab'", 0},    {"((((((((((((((((((((((((((1", 0},
    };
    return cr_make_param_array(struct row, rows, CV_ARRAY_LEN(rows));
}

ParameterizedTest(struct row *row, expr, what_is_refused)
{
    struct cv_error err = {0};
    uint8_t code[512];
    size_t len;
    cr_expect_not(cv_expr_condition(row->text, code, sizeof(code), &len, &err), "%s", row->text);
    cr_expect_eq(err.code, CV_EXIT_USAGE);
    cr_expect(strstr(err.text, "expression: ") == err.text);
}

/* Any room that is too small is seen, and nothing is written behind it. */
Test(expr, a_buffer_that_is_too_small_is_refused)
{
    static const char text[] = "u32[rdi + 0x12345678] == 3 && rax != 5 || rbx < 7";
    const char *args[] = {"rdi", "u8[3]"};
    uint8_t code[512];
    struct cv_error err = {0};
    size_t whole;
    size_t len;
    cr_assert(cv_expr_condition(text, code, sizeof(code), &whole, &err));
    for (size_t cap = 0; cap < whole; cap++) {
        memset(code, 0xa5, sizeof(code));
        err = (struct cv_error){0};
        cr_expect_not(cv_expr_condition(text, code, cap, &len, &err));
        cr_expect_eq(code[cap], 0xa5, "at %zu", cap);
    }
    err = (struct cv_error){0};
    cr_assert(cv_expr_printf("%d %x\n", args, 2, code, sizeof(code), &whole, &err), "%s", err.text);
    for (size_t cap = 0; cap < whole; cap++) {
        memset(code, 0xa5, sizeof(code));
        err = (struct cv_error){0};
        cr_expect_not(cv_expr_printf("%d %x\n", args, 2, code, cap, &len, &err));
        cr_expect_eq(code[cap], 0xa5, "at %zu", cap);
    }
}

Test(expr, printf_takes_values_in_order)
{
    struct world w = {0};
    struct cv_error err = {0};
    const char *args[] = {"rdi", "u8[7]", "1 + 1"};
    uint8_t code[512];
    size_t len;
    uint64_t value;
    cr_assert(cv_expr_printf("rdi=%#lx byte %d two %u", args, 3, code, sizeof(code), &len, &err), "%s", err.text);
    cr_expect_eq(run(&w, code, len, &value), CV_AGENT_DONE);
    cr_expect_str_eq(w.printed, "rdi=0x1005 byte 7 two 2");
}
