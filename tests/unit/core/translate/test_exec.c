/*
 * test_exec.c - what cv_exec_run promises: exact stops, breakpoints, code that changes
 */
#include "tests/unit/core/translate/twin.h"
#include "core/system/ferr.h"
#include "core/translate/execstate.h"

#include <Zydis/Zydis.h>
#include <criterion/criterion.h>
#include <string.h>

static struct cv_exec_config config = {.cache_bytes = 1u << 20};

static struct twin *start(const void *code, size_t n)
{
    struct twin *t = twin_new(&config, 1024, LOW_BASE, 0);
    twin_code(t, code, n);
    return t;
}

static void check(struct twin *t, uint64_t icount)
{
    twin_run(t, icount);
    const char *diff = twin_diff(t, 1);
    cr_assert_null(diff, "at icount %lu: %s", icount, diff);
}

/* inc rax; add rbx, rax; cmp rax, 1e9; jne back */
static const uint8_t loop[] = {0x48, 0xff, 0xc0, 0x48, 0x01, 0xc3, 0x48,
                               0x3d, 0x00, 0xca, 0x9a, 0x3b, 0x75, 0xf2};

Test(exec, a_chained_loop_stops_at_every_deadline_exactly)
{
    struct twin *t = start(loop, sizeof(loop));
    uint64_t icount = 0;
    for (unsigned step = 1; step < 400; step++) {
        check(t, icount += step);
    }
    cr_assert_gt(cv_exec_stats(t->a.exec)->native_steps, icount / 2);
    twin_free(t);
}

Test(exec, deadlines_behind_each_other_cover_each_place_in_a_block)
{
    uint8_t code[128];
    memset(code, 0x90, sizeof(code));
    for (unsigned i = 0; i < 40; i++) {
        memcpy(code + i * 3, "\x48\xff\xc0", 3);
    }
    code[120] = 0xeb; /* jmp start */
    code[121] = (uint8_t)-122;
    for (unsigned r = 1; r < 140; r++) {
        struct twin *t = start(code, sizeof(code));
        check(t, 200 + r);
        twin_free(t);
    }
}

Test(exec, a_breakpoint_inside_a_chained_loop_stops_before_its_instruction)
{
    struct twin *t = start(loop, sizeof(loop));
    check(t, 1000);
    cv_gva bp = LOW_BASE + 3;
    cv_exec_breakpoints(t->a.exec, &bp, 1);
    machine_run(&t->a, 5000);
    cr_assert(cv_exec_break_hit(t->a.exec));
    cr_assert_eq(t->a.cpu->rip, bp);
    uint64_t here = cv_cpu_icount(t->a.cpu);
    cr_assert_leq(here, 1004);
    machine_run(&t->b, here);
    cv_cpu_set_deadline(t->a.cpu, here);
    cr_assert_null(twin_diff(t, 1));
    machine_run(&t->a, 5000); /* still there */
    cr_assert_eq(cv_cpu_icount(t->a.cpu), here);
    cv_exec_skip_first(t->a.exec, true);
    machine_run(&t->a, 5000); /* one round of the loop */
    cr_assert(cv_exec_break_hit(t->a.exec));
    cr_assert_eq(cv_cpu_icount(t->a.cpu), here + 4);
    cv_exec_breakpoints(t->a.exec, NULL, 0);
    check(t, 9000);
    cr_assert(!cv_exec_break_hit(t->a.exec));
    twin_free(t);
}

/* inc rax; cpuid; inc rbx; jmp back: the block that is there already ends where CPUID is to be interpreted */
Test(exec, a_breakpoint_behind_a_block_that_is_there_already_stops_before_an_interpreted_instruction)
{
    static const uint8_t code[] = {0x48, 0xff, 0xc0, 0x0f, 0xa2, 0x48, 0xff, 0xc3, 0xeb, 0xf6};
    static const unsigned starts[] = {0, 3, 5, 8};
    for (size_t i = 0; i < CV_ARRAY_LEN(starts); i++) {
        struct twin *t = start(code, sizeof(code));
        check(t, 1000);
        cv_gva bp = LOW_BASE + starts[i];
        cv_exec_breakpoints(t->a.exec, &bp, 1);
        machine_run(&t->a, 5000);
        cr_assert(cv_exec_break_hit(t->a.exec), "at offset %u", starts[i]);
        cr_assert_eq(t->a.cpu->rip, bp);
        cr_assert_leq(cv_cpu_icount(t->a.cpu), 1004, "at offset %u", starts[i]);
        twin_free(t);
    }
}

Test(exec, a_deadline_wins_over_a_breakpoint_at_the_same_boundary)
{
    struct twin *t = start(loop, sizeof(loop));
    cv_gva bp = LOW_BASE + 3;
    cv_exec_breakpoints(t->a.exec, &bp, 1);
    machine_run(&t->a, 1);
    cr_assert_eq(t->a.cpu->rip, bp);
    cr_assert(!cv_exec_break_hit(t->a.exec));
    twin_free(t);
}

Test(exec, a_store_to_the_next_instruction_of_its_own_block_takes_effect)
{
    /* mov byte [rip+0], 2 patches the immediate of the mov that follows; then loop with
     * 3, 4.. */
    static const uint8_t code[] = {0x88, 0x1d, 0x01, 0x00, 0x00,
                                   0x00, /* mov [rip+1], bl: the imm below */
                                   0xb8, 0x01, 0x00, 0x00, 0x00, /* mov eax, 1 */
                                   0x01, 0xc1, 0xff, 0xc3, /* add ecx, eax; inc ebx */
                                   0xeb, 0xef};            /* jmp start */
    struct twin *t = start(code, sizeof(code));
    for (uint64_t i = 1; i < 60; i++) {
        check(t, i * 67);
    }
    cr_assert_gt(cv_exec_stats(t->a.exec)->invalidated, 3);
    twin_free(t);
}

Test(exec, a_page_table_edit_moves_the_running_code)
{
    /* swaps the PTE of the program's page with another that holds "add" for "sub" */
    uint8_t code[32] = {0x48, 0x01, 0xd8, /* add rax, rbx */
                        0x48, 0x87, 0x0f, /* xchg [rdi], rcx: the PTE */
                        0x48, 0xff, 0xc2, /* inc rdx */
                        0xeb, 0xf5};      /* jmp start */
    struct twin *t = start(code, sizeof(code));
    uint64_t other = CODE_PHYS + 4096;
    code[1] = 0x29; /* sub */
    twin_poke(t, other, code, sizeof(code));
    twin_map(t, 256, PT_PHYS | PTE_P | PTE_W);
    twin_set(t, CV_RDI, LOW_BASE + DATA_OFF);
    twin_set(t, CV_RCX, other | PTE_P | PTE_W | PTE_U);
    twin_set(t, CV_RBX, 3);
    for (uint64_t i = 1; i < 50; i++) {
        check(t, i * 71);
    }
    twin_free(t);
}

Test(exec, a_full_cache_is_flushed_and_filled_again)
{
    static uint8_t code[CODE_PAGES * 4096];
    for (unsigned i = 0; i < sizeof(code) - 64;
         i += 8) { /* lea eax,[rcx+rdx]; jmp over */
        memcpy(code + i, "\x01\x1c\x24\x75\x03\x90\x90\x90", 8); /* add [rsp], ebx; jne */
    }
    int32_t back = -(int32_t)(sizeof(code) - 64 + 5);
    code[sizeof(code) - 64] = 0xe9;
    memcpy(code + sizeof(code) - 63, &back, 4);
    struct cv_exec_config small = {.cache_bytes = 1u << 20, .block_insns = 1};
    struct twin *t = twin_new(&small, 1024, LOW_BASE, 0);
    twin_code(t, code, sizeof(code));
    twin_set(t, CV_RBX, 1);
    for (uint64_t i = 1; i < 12; i++) {
        cv_exec_flush(t->a.exec);
        check(t, i * 9973);
    }
    cr_assert_geq(cv_exec_stats(t->a.exec)->flushes, 11);
    twin_free(t);
}

Test(exec, a_non_canonical_address_never_meets_an_empty_tlb_entry)
{
    static const uint8_t code[] = {0x48, 0x8b, 0x03,
                                   0x48, 0xff, 0xc0}; /* mov rax,[rbx] */
    uint64_t bad[] = {0x8000000000000000ull, 0x8000000000001000ull, 0x7fffffffffffffffull,
                      0x800000000000ull, 0xffff7fffffffffffull};
    for (unsigned i = 0; i < 5; i++) {
        struct twin *t = start(code, sizeof(code));
        twin_set(t, CV_RBX, bad[i]);
        check(t, 100);
        twin_free(t);
    }
}

Test(exec, leave_from_a_non_canonical_frame_keeps_rsp)
{
    static const uint8_t code[] = {0xc9, 0x48, 0xff, 0xc0}; /* leave; inc rax */
    uint64_t bad[] = {0x8000000000000000ull, 0x7fffffffffffffffull, 0x8000000000000ff0ull};
    for (unsigned i = 0; i < 3; i++) {
        struct twin *t = start(code, sizeof(code));
        twin_set(t, CV_RBP, bad[i]);
        check(t, 100);
        twin_free(t);
    }
}

Test(exec, an_accessed_bit_set_by_the_walk_of_a_load_changes_the_code_behind_it)
{
    /* The program marks entry 100 of its page table as not accessed and jumps into that
     * page, where the entry is the immediate of a MOV behind the load that uses it. */
    static const uint8_t code[] = {0x4c, 0x89, 0x02, 0xff, 0xe7}; /* mov [rdx], r8; jmp rdi */
    static const uint8_t load[] = {0x48, 0x8b, 0x08, 0x48, 0xbb}; /* mov rcx, [rax]; mov rbx, */
    static const uint8_t back[] = {0x49, 0x01, 0xd9, 0xff, 0xe6}; /* add r9, rbx; jmp rsi */
    const uint64_t entry = DATA_PHYS | PTE_P | PTE_W | PTE_U;
    struct twin *t = start(code, sizeof(code));
    twin_poke(t, PT_PHYS + 800 - sizeof(load), load, sizeof(load));
    twin_poke(t, PT_PHYS + 808, back, sizeof(back));
    twin_map(t, 300, PT_PHYS | PTE_P | PTE_W | PTE_U);
    twin_set(t, CV_RDX, LOW_BASE + 300 * 4096 + 800);
    twin_set(t, CV_R8, entry);
    twin_set(t, CV_RDI, LOW_BASE + 300 * 4096 + 800 - sizeof(load));
    twin_set(t, CV_RAX, LOW_BASE + 100 * 4096);
    twin_set(t, CV_RSI, LOW_BASE);
    for (uint64_t i = 1; i < 40; i++) {
        check(t, i * 1000);
        cr_assert_eq(t->a.cpu->gpr[CV_R9] % (entry | 0x20), 0);
    }
    twin_free(t);
}

Test(exec, indirect_jumps_to_odd_addresses_fault_as_interpreted)
{
    static const uint8_t code[] = {0xff, 0xd3, 0x90, 0xc3}; /* call rbx; nop; ret */
    uint64_t bad[] = {0, 1, ~0ull, 0x8000000000000000ull, 0x7ffffffff000ull, 0x500000ull};
    for (unsigned i = 0; i < 6; i++) {
        struct twin *t = start(code, sizeof(code));
        twin_set(t, CV_RBX, bad[i]);
        check(t, 300);
        twin_free(t);
    }
}

/* #MF of what an earlier instruction left pending comes before the operand is touched:
 * its page must not become accessed. */
Test(exec, a_pending_x87_exception_comes_before_the_operand)
{
    static const uint8_t head[] = {0xd9, 0x2b, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9};
    static const uint8_t last[][4] = {
        {0x0f, 0x68, 0x66, 0x10},  /* punpckhbw mm4, [rsi+16] */
        {0xd9, 0x46, 0x10, 0x90},  /* fld dword [rsi+16] */
        {0xdf, 0x7e, 0x10, 0x90},  /* fistp qword [rsi+16] */
        {0x0f, 0x7f, 0x66, 0x10}}; /* movq [rsi+16], mm4 */
    uint16_t control = 0x33b;      /* divide by zero unmasked */
    for (unsigned i = 0; i < 4; i++) {
        uint8_t code[32];
        memset(code, 0x90, sizeof(code));
        memcpy(code, head, sizeof(head)); /* fldcw [rbx]; fld1; fldz; fdivp */
        memcpy(code + sizeof(head), last[i], 4);
        struct twin *t = start(code, sizeof(code));
        twin_poke(t, DATA_PHYS, &control, 2);
        twin_set(t, CV_RBX, LOW_BASE + DATA_OFF);
        twin_set(t, CV_RSI, LOW_BASE + DATA_OFF + 0x1000);
        check(t, 75);
        twin_free(t);
    }
}

/* Everything emitted for a block that has been run: nothing of the host's system (X7). */
/* core/system/ferr.h F1, F3: native x87 code meets the error as interpreted code does */
Test(exec, an_x87_error_without_cr0_ne_halts_translated_code)
{
    static const uint8_t code[] = {
        0xdb, 0xe3,                         /* fninit */
        0x66, 0xc7, 0x03, 0x7b, 0x03,       /* mov word [rbx], 37bh */
        0xd9, 0x2b, 0xd9, 0xe8, 0xd9, 0xee, /* fldcw fld1 fldz */
        0xde, 0xf9, 0xd9, 0xe8,             /* fdivp; fld1 */
        0xd9, 0xe8, 0xd9, 0xe8, 0xdb, 0xe2, 0xd9, 0xe8};
    struct twin *t = start(code, sizeof(code));
    twin_set(t, CV_RBX, LOW_BASE + DATA_OFF);
    t->a.cpu->cr0 &= ~CV_CR0_NE;
    t->b.cpu->cr0 &= ~CV_CR0_NE;
    check(t, 7);
    cr_assert_eq(t->a.cpu->halted, 1);
    cr_assert_eq(t->a.cpu->ferr, CV_FERR_RAISED);
    cr_assert_eq(t->b.cpu->ferr, CV_FERR_RAISED);
    cr_assert_eq(t->a.cpu->rip, LOW_BASE + 15);
    for (unsigned i = 0; i < 2; i++) {
        struct cv_cpu *cpu = i == 0 ? t->a.cpu : t->b.cpu;
        cpu->halted = 0;
        cpu->leave = 0;
        cv_ferr_acknowledge(cpu);
        cr_assert_eq(cpu->ferr, CV_FERR_IGNORED);
    }
    check(t, 10);
    cr_assert_eq(t->a.cpu->ferr, CV_FERR_IGNORED);
    check(t, 12);
    cr_assert_eq(t->a.cpu->ferr, 0);
    cr_assert_eq(t->a.cpu->rip, LOW_BASE + sizeof(code));
    twin_free(t);
}

struct device {
    unsigned reads, writes;
    uint64_t value;
};

static uint64_t read_device(void *arg, uint64_t off, unsigned size)
{
    struct device *d = arg;
    (void)off;
    d->reads++;
    return size == 8 ? d->value : d->value & ((1ull << size * 8) - 1);
}
static void write_device(void *arg, uint64_t off, unsigned size, uint64_t value)
{
    struct device *d = arg;
    (void)off;
    (void)size;
    d->writes++;
    d->value = value;
}

/* DESIGN.md section 4, point 4: one read, one write, two charges, whoever executes it */
Test(exec, a_read_modify_write_reaches_a_device_as_interpreted)
{
    static const uint8_t code[] = {
        0x01, 0x0b,             /* add [rbx], ecx */
        0xf0, 0x48, 0x01, 0x0b, /* lock add [rbx], rcx */
        0xf0, 0xff, 0x03,       /* lock inc dword [rbx] */
        0x87, 0x0b,             /* xchg [rbx], ecx */
        0xf0, 0x0f, 0xc1, 0x0b, /* lock xadd [rbx], ecx */
        0xf0, 0x0f, 0xb1, 0x0b, /* lock cmpxchg [rbx], ecx */
        0xf0, 0x0f, 0xab, 0x0b, /* lock bts [rbx], ecx */
        0xd1, 0x23,             /* shl dword [rbx], 1 */
        0x08, 0x0b,             /* or [rbx], cl */
        0xeb, 0xfe,
    };
    struct twin *t = start(code, sizeof(code));
    struct machine *m[2] = {&t->a, &t->b};
    struct device dev[2] = {{.value = 5}, {.value = 5}};
    for (unsigned i = 0; i < 2; i++) {
        struct cv_bus_range range = {.base = 0xfe000000,
                                     .size = 0x1000,
                                     .read = read_device,
                                     .write = write_device,
                                     .arg = &dev[i],
                                     .min_size = 1,
                                     .max_size = 8,
                                     .name = "device"};
        cv_bus_add_mmio(m[i]->bus, &range);
    }
    twin_map(t, 256, 0xfe000000 | PTE_P | PTE_W | PTE_U);
    twin_set(t, CV_RBX, LOW_BASE + DATA_OFF);
    twin_set(t, CV_RCX, 3);
    for (unsigned n = 1; n <= 9; n++) {
        check(t, n);
        cr_assert_eq(dev[0].reads, n, "after %u: %u reads", n, dev[0].reads);
        cr_assert_eq(dev[0].writes, n, "after %u: %u writes", n, dev[0].writes);
        cr_assert(memcmp(&dev[0], &dev[1], sizeof(dev[0])) == 0);
        cr_assert_eq(t->a.cpu->skew, 500 * (int64_t)n);
        cr_assert_eq(t->b.cpu->skew, 500 * (int64_t)n);
    }
    twin_free(t);
}

Test(exec, emitted_code_holds_no_system_instruction)
{
    static const uint8_t code[] = {0x48, 0x8b, 0x03, 0x50, 0x59, 0x0f, 0xa2, 0x9c, 0x8f,
                                   0xc0, 0xd3, 0xe0, 0x0f, 0x10, 0x03, 0xf7, 0xe1, 0xe8,
                                   0x00, 0x00, 0x00, 0x00, 0xfa, 0xfb, 0xcc, 0xff, 0xe3};
    struct twin *t = start(code, sizeof(code));
    twin_set(t, CV_RBX, LOW_BASE + DATA_OFF);
    check(t, 500);
    const struct cv_exec *x = t->a.exec;
    ZydisDecoder decoder;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    cr_assert_gt(x->block_count, 0);
    for (uint32_t i = 1; i <= x->block_count; i++) {
        const struct cv_block *b = &x->blocks[i];
        for (uint32_t at = b->host; at < b->host_end;) {
            ZydisDecodedInstruction insn;
            ZyanStatus ok =
                ZydisDecoderDecodeInstruction(&decoder, NULL, x->rx + at, 15, &insn);
            cr_assert(ZYAN_SUCCESS(ok));
            cr_assert_neq(insn.meta.category, ZYDIS_CATEGORY_SYSTEM);
            cr_assert_neq(insn.meta.category, ZYDIS_CATEGORY_SYSCALL);
            cr_assert_neq(insn.meta.category, ZYDIS_CATEGORY_INTERRUPT);
            cr_assert_neq(insn.meta.category, ZYDIS_CATEGORY_IO);
            at += insn.length;
        }
    }
    twin_free(t);
}
