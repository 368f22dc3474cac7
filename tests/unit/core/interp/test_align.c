/*
 * test_align.c - #AC by kind of operand
 *
 * Each row says from which alignment on an access succeeds; a processor of today agrees
 * on all that it can execute in 64-bit mode.
 * Spec:    Intel SDM 3A "Interrupt 17, Alignment Check Exception (#AC)", table 6-7
 *          "Alignment Requirements by Data Type"
 */
#include "stepper.h"

#include "core/cpu/fpu.h"
#include "core/system/control.h"

#include <criterion/criterion.h>
#include <string.h>

static struct stepper *s;

static void setup(void)
{
    s = stepper_new();
    cv_fpu_enter(&s->cpu);
}
static void teardown(void)
{
    cv_fpu_leave(&s->cpu);
    stepper_free(s);
}

TestSuite(align, .init = setup, .fini = teardown);

struct row {
    const char *name;
    uint8_t bits, n, code[8]; /* operand at [rbx], [ebx] */
    uint8_t align;            /* 1: never #AC */
    uint8_t vector;           /* what an address short of it raises; 0: #AC */
};

static const struct row rows[] = {
    {"byte", 64, 2, {0x8a, 0x03}, 1, 0},
    {"word", 64, 3, {0x66, 0x8b, 0x03}, 2, 0},
    {"dword", 64, 2, {0x8b, 0x03}, 4, 0},
    {"qword", 64, 3, {0x48, 0x8b, 0x03}, 8, 0},
    {"dword store", 64, 2, {0x89, 0x03}, 4, 0},
    {"dword read-modify-write", 64, 2, {0x01, 0x03}, 4, 0},
    {"push qword", 64, 2, {0xff, 0x33}, 8, 0},
    {"bt dword", 64, 3, {0x0f, 0xa3, 0x03}, 4, 0},
    {"bt word", 64, 4, {0x66, 0x0f, 0xa3, 0x03}, 2, 0},
    {"cmpxchg8b", 64, 3, {0x0f, 0xc7, 0x0b}, 8, 0},
    {"cmpxchg16b", 64, 4, {0x48, 0x0f, 0xc7, 0x0b}, 16, CV_EXC_GP},
    {"segment selector", 64, 2, {0x8e, 0x2b}, 2, 0},
    {"store of a selector", 64, 2, {0x8c, 0x2b}, 2, 0},
    {"far pointer 16:16", 64, 4, {0x66, 0x0f, 0xb5, 0x03}, 2, 0},
    {"far pointer 16:32", 64, 3, {0x0f, 0xb5, 0x03}, 4, 0},
    {"far pointer 16:64", 64, 4, {0x48, 0x0f, 0xb5, 0x03}, 8, 0},
    {"les", 32, 2, {0xc4, 0x03}, 4, 0},
    {"les of 16 bits", 32, 3, {0x66, 0xc4, 0x03}, 2, 0},
    {"bound", 32, 2, {0x62, 0x03}, 4, 0},
    {"bound of 16 bits", 32, 3, {0x66, 0x62, 0x03}, 2, 0},
    {"sgdt", 64, 3, {0x0f, 0x01, 0x03}, 4, 0},
    {"sidt", 32, 3, {0x0f, 0x01, 0x0b}, 4, 0},
    {"sldt", 64, 3, {0x0f, 0x00, 0x03}, 2, 0},
    {"fld single", 64, 2, {0xd9, 0x03}, 4, 0},
    {"fld double", 64, 2, {0xdd, 0x03}, 8, 0},
    {"fld extended", 64, 2, {0xdb, 0x2b}, 8, 0},
    {"fbstp", 64, 2, {0xdf, 0x33}, 8, 0},
    {"fild word", 64, 2, {0xdf, 0x03}, 2, 0},
    {"fnstcw", 64, 2, {0xd9, 0x3b}, 2, 0},
    {"fnstenv", 64, 2, {0xd9, 0x33}, 4, 0},
    {"fnstenv of 16 bits", 64, 3, {0x66, 0xd9, 0x33}, 2, 0},
    {"fldenv", 64, 2, {0xd9, 0x23}, 4, 0},
    {"fldenv of 16 bits", 64, 3, {0x66, 0xd9, 0x23}, 2, 0},
    {"fnsave", 64, 2, {0xdd, 0x33}, 4, 0},
    {"fnsave of 16 bits", 64, 3, {0x66, 0xdd, 0x33}, 2, 0},
    {"frstor", 64, 2, {0xdd, 0x23}, 4, 0},
    {"frstor of 16 bits", 64, 3, {0x66, 0xdd, 0x23}, 2, 0},
    {"fxsave", 64, 3, {0x0f, 0xae, 0x03}, 16, CV_EXC_GP},
    {"fxrstor", 64, 3, {0x0f, 0xae, 0x0b}, 16, CV_EXC_GP},
    {"xsave", 64, 3, {0x0f, 0xae, 0x23}, 64, CV_EXC_GP},
    {"stmxcsr", 64, 3, {0x0f, 0xae, 0x1b}, 4, 0},
    {"movss", 64, 4, {0xf3, 0x0f, 0x10, 0x03}, 4, 0},
    {"movq", 64, 4, {0xf3, 0x0f, 0x7e, 0x03}, 8, 0},
    {"movhps store", 64, 3, {0x0f, 0x17, 0x03}, 8, 0},
    {"pmovzxbq", 64, 5, {0x66, 0x0f, 0x38, 0x32, 0x03}, 2, 0},
    {"movups", 64, 3, {0x0f, 0x10, 0x03}, 1, 0},
    {"movdqu store", 64, 4, {0xf3, 0x0f, 0x7f, 0x03}, 1, 0},
    {"vmovups ymm", 64, 4, {0xc5, 0xfc, 0x10, 0x03}, 1, 0},
    {"movaps", 64, 3, {0x0f, 0x28, 0x03}, 16, CV_EXC_GP},
    {"addps", 64, 3, {0x0f, 0x58, 0x03}, 16, CV_EXC_GP},
    {"vmovaps ymm", 64, 4, {0xc5, 0xfc, 0x28, 0x03}, 32, CV_EXC_GP},
    {"vmaskmovps", 64, 5, {0xc4, 0xe2, 0x71, 0x2c, 0x03}, 1, 0},
    {"vmaskmovpd store", 64, 5, {0xc4, 0xe2, 0x71, 0x2f, 0x03}, 1, 0},
    {"vgatherdps", 64, 6, {0xc4, 0xe2, 0x71, 0x92, 0x04, 0x13}, 1, 0},
    {"string source", 64, 2, {0x48, 0xad}, 8, 0},
    {"xlat", 64, 1, {0xd7}, 1, 0},
};

static void prepare(const struct row *r, unsigned off, bool check)
{
    static const uint32_t upper = 0x7fff7fff; /* of BOUND; the lower one is 0 */
    stepper_mode(s, 3, r->bits);
    s->cpu.cr0 |= check ? CV_CR0_AM : 0;
    s->cpu.cr4 |= CV_CR4_OSXSAVE;
    s->cpu.xcr0 = 7;
    s->cpu.rflags |= CV_FL_AC;
    cv_control_changed(&s->cpu);
    memset(stepper_at(s, STEPPER_DATA), 0, 0x400);
    if (strncmp(r->name, "bound", 5) == 0) {
        memcpy(stepper_at(s, STEPPER_DATA + off) + (r->n == 3 ? 2 : 4), &upper, 4);
    }
    memset(s->cpu.gpr, 0, sizeof(s->cpu.gpr));
    s->cpu.gpr[CV_RSP] = STEPPER_DATA + 0x1000;
    s->cpu.gpr[CV_RBX] = s->cpu.gpr[CV_RSI] = STEPPER_DATA + off;
    /* all elements of the masks, and no pending x87 exception */
    static const uint8_t init[] = {0xdb, 0xe3, 0xc5, 0xf1, 0x76, 0xc9, 0xc5,
                                   0xf8, 0x57, 0xc0, 0xc5, 0xe8, 0x57, 0xd2};
    stepper_code(s, init, sizeof(init));
    for (unsigned i = 0; i < 4; i++) {
        stepper_step(s);
    }
    stepper_code(s, r->code, r->n);
}

Test(align, each_kind_of_operand_has_its_own)
{
    static const uint8_t offs[] = {0, 1, 2, 4, 8, 16, 32};
    for (unsigned n = 0; n < CV_ARRAY_LEN(rows) * CV_ARRAY_LEN(offs); n++) {
        const struct row *r = &rows[n / CV_ARRAY_LEN(offs)];
        unsigned off = offs[n % CV_ARRAY_LEN(offs)];
        bool short_of = off % r->align != 0;
        unsigned vector = r->vector != 0 ? r->vector : CV_EXC_AC;
        prepare(r, off, true);
        stepper_step(s);
        cr_expect_eq(stepper_vector(s), short_of ? (int)vector : -1, "%s + %u: vector %d",
                     r->name, off, stepper_vector(s));
        prepare(r, off, false); /* CR0.AM clear: only the rules of the instruction */
        s->cpu.cr0 &= ~CV_CR0_AM;
        cv_control_changed(&s->cpu);
        stepper_step(s);
        cr_expect_eq(stepper_vector(s), short_of && r->vector != 0 ? (int)vector : -1,
                     "%s + %u unchecked: vector %d", r->name, off, stepper_vector(s));
    }
}

Test(align, only_ring_3_with_both_bits_is_checked)
{
    static const struct row word = {"word", 64, 3, {0x66, 0x8b, 0x03}, 2, 0};
    prepare(&word, 1, true);
    s->cpu.rflags &= ~(uint64_t)CV_FL_AC;
    cv_control_changed(&s->cpu);
    stepper_step(s);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 3);
    prepare(&word, 1, true);
    uint64_t error = ~0ull;
    stepper_step(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_AC);
    memcpy(&error, stepper_at(s, s->cpu.gpr[CV_RSP]), 8);
    cr_assert_eq(error, 0);
    cr_assert_eq(s->cpu.mode & CV_MODE_AC, 0, "the handler's frame is not checked");
}
