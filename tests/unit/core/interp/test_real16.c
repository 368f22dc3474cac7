/*
 * test_real16.c - real-address mode: segments, limits, the vector table, changes of mode
 */
#include "legacy.h"

#include "core/system/control.h"
#include "core/system/interrupt.h"

#include <criterion/criterion.h>
#include <string.h>

static struct stepper *s;

static void setup(void)
{
    s = stepper_new();
    legacy_real(s);
}
static void teardown(void)
{
    stepper_free(s);
}

TestSuite(real, .init = setup, .fini = teardown);

#define REG(r)      ((uint32_t)s->cpu.gpr[r])
#define SET16(r, v) (s->cpu.gpr[r] = LEGACY_HIGH | (v))

/* A fault was delivered with three words, IP at the instruction. */
static void expect_fault(unsigned vector, uint16_t ip, uint16_t sp)
{
    cr_assert_eq(legacy_vector(s), (int)vector, "vector %d", legacy_vector(s));
    cr_assert_eq(REG(CV_RSP), LEGACY_HIGH | (uint16_t)(sp - 6));
    cr_assert_eq(legacy_top(s, 2, 0), ip);
    cr_assert_eq(legacy_top(s, 2, 1), LEGACY_CODE >> 4);
}

/* -- code ---------------------------------------------------------------------------- */

Test(real, sixteen_bits_are_the_default_and_66_and_67_turn_them_over)
{
    LEGACY(s, 0xb8, 0x34, 0x12,                      /* mov ax, 1234h */
           0x66, 0xbb, 0x78, 0x56, 0x34, 0x12,       /* mov ebx, 12345678h */
           0xbe, 0x10, 0x00,                         /* mov si, 10h */
           0x89, 0x44, 0x02,                         /* mov [si+2], ax */
           0x66, 0x67, 0x89, 0x1c, 0x75, 4, 0, 0, 0, /* mov [esi*2+4], ebx */
           0x67, 0x8a, 0x06);                        /* mov al, [esi] */
    s->cpu.gpr[CV_RSI] = 0;
    stepper_some(s, 5);
    cr_assert_eq(REG(CV_RAX), LEGACY_HIGH | 0x1234);
    cr_assert_eq(REG(CV_RBX), 0x12345678);
    cr_assert_eq(legacy_get(s, LEGACY_DATA + 0x12, 2), 0x1234);
    cr_assert_eq(legacy_get(s, LEGACY_DATA + 0x24, 4), 0x12345678);
    stepper_one(s);
    cr_assert_eq(REG(CV_RAX) & 0xff, 0);
    cr_assert_eq(s->cpu.rip, LEGACY_IP + 27);
}

Test(real, offsets_wrap_at_64_kib_before_the_limit_is_applied)
{
    LEGACY(s, 0x8a, 0x00,     /* mov al, [bx+si] */
           0x8a, 0x46, 0xff,  /* mov al, [bp-1] */
           0x8b, 0x47, 0x7f); /* mov ax, [bx+7fh] */
    SET16(CV_RBX, 0xfff0);
    SET16(CV_RSI, 0x0020);
    SET16(CV_RBP, 0x0000);
    legacy_put(s, LEGACY_DATA + 0x10, 1, 0x77);
    legacy_put(s, LEGACY_STACK + 0xffff, 1, 0x88);
    legacy_put(s, LEGACY_DATA + 0x6f, 2, 0x9911);
    stepper_one(s);
    cr_assert_eq(REG(CV_RAX) & 0xff, 0x77);
    stepper_one(s);
    cr_assert_eq(REG(CV_RAX) & 0xff, 0x88);
    stepper_one(s);
    cr_assert_eq(REG(CV_RAX) & 0xffff, 0x9911);
}

struct edge {
    const char *name;
    uint8_t n, code[8];
    uint16_t bx;
    int vector; /* -1: retires */
};

Test(real, an_operand_beyond_the_limit_is_gp_and_on_the_stack_ss)
{
    static const struct edge edges[] = {
        {"byte at ffff", 2, {0x8a, 0x07}, 0xffff, -1},
        {"word at fffe", 2, {0x8b, 0x07}, 0xfffe, -1},
        {"word at ffff", 2, {0x8b, 0x07}, 0xffff, CV_EXC_GP},
        {"word store at ffff", 2, {0x89, 0x07}, 0xffff, CV_EXC_GP},
        {"word at ss:ffff", 3, {0x36, 0x8b, 0x07}, 0xffff, CV_EXC_SS},
        {"word at es:ffff", 3, {0x26, 0x8b, 0x07}, 0xffff, CV_EXC_GP},
        {"word at cs:ffff", 3, {0x2e, 0x8b, 0x07}, 0xffff, CV_EXC_GP},
        {"store through cs", 3, {0x2e, 0x89, 0x07}, 0x8000, -1},
        {"dword at fffd", 3, {0x66, 0x8b, 0x07}, 0xfffd, CV_EXC_GP},
        {"dword at fffc", 3, {0x66, 0x8b, 0x07}, 0xfffc, -1},
        {"far pointer at fffd", 2, {0xc4, 0x07}, 0xfffd, CV_EXC_GP},
        {"far pointer at fffe", 2, {0xc4, 0x07}, 0xfffe, -1},
        {"far pointer at ffff", 2, {0xc4, 0x07}, 0xffff, CV_EXC_GP},
        {"lgdt at fffe", 3, {0x0f, 0x01, 0x17}, 0xfffe, -1},
        {"lgdt at fffd", 3, {0x0f, 0x01, 0x17}, 0xfffd, CV_EXC_GP},
        {"bound at fffe", 2, {0x62, 0x07}, 0xfffe, -1},
        {"far pointer at fffc", 2, {0xc4, 0x07}, 0xfffc, -1},
        {"lgdt at fffb", 3, {0x0f, 0x01, 0x17}, 0xfffb, CV_EXC_GP},
        {"lgdt at fffa", 3, {0x0f, 0x01, 0x17}, 0xfffa, -1},
        {"offset 10000h with 67", 5, {0x67, 0x8a, 0x83, 0xff, 0xff}, 0, CV_EXC_GP},
        {"movups at fff1", 3, {0x0f, 0x10, 0x07}, 0xfff1, CV_EXC_GP},
    };
    for (unsigned i = 0; i < CV_ARRAY_LEN(edges); i++) {
        const struct edge *e = &edges[i];
        legacy_real(s);
        legacy_code_at(s, LEGACY_IP, e->code, e->n);
        legacy_put(s, LEGACY_CODE + LEGACY_IP + e->n, 4, 0);
        SET16(CV_RBX, e->bx);
        stepper_one(s);
        cr_assert_eq(legacy_vector(s), e->vector, "%s: vector %d", e->name,
                     legacy_vector(s));
        if (e->vector >= 0) {
            expect_fault((unsigned)e->vector, LEGACY_IP, LEGACY_SP);
        }
    }
}

Test(real, a_near_branch_of_16_bits_wraps_and_one_of_32_bits_meets_the_limit)
{
    static const uint8_t forward[] = {0xeb, 0x7e}, wide[] = {0x66, 0xe9, 0x80, 0, 0, 0};
    static const uint8_t back[] = {0xe9, 0x00, 0xff}, call[] = {0xe8, 0x02, 0x00};
    legacy_code_at(s, 0xff90, forward, 2);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, 0x10);
    legacy_code_at(s, 0x10, back, 3);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, 0xff13);
    legacy_code_at(s, 0xfffd, call, 3); /* the return address 10000h is pushed as 0 */
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, 2);
    cr_assert_eq(legacy_top(s, 2, 0), 0);
    legacy_code_at(s, 0xff90, wide, 6);
    s->cpu.gpr[CV_RSP] = LEGACY_HIGH | LEGACY_SP;
    stepper_one(s);
    expect_fault(CV_EXC_GP, 0xff90, LEGACY_SP);
}

Test(real, flow_past_the_end_of_the_segment_is_a_fault)
{
    static const uint8_t nop = 0x90, half[] = {0xb8, 0x34};
    legacy_code_at(s, 0xffff, &nop, 1);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, 0x10000);
    stepper_one(s);
    expect_fault(CV_EXC_GP, 0, LEGACY_SP); /* IP as a word */
    legacy_real(s);
    legacy_code_at(s, 0xfffe, half, 2);
    legacy_put(s, LEGACY_CODE + 0x10000, 1, 0x12);
    stepper_one(s);
    expect_fault(CV_EXC_GP, 0xfffe, LEGACY_SP);
    legacy_real(s); /* bytes beyond the limit do not make it another instruction */
    legacy_code_at(s, 0xffff, "\x0f\x0b", 2);
    stepper_one(s);
    expect_fault(CV_EXC_GP, 0xffff, LEGACY_SP);
}

Test(real, sixteen_bytes_are_a_general_protection_fault)
{
    LEGACY(s, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
           0x66, 0x66, 0x66, 0x90);
    stepper_one(s);
    expect_fault(CV_EXC_GP, LEGACY_IP, LEGACY_SP);
}

Test(real, loops_count_by_address_size)
{
    LEGACY(s, 0xe2, 0xfe, 0x67, 0xe2, 0xfd, 0xe3, 0x10, 0x67, 0xe3, 0x10);
    SET16(CV_RCX, 1);
    stepper_one(s); /* CX becomes 0 */
    cr_assert_eq(REG(CV_RCX), LEGACY_HIGH);
    cr_assert_eq(s->cpu.rip, LEGACY_IP + 2);
    stepper_one(s); /* ECX does not */
    cr_assert_eq(REG(CV_RCX), LEGACY_HIGH - 1);
    cr_assert_eq(s->cpu.rip, LEGACY_IP + 2);
    SET16(CV_RCX, 0);
    s->cpu.rip = LEGACY_IP + 5;
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, LEGACY_IP + 0x17);
    s->cpu.rip = LEGACY_IP + 7;
    stepper_one(s); /* jecxz */
    cr_assert_eq(s->cpu.rip, LEGACY_IP + 10);
}

/* -- segments ------------------------------------------------------------------------ */

Test(real, a_segment_register_holds_a_paragraph)
{
    LEGACY(s, 0x8e, 0xd8, 0xa1, 0x10, 0x00, 0x8c, 0xdb, 0x66, 0x8c, 0xdb);
    SET16(CV_RAX, 0xffff);
    legacy_put(s, 0x100000, 2, 0x4321); /* ffff:0010 */
    stepper_one(s);
    cr_assert_eq(s->cpu.seg[CV_DS].base, 0xffff0);
    cr_assert_eq(s->cpu.seg[CV_DS].limit, 0xffff);
    cr_assert_eq(s->cpu.seg[CV_DS].attr, 0x93);
    stepper_one(s);
    cr_assert_eq(REG(CV_RAX), LEGACY_HIGH | 0x4321);
    stepper_one(s);
    cr_assert_eq(REG(CV_RBX), LEGACY_HIGH | 0xffff);
    stepper_one(s);
    cr_assert_eq(REG(CV_RBX), 0xffff);
}

Test(real, far_pointers_load_both_halves)
{
    LEGACY(s, 0xc5, 0x37, 0x66, 0x0f, 0xb4, 0x37, 0x0f, 0xb2, 0x27);
    SET16(CV_RBX, 0x20);
    legacy_put(s, LEGACY_DATA + 0x20, 6, 0x500055667788);
    stepper_one(s); /* lds si, [bx] */
    cr_assert_eq(REG(CV_RSI), LEGACY_HIGH | 0x7788);
    cr_assert_eq(s->cpu.seg[CV_DS].sel, 0x5566);
    legacy_put(s, 0x55660 + 0x20, 6, 0x412312345678);
    stepper_one(s); /* lfs esi, [bx] */
    cr_assert_eq(REG(CV_RSI), 0x12345678);
    cr_assert_eq(s->cpu.seg[CV_FS].base, 0x41230);
    stepper_one(s); /* lss sp, [bx] */
    cr_assert_eq(REG(CV_RSP), LEGACY_HIGH | 0x5678);
    cr_assert_eq(s->cpu.seg[CV_SS].base, 0x12340);
    cr_assert_eq(s->cpu.shadow, 0);
}

Test(real, the_second_part_of_a_pointer_has_an_offset_of_its_own)
{
    LEGACY(s, 0xc4, 0x37, 0x0f, 0x01, 0x17, 0x0f, 0x01, 0x07, 0xff, 0x2f);
    SET16(CV_RBX, 0xfffe);
    legacy_put(s, LEGACY_DATA + 0xfffe, 4, 0x9999abcd);
    legacy_put(s, LEGACY_DATA, 4, 0x12345678);
    stepper_one(s); /* les si, [bx] */
    cr_assert_eq(REG(CV_RSI), LEGACY_HIGH | 0xabcd);
    cr_assert_eq(s->cpu.seg[CV_ES].sel, 0x5678);
    stepper_one(s); /* lgdt [bx] */
    cr_assert_eq(s->cpu.gdtr.limit, 0xabcd);
    cr_assert_eq(s->cpu.gdtr.base, 0x345678);
    legacy_put(s, LEGACY_DATA + 0xfffe, 4, 0x99990000);
    legacy_put(s, LEGACY_DATA, 8, ~0ull);
    stepper_one(s); /* sgdt [bx] */
    cr_assert_eq(legacy_get(s, LEGACY_DATA + 0xfffe, 2), 0xabcd);
    cr_assert_eq(legacy_get(s, LEGACY_DATA, 8), 0xffffffff00345678);
    legacy_put(s, LEGACY_DATA + 0xfffe, 2, 0x0200);
    legacy_put(s, LEGACY_DATA, 2, 0x2000);
    stepper_one(s); /* jmp far [bx] */
    cr_assert_eq(s->cpu.rip, 0x200);
    cr_assert_eq(s->cpu.seg[CV_CS].base, 0x20000);
}

Test(real, limits_loaded_in_protected_mode_last)
{
    static const uint8_t gdt[] = {0xff, 0, 0, 0x60, 0, 0};
    LEGACY(s, 0x0f, 0x01, 0x17,          /* lgdt [bx] */
           0x0f, 0x20, 0xc0,             /* mov eax, cr0 */
           0x0c, 0x01, 0x0f, 0x22, 0xc0, /* or al, 1; mov cr0, eax */
           0xba, LEGACY_DS0_32, 0x00,    /* mov dx, 10h */
           0x8e, 0xe2,                   /* mov fs, dx */
           0x24, 0xfe, 0x0f, 0x22, 0xc0, /* and al, ~1; mov cr0, eax */
           0x8e, 0xe1,                   /* mov fs, cx */
           0x64, 0x67, 0x8a, 0x06);      /* mov al, fs:[esi] */
    legacy_put(s, LEGACY_GDT + LEGACY_DS0_32, 8, 0x00cf92000000ffff);
    memcpy(s->ram.base + LEGACY_DATA, gdt, sizeof(gdt));
    SET16(CV_RBX, 0);
    SET16(CV_RCX, 0x1000);
    s->cpu.gpr[CV_RSI] = 0x234567;
    legacy_put(s, 0x244567, 1, 0x5a);
    stepper_some(s, 4);
    cr_assert_eq(s->cpu.mode & (CV_MODE_PE | 3), CV_MODE_PE);
    cr_assert_eq(s->cpu.seg[CV_CS].sel, LEGACY_CODE >> 4, "CS is as it was");
    stepper_some(s, 4);
    cr_assert_eq(s->cpu.mode & CV_MODE_PE, 0);
    cr_assert_eq(s->cpu.seg[CV_FS].limit, UINT32_MAX);
    stepper_one(s);
    cr_assert_eq(s->cpu.seg[CV_FS].base, 0x10000);
    cr_assert_eq(s->cpu.seg[CV_FS].limit, UINT32_MAX);
    stepper_one(s);
    cr_assert_eq(REG(CV_RAX) & 0xff, 0x5a);
}

Test(real, a_null_selector_of_protected_mode_is_unusable_until_it_is_loaded)
{
    LEGACY(s, 0xa0, 0x00, 0x00);
    s->cpu.seg[CV_DS] = (struct cv_seg){.attr = CV_SEG_NULL};
    stepper_one(s);
    expect_fault(CV_EXC_GP, LEGACY_IP, LEGACY_SP);
    s->cpu.seg[CV_CS] = (struct cv_seg){LEGACY_CODE, 0xffff, 0x93, LEGACY_CODE >> 4};
    LEGACY(s, 0x8e, 0xd8, 0xa0, 0xff, 0xff);
    SET16(CV_RAX, 0x4000);
    legacy_put(s, LEGACY_DATA + 0xffff, 1, 0x3c);
    stepper_some(s, 2);
    cr_assert_eq(REG(CV_RAX) & 0xff, 0x3c);
}

Test(real, a_code_segment_of_32_bits_goes_on_as_such)
{
    s->cpu.seg[CV_CS].attr |= CV_SEG_DB;
    cv_control_changed(&s->cpu);
    LEGACY(s, 0xb8, 0x78, 0x56, 0x34, 0x12);
    stepper_one(s);
    cr_assert_eq(REG(CV_RAX), 0x12345678);
    LEGACY(s, 0xea, 0x00, 0x02, 0x00, 0x00, 0x00, 0x20); /* jmp 2000:200 */
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, 0x200);
    cr_assert_eq(s->cpu.mode & CV_MODE_CS32, CV_MODE_CS32);
}

/* -- far transfers ------------------------------------------------------------------- */

Test(real, far_jumps_calls_and_returns_of_both_sizes)
{
    LEGACY(s, 0xea, 0x00, 0x01, 0x10, 0x20); /* jmp 2010:0100 */
    stepper_one(s);
    cr_assert_eq(s->cpu.seg[CV_CS].base, 0x20100);
    cr_assert_eq(s->cpu.rip, 0x100);
    LEGACY(s, 0x9a, 0x10, 0x00, 0x00, 0x20); /* call 2000:0010 */
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, 0x10);
    cr_assert_eq(REG(CV_RSP), LEGACY_HIGH | (LEGACY_SP - 4));
    cr_assert_eq(legacy_top(s, 2, 0), 0x105);
    cr_assert_eq(legacy_top(s, 2, 1), 0x2010);
    legacy_code_at(s, 0x10, "\xca\x04\x00", 3); /* retf 4 */
    stepper_one(s);
    cr_assert_eq(s->cpu.seg[CV_CS].base, 0x20100);
    cr_assert_eq(s->cpu.rip, 0x105);
    cr_assert_eq(REG(CV_RSP), LEGACY_HIGH | (LEGACY_SP + 4));
    LEGACY(s, 0x66, 0x9a, 0x34, 0x12, 0, 0, 0x00, 0x20); /* call dword 2000:00001234 */
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, 0x1234);
    cr_assert_eq(legacy_top(s, 4, 0), 0x108);
    cr_assert_eq(legacy_top(s, 4, 1), 0x2010);
    legacy_code_at(s, 0x1234, "\x66\xcb", 2);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, 0x108);
    cr_assert_eq(REG(CV_RSP), LEGACY_HIGH | (LEGACY_SP + 4));
}

Test(real, a_far_target_past_the_limit_is_a_fault)
{
    LEGACY(s, 0x66, 0xea, 0, 0, 1, 0, 0x00, 0x30);
    stepper_one(s);
    expect_fault(CV_EXC_GP, LEGACY_IP, LEGACY_SP);
    legacy_real(s);
    LEGACY(s, 0x66, 0xcb);
    legacy_put(s, LEGACY_STACK + LEGACY_SP, 8, 0x300000010000);
    stepper_one(s);
    expect_fault(CV_EXC_GP, LEGACY_IP, LEGACY_SP);
    legacy_real(s);
    LEGACY(s, 0x66, 0x9a, 0, 0, 1, 0, 0x00, 0x30);
    stepper_one(s);
    expect_fault(CV_EXC_GP, LEGACY_IP, LEGACY_SP);
    legacy_real(s); /* the stack comes first: SP 5 has room for CS only */
    LEGACY(s, 0x66, 0x9a, 0, 0, 1, 0, 0x00, 0x30);
    SET16(CV_RSP, 5);
    stepper_one(s);
    cr_assert_eq(s->cpu.shutdown, 1, "no room for the frame of #SS either");
    legacy_real(s); /* a pop that ends at ffff is fine, one that starts there is not */
    LEGACY(s, 0xcb);
    SET16(CV_RSP, 0xfffd);
    stepper_one(s);
    expect_fault(CV_EXC_SS, LEGACY_IP, 0xfffd);
}

/* -- the stack ----------------------------------------------------------------------- */

Test(real, the_stack_pointer_wraps_at_even_offsets)
{
    LEGACY(s, 0x50, 0x58, 0x54, 0x5b);
    SET16(CV_RSP, 0);
    SET16(CV_RAX, 0x1357);
    stepper_one(s);
    cr_assert_eq(REG(CV_RSP), LEGACY_HIGH | 0xfffe);
    cr_assert_eq(legacy_get(s, LEGACY_STACK + 0xfffe, 2), 0x1357);
    stepper_one(s);
    cr_assert_eq(REG(CV_RSP), LEGACY_HIGH);
    stepper_one(s); /* push sp: the old value */
    cr_assert_eq(legacy_top(s, 2, 0), 0);
    stepper_one(s);
    cr_assert_eq(REG(CV_RBX), LEGACY_HIGH);
}

Test(real, a_push_with_sp_1_shuts_the_processor_down)
{
    LEGACY(s, 0x50);
    SET16(CV_RSP, 1);
    stepper_one(s);
    cr_assert_eq(s->cpu.shutdown, 1);
    cr_assert_eq(REG(CV_RSP), LEGACY_HIGH | 1);
    legacy_real(s);
    LEGACY(s, 0x58);
    SET16(CV_RSP, 0xffff);
    stepper_one(s);
    expect_fault(CV_EXC_SS, LEGACY_IP, 0xffff);
    legacy_real(s); /* 32-bit push at SP 2: fffe + 4 is beyond */
    LEGACY(s, 0x66, 0x50);
    SET16(CV_RSP, 2);
    stepper_one(s);
    expect_fault(CV_EXC_SS, LEGACY_IP, 2);
}

Test(real, pusha_has_its_own_rules_near_zero)
{
    for (unsigned sp = 0; sp <= 18; sp++) {
        legacy_real(s);
        LEGACY(s, 0x60);
        SET16(CV_RSP, sp);
        stepper_one(s);
        if ((sp & 1) == 0) {
            cr_assert_eq(s->cpu.rip, LEGACY_IP + 1, "sp %u", sp);
            cr_assert_eq(REG(CV_RSP), LEGACY_HIGH | (uint16_t)(sp - 16));
        } else if (sp < 7) {
            cr_assert_eq(s->cpu.shutdown, 1, "sp %u", sp);
        } else if (sp < 16) {
            expect_fault(CV_EXC_GP, LEGACY_IP, (uint16_t)sp);
        } else {
            cr_assert_eq(s->cpu.rip, LEGACY_IP + 1, "sp %u", sp);
        }
    }
}

/* -- the vector table ---------------------------------------------------------------- */

Test(real, int_n_pushes_three_words_and_iret_takes_them_back)
{
    LEGACY(s, 0xcd, 0x21);
    uint64_t flags =
        CV_FL_FIXED | CV_FL_IF | CV_FL_TF | CV_FL_CF | CV_FL_NT | CV_FL_IOPL | CV_FL_ID;
    s->cpu.rflags = flags | CV_FL_AC;
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), 0x21);
    cr_assert_eq(s->cpu.db_pending, 0);
    cr_assert_eq(s->cpu.rflags, flags & ~(uint64_t)(CV_FL_IF | CV_FL_TF));
    cr_assert_eq(legacy_top(s, 2, 0), LEGACY_IP + 2);
    cr_assert_eq(legacy_top(s, 2, 1), LEGACY_CODE >> 4);
    cr_assert_eq(legacy_top(s, 2, 2), (uint16_t)flags);
    cr_assert_eq(s->cpu.seg[CV_CS].sel, STEPPER_HANDLER >> 4);
    legacy_code_at(s, s->cpu.rip, "\xcf", 1);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, LEGACY_IP + 2);
    cr_assert_eq(s->cpu.rflags, flags);
    cr_assert_eq(s->cpu.seg[CV_CS].base, LEGACY_CODE);
    cr_assert_eq(REG(CV_RSP), LEGACY_HIGH | LEGACY_SP);
}

Test(real, iretd_takes_all_but_vm_vif_and_vip)
{
    LEGACY(s, 0x66, 0xcf);
    legacy_put(s, LEGACY_STACK + LEGACY_SP, 4, 0x1234);
    legacy_put(s, LEGACY_STACK + LEGACY_SP + 4, 4, 0xffff3000);
    legacy_put(s, LEGACY_STACK + LEGACY_SP + 8, 4, 0xffffffff);
    s->cpu.nmi_blocked = 1;
    stepper_one(s);
    cr_assert_eq(s->cpu.rflags, 0x257fd7u);
    cr_assert_eq(s->cpu.mode & CV_MODE_VM86, 0);
    cr_assert_eq(s->cpu.seg[CV_CS].base, 0x30000);
    cr_assert_eq(s->cpu.rip, 0x1234);
    cr_assert_eq(s->cpu.nmi_blocked, 0);
    cr_assert_eq(REG(CV_RSP), LEGACY_HIGH | (LEGACY_SP + 12));
}

Test(real, popf_and_pushf_know_iopl)
{
    LEGACY(s, 0x9d, 0x9c, 0x66, 0x9c);
    legacy_put(s, LEGACY_STACK + LEGACY_SP, 2, 0xffff);
    stepper_one(s);
    cr_assert_eq(s->cpu.rflags, 0x7fd7u);
    s->cpu.rflags &= ~(uint64_t)CV_FL_TF;
    stepper_one(s);
    cr_assert_eq(legacy_top(s, 2, 0), 0x7ed7);
    s->cpu.rflags |= CV_FL_ID;
    stepper_one(s);
    cr_assert_eq(legacy_top(s, 4, 0), 0x207ed7);
}

Test(real, exceptions_push_no_error_code)
{
    static const struct edge cases[] = {
        {"div bl", 2, {0xf6, 0xf3}, 0, CV_EXC_DE},
        {"ud2", 2, {0x0f, 0x0b}, 0, CV_EXC_UD},
        {"bound ax, [bx]", 2, {0x62, 0x07}, 0x300, CV_EXC_BR},
        {"mov cr0 with PG alone", 3, {0x0f, 0x22, 0xc0}, 0, CV_EXC_GP},
        {"lock mov", 3, {0xf0, 0x89, 0x07}, 0, CV_EXC_UD},
        {"rdmsr of nothing", 2, {0x0f, 0x32}, 0, CV_EXC_GP},
        {"sysenter", 2, {0x0f, 0x34}, 0, CV_EXC_GP},
        {"sysexit", 2, {0x0f, 0x35}, 0, CV_EXC_GP},
        {"syscall", 2, {0x0f, 0x05}, 0, CV_EXC_UD},
        {"arpl", 2, {0x63, 0xc0}, 0, CV_EXC_UD},
        {"lar", 3, {0x0f, 0x02, 0xc0}, 0, CV_EXC_UD},
        {"lsl", 3, {0x0f, 0x03, 0xc0}, 0, CV_EXC_UD},
        {"sldt", 3, {0x0f, 0x00, 0xc0}, 0, CV_EXC_UD},
        {"str", 3, {0x0f, 0x00, 0xc8}, 0, CV_EXC_UD},
        {"lldt", 3, {0x0f, 0x00, 0xd0}, 0, CV_EXC_UD},
        {"ltr", 3, {0x0f, 0x00, 0xd8}, 0, CV_EXC_UD},
        {"verr", 3, {0x0f, 0x00, 0xe0}, 0, CV_EXC_UD},
        {"verw", 3, {0x0f, 0x00, 0xe8}, 0, CV_EXC_UD},
        {"andn", 5, {0xc4, 0xe2, 0x78, 0xf2, 0xc0}, 0, CV_EXC_UD},
        {"vzeroupper", 3, {0xc5, 0xf8, 0x77}, 0, CV_EXC_UD},
        {"mov cs, ax", 2, {0x8e, 0xc8}, 0, CV_EXC_UD},
    };
    for (unsigned i = 0; i < CV_ARRAY_LEN(cases); i++) {
        const struct edge *e = &cases[i];
        legacy_real(s);
        s->cpu.cr4 |= CV_CR4_OSXSAVE;
        s->cpu.xcr0 = 7;
        cv_control_changed(&s->cpu);
        legacy_code_at(s, LEGACY_IP, e->code, e->n);
        s->cpu.gpr[CV_RBX] = LEGACY_HIGH | e->bx;
        s->cpu.gpr[CV_RAX] = CV_CR0_PG;
        s->cpu.gpr[CV_RCX] = 0x12345;
        legacy_put(s, LEGACY_DATA + 0x300, 4, 0x00100008);
        stepper_one(s);
        cr_assert_eq(legacy_vector(s), e->vector, "%s: vector %d", e->name,
                     legacy_vector(s));
        expect_fault((unsigned)e->vector, LEGACY_IP, LEGACY_SP);
    }
}

Test(real, a_vector_past_the_limit_of_the_table_is_a_general_protection_fault)
{
    LEGACY(s, 0xcd, 0x21);
    s->cpu.idtr.limit = 0x21 * 4 + 3;
    stepper_one(s);
    cr_assert_eq(legacy_vector(s), 0x21);
    legacy_real(s);
    LEGACY(s, 0xcd, 0x21);
    s->cpu.idtr.limit = 0x21 * 4 + 2;
    stepper_one(s);
    expect_fault(CV_EXC_GP, LEGACY_IP, LEGACY_SP);
    legacy_real(s); /* #GP is past it, too: #DF */
    LEGACY(s, 0xcd, 0x21);
    s->cpu.idtr.limit = CV_EXC_GP * 4 + 2;
    stepper_one(s);
    expect_fault(CV_EXC_DF, LEGACY_IP, LEGACY_SP);
    legacy_real(s); /* and #DF as well */
    LEGACY(s, 0xcd, 0x21);
    s->cpu.idtr.limit = CV_EXC_DF * 4 + 2;
    stepper_one(s);
    cr_assert_eq(s->cpu.shutdown, 1);
}

Test(real, the_table_stands_where_lidt_says)
{
    static const uint8_t image[] = {0xff, 0x03, 0x00, 0x90, 0x00, 0xaa};
    LEGACY(s, 0x0f, 0x01, 0x1f, 0xcc); /* lidt [bx] */
    memcpy(s->ram.base + LEGACY_DATA, image, sizeof(image));
    legacy_put(s, 0x9000 + 3 * 4, 4, 0x30004000);
    SET16(CV_RBX, 0);
    stepper_some(s, 2);
    cr_assert_eq(s->cpu.idtr.base, 0x9000, "24 bits");
    cr_assert_eq(s->cpu.seg[CV_CS].base, 0x30000);
    cr_assert_eq(s->cpu.rip, 0x4000);
}

Test(real, table_images_load_24_or_32_bits_and_store_32)
{
    LEGACY(s, 0x66, 0x0f, 0x01, 0x17, 0x0f, 0x01, 0x07, 0x66, 0x0f, 0x01, 0x07);
    legacy_put(s, LEGACY_DATA, 6, 0xaabbccdd1234);
    SET16(CV_RBX, 0);
    stepper_one(s);
    cr_assert_eq(s->cpu.gdtr.base, 0xaabbccdd);
    for (unsigned i = 0; i < 2; i++) {
        legacy_put(s, LEGACY_DATA, 8, ~0ull);
        stepper_one(s);
        cr_assert_eq(legacy_get(s, LEGACY_DATA, 8), 0xffffaabbccdd1234);
    }
}

static uint8_t ack(void *arg)
{
    (void)arg;
    return 0x70;
}

Test(real, interrupts_and_traps_go_through_the_table)
{
    struct cv_cpu *cpu = &s->cpu;
    LEGACY(s, 0xfb, 0x90, 0xf4);
    cpu->intr_ack = ack;
    cpu->intr_line = true;
    stepper_one(s);
    cr_assert_eq(cpu->shadow, CV_SHADOW_STI);
    cr_assert(!cv_boundary_deliver(cpu));
    stepper_one(s);
    cr_assert(cv_boundary_deliver(cpu));
    cr_assert_eq(legacy_vector(s), 0x70);
    cr_assert_eq(legacy_top(s, 2, 0), LEGACY_IP + 2);
    cr_assert_eq(cpu->rflags & CV_FL_IF, 0);
    legacy_real(s);
    LEGACY(s, 0xf4);
    stepper_one(s);
    cpu->nmi_pending = 1;
    cr_assert(cv_boundary_deliver(cpu));
    cr_assert_eq(legacy_vector(s), CV_EXC_NMI);
    cr_assert(!cpu->halted && cpu->nmi_blocked);
    legacy_real(s);
    cpu->nmi_blocked = 0;
    LEGACY(s, 0x90);
    cpu->rflags |= CV_FL_TF;
    stepper_one(s);
    cr_assert(cv_boundary_deliver(cpu));
    expect_fault(CV_EXC_DB, LEGACY_IP + 1, LEGACY_SP);
    cr_assert_eq(cpu->dr[6] & 0x4000, 0x4000);
    cr_assert_eq(cpu->rflags & CV_FL_TF, 0);
}

/* -- mode ---------------------------------------------------------------------------- */

Test(real, lmsw_enters_protected_mode_and_cannot_leave_it)
{
    LEGACY(s, 0x0f, 0x01, 0xf0, 0x0f, 0x01, 0xe1, 0x0f, 0x01, 0xf2);
    SET16(CV_RAX, 0x0001);
    SET16(CV_RDX, 0x0000);
    stepper_one(s);
    cr_assert_eq(s->cpu.mode & CV_MODE_PE, CV_MODE_PE);
    stepper_one(s); /* smsw cx */
    cr_assert_eq(REG(CV_RCX), LEGACY_HIGH | 0x11);
    stepper_one(s);
    cr_assert_eq(s->cpu.mode & CV_MODE_PE, CV_MODE_PE);
}

Test(real, what_is_privileged_works)
{
    LEGACY(s, 0xfa, 0x0f, 0x06, 0x0f, 0x09, 0x0f, 0x01, 0x3f, 0x0f, 0xa2, 0x0f, 0x20,
           0xd0, 0x0f, 0x23, 0xc0, 0xec, 0xf4);
    SET16(CV_RDX, 0x500);
    stepper_some(s, 7);
    s->cpu.gpr[CV_RDX] = 0x500;
    stepper_some(s, 2);
    cr_assert_eq(s->cpu.rip, LEGACY_IP + 18);
    cr_assert_eq(s->cpu.halted, 1);
    cr_assert_eq(s->port_reads, 1);
}

/* -- strings ------------------------------------------------------------------------- */

Test(real, a_repeated_string_counts_in_cx_si_and_di)
{
    LEGACY(s, 0xf3, 0xa4);
    SET16(CV_RSI, 0x10);
    SET16(CV_RDI, 0x20);
    SET16(CV_RCX, 0x8);
    legacy_put(s, LEGACY_DATA + 0x10, 8, 0x1122334455667788);
    stepper_one(s);
    cr_assert_eq(legacy_get(s, LEGACY_EXTRA + 0x20, 8), 0x1122334455667788);
    cr_assert_eq(REG(CV_RSI), LEGACY_HIGH | 0x18);
    cr_assert_eq(REG(CV_RDI), LEGACY_HIGH | 0x28);
    cr_assert_eq(REG(CV_RCX), LEGACY_HIGH);
    s->cpu.rip = LEGACY_IP; /* CX is 0, ECX is not */
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, LEGACY_IP + 2);
    cr_assert_eq(REG(CV_RSI), LEGACY_HIGH | 0x18);
}

Test(real, string_offsets_wrap_and_end_the_slice)
{
    LEGACY(s, 0xf3, 0xaa, 0xfd, 0xac);
    SET16(CV_RDI, 0xfffe);
    SET16(CV_RCX, 4);
    SET16(CV_RAX, 0x5a);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, LEGACY_IP);
    cr_assert_eq(REG(CV_RCX), LEGACY_HIGH | 2);
    cr_assert_eq(REG(CV_RDI), LEGACY_HIGH);
    stepper_one(s);
    cr_assert_eq(legacy_get(s, LEGACY_EXTRA, 2), 0x5a5a);
    cr_assert_eq(legacy_get(s, LEGACY_EXTRA + 0xfffe, 2), 0x5a5a);
    SET16(CV_RSI, 0);
    stepper_some(s, 2); /* std; lodsb */
    cr_assert_eq(REG(CV_RSI), LEGACY_HIGH | 0xffff);
}

Test(real, a_word_of_a_string_at_ffff_faults_and_keeps_what_was_done)
{
    LEGACY(s, 0xf3, 0xa5);
    SET16(CV_RSI, 0xfffb);
    SET16(CV_RDI, 0x100);
    SET16(CV_RCX, 4);
    stepper_one(s);
    expect_fault(CV_EXC_GP, LEGACY_IP, LEGACY_SP);
    cr_assert_eq(REG(CV_RCX), LEGACY_HIGH | 2);
    cr_assert_eq(REG(CV_RSI), LEGACY_HIGH | 0xffff);
    cr_assert_eq(REG(CV_RDI), LEGACY_HIGH | 0x104);
    legacy_real(s); /* with 67 ESI is the offset: beyond the limit at once */
    LEGACY(s, 0x67, 0xa4);
    stepper_one(s);
    expect_fault(CV_EXC_GP, LEGACY_IP, LEGACY_SP);
}

/* -- floating point ------------------------------------------------------------------ */

Test(real, the_x87_environment_has_layouts_of_its_own)
{
    LEGACY(s, 0xdb, 0xe3, 0xd9, 0x37, 0x66, 0xd9, 0x37); /* fninit; fnstenv [bx] twice */
    SET16(CV_RBX, 0);
    s->ram.base[LEGACY_DATA + 14] = 0x5a;
    stepper_some(s, 2);
    cr_assert_eq(legacy_get(s, LEGACY_DATA, 2), 0x37f);
    cr_assert_eq(legacy_get(s, LEGACY_DATA + 4, 2), 0xffff);
    cr_assert_eq(legacy_get(s, LEGACY_DATA + 6, 8), 0);
    cr_assert_eq(s->ram.base[LEGACY_DATA + 14], 0x5a);
    stepper_one(s);
    static const uint32_t want[7] = {0xffff037f, 0xffff0000, 0xffffffff, 0xffff0000,
                                     0,          0xffff0000, 0};
    cr_assert(memcmp(s->ram.base + LEGACY_DATA, want, sizeof(want)) == 0);
}

/* -- reset --------------------------------------------------------------------------- */

static uint64_t read_rom(void *arg, uint64_t off, unsigned size)
{
    const uint8_t *rom = arg;
    uint64_t v = 0;
    memcpy(&v, rom + off, size);
    return v;
}

static void ignore_write(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    (void)arg;
    (void)off;
    (void)size;
    (void)value;
}

Test(real, a_program_runs_from_the_reset_vector)
{
    static uint8_t rom[0x100];
    static const uint8_t jump[] = {0xea, 0x00, 0xff, 0x00, 0xf0}; /* jmp f000:ff00 */
    static const uint8_t code[] = {0xb8, 0x00, 0x10, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0x00,
                                   0x20, 0x68, 0x34, 0x12, 0x8f, 0x06, 0x00, 0x03, 0xf4};
    struct cv_bus_range range = {.base = 0xffffff00u,
                                 .size = sizeof(rom),
                                 .read = read_rom,
                                 .write = ignore_write,
                                 .arg = rom,
                                 .min_size = 1,
                                 .max_size = 1,
                                 .name = "rom"};
    memcpy(rom + 0xf0, jump, sizeof(jump));
    memcpy(s->ram.base + 0xfff00, code, sizeof(code)); /* the same ROM's other place */
    cv_bus_add_mmio(&s->bus, &range);
    cv_cpu_reset(&s->cpu, 1);
    cv_control_changed(&s->cpu);
    cr_assert_eq(s->cpu.seg[CV_CS].sel, 0xf000);
    cr_assert_eq(s->cpu.seg[CV_CS].base, 0xffff0000);
    cr_assert_eq(s->cpu.rip, 0xfff0);
    stepper_one(s);
    cr_assert_eq(s->cpu.seg[CV_CS].base, 0xf0000);
    cr_assert_eq(s->cpu.rip, 0xff00);
    stepper_some(s, 7);
    cr_assert_eq(legacy_get(s, 0x10300, 2), 0x1234);
    cr_assert_eq(s->cpu.gpr[CV_RSP], 0x2000);
    cr_assert_eq(s->cpu.halted, 1);
}
