/*
 * vm_watch.c - what a machine's run looks for, and the disturbance that looks for everything
 */
#include "core/base/check.h"
#include "core/mem/taps.h"
#include "core/vm_private.h"

bool cv_vm_arm(struct cv_vm *vm, const struct cv_watch *list, size_t count, uint32_t taps)
{
    if (vm->taps == NULL) {
        if (count == 0 && taps == 0) {
            return true;
        }
        vm->taps = cv_taps_new(&vm->cpu);
    }
    return vm->taps != NULL && cv_taps_arm(vm->taps, list, count, taps);
}

bool cv_vm_watch(struct cv_vm *vm, const struct cv_watch *list, size_t count,
                 uint32_t taps)
{
    if (!cv_vm_arm(vm, list, count, taps)) {
        return false;
    }
    vm->disturbed = false;
    return true;
}

const struct cv_tap_hit *cv_vm_hit(const struct cv_vm *vm)
{
    return vm->taps != NULL && !vm->disturbed ? cv_taps_hit(vm->taps) : NULL;
}

/* -- the disturbance ----------------------------------------------------------------- */

/* A list stays for so many hits or, early in a run, for few steps more than this: short guests are to meet many. */
#define HITS_PER_LIST  512u
#define STEPS_PER_LIST 256u

static uint64_t next_random(struct cv_vm *vm)
{
    uint64_t z = vm->disturb_state += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static uint64_t choose_length(struct cv_vm *vm)
{
    uint64_t r = next_random(vm);
    switch (r % 64) {
    case 0:
        return r % 7 == 0 ? CV_WATCH_LEN_MAX : CV_PAGE_SIZE;
    case 1:
    case 2:
    case 3:
    case 4:
        return 1 + (r >> 8) % 512;
    default:
        return 1ull << (r >> 8) % 5;
    }
}

/* Near something the guest uses now, where accesses are likely. */
static uint64_t choose_linear(struct cv_vm *vm)
{
    const struct cv_cpu *cpu = &vm->cpu;
    uint64_t r = next_random(vm), near = r >> 16;
    switch (r % 8) {
    case 0:
        return cpu->gdtr.base + near % 128;
    case 1:
        return cpu->idtr.base + near % 4096;
    case 2:
        return cpu->tr.base + near % 128;
    case 3:
    case 4:
        return cpu->gpr[CV_RSP] + near % 16384 - 8192;
    case 5:
        return cpu->rip + near % 65536 - 32768;
    default:
        return cpu->gpr[near % 16] + (near >> 8) % 2048 - 1024;
    }
}

static uint64_t choose_physical(struct cv_vm *vm)
{
    uint64_t r = next_random(vm), near = r >> 16;
    switch (r % 4) {
    case 0:
        return (vm->cpu.cr3 & CV_PAGE_MASK) + near % CV_PAGE_SIZE;
    case 1:
        return near % vm->ram.span;
    default: /* many guests map RAM one to one, at some round address */
        return choose_linear(vm) % vm->ram.span;
    }
}

static void choose_watch(struct cv_vm *vm, struct cv_watch *w)
{
    w->physical = next_random(vm) % 2 == 0;
    w->kinds = (uint8_t)(1 + next_random(vm) % 7);
    w->first = w->physical ? choose_physical(vm) : choose_linear(vm);
    w->last = w->first + choose_length(vm) - 1;
    if (w->last < w->first) {
        w->last = w->first;
    }
}

cv_icount cv_vm_disturb(struct cv_vm *vm)
{
    struct cv_watch list[CV_WATCHES_MAX];
    cv_icount now = cv_vm_icount(vm);
    if (now < vm->disturb_until && now >= vm->disturb_from &&
        vm->disturb_hits++ < HITS_PER_LIST) {
        return vm->disturb_until;
    }
    for (unsigned i = 0; i < CV_WATCHES_MAX; i++) {
        choose_watch(vm, &list[i]);
    }
    vm->disturb_hits = 0;
    vm->disturb_from = now;
    vm->disturb_until = now + STEPS_PER_LIST + next_random(vm) % (now / 128 + 1);
    bool ok = cv_vm_arm(vm, list, CV_WATCHES_MAX, CV_TAP_ALL);
    CV_ASSERT(ok || vm->taps == NULL); /* no memory: undisturbed */
    return vm->disturb_until;
}
