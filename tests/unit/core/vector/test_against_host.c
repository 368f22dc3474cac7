/*
 * Every vector and x87 encoding that runs as encoded: the interpreter's result is what
 * the host computes when it executes the very bytes on real memory.
 */
#include "bench.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define WINDOW 128u

static uint8_t host_window[WINDOW] __attribute__((aligned(64)));

static bool is_native(const struct cv_insn *insn)
{
    unsigned op = insn->info->op;
    return (op == CV_OP_VEC || op == CV_OP_X87 || op == CV_OP_EMMS || op == CV_OP_VZERO);
}

/* Runs bytes both ways from one random state; text says what differs. */
static bool agree(struct bench *b, const uint8_t *bytes, const struct cv_insn *insn,
                  char *text, size_t cap)
{
    uint64_t gpr[16], flags = (bench_random() & CV_FL_ARITH) | CV_FL_FIXED;
    uint8_t image[CV_XSAVE_BYTES], *window = b->ram.base + BENCH_DATA;
    for (unsigned i = 0; i < 16; i++) {
        gpr[i] = bench_random() >> (bench_random() & 63);
    }
    bench_random_fpu(image);
    for (unsigned i = 0; i < WINDOW; i++) {
        host_window[i] =
            image[160 + i] ^ (uint8_t)(bench_random() % 3 ? 0 : bench_random());
    }
    memcpy(window, host_window, WINDOW);
    memcpy(b->cpu.gpr, gpr, sizeof(gpr));
    memcpy(b->cpu.xsave, image, sizeof(image));
    b->cpu.rflags = flags;
    b->cpu.gpr[CV_RBX] = BENCH_DATA;
    gpr[CV_RBX] = (uint64_t)(uintptr_t)host_window;
    if (!bench_run(b, bytes, insn->len)) {
        snprintf(text, cap, "fault %u", b->cpu.fault.vector);
        return false;
    }
    bench_direct(bytes, insn->len, gpr, &flags, image);
    b->cpu.gpr[CV_RBX] = gpr[CV_RBX];
    b->cpu.gpr[CV_RSP] = gpr[CV_RSP];
    b->cpu.gpr[CV_R15] = gpr[CV_R15];
    if (memcmp(image, b->cpu.xsave, sizeof(image)) != 0) {
        unsigned i = 0;
        while (image[i] == b->cpu.xsave[i]) {
            i++;
        }
        snprintf(text, cap, "FPU image at %u: %02x, host %02x", i, b->cpu.xsave[i],
                 image[i]);
        return false;
    }
    if (memcmp(gpr, b->cpu.gpr, sizeof(gpr)) != 0) {
        snprintf(text, cap, "general registers");
        return false;
    }
    if (flags != b->cpu.rflags) {
        snprintf(text, cap, "flags %lx, host %lx", (long)b->cpu.rflags, (long)flags);
        return false;
    }
    if (memcmp(window, host_window, WINDOW) != 0) {
        snprintf(text, cap, "memory");
        return false;
    }
    return true;
}

static unsigned tried, failed;

/* Each encoding runs from two random states. */
static void report(const char *what)
{
    fprintf(stderr, "differential: %s encodings: %u cases, %u unexplained\n", what, tried * 2, failed);
}

static void try_encoding(struct bench *b, const uint8_t *bytes)
{
    struct cv_insn insn;
    char text[120];
    if (cv_decode(bytes, 15, 64, &insn) != CV_DECODE_OK || !is_native(&insn) ||
        (insn.info->flags & CV_OF_G_GPR &&
         (insn.reg == 3 || insn.reg == 4 || insn.reg == 15)) ||
        (insn.info->flags & CV_OF_E_GPR && !insn.is_mem &&
         (insn.rm == 3 || insn.rm == 4 || insn.rm == 15))) {
        return;
    }
    tried++;
    for (unsigned i = 0; i < 2; i++) {
        if (!agree(b, bytes, &insn, text, sizeof(text))) {
            if (failed++ < 40) {
                char hex[48] = "";
                for (unsigned k = 0; k < insn.len; k++) {
                    snprintf(hex + 3 * k, 4, "%02x ", bytes[k]);
                }
                cr_log_error("%s: %s", hex, text);
            }
            return;
        }
    }
}

/* Register form, [rbx], and [rbx + disp8] with REX or VEX extension bits in turn. */
static void try_operands(struct bench *b, uint8_t *bytes, unsigned at)
{
    uint8_t forms[5][2];
    unsigned reg = (unsigned)(bench_random() & 7) << 3;
    forms[0][0] = (uint8_t)(0xc0 | reg | (bench_random() & 7));
    forms[1][0] = (uint8_t)(0xc0 | (bench_random() & 63));
    forms[2][0] = (uint8_t)(0x03 | reg);
    forms[3][0] = (uint8_t)(0x43 | (bench_random() & 0x38));
    forms[3][1] = 32;
    for (unsigned i = 0; i < 4; i++) {
        bytes[at] = forms[i][0];
        bytes[at + 1] = i == 3 ? forms[i][1] : (uint8_t)bench_random();
        bytes[at + 2] = (uint8_t)bench_random();
        try_encoding(b, bytes);
    }
}

static void try_group(struct bench *b, uint8_t *bytes, unsigned at)
{
    for (unsigned reg = 0; reg < 8; reg++) { /* shifts by immediate */
        bytes[at] = (uint8_t)(0xc0 | reg << 3 | (bench_random() & 7));
        bytes[at + 1] = (uint8_t)(bench_random() & 31);
        try_encoding(b, bytes);
    }
}

Test(against_host, legacy_encodings_compute_what_the_host_computes)
{
    static const uint8_t prefixes[] = {0, 0x66, 0xf3, 0xf2};
    struct bench b;
    bench_open(&b);
    tried = failed = 0;
    for (unsigned map = 0; map < 3; map++) {
        for (unsigned pp = 0; pp < 4; pp++) {
            for (unsigned rex = 0; rex < 4; rex++) {
                for (unsigned op = 0; op < 256; op++) {
                    uint8_t bytes[16] = {0};
                    unsigned n = 0;
                    if (map == 0 && (op == 0x38 || op == 0x3a)) {
                        continue;
                    }
                    if (prefixes[pp] != 0) {
                        bytes[n++] = prefixes[pp];
                    }
                    if (rex != 0) {
                        bytes[n++] = (uint8_t)(rex == 1 ? 0x44 : rex == 2 ? 0x48 : 0x4c);
                    }
                    bytes[n++] = 0x0f;
                    if (map != 0) {
                        bytes[n++] = map == 1 ? 0x38 : 0x3a;
                    }
                    bytes[n++] = (uint8_t)op;
                    try_operands(&b, bytes, n);
                    if (map == 0 && op >= 0x71 && op <= 0x73) {
                        try_group(&b, bytes, n);
                    }
                }
            }
        }
    }
    report("legacy");
    cr_expect_eq(failed, 0u, "%u of %u differ", failed, tried);
    cr_expect_gt(tried, 3000u);
    bench_close(&b);
}

Test(against_host, vex_encodings_compute_what_the_host_computes)
{
    struct bench b;
    bench_open(&b);
    tried = failed = 0;
    for (unsigned map = 1; map <= 3; map++) {
        for (unsigned low = 0; low < 16; low++) { /* W, L, pp */
            for (unsigned op = 0; op < 256; op++) {
                for (unsigned v = 0; v < 2; v++) {
                    uint8_t r = bench_random() & 1 ? 0x80 : 0;
                    uint8_t vvvv = v == 0 ? 0x78 : (uint8_t)(bench_random() & 0x78);
                    uint8_t bytes[16] = {0xc4, (uint8_t)(0x60 | r | map),
                                         (uint8_t)((low & 8) << 4 | vvvv | (low & 7)),
                                         (uint8_t)op};
                    try_operands(&b, bytes, 4);
                    if (map == 1 && op >= 0x71 && op <= 0x73) {
                        try_group(&b, bytes, 4);
                    }
                }
            }
        }
    }
    report("VEX");
    cr_expect_eq(failed, 0u, "%u of %u differ", failed, tried);
    cr_expect_gt(tried, 5000u);
    bench_close(&b);
}

Test(against_host, x87_encodings_compute_what_the_host_computes)
{
    struct bench b;
    bench_open(&b);
    tried = failed = 0;
    for (unsigned op = 0xd8; op <= 0xdf; op++) {
        for (unsigned i = 0; i < 64; i++) {
            uint8_t reg[16] = {(uint8_t)op, (uint8_t)(0xc0 | i)};
            try_encoding(&b, reg);
            if (i < 8) {
                uint8_t mem[16] = {(uint8_t)op, (uint8_t)(0x43 | i << 3), 8};
                for (unsigned k = 0; k < 8; k++) {
                    try_encoding(&b, mem);
                }
            }
        }
    }
    report("x87");
    cr_expect_eq(failed, 0u, "%u of %u differ", failed, tried);
    cr_expect_gt(tried, 300u);
    bench_close(&b);
}
