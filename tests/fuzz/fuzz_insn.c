/*
 * fuzz_insn.c - guests of arbitrary instructions: translated code against the
 * interpreter, in lock-step
 *
 * Input: 4 bytes of configuration, the first with enum twin_mode in its upper two bits
 * (64-bit or one of three kinds of 32-bit programs), 16 bytes that seed registers and
 * data, then code, placed in slots of 32 bytes as the twin machines' handlers expect.
 * Both machines run to the same positions; all they can see is compared.
 */
#include "core/decode/decode.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/core/translate/twin.h"
#include "tests/unit/core/verify/verify.h"

#include <string.h>

#define HEAD      20u
#define CODE_MAX  2048u
#define LAST_STEP 400u

static uint64_t next_word(uint64_t *state)
{
    return fuzz_random(state) << 32 ^ fuzz_random(state);
}

/* Data pages: mostly plain, some read-only, absent, without RAM, or the program itself.
 */
static void fill_data(struct twin *t, unsigned kinds, uint64_t *state)
{
    for (unsigned i = 0; i < DATA_PAGES; i++) {
        uint64_t page[512], phys = DATA_PHYS + i * 8192ull;
        for (unsigned k = 0; k < 512; k += 1 + i % 3) {
            page[k] = next_word(state);
        }
        twin_poke(t, phys, page, sizeof(page));
        if (i == 7 || i == 8 || (kinds & 1) == 0) {
            continue;
        }
        switch ((kinds >> 1) + i * 7 & 15) {
        case 0:
            twin_map(t, 256 + i, 0);
            break;
        case 1:
            twin_map(t, 256 + i, phys | PTE_P | PTE_U);
            break;
        case 2:
            twin_map(t, 256 + i, 0xfe000000 | PTE_P | PTE_W | PTE_U);
            break;
        case 3:
            twin_map(t, 256 + i, PT_PHYS | PTE_P | PTE_W | PTE_U);
            break;
        case 4:
            twin_map(t, 256 + i, CODE_PHYS | PTE_P | PTE_W | PTE_U);
            break;
        default:
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t code[CODE_PAGES * 4096];
    static const unsigned entries[] = {16, 256, 1024, 4096};
    uint64_t state, stops[] = {1, 2, 40, 41, 150, 300, LAST_STEP};
    if (size <= HEAD || size > HEAD + CODE_MAX) {
        return 0;
    }
    struct cv_exec_config config = {
        .cache_bytes = 1u << 20,
        .block_insns = (data[1] & 3) == 0 ? (uint16_t)(1 + (data[1] >> 2)) : 64,
        .no_chain = (data[0] & 4) != 0,
        .flush_each_block = (data[0] & 8) != 0};
    enum twin_mode mode = data[0] >> 6;
    uint64_t base = LOW_BASE;
    if ((data[0] & 1) != 0) {
        base = mode == TWIN_LONG       ? HIGH_BASE
               : (data[2] & 0x40) != 0 ? TOP_BASE
                                       : UPPER_BASE;
    }
    struct twin *t = twin_new_in(mode, &config, entries[data[0] >> 4 & 3], base,
                                 (data[0] & 2) != 0 ? 3 : 0);
    memcpy(&state, data + 4, 8);
    state |= 1;
    for (size_t i = 0; i < sizeof(code);
         i++) { /* the program again and again, to the end */
        code[i] = data[HEAD + i % (size - HEAD)];
    }
    twin_code(t, code, sizeof(code));
    fill_data(t, data[2], &state);
    for (unsigned i = 0; i < 16; i++) {
        if (i != CV_RSP) {
            uint64_t word = next_word(&state);
            twin_set(t, i,
                     (data[12 + i % 8] & 1u << i / 2) != 0
                         ? word
                         : base + DATA_OFF + (word & 0xfff8));
        }
    }
    for (unsigned i = 0; i < sizeof(stops) / sizeof(stops[0]) && !t->b.cpu->shutdown;
         i++) {
        bool line = (data[3] >> i & 1) != 0;
        t->a.cpu->intr_line = line;
        t->b.cpu->intr_line = line;
        if (i == 4 && (data[3] & 0x80) != 0) {
            cv_exec_flush(t->a.exec);
        }
        twin_run(t, stops[i]);
        const char *diff = twin_diff(t, stops[i] == LAST_STEP);
        FUZZ_CHECK(diff == NULL, "before step %u: %s", (unsigned)stops[i], diff);
    }
    struct verify_report report;
    verify_all(t->a.exec, &report);
    FUZZ_CHECK(report.bad == 0, "emitted code: %s", report.first);
    twin_free(t);
    return 0;
}

/* -- mutation: whole instructions
 * ------------------------------------------------------------------- */

static unsigned make_insn(uint8_t out[15], uint64_t *state, bool narrow)
{
    static const uint8_t wide_prefixes[] = {0x66, 0xf3, 0xf2, 0x48, 0x49, 0x4c,
                                            0x41, 0x67, 0xf0, 0x65, 0x64};
    static const uint8_t narrow_prefixes[] = {0x66, 0xf3, 0xf2, 0x26, 0x2e, 0x36,
                                              0x3e, 0x67, 0xf0, 0x65, 0x64};
    const uint8_t *prefixes = narrow ? narrow_prefixes : wide_prefixes;
    for (unsigned try = 0; try < 64; try++) {
        struct cv_insn insn;
        unsigned n = 0;
        memset(out, 0, 15);
        while (fuzz_random(state) % 3 == 0 && n < 3) {
            out[n++] = prefixes[fuzz_random(state) % sizeof(wide_prefixes)];
        }
        switch (fuzz_random(state) % 8) {
        case 0:
        case 1:
            out[n++] = 0x0f;
            break;
        case 2:
            out[n++] = 0x0f;
            out[n++] = fuzz_random(state) % 2 != 0 ? 0x38 : 0x3a;
            break;
        case 3:
            out[n++] = 0xc5;
            out[n++] = (uint8_t)(0x78 | fuzz_random(state) % 256);
            break;
        case 4:
            out[n++] = 0xc4;
            out[n++] = (uint8_t)(0xe1 + fuzz_random(state) % 3);
            out[n++] = (uint8_t)fuzz_random(state);
            break;
        default:
            break;
        }
        while (n < 15) {
            out[n++] = (uint8_t)fuzz_random(state);
        }
        if (cv_decode(out, 15, narrow ? 32 : 64, &insn) == CV_DECODE_OK &&
            insn.info->op != CV_OP_HLT) {
            return insn.len;
        }
    }
    out[0] = 0x90;
    return 1;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t cap, unsigned seed)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15ull | 1;
    if (size < HEAD + SLOT || fuzz_random(&state) % 3 == 0) {
        return LLVMFuzzerMutate(data, size,
                                cap < HEAD + CODE_MAX ? cap : HEAD + CODE_MAX);
    }
    size_t slots = (size - HEAD) / SLOT;
    if (slots < CODE_MAX / SLOT && size + SLOT <= cap && fuzz_random(&state) % 4 == 0) {
        size = HEAD + slots * SLOT + SLOT;
        slots++;
    }
    uint8_t *slot = data + HEAD + fuzz_random(&state) % slots * SLOT;
    unsigned at = 0;
    memset(slot, 0x90, SLOT);
    for (unsigned n = 1 + (unsigned)(fuzz_random(&state) % 6); n > 0; n--) {
        uint8_t bytes[15];
        unsigned len = make_insn(bytes, &state, data[0] >> 6 != TWIN_LONG);
        if (at + len > SLOT) {
            break;
        }
        memcpy(slot + at, bytes, len);
        at += len;
    }
    return size;
}

void write_seeds(void)
{
    static uint8_t file[HEAD + 8 * SLOT];
    uint64_t state = 99;
    for (unsigned i = 0; i < 48; i++) {
        char name[32];
        for (unsigned k = 0; k < HEAD; k++) {
            file[k] = (uint8_t)fuzz_random(&state);
        }
        for (unsigned at = HEAD; at + 15 < sizeof(file);) {
            at += make_insn(file + at, &state, file[0] >> 6 != TWIN_LONG);
        }
        snprintf(name, sizeof(name), "insns%02u", i);
        fuzz_seed(name, file, sizeof(file));
    }
}
