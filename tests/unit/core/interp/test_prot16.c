/*
 * test_prot16.c - 16-bit segments in protected mode: stacks, gates, far transfers, mixes
 * of operand size and stack width
 */
#include "legacy.h"

#include "core/cpu/fpu.h"
#include "core/system/control.h"
#include "core/system/interrupt.h"

#include <criterion/criterion.h>
#include <string.h>

static struct stepper *s;

static void setup(void)
{
    s = stepper_new();
    cv_fpu_enter(&s->cpu);
    legacy_prot16(s, 0);
}
static void teardown(void)
{
    cv_fpu_leave(&s->cpu);
    stepper_free(s);
}

TestSuite(prot16, .init = setup, .fini = teardown);

#define REG(r)      ((uint32_t)s->cpu.gpr[r])
#define SET16(r, v) (s->cpu.gpr[r] = LEGACY_HIGH | (v))
#define SP_IS(v)    cr_assert_eq(REG(CV_RSP), LEGACY_HIGH | (uint16_t)(v), "%x", REG(CV_RSP))

/* -- the stack ----------------------------------------------------------------------- */

Test(prot16, a_16_bit_stack_wraps_and_keeps_the_upper_half)
{
    LEGACY(s, 0x50, 0x66, 0x50, 0x66, 0x5b, 0x59, 0x6a, 0xff, 0x66, 0x6a, 0xfe);
    SET16(CV_RSP, 0);
    s->cpu.gpr[CV_RAX] = 0x12345678;
    stepper_one(s);
    SP_IS(0xfffe);
    cr_assert_eq(legacy_get(s, LEGACY_STACK + 0xfffe, 2), 0x5678);
    stepper_one(s);
    SP_IS(0xfffa);
    cr_assert_eq(legacy_top(s, 4, 0), 0x12345678);
    stepper_one(s);
    cr_assert_eq(REG(CV_RBX), 0x12345678);
    stepper_one(s);
    cr_assert_eq(REG(CV_RCX), LEGACY_HIGH | 0x5678);
    SP_IS(0);
    stepper_one(s);
    cr_assert_eq(legacy_top(s, 2, 0), 0xffff);
    stepper_one(s);
    cr_assert_eq(legacy_top(s, 4, 0), 0xfffffffe);
    SP_IS(0xfffa);
}

Test(prot16, an_odd_stack_pointer_meets_the_limit)
{
    LEGACY(s, 0x50);
    SET16(CV_RSP, 1);
    legacy_gate(s, CV_EXC_SS, LEGACY_CS0_32, 0x8e);
    stepper_one(s); /* #SS, then #DF, on the same stack */
    cr_assert_eq(s->cpu.shutdown, 1);
    legacy_prot16(s, 3); /* with a stack of the handler's own it arrives */
    LEGACY(s, 0x50);
    SET16(CV_RSP, 1);
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), CV_EXC_SS);
    cr_assert_eq(legacy_top(s, 4, 0), 0);
    cr_assert_eq(legacy_top(s, 4, 1), LEGACY_IP);
    cr_assert_eq(legacy_top(s, 4, 4), LEGACY_HIGH | 1);
    cr_assert_eq(legacy_top(s, 4, 5), LEGACY_SS3_16);
    legacy_prot16(s, 3); /* PUSHA has no rule of its own here */
    LEGACY(s, 0x60);
    SET16(CV_RSP, 9);
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), CV_EXC_SS);
}

Test(prot16, pusha_and_popa_of_both_sizes)
{
    for (unsigned size = 2; size <= 4; size += 2) {
        legacy_prot16(s, 0);
        if (size == 2) {
            LEGACY(s, 0x60, 0x61);
        } else {
            LEGACY(s, 0x66, 0x60, 0x66, 0x61);
        }
        for (unsigned i = 0; i < 8; i++) {
            s->cpu.gpr[i] = LEGACY_HIGH | (0x1000 * (i + 1));
        }
        SET16(CV_RSP, 4);
        stepper_one(s);
        SP_IS(4 - 8 * size);
        for (unsigned i = 0; i < 8; i++) {
            uint32_t want = LEGACY_HIGH | (i == CV_RSP ? 4 : 0x1000 * (i + 1));
            cr_assert_eq(legacy_top(s, size, 7 - i), size == 2 ? (uint16_t)want : want);
        }
        for (unsigned i = 0; i < 8; i++) {
            if (i != CV_RSP) {
                s->cpu.gpr[i] = 0x77770000;
            }
        }
        stepper_one(s);
        SP_IS(4);
        for (unsigned i = 0; i < 8; i++) {
            uint32_t high = size == 2 ? 0x77770000 : LEGACY_HIGH;
            cr_assert(i == CV_RSP || REG(i) == (high | (0x1000 * (i + 1))), "%u", i);
        }
    }
}

Test(prot16, enter_and_leave_mix_operand_and_stack_size)
{
    LEGACY(s, 0xc8, 0x10, 0x00, 0x00, 0xc9);
    SET16(CV_RBP, 0x4444);
    stepper_some(s, 1); /* 16 on 16 */
    cr_assert_eq(REG(CV_RBP), LEGACY_HIGH | (LEGACY_SP - 2));
    SP_IS(LEGACY_SP - 2 - 0x10);
    cr_assert_eq(legacy_get(s, LEGACY_STACK + LEGACY_SP - 2, 2), 0x4444);
    stepper_one(s);
    cr_assert_eq(REG(CV_RBP), LEGACY_HIGH | 0x4444);
    SP_IS(LEGACY_SP);
    LEGACY(s, 0x66, 0xc8, 0x10, 0x00, 0x00, 0x66, 0xc9);
    s->cpu.gpr[CV_RBP] = 0x11112222; /* 32 on 16: EBP gets all of ESP */
    stepper_one(s);
    cr_assert_eq(REG(CV_RBP), LEGACY_HIGH | (LEGACY_SP - 4));
    SP_IS(LEGACY_SP - 4 - 0x10);
    stepper_one(s);
    cr_assert_eq(REG(CV_RBP), 0x11112222);
    SP_IS(LEGACY_SP);
    legacy_prot32(s, 0); /* 16 on 32: BP alone */
    legacy_code_at(s, LEGACY_CODE, "\x66\xc8\x10\x00\x00\x66\xc9", 7);
    s->cpu.gpr[CV_RBP] = 0x11112222;
    stepper_one(s);
    cr_assert_eq(REG(CV_RBP), 0x11110000 | (LEGACY_SP - 2));
    cr_assert_eq(REG(CV_RSP), LEGACY_STACK + LEGACY_SP - 2 - 0x10);
    s->cpu.gpr[CV_RBP] = LEGACY_STACK + LEGACY_SP - 2;
    stepper_one(s);
    cr_assert_eq(REG(CV_RBP), (LEGACY_STACK & 0xffff0000) | 0x2222);
    cr_assert_eq(REG(CV_RSP), LEGACY_STACK + LEGACY_SP);
}

Test(prot16, enter_copies_outer_frames_with_bp)
{
    LEGACY(s, 0xc8, 0x06, 0x00, 0x03);
    SET16(CV_RBP, 0x0002); /* BP - 2 is 0, BP - 4 wraps */
    legacy_put(s, LEGACY_STACK + 0, 2, 0xaaaa);
    legacy_put(s, LEGACY_STACK + 0xfffe, 2, 0xbbbb);
    stepper_one(s);
    static const uint16_t want[4] = {LEGACY_SP - 2, 0xbbbb, 0xaaaa, 0x0002};
    cr_assert(memcmp(s->ram.base + LEGACY_STACK + LEGACY_SP - 8, want, 8) == 0);
    cr_assert_eq(REG(CV_RBP), LEGACY_HIGH | (LEGACY_SP - 2));
    SP_IS(LEGACY_SP - 8 - 6);
}

Test(prot16, segment_registers_by_operand_size)
{
    LEGACY(s, 0x1e, 0x66, 0x1e, 0x66, 0x07, 0x17, 0x8c, 0xd8, 0x66, 0x8c, 0xd8, 0x8c,
           0x1f);
    legacy_put(s, LEGACY_STACK + LEGACY_SP - 8, 8, ~0ull);
    stepper_one(s);
    cr_assert_eq(legacy_top(s, 2, 0), LEGACY_DS0_16);
    stepper_one(s);
    SP_IS(LEGACY_SP - 6);
    cr_assert_eq(legacy_top(s, 4, 0), 0xffff0000u | LEGACY_DS0_16,
                 "two bytes are written");
    stepper_one(s);
    cr_assert_eq(s->cpu.seg[CV_ES].sel, LEGACY_DS0_16);
    SP_IS(LEGACY_SP - 2);
    legacy_put(s, LEGACY_STACK + LEGACY_SP - 2, 2, LEGACY_SS0_16);
    stepper_one(s);
    cr_assert_eq(s->cpu.seg[CV_SS].sel, LEGACY_SS0_16);
    cr_assert_eq(s->cpu.shadow, CV_SHADOW_SS);
    stepper_one(s);
    cr_assert_eq(REG(CV_RAX), LEGACY_HIGH | LEGACY_DS0_16);
    stepper_one(s);
    cr_assert_eq(REG(CV_RAX), LEGACY_DS0_16);
    SET16(CV_RBX, 0x10);
    legacy_put(s, LEGACY_DATA + 0x10, 4, ~0ull);
    stepper_one(s);
    cr_assert_eq(legacy_get(s, LEGACY_DATA + 0x10, 4), 0xffff0000u | LEGACY_DS0_16);
}

Test(prot16, pop_ss_moves_the_pointer_at_the_old_width)
{
    LEGACY(s, 0x17);
    legacy_put(s, LEGACY_STACK + LEGACY_SP, 2, LEGACY_DS0_32);
    stepper_one(s);
    cr_assert_eq(s->cpu.mode & CV_MODE_SS32, CV_MODE_SS32);
    SP_IS(LEGACY_SP + 2);
}

Test(prot16, flags_by_operand_size)
{
    LEGACY(s, 0x9c, 0x66, 0x9c, 0x66, 0x9d, 0x9d);
    s->cpu.rflags = CV_FL_FIXED | CV_FL_AC | CV_FL_ID | CV_FL_CF;
    stepper_some(s, 2);
    cr_assert_eq(legacy_top(s, 4, 0), CV_FL_FIXED | CV_FL_AC | CV_FL_ID | CV_FL_CF);
    cr_assert_eq(legacy_top(s, 2, 2), CV_FL_FIXED | CV_FL_CF);
    SP_IS(LEGACY_SP - 6);
    legacy_put(s, LEGACY_STACK + LEGACY_SP - 6, 4, CV_FL_ID | CV_FL_ZF);
    stepper_one(s);
    cr_assert_eq(s->cpu.rflags, CV_FL_FIXED | CV_FL_ID | CV_FL_ZF);
    stepper_one(s);
    cr_assert_eq(s->cpu.rflags, CV_FL_FIXED | CV_FL_ID | CV_FL_CF);
    SP_IS(LEGACY_SP);
}

/* -- transfers ----------------------------------------------------------------------- */

Test(prot16, gates_of_16_bits_push_words)
{
    LEGACY(s, 0xcd, 0x21);
    legacy_gate(s, 0x21, LEGACY_CS0_16, 0x86);
    s->cpu.rflags |= CV_FL_IF | CV_FL_CF | CV_FL_ID;
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, 0x210);
    cr_assert_eq(s->cpu.seg[CV_CS].base, LEGACY_CODE);
    SP_IS(LEGACY_SP - 6);
    cr_assert_eq(legacy_top(s, 2, 0), LEGACY_IP + 2);
    cr_assert_eq(legacy_top(s, 2, 1), LEGACY_CS0_16);
    cr_assert_eq(legacy_top(s, 2, 2), CV_FL_FIXED | CV_FL_IF | CV_FL_CF);
    cr_assert_eq(s->cpu.rflags & CV_FL_IF, 0);
    legacy_code_at(s, s->cpu.rip, "\xcf", 1);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, LEGACY_IP + 2);
    cr_assert_eq(s->cpu.rflags, CV_FL_FIXED | CV_FL_IF | CV_FL_CF | CV_FL_ID);
    SP_IS(LEGACY_SP);
    legacy_prot16(s, 0); /* trap gate, and an error code of two bytes */
    LEGACY(s, 0xa1, 0xff, 0xff);
    legacy_gate(s, CV_EXC_GP, LEGACY_CS0_16, 0x87);
    s->cpu.rflags |= CV_FL_IF;
    stepper_one(s);
    SP_IS(LEGACY_SP - 8);
    cr_assert_eq(legacy_top(s, 2, 0), 0);
    cr_assert_eq(legacy_top(s, 2, 1), LEGACY_IP);
    cr_assert_eq(s->cpu.rflags & CV_FL_IF, CV_FL_IF);
}

Test(prot16, a_gate_to_an_inner_16_bit_stack_and_iret_back)
{
    legacy_prot16(s, 3);
    LEGACY(s, 0xcd, 0x21);
    legacy_put(s, LEGACY_TSS + 4, 4, 0x00020800);
    legacy_put(s, LEGACY_TSS + 8, 4, LEGACY_SS0_16);
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), 0x21);
    SP_IS(0x800 - 20);
    cr_assert_eq(legacy_top(s, 4, 0), LEGACY_IP + 2);
    cr_assert_eq(legacy_top(s, 4, 3), LEGACY_HIGH | LEGACY_SP);
    cr_assert_eq(legacy_top(s, 4, 4), LEGACY_SS3_16);
    s->cpu.gpr[CV_RSP] = 0x55550000 | (0x800 - 20);
    legacy_code_at(s, s->cpu.rip, "\xcf", 1);
    stepper_one(s);
    cr_assert_eq(REG(CV_RSP), 0x55550000 | LEGACY_SP, "a 16-bit stack takes SP alone");
    cr_assert_eq(s->cpu.seg[CV_CS].sel, LEGACY_CS3_16);
}

Test(prot16, a_16_bit_tss_gives_ss_and_sp)
{
    legacy_prot16(s, 3);
    LEGACY(s, 0xcd, 0x21);
    s->cpu.tr.attr = 0x83;
    s->cpu.tr.limit = 0x2b;
    legacy_put(s, LEGACY_TSS + 2, 4, (uint32_t)LEGACY_SS0_16 << 16 | 0x0700);
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), 0x21);
    SP_IS(0x700 - 20);
}

Test(prot16, far_calls_and_returns_between_16_and_32_bit_code)
{
    LEGACY(s, 0x66, 0x9a, 0x00, 0x00, 0x02, 0x00, LEGACY_CS0_32, 0x00);
    stepper_one(s); /* call dword 8:20000h */
    cr_assert_eq(s->cpu.rip, LEGACY_CODE);
    cr_assert_eq(s->cpu.mode & CV_MODE_CS32, CV_MODE_CS32);
    SP_IS(LEGACY_SP - 8);
    cr_assert_eq(legacy_top(s, 4, 0), LEGACY_IP + 8);
    cr_assert_eq(legacy_top(s, 4, 1), LEGACY_CS0_16);
    legacy_code_at(s, LEGACY_CODE, "\xca\x04\x00", 3);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, LEGACY_IP + 8);
    cr_assert_eq(s->cpu.mode & CV_MODE_CS32, 0);
    SP_IS(LEGACY_SP + 4);
    LEGACY(s, 0x9a, 0x00, 0x02, LEGACY_CS0_16, 0x00); /* call 18:200 */
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, 0x200);
    cr_assert_eq(legacy_top(s, 2, 0), LEGACY_IP + 5);
    legacy_code_at(s, 0x200, "\xcb", 1);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, LEGACY_IP + 5);
    LEGACY(s, 0xea, 0x34, 0x12, LEGACY_CS0_32, 0x00); /* a 16-bit offset of flat code */
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, 0x1234);
    cr_assert_eq(s->cpu.seg[CV_CS].base, 0);
}

Test(prot16, near_branches_truncate_by_operand_size)
{
    static const uint8_t jump[] = {0x66, 0xe9, 0x00, 0x00}, call[] = {0x66, 0xe8, 0, 0};
    legacy_prot32(s, 0);
    legacy_code_at(s, LEGACY_CODE + 0x10, jump, 4);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, 0x14);
    legacy_prot32(s, 0);
    legacy_code_at(s, LEGACY_CODE + 0x10, call, 4);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, 0x14);
    cr_assert_eq(REG(CV_RSP), LEGACY_STACK + LEGACY_SP - 2);
    cr_assert_eq(legacy_top(s, 2, 0), 0x14);
    legacy_prot32(s, 0);
    legacy_code_at(s, LEGACY_CODE, "\x66\xc3", 2);
    legacy_put(s, LEGACY_STACK + LEGACY_SP, 4, 0x12345678);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, 0x5678);
    legacy_prot32(s, 0); /* short forms, too: 66 JNC */
    legacy_code_at(s, LEGACY_CODE, "\x66\x73\x10", 3);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, 0x13);
}

Test(prot16, indirect_branches_read_words)
{
    LEGACY(s, 0xff, 0x27, 0x66, 0xff, 0x27, 0xff, 0x1f, 0xff, 0xe0);
    SET16(CV_RBX, 0x10);
    legacy_put(s, LEGACY_DATA + 0x10, 8, 0xffffffff00000102);
    stepper_one(s); /* jmp [bx] */
    cr_assert_eq(s->cpu.rip, 0x102);
    stepper_one(s); /* jmp dword [bx] */
    cr_assert_eq(s->cpu.rip, 0x102);
    legacy_put(s, LEGACY_DATA + 0x10, 4, (uint32_t)LEGACY_CS0_16 << 16 | 0x107);
    s->cpu.rip = 0x105;
    stepper_one(s); /* call far [bx] */
    cr_assert_eq(s->cpu.rip, 0x107);
    SP_IS(LEGACY_SP - 4);
    SET16(CV_RAX, 0x300);
    stepper_one(s); /* jmp ax */
    cr_assert_eq(s->cpu.rip, 0x300);
}

/* -- addresses and strings ----------------------------------------------------------- */

Test(prot16, limits_and_types_of_16_bit_segments)
{
    static const struct {
        uint8_t n, code[4];
        uint16_t bx;
        int vector;
    } cases[] = {
        {2, {0x8b, 0x07}, 0xfffe, -1},
        {2, {0x8b, 0x07}, 0xffff, CV_EXC_GP},
        {3, {0x36, 0x8b, 0x07}, 0xffff, CV_EXC_SS},
        {3, {0x2e, 0x89, 0x07}, 0x0000, CV_EXC_GP}, /* code is not writable */
        {3, {0x67, 0x8b, 0x03}, 0x0000, CV_EXC_GP}, /* [ebx]: the upper half counts */
    };
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        legacy_prot16(s, 3);
        legacy_code_at(s, LEGACY_IP, cases[i].code, cases[i].n);
        SET16(CV_RBX, cases[i].bx);
        stepper_one(s);
        cr_assert_eq(legacy_vector(s), cases[i].vector, "%u", i);
        cr_assert(cases[i].vector < 0 || legacy_top(s, 4, 0) == 0);
    }
}

Test(prot16, expand_down_ends_at_64_kib)
{
    LEGACY(s, 0x8b, 0x07);
    s->cpu.seg[CV_DS].attr = 0x97;
    s->cpu.seg[CV_DS].limit = 0xfff;
    SET16(CV_RBX, 0x1000);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, LEGACY_IP + 2);
    legacy_prot16(s, 3);
    LEGACY(s, 0x8b, 0x07);
    s->cpu.seg[CV_DS].attr = 0xf7;
    s->cpu.seg[CV_DS].limit = 0xfff;
    SET16(CV_RBX, 0xffff);
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), CV_EXC_GP);
    legacy_prot16(s, 3);
    LEGACY(s, 0x8b, 0x07);
    s->cpu.seg[CV_DS].attr = 0xf7;
    s->cpu.seg[CV_DS].limit = 0xfff;
    SET16(CV_RBX, 0xfff);
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), CV_EXC_GP);
}

Test(prot16, strings_use_si_di_and_cx_with_67_the_whole_registers)
{
    LEGACY(s, 0xf3, 0xab, 0x67, 0xac, 0x66, 0xa7);
    SET16(CV_RDI, 0x20);
    SET16(CV_RCX, 2);
    SET16(CV_RAX, 0x1234);
    stepper_one(s);
    cr_assert_eq(legacy_get(s, LEGACY_EXTRA + 0x20, 4), 0x12341234);
    cr_assert_eq(REG(CV_RDI), LEGACY_HIGH | 0x24);
    s->cpu.gpr[CV_RSI] = 0x50;
    stepper_one(s); /* lodsb with ESI */
    cr_assert_eq(REG(CV_RSI), 0x51);
    SET16(CV_RSI, 0x60);
    SET16(CV_RDI, 0x70);
    legacy_put(s, LEGACY_DATA + 0x60, 4, 0x99);
    legacy_put(s, LEGACY_EXTRA + 0x70, 4, 0x99);
    stepper_one(s);
    cr_assert_eq(s->cpu.rflags & CV_FL_ZF, CV_FL_ZF);
    cr_assert_eq(REG(CV_RSI), LEGACY_HIGH | 0x64);
    cr_assert_eq(REG(CV_RDI), LEGACY_HIGH | 0x74);
}

Test(prot16, the_x87_images_have_14_and_94_bytes)
{
    LEGACY(s, 0xdb, 0xe3, 0xd9, 0xe8, 0xdd, 0x37, 0xdd, 0x27, 0x66, 0xd9, 0x37);
    SET16(CV_RBX, 0);
    memset(s->ram.base + LEGACY_DATA, 0x5a, 128);
    stepper_some(s, 3); /* fninit; fld1; fnsave [bx] */
    cr_assert_eq(legacy_get(s, LEGACY_DATA + 2, 2), 0x3800);
    cr_assert_eq(legacy_get(s, LEGACY_DATA + 4, 2), 0x3fff);
    cr_assert_eq(legacy_get(s, LEGACY_DATA + 14, 8), 0x8000000000000000ull);
    cr_assert_eq(legacy_get(s, LEGACY_DATA + 22, 2), 0x3fff);
    cr_assert_eq(s->ram.base[LEGACY_DATA + 94], 0x5a);
    stepper_some(s, 2); /* frstor [bx]; fnstenv of 32 bits: the protected layout */
    cr_assert_eq(legacy_get(s, LEGACY_DATA + 4, 4), 0xffff3800);
    cr_assert_eq(legacy_get(s, LEGACY_DATA + 12, 4), 0);
    cr_assert_eq(legacy_get(s, LEGACY_DATA + 24, 4), 0xffff0000);
}

Test(prot16, fxsave_meets_the_limit_and_16_bytes)
{
    legacy_prot16(s, 3);
    LEGACY(s, 0x0f, 0xae, 0x07, 0x0f, 0xae, 0x07);
    SET16(CV_RBX, 0xfe00);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, LEGACY_IP + 3);
    SET16(CV_RBX, 0xfe10);
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), CV_EXC_GP);
}
