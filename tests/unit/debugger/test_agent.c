/*
 * Agent expressions: each operation by the manual's description, what gdb 13.1 makes of C, and hostile code.
 */
#include "debugger/agent.h"
#include "debugger/agent_format.h"
#include "core/base/types.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY 0x1000u

struct guest {
    uint8_t memory[64]; /* at MEMORY */
    char text[2 * CV_AGENT_TEXT_MAX];
    size_t len;
};

static bool read_reg(void *arg, unsigned number, uint64_t *value)
{
    (void)arg;
    *value = number == 9 ? UINT64_MAX - 1 : 100 + number;
    return number < 32;
}

static bool read_memory(void *arg, uint64_t addr, void *dst, size_t len)
{
    struct guest *g = arg;
    if (addr < MEMORY || addr - MEMORY > sizeof(g->memory) || len > sizeof(g->memory) - (addr - MEMORY)) {
        return false;
    }
    memcpy(dst, g->memory + (addr - MEMORY), len);
    return true;
}

static void print(void *arg, const char *text, size_t len)
{
    struct guest *g = arg;
    cr_assert_leq(g->len + len, sizeof(g->text));
    memcpy(g->text + g->len, text, len);
    g->len += len;
}

static void make_guest(struct guest *g, struct cv_agent_host *host)
{
    memset(g, 0, sizeof(*g));
    for (unsigned i = 0; i < sizeof(g->memory); i++) {
        g->memory[i] = (uint8_t)(0x81 + i);
    }
    strcpy((char *)g->memory + 32, "needle");
    *host = (struct cv_agent_host){.arg = g, .reg = read_reg, .read = read_memory, .print = print};
}

static size_t read_hex(const char *hex, uint8_t *bytes)
{
    size_t n = 0;
    for (; *hex != '\0'; hex += *hex == ' ' ? 1 : 2) {
        if (*hex != ' ') {
            char pair[3] = {hex[0], hex[1], '\0'};
            bytes[n++] = (uint8_t)strtoul(pair, NULL, 16);
        }
    }
    return n;
}

static struct cv_agent_code *make(const char *hex, const char **why)
{
    uint8_t bytes[512];
    *why = NULL;
    return cv_agent_new(bytes, read_hex(hex, bytes), why);
}

static enum cv_agent_result run(const char *hex, uint64_t *value, const char **why)
{
    struct guest g;
    struct cv_agent_host host;
    make_guest(&g, &host);
    struct cv_agent_code *code = make(hex, why);
    cr_assert_not_null(code, "%s: %s", hex, *why);
    enum cv_agent_result result = cv_agent_run(code, &host, value, why);
    cv_agent_free(code);
    return result;
}

#define NEG(n) "22" n "1608" /* const8 n; ext 8 */

static const struct {
    const char *code;
    uint64_t value;
} VALUES[] = {
    {"2201 2202 02 27", 3},
    {"2201 2202 03 27", UINT64_MAX},
    {NEG("fd") "2205 04 27", (uint64_t)-15},
    {NEG("f9") "2202 05 27", (uint64_t)-3},
    {NEG("f9") "2202 06 27", 0x7ffffffffffffffcu},
    {NEG("f9") "2202 07 27", (uint64_t)-1},
    {NEG("f9") "220a 08 27", 9}, /* 2^64 - 7 */
    {"258000000000000000" NEG("ff") "05 27", 0x8000000000000000u},
    {"258000000000000000" NEG("ff") "07 27", 0},
    {"2201 223f 09 27", 0x8000000000000000u},
    {"2201 2240 09 27", 0},
    {NEG("80") "2203 0a 27", (uint64_t)-16},
    {NEG("80") "22c8 0a 27", UINT64_MAX},
    {NEG("80") "223c 0b 27", 15},
    {NEG("80") "2240 0b 27", 0},
    {"2200 0e 27", 1},
    {"2205 0e 27", 0},
    {"220c 220a 0f 27", 8},
    {"220c 220a 10 27", 14},
    {"220c 220a 11 27", 6},
    {"2200 12 27", UINT64_MAX},
    {"2207 2207 13 27", 1},
    {"2207 2208 13 27", 0},
    {NEG("ff") "2200 14 27", 1},
    {"2200" NEG("ff") "14 27", 0},
    {NEG("ff") "2200 15 27", 0},
    {"2200" NEG("ff") "15 27", 1},
    {"2280 1608 27", (uint64_t)-128},
    {"227f 1608 27", 127},
    {"2203 1601 27", UINT64_MAX},
    {"25ffffffffffffffff 1640 27", UINT64_MAX},
    {"25ffffffffffffffff 16ff 27", UINT64_MAX},
    {"22ff 1600 27", 0},
    {"25ffffffffffffffff 2a10 27", 0xffff},
    {"25ffffffffffffffff 2a40 27", UINT64_MAX},
    {"25ffffffffffffffff 2a00 27", 0},
    {"231000 17 27", 0x81},
    {"231001 18 27", 0x8382},
    {"231002 19 27", 0x86858483},
    {"231003 1a 27", 0x8b8a898887868584u},
    {"2400001000 17 27", 0x81},
    {"24fffffffe 27", 0xfffffffe},
    {"250123456789abcdef 27", 0x0123456789abcdefu},
    {"260003 27", 103},
    {"260009 27", UINT64_MAX - 1},
    {"2205 28 02 27", 10},
    {"2205 2206 29 27", 5},
    {"2205 2203 2b 03 27", (uint64_t)-2},
    {"2201 2202 2203 3200 27", 3},
    {"2201 2202 2203 3202 27", 1},
    {"2201 2202 2203 33 27", 2},          /* 3 1 2 */
    {"2201 2202 2203 33 29 27", 1},
    {"2201 2202 2203 33 29 29 27", 3},
    {"2201 20 0008 2205 27 2207 27", 7}, /* if_goto 8 */
    {"2200 20 0008 2205 27 2207 27", 5},
    {"21 0006 2205 27 2207 27", 7},
    /* a loop: 10 times, sum 55 */
    {"2200 220a 28 20 000a 29 27 28 33 02 2b 2201 03 21 0004", 55},
    /* tracing is nothing */
    {"2201 2202 2203 0c 27", 1},
    {"231000 0d08 27", 0x1000},
    {"231000 300008 27", 0x1000},
    {"2201 2202 2203 2f 27", 1},
    {"2c0001 27", 0},
    {"2207 2d0001 27", 7},
    {"2207 2e0001 27", 7},
    {"27", 0},
    {"2205 29 27", 0},
    /* an unreachable operation may find any stack */
    {"2205 27 02", 5},
};

Test(agent, each_operation_does_what_the_manual_says)
{
    for (size_t i = 0; i < CV_ARRAY_LEN(VALUES); i++) {
        uint64_t value = 0xdead;
        const char *why = "nothing";
        cr_assert_eq(run(VALUES[i].code, &value, &why), CV_AGENT_DONE, "%s: %s", VALUES[i].code, why);
        cr_assert_eq(value, VALUES[i].value, "%s is %lx, not %lx", VALUES[i].code, (unsigned long)value,
                     (unsigned long)VALUES[i].value);
    }
}

/* What gdb 13.1 sends for `$rbx == 101 && *(int *)($rcx + 3994) < -3` and the like. */
Test(agent, what_gdb_compiles_is_understood)
{
    uint64_t value;
    const char *why;
    cr_assert_eq(run("260001 1640 2265 13 20 000e 21 0028 260002 230f9a 02 19 1620 22fd 1608 14 20 0023 "
                     "21 0028 2201 21 002a 2200 27",
                     &value, &why),
                 CV_AGENT_DONE, "%s", why);
    cr_assert_eq(value, 1);
}

static const struct {
    const char *code, *why;
} BAD[] = {
    {"", "no code"},
    {"22", "cut"},
    {"25000000", "cut"},
    {"26ff", "cut"},
    {"2205", "leads to no operation"},
    {"02 27", "underflows"},
    {"2201 02 27", "underflows"},
    {"2201 3201 27", "underflows"},
    {"2201 2202 33 27", "underflows"},
    {"29 27", "underflows"},
    {"2201 20 0003 27", "leads to no operation"}, /* into if_goto itself */
    {"21 0001 27", "leads to no operation"},
    {"21 ffff 27", "leads to no operation"},
    {"21 0004 27", "leads to no operation"},
    {"2201 20 0007 2201 27", "different stacks"},
    {"2201 21 0000", "different stacks"}, /* a stack that grows with each round */
    {"00 27", "not known"},
    {"31 27", "not known"},
    {"35 27", "not known"},
    {"ff 27", "not known"},
    {"01 02 27", "floating point"},
    {"2200 1b 27", "floating point"},
    {"2200 1c 27", "floating point"},
    {"2200 1d 27", "floating point"},
    {"2200 1e 27", "floating point"},
    {"2200 1f 27", "floating point"},
    {"2200 2200 34 00 0000 27", "no end"},
    {"2200 2200 34 00 0002 6161 27", "no end"},
    {"2200 2200 34 00 0003 610061 27", "no end"},
    {"2200 2200 34 00 00ff 00 27", "cut"},
    {"2200 34 00 0001 00 27", "underflows"},
    {"2200 2200 34 01 0001 00 27", "underflows"},
    {"2200 2200 34 00 0003 256400 27", "more values"},
    {"2200 2200 2200 34 01 0003 256e00 27", "not supported"},
    {"2200 2200 2200 34 01 0003 256600 27", "not supported"},
    {"2200 2200 2200 34 01 0004 252a6400 27", "not supported"},
    {"2200 2200 2200 34 01 0002 2500 27", "not supported"},
    {"2200 2200 2200 34 01 0006 253939396400 27", "not supported"},
};

Test(agent, unsound_code_is_refused_in_words)
{
    for (size_t i = 0; i < CV_ARRAY_LEN(BAD); i++) {
        const char *why;
        struct cv_agent_code *code = make(BAD[i].code, &why);
        cr_assert_null(code, "%s was taken", BAD[i].code);
        cr_assert(strstr(why, BAD[i].why) != NULL, "%s: %s", BAD[i].code, why);
    }
}

Test(agent, limits_of_length_and_stack_are_exact)
{
    static uint8_t code[CV_AGENT_CODE_MAX + 1];
    const char *why;
    struct guest g;
    struct cv_agent_host host;
    uint64_t value;
    make_guest(&g, &host);
    for (unsigned depth = CV_AGENT_STACK_MAX; depth <= CV_AGENT_STACK_MAX + 1; depth++) {
        for (unsigned i = 0; i < depth; i++) {
            code[2 * i] = 0x22;
            code[2 * i + 1] = (uint8_t)i;
        }
        code[2 * depth] = 0x27;
        struct cv_agent_code *made = cv_agent_new(code, 2 * depth + 1, &why);
        cr_assert_eq(made != NULL, depth == CV_AGENT_STACK_MAX);
        if (made != NULL) {
            cr_assert_eq(cv_agent_run(made, &host, &value, &why), CV_AGENT_DONE);
            cr_assert_eq(value, depth - 1);
        } else {
            cr_assert_str_eq(why, "the stack overflows");
        }
        cv_agent_free(made);
    }
    memset(code, 0x27, sizeof(code));
    struct cv_agent_code *made = cv_agent_new(code, CV_AGENT_CODE_MAX, &why);
    cr_assert_not_null(made);
    cr_assert(cv_agent_same(made, code, CV_AGENT_CODE_MAX));
    cr_assert_not(cv_agent_same(made, code, CV_AGENT_CODE_MAX - 1));
    cv_agent_free(made);
    cr_assert_null(cv_agent_new(code, sizeof(code), &why));
    cr_assert_str_eq(why, "the code is too long");
}

static const struct {
    const char *code, *why;
} FAILING[] = {
    {"2201 2200 05 27", "division by zero"},
    {"2201 2200 06 27", "division by zero"},
    {"2201 2200 07 27", "division by zero"},
    {"2201 2200 08 27", "division by zero"},
    {"2200 17 27", "cannot be read"},
    {"23103f 18 27", "cannot be read"},
    {"25ffffffffffffffff 1a 27", "cannot be read"},
    {"260020 27", "register"},
    {"26ffff 27", "register"},
    {"21 0000 27", "to an end"},
    {"2201 28 20 0002 27", "to an end"},
};

Test(agent, what_cannot_be_evaluated_fails_with_the_reason)
{
    for (size_t i = 0; i < CV_ARRAY_LEN(FAILING); i++) {
        uint64_t value;
        const char *why = "nothing";
        cr_assert_eq(run(FAILING[i].code, &value, &why), CV_AGENT_FAILED, "%s", FAILING[i].code);
        cr_assert(strstr(why, FAILING[i].why) != NULL, "%s: %s", FAILING[i].code, why);
    }
}

/* -- printing -------------------------------------------------------------------------------------- */

static const struct {
    const char *format;
    uint64_t args[3];
    const char *text;
} FORMATS[] = {
    {"plain 100%%\\n", {0}, "plain 100%\n"},
    {"\\t\\\"q\\\" \\\\ \\101\\1012 \\a\\e\\z", {0}, "\t\"q\" \\ AA2 \a\033z"},
    {"end\\", {0}, "end\\"},
    {"%d %i", {(uint64_t)-5, 0x1ffffffffu}, "-5 -1"},
    {"%d", {0x80000000u}, "-2147483648"},
    {"%ld %lld", {(uint64_t)-5, 0x8000000000000000u}, "-5 -9223372036854775808"},
    {"%hd %hhd %hhu", {0x18000, 0x1ff, 0x1ff}, "-32768 -1 255"},
    {"%u %lu", {UINT64_MAX, UINT64_MAX}, "4294967295 18446744073709551615"},
    {"%x %lx %llx", {UINT64_MAX, UINT64_MAX, 0xabcdef0123u}, "ffffffff ffffffffffffffff abcdef0123"},
    {"%X %#x %#X", {0xab, 0xab, 0xab}, "AB 0xab 0XAB"},
    {"%#x %o %#o", {0, 8, 8}, "0 10 010"},
    {"%zu %jd %tx", {UINT64_MAX, (uint64_t)-1, UINT64_MAX}, "18446744073709551615 -1 ffffffffffffffff"},
    {"%p %20p|", {0x1234, 0xffffffff81000000u}, "0x1234   0xffffffff81000000|"},
    {"[%5d] [%-5d] [%05d]", {42, 42, (uint64_t)-42}, "[   42] [42   ] [-0042]"},
    {"[%+d] [% d] [%+ld]", {5, 5, (uint64_t)-5}, "[+5] [ 5] [-5]"},
    {"[%8.3d] [%.0d] [%08.3x]", {5, 0, 5}, "[     005] [] [     005]"},
    {"[%016lx]", {0xffff888000000000u}, "[ffff888000000000]"},
    {"%c%c[%3c]", {'a', 0x162, 'c'}, "ab[  c]"},
    {"%s|%9s|%-9s|", {MEMORY + 32, MEMORY + 32, MEMORY + 32}, "needle|   needle|needle   |"},
    {"%.4s|%.0s|%9.2s|", {MEMORY + 32, 7, MEMORY + 32}, "need||       ne|"},
    {"%s", {7}, "<0x7: cannot be read>"},
    {"%s!", {MEMORY + 62}, "\xbf\xc0<0x1040: cannot be read>!"},
};

Test(agent, formats_are_those_of_c)
{
    struct guest g;
    struct cv_agent_host host;
    make_guest(&g, &host);
    for (size_t i = 0; i < CV_ARRAY_LEN(FORMATS); i++) {
        char text[256];
        const char *format = FORMATS[i].format;
        cr_assert_geq(cv_agent_format_args(format), 0, "%s", format);
        size_t len = cv_agent_format(format, FORMATS[i].args, &host, text, sizeof(text));
        cr_assert(len == strlen(FORMATS[i].text) && memcmp(text, FORMATS[i].text, len) == 0, "%s: \"%.*s\"", format,
                  (int)len, text);
    }
}

/* The host's printf is right about integers, so that every flag can be tried beside it. */
Test(agent, integers_look_as_the_host_prints_them)
{
    static const char *const lengths[] = {"hh", "h", "", "l", "ll", "z", "j"};
    struct guest g;
    struct cv_agent_host host;
    make_guest(&g, &host);
    srandom(3);
    for (unsigned n = 0; n < 20000; n++) {
        char format[32] = "%";
        char want[600];
        char got[600];
        size_t at = 1;
        for (unsigned i = 0; i < 5; i++) {
            if (random() % 4 == 0) {
                format[at++] = "-+ #0"[i];
            }
        }
        if (random() % 2 == 0) {
            at += (size_t)sprintf(format + at, "%d", (int)(random() % 30 + 1));
        }
        if (random() % 3 == 0) {
            at += (size_t)sprintf(format + at, ".%d", (int)(random() % 25 + 1));
        }
        const char *length = lengths[(size_t)random() % CV_ARRAY_LEN(lengths)];
        sprintf(format + at, "%s%c", length, "diuxX"[random() % 5]);
        uint64_t value = (uint64_t)random() << 33 ^ (uint64_t)random() << 10 ^ (uint64_t)random();
        value >>= random() % 64;
        cr_assert_eq(cv_agent_format_args(format), 1, "%s", format);
        size_t len = cv_agent_format(format, &value, &host, got, sizeof(got));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        int wanted = snprintf(want, sizeof(want), format, value);
#pragma GCC diagnostic pop
        cr_assert(wanted == (int)len && memcmp(want, got, len) == 0, "%s of %lx: \"%.*s\", not \"%s\"", format,
                  (unsigned long)value, (int)len, got, want);
    }
}

Test(agent, what_is_no_format_is_refused)
{
    static const char *const bad[] = {"%", "%n", "%hn", "%f", "%lf", "%g", "%e", "%a", "%*d", "%.*s", "%ls", "%lc",
                                      "%256d", "%.256d", "%99999999999d", "%hhh", "%y", "%-", "%5", "%l", "a%", "%d%n"};
    for (size_t i = 0; i < CV_ARRAY_LEN(bad); i++) {
        cr_assert_eq(cv_agent_format_args(bad[i]), -1, "%s", bad[i]);
    }
    cr_assert_eq(cv_agent_format_args("%d %% %s %-5lx"), 3);
    cr_assert_eq(cv_agent_format_args(""), 0);
}

/* gdb 13.1: dprintf main,"a=%d %s\n",$rdi,0x1020 */
Test(agent, printf_prints_in_order_and_leaves_the_stack)
{
    struct guest g;
    struct cv_agent_host host;
    const char *why;
    uint64_t value;
    make_guest(&g, &host);
    struct cv_agent_code *code =
        make("2277 231020 260005 1640 2200 2200 34 02 000a 613d256420 25735c6e00 27", &why);
    cr_assert_not_null(code, "%s", why);
    cr_assert_eq(cv_agent_run(code, &host, &value, &why), CV_AGENT_DONE, "%s", why);
    cr_assert_eq(value, 0x77);
    cr_assert_eq(cv_agent_run(code, &host, &value, &why), CV_AGENT_DONE, "%s", why);
    cr_assert_arr_eq(g.text, "a=105 needle\na=105 needle\n", 26);
    cr_assert_eq(g.len, 26);
    host.print = NULL;
    cr_assert_eq(cv_agent_run(code, &host, &value, &why), CV_AGENT_FAILED);
    cr_assert_str_eq(why, "printing is not possible here");
    cv_agent_free(code);
}

Test(agent, a_line_is_cut_at_its_limit)
{
    struct guest g;
    struct cv_agent_host host;
    char text[100];
    uint64_t args[3] = {1, 2, 3};
    make_guest(&g, &host);
    memset(text, 'x', sizeof(text));
    cr_assert_eq(cv_agent_format("%255d%255d%255d", args, &host, text, 90), 90);
    cr_assert_eq(text[89], ' ');
    cr_assert_eq(text[90], 'x');
}

Test(agent, registers_are_shifted_and_nothing_else)
{
    uint8_t code[64];
    size_t len = read_hex("260005 230026 26fffe 2200 2200 34 00 0003 262600 27", code);
    cv_agent_shift_registers(code, len, 0x4001);
    uint8_t want[64];
    cr_assert_eq(read_hex("264006 230026 263fff 2200 2200 34 00 0003 262600 27", want), len);
    cr_assert_arr_eq(code, want, len);
}

Test(agent, random_code_is_refused_or_runs)
{
    struct guest g;
    struct cv_agent_host host;
    unsigned sound = 0;
    make_guest(&g, &host);
    srandom(11);
    for (unsigned n = 0; n < 300000; n++) {
        uint8_t code[24];
        const char *why = NULL;
        uint64_t value;
        size_t len = (size_t)random() % sizeof(code) + 1;
        for (size_t i = 0; i < len; i++) {
            code[i] = random() % 4 == 0 ? 0x22 : (uint8_t)(random() % 0x36);
        }
        code[len - 1] = 0x27;
        struct cv_agent_code *made = cv_agent_new(code, len, &why);
        cr_assert_eq(made == NULL, why != NULL);
        if (made != NULL) {
            sound++;
            g.len = 0;
            cv_agent_run(made, &host, &value, &why);
        }
        cv_agent_free(made);
    }
    cr_assert_gt(sound, 1000);
}
