/*
 * fuzz_modes.c - guests made of arbitrary instructions, at any privilege, in every mode
 *
 * Input: a mode, a configuration byte, 14 bytes that seed registers and flags, then the
 * program. Two whole machines stand in that mode (lib/modes.c): one interpreted, one that
 * may translate. After each of several runs both are in one state, RAM included; the
 * state is saved and loaded as itself; and what was translated passes the verifier of
 * emitted code.
 */
#include "core/base/mem.h"
#include "core/decode/decode.h"
#include "core/mem/ram.h"
#include "core/vm_private.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/lib/modes.h"
#include "tests/unit/core/verify/verify.h"

#include <string.h>

#define HEAD     16u
#define CODE_MAX 1024u
#define PAGES    (MODES_RAM_BYTES / CV_PAGE_SIZE)

enum { INTERPRETED, TRANSLATED, MACHINES };

static struct cv_vm *vms[MACHINES];
static uint8_t image[MODES_RAM_BYTES], fresh[CV_VM_STATE_MAX];
static size_t fresh_len;
static bool dirty[PAGES]; /* in any machine */

/* Called inside the guest's run. */
__attribute__((target("general-regs-only"))) static void note_write(void *arg,
                                                                    cv_gpa page)
{
    (void)arg;
    dirty[page >> CV_PAGE_SHIFT] = true;
}

static const uint8_t KERNEL[] = {/* multiboot: hlt */
                                 0x02, 0xb0, 0xad, 0x1b, 0x03, 0x00, 0x01, 0x00,
                                 0xfb, 0x4f, 0x51, 0xe4, 0x00, 0x00, 0x10, 0x00,
                                 0x00, 0x00, 0x10, 0x00, 0x40, 0x00, 0x10, 0x00,
                                 0x00, 0x00, 0x11, 0x00, 0x20, 0x00, 0x10, 0x00,
                                 0xf4, 0xf4, 0xf4, 0xf4, 0,    0,    0,    0,
                                 0,    0,    0,    0,    0,    0,    0,    0,
                                 0,    0,    0,    0,    0,    0,    0,    0,
                                 0,    0,    0,    0,    0,    0,    0,    0};

static void make_machines(void)
{
    if (vms[0] != NULL) {
        return;
    }
    modes_image(image);
    for (unsigned i = 0; i < MACHINES; i++) {
        const struct cv_exec_config exec = {
            .cache_bytes = 1u << 20, .block_insns = 64, .interp_only = i == INTERPRETED};
        struct cv_error err = {0};
        struct cv_vm_config config = {.ram_bytes = MODES_RAM_BYTES,
                                      .cpus = 1,
                                      .seed = 1,
                                      .kernel = {KERNEL, sizeof(KERNEL)}};
        vms[i] = cv_vm_new(&config, &exec, 64, &err);
        FUZZ_CHECK(vms[i] != NULL, "%s", err.text);
        FUZZ_CHECK(cv_ram_write(&vms[i]->ram, 0, image, sizeof(image)), "RAM");
    }
    fresh_len = cv_vm_save(vms[0], fresh, sizeof(fresh));
}

static void run_to(struct cv_vm *vm, cv_icount limit)
{
    for (unsigned i = 0; i < 50; i++) {
        enum cv_vm_exit out = cv_vm_run(vm, limit);
        if (out != CV_VM_IDLE || cv_vm_next_deadline(vm) == CV_NEVER) {
            return;
        }
        cv_vm_idle_jump(vm, cv_vm_next_deadline(vm));
    }
}

static void check_same(unsigned kind, cv_icount at)
{
    static uint8_t one[CV_VM_STATE_MAX], two[CV_VM_STATE_MAX];
    size_t n = cv_vm_save(vms[0], one, sizeof(one));
    FUZZ_CHECK(cv_vm_save(vms[1], two, sizeof(two)) == n, "lengths");
    for (size_t i = 0; i < n; i++) {
        FUZZ_CHECK(one[i] == two[i],
                   "%s, to step %u: byte %zu (%s): %x interpreted, %x translated",
                   modes_name(kind), (unsigned)at, i, cv_vm_section_at(one, n, i), one[i],
                   two[i]);
    }
    for (unsigned i = 0; i < PAGES; i++) {
        FUZZ_CHECK(!dirty[i] || memcmp(vms[0]->ram.base + i * 4096u,
                                       vms[1]->ram.base + i * 4096u, 4096) == 0,
                   "%s, to step %u: RAM at %x", modes_name(kind), (unsigned)at, i << 12);
    }
}

/* The state is loaded as it was saved. */
static void check_load(unsigned kind)
{
    static uint8_t one[CV_VM_STATE_MAX], two[CV_VM_STATE_MAX];
    size_t n = cv_vm_save(vms[0], one, sizeof(one));
    FUZZ_CHECK(cv_vm_load(vms[0], one, n) && cv_vm_save(vms[0], two, sizeof(two)) == n &&
                   memcmp(one, two, n) == 0,
               "%s: its own state is refused or another", modes_name(kind));
}

static void put_back(void)
{
    for (unsigned i = 0; i < PAGES; i++) {
        for (unsigned m = 0; dirty[i] && m < MACHINES; m++) {
            FUZZ_CHECK(
                cv_ram_write(&vms[m]->ram, (uint64_t)i << 12, image + i * 4096u, 4096),
                "RAM");
        }
        dirty[i] = false;
    }
}

static void start(unsigned m, unsigned kind, const uint8_t *data, size_t size)
{
    static uint8_t code[MODES_CODE_BYTES];
    struct cv_vm *vm = vms[m];
    struct cv_ram_hooks hooks = {.on_first_write = note_write};
    uint64_t gpr[16], state = cv_ld64(data + 2) | 1;
    FUZZ_CHECK(cv_vm_load(vm, fresh, fresh_len), "the fresh state");
    cv_exec_flush(vm->exec);
    cv_ram_new_epoch(&vm->ram, &hooks);
    for (size_t i = 0; i < sizeof(code); i++) {
        code[i] = data[HEAD + i % (size - HEAD)];
    }
    FUZZ_CHECK(cv_ram_write(&vm->ram, MODES_CODE, code, sizeof(code)), "RAM");
    for (unsigned i = 0; i < 16; i++) {
        uint64_t word = fuzz_random(&state) << 32 ^ fuzz_random(&state);
        bool wild = (data[10 + i / 8] >> i % 8 & 1) != 0;
        gpr[i] = wild                     ? word
                 : modes_bits(kind) == 16 ? word & 0xfff8
                                          : MODES_DATA + (word & 0xffff);
    }
    modes_enter(vm, kind, gpr, cv_ld32(data + 12));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const cv_icount stops[] = {1, 60, 61, 200, 500};
    struct verify_report report;
    if (size <= HEAD || size > HEAD + CODE_MAX) {
        return 0;
    }
    unsigned kind = data[0] % MODES_COUNT;
    make_machines();
    for (unsigned m = 0; m < MACHINES; m++) {
        start(m, kind, data, size);
    }
    for (unsigned i = 0; i < CV_ARRAY_LEN(stops); i++) {
        for (unsigned m = 0; m < MACHINES; m++) {
            vms[m]->cpu.nmi_pending = (data[1] >> i & 1) != 0;
            run_to(vms[m], stops[i]);
        }
        check_same(kind, stops[i]);
    }
    check_load(kind);
    verify_all(vms[TRANSLATED]->exec, &report);
    FUZZ_CHECK(report.bad == 0, "%s: emitted code: %s", modes_name(kind), report.first);
    put_back();
    return 0;
}

/* -- mutation: whole instructions ---------------------------------------------------- */

static unsigned make_insn(uint8_t out[15], unsigned bits, uint64_t *state)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf3, 0xf2, 0x48,
                                       0x41, 0xf0, 0x2e, 0x64};
    for (unsigned try = 0; try < 64; try++) {
        struct cv_insn insn;
        unsigned n = 0;
        memset(out, 0, 15);
        while (fuzz_random(state) % 3 == 0 && n < 3) {
            out[n++] = prefixes[fuzz_random(state) % sizeof(prefixes)];
        }
        if (fuzz_random(state) % 3 == 0) {
            out[n++] = 0x0f;
        }
        while (n < 15) {
            out[n++] = (uint8_t)fuzz_random(state);
        }
        if (cv_decode(out, 15, bits, &insn) == CV_DECODE_OK) {
            /* far pointers name selectors that exist */
            if (insn.info->form == CV_FORM_FAR && fuzz_random(state) % 4 != 0) {
                out[insn.len - 2] = (uint8_t)(fuzz_random(state) % 0xd0 & 0xf8);
                out[insn.len - 1] = 0;
            }
            return insn.len;
        }
    }
    out[0] = 0x90;
    return 1;
}

static void fill_slot(uint8_t *slot, unsigned bits, uint64_t *state)
{
    unsigned at = 0;
    memset(slot, 0x90, MODES_SLOT);
    for (unsigned n = 1 + (unsigned)(fuzz_random(state) % 5); n > 0; n--) {
        uint8_t bytes[15];
        unsigned len = make_insn(bytes, bits, state);
        if (at + len > MODES_SLOT) {
            break;
        }
        memcpy(slot + at, bytes, len);
        at += len;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t cap, unsigned seed)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15ull | 1;
    if (size < HEAD + MODES_SLOT || fuzz_random(&state) % 3 == 0) {
        return LLVMFuzzerMutate(data, size,
                                cap < HEAD + CODE_MAX ? cap : HEAD + CODE_MAX);
    }
    size_t slots = (size - HEAD) / MODES_SLOT;
    if (slots < CODE_MAX / MODES_SLOT && size + MODES_SLOT <= cap &&
        fuzz_random(&state) % 4 == 0) {
        slots++;
        size = HEAD + slots * MODES_SLOT;
    }
    fill_slot(data + HEAD + fuzz_random(&state) % slots * MODES_SLOT,
              modes_bits(data[0] % MODES_COUNT), &state);
    return size;
}

void write_seeds(void)
{
    static uint8_t file[HEAD + 8 * MODES_SLOT];
    uint64_t state = 7;
    for (unsigned kind = 0; kind < MODES_COUNT; kind++) {
        for (unsigned i = 0; i < 4; i++) {
            char name[40];
            for (unsigned k = 0; k < HEAD; k++) {
                file[k] = (uint8_t)fuzz_random(&state);
            }
            file[0] = (uint8_t)kind;
            for (unsigned at = HEAD; at < sizeof(file); at += MODES_SLOT) {
                fill_slot(file + at, modes_bits(kind), &state);
            }
            snprintf(name, sizeof(name), "%s-%u", modes_name(kind), i);
            fuzz_seed(name, file, sizeof(file));
        }
    }
}
