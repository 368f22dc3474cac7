/*
 * test_system.c - system instructions at CPL 0: they retire, and do what they are for
 */
#include "stepper.h"

#include "core/system/control.h"
#include "core/system/msr.h"

#include <criterion/criterion.h>
#include <string.h>

static struct stepper *s;

static void setup(void)
{
    s = stepper_new();
    s->cpu.cr4 |= CV_CR4_OSXSAVE;
    stepper_mode(s, 0, 64);
    s->cpu.gpr[CV_RSP] = STEPPER_RSP0;
    s->cpu.gpr[CV_RBX] = STEPPER_KDATA;
}
static void teardown(void)
{
    stepper_free(s);
}

TestSuite(system, .init = setup, .fini = teardown);

static void put(cv_gva at, const void *p, unsigned n)
{
    memcpy(stepper_at(s, at), p, n);
}

struct result_case {
    const char *name;
    uint8_t len, code[7];
    uint64_t rax, rcx;
    unsigned reg;   /* CV_NOCHECK: only that it retires */
    uint64_t value; /* expected in reg */
};
#define CV_NOCHECK 16u

static const struct result_case result_cases[] = {
    {"mov rax, cr0",
     3,
     {0x0f, 0x20, 0xc0},
     0,
     0,
     CV_RAX,
     CV_CR0_PE | CV_CR0_ET | CV_CR0_NE | CV_CR0_WP | CV_CR0_PG},
    {"mov rax, cr3", 3, {0x0f, 0x20, 0xd8}, 0, 0, CV_RAX, 0x1000},
    {"mov cr2, rax", 3, {0x0f, 0x22, 0xd0}, 0x1234, 0, CV_NOCHECK, 0},
    {"mov rax, cr2", 3, {0x0f, 0x20, 0xd0}, 0, 0, CV_RAX, 0x1234},
    {"mov dr0, rax", 3, {0x0f, 0x23, 0xc0}, 0x5678, 0, CV_NOCHECK, 0},
    {"mov rcx, dr0", 3, {0x0f, 0x21, 0xc1}, 0, 0, CV_RCX, 0x5678},
    {"smsw eax", 3, {0x0f, 0x01, 0xe0}, 0, 0, CV_RAX, 0x80010031},
    {"clts", 2, {0x0f, 0x06}, 0, 0, CV_NOCHECK, 0},
    {"invlpg", 3, {0x0f, 0x01, 0x3b}, 0, 0, CV_NOCHECK, 0},
    {"wbinvd", 2, {0x0f, 0x09}, 0, 0, CV_NOCHECK, 0},
    {"rdmsr EFER", 2, {0x0f, 0x32}, ~0ull, 0xc0000080, CV_RAX, 0xd01},
    {"sldt ax", 3, {0x0f, 0x00, 0xc0}, ~0ull, 0, CV_RAX, 0},
    {"str eax", 3, {0x0f, 0x00, 0xc8}, ~0ull, 0, CV_RAX, STEPPER_TSS},
    {"lar ecx, ax", 3, {0x0f, 0x02, 0xc8}, STEPPER_CS0_64, 0, CV_RCX, 0x00a09b00},
    {"lsl rcx, ax", 4, {0x48, 0x0f, 0x03, 0xc8}, STEPPER_DS0, 0, CV_RCX, 0xffffffff},
    {"mov ds, eax", 2, {0x8e, 0xd8}, STEPPER_DS0, 0, CV_NOCHECK, 0},
    {"mov ecx, ds", 2, {0x8c, 0xd9}, 0, ~0ull, CV_RCX, STEPPER_DS0},
    {"mov cx, ds keeps the rest",
     3,
     {0x66, 0x8c, 0xd9},
     0,
     ~0ull,
     CV_RCX,
     0xffffffffffff0010},
    {"xgetbv", 3, {0x0f, 0x01, 0xd0}, ~0ull, 0, CV_RAX, 1},
    {"xsetbv", 3, {0x0f, 0x01, 0xd1}, 7, 0, CV_NOCHECK, 0},
    {"xgetbv again", 3, {0x0f, 0x01, 0xd0}, ~0ull, 0, CV_RAX, 7},
    {"wrgsbase rax", 5, {0xf3, 0x48, 0x0f, 0xae, 0xd8}, 0x7000, 0, CV_NOCHECK, 0},
    {"swapgs", 3, {0x0f, 0x01, 0xf8}, 0, 0, CV_NOCHECK, 0},
    {"rdgsbase rax after swapgs", 5, {0xf3, 0x48, 0x0f, 0xae, 0xc8}, 1, 0, CV_RAX, 0},
    {"swapgs back", 3, {0x0f, 0x01, 0xf8}, 0, 0, CV_NOCHECK, 0},
    {"rdgsbase eax", 4, {0xf3, 0x0f, 0xae, 0xc8}, 0, 0, CV_RAX, 0x7000},
    {"in al, 0x60 unclaimed", 2, {0xe4, 0x60}, 0x100, 0, CV_RAX, 0x1ff},
    {"lidt [rbx]", 3, {0x0f, 0x01, 0x1b}, 0, 0, CV_NOCHECK, 0},
    {"sidt [rbx]", 3, {0x0f, 0x01, 0x0b}, 0, 0, CV_NOCHECK, 0},
    {"lldt of nothing", 3, {0x0f, 0x00, 0xd0}, 0, 0, CV_NOCHECK, 0},
    {"lmsw: TS", 3, {0x0f, 0x01, 0xf0}, 0x39, 0, CV_NOCHECK, 0},
    {"smsw eax sees TS", 3, {0x0f, 0x01, 0xe0}, 0, 0, CV_RAX, 0x80010039},
    {"clts again", 2, {0x0f, 0x06}, 0, 0, CV_NOCHECK, 0},
    {"smsw eax sees none", 3, {0x0f, 0x01, 0xe0}, 0, 0, CV_RAX, 0x80010031},
    {"invd", 2, {0x0f, 0x08}, 0, 0, CV_NOCHECK, 0},
    {"stac", 3, {0x0f, 0x01, 0xcb}, 0, 0, CV_NOCHECK, 0},
    {"pushfq: AC is set", 1, {0x9c}, 0, 0, CV_NOCHECK, 0},
    {"pop rax with AC", 1, {0x58}, 0, 0, CV_RAX, CV_FL_AC | CV_FL_IF | CV_FL_ZF | CV_FL_FIXED},
    {"clac", 3, {0x0f, 0x01, 0xca}, 0, 0, CV_NOCHECK, 0},
    {"cli", 1, {0xfa}, 0, 0, CV_NOCHECK, 0},
    {"pushfq: IF is clear", 1, {0x9c}, 0, 0, CV_NOCHECK, 0},
    {"pop rax", 1, {0x58}, ~0ull, 0, CV_RAX, CV_FL_ZF | CV_FL_FIXED},
    {"wrmsr LSTAR", 2, {0x0f, 0x30}, 0x4321, 0xc0000082, CV_NOCHECK, 0},
    {"rdmsr LSTAR", 2, {0x0f, 0x32}, 0, 0xc0000082, CV_RAX, 0x4321},
    {"wrmsr TSC_AUX", 2, {0x0f, 0x30}, 0x77, 0xc0000103, CV_NOCHECK, 0},
    {"rdtscp", 3, {0x0f, 0x01, 0xf9}, 0, 0, CV_RCX, 0x77},
    {"outsb", 1, {0x6e}, 0, 0, CV_RSI, 1},
};

Test(system, they_retire_at_cpl_0_with_their_results)
{
    for (unsigned i = 0; i < CV_ARRAY_LEN(result_cases); i++) {
        const struct result_case *c = &result_cases[i];
        stepper_code(s, c->code, c->len);
        s->cpu.gpr[CV_RAX] = c->rax;
        s->cpu.gpr[CV_RCX] = c->rcx;
        stepper_one(s);
        cr_assert_eq(s->cpu.rip, STEPPER_CODE + c->len, "%s: vector %d", c->name,
                     stepper_vector(s));
        if (c->reg != CV_NOCHECK) {
            cr_expect_eq(s->cpu.gpr[c->reg], c->value, "%s: %llx", c->name,
                         (unsigned long long)s->cpu.gpr[c->reg]);
        }
    }
}

Test(system, rdtsc_sees_its_own_icount_and_cr4_tsd_hides_it)
{
    STEPPER_PLACE(s, 0x0f, 0x31);
    uint64_t tsc = cv_tsc(&s->cpu);
    stepper_one(s);
    cr_assert_eq(s->cpu.gpr[CV_RDX] << 32 | s->cpu.gpr[CV_RAX], tsc);
    s->cpu.cr4 |= CV_CR4_TSD;
    stepper_mode(s, 3, 64);
    s->cpu.rip = STEPPER_CODE;
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_GP);
}

Test(system, rdrand_draws_from_the_machine_and_sets_cf)
{
    STEPPER_PLACE(s, 0x48, 0x0f, 0xc7, 0xf0, 0x48, 0x0f, 0xc7, 0xf1); /* rax, rcx */
    s->cpu.rflags |= CV_FL_ARITH;
    stepper_one(s);
    stepper_one(s);
    cr_assert_neq(s->cpu.gpr[CV_RAX], s->cpu.gpr[CV_RCX]);
    cr_assert_eq(s->cpu.rflags & CV_FL_ARITH, CV_FL_CF);
}

Test(system, cpuid_fills_four_registers)
{
    STEPPER_PLACE(s, 0x0f, 0xa2);
    uint32_t want[4];
    cv_cpuid(&s->cpu, 0, 0, want);
    memset(s->cpu.gpr, 0xff, sizeof(s->cpu.gpr));
    s->cpu.gpr[CV_RAX] = 0xffffffff00000000;
    stepper_one(s);
    cr_assert_eq(s->cpu.gpr[CV_RAX], want[0]);
    cr_assert_eq(s->cpu.gpr[CV_RBX], want[1]);
    cr_assert_eq(s->cpu.gpr[CV_RCX], want[2]);
    cr_assert_eq(s->cpu.gpr[CV_RDX], want[3]);
}

Test(system, lgdt_takes_ten_bytes_and_refuses_a_base_that_is_not_canonical)
{
    STEPPER_PLACE(s, 0x0f, 0x01, 0x13); /* lgdt [rbx] */
    uint8_t image[10] = {0x4f, 0, 0, 0x60};
    put(STEPPER_KDATA, image, sizeof(image));
    stepper_one(s);
    cr_assert_eq(s->cpu.gdtr.base, 0x6000);
    cr_assert_eq(s->cpu.gdtr.limit, 0x4f);
    image[9] = 0x10;
    put(STEPPER_KDATA, image, sizeof(image));
    s->cpu.rip = STEPPER_CODE;
    stepper_one(s);
    cr_assert_eq(stepper_vector(s), CV_EXC_GP);
    cr_assert_eq(s->cpu.gdtr.base, 0x6000);
}

Test(system, far_call_and_return_come_back)
{
    STEPPER_PLACE(s, 0x48, 0xff, 0x1b, 0x90); /* call far [rbx], m16:64 */
    struct {
        uint64_t off;
        uint16_t sel;
    } __attribute__((packed)) to = {STEPPER_CODE + 0x100, STEPPER_CS0_64};
    static const uint8_t ret[2] = {0x48, 0xcb};
    put(STEPPER_KDATA, &to, sizeof(to));
    put(STEPPER_CODE + 0x100, ret, 2);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 0x100);
    cr_assert_eq(s->cpu.gpr[CV_RSP], STEPPER_RSP0 - 16);
    stepper_one(s);
    cr_assert_eq(s->cpu.rip, STEPPER_CODE + 3);
    cr_assert_eq(s->cpu.gpr[CV_RSP], STEPPER_RSP0);
}

Test(system, lss_loads_both_halves_without_a_shadow)
{
    STEPPER_PLACE(s, 0x48, 0x0f, 0xb2, 0x23); /* lss rsp, [rbx] */
    struct {
        uint64_t off;
        uint16_t sel;
    } __attribute__((packed)) to = {STEPPER_KDATA + 0x800, STEPPER_DS0};
    put(STEPPER_KDATA, &to, sizeof(to));
    stepper_one(s);
    cr_assert_eq(s->cpu.gpr[CV_RSP], STEPPER_KDATA + 0x800);
    cr_assert_eq(s->cpu.seg[CV_SS].sel, STEPPER_DS0);
    cr_assert_eq(s->cpu.shadow, 0);
}

Test(system, push_and_pop_of_segment_registers)
{
    STEPPER_PLACE(s, 0x0f, 0xa0, 0x0f, 0xa9); /* push fs; pop gs */
    memset(stepper_at(s, STEPPER_RSP0 - 8), 0xff, 8);
    stepper_one(s);
    uint64_t pushed;
    memcpy(&pushed, stepper_at(s, STEPPER_RSP0 - 8), 8);
    cr_assert_eq(pushed, STEPPER_DS0);
    stepper_one(s);
    cr_assert_eq(s->cpu.seg[CV_GS].sel, STEPPER_DS0);
    cr_assert_eq(s->cpu.gpr[CV_RSP], STEPPER_RSP0);
    stepper_mode(s, 0, 32);
    STEPPER_PLACE(s, 0x1e); /* push ds moves 16 bits */
    memset(stepper_at(s, STEPPER_RSP0 - 4), 0xff, 4);
    stepper_one(s);
    memcpy(&pushed, stepper_at(s, STEPPER_RSP0 - 4), 4);
    cr_assert_eq((uint32_t)pushed, 0xffff0000u | STEPPER_DS0);
}

Test(system, a_linear_address_wraps_at_4_gib_in_32_bit_mode)
{
    stepper_mode(s, 3, 32);
    STEPPER_PLACE(s, 0x8b, 0x03); /* mov eax, [ebx] with a base that carries over */
    s->cpu.seg[CV_DS].base = 0xf0000000;
    s->cpu.gpr[CV_RBX] = 0x10000000u + STEPPER_DATA;
    uint32_t v = 0x12345678;
    put(STEPPER_DATA, &v, 4);
    stepper_one(s);
    cr_assert_eq(s->cpu.gpr[CV_RAX], v);
}
