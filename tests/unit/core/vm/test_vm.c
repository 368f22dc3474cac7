/*
 * test_vm.c - the machine's loop: exact limits, phases, inputs, save and load, on a guest made here
 */
#include "core/vm.h"
#include "core/base/mem.h"
#include "core/cpu/regs.h"
#include "core/inspect.h"
#include "core/mem/ram.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define LOAD_ADDR 0x100000u

/* A multiboot image: header with address fields, then 32-bit code. */
struct image {
    uint8_t bytes[65536];
};

static struct cv_vm *make_vm(struct image *image, const uint8_t *code, size_t len,
                             uint8_t on_reset)
{
    static const uint32_t header[8] = {0x1badb002u, 0x00010000u, 0u - 0x1badb002u - 0x00010000u,
                                       LOAD_ADDR, LOAD_ADDR, LOAD_ADDR + sizeof(image->bytes),
                                       LOAD_ADDR + sizeof(image->bytes), LOAD_ADDR + 64};
    struct cv_vm_config config = {.ram_bytes = 4u << 20, .cpus = 1, .on_reset = on_reset};
    struct cv_error err = {0};
    memset(image, 0, sizeof(*image));
    memcpy(image->bytes, header, sizeof(header));
    memcpy(image->bytes + 64, code, len);
    config.kernel = (struct cv_image){image->bytes, sizeof(image->bytes)};
    struct cv_vm *vm = cv_vm_new(&config, NULL, 0, &err);
    cr_assert_not_null(vm, "%s", err.text);
    return vm;
}

/* inc %eax; jmp -3 */
static const uint8_t COUNT[] = {0x40, 0xeb, 0xfd};

Test(vm, stops_exactly_at_every_limit)
{
    static struct image image;
    struct cv_vm *vm = make_vm(&image, COUNT, sizeof(COUNT), CV_ON_RESET_END);
    uint64_t first = cv_vm_cpu(vm, 0)->gpr[CV_RAX];
    for (cv_icount at = 1; at < 300; at++) {
        cr_assert_eq(cv_vm_run(vm, at), CV_VM_LIMIT);
        cr_assert_eq(cv_vm_icount(vm), at);
        cr_assert_eq((uint32_t)cv_vm_cpu(vm, 0)->gpr[CV_RAX], (uint32_t)(first + (at + 1) / 2));
    }
    cr_assert_eq(cv_vm_run(vm, 5000000), CV_VM_LIMIT);
    cr_assert_eq(cv_vm_icount(vm), 5000000);
    cr_assert_eq(cv_vm_run(vm, 10), CV_VM_LIMIT);
    cr_assert_eq(cv_vm_icount(vm), 5000000);
    cv_vm_free(vm);
}

Test(vm, a_stop_is_seen_at_once_and_stays_until_cleared)
{
    static struct image image;
    struct cv_vm *vm = make_vm(&image, COUNT, sizeof(COUNT), CV_ON_RESET_END);
    cv_vm_stop(vm);
    cr_assert_eq(cv_vm_run(vm, 100), CV_VM_STOPPED);
    cr_assert_eq(cv_vm_icount(vm), 0);
    cv_vm_clear_stop(vm);
    cr_assert_eq(cv_vm_run(vm, 100), CV_VM_LIMIT);
    cv_vm_free(vm);
}

Test(vm, halting_without_interrupts_is_idle_with_no_deadline)
{
    static const uint8_t code[] = {0xfa, 0xf4}; /* cli; hlt */
    static struct image image;
    struct cv_position pos;
    struct cv_vm *vm = make_vm(&image, code, sizeof(code), CV_ON_RESET_END);
    cr_assert_eq(cv_vm_run(vm, 100), CV_VM_IDLE);
    cv_vm_position(vm, &pos);
    cr_assert_eq(pos.icount, 2);
    cr_assert_eq(pos.phase, CV_PHASE_IDLE);
    cr_assert_eq(cv_vm_next_deadline(vm), CV_NEVER);
    cv_vm_idle_jump(vm, pos.vtime + 1000);
    cv_vm_position(vm, &pos);
    cr_assert_eq(pos.vtime, 1002);
    cr_assert_eq(pos.icount, 2);
    cv_vm_free(vm);
}

Test(vm, halting_without_interrupts_waits_when_a_line_is_routed_as_nmi)
{
    static const uint8_t code[] = {
        0xb0, 0x30, 0xe6, 0x43, 0xe6, 0x40, 0xe6, 0x40,             /* PIT channel 0, mode 0, count 3030h */
        0xc7, 0x05, 0,    0,    0xc0, 0xfe, 0x14, 0, 0, 0,          /* I/O APIC pin 2 */
        0xc7, 0x05, 0x10, 0,    0xc0, 0xfe, 0,    4, 0, 0,          /* NMI, not masked */
        0xfa, 0xf4,                                                 /* cli; hlt */
    };
    static struct image image;
    struct cv_vm *vm = make_vm(&image, code, sizeof(code), CV_ON_RESET_END);
    cr_assert_eq(cv_vm_run(vm, 100), CV_VM_IDLE);
    cr_assert_neq(cv_vm_next_deadline(vm), CV_NEVER);
    cv_vm_free(vm);
}

Test(vm, guest_exit_ends_it_with_its_value)
{
    static const uint8_t code[] = {0xb8, 7, 0, 0, 0, 0xe7, 0xf4}; /* mov $7, %eax; out %eax, $0xf4 */
    static struct image image;
    uint32_t value = 0;
    struct cv_vm *vm = make_vm(&image, code, sizeof(code), CV_ON_RESET_END);
    cr_assert_eq(cv_vm_run(vm, 100), CV_VM_ENDED);
    cr_assert_eq(cv_vm_end(vm, &value), CV_END_GUEST_EXIT);
    cr_assert_eq(value, 7);
    cr_assert_eq(cv_vm_icount(vm), 2);
    cr_assert_eq(cv_vm_run(vm, 200), CV_VM_ENDED);
    cv_vm_free(vm);
}

Test(vm, triple_fault_obeys_on_reset)
{
    static const uint8_t code[] = {0x0f, 0x0b}; /* ud2 without an IDT */
    static struct image image;
    struct cv_vm *vm = make_vm(&image, code, sizeof(code), CV_ON_RESET_END);
    cr_assert_eq(cv_vm_run(vm, 100), CV_VM_ENDED);
    cr_assert_eq(cv_vm_end(vm, NULL), CV_END_TRIPLE_FAULT);
    cv_vm_free(vm);
    vm = make_vm(&image, code, sizeof(code), CV_ON_RESET_RESTART);
    cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_LIMIT); /* restarts again and again */
    cr_assert_eq(cv_vm_end(vm, NULL), CV_END_NONE);
    cv_vm_free(vm);
    vm = make_vm(&image, code, sizeof(code), CV_ON_RESET_STOP);
    cr_assert_eq(cv_vm_run(vm, 1000), CV_VM_RESET);
    cv_vm_free(vm);
}

static bool refuse(struct cv_inlet *inlet, const struct cv_position *pos,
                   const struct cv_input *input)
{
    (void)inlet;
    (void)pos;
    (void)input;
    return false;
}

Test(vm, an_input_the_inlet_refuses_does_not_happen)
{
    static struct image image;
    static uint8_t before[CV_VM_STATE_MAX], after[CV_VM_STATE_MAX];
    struct cv_inlet inlet = {.accept = refuse};
    struct cv_vm *vm = make_vm(&image, COUNT, sizeof(COUNT), CV_ON_RESET_END);
    struct cv_input input = {.kind = CV_INPUT_SERIAL, .len = 3, .data = (const uint8_t *)"abc"};
    size_t n = cv_vm_save(vm, before, sizeof(before));
    cv_vm_set_inlet(vm, &inlet);
    cr_assert_not(cv_vm_input(vm, &input));
    cr_assert_eq(cv_vm_save(vm, after, sizeof(after)), n);
    cr_assert_eq(memcmp(before, after, n), 0);
    cv_vm_set_inlet(vm, NULL);
    cr_assert(cv_vm_input(vm, &input));
    n = cv_vm_save(vm, after, sizeof(after));
    cr_assert_neq(memcmp(before, after, n), 0);
    cv_vm_free(vm);
}

Test(vm, malformed_inputs_are_refused)
{
    static struct image image;
    static uint8_t data[CV_INPUT_MAX + 1];
    static const struct cv_input bad[] = {
        {.kind = 0, .len = 1, .data = data},
        {.kind = 99, .len = 1, .data = data},
        {.kind = CV_INPUT_SERIAL, .unit = 2, .len = 1, .data = data},
        {.kind = CV_INPUT_SERIAL, .len = CV_INPUT_MAX + 1, .data = data},
        {.kind = CV_INPUT_COMMAND, .len = 0, .data = data},
        {.kind = CV_INPUT_COMMAND, .len = 1, .data = data},
        {.kind = CV_INPUT_POKE_MEM, .len = 7, .data = data},
        {.kind = CV_INPUT_POKE_REG, .len = 11, .data = data},
    };
    struct cv_vm *vm = make_vm(&image, COUNT, sizeof(COUNT), CV_ON_RESET_END);
    for (size_t i = 0; i < CV_ARRAY_LEN(bad); i++) {
        cr_assert_not(cv_vm_input(vm, &bad[i]), "case %zu", i);
    }
    uint8_t poke[10] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2};
    struct cv_input far = {.kind = CV_INPUT_POKE_MEM, .len = 10, .data = poke};
    cr_assert_not(cv_vm_input(vm, &far));
    cv_vm_free(vm);
}

Test(vm, pokes_change_memory_and_registers)
{
    static struct image image;
    struct cv_vm *vm = make_vm(&image, COUNT, sizeof(COUNT), CV_ON_RESET_END);
    uint8_t mem[12], reg[12], back[4];
    cv_st64(mem, 0x200000);
    cv_st32(mem + 8, 0xdeadbeef);
    cv_st32(reg, 0);
    cv_st64(reg + 4, 1000);
    struct cv_input poke = {.kind = CV_INPUT_POKE_MEM, .len = 12, .data = mem};
    cr_assert(cv_vm_input(vm, &poke));
    cr_assert_eq(cv_inspect_phys(vm, 0x200000, back, 4), 4);
    cr_assert_eq(cv_ld32(back), 0xdeadbeef);
    poke = (struct cv_input){.kind = CV_INPUT_POKE_REG, .len = 12, .data = reg};
    cr_assert(cv_vm_input(vm, &poke));
    cv_vm_run(vm, 1);
    cr_assert_eq(cv_vm_cpu(vm, 0)->gpr[CV_RAX], 1001);
    cv_vm_free(vm);
}

Test(vm, save_and_load_go_on_the_same_way)
{
    static struct image image, again;
    static uint8_t one[CV_VM_STATE_MAX], two[CV_VM_STATE_MAX];
    struct cv_vm *a = make_vm(&image, COUNT, sizeof(COUNT), CV_ON_RESET_END);
    struct cv_vm *b = make_vm(&again, COUNT, sizeof(COUNT), CV_ON_RESET_END);
    cv_vm_run(a, 12345);
    size_t n = cv_vm_save(a, one, sizeof(one));
    cr_assert(cv_vm_load(b, one, n));
    cr_assert_eq(cv_vm_icount(b), 12345);
    cv_vm_run(a, 99999);
    cv_vm_run(b, 99999);
    n = cv_vm_save(a, one, sizeof(one));
    cr_assert_eq(cv_vm_save(b, two, sizeof(two)), n);
    cr_assert_eq(memcmp(one, two, n), 0);
    for (size_t len = 0; len < n; len += 13) {
        cr_assert_not(cv_vm_load(b, one, len));
    }
    cr_assert_str_eq(cv_vm_section_at(one, n, 0), "vm");
    cr_assert_str_eq(cv_vm_section_at(one, n, 60), "cpu");
    cr_assert(cv_vm_load(b, one, n));
    cv_vm_free(a);
    cv_vm_free(b);
}

/* -- what the outlet sees ------------------------------------------------------------------------ */

struct frames {
    unsigned vector[4], exceptions, irets;
    uint64_t pushed[4], popped[4];
};

static void see_exception(void *arg, cv_icount icount, unsigned vector, uint64_t rip, uint64_t frame,
                          uint64_t cr2)
{
    struct frames *f = arg;
    (void)icount;
    (void)rip;
    (void)cr2;
    f->vector[f->exceptions & 3] = vector;
    f->pushed[f->exceptions++ & 3] = frame;
}

static void see_iret(void *arg, uint64_t frame)
{
    struct frames *f = arg;
    f->popped[f->irets++ & 3] = frame;
}

/* mov $0x90000, %esp; lgdt; ljmp; lidt; int $0x40, past the table: #GP. Its handler drops the error
 * code, skips the instruction and returns. Then a handler at 0900:0000, real mode, ud2. */
static const uint8_t FRAMES[0xe8] = {
    0xbc, 0x00, 0x00, 0x09, 0x00, 0x0f, 0x01, 0x15, 0xa0, 0x00, 0x10, 0x00, 0xea, 0x53, 0x00, 0x10,
    0x00, 0x08, 0x00, 0x0f, 0x01, 0x1d, 0x94, 0x00, 0x10, 0x00, 0xcd, 0x40, 0xc7, 0x05, 0x00, 0x90,
    0x00, 0x00, 0x66, 0x83, 0x04, 0x24, 0xc7, 0x05, 0x04, 0x90, 0x00, 0x00, 0x02, 0x66, 0xcf, 0x00,
    0xc7, 0x05, 0x18, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x09, 0x0f, 0x20, 0xc0, 0x83, 0xe0, 0xfe,
    0x0f, 0x22, 0xc0, 0x0f, 0x01, 0x1d, 0x9a, 0x00, 0x10, 0x00, 0x0f, 0x0b, 0x83, 0xc4, 0x04, 0x83,
    0x04, 0x24, 0x02, 0xcf, 0x6f, 0x00, 0xb8, 0x00, 0x10, 0x00, 0xff, 0x03, 0x00, 0x00, 0x00, 0x00,
    0x0f, 0x00, 0xa8, 0x00, 0x10, 0x00,
    [0x70] = 0xff, 0xff, 0x00, 0x00, 0x00, 0x9b, 0xcf, 0x00, /* GDT 8; IDT 13 */
    [0xe0] = 0x8c, 0x00, 0x08, 0x00, 0x00, 0x8e, 0x10,
};

Test(vm, the_outlet_names_a_frame_alike_at_exception_and_iret_in_protected_and_real_mode)
{
    static struct image image;
    struct frames f = {.exceptions = 0};
    struct cv_vm_outlet outlet = {.arg = &f, .exception = see_exception, .iret = see_iret};
    struct cv_vm *vm = make_vm(&image, FRAMES, sizeof(FRAMES), CV_ON_RESET_END);
    cv_vm_set_outlet(vm, &outlet);
    cr_assert_eq(cv_vm_run(vm, 18), CV_VM_LIMIT);
    cr_assert_eq(f.exceptions, 2);
    cr_assert_eq(f.irets, 2);
    cr_assert(f.vector[0] == 13 && f.vector[1] == 6);
    cr_assert(f.pushed[0] == 0x8fff4 && f.popped[0] == 0x8fff4, "%lx", (unsigned long)f.pushed[0]);
    cr_assert(f.pushed[1] == 0x8fffa && f.popped[1] == 0x8fffa, "%lx", (unsigned long)f.pushed[1]);
    cv_vm_free(vm);
}
