#include "tests/unit/record/toy_vm.h"

#include "core/base/mem.h"
#include "core/base/section.h"
#include "core/mem/ram.h"

#include <stdlib.h>
#include <string.h>

#define RX_DELAY     5u
#define TIMER_PERIOD 20000u
#define RAM_WORK     (512u << 10)
#define RAM_SMALL    (16u << 10)

struct cv_vm {
    struct cv_vm_config config;
    struct cv_ram ram;
    struct cv_inlet *inlet;
    struct cv_vm_outlet outlet;
    bool stop;
    uint8_t phase;
    cv_icount corrupt_at;
    char corrupt;
    const cv_gva *breaks;
    size_t breaks_count;
    bool skip_break;
    struct cv_watch watch; /* kinds 0: none; any write to these bytes of RAM counts */
    bool met, new_hit, has_hit;
    struct cv_tap_hit hit;
    /* state */
    uint8_t end;
    uint32_t guest_exit;
    bool reset_pending;
    uint64_t icount, skew, regs[4];
    bool halted, irq;
    uint64_t timer_due, timer_ticks, rx_due;
    uint8_t fifo[64];
    uint32_t fifo_count;
    uint8_t last_rx;
};

static void reset_toy(struct cv_vm *vm)
{
    for (unsigned i = 0; i < 4; i++) {
        vm->regs[i] = vm->config.seed * 0x9e3779b97f4a7c15ull + i;
    }
    vm->halted = false;
    vm->irq = false;
    vm->reset_pending = false;
    vm->fifo_count = 0;
    vm->rx_due = CV_NEVER;
    vm->timer_due = vm->icount + vm->skew + TIMER_PERIOD;
    if (vm->config.kernel.len > 0) {
        uint64_t len = vm->config.kernel.len < 65536 ? vm->config.kernel.len : 65536;
        (void)cv_ram_write(&vm->ram, 0x10000, vm->config.kernel.data, len);
    }
}

struct cv_vm *cv_vm_new(const struct cv_vm_config *config,
                        const struct cv_exec_config *exec, unsigned tlb_entries,
                        struct cv_error *err)
{
    struct cv_vm *vm = calloc(1, sizeof(*vm));
    (void)exec;
    (void)tlb_entries;
    vm->config = *config;
    vm->corrupt_at = CV_NEVER;
    if (!cv_ram_init(&vm->ram, config->ram_bytes)) {
        cv_error_set(err, CV_EXIT_OS, "toy: no memory");
        free(vm);
        return NULL;
    }
    reset_toy(vm);
    return vm;
}

void cv_vm_free(struct cv_vm *vm)
{
    if (vm != NULL) {
        cv_ram_fini(&vm->ram);
        free(vm);
    }
}

void toy_vm_corrupt(struct cv_vm *vm, cv_icount at, char component)
{
    vm->corrupt_at = at;
    vm->corrupt = component;
}

static void take_rx(struct cv_vm *vm)
{
    uint8_t c = vm->fifo[0];
    memmove(vm->fifo, vm->fifo + 1, sizeof(vm->fifo) - 1);
    vm->fifo_count--;
    vm->last_rx = c;
    vm->regs[0] ^= c * 0x100000001b3ull + vm->skew;
    vm->irq = true;
    struct cv_vm_outlet *o = &vm->outlet;
    if (c == 'p' && o->pvpanic != NULL) {
        o->pvpanic(o->arg, vm->icount, 1);
    } else if (c == 'f' && o->exception != NULL) {
        o->exception(o->arg, vm->icount, 14, vm->regs[1], 0xffff8000, vm->regs[2]);
    } else if (c == 'r' && o->iret != NULL) {
        o->iret(o->arg, 0xffff8000);
    } else if (c == 'q') {
        vm->end = CV_END_POWEROFF;
    } else if (c == 'x') {
        vm->end = CV_END_GUEST_EXIT;
        vm->guest_exit = 42;
    } else if (c == 't') {
        vm->end = CV_END_TRIPLE_FAULT;
    }
}

static void serve_due(struct cv_vm *vm)
{
    uint64_t now = vm->icount + vm->skew;
    if (vm->timer_due <= now) {
        vm->timer_ticks++;
        vm->timer_due = now + TIMER_PERIOD;
        vm->regs[3] += vm->timer_ticks;
        vm->irq = vm->irq || vm->timer_ticks % 3 != 0; /* some ticks wake nobody */
    }
    if (vm->rx_due <= now) {
        take_rx(vm);
        vm->rx_due = vm->fifo_count > 0 ? now + RX_DELAY : CV_NEVER;
    }
}

static bool put(struct cv_vm *vm, cv_gpa gpa, const void *src, uint64_t len)
{
    const struct cv_watch *w = &vm->watch;
    vm->met = vm->met || (w->kinds != 0 && gpa <= w->last && w->first < gpa + len);
    return cv_ram_write(&vm->ram, gpa, src, len);
}

static void end_step(struct cv_vm *vm)
{
    if (vm->met) {
        vm->hit = (struct cv_tap_hit){.step = vm->icount, .watches = {1}};
        vm->new_hit = true;
        vm->has_hit = true;
        vm->met = false;
    }
    vm->icount++;
}

static void corrupt(struct cv_vm *vm)
{
    if (vm->corrupt == 'r') {
        uint64_t v = cv_ld64(vm->ram.base + 0x200000) ^ 1;
        (void)cv_ram_write(&vm->ram, 0x200000, &v, 8);
    } else if (vm->corrupt == 'u') {
        vm->last_rx ^= 0x80;
    } else {
        vm->regs[0] ^= 1;
    }
}

static void step(struct cv_vm *vm)
{
    uint64_t x = vm->regs[0] * 6364136223846793005ull + 1442695040888963407ull;
    vm->regs[0] = x;
    if ((x >> 58) == 0) {
        uint64_t v = x ^ vm->regs[3];
        uint64_t work = vm->config.append[0] == 's' ? RAM_SMALL : RAM_WORK;
        (void)put(vm, (x >> 20) % work & ~7ull, &v, 8);
        if ((x >> 50 & 0xff) == 1) {
            vm->skew += 250;
            vm->regs[1]++;
            if (vm->outlet.serial != NULL) {
                vm->outlet.serial(vm->outlet.arg, 0, (uint8_t)x);
            }
        } else if ((x >> 50 & 0xff) == 2) {
            vm->halted = true;
        }
    }
    if (vm->icount == vm->corrupt_at) {
        corrupt(vm);
    }
    end_step(vm);
}

static void deliver(struct cv_vm *vm)
{
    vm->irq = false;
    vm->halted = false;
    vm->regs[2] += 3;
    if (vm->last_rx == 'w') {
        (void)put(vm, 0, &vm->regs[2], 8);
        vm->end = CV_END_POWEROFF;
    }
    end_step(vm);
}

static bool is_break(struct cv_vm *vm)
{
    for (size_t i = 0; i < vm->breaks_count; i++) {
        if (vm->breaks[i] == vm->icount) { /* the toy's "rip" is its icount */
            return true;
        }
    }
    return false;
}

static enum cv_vm_exit loop(struct cv_vm *vm, cv_icount limit, bool to_idle)
{
    for (;;) {
        vm->phase = CV_PHASE_STEP;
        if (vm->end != CV_END_NONE) {
            return CV_VM_ENDED;
        }
        if (vm->new_hit) {
            vm->new_hit = false;
            return CV_VM_HIT;
        }
        if (vm->icount > limit || (vm->icount == limit && !to_idle)) {
            return CV_VM_LIMIT;
        }
        if (vm->stop) {
            return CV_VM_STOPPED;
        }
        serve_due(vm);
        if (vm->end != CV_END_NONE) {
            return CV_VM_ENDED;
        }
        if (vm->reset_pending) {
            if (vm->config.on_reset == CV_ON_RESET_END) {
                vm->end = CV_END_RESET;
                return CV_VM_ENDED;
            }
            reset_toy(vm);
            if (vm->config.on_reset == CV_ON_RESET_STOP) {
                return CV_VM_RESET;
            }
            continue;
        }
        if (vm->irq) {
            deliver(vm);
            continue;
        }
        if (vm->halted) {
            vm->phase = CV_PHASE_IDLE;
            return CV_VM_IDLE;
        }
        if (to_idle && vm->icount == limit) {
            return CV_VM_LIMIT;
        }
        while (vm->icount < limit && !vm->halted && !vm->new_hit &&
               vm->icount + vm->skew < vm->timer_due &&
               vm->icount + vm->skew < vm->rx_due) {
            if (vm->breaks_count > 0 && !vm->skip_break && is_break(vm)) {
                return CV_VM_BREAK;
            }
            vm->skip_break = false;
            step(vm);
        }
    }
}

enum cv_vm_exit cv_vm_run(struct cv_vm *vm, cv_icount limit)
{
    vm->has_hit = vm->has_hit && vm->end != CV_END_NONE;
    return loop(vm, limit, false);
}

enum cv_vm_exit cv_vm_run_to_idle(struct cv_vm *vm, cv_icount at)
{
    vm->has_hit = vm->has_hit && vm->end != CV_END_NONE;
    return loop(vm, at, true);
}

void cv_vm_stop(struct cv_vm *vm)
{
    vm->stop = true;
}

void cv_vm_clear_stop(struct cv_vm *vm)
{
    vm->stop = false;
}

void cv_vm_idle_jump(struct cv_vm *vm, cv_vtime_ns vtime)
{
    if (vm->phase == CV_PHASE_IDLE && vtime > vm->icount + vm->skew) {
        vm->skew = vtime - vm->icount;
    }
}

cv_vtime_ns cv_vm_next_deadline(const struct cv_vm *vm)
{
    return vm->timer_due < vm->rx_due ? vm->timer_due : vm->rx_due;
}

bool cv_vm_input(struct cv_vm *vm, const struct cv_input *input)
{
    struct cv_position pos;
    bool poke = input->kind == CV_INPUT_POKE_MEM;
    bool room = poke ? input->len >= 8 : input->len <= cv_vm_serial_room(vm, 0);
    if (vm->end != CV_END_NONE || input->len == 0 || !room) {
        return false; /* traces are fuzzed on this machine */
    }
    cv_vm_position(vm, &pos);
    if (vm->inlet != NULL && !vm->inlet->accept(vm->inlet, &pos, input)) {
        return false;
    }
    if (input->kind == CV_INPUT_COMMAND) {
        vm->reset_pending = input->data[0] == CV_COMMAND_RESET;
        return true;
    }
    if (poke) {
        return put(vm, cv_ld64(input->data), input->data + 8, input->len - 8);
    }
    memcpy(vm->fifo + vm->fifo_count, input->data, input->len);
    vm->fifo_count += input->len;
    if (vm->rx_due == CV_NEVER) {
        vm->rx_due = pos.vtime + RX_DELAY;
    }
    return true;
}

unsigned cv_vm_serial_room(const struct cv_vm *vm, unsigned unit)
{
    (void)unit;
    return (unsigned)sizeof(vm->fifo) - vm->fifo_count;
}

void cv_vm_set_inlet(struct cv_vm *vm, struct cv_inlet *inlet)
{
    vm->inlet = inlet;
}

void cv_vm_set_outlet(struct cv_vm *vm, const struct cv_vm_outlet *outlet)
{
    static const struct cv_vm_outlet none;
    vm->outlet = outlet != NULL ? *outlet : none;
}

void cv_vm_position(const struct cv_vm *vm, struct cv_position *pos)
{
    *pos = (struct cv_position){vm->icount, vm->icount + vm->skew, vm->phase};
}

cv_icount cv_vm_icount(const struct cv_vm *vm)
{
    return vm->icount;
}

enum cv_vm_end cv_vm_end(const struct cv_vm *vm, uint32_t *guest_exit_value)
{
    if (guest_exit_value != NULL) {
        *guest_exit_value = vm->guest_exit;
    }
    return vm->end;
}

static void walk(struct cv_vm *vm, struct cv_section *s)
{
    cv_section_begin(s, "vm", 1);
    cv_section_u8(s, &vm->end);
    cv_section_u32(s, &vm->guest_exit);
    cv_section_bool(s, &vm->reset_pending);
    cv_section_u64(s, &vm->icount);
    cv_section_begin(s, "cpu", 1);
    for (unsigned i = 0; i < 4; i++) {
        cv_section_u64(s, &vm->regs[i]);
    }
    cv_section_bool(s, &vm->halted);
    cv_section_bool(s, &vm->irq);
    cv_section_u64(s, &vm->skew);
    cv_section_u64(s, &vm->timer_due);
    cv_section_u64(s, &vm->timer_ticks);
    cv_section_u64(s, &vm->rx_due);
    cv_section_begin(s, "uart", 1);
    cv_section_bytes(s, vm->fifo, sizeof(vm->fifo));
    cv_section_u32_max(s, &vm->fifo_count, sizeof(vm->fifo));
    cv_section_u8(s, &vm->last_rx);
}

size_t cv_vm_save(struct cv_vm *vm, uint8_t *buf, size_t cap)
{
    struct cv_section s = {.mode = CV_SECTION_SAVE, .buf = buf, .cap = cap};
    memset(vm->fifo + vm->fifo_count, 0, sizeof(vm->fifo) - vm->fifo_count);
    walk(vm, &s);
    return s.failed ? 0 : s.pos;
}

bool cv_vm_load(struct cv_vm *vm, const uint8_t *buf, size_t len)
{
    struct cv_section s = {
        .mode = CV_SECTION_LOAD, .buf = (uint8_t *)(uintptr_t)buf, .cap = len};
    walk(vm, &s);
    vm->phase = CV_PHASE_STEP;
    vm->met = vm->new_hit = vm->has_hit = false;
    return !s.failed && s.pos == len;
}

const char *cv_vm_section_at(const uint8_t *buf, size_t len, size_t offset)
{
    const char *name = "?";
    for (size_t i = 0; i <= offset && i + 8 <= len; i++) {
        if (memcmp(buf + i, "vm\0\0\0\0\0\0", 8) == 0) {
            name = "vm";
        } else if (memcmp(buf + i, "cpu\0\0\0\0\0", 8) == 0) {
            name = "cpu";
        } else if (memcmp(buf + i, "uart\0\0\0\0", 8) == 0) {
            name = "uart";
        }
    }
    return name;
}

struct cv_ram *cv_vm_ram(struct cv_vm *vm)
{
    return &vm->ram;
}

const struct cv_cpu *cv_vm_cpu(const struct cv_vm *vm, unsigned index)
{
    (void)vm;
    (void)index;
    return NULL;
}

void cv_vm_breakpoints(struct cv_vm *vm, const cv_gva *list, size_t count)
{
    vm->breaks = list;
    vm->breaks_count = count;
}

void cv_vm_skip_first_break(struct cv_vm *vm)
{
    vm->skip_break = true;
}

bool cv_vm_watch(struct cv_vm *vm, const struct cv_watch *list, size_t count, uint32_t taps)
{
    (void)taps;
    vm->watch = count != 0 ? list[0] : (struct cv_watch){.first = 0};
    vm->met = vm->new_hit = vm->has_hit = false;
    return count <= 1;
}

const struct cv_tap_hit *cv_vm_hit(const struct cv_vm *vm)
{
    return vm->has_hit ? &vm->hit : NULL;
}

const struct cv_exec_stats *cv_vm_exec_stats(const struct cv_vm *vm)
{
    (void)vm;
    return NULL;
}
