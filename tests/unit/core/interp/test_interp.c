/*
 * test_interp.c - the step law: slices, shadows, traps, privileges, all-or-nothing faults
 */
#include "stepper.h"

#include "core/system/control.h"
#include "core/system/interrupt.h"

#include <criterion/criterion.h>
#include <string.h>

static struct stepper *s;

static void setup(void)
{
    s = stepper_new();
}
static void teardown(void)
{
    stepper_free(s);
}

TestSuite(interp, .init = setup, .fini = teardown);

/* The frame a 64-bit delivery pushed: error code present or not. */
static uint64_t pushed_rip(bool error)
{
    uint64_t v;
    memcpy(&v, stepper_at(s, s->cpu.gpr[CV_RSP] + (error ? 8 : 0)), 8);
    return v;
}

static uint64_t pushed_error(void)
{
    uint64_t v;
    memcpy(&v, stepper_at(s, s->cpu.gpr[CV_RSP]), 8);
    return v;
}

/* -- flags of this CPU model --------------------------------------------------------- */

struct flag_case {
    const char *name;
    uint8_t code[6];
    uint64_t rax, rcx, rdx;
    uint32_t before, after; /* arithmetic flags */
    uint64_t result;        /* rax */
};

static const struct flag_case flag_cases[] = {
    {"and clears AF", {0x21, 0xc8}, 0xf0, 0x10, 0, CV_FL_ARITH, 0, 0x10},
    {"shl by 3 clears OF and AF",
     {0xc0, 0xe0, 3},
     0x61,
     0,
     0,
     CV_FL_ARITH,
     CV_FL_CF,
     0x08},
    {"shl past the size",
     {0xc0, 0xe0, 17},
     0xff,
     0,
     0,
     CV_FL_ARITH,
     CV_FL_ZF | CV_FL_PF,
     0},
    {"sar past the size",
     {0xc0, 0xf8, 17},
     0x80,
     0,
     0,
     0,
     CV_FL_CF | CV_FL_SF | CV_FL_PF,
     0xff},
    {"shl by 0 keeps flags", {0xd3, 0xe0}, 1, 32, 0, CV_FL_ARITH, CV_FL_ARITH, 1},
    {"rol by 2 clears OF",
     {0xc0, 0xc0, 2},
     0x40,
     0,
     0,
     CV_FL_ARITH,
     CV_FL_ARITH & ~CV_FL_OF,
     1},
    {"rcl by 9 of a byte keeps CF",
     {0xc0, 0xd0, 9},
     0x40,
     0,
     0,
     CV_FL_CF | CV_FL_OF,
     CV_FL_CF,
     0x40},
    {"shrd 16 past the size",
     {0x66, 0x0f, 0xac, 0xc8, 20},
     0x1234,
     0xabcd,
     0,
     CV_FL_ARITH,
     CV_FL_CF,
     0x4abc},
    {"mul", {0xf6, 0xe1}, 0x10, 0x10, 0, CV_FL_ARITH, CV_FL_CF | CV_FL_OF, 0x100},
    {"imul that fits", {0x0f, 0xaf, 0xc1}, 3, 5, 0, CV_FL_ARITH, 0, 15},
    {"div", {0xf7, 0xf1}, 100, 7, 0, CV_FL_ARITH, 0, 14},
    {"bsf of 0",
     {0x0f, 0xbc, 0xc1},
     0x1122334455667788,
     0,
     0,
     CV_FL_ARITH,
     CV_FL_ZF,
     0x1122334455667788},
    {"bsr", {0x0f, 0xbd, 0xc1}, 0, 0x80, 0, CV_FL_ARITH, 0, 7},
    {"tzcnt of 0", {0xf3, 0x0f, 0xbc, 0xc1}, 0, 0, 0, CV_FL_ARITH, CV_FL_CF, 32},
    {"bt keeps the rest",
     {0x0f, 0xa3, 0xc8},
     1,
     0,
     0,
     CV_FL_ARITH & ~CV_FL_CF,
     CV_FL_ARITH,
     1},
    {"andn", {0xc4, 0xe2, 0x70, 0xf2, 0xc2}, 0, 0xff, 0xf00, CV_FL_ARITH, 0, 0xf00},
    {"bswap r16", {0x66, 0x0f, 0xc8}, 0x11223344, 0, 0, 0, 0, 0x11220000},
};

Test(interp, undefined_flags_have_the_values_of_the_model)
{
    for (unsigned i = 0; i < CV_ARRAY_LEN(flag_cases); i++) {
        const struct flag_case *c = &flag_cases[i];
        stepper_code(s, c->code, sizeof(c->code));
        s->cpu.gpr[CV_RAX] = c->rax;
        s->cpu.gpr[CV_RCX] = c->rcx;
        s->cpu.gpr[CV_RDX] = c->rdx;
        s->cpu.rflags = CV_FL_FIXED | CV_FL_IF | c->before;
        stepper_one(s);
        cr_expect_eq(s->cpu.rflags & CV_FL_ARITH, c->after, "%s: %llx", c->name,
                     (unsigned long long)(s->cpu.rflags & CV_FL_ARITH));
        cr_expect_eq(s->cpu.gpr[CV_RAX], c->result, "%s: %llx", c->name,
                     (unsigned long long)s->cpu.gpr[CV_RAX]);
    }
}

/* -- repeated string instructions ---------------------------------------------------- */

struct slice_case {
    const char *name;
    uint8_t code[3];
    uint32_t rsi, rdi, rcx; /* rsi, rdi relative to the data */
    bool down;
    unsigned slices;
    uint32_t first_rcx; /* after the first slice */
};

static const struct slice_case slice_cases[] = {
    {"in one page", {0xf3, 0xa4}, 0x100, 0x2100, 50, false, 1, 0},
    {"source crosses", {0xf3, 0xa4}, 0xff0, 0x2100, 50, false, 2, 34},
    {"both cross apart", {0xf3, 0xa4}, 0xff0, 0x2ff8, 50, false, 3, 42},
    {"ends with the page", {0xf3, 0xa4}, 0xff0, 0x2100, 16, false, 1, 0},
    {"an element straddles", {0xf3, 0xa5}, 0xffa, 0x2100, 8, false, 2, 6},
    {"three pages of stos", {0xf3, 0x48, 0xab}, 0, 0x800, 1024, false, 3, 768},
    {"downwards", {0xf3, 0xa4}, 0x1004, 0x2100, 10, true, 2, 5},
    {"lods", {0xf3, 0xac}, 0xffe, 0, 4, false, 2, 2},
    {"count 0", {0xf3, 0xa4}, 0, 0, 0, false, 1, 0},
};

Test(interp, a_rep_slice_ends_where_an_address_crosses_a_page)
{
    for (unsigned i = 0; i < CV_ARRAY_LEN(slice_cases); i++) {
        const struct slice_case *c = &slice_cases[i];
        stepper_code(s, c->code, 3);
        s->cpu.rflags = CV_FL_FIXED | CV_FL_IF | (c->down ? CV_FL_DF : 0);
        s->cpu.gpr[CV_RSI] = STEPPER_DATA + c->rsi;
        s->cpu.gpr[CV_RDI] = STEPPER_DATA + c->rdi;
        s->cpu.gpr[CV_RCX] = c->rcx;
        unsigned n = 0;
        do {
            stepper_one(s);
            if (++n == 1) {
                cr_expect_eq(s->cpu.gpr[CV_RCX], c->first_rcx, "%s: rcx %llu", c->name,
                             (unsigned long long)s->cpu.gpr[CV_RCX]);
            }
            bool unfinished = s->cpu.rip == STEPPER_CODE;
            cr_expect_eq((s->cpu.rflags & CV_FL_RF) != 0, unfinished, "%s", c->name);
        } while (s->cpu.rip == STEPPER_CODE && n < 100);
        cr_expect_eq(n, c->slices, "%s: %u slices", c->name, n);
        cr_expect_eq(s->cpu.gpr[CV_RCX], 0, "%s", c->name);
    }
}

Test(interp, tf_ends_a_slice_after_each_iteration)
{
    STEPPER_PLACE(s, 0xf3, 0xa4, 0x90);
    s->cpu.gpr[CV_RSI] = STEPPER_DATA;
    s->cpu.gpr[CV_RDI] = STEPPER_DATA + 0x100;
    s->cpu.gpr[CV_RCX] = 3;
    s->cpu.rflags |= CV_FL_TF;
    for (unsigned left = 2; left < 3; left--) {
        s->cpu.db_pending = 0;
        stepper_one(s);
        cr_assert_eq(s->cpu.gpr[CV_RCX], left);
        cr_assert_eq(s->cpu.db_pending, 1);
        cr_assert_eq(s->cpu.dr6_pending, 1u << 14);
    }
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 2);
}

Test(interp, movs_with_overlap_repeats_as_byte_copies_do)
{
    STEPPER_PLACE(s, 0xf3, 0xa4);
    memcpy(stepper_at(s, STEPPER_DATA), "abcdefghijkl", 12);
    s->cpu.gpr[CV_RSI] = STEPPER_DATA;
    s->cpu.gpr[CV_RDI] = STEPPER_DATA + 2;
    s->cpu.gpr[CV_RCX] = 10;
    stepper_one(s);
    cr_assert_arr_eq(stepper_at(s, STEPPER_DATA), "abababababab", 12);
}

Test(interp, a_fault_in_mid_slice_keeps_what_was_done)
{
    STEPPER_PLACE(s, 0xf3, 0xa5); /* the third element straddles into a missing page */
    stepper_protect(s, STEPPER_DATA + 0x3000, 0);
    s->cpu.gpr[CV_RSI] = STEPPER_DATA;
    s->cpu.gpr[CV_RDI] = STEPPER_DATA + 0x2ff6;
    s->cpu.gpr[CV_RCX] = 5;
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_PF);
    cr_assert_eq(s->cpu.cr2, STEPPER_DATA + 0x3000);
    cr_assert_eq(s->cpu.gpr[CV_RCX], 3);
    cr_assert_eq(s->cpu.gpr[CV_RDI], STEPPER_DATA + 0x2ffe);
    cr_assert_eq(s->cpu.gpr[CV_RSI], STEPPER_DATA + 8);
    cr_assert_eq(pushed_rip(true), STEPPER_CODE);
}

Test(interp, repe_cmps_stops_at_the_difference)
{
    STEPPER_PLACE(s, 0xf3, 0xa6);
    memcpy(stepper_at(s, STEPPER_DATA), "samea", 5);
    memcpy(stepper_at(s, STEPPER_DATA + 0x100), "sameb", 5);
    s->cpu.gpr[CV_RSI] = STEPPER_DATA;
    s->cpu.gpr[CV_RDI] = STEPPER_DATA + 0x100;
    s->cpu.gpr[CV_RCX] = 100;
    stepper_one(s);
    cr_assert_eq(s->cpu.gpr[CV_RCX], 95);
    cr_assert_eq(s->cpu.rflags & (CV_FL_CF | CV_FL_ZF), CV_FL_CF);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 2);
}

/* -- faults change nothing ----------------------------------------------------------- */

struct fault_case {
    const char *name;
    unsigned bits;
    uint8_t code[8];
    uint64_t rbx, rsp; /* relative to the data */
    int vector;
    uint32_t error;
};

/* The page at data + 0x3000 is missing, that at 0x4000 is read-only. */
static const struct fault_case fault_cases[] = {
    {"add [ro], eax is a write", 64, {0x01, 0x03}, 0x4000, 0x1000, CV_EXC_PF, 7},
    {"lock cmpxchg [ro] that fails",
     64,
     {0xf0, 0x0f, 0xb1, 0x0b},
     0x4000,
     0x1000,
     CV_EXC_PF,
     7},
    {"xadd [ro]", 64, {0x0f, 0xc1, 0x03}, 0x4000, 0x1000, CV_EXC_PF, 7},
    {"xchg [missing] is a write", 64, {0x87, 0x03}, 0x3000, 0x1000, CV_EXC_PF, 6},
    {"inc across the edge", 64, {0x48, 0xff, 0x03}, 0x2ffc, 0x1000, CV_EXC_PF, 6},
    {"cmpxchg16b [ro]", 64, {0x48, 0x0f, 0xc7, 0x0b}, 0x4000, 0x1000, CV_EXC_PF, 7},
    {"cmpxchg16b misaligned", 64, {0x48, 0x0f, 0xc7, 0x0b}, 0x1008, 0x1000, CV_EXC_GP, 0},
    {"pop [missing]", 64, {0x8f, 0x03}, 0x3000, 0x1000, CV_EXC_PF, 6},
    {"push to a missing page", 64, {0x50}, 0, 0x4000, CV_EXC_PF, 6},
    {"call to a missing stack", 64, {0xe8, 0, 0, 0, 0}, 0, 0x4000, CV_EXC_PF, 6},
    {"enter into a missing page", 64, {0xc8, 0x00, 0x10, 3}, 0, 0x4010, CV_EXC_PF, 7},
    {"enter whose frame is missing",
     64,
     {0xc8, 0x00, 0x08, 0},
     0,
     0x2008 + 0x1800,
     CV_EXC_PF,
     6},
    {"pusha into a missing page", 32, {0x60}, 0, 0x4000, CV_EXC_PF, 6},
    {"int 0x81 above its DPL", 64, {0xcd, 0x81}, 0, 0x1000, CV_EXC_GP, 0x81 * 8 + 2},
    {"jmp to a non-canonical address", 64, {0xff, 0x23}, 0x1800, 0x1000, CV_EXC_GP, 0},
    {"ret to a non-canonical address", 64, {0xc3}, 0, 0x1800, CV_EXC_GP, 0},
    {"ud2", 64, {0x0f, 0x0b}, 0, 0x1000, CV_EXC_UD, 0},
    {"unknown opcode", 64, {0x0f, 0x04}, 0, 0x1000, CV_EXC_UD, 0},
    {"bound outside", 32, {0x62, 0x0b}, 0x1900, 0x1000, CV_EXC_BR, 0},
    {"32-bit jump past the CS limit", 32, {0xff, 0x23}, 0x1910, 0x1000, CV_EXC_GP, 0},
};

Test(interp, a_fault_changes_nothing_and_is_one_step)
{
    stepper_protect(s, STEPPER_DATA + 0x3000, 0);
    stepper_protect(s, STEPPER_DATA + 0x4000, 5);
    uint64_t bad = 0x0000900000000000;
    memcpy(stepper_at(s, STEPPER_DATA + 0x1800), &bad, 8);
    memset(stepper_at(s, STEPPER_DATA + 0x1900), 0, 8);
    uint32_t far = 0x80000000;
    memcpy(stepper_at(s, STEPPER_DATA + 0x1910), &far, 4);
    static uint8_t data[0x3000];
    for (unsigned i = 0; i < CV_ARRAY_LEN(fault_cases); i++) {
        const struct fault_case *c = &fault_cases[i];
        stepper_mode(s, 3, c->bits);
        s->cpu.seg[CV_CS].limit = 0x7fffffff;
        for (unsigned r = 0; r < 16; r++) {
            s->cpu.gpr[r] = 0x1000 + r;
        }
        s->cpu.gpr[CV_RBX] = STEPPER_DATA + c->rbx;
        s->cpu.gpr[CV_RSP] = STEPPER_DATA + c->rsp;
        s->cpu.gpr[CV_RBP] = STEPPER_DATA + 0x1100;
        uint64_t before[16];
        memcpy(before, s->cpu.gpr, sizeof(before));
        memcpy(data, stepper_at(s, STEPPER_DATA), sizeof(data));
        stepper_code(s, c->code, sizeof(c->code));
        stepper_one(s);
        cr_assert_eq(stepper_vector(s), c->vector, "%s: vector %d", c->name,
                     stepper_vector(s));
        bool error = c->vector != CV_EXC_UD && c->vector != CV_EXC_BR;
        cr_expect_eq(pushed_rip(error), STEPPER_CODE, "%s", c->name);
        if (error) {
            cr_expect_eq(pushed_error(), c->error, "%s: error %llx", c->name,
                         (unsigned long long)pushed_error());
        }
        before[CV_RSP] = s->cpu.gpr[CV_RSP];
        cr_expect_arr_eq(before, s->cpu.gpr, sizeof(before), "%s", c->name);
        cr_expect_arr_eq(data, stepper_at(s, STEPPER_DATA), sizeof(data), "%s", c->name);
    }
}

Test(interp, division_errors_are_faults)
{
    STEPPER_PLACE(s, 0xf7, 0xf3);
    s->cpu.gpr[CV_RBX] = 0;
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_DE);
    cr_assert_eq(pushed_rip(false), STEPPER_CODE);
}

Test(interp, an_instruction_that_reaches_into_a_missing_page_faults_at_that_page)
{
    cv_gva edge = STEPPER_WINDOW + 0x3000;
    static const uint8_t mov[5] = {0xb8, 1, 2, 3, 4};
    stepper_protect(s, edge, 0);
    memcpy(stepper_at(s, edge - 3), mov, 5);
    s->cpu.rip = edge - 3;
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_PF);
    cr_assert_eq(s->cpu.cr2, edge);
    cr_assert_eq(pushed_rip(true), edge - 3);
    stepper_mode(s, 3, 64); /* one that ends at the edge does not touch the next page */
    memcpy(stepper_at(s, edge - 5), mov, 5);
    s->cpu.rip = edge - 5;
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, edge);
    cr_assert_eq(s->cpu.gpr[CV_RAX], 0x04030201);
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_PF);
    cr_assert_eq(s->cpu.cr2, edge);
}

/* -- privileges ---------------------------------------------------------------------- */

struct privilege_case {
    const char *name;
    uint8_t code[6];
    int vector; /* at CPL 3 */
};

static const struct privilege_case privilege_cases[] = {
    {"hlt", {0xf4}, CV_EXC_GP},
    {"cli", {0xfa}, CV_EXC_GP},
    {"sti", {0xfb}, CV_EXC_GP},
    {"mov rax, cr0", {0x0f, 0x20, 0xc0}, CV_EXC_GP},
    {"mov cr3, rax", {0x0f, 0x22, 0xd8}, CV_EXC_GP},
    {"mov rax, dr7", {0x0f, 0x21, 0xf8}, CV_EXC_GP},
    {"rdmsr", {0x0f, 0x32}, CV_EXC_GP},
    {"wrmsr", {0x0f, 0x30}, CV_EXC_GP},
    {"rdpmc", {0x0f, 0x33}, CV_EXC_GP},
    {"lgdt", {0x0f, 0x01, 0x13}, CV_EXC_GP},
    {"lidt", {0x0f, 0x01, 0x1b}, CV_EXC_GP},
    {"lldt", {0x0f, 0x00, 0xd0}, CV_EXC_GP},
    {"ltr", {0x0f, 0x00, 0xd8}, CV_EXC_GP},
    {"lmsw", {0x0f, 0x01, 0xf0}, CV_EXC_GP},
    {"clts", {0x0f, 0x06}, CV_EXC_GP},
    {"invlpg", {0x0f, 0x01, 0x3b}, CV_EXC_GP},
    {"invpcid", {0x66, 0x0f, 0x38, 0x82, 0x03}, CV_EXC_GP},
    {"wbinvd", {0x0f, 0x09}, CV_EXC_GP},
    {"rdpmc, and there is none", {0x0f, 0x33}, CV_EXC_GP},
    {"swapgs", {0x0f, 0x01, 0xf8}, CV_EXC_GP},
    {"sysret", {0x48, 0x0f, 0x07}, CV_EXC_GP},
    {"sysexit", {0x0f, 0x35}, CV_EXC_GP},
    {"clac", {0x0f, 0x01, 0xca}, CV_EXC_UD},
    {"xgetbv without OSXSAVE", {0x0f, 0x01, 0xd0}, CV_EXC_UD},
    {"in from a closed port", {0xe4, 0x60}, CV_EXC_GP},
    {"out to a closed port", {0xe6, 0x60}, CV_EXC_GP},
    {"rep insb from a closed port", {0xf3, 0x6c}, CV_EXC_GP},
};

Test(interp, privileged_instructions_fault_in_user_mode)
{
    for (unsigned i = 0; i < CV_ARRAY_LEN(privilege_cases); i++) {
        const struct privilege_case *c = &privilege_cases[i];
        stepper_mode(s, 3, 64);
        memset(s->cpu.gpr, 0, sizeof(s->cpu.gpr));
        s->cpu.gpr[CV_RSP] = s->cpu.gpr[CV_RBX] = STEPPER_DATA + 0x1000;
        stepper_code(s, c->code, sizeof(c->code));
        stepper_one(s);
        cr_expect_eq(stepper_vector(s), c->vector, "%s: vector %d", c->name,
                     stepper_vector(s));
        cr_expect_eq(s->charged_ns, 0, "%s", c->name);
    }
}

Test(interp, umip_hides_the_descriptor_tables)
{
    STEPPER_PLACE(s, 0x0f, 0x01, 0x03); /* sgdt [rbx] */
    s->cpu.gpr[CV_RBX] = STEPPER_DATA;
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 3);
    cr_assert_eq(stepper_at(s, STEPPER_DATA)[0], 0x4f);
    s->cpu.cr4 |= CV_CR4_UMIP;
    cv_control_changed(&s->cpu);
    s->cpu.rip = STEPPER_CODE;
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_GP);
}

Test(interp, an_open_port_is_charged_before_the_device_sees_it)
{
    STEPPER_PLACE(s, 0xed, 0xef); /* in eax, dx; out dx, eax */
    s->cpu.gpr[CV_RDX] = 0x500;
    stepper_one(s);
    cr_assert_eq(s->charged_ns, 1000);
    cr_assert_eq(s->port_reads, 1);
    cr_assert_eq(s->cpu.gpr[CV_RAX], 0x11111111);
    stepper_one(s);
    cr_assert_eq(s->charged_ns, 2000);
    cr_assert_eq(s->port_last, 0x11111111);
    STEPPER_PLACE(s, 0xef); /* 0x502..0x505: half open */
    s->cpu.gpr[CV_RDX] = 0x502;
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_GP);
    cr_assert_eq(s->port_writes, 1);
}

Test(interp, ins_does_not_read_the_device_when_its_store_would_fault)
{
    STEPPER_PLACE(s, 0xf3, 0x6c);
    stepper_protect(s, STEPPER_DATA + 0x3000, 0);
    s->cpu.gpr[CV_RDX] = 0x500;
    s->cpu.gpr[CV_RDI] = STEPPER_DATA + 0x2ffd;
    s->cpu.gpr[CV_RCX] = 8;
    stepper_one(s);
    cr_assert_eq(s->port_reads, 3);
    cr_assert_eq(s->charged_ns, 3000);
    cr_assert_eq(s->cpu.gpr[CV_RCX], 5);
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_PF);
    cr_assert_eq(s->port_reads, 3);
}

/* -- shadows, traps, breakpoints ----------------------------------------------------- */

Test(interp, sti_shadows_exactly_the_next_step)
{
    stepper_mode(s, 0, 64);
    STEPPER_PLACE(s, 0xfa, 0xfb, 0x90, 0xfb, 0x90);
    stepper_one(s); /* cli */
    cr_assert_eq(s->cpu.leave & CV_LEAVE_LINES, CV_LEAVE_LINES);
    cr_assert_eq(s->cpu.shadow, 0);
    stepper_one(s); /* sti */
    cr_assert_eq(s->cpu.shadow, CV_SHADOW_STI);
    stepper_one(s);
    cr_assert_eq(s->cpu.shadow, 0);
    stepper_one(s); /* sti with IF set */
    cr_assert_eq(s->cpu.shadow, 0);
}

Test(interp, a_fault_ends_the_shadow_too)
{
    stepper_mode(s, 0, 64);
    STEPPER_PLACE(s, 0x8e, 0xd0, 0x0f, 0x0b); /* mov ss, eax; ud2 */
    s->cpu.gpr[CV_RAX] = STEPPER_DS0;
    s->cpu.gpr[CV_RSP] = STEPPER_RSP0;
    stepper_one(s);
    cr_assert_eq(s->cpu.shadow, CV_SHADOW_SS);
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_UD);
    cr_assert_eq(s->cpu.shadow, 0);
}

Test(interp, tf_traps_after_the_instruction_but_not_after_a_load_of_ss)
{
    stepper_mode(s, 0, 64);
    STEPPER_PLACE(s, 0x90, 0x8e, 0xd0, 0x90);
    s->cpu.gpr[CV_RAX] = STEPPER_DS0;
    s->cpu.rflags |= CV_FL_TF;
    stepper_one(s);
    cr_assert_eq(s->cpu.db_pending, 1);
    cr_assert_eq(s->cpu.dr6_pending, 1u << 14);
    s->cpu.db_pending = 0;
    s->cpu.dr6_pending = 0;
    stepper_one(s); /* mov ss */
    cr_assert_eq(s->cpu.db_pending, 0);
    stepper_one(s);
    cr_assert_eq(s->cpu.db_pending, 1);
}

Test(interp, a_software_interrupt_is_one_step_and_does_not_single_step)
{
    STEPPER_PLACE(s, 0xcc);
    s->cpu.rflags |= CV_FL_TF;
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_BP);
    cr_assert_eq(pushed_rip(false), STEPPER_CODE + 1);
    cr_assert_eq(s->cpu.db_pending, 0);
}

Test(interp, int1_ignores_the_dpl_of_its_gate_and_int_1_does_not)
{
    STEPPER_PLACE(s, 0xf1);
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_DB);
    cr_assert_eq(pushed_rip(false), STEPPER_CODE + 1);
    stepper_mode(s, 3, 64);
    STEPPER_PLACE(s, 0xcd, 0x01);
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_GP);
}

Test(interp, iret_loads_rf_and_the_next_instruction_clears_it)
{
    stepper_mode(s, 0, 64);
    STEPPER_PLACE(s, 0x48, 0xcf, 0x90);
    uint64_t frame[5] = {STEPPER_CODE + 2, STEPPER_CS0_64,
                         CV_FL_FIXED | CV_FL_IF | CV_FL_RF, STEPPER_RSP0, STEPPER_DS0};
    memcpy(stepper_at(s, STEPPER_KDATA), frame, sizeof(frame));
    s->cpu.gpr[CV_RSP] = STEPPER_KDATA;
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 2);
    cr_assert_eq(s->cpu.rflags & CV_FL_RF, CV_FL_RF);
    stepper_one(s);
    cr_assert_eq(s->cpu.rflags & CV_FL_RF, 0);
}

Test(interp, a_data_breakpoint_of_an_aborted_instruction_is_forgotten)
{
    STEPPER_PLACE(s, 0xff, 0x33, 0xff, 0x33); /* push qword [rbx], twice */
    s->cpu.dr[0] = STEPPER_DATA;
    s->cpu.dr[7] = 0x400 | 2 | 3u << 16;
    cv_control_changed(&s->cpu);
    s->cpu.gpr[CV_RBX] = STEPPER_DATA;
    stepper_one(s);
    cr_assert_eq(s->cpu.db_pending, 1);
    s->cpu.db_pending = 0;
    s->cpu.dr6_pending = 0;
    stepper_protect(s, STEPPER_DATA, 5); /* the stack's page */
    s->cpu.gpr[CV_RSP] = STEPPER_DATA + 0x100;
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_PF);
    cr_assert_eq(s->cpu.db_pending, 0);
}

Test(interp, an_instruction_breakpoint_is_a_fault_that_rf_suppresses_once)
{
    STEPPER_PLACE(s, 0x90, 0x90);
    s->cpu.dr[0] = STEPPER_CODE;
    s->cpu.dr[7] = 0x400 | 2;
    cv_control_changed(&s->cpu);
    cr_assert(s->cpu.mode & CV_MODE_DR7);
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_DB);
    cr_assert_eq(s->cpu.dr[6] & 15, 1);
    cr_assert_eq(pushed_rip(false), STEPPER_CODE);
    stepper_mode(s, 3, 64);
    s->cpu.rip = STEPPER_CODE;
    s->cpu.rflags |= CV_FL_RF;
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 1);
    cr_assert_eq(s->cpu.rflags & CV_FL_RF, 0);
}

Test(interp, halting_leaves_and_run_stops_there)
{
    stepper_mode(s, 0, 64);
    STEPPER_PLACE(s, 0x90, 0x90, 0xf4);
    uint64_t before = cv_cpu_icount(&s->cpu);
    cv_interp_run(s->interp, &s->cpu);
    cr_assert_eq(cv_cpu_icount(&s->cpu), before + 3);
    cr_assert_eq(s->cpu.halted, 1);
    cr_assert_eq(s->cpu.leave, CV_LEAVE_HALT);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 3);
}

Test(interp, run_ends_exactly_at_the_deadline)
{
    STEPPER_PLACE(s, 0xeb, 0xfe);
    cv_cpu_set_deadline(&s->cpu, cv_cpu_icount(&s->cpu) + 1000);
    cv_interp_run(s->interp, &s->cpu);
    cr_assert_eq(s->cpu.left, 0);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE);
}

Test(interp, run_delivers_the_single_step_trap_between_steps)
{
    STEPPER_PLACE(s, 0x90, 0x90);
    s->cpu.rflags |= CV_FL_TF;
    cv_cpu_set_deadline(&s->cpu, cv_cpu_icount(&s->cpu) + 2);
    cv_interp_run(s->interp, &s->cpu);
    cr_assert_eq(stepper_vector(s), CV_EXC_DB);
    cr_assert_eq(pushed_rip(false), STEPPER_CODE + 1);
}

/* -- code ---------------------------------------------------------------------------- */

Test(interp, changed_code_is_seen_at_once)
{
    STEPPER_PLACE(s, 0xb8, 1, 0, 0, 0);
    stepper_one(s);
    cr_assert_eq(s->cpu.gpr[CV_RAX], 1);
    stepper_at(s, STEPPER_CODE)[1] = 7;
    s->cpu.rip = STEPPER_CODE;
    stepper_one(s);
    cr_assert_eq(s->cpu.gpr[CV_RAX], 7);
    STEPPER_PLACE(s, 0x31, 0xc0);
    stepper_one(s);
    cr_assert_eq(s->cpu.gpr[CV_RAX], 0);
}

/* The same bytes at the same place, from the decode cache and not. */
Test(interp, code_size_is_part_of_what_bytes_mean)
{
    static const struct {
        uint32_t clear, set;
        unsigned len;
        uint64_t rax;
    } modes[] = {{CV_SEG_L, CV_SEG_DB, 5, 0x90901234},
                 {CV_SEG_DB | CV_SEG_L, 0, 3, 0x1122334455661234},
                 {CV_SEG_DB, CV_SEG_L, 5, 0x90901234}};
    STEPPER_PLACE(s, 0xb8, 0x34, 0x12, 0x90, 0x90, 0x90);
    for (unsigned i = 0; i < 12; i++) {
        unsigned m = i % 3;
        stepper_mode(s, 3, 64);
        s->cpu.seg[CV_CS].attr &= ~modes[m].clear;
        s->cpu.seg[CV_CS].attr |= modes[m].set;
        s->cpu.seg[CV_CS].limit = 0xffffffff;
        cv_control_changed(&s->cpu);
        s->cpu.gpr[CV_RAX] = 0x1122334455667788;
        s->cpu.rip = STEPPER_CODE;
        stepper_one(s);
        cr_assert_eq(s->cpu.rip, STEPPER_CODE + modes[m].len);
        cr_assert_eq(s->cpu.gpr[CV_RAX], modes[m].rax);
    }
}

Test(interp, fetching_past_the_cs_limit_is_a_general_protection_fault)
{
    stepper_mode(s, 3, 32);
    STEPPER_PLACE(s, 0xb8, 1, 2, 3, 4);
    s->cpu.seg[CV_CS].limit = STEPPER_CODE + 4;
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 5);
    s->cpu.rip = STEPPER_CODE; /* now from the decode cache */
    s->cpu.seg[CV_CS].limit = STEPPER_CODE + 3;
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_GP);
    cr_assert_eq(pushed_rip(true), STEPPER_CODE);
}

Test(interp, syscall_enters_without_a_trap_when_tf_is_masked)
{
    STEPPER_PLACE(s, 0x0f, 0x05);
    s->cpu.star = (uint64_t)STEPPER_CS0_64 << 32 | (uint64_t)(STEPPER_CS3_32 & ~3u) << 48;
    s->cpu.lstar = STEPPER_HANDLER;
    s->cpu.sfmask = CV_FL_TF | CV_FL_IF;
    s->cpu.rflags |= CV_FL_TF;
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, STEPPER_HANDLER);
    cr_assert_eq(s->cpu.gpr[CV_RCX], STEPPER_CODE + 2);
    cr_assert_eq(s->cpu.db_pending, 0);
}
