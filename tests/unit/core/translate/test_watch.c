/*
 * test_watch.c - what meets a watch or a tap, at which step: each rule alone, translated and interpreted
 *
 * Every program runs on both machines of a twin, behind it a jump to itself, so that the first steps are the program's.
 * Spec: core/cpu/tap.h, docs/decisions/0007-stops.md
 */
#include "core/translate/execstate.h"
#include "tests/unit/core/translate/watcher.h"

#include <criterion/criterion.h>
#include <string.h>

#define D         (LOW_BASE + DATA_OFF)
#define D_PHYS(n) (DATA_PHYS + (n)*8192ull)
#define RSP       (D + 0x8800)
#define KSTACK    0xf000ull
#define R         CV_WATCH_READ
#define W         CV_WATCH_WRITE
#define C         CV_WATCH_CHANGE
#define RUN       200u

static struct cv_exec_config config = {.cache_bytes = 1u << 20};

struct bench {
    struct twin *t;
    struct watcher *a, *b;
    unsigned checked;
    unsigned watches;
    struct cv_watch list[16];
};

static struct bench begin_at(unsigned cpl, const char *code, size_t n)
{
    struct bench s = {.t = twin_new(&config, 1024, LOW_BASE, cpl)};
    uint8_t program[256];
    memset(program, 0x90, sizeof(program));
    memcpy(program, code, n);
    memcpy(program + n, "\xeb\xfe", 2);
    twin_code(s.t, program, sizeof(program));
    s.a = watcher_new(&s.t->a);
    s.b = watcher_new(&s.t->b);
    twin_set(s.t, CV_RDI, D + 0x100);
    twin_set(s.t, CV_RSI, D + 0x1100);
    return s;
}
#define BEGIN(code)      begin_at(0, code, sizeof(code) - 1)
#define BEGIN_USER(code) begin_at(3, code, sizeof(code) - 1)

/* The next watch of the list; watch 0 first. */
static void watch(struct bench *s, unsigned kinds, uint64_t first, uint64_t len)
{
    s->list[s->watches++] = (struct cv_watch){
        .first = first, .last = first + len - 1, .kinds = (uint8_t)kinds};
}

static void watch_physical(struct bench *s, unsigned kinds, uint64_t first, uint64_t len)
{
    watch(s, kinds, first, len);
    s->list[s->watches - 1].physical = true;
}

static void run(struct bench *s, uint32_t taps)
{
    watcher_arm(s->a, s->list, s->watches, taps);
    watcher_arm(s->b, s->list, s->watches, taps);
    watcher_run(s->a, RUN);
    watcher_run(s->b, RUN);
    const char *diff = watcher_diff(s->a, s->b);
    cr_assert_null(diff, "%s", diff);
    diff = twin_diff(s->t, 1);
    cr_assert_null(diff, "%s", diff);
}

/* The next hit: at this step, of these watches (bits). */
static void expect(struct bench *s, cv_icount step, uint64_t watches)
{
    cr_assert_lt(s->checked, s->b->count, "no hit at step %lu", step);
    const struct cv_tap_hit *h = &s->b->hit[s->checked++];
    cr_assert_eq(h->step, step, "step %lu, not %lu", h->step, step);
    cr_assert_eq(h->watches[0], watches, "step %lu: watches %lx, not %lx", step,
                 h->watches[0], watches);
}

static void expect_tap(struct bench *s, cv_icount step, uint32_t taps, uint64_t detail)
{
    expect(s, step, 0);
    const struct cv_tap_hit *h = &s->b->hit[s->checked - 1];
    cr_assert_eq(h->taps, taps, "taps %x, not %x", h->taps, taps);
    cr_assert_eq(h->detail, detail, "detail %lx, not %lx", h->detail, detail);
}

static void end(struct bench *s)
{
    cr_assert_eq(s->checked, s->b->count, "%u hits, not %u; the next at step %lu",
                 s->b->count, s->checked, s->b->hit[s->checked].step);
    watcher_free(s->a);
    watcher_free(s->b);
    twin_free(s->t);
}

Test(watch, a_store_of_the_same_value_is_a_write_and_no_change)
{
    /* mov [rdi], rax twice; inc rax; mov [rdi], rax */
    struct bench s = BEGIN("\x48\x89\x07\x48\x89\x07\x48\xff\xc0\x48\x89\x07");
    twin_set(s.t, CV_RAX, 0x1122);
    watch(&s, C, D + 0x100, 8);
    watch(&s, W, D + 0x100, 8);
    watch(&s, C, D + 0x101, 7);
    watch(&s, R, D + 0x100, 8);
    run(&s, 0);
    expect(&s, 0, 7);
    expect(&s, 1, 2);
    expect(&s, 3, 3);
    end(&s);
}

Test(watch, both_pages_of_an_access_count)
{
    /* mov [rdi], rax; mov rax, [rdi] */
    struct bench s = BEGIN("\x48\x89\x07\x48\x8b\x07");
    twin_set(s.t, CV_RDI, D + 0xffc);
    twin_set(s.t, CV_RAX, -1ull);
    watch(&s, C, D + 0xfff, 1);
    watch(&s, C, D + 0x1000, 1);
    watch(&s, W | R, D + 0x1003, 1);
    watch(&s, W | R, D + 0x1004, 1);
    watch(&s, W | R, D + 0xffb, 1);
    watch_physical(&s, W, D_PHYS(1) + 3, 1);
    watch_physical(&s, R, D_PHYS(0) + 0xffc, 1);
    watch_physical(&s, R | W, D_PHYS(0) + 0x1000, 1);
    run(&s, 0);
    expect(&s, 0, 0x27);
    expect(&s, 1, 0x44);
    end(&s);
}

Test(watch, ranges_of_any_length_end_where_they_say)
{
    static const uint32_t lengths[] = {1,    2,    3,    7,    64,
                                       4095, 4096, 4097, 9000, CV_WATCH_LEN_MAX};
    for (unsigned i = 0; i < 10; i++) {
        for (unsigned at = 0; at < 3; at++) {
            /* mov [rdi-1], al; mov [rdi], al; mov [rsi], al; mov [rsi+1], al */
            struct bench s = BEGIN("\x88\x47\xff\x88\x07\x88\x06\x88\x46\x01");
            uint64_t first = D + 0x2000 - 1 + at;
            uint64_t last = first + lengths[i] - 1;
            bool beyond = last + 1 >= D + DATA_PAGES * 4096;
            twin_set(s.t, CV_RDI, first);
            twin_set(s.t, CV_RSI, beyond ? D + DATA_PAGES * 4096 - 2 : last);
            watch(&s, W, first, lengths[i]);
            run(&s, 0);
            expect(&s, 1, 1);
            expect(&s, 2, 1);
            if (beyond) {
                expect(&s, 3, 1);
            }
            end(&s);
        }
    }
}

Test(watch, a_linear_watch_is_an_address_and_a_physical_one_is_bytes)
{
    /* mov [rdi], eax; mov [rsi], ebx: the same bytes under two addresses; mov ecx, [rsi] */
    struct bench s = BEGIN("\x89\x07\x89\x1e\x8b\x0e");
    twin_map(s.t, 256 + 1, D_PHYS(0) | PTE_P | PTE_W | PTE_U);
    twin_set(s.t, CV_RAX, 1);
    twin_set(s.t, CV_RBX, 2);
    watch(&s, C | R, D + 0x100, 4);
    watch(&s, C | R, D + 0x1100, 4);
    watch_physical(&s, C, D_PHYS(0) + 0x100, 4);
    watch_physical(&s, R, D_PHYS(0) + 0x103, 1);
    watch_physical(&s, R | W | C, D_PHYS(1) + 0x100, 4);
    run(&s, 0);
    expect(&s, 0, 5);
    expect(&s, 1, 6);
    expect(&s, 2, 0xa);
    end(&s);
}

Test(watch, exchanges_read_and_write)
{
    /* cmpxchg [rdi], ecx (fails); cmpxchg [rdi], ecx (succeeds); xchg [rdi], ecx; lock add [rdi], ecx; lock cmpxchg8b */
    struct bench s =
        BEGIN("\x0f\xb1\x0f\x0f\xb1\x0f\x87\x0f\xf0\x01\x0f\xf0\x0f\xc7\x0f");
    twin_set(s.t, CV_RAX, 5);
    twin_set(s.t, CV_RCX, 7);
    watch(&s, W, D + 0x100, 4);
    watch(&s, C, D + 0x100, 4);
    watch(&s, R, D + 0x100, 4);
    run(&s, 0);
    expect(&s, 0, 5); /* 0 is not 5; eax becomes 0 */
    expect(&s, 1, 7); /* 7 */
    expect(&s, 2, 5); /* 7 for 7 */
    expect(&s, 3, 7); /* 14 */
    expect(&s, 4, 5);
    end(&s);
}

Test(watch, stack_instructions_touch_the_stack)
{
    /* push rax; push rbx; push rcx; pop rdx; call +0; push qword [rdi]; pushf */
    struct bench s = BEGIN("\x50\x53\x51\x5a\xe8\0\0\0\0\xff\x37\x9c");
    twin_set(s.t, CV_RCX, 3);
    watch(&s, W | R, RSP - 8, 8);
    watch(&s, W | R, RSP - 16, 1);
    watch(&s, C, RSP - 24, 8);
    watch(&s, R, RSP - 17, 1);
    watch(&s, R, D + 0x107, 1);
    watch(&s, C, RSP - 40, 8);
    run(&s, 0);
    expect(&s, 0, 1);
    expect(&s, 1, 2);
    expect(&s, 2, 4);
    expect(&s, 3, 8);
    expect(&s, 4, 4);
    expect(&s, 5, 0x10);
    expect(&s, 6, 0x20);
    end(&s);
}

Test(watch, a_slice_is_one_step)
{
    /* rep stosb; rep movsb */
    struct bench s = BEGIN("\xf3\xaa\xb1\x10\xf3\xa4");
    twin_set(s.t, CV_RDI, D + 0xf00);
    twin_set(s.t, CV_RCX, 0x1200);
    twin_set(s.t, CV_RAX, 0x55);
    twin_set(s.t, CV_RSI, D + 0x3000);
    watch(&s, C, D + 0xf7f, 1);  /* step 0 */
    watch(&s, C, D + 0x1fff, 2); /* steps 1 and 2 */
    watch(&s, W, D + 0x2100, 1); /* step 4: movsb */
    watch(&s, R, D + 0x300f, 1);
    watch(&s, R, D + 0x3010, 1);
    watch(&s, C, D + 0x2100, 16); /* 0 for 0 */
    run(&s, 0);
    expect(&s, 0, 1);
    expect(&s, 1, 2);
    expect(&s, 2, 2);
    expect(&s, 4, 0xc);
    end(&s);
}

Test(watch, a_fault_in_a_slice_keeps_what_is_done)
{
    /* rep movsq, downwards too: the third element lies over an absent page */
    struct bench s = BEGIN("\xf3\x48\xa5");
    twin_map(s.t, 256 + 2, 0);
    twin_set(s.t, CV_RDI, D + 0x1fec);
    twin_set(s.t, CV_RCX, 6);
    twin_set(s.t, CV_RSI, D + 0x3000);
    watch(&s, W | R, D + 0x1ff3, 1);
    watch(&s, W | R, D + 0x1ffb, 1);
    watch(&s, W | R, D + 0x1ffc, 1);
    watch(&s, R, D + 0x3008, 1);
    watch(&s, R, D + 0x3010, 1); /* read by the iteration that faulted */
    run(&s, CV_TAP_PAGE_FAULT);
    cr_assert_geq(s.b->count, 1);
    cr_assert_eq(s.b->hit[0].step, 0);
    cr_assert_eq(s.b->hit[0].watches[0], 0xb);
    cr_assert_eq(s.b->hit[0].detail, D + 0x2000);
    s.checked = s.b->count;
    end(&s);
}

Test(watch, vectors_and_images_touch_what_they_store)
{
    /* vmovdqu [rdi], ymm0; fxsave [rsi]; maskmovdqu xmm1, xmm2 (to rdi); vmovdqu ymm3, [rdi] */
    struct bench s =
        BEGIN("\xc5\xfe\x7f\x07\x0f\xae\x06\x66\x0f\xf7\xca\xc5\xfe\x6f\x1f");
    twin_set(s.t, CV_RSI, D + 0x1100);
    watch(&s, W, D + 0x11f, 1);
    watch(&s, W, D + 0x120, 1);
    watch(&s, C, D + 0x100, 32);
    watch(&s, C, D + 0x1100, 2); /* FCW */
    watch(&s, W, D + 0x1100 + 415,
          1); /* the end of XMM15; what is reserved is not written */
    watch(&s, W, D + 0x1100 + 416, 1);
    watch(&s, R, D + 0x110, 1);
    run(&s, 0);
    expect(&s, 0, 1);
    expect(&s, 1, 0x18);
    expect(&s, 3, 0x40); /* the mask was empty: maskmovdqu wrote nothing */
    end(&s);
}

Test(watch, page_walks_are_physical_writes_and_no_reads)
{
    /* mov eax, [rdi]; mov [rdi], eax; mov [rdi], eax; jmp to the second page */
    struct bench s = BEGIN("\x8b\x07\x89\x07\x89\x07\xe9\xf5\x0f\0\0");
    uint8_t stop[2] = {0xeb, 0xfe};
    twin_poke(s.t, CODE_PHYS + 8192, stop, 2);
    watch_physical(&s, C, PT_PHYS + 256 * 8, 8); /* of the data page */
    watch_physical(&s, W, PT_PHYS + 1 * 8, 8);   /* of the second code page */
    watch_physical(&s, R, PT_PHYS, 4096);
    watch(&s, R | W, PT_PHYS, 4096);
    run(&s, 0);
    expect(&s, 0, 1); /* A */
    expect(&s, 1, 1); /* D */
    expect(&s, 4, 2);
    end(&s);
}

Test(watch, what_faults_has_not_happened_and_the_delivery_has)
{
    /* movsq whose store faults: at 0x20 (the slot after) the same with a good address */
    struct bench s = BEGIN("\x48\xa5");
    twin_map(s.t, 256 + 2, 0);
    twin_set(s.t, CV_RDI, D + 0x2000);
    watch(&s, R, D + 0x1100, 8);
    watch(&s, W, D + 0x2000, 8);
    watch(&s, C, KSTACK - 48, 48);      /* error code to SS */
    watch(&s, R, 0x8000 + 14 * 16, 16); /* the gate of #PF */
    watch_physical(&s, C, PT_PHYS + 257 * 8,
                   8); /* A of the source page: set all the same */
    run(&s, CV_TAP_EXCEPTION);
    cr_assert_eq(s.b->hit[0].step, 0);
    cr_assert_eq(s.b->hit[0].taps, CV_TAP_EXCEPTION);
    cr_assert_eq(s.b->hit[0].detail, 14);
    cr_assert_eq(s.b->hit[0].watches[0], 0x1c);
    s.checked = s.b->count;
    end(&s);
}

Test(watch, an_instruction_that_faulted_is_told_when_it_is_done)
{
    struct bench s = BEGIN("\x48\xa5"); /* movsq, to a page that is not there yet */
    twin_map(s.t, 256 + 2, 0);
    twin_set(s.t, CV_RDI, D + 0x2000);
    watch(&s, R, D + 0x1100, 8);
    watch(&s, W, D + 0x2007, 1);
    watcher_arm(s.a, s.list, 2, 0);
    watcher_arm(s.b, s.list, 2, 0);
    watcher_run(s.a, 1);
    watcher_run(s.b, 1);
    cr_assert_eq(s.b->count, 0);
    cr_assert_eq(s.t->b.cpu->cr2, D + 0x2000);
    twin_map(s.t, 256 + 2, D_PHYS(2) | PTE_P | PTE_W | PTE_U);
    s.t->a.cpu->rip = s.t->b.cpu->rip = LOW_BASE;
    run(&s, 0);
    expect(&s, 1, 3);
    end(&s);
}

Test(watch, implicit_accesses_are_accesses)
{
    /* mov eax, 0x23; mov ds, eax; ud2 */
    struct bench s = BEGIN("\xb8\x23\0\0\0\x8e\xd8\x0f\x0b");
    watch(&s, R, 0x7000 + 0x20, 8); /* the descriptor */
    watch(&s, R, 0x9000 + 0x24, 8); /* TSS: IST1 */
    watch(&s, W, KSTACK - 40, 8);   /* RIP */
    run(&s, 0);
    expect(&s, 1, 1);
    expect(&s, 2, 6);
    s.checked = s.b->count;
    end(&s);
}

Test(watch, taps_tell_of_their_class_with_its_detail)
{
    /* out 0x80, al; mov rax, cr3; mov cr3, rax; int3 */
    struct bench s = BEGIN("\xe6\x80\x0f\x20\xd8\x0f\x22\xd8\xcc");
    run(&s,
        CV_TAP_PORT | CV_TAP_CR3 | CV_TAP_EXCEPTION | CV_TAP_SYSCALL | CV_TAP_INTERRUPT);
    expect_tap(&s, 0, CV_TAP_PORT, 0x80);
    expect_tap(&s, 2, CV_TAP_CR3, 0x1000);
    expect_tap(&s, 3, CV_TAP_EXCEPTION, 3);
    s.checked = s.b->count;
    end(&s);
}

Test(watch, only_what_is_wanted_is_told)
{
    struct bench s = BEGIN("\xe6\x80\x0f\x20\xd8\x0f\x22\xd8");
    run(&s, CV_TAP_INTERRUPT);
    end(&s);
}

Test(watch, a_page_fault_is_an_exception_with_its_address)
{
    struct bench s = BEGIN("\x8b\x07"); /* mov eax, [rdi] */
    twin_map(s.t, 256, 0);
    run(&s, CV_TAP_PAGE_FAULT | CV_TAP_EXCEPTION);
    cr_assert_eq(s.b->hit[0].taps, CV_TAP_PAGE_FAULT | CV_TAP_EXCEPTION);
    cr_assert_eq(s.b->hit[0].detail, 14); /* of the lowest bit */
    s.checked = s.b->count;
    end(&s);
    s = BEGIN("\x8b\x07");
    twin_map(s.t, 256, 0);
    run(&s, CV_TAP_PAGE_FAULT);
    cr_assert_eq(s.b->hit[0].detail, D + 0x100);
    s.checked = s.b->count;
    end(&s);
}

Test(watch, system_calls_come_from_user_mode)
{
    struct bench s = BEGIN_USER("\x0f\x05"); /* syscall */
    twin_set(s.t, CV_RAX, 60);
    s.t->a.cpu->star = s.t->b.cpu->star = 8ull << 32;
    s.t->a.cpu->lstar = s.t->b.cpu->lstar =
        0xa000 + 0x900; /* the pages of the handlers */
    uint8_t stop[2] = {0xeb, 0xfe};
    twin_poke(s.t, 0xa900, stop, 2);
    run(&s, CV_TAP_SYSCALL | CV_TAP_EXCEPTION);
    expect_tap(&s, 0, CV_TAP_SYSCALL, 60);
    end(&s);
    s = BEGIN_USER(
        "\xcd\x80"); /* int 0x80: the gate's DPL is 0, so #GP is all that comes */
    run(&s, CV_TAP_SYSCALL | CV_TAP_EXCEPTION);
    expect_tap(&s, 0, CV_TAP_EXCEPTION, 13);
    s.checked = s.b->count;
    end(&s);
    s = BEGIN_USER("\xcd\x80");
    uint8_t dpl3 = 0xee;
    twin_poke(s.t, 0x8000 + 0x80 * 16 + 5, &dpl3, 1);
    twin_set(s.t, CV_RAX, 4);
    run(&s, CV_TAP_SYSCALL);
    expect_tap(&s, 0, CV_TAP_SYSCALL, 4);
    s.checked = s.b->count;
    end(&s);
}

Test(watch, mmio_is_told_once_a_step_with_its_first_address)
{
    struct bench s =
        BEGIN("\x48\x8b\x07\x48\x89\x07"); /* mov rax, [rdi]; mov [rdi], rax */
    twin_map(s.t, 256, 0xfe000000 | PTE_P | PTE_W | PTE_U);
    watch(&s, C, D + 0x100, 1);
    watch(&s, R, D + 0x107, 1);
    watch_physical(&s, R | W, 0xfe000100, 8);
    run(&s, CV_TAP_MMIO);
    cr_assert_eq(s.b->count, 2);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(s.b->hit[i].taps, CV_TAP_MMIO);
        cr_assert_eq(s.b->hit[i].detail, 0xfe000100);
        cr_assert_eq(s.b->hit[i].watches[0], i == 0 ? 2 : 1);
    }
    s.checked = 2;
    end(&s);
}

Test(watch, interrupts_are_told_with_their_vector)
{
    struct bench s = BEGIN("\xfb\x90"); /* sti; nop */
    s.t->a.cpu->intr_line = s.t->b.cpu->intr_line = true;
    watch(&s, W, KSTACK - 40, 40);
    run(&s, CV_TAP_INTERRUPT | CV_TAP_EXCEPTION);
    cr_assert_geq(s.b->count, 1);
    cr_assert_eq(s.b->hit[0].step, 2);
    cr_assert_eq(s.b->hit[0].taps, CV_TAP_INTERRUPT);
    cr_assert_eq(s.b->hit[0].detail, 0x20);
    cr_assert_eq(s.b->hit[0].watches[0], 1);
    s.checked = s.b->count;
    end(&s);
}

/* mov [rdi], eax; inc eax; mov ecx, [rsi]; jmp back */
static const char loop[] = "\x89\x07\xff\xc0\x8b\x0e\xeb\xf8";

Test(watch, pages_with_watches_stay_in_translated_code)
{
    struct bench s = begin_at(0, loop, 8);
    watch(&s, W | R | C, D + 0x104, 4);
    watch(&s, R, D + 0x10fc, 4);
    watch_physical(&s, R | W, D_PHYS(0) + 0xfc, 4);
    run(&s, 0);
    const struct cv_exec_stats *stats = cv_exec_stats(s.t->a.exec);
    uint64_t interpreted = stats->interp_steps, slow = stats->exits_slow;
    watcher_run(s.a, 100000);
    cr_assert_eq(s.a->count, 0);
    cr_assert_leq(stats->interp_steps - interpreted, 2 * CV_EXEC_SLACK);
    cr_assert_gt(stats->exits_slow - slow, 40000); /* and each access was looked at */
    end(&s);
}

/* A page becomes code while a watch withholds its store tag: the next store must be seen all the same. */
Test(watch, code_on_a_watched_page_may_be_changed)
{
    for (unsigned physical = 0; physical < 2; physical++) {
        /* mov byte [rdi+0x800], 1; call rdi; call rdi; mov byte [rdi+1], 0xc1; call rdi */
        struct bench s = BEGIN("\xc6\x87\0\x08\0\0\1\xff\xd7\xff\xd7\xc6\x47\1\xc1\xff\xd7");
        uint8_t code[] = {0xff, 0xc0, 0xc3}; /* inc eax; ret - then inc ecx */
        twin_poke(s.t, CODE_PHYS + 8192, code, sizeof(code));
        twin_set(s.t, CV_RDI, LOW_BASE + 0x1000);
        twin_set(s.t, CV_RAX, 0);
        twin_set(s.t, CV_RCX, 0);
        if (physical != 0) {
            watch_physical(&s, W, CODE_PHYS + 8192 + 0x900, 1);
        } else {
            watch(&s, W, LOW_BASE + 0x1900, 1);
        }
        run(&s, 0);
        cr_assert_eq(s.t->a.cpu->gpr[CV_RAX], 2);
        cr_assert_eq(s.t->a.cpu->gpr[CV_RCX], 1);
        end(&s);
    }
}

Test(watch, arming_and_disarming_leave_no_misses_behind)
{
    struct bench s = begin_at(0, loop, 8);
    const struct cv_exec_stats *stats = cv_exec_stats(s.t->a.exec);
    watch(&s, C, D + 0x100, 4);
    watch(&s, R, D + 0x1100, 4);
    watch_physical(&s, R | W, D_PHYS(1), 4096);
    run(&s, 0);
    unsigned hits = s.a->count;
    cr_assert_gt(hits, 10);
    for (unsigned i = 0; i < 8; i++) { /* other lists, then none */
        watcher_arm(s.a, s.list + i % 3, 3 - i % 3, i % 2 == 0 ? CV_TAP_ALL : 0);
    }
    watcher_arm(s.a, NULL, 0, 0);
    cr_assert_null(s.t->a.cpu->taps);
    hits = s.a->count;
    watcher_run(s.a, 1000);
    uint64_t slow = stats->exits_slow, interpreted = stats->interp_steps;
    watcher_run(s.a, 50000);
    cr_assert_eq(s.a->count, hits);
    cr_assert_leq(stats->exits_slow - slow, 4);
    cr_assert_leq(stats->interp_steps - interpreted, 2 * CV_EXEC_SLACK);
    s.checked = s.b->count;
    end(&s);
}

Test(watch, the_same_list_again_forgets_nothing)
{
    struct bench s = begin_at(0, loop, 8);
    watch(&s, C, D + 0x100, 4);
    watcher_arm(s.a, s.list, 1, 0);
    cv_cpu_set_deadline(s.t->a.cpu, 1);
    cv_fpu_enter(s.t->a.cpu);
    s.t->a.cpu->gpr[CV_RAX] = 9;
    cv_exec_run(s.t->a.exec, s.t->a.cpu);
    cv_fpu_leave(s.t->a.cpu);
    watcher_arm(s.a, s.list, 1, 0);
    cr_assert(cv_taps_conclude(s.a->taps, 1));
    cr_assert_eq(cv_taps_hit(s.a->taps)->step, 0);
    watcher_arm(s.a, s.list, 1, CV_TAP_PORT);
    cr_assert_null(cv_taps_hit(s.a->taps));
    end(&s);
}

Test(watch, unsound_lists_are_refused)
{
    struct bench s = BEGIN("");
    struct cv_watch w = {.first = 8, .last = 7, .kinds = W};
    static struct cv_watch many[CV_WATCHES_MAX + 1];
    cr_assert_not(cv_taps_arm(s.a->taps, &w, 1, 0));
    w.last = 8 + CV_WATCH_LEN_MAX;
    cr_assert_not(cv_taps_arm(s.a->taps, &w, 1, 0));
    w.last = 8;
    w.kinds = 0;
    cr_assert_not(cv_taps_arm(s.a->taps, &w, 1, 0));
    w.kinds = 8;
    cr_assert_not(cv_taps_arm(s.a->taps, &w, 1, 0));
    for (unsigned i = 0; i <= CV_WATCHES_MAX; i++) {
        many[i] =
            (struct cv_watch){.first = D + i * 3, .last = D + i * 3 + 4, .kinds = W};
    }
    cr_assert_not(cv_taps_arm(s.a->taps, many, CV_WATCHES_MAX + 1, 0));
    cr_assert_null(s.t->a.cpu->taps);
    cr_assert(cv_taps_arm(s.a->taps, many, CV_WATCHES_MAX, 0));
    cr_assert(cv_taps_meets(s.a->taps, D, 0, 1, CV_ACC_WRITE));
    cr_assert(cv_taps_meets(s.a->taps, D + 255 * 3 + 4, 0, 1, CV_ACC_WRITE));
    cr_assert_not(cv_taps_meets(s.a->taps, D + 255 * 3 + 5, 0, 1, CV_ACC_WRITE));
    end(&s);
}

Test(watch, many_watches_are_numbered_by_their_place)
{
    struct bench s = BEGIN("\x88\x07"); /* mov [rdi], al */
    static struct cv_watch list[CV_WATCHES_MAX];
    for (unsigned i = 0; i < CV_WATCHES_MAX; i++) {
        uint64_t at = i % 7 == 3 ? D + 0x100 : D + 0x200 + i * 64;
        list[i] = (struct cv_watch){.first = at, .last = at, .kinds = W};
    }
    watcher_arm(s.b, list, CV_WATCHES_MAX, 0);
    watcher_run(s.b, RUN);
    cr_assert_eq(s.b->count, 1);
    for (unsigned i = 0; i < CV_WATCHES_MAX; i++) {
        cr_assert_eq(cv_tap_hit_watch(&s.b->hit[0], i), i % 7 == 3, "%u", i);
    }
    s.checked = 1;
    end(&s);
}
