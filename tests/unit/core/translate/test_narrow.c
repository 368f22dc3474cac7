/*
 * test_narrow.c - 32-bit code: where addresses wrap, segments end and modes share
 * addresses
 *
 * Random programs (test_lockstep.c) seldom come to these places.
 */
#include "tests/unit/core/translate/twin.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct cv_exec_config config = {.cache_bytes = 1u << 20};

static struct twin *start(enum twin_mode mode, uint64_t base, unsigned cpl,
                          const void *code, size_t n)
{
    struct twin *t = twin_new_in(mode, &config, 1024, base, cpl);
    twin_code(t, code, n);
    return t;
}

static void check(struct twin *t, uint64_t icount)
{
    twin_run(t, icount);
    const char *diff = twin_diff(t, 1);
    cr_assert_null(diff, "at icount %lu: %s", icount, diff);
}

static void check_steps(struct twin *t, unsigned count, unsigned by)
{
    for (unsigned i = 1; i <= count; i++) {
        check(t, (uint64_t)i * by);
    }
}

static void cr_assert_translated(const struct twin *t)
{
    const struct cv_exec_stats *s = cv_exec_stats(t->a.exec);
    cr_assert_gt(s->native_steps, s->interp_steps, "%lu native, %lu interpreted",
                 s->native_steps, s->interp_steps);
}

static void set_rip(struct twin *t, uint64_t rip)
{
    t->a.cpu->rip = rip;
    t->b.cpu->rip = rip;
}

Test(narrow, the_stack_wraps_at_4_gib)
{
    /* pop eax; pop ebx; push ebx; push eax; pop esi; pop [edi]; push [edi]; push esi; jmp
     */
    static const uint8_t code[] = {0x58, 0x5b, 0x53, 0x50, 0x5e, 0x8f,
                                   0x07, 0xff, 0x37, 0x56, 0xeb, 0xf4};
    for (uint32_t esp = 0xffffffe8u; esp >= 0xffffffe8u || esp < 8; esp++) {
        struct twin *t = start(TWIN_PAE, LOW_BASE, 0, code, sizeof(code));
        twin_set(t, CV_RSP, esp);
        twin_set(t, CV_RDI, LOW_BASE + DATA_OFF);
        check_steps(t, 4, 67);
        twin_free(t);
    }
}

Test(narrow, a_pop_that_passes_4_gib_leaves_a_32_bit_stack_pointer)
{
    uint8_t code[128]; /* the deadline comes while nothing uses the stack */
    memset(code, 0x90, sizeof(code));
    code[0] = 0x5e; /* pop esi */
    struct twin *t = start(TWIN_PAE, LOW_BASE, 0, code, sizeof(code));
    twin_set(t, CV_RSP, 0xfffffffcu);
    check(t, 100);
    cr_assert_eq(t->a.cpu->gpr[CV_RSP], 0);
    twin_free(t);
}

Test(narrow, leave_and_ret_wrap_at_4_gib)
{
    /* leave; ret   (at 4 GiB - 8: ebp, then the address of the program) */
    static const uint8_t code[] = {0x89, 0xd5, 0x90, 0xc9, 0xc3}; /* mov ebp, edx */
    uint32_t frame[2] = {0x1234, (uint32_t)LOW_BASE};
    struct twin *t = start(TWIN_TWO_LEVEL, LOW_BASE, 0, code, sizeof(code));
    twin_poke(t, DATA_PHYS + 0xff8, frame, sizeof(frame));
    twin_set(t, CV_RDX, 0xabcd0000fffffff8ull);
    check_steps(t, 10, 66);
    cr_assert_eq(t->a.cpu->gpr[CV_RSP] & ~7ull, 0);
    twin_free(t);
}

/* Offsets that wrap inside a segment whose base is no page's start: #GP, though the
 * linear addresses are in one page. */
Test(narrow, an_access_across_the_end_of_a_segment_with_a_base_faults)
{
    for (unsigned size = 1; size <= 4; size *= 2) {
        for (uint32_t off = 0xfffffffau; off >= 0xfffffffau || off < 3; off++) {
            uint8_t code[64];
            memset(code, 0x90, sizeof(code));
            code[0] = 0x65; /* mov [gs:off], eax by size; mov eax, [gs:ebx]; bts */
            code[1] = size == 2 ? 0x66 : 0x90;
            code[2] = size == 1 ? 0xa2 : 0xa3;
            memcpy(code + 3, &off, 4);
            if (size != 2) { /* no prefix in between */
                code[0] = 0x90;
                code[1] = 0x65;
            }
            code[32] = 0x65;
            code[33] = size == 1 ? 0x8a : 0x8b;
            code[34] = 0x03;
            memcpy(code + 35, "\x65\x0f\xab\x0b\xeb\xd7", 6); /* bts gs:[ebx], ecx; jmp */
            struct twin *t = start(TWIN_PAE, UPPER_BASE, 3, code, sizeof(code));
            twin_set(t, CV_RBX, off | 0x5500000000ull);
            twin_set(t, CV_RCX, size == 4 ? 0xffffffe0u : 7);
            check_steps(t, 6, 70);
            twin_free(t);
        }
    }
}

/* Code in the last page, then at 0; a whole instruction at the end, or one across it. */
Test(narrow, execution_goes_on_at_0_after_4_gib)
{
    static const uint8_t low[] = {0xff, 0xc3, 0xe9, 0xf4,
                                  0xfe, 0xff, 0xff};                    /* jmp -0x105 */
    static const uint8_t call[] = {0x90, 0xe8, 0x00, 0x00, 0x00, 0x00}; /* at the end */
    for (unsigned shift = 0; shift < 6; shift++) {
        uint8_t high[256];
        memset(high, 0x40, sizeof(high)); /* inc eax */
        memcpy(high + 250 + shift, call, sizeof(call) - shift);
        struct twin *t = start(TWIN_PAE, LOW_BASE, 0, low, 1);
        twin_poke(t, DATA_PHYS + 0xf00, high, sizeof(high));
        twin_poke(t, 0, low, sizeof(low));
        set_rip(t, 0xffffff80u);
        check(t, 400); /* once without a deadline near the wrap */
        for (uint64_t i = 0; i < 12; i++) {
            check(t, 473 + i * 73);
        }
        twin_free(t);
    }
}

/* 48 FF C0 is INC RAX, or DEC EAX, INC EAX: what was translated for one mode must not be
 * found by the other. */
Test(narrow, two_modes_share_an_address)
{
    static const uint8_t code[] = {
        0xff, 0xd3,                                     /* 00 call rbx */
        0xff, 0xd3,                                     /* 02 call rbx */
        0xff, 0x2c, 0x25, 0x20, 0x00, 0x40, 0x00, 0x90, /* 04 jmp far [0x400020] */
        0xff, 0xd3,                                     /* 0c call ebx */
        0xff, 0xd3,                                     /* 0e call ebx */
        0xea, 0x00, 0x00, 0x40, 0x00, 0x08, 0x00, 0x90, /* 10 jmp 8:0x400000 */
        0x48, 0xff, 0xc0, 0xff, 0xc2, 0xc3, 0x90, 0x90, /* 18 inc rax; inc edx; ret */
        0x0c, 0x00, 0x40, 0x00, 0x40, 0x00};            /* 20 40:0x40000c */
    struct twin *t = start(TWIN_COMPAT, LOW_BASE, 0, code, sizeof(code));
    twin_set(t, CV_RBX, LOW_BASE + 0x18);
    check_steps(t, 50, 97);
    cr_assert_gt(t->a.cpu->gpr[CV_RAX], 100);
    twin_free(t);
}

/* Loads of DS and ES that end and restore flatness, with accesses in between. */
Test(narrow, code_with_other_segments_is_left_to_the_interpreter)
{
    static const uint8_t selectors[] = {0x00, 0x4b, 0x53, 0x5b, 0x63};
    for (unsigned i = 0; i < sizeof(selectors); i++) {
        uint8_t code[64] = {0x89, 0x07,                   /* mov [edi], eax */
                            0x8e, 0xd9,                   /* mov ds, ecx */
                            0x40, 0x89, 0x07,             /* inc eax; mov [edi], eax */
                            0x8e, 0xda,                   /* mov ds, edx */
                            0x40, 0x03, 0x07,             /* inc eax; add eax, [edi] */
                            0xeb, 0xf2};                  /* jmp */
        memcpy(code + 32, "\x8e\xda\x42\x4a\xeb\xda", 6); /* after a fault */
        struct twin *t = start(TWIN_TWO_LEVEL, LOW_BASE, 3, code, sizeof(code));
        twin_set(t, CV_RCX, selectors[i]);
        twin_set(t, CV_RDX, 0x23);
        twin_set(t, CV_RDI, LOW_BASE + DATA_OFF + 0x40);
        check_steps(t, 30, 71);
        check(t, 5000);
        cr_assert_gt(cv_exec_stats(t->a.exec)->native_steps, 100);
        cr_assert_gt(cv_exec_stats(t->a.exec)->interp_steps, 100);
        twin_free(t);
    }
}

Test(narrow, code_without_paging_is_translated)
{
    /* inc eax; mov [edi+eax], eax; push eax; pop ebx; add [esi], eax; jmp */
    static const uint8_t code[] = {0x40, 0x0f, 0xb6, 0xc8, 0x89, 0x04, 0x0f,
                                   0x50, 0x5b, 0x01, 0x06, 0xeb, 0xf3};
    struct twin *t = start(TWIN_PAE, LOW_BASE, 0, code, sizeof(code));
    struct machine *both[] = {&t->a, &t->b};
    for (unsigned i = 0; i < 2; i++) {
        struct cv_cpu *cpu = both[i]->cpu;
        cpu->cr0 &= ~(uint64_t)CV_CR0_PG;
        cpu->cr4 &= ~(uint64_t)CV_CR4_PAE;
        cv_cpu_update_mode(cpu);
        cv_tlb_select(cpu);
    }
    set_rip(t, CODE_PHYS);
    twin_set(t, CV_RSP, 0xf000);
    twin_set(t, CV_RDI, DATA_PHYS);
    twin_set(t, CV_RSI, DATA_PHYS + 0x1000);
    check_steps(t, 20, 111);
    check(t, 10000);
    cr_assert_translated(t);
    uint8_t dec = 0x48; /* the first instruction becomes another */
    twin_poke(t, CODE_PHYS, &dec, 1);
    check(t, 20000);
    cr_assert_translated(t);
    twin_free(t);
}

/* What kernels do all the time must not leave translated code. */
Test(narrow, common_instructions_stay_in_translated_code)
{
    static const uint8_t code[] = {
        0xa1, 0x00, 0x00, 0x50, 0x00,             /* mov eax, [0x500000] */
        0x40, 0x4b,                               /* inc eax; dec ebx */
        0x64, 0xa1, 0x10, 0x00, 0x00, 0x00,       /* mov eax, fs:[0x10] */
        0x65, 0x89, 0x05, 0x14, 0x00, 0x00, 0x00, /* mov gs:[0x14], eax */
        0x64, 0x01, 0x04, 0x8e,                   /* add fs:[esi+ecx*4], eax */
        0x1e, 0x06, 0x8c, 0xd8, 0x5a, 0x5a,       /* push ds, es; mov eax, ds; pop, pop */
        0x9c, 0x5a, 0x55, 0x89, 0xe5, 0xc9,       /* pushf; pop; push ebp; mov; leave */
        0xe8, 0x02, 0x00, 0x00, 0x00, 0xeb, 0xd5, /* call; jmp */
        0x88, 0xea, 0x00, 0xee,                   /* mov dl, ch; add dh, ch */
        0x0f, 0xb6, 0xc5, 0xc3,                   /* movzx eax, ch; ret */
    };
    struct twin *t = start(TWIN_PAE, LOW_BASE, 3, code, sizeof(code));
    twin_set(t, CV_RCX, 5);
    twin_set(t, CV_RSI, 0x100);
    check(t, 200); /* tags are filled now */
    uint64_t interpreted = cv_exec_stats(t->a.exec)->interp_steps;
    check(t, 20000);
    cr_assert_lt(cv_exec_stats(t->a.exec)->interp_steps, interpreted + 200);
    twin_free(t);
}
