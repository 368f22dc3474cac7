/*
 * fuzz_agent.c - agent expressions of any bytes
 *
 * Input: a byte of what memory can be read, then the code. Code that is taken must run without leaving its stack or its
 * bytes (the sanitizers watch), end within CV_AGENT_STEPS_MAX operations, print no more than its limit at once, and give
 * the same value again.
 */
#include "debugger/agent.h"
#include "debugger/agent_format.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

struct guest {
    uint64_t readable; /* addresses below */
    uint64_t sum;      /* of what was printed */
    unsigned calls;
};

static bool read_reg(void *arg, unsigned number, uint64_t *value)
{
    struct guest *g = arg;
    g->calls++;
    *value = number * 0x0101010101010101u;
    return number < 88;
}

static bool read_memory(void *arg, uint64_t addr, void *dst, size_t len)
{
    struct guest *g = arg;
    g->calls++;
    if (addr >= g->readable || len > g->readable - addr) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)dst)[i] = (uint8_t)((addr + i) * 37);
    }
    return true;
}

static void print(void *arg, const char *text, size_t len)
{
    struct guest *g = arg;
    g->calls++;
    FUZZ_CHECK(len <= CV_AGENT_TEXT_MAX, "%zu bytes", len);
    for (size_t i = 0; i < len; i++) {
        g->sum = g->sum * 31 + (uint8_t)text[i];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *why = NULL;
    if (size == 0) {
        return 0;
    }
    struct cv_agent_code *code = cv_agent_new(data + 1, size - 1, &why);
    FUZZ_CHECK((code == NULL) == (why != NULL), "a reason exactly when refused");
    if (code == NULL) {
        return 0;
    }
    FUZZ_CHECK(cv_agent_same(code, data + 1, size - 1), "kept as it was");
    uint64_t values[2] = {0, 0};
    uint64_t sums[2];
    enum cv_agent_result results[2];
    for (unsigned i = 0; i < 2; i++) {
        struct guest g = {.readable = data[0] * 16u};
        struct cv_agent_host host = {&g, read_reg, read_memory, print};
        why = NULL;
        results[i] = cv_agent_run(code, &host, &values[i], &why);
        FUZZ_CHECK((results[i] == CV_AGENT_FAILED) == (why != NULL), "a reason exactly when failed");
        sums[i] = g.sum;
    }
    FUZZ_CHECK(results[0] == results[1] && values[0] == values[1] && sums[0] == sums[1], "another outcome");
    cv_agent_free(code);
    return 0;
}

void write_seeds(void)
{
    static const struct {
        const char *name;
        const char *bytes;
        size_t len;
    } seeds[] = {
#define SEED(name, bytes) {name, bytes, sizeof(bytes) - 1}
        SEED("compare", "\x40\x26\x00\x01\x16\x40\x22\x65\x13\x20\x00\x0e\x21\x00\x28\x26\x00\x02\x23\x0f\x9a\x02\x19"
                        "\x16\x20\x22\xfd\x16\x08\x14\x20\x00\x23\x21\x00\x28\x22\x01\x21\x00\x2a\x22\x00\x27"),
        SEED("loop", "\x40\x22\x00\x22\x0a\x28\x20\x00\x0a\x29\x27\x28\x33\x02\x2b\x22\x01\x03\x21\x00\x04"),
        SEED("print", "\x40\x23\x00\x20\x26\x00\x05\x22\x00\x22\x00\x34\x02\x00\x0a\x61=%d %s\\n\0\x27"),
        SEED("widths", "\x40\x22\x07\x28\x28\x22\x00\x22\x00\x34\x03\x00\x12%-8lx%#05hhd%.3o\\t\0\x27"),
        SEED("divide", "\x40\x22\x07\x22\x03\x05\x22\x03\x06\x22\x02\x07\x22\x02\x08\x0e\x12\x27"),
        SEED("shift", "\x40\x22\x07\x22\x03\x09\x22\x02\x0a\x22\x01\x0b\x2a\x08\x25\x01\x02\x03\x04\x05\x06\x07\x08\x10\x27"),
        SEED("pick", "\x40\x22\x01\x22\x02\x22\x03\x32\x02\x33\x2b\x0c\x0d\x08\x30\x00\x08\x2c\x00\x01\x2d\x00\x01\x2e\x00\x01\x2f\x27"),
    };
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        fuzz_seed(seeds[i].name, seeds[i].bytes, seeds[i].len);
    }
}
