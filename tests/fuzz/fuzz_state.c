/*
 * fuzz_state.c - hostile state images and inputs for the whole machine
 *
 * Input: u32 length of a state image as cv_vm_save writes it, that image, then inputs:
 * kind, unit, u16 length, data. What cv_vm_load accepts must run (lib/guest.c is in RAM)
 * interpreted and translated with one result, take any input, and be saved and loaded
 * again as the same state. RAM is put back after every run.
 */
#include "core/vm.h"
#include "core/base/mem.h"
#include "core/base/section.h"
#include "core/mem/ram.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/lib/guest.h"

#include <string.h>

#define RAM_SIZE   (2u << 20)
#define STEPS      1000u
#define WARM_STEPS 20000u
#define HEAD       4u
#define PAGES      (RAM_SIZE / CV_PAGE_SIZE)

enum { INTERPRETED, TRANSLATED, MACHINES };

static struct cv_vm *vms[MACHINES];
static uint8_t *base_ram, base_state[CV_VM_STATE_MAX];
static uint8_t ends[MACHINES][CV_VM_STATE_MAX];
static size_t state_len;
static bool dirty[PAGES]; /* in any machine */

/* Called inside the guest's run. */
__attribute__((target("general-regs-only"))) static void note_write(void *arg,
                                                                    cv_gpa page)
{
    (void)arg;
    dirty[page >> CV_PAGE_SHIFT] = true;
}

static void run_to(struct cv_vm *vm, cv_icount limit)
{
    for (unsigned i = 0; i < 200; i++) {
        switch (cv_vm_run(vm, limit)) {
        case CV_VM_IDLE:
            if (cv_vm_next_deadline(vm) == CV_NEVER) {
                return;
            }
            cv_vm_idle_jump(vm, cv_vm_next_deadline(vm));
            break;
        case CV_VM_BREAK:
            break;
        default:
            return;
        }
    }
}

static struct cv_vm *make_machine(bool interp_only)
{
    const struct cv_exec_config exec = {
        .cache_bytes = 1u << 20, .block_insns = 64, .interp_only = interp_only};
    struct cv_error err = {0};
    struct cv_vm_config config = {.ram_bytes = RAM_SIZE,
                                  .cpus = 1,
                                  .seed = 1,
                                  .kernel = {fuzz_guest, fuzz_guest_len}};
    struct cv_vm *vm = cv_vm_new(&config, &exec, 256, &err);
    FUZZ_CHECK(vm != NULL, "%s", err.text);
    return vm;
}

static void make_machines(void)
{
    if (base_ram != NULL) {
        return;
    }
    for (unsigned i = 0; i < MACHINES; i++) {
        vms[i] = make_machine(i == INTERPRETED);
        run_to(vms[i], WARM_STEPS);
        FUZZ_CHECK(cv_vm_end(vms[i], NULL) == CV_END_NONE, "the guest ended: %d",
                   cv_vm_end(vms[i], NULL));
    }
    base_ram = malloc(RAM_SIZE);
    FUZZ_CHECK(cv_ram_read(cv_vm_ram(vms[0]), 0, base_ram, RAM_SIZE), "RAM");
    state_len = cv_vm_save(vms[0], base_state, sizeof(base_state));
}

static void check_ram_and_restore(void)
{
    struct cv_ram *a = cv_vm_ram(vms[0]), *b = cv_vm_ram(vms[1]);
    for (unsigned i = 0; i < PAGES; i++) {
        if (dirty[i]) {
            FUZZ_CHECK(memcmp(a->base + i * 4096u, b->base + i * 4096u, 4096) == 0,
                       "RAM at %x differs", i << 12);
            FUZZ_CHECK(cv_ram_write(a, (uint64_t)i << 12, base_ram + i * 4096u, 4096) &&
                           cv_ram_write(b, (uint64_t)i << 12, base_ram + i * 4096u, 4096),
                       "RAM");
            dirty[i] = false;
        }
    }
}

static void check_same(const uint8_t *one, const uint8_t *two, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++) {
        FUZZ_CHECK(one[i] == two[i], "%s: byte %zu (%s): %x, then %x", what, i,
                   cv_vm_section_at(one, n, i), one[i], two[i]);
    }
}

/* Leaves the machine in the state it has. Returns its length. */
static size_t check_save(struct cv_vm *vm, uint8_t *one)
{
    static uint8_t two[CV_VM_STATE_MAX];
    size_t n = cv_vm_save(vm, one, CV_VM_STATE_MAX);
    FUZZ_CHECK(cv_vm_load(vm, one, n), "its own state is refused");
    FUZZ_CHECK(cv_vm_save(vm, two, sizeof(two)) == n, "another length");
    check_same(one, two, n, "saved, loaded, saved");
    return n;
}

static size_t image_len(const uint8_t *data, size_t size)
{
    if (size < HEAD) {
        return 0;
    }
    return cv_ld32(data) < size - HEAD ? cv_ld32(data) : size - HEAD;
}

/* False: the image is refused. */
static bool run_machine(struct cv_vm *vm, const uint8_t *data, size_t size,
                        uint8_t *result, size_t *result_len)
{
    struct cv_ram_hooks hooks = {.on_first_write = note_write};
    size_t len = image_len(data, size);
    uint8_t *copy = malloc(len + 1);
    memcpy(copy, data + (len > 0 ? HEAD : 0), len);
    bool ok = cv_vm_load(vm, copy, len);
    free(copy);
    if (!ok) {
        return false;
    }
    cv_ram_new_epoch(cv_vm_ram(vm), &hooks);
    check_save(vm, result);
    cv_icount start = cv_vm_icount(vm);
    cv_icount end = start > CV_NEVER - STEPS - 1 ? CV_NEVER - 1 : start + STEPS;
    for (size_t at = HEAD + len; size - at >= 4 && at < size;) {
        uint32_t want = (uint32_t)data[at + 2] | (uint32_t)data[at + 3] << 8;
        size_t room = size - at - 4;
        uint8_t *exact = malloc(room + 1);
        struct cv_input input = {data[at], data[at + 1],
                                 want < room ? want : (uint32_t)room, exact};
        memcpy(exact, data + at + 4, input.len);
        (void)!cv_vm_input(vm, &input);
        free(exact);
        at += 4 + input.len;
        if (cv_vm_icount(vm) + 100 < end) {
            run_to(vm, cv_vm_icount(vm) + 100);
        }
    }
    run_to(vm, end);
    *result_len = check_save(vm, result);
    return true;
}

/* The inputs before the one that fails: what the machines remember may matter. CV_FUZZ_HISTORY=DIR keeps the last
 * ones there as files 000, 001 ... in the order to run them again. */
#define HISTORY 256u
static uint8_t *past[HISTORY];
static size_t past_len[HISTORY];
static unsigned past_count;

static void remember(const uint8_t *data, size_t size)
{
    unsigned i = past_count++ % HISTORY;
    free(past[i]);
    past[i] = malloc(size + 1);
    memcpy(past[i], data, size);
    past_len[i] = size;
}

static void write_history(void)
{
    const char *dir = getenv("CV_FUZZ_HISTORY");
    for (unsigned i = 0; dir != NULL && i < HISTORY; i++) {
        unsigned slot = (past_count + i) % HISTORY;
        char path[512];
        snprintf(path, sizeof(path), "%s/%03u", dir, i);
        FILE *f = past[slot] != NULL ? fopen(path, "wb") : NULL;
        if (f != NULL) {
            fwrite(past[slot], 1, past_len[slot], f);
            fclose(f);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len[MACHINES] = {0};
    remember(data, size);
    make_machines();
    if (!run_machine(vms[INTERPRETED], data, size, ends[INTERPRETED],
                     &len[INTERPRETED])) {
        return 0;
    }
    bool ok =
        run_machine(vms[TRANSLATED], data, size, ends[TRANSLATED], &len[TRANSLATED]);
    FUZZ_CHECK(ok, "refused the second time");
    if (len[0] != len[1] || memcmp(ends[0], ends[1], len[0]) != 0) {
        write_history();
    }
    FUZZ_CHECK(len[0] == len[1], "lengths %zu and %zu", len[0], len[1]);
    check_same(ends[0], ends[1], len[0], "interpreted, translated");
    check_ram_and_restore();
    return 0;
}

static void tweak(uint8_t *image, size_t len, uint64_t *random)
{
    for (unsigned n = 1 + (unsigned)(fuzz_random(random) % 5); n > 0; n--) {
        size_t width = 1u << fuzz_random(random) % 4;
        size_t at = fuzz_random(random) % (len - 8);
        uint64_t v = ~0ull;
        if (fuzz_random(random) % 3 == 0) {
            v = fuzz_random(random) << 20;
        } else if (fuzz_random(random) % 2 == 0) {
            v = fuzz_random(random) % 32;
        }
        if (fuzz_random(random) % 3 == 0) {
            image[at] ^= (uint8_t)(1u << fuzz_random(random) % 8);
        } else {
            memcpy(image + at, &v, width);
        }
    }
}

/* The names and lengths of components stay as they are. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t cap, unsigned seed)
{
    static uint8_t before[8192];
    uint64_t random = seed * 0x9e3779b97f4a7c15ull | 1;
    make_machines();
    if (cap < HEAD + sizeof(before)) {
        return LLVMFuzzerMutate(data, size, cap);
    }
    size_t len = image_len(data, size);
    if (len < state_len / 2 || len > sizeof(before)) {
        cv_st32(data, (uint32_t)state_len);
        memcpy(data + HEAD, base_state, state_len);
        len = state_len;
        size = HEAD + len;
    }
    if (fuzz_random(&random) % 3 == 0) { /* the inputs */
        return HEAD + len +
               LLVMFuzzerMutate(data + HEAD + len, size - HEAD - len, cap - HEAD - len);
    }
    uint8_t *image = data + HEAD;
    memcpy(before, image, len);
    tweak(image, len, &random);
    for (size_t at = 0; len - at >= CV_SECTION_HEADER;) {
        size_t bytes = cv_ld32(before + at + 12);
        memcpy(image + at, before + at, CV_SECTION_HEADER);
        if (bytes > len - at - CV_SECTION_HEADER) {
            break;
        }
        at += CV_SECTION_HEADER + bytes;
    }
    return size;
}

void write_seeds(void)
{
    static uint8_t file[CV_VM_STATE_MAX + 256];
    static const cv_icount at[] = {0, 3, 30, 200, 900, 2600, 2700, 5000, 11000, 19999};
    struct cv_vm *vm = make_machine(false);
    for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        static const uint8_t inputs[] = {CV_INPUT_SERIAL,
                                         0,
                                         3,
                                         0,
                                         'a',
                                         'b',
                                         'c',
                                         CV_INPUT_KEYBOARD,
                                         0,
                                         1,
                                         0,
                                         0x1e,
                                         CV_INPUT_COMMAND,
                                         0,
                                         1,
                                         0,
                                         CV_COMMAND_NMI,
                                         CV_INPUT_POKE_REG,
                                         0,
                                         12,
                                         0,
                                         3,
                                         0,
                                         0,
                                         0,
                                         1,
                                         2,
                                         3,
                                         4,
                                         5,
                                         6,
                                         7,
                                         8,
                                         CV_INPUT_POKE_MEM,
                                         0,
                                         10,
                                         0,
                                         0,
                                         0,
                                         0x10,
                                         0,
                                         0,
                                         0,
                                         0,
                                         0,
                                         0x90,
                                         0xf4};
        char name[32];
        run_to(vm, at[i]);
        size_t n = HEAD + cv_vm_save(vm, file + HEAD, CV_VM_STATE_MAX);
        cv_st32(file, (uint32_t)(n - HEAD));
        memcpy(file + n, inputs, sizeof(inputs));
        snprintf(name, sizeof(name), "state%05u", (unsigned)at[i]);
        fuzz_seed(name, file, n + (i % 2 != 0 ? sizeof(inputs) : 0));
    }
    cv_vm_free(vm);
}
