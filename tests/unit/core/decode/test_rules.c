/*
 * Prefix and encoding rules one by one, as the manuals and hardware have them.
 */
#include "core/decode/decode.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

struct rule {
    const char *name;
    uint8_t mode, n;
    uint8_t bytes[16];
    uint8_t status, len, opsize;
    uint16_t op;
};

#define OK CV_DECODE_OK
#define UD CV_DECODE_UD
#define B(...) sizeof((uint8_t[]){__VA_ARGS__}), {__VA_ARGS__}

static struct rule rules[] = {
    {"rex directly before the opcode", 64, B(0x48, 0x01, 0xc8), OK, 3, 8, CV_OP_ADD},
    {"rex before another prefix is ignored", 64, B(0x48, 0x66, 0x01, 0xc8), OK, 4, 2, CV_OP_ADD},
    {"the last of two rex counts", 64, B(0x48, 0x40, 0x01, 0xc8), OK, 4, 4, CV_OP_ADD},
    {"rex.w stands above 66", 64, B(0x66, 0x48, 0x05, 1, 0, 0, 0), OK, 7, 8, CV_OP_ADD},
    {"near branches ignore 66 in 64-bit mode", 64, B(0x66, 0xe9, 1, 2, 3, 4), OK, 6, 8, CV_OP_JMP},
    {"near branches obey 66 in 32-bit mode", 32, B(0x66, 0xe9, 1, 2), OK, 4, 2, CV_OP_JMP},
    {"push is 8 bytes", 64, B(0x50), OK, 1, 8, CV_OP_PUSH},
    {"push with 66 is 2 bytes", 64, B(0x66, 0x68, 1, 2), OK, 4, 2, CV_OP_PUSH},
    {"inc r32 outside 64-bit mode", 32, B(0x40), OK, 1, 4, CV_OP_INC},
    {"nop", 64, B(0x90), OK, 1, 4, CV_OP_NOP},
    {"rex.b 90 is xchg r8", 64, B(0x49, 0x90), OK, 2, 8, CV_OP_XCHG},
    {"pause", 64, B(0xf3, 0x90), OK, 2, 4, CV_OP_PAUSE},
    {"endbr64", 64, B(0xf3, 0x0f, 0x1e, 0xfa), OK, 4, 4, CV_OP_ENDBR},
    {"rdssp is a nop", 64, B(0xf3, 0x48, 0x0f, 0x1e, 0xc8), OK, 5, 8, CV_OP_NOP},
    {"lock add to memory", 64, B(0xf0, 0x01, 0x00), OK, 3, 4, CV_OP_ADD},
    {"lock add to a register", 64, B(0xf0, 0x01, 0xc0), UD, 3, 4, CV_OP_ADD},
    {"lock cmp", 64, B(0xf0, 0x39, 0x00), UD, 3, 4, CV_OP_ADD},
    {"lock bt", 64, B(0xf0, 0x0f, 0xba, 0x20, 1), UD, 4, 4, CV_OP_ADD},
    {"vex after 66", 64, B(0x66, 0xc5, 0xf8, 0x77), UD, 1, 4, CV_OP_ADD},
    {"vex after rex", 64, B(0x48, 0xc5, 0xf8, 0x77), UD, 1, 4, CV_OP_ADD},
    {"vzeroupper", 64, B(0xc5, 0xf8, 0x77), OK, 3, 4, CV_OP_VZERO},
    {"vvvv must be ones when unused", 64, B(0xc5, 0xf0, 0x77), UD, 3, 4, CV_OP_ADD},
    {"vpermq needs L1", 64, B(0xc4, 0xe3, 0xf9, 0x00, 0xc0, 0), UD, 5, 4, CV_OP_ADD},
    {"les in 32-bit mode", 32, B(0xc4, 0x00), OK, 2, 4, CV_OP_LDS},
    {"popcnt needs f3", 64, B(0x0f, 0xb8, 0xc0), UD, 3, 4, CV_OP_ADD},
    {"f2 before tzcnt's opcode is bsf", 64, B(0xf2, 0x0f, 0xbc, 0xc0), OK, 4, 4, CV_OP_BSF},
    {"crc32 with 66", 64, B(0x66, 0xf2, 0x0f, 0x38, 0xf1, 0xc0), OK, 6, 2, CV_OP_CRC32},
    {"the last of f2 and f3 wins", 64, B(0xf2, 0xf3, 0x0f, 0x58, 0xc0), OK, 5, 4, CV_OP_VEC},
    {"mov cr ignores mod", 64, B(0x0f, 0x20, 0x04), OK, 3, 8, CV_OP_MOVCR_STORE},
    {"cr1 does not exist", 64, B(0x0f, 0x20, 0xc8), UD, 3, 4, CV_OP_ADD},
    {"mov to cs", 64, B(0x8e, 0xc8), UD, 2, 4, CV_OP_ADD},
    {"xbegin is not in the model", 64, B(0xc7, 0xf8, 0, 0, 0, 0), UD, 2, 4, CV_OP_ADD},
    {"sha is not in the model", 64, B(0x0f, 0x38, 0xc8, 0xc1), UD, 4, 4, CV_OP_ADD},
    {"avx-512 is not in the model", 64, B(0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc0), UD, 1, 4, CV_OP_ADD},
    {"monitor is not in the model", 64, B(0x0f, 0x01, 0xc8), UD, 3, 4, CV_OP_ADD},
    {"xsavec is not in the model", 64, B(0x0f, 0xc7, 0x20), UD, 3, 4, CV_OP_ADD},
    {"rdpid is not in the model", 64, B(0xf3, 0x0f, 0xc7, 0xf8), UD, 4, 4, CV_OP_ADD},
    {"rdpid with 66 is rdseed", 64, B(0x66, 0x0f, 0xc7, 0xf8), OK, 4, 2, CV_OP_RDSEED},
    {"clflushopt is not in the model", 64, B(0x66, 0x0f, 0xae, 0x38), UD, 4, 4, CV_OP_ADD},
    {"clwb is not in the model", 64, B(0x66, 0x0f, 0xae, 0x30), UD, 4, 4, CV_OP_ADD},
    {"xsaves is not in the model", 64, B(0x0f, 0xc7, 0x28), UD, 3, 4, CV_OP_ADD},
    {"xrstors is not in the model", 64, B(0x0f, 0xc7, 0x18), UD, 3, 4, CV_OP_ADD},
    {"rdpkru is not in the model", 64, B(0x0f, 0x01, 0xee), UD, 3, 4, CV_OP_ADD},
    {"serialize is not in the model", 64, B(0x0f, 0x01, 0xe8), UD, 3, 4, CV_OP_ADD},
    {"vmcall is not in the model", 64, B(0x0f, 0x01, 0xc1), UD, 3, 4, CV_OP_ADD},
    {"xtest is not in the model", 64, B(0x0f, 0x01, 0xd6), UD, 3, 4, CV_OP_ADD},
    {"movdiri is not in the model", 64, B(0x0f, 0x38, 0xf9, 0x00), UD, 4, 4, CV_OP_ADD},
    {"rsm", 32, B(0x0f, 0xaa), UD, 2, 4, CV_OP_ADD},
    {"16-bit code: 2 bytes", 16, B(0x01, 0xc8), OK, 2, 2, CV_OP_ADD},
    {"16-bit code: 66 makes 4", 16, B(0x66, 0x05, 1, 2, 3, 4), OK, 6, 4, CV_OP_ADD},
    {"16-bit code: [bp+di+disp16]", 16, B(0x8b, 0x83, 1, 2), OK, 4, 2, CV_OP_MOV},
    {"16-bit code: [disp16]", 16, B(0x8b, 0x06, 1, 2), OK, 4, 2, CV_OP_MOV},
    {"16-bit code: 67 has SIB", 16, B(0x67, 0x8b, 0x44, 0x24, 1), OK, 5, 2, CV_OP_MOV},
    {"32-bit code: 67 has none", 32, B(0x67, 0x8b, 0x44, 1), OK, 4, 4, CV_OP_MOV},
    {"16-bit code: moffs has 2 bytes", 16, B(0xa1, 1, 2), OK, 3, 2, CV_OP_MOV},
    {"16-bit code: moffs with 67 has 4", 16, B(0x67, 0xa1, 1, 2, 3, 4), OK, 6, 2, CV_OP_MOV},
    {"16-bit code: far pointer", 16, B(0xea, 1, 2, 3, 4), OK, 5, 2, CV_OP_JMPF},
    {"16-bit code: far pointer with 66", 16, B(0x66, 0xea, 1, 2, 3, 4, 5, 6), OK, 8, 4,
     CV_OP_JMPF},
    {"16-bit code: near jump", 16, B(0xe9, 1, 2), OK, 3, 2, CV_OP_JMP},
    {"16-bit code: jcc with 66", 16, B(0x66, 0x0f, 0x84, 1, 2, 3, 4), OK, 7, 4, CV_OP_JCC},
    {"16-bit code: no rex", 16, B(0x48), OK, 1, 2, CV_OP_DEC},
    {"16-bit code: mov cr is 4 bytes wide", 16, B(0x0f, 0x20, 0xc0), OK, 3, 4,
     CV_OP_MOVCR_STORE},
    {"16-bit code: lds", 16, B(0xc5, 0x07), OK, 2, 2, CV_OP_LDS},
    {"16-bit code: vex", 16, B(0xc5, 0xf8, 0x77), OK, 3, 4, CV_OP_VZERO},
    {"16-bit code: gather needs 67", 16, B(0xc4, 0xe2, 0x71, 0x92, 0x04, 0x13), UD, 5, 4,
     CV_OP_ADD},
    {"ud2", 64, B(0x0f, 0x0b), OK, 2, 4, CV_OP_UD},
    {"half an instruction", 64, B(0x48, 0x81, 0xc0, 1, 2), CV_DECODE_MORE, 3, 4, CV_OP_ADD},
    {"fifteen bytes", 64,
     B(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x01, 0xc0),
     OK, 15, 2, CV_OP_ADD},
    {"sixteen bytes", 64,
     B(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x01,
       0xc0),
     CV_DECODE_LONG, 15, 2, CV_OP_ADD},
};

ParameterizedTestParameters(rules, hold)
{
    return cr_make_param_array(struct rule, rules, CV_ARRAY_LEN(rules));
}

ParameterizedTest(struct rule *r, rules, hold)
{
    struct cv_insn insn;
    enum cv_decode_status status = cv_decode(r->bytes, r->n, r->mode, &insn);
    cr_assert_eq(status, r->status, "%s: status %d", r->name, status);
    if (status == OK) {
        cr_expect_eq(insn.len, r->len, "%s: length %u", r->name, insn.len);
        cr_expect_eq(insn.opsize, r->opsize, "%s: opsize %u", r->name, insn.opsize);
        cr_expect_eq(insn.info->op, r->op, "%s: %s", r->name, cv_op_name(insn.info->op));
    }
}

static struct cv_insn decode(unsigned mode, const uint8_t *bytes, size_t n)
{
    struct cv_insn insn;
    cr_assert_eq(cv_decode(bytes, n, mode, &insn), CV_DECODE_OK);
    return insn;
}

Test(rules, segment_overrides_of_flat_segments_are_ignored_in_64_bit_mode)
{
    static const uint8_t bytes[] = {0x64, 0x2e, 0x8b, 0x00};
    cr_expect_eq(decode(64, bytes, 4).ea_seg, 4);
    cr_expect_eq(decode(32, bytes, 4).ea_seg, 1);
}

Test(rules, stack_bases_use_ss)
{
    static const uint8_t rsp[] = {0x8b, 0x04, 0x24}, rbp[] = {0x8b, 0x45, 0x08};
    static const uint8_t r12[] = {0x41, 0x8b, 0x04, 0x24};
    cr_expect_eq(decode(64, rsp, 3).ea_seg, 2);
    cr_expect_eq(decode(64, rbp, 3).ea_seg, 2);
    cr_expect_eq(decode(64, r12, 4).ea_seg, 3);
}

Test(rules, shifts_by_an_immediate_tell_their_flags_by_the_count)
{
    static const uint8_t none[] = {0xc1, 0xe0, 0x20}, one[] = {0xc1, 0xe0, 0x01};
    cr_expect_eq(decode(64, none, 3).info->fl_write, 0);
    cr_expect_eq(decode(64, one, 3).info->fl_write, 63);
    cr_expect_eq(decode(64, one, 3).info->fl_cond, 0);
}

Test(rules, every_prefix_of_an_instruction_asks_for_more)
{
    static const uint8_t bytes[] = {0x65, 0x48, 0x81, 0x84, 0x25, 1, 2, 3, 4, 5, 6, 7, 8};
    struct cv_insn insn;
    for (size_t n = 0; n < sizeof(bytes); n++) {
        cr_expect_eq(cv_decode(bytes, n, 64, &insn), CV_DECODE_MORE, "%zu bytes", n);
    }
    cr_expect_eq(cv_decode(bytes, sizeof(bytes), 64, &insn), CV_DECODE_OK);
    cr_expect_eq(insn.disp, 0x04030201);
    cr_expect_eq(insn.imm, 0x08070605);
    cr_expect_eq(insn.ea_seg, 5);
}
