/*
 * fuzz_decode.c - cv_decode against Zydis, and against itself when bytes are missing
 *
 * Input: a byte that picks the mode (16, 32, 64), then code; each instruction decoded is
 * one case.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/core/decode/oracle.h"

#include <string.h>

#define MAX_BYTES 15u

static void check_prefixes(const uint8_t *bytes, unsigned mode)
{
    struct cv_insn whole, part;
    memset(&whole, 0, sizeof(whole));
    memset(&part, 0, sizeof(part));
    enum cv_decode_status status = cv_decode(bytes, MAX_BYTES, mode, &whole);
    FUZZ_CHECK(status != CV_DECODE_OK || (whole.len >= 1 && whole.len <= MAX_BYTES),
               "length %u", whole.len);
    for (unsigned n = 0; n < MAX_BYTES; n++) {
        uint8_t *exact = malloc(n + 1); /* a read behind it is a report */
        memcpy(exact + 1, bytes, n);
        enum cv_decode_status got = cv_decode(exact + 1, n, mode, &part);
        free(exact);
        if (status == CV_DECODE_OK) {
            FUZZ_CHECK(got == (n < whole.len ? CV_DECODE_MORE : CV_DECODE_OK),
                       "%u of %u bytes: status %d", n, whole.len, got);
            FUZZ_CHECK(got != CV_DECODE_OK ||
                           (part.len == whole.len && part.info == whole.info),
                       "%u bytes change the meaning", n);
        } else {
            FUZZ_CHECK(got != CV_DECODE_OK, "%u bytes are an instruction, %u are not", n,
                       MAX_BYTES);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned modes[] = {64, 32, 16};
    char text[256];
    if (size == 0) {
        return 0;
    }
    unsigned mode = modes[data[0] % 3];
    for (size_t at = 1; at < size && at < 129;) {
        uint8_t bytes[MAX_BYTES] = {0};
        struct cv_insn insn;
        memcpy(bytes, data + at, size - at < MAX_BYTES ? size - at : MAX_BYTES);
        enum oracle_verdict v =
            oracle_compare(bytes, MAX_BYTES, mode, text, sizeof(text));
        FUZZ_CHECK(v != ORACLE_WE_REFUSE && v != ORACLE_WE_ACCEPT && v != ORACLE_DIFFERS,
                   "mode %u: %02x %02x %02x %02x %02x %02x: %s", mode, bytes[0], bytes[1],
                   bytes[2], bytes[3], bytes[4], bytes[5], text);
        check_prefixes(bytes, mode);
        at += cv_decode(bytes, MAX_BYTES, mode, &insn) == CV_DECODE_OK ? insn.len : 1;
    }
    return 0;
}

/* Every opcode of the maps, plain and behind the prefixes that change it. */
void write_seeds(void)
{
    static const char *const heads[] = {"", "\x66", "\xf2", "\xf3", "\x48", "\xf0"};
    static const char *const maps[] = {
        "", "\x0f", "\x0f\x38", "\x0f\x3a", "\xc5\xf8", "\xc4\xe2\x79", "\xc4\xe3\x79"};
    for (unsigned mode = 0; mode < 3; mode++) {
        for (unsigned m = 0; m < sizeof(maps) / sizeof(maps[0]); m++) {
            char name[32];
            uint8_t file[129] = {(uint8_t)mode};
            size_t n = 1;
            for (unsigned op = m; op < 256 && n < 100; op += 11) {
                const char *head = heads[op % 6];
                memcpy(file + n, head, strlen(head));
                n += strlen(head);
                memcpy(file + n, maps[m], strlen(maps[m]));
                n += strlen(maps[m]);
                file[n++] = (uint8_t)op;
                file[n++] = (uint8_t)(0x44 + op);
                file[n++] = 0x24;
                n += 4;
            }
            snprintf(name, sizeof(name), "mode%u-map%u", mode, m);
            fuzz_seed(name, file, n);
        }
    }
}
