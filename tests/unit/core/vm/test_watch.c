/*
 * test_watch.c - watches and taps of a whole machine: where a run stops, what it tells, what is forgotten
 *
 * Spec: core/vm.h (cv_vm_watch, cv_vm_hit), docs/decisions/0007-stops.md
 */
#include "core/base/mem.h"
#include "core/cpu/regs.h"
#include "core/mem/ram.h"
#include "core/vm.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define LOAD_ADDR 0x100000u
#define CODE      (LOAD_ADDR + 64)
#define DATA      0x200000u
#define BEGIN(code) make_vm(code, sizeof(code) - 1, CV_ON_RESET_END)

static struct cv_vm *make_vm(const char *code, size_t len, uint8_t on_reset)
{
    static uint8_t bytes[65536];
    static const uint32_t header[8] = {0x1badb002u, 0x00010000u, 0u - 0x1badb002u - 0x00010000u,
                                       LOAD_ADDR, LOAD_ADDR, LOAD_ADDR + sizeof(bytes),
                                       LOAD_ADDR + sizeof(bytes), CODE};
    struct cv_vm_config config = {.ram_bytes = 4u << 20, .cpus = 1, .on_reset = on_reset};
    struct cv_error err = {0};
    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, header, sizeof(header));
    memcpy(bytes + 64, code, len);
    memcpy(bytes + 64 + len, "\xeb\xfe", 2);
    config.kernel = (struct cv_image){bytes, sizeof(bytes)};
    struct cv_vm *vm = cv_vm_new(&config, NULL, 0, &err);
    cr_assert_not_null(vm, "%s", err.text);
    return vm;
}

static void watch(struct cv_vm *vm, unsigned kinds, uint64_t first, uint64_t len, bool physical,
                  uint32_t taps)
{
    struct cv_watch w = {.first = first,
                         .last = first + len - 1,
                         .kinds = (uint8_t)kinds,
                         .physical = physical};
    cr_assert(cv_vm_watch(vm, &w, kinds != 0 ? 1 : 0, taps));
}

static void expect(const struct cv_vm *vm, cv_icount step, uint64_t watches, uint32_t taps)
{
    const struct cv_tap_hit *hit = cv_vm_hit(vm);
    cr_assert_not_null(hit);
    cr_assert_eq(hit->step, step, "step %lu", hit->step);
    cr_assert_eq(hit->watches[0], watches);
    cr_assert_eq(hit->taps, taps, "taps %x", hit->taps);
    cr_assert_eq(cv_vm_icount(vm), step + 1);
}

static bool poke(struct cv_vm *vm, cv_gpa gpa, const char *bytes, uint32_t len)
{
    uint8_t data[64];
    struct cv_input input = {.kind = CV_INPUT_POKE_MEM, .len = 8 + len, .data = data};
    memcpy(data, &gpa, 8);
    memcpy(data + 8, bytes, len);
    return cv_vm_input(vm, &input);
}

/* inc eax; mov [DATA], eax; jmp back: steps 1, 4, 7... store */
static const char STORES[] = "\x40\xa3\x00\x00\x20\x00\xeb\xf8";

Test(vm_watch, a_run_stops_behind_each_step_that_hits_and_at_its_limit)
{
    struct cv_vm *vm = BEGIN(STORES);
    watch(vm, CV_WATCH_CHANGE, DATA, 4, false, 0);
    for (unsigned i = 0; i < 100; i++) {
        cr_assert_eq(cv_vm_run(vm, 100000), CV_VM_HIT);
        expect(vm, 1 + 3 * i, 1, 0);
    }
    cr_assert_eq(cv_vm_run(vm, 300), CV_VM_LIMIT);
    cr_assert_null(cv_vm_hit(vm));
    cr_assert_eq(cv_vm_run(vm, 302), CV_VM_HIT); /* the limit is where the hit is */
    expect(vm, 301, 1, 0);
    cr_assert_eq(cv_vm_run(vm, 302), CV_VM_LIMIT);
    cr_assert(cv_vm_watch(vm, NULL, 0, 0));
    cr_assert_eq(cv_vm_run(vm, 100000), CV_VM_LIMIT);
    cv_vm_free(vm);
}

Test(vm_watch, a_hit_comes_before_the_breakpoint_behind_its_step)
{
    struct cv_vm *vm = BEGIN(STORES);
    cv_gva at = CODE + 6; /* the jump behind the store */
    cv_vm_breakpoints(vm, &at, 1);
    watch(vm, CV_WATCH_WRITE, DATA + 3, 1, true, 0);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_HIT);
        expect(vm, 1 + 3 * i, 1, 0);
        cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_BREAK);
        cr_assert_eq(cv_vm_icount(vm), 2 + 3 * i);
        cr_assert_null(cv_vm_hit(vm));
        cv_vm_skip_first_break(vm);
    }
    cv_vm_free(vm);
}

Test(vm_watch, watching_is_the_same_machine)
{
    static uint8_t one[CV_VM_STATE_MAX], two[CV_VM_STATE_MAX];
    struct cv_vm *a = BEGIN(STORES), *b = BEGIN(STORES);
    watch(a, CV_WATCH_CHANGE | CV_WATCH_READ, DATA - 100, 4096, false, CV_TAP_ALL);
    while (cv_vm_run(a, 5000) == CV_VM_HIT) {
    }
    cr_assert_eq(cv_vm_run(b, 5000), CV_VM_LIMIT);
    size_t len = cv_vm_save(a, one, sizeof(one));
    cr_assert_eq(cv_vm_save(b, two, sizeof(two)), len);
    cr_assert_arr_eq(one, two, len);
    cr_assert_arr_eq(cv_vm_ram(a)->base, cv_vm_ram(b)->base, 4u << 20);
    cv_vm_free(a);
    cv_vm_free(b);
}

Test(vm_watch, a_step_that_ends_the_machine_is_told)
{
    /* mov eax, 7; mov [DATA], eax; out 0xf4, eax */
    struct cv_vm *vm = BEGIN("\xb8\x07\0\0\0\xa3\0\0\x20\0\xe7\xf4");
    watch(vm, 0, 0, 0, false, CV_TAP_PORT);
    cr_assert_eq(cv_vm_run(vm, 100), CV_VM_ENDED);
    expect(vm, 2, 0, CV_TAP_PORT);
    cr_assert_eq(cv_vm_hit(vm)->detail, 0xf4);
    cr_assert_eq(cv_vm_run(vm, 100), CV_VM_ENDED);
    cr_assert_not_null(cv_vm_hit(vm));
    cv_vm_free(vm);
}

Test(vm_watch, an_input_belongs_to_the_step_that_begins_there)
{
    struct cv_vm *vm = BEGIN("\x90\x90\x90\x90");
    watch(vm, CV_WATCH_CHANGE, DATA + 2, 2, true, CV_TAP_DMA);
    cr_assert_eq(cv_vm_run(vm, 2), CV_VM_LIMIT);
    cr_assert(poke(vm, DATA, "\1\1\1", 3));
    cr_assert_null(cv_vm_hit(vm));
    cr_assert_eq(cv_vm_icount(vm), 2);
    cr_assert_eq(cv_vm_run(vm, 2), CV_VM_LIMIT); /* no step, no hit */
    cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_HIT);
    expect(vm, 2, 1, CV_TAP_DMA);
    cr_assert_eq(cv_vm_hit(vm)->detail, DATA);
    cr_assert(poke(vm, DATA, "\1\1\1", 3)); /* the same bytes */
    cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_HIT);
    expect(vm, 3, 0, CV_TAP_DMA);
    cr_assert(poke(vm, DATA + 4, "\1\1\1", 3));
    watch(vm, CV_WATCH_CHANGE, DATA + 2, 2, true, 0); /* another list: forgotten */
    cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_LIMIT);
    cv_vm_free(vm);
}

Test(vm_watch, what_an_input_and_its_step_undo_is_no_change)
{
    /* mov byte [DATA], 0 */
    struct cv_vm *vm = BEGIN("\xc6\x05\0\0\x20\0\0");
    struct cv_watch list[4] = {{DATA, DATA, CV_WATCH_CHANGE, false},
                               {DATA, DATA, CV_WATCH_WRITE, false},
                               {DATA, DATA, CV_WATCH_CHANGE, true},
                               {DATA, DATA, CV_WATCH_WRITE, true}};
    cr_assert(cv_vm_watch(vm, list, 4, 0));
    cr_assert(poke(vm, DATA, "\1", 1));
    cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_HIT);
    expect(vm, 0, 0xa, 0);
    cv_vm_free(vm);
    vm = BEGIN("\xc6\x05\0\0\x20\0\0");
    cr_assert(cv_vm_watch(vm, list, 2, 0)); /* nobody watches what the input writes */
    cr_assert(poke(vm, DATA, "\1", 1));
    cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_HIT);
    expect(vm, 0, 2, 0);
    cv_vm_free(vm);
}

Test(vm_watch, a_fault_takes_back_its_own_accesses_only)
{
    struct cv_vm *vm = BEGIN("\x90\x90\x0f\x0b"); /* ud2 without an IDT */
    watch(vm, CV_WATCH_WRITE, DATA, 1, true, 0);
    cr_assert_eq(cv_vm_run(vm, 2), CV_VM_LIMIT);
    cr_assert(poke(vm, DATA, "\0", 1)); /* the value it has */
    cr_assert_eq(cv_vm_run(vm, 100), CV_VM_HIT);
    expect(vm, 2, 1, 0);
    cr_assert_eq(cv_vm_run(vm, 100), CV_VM_ENDED);
    cv_vm_free(vm);
}

Test(vm_watch, a_breakpoint_before_the_step_comes_first)
{
    struct cv_vm *vm = BEGIN("\x90\x90\x90\x90");
    cv_gva at = CODE + 2;
    watch(vm, CV_WATCH_WRITE, DATA, 1, true, 0);
    cr_assert_eq(cv_vm_run(vm, 2), CV_VM_LIMIT);
    cr_assert(poke(vm, DATA, "\1", 1));
    cv_vm_breakpoints(vm, &at, 1);
    cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_BREAK);
    cr_assert_eq(cv_vm_icount(vm), 2);
    cv_vm_skip_first_break(vm);
    cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_HIT);
    expect(vm, 2, 1, 0);
    cv_vm_free(vm);
}

Test(vm_watch, restoring_a_state_meets_nothing_and_keeps_the_watches)
{
    static uint8_t state[CV_VM_STATE_MAX];
    struct cv_vm *vm = BEGIN(STORES);
    watch(vm, CV_WATCH_CHANGE, DATA, 4, true, CV_TAP_DMA);
    size_t len = cv_vm_save(vm, state, sizeof(state));
    cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_HIT);
    cr_assert(poke(vm, DATA, "\1\2\3\4", 4)); /* pending */
    cr_assert(cv_ram_write(cv_vm_ram(vm), DATA, "\0\0\0\0", 4)); /* as a checkpoint does */
    cr_assert(cv_vm_load(vm, state, len));
    cr_assert_null(cv_vm_hit(vm));
    cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_HIT);
    expect(vm, 1, 1, 0);
    cr_assert(cv_ram_write(cv_vm_ram(vm), DATA, "\7\7\7\7", 4));
    cr_assert_eq(cv_vm_run(vm, 4), CV_VM_LIMIT); /* the step from 4 is the next store */
    cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_HIT);
    expect(vm, 4, 1, 0);
    cv_vm_free(vm);
}

/* A poke of many pages, over a watch of 1 MiB: every page is kept and compared. */
Test(vm_watch, long_inputs_are_compared_byte_by_byte)
{
    static uint8_t data[8 + 60000];
    struct cv_vm *vm = BEGIN("\x90\x90\x90\x90\x90\x90");
    struct cv_watch list[3] = {{DATA + 3, DATA + 3, CV_WATCH_CHANGE, true},
                               {DATA + 59999 + 5, DATA + 59999 + 5, CV_WATCH_CHANGE, true},
                               {DATA - 0x80000, DATA + 0x7ffff, CV_WATCH_CHANGE, true}};
    struct cv_input input = {.kind = CV_INPUT_POKE_MEM, .len = sizeof(data), .data = data};
    uint64_t gpa = DATA + 5;
    memcpy(data, &gpa, 8);
    cr_assert(cv_vm_watch(vm, list, 3, 0));
    cr_assert(cv_vm_input(vm, &input));
    cr_assert_eq(cv_vm_run(vm, 1), CV_VM_LIMIT); /* zeroes for zeroes */
    data[sizeof(data) - 1] = 1;
    cr_assert(cv_vm_input(vm, &input));
    cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_HIT);
    expect(vm, 1, 6, 0);
    cv_vm_free(vm);
}

Test(vm_watch, a_byte_on_the_console_is_told_when_it_leaves)
{
    /* mov dx, 0x3f8; mov al, 'x'; out dx, al */
    struct cv_vm *vm = BEGIN("\x66\xba\xf8\x03\xb0x\xee");
    watch(vm, 0, 0, 0, false, CV_TAP_CONSOLE);
    cr_assert_eq(cv_vm_run(vm, 1000000), CV_VM_HIT);
    cr_assert_eq(cv_vm_hit(vm)->taps, CV_TAP_CONSOLE);
    cr_assert_eq(cv_vm_hit(vm)->detail, 'x');
    cr_assert_eq(cv_vm_hit(vm)->step + 1, cv_vm_icount(vm));
    cr_assert_geq(cv_vm_hit(vm)->step, 2);
    cr_assert_eq(cv_vm_run(vm, 2000000), CV_VM_LIMIT);
    cv_vm_free(vm);
}

Test(vm_watch, an_idle_machine_keeps_what_an_input_touched)
{
    struct cv_vm *vm = BEGIN("\xfa\xf4"); /* cli; hlt */
    watch(vm, CV_WATCH_WRITE, DATA, 1, true, 0);
    cr_assert_eq(cv_vm_run(vm, 100), CV_VM_IDLE);
    cr_assert(poke(vm, DATA, "\1", 1));
    cr_assert_eq(cv_vm_run(vm, 100), CV_VM_IDLE);
    cr_assert_null(cv_vm_hit(vm));
    uint8_t nmi = CV_COMMAND_NMI;
    struct cv_input input = {.kind = CV_INPUT_COMMAND, .len = 1, .data = &nmi};
    cr_assert(cv_vm_input(vm, &input)); /* wakes it, into a triple fault: there is no IDT */
    enum cv_vm_exit out = cv_vm_run(vm, 100);
    cr_assert(out == CV_VM_HIT || out == CV_VM_ENDED);
    cr_assert_eq(cv_vm_hit(vm)->step, 2);
    cr_assert_eq(cv_vm_hit(vm)->watches[0], 1);
    cv_vm_free(vm);
}

Test(vm_watch, a_list_that_is_not_sound_changes_nothing)
{
    struct cv_vm *vm = BEGIN(STORES);
    struct cv_watch bad = {.first = 1, .last = 0, .kinds = CV_WATCH_WRITE};
    watch(vm, CV_WATCH_WRITE, DATA, 4, false, 0);
    cr_assert_not(cv_vm_watch(vm, &bad, 1, 0));
    cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_HIT);
    cv_vm_free(vm);
}

/* Re-arming runs over all of memory must not cost what a flush does. */
Test(vm_watch, arming_keeps_code_and_other_pages)
{
    struct cv_vm *vm = BEGIN(STORES);
    cr_assert_eq(cv_vm_run(vm, 10000), CV_VM_LIMIT);
    struct cv_exec_stats before = *cv_vm_exec_stats(vm);
    for (unsigned i = 0; i < 1000; i++) {
        watch(vm, CV_WATCH_CHANGE, 0x300000 + i * 16, 4, false, 0);
        cr_assert(cv_vm_watch(vm, NULL, 0, 0));
    }
    cr_assert_eq(cv_vm_run(vm, 20000), CV_VM_LIMIT);
    const struct cv_exec_stats *after = cv_vm_exec_stats(vm);
    cr_assert_eq(after->invalidated, before.invalidated);
    cr_assert_eq(after->flushes, before.flushes);
    cr_assert_leq(after->tlb_fills - before.tlb_fills, 2);
    cr_assert_leq(after->exits_slow - before.exits_slow, 2);
    cv_vm_free(vm);
}
