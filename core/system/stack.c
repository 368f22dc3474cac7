#include "core/system/stack.h"
#include "core/system/access.h"
#include "core/system/segment.h"

void cv_stack_current(const struct cv_cpu *cpu, struct cv_stack *stack)
{
    stack->seg = cpu->seg[CV_SS];
    stack->sp = cpu->gpr[CV_RSP];
    stack->supervisor = false;
    stack->err = 0;
    if ((cpu->mode & CV_MODE_CS64) != 0) {
        stack->width = 8;
    } else {
        stack->width = (stack->seg.attr & CV_SEG_DB) != 0 ? 4 : 2;
    }
}

static uint64_t width_mask(const struct cv_stack *stack)
{
    return stack->width == 8 ? UINT64_MAX : (1ull << stack->width * 8) - 1;
}

void cv_stack_skip(struct cv_stack *stack, uint64_t bytes)
{
    uint64_t mask = width_mask(stack);
    stack->sp = (stack->sp & ~mask) | ((stack->sp + bytes) & mask);
}

cv_gva cv_stack_top(const struct cv_stack *stack)
{
    uint64_t off = stack->sp & width_mask(stack);
    return stack->width == 8 ? off : (uint32_t)(stack->seg.base + off);
}

uint64_t cv_stack_linear(const struct cv_cpu *cpu)
{
    struct cv_stack stack;
    cv_stack_current(cpu, &stack);
    return cv_stack_top(&stack);
}

/* Linear address of the item at the top, checked. */
static bool place_item(struct cv_cpu *cpu, const struct cv_stack *stack, unsigned size,
                       cv_gva *gva)
{
    uint64_t off = stack->sp & width_mask(stack);
    bool good;
    *gva = cv_stack_top(stack);
    if (stack->width == 8) {
        good = cv_canonical(off) && cv_canonical(off + size - 1);
    } else {
        good =
            (stack->seg.attr & CV_SEG_NULL) == 0 && cv_seg_within(&stack->seg, off, size);
    }
    return good || cv_raise(cpu, CV_EXC_SS, true, stack->err & 0xfffcu);
}

bool cv_stack_push(struct cv_cpu *cpu, struct cv_stack *stack, unsigned size,
                   uint64_t value)
{
    cv_gva gva;
    cv_stack_skip(stack, -(uint64_t)size);
    if (!place_item(cpu, stack, size, &gva)) {
        return false;
    }
    return stack->supervisor ? cv_mem_write_sys(cpu, gva, size, value)
                             : cv_mem_write(cpu, gva, size, value);
}

bool cv_stack_room(struct cv_cpu *cpu, const struct cv_stack *stack, unsigned size,
                   unsigned count)
{
    uint64_t bytes = (uint64_t)size * count;
    if (stack->width == 8 &&
        (((stack->sp - bytes) ^ (stack->sp - 1)) & CV_PAGE_MASK) == 0) {
        return true; /* one page: the first push tells; elsewhere there are limits */
    }
    struct cv_stack s = *stack;
    unsigned acc = CV_ACC_WRITE | (s.supervisor ? CV_ACC_SYSTEM : 0);
    for (unsigned i = 0; i < count; i++) {
        cv_gva gva;
        cv_stack_skip(&s, -(uint64_t)size);
        if (!place_item(cpu, &s, size, &gva) || !cv_mem_probe(cpu, gva, size, acc)) {
            return false;
        }
    }
    return true;
}

bool cv_stack_pop(struct cv_cpu *cpu, struct cv_stack *stack, unsigned size,
                  uint64_t *value)
{
    cv_gva gva;
    if (!place_item(cpu, stack, size, &gva) || !cv_mem_read(cpu, gva, size, value)) {
        return false;
    }
    cv_stack_skip(stack, size);
    return true;
}

void cv_stack_commit(struct cv_cpu *cpu, const struct cv_stack *stack)
{
    uint64_t *rsp = &cpu->gpr[CV_RSP];
    if (stack->width == 2) {
        *rsp = (*rsp & ~0xffffull) | (stack->sp & 0xffff);
    } else {
        *rsp = stack->sp & width_mask(stack);
    }
}

static bool raise_ts(struct cv_cpu *cpu, uint16_t sel)
{
    return cv_raise(cpu, CV_EXC_TS, true, sel & 0xfffcu);
}

bool cv_stack_from_tss64(struct cv_cpu *cpu, unsigned level, unsigned ist, uint64_t *rsp)
{
    /* SDM 3A "Task Management in 64-bit Mode" (7.7), figure 7-11 */
    uint32_t off = ist != 0 ? 0x24 + (ist - 1) * 8 : 4 + level * 8;
    if ((cpu->tr.attr & CV_SEG_NULL) != 0 || off + 7 > cpu->tr.limit) {
        return raise_ts(cpu, cpu->tr.sel);
    }
    return cv_access_read(cpu, cpu->tr.base + off, 8, rsp);
}

static bool check_new_ss(struct cv_cpu *cpu, uint16_t sel, unsigned level,
                         struct cv_seg *ss)
{
    uint64_t desc;
    if ((sel & 0xfffc) == 0) {
        return raise_ts(cpu, sel);
    }
    if (!cv_seg_descriptor(cpu, sel, &desc)) {
        if (cpu->fault.vector == CV_EXC_GP) { /* past the table: told as #TS here */
            raise_ts(cpu, sel);
        }
        return false;
    }
    cv_seg_unpack(desc, sel, ss);
    if ((sel & 3u) != level || cv_seg_dpl(ss) != level || !cv_seg_is_stack(ss)) {
        return raise_ts(cpu, sel);
    }
    return (ss->attr & CV_SEG_P) != 0 || cv_raise(cpu, CV_EXC_SS, true, sel & 0xfffcu);
}

bool cv_stack_from_tss32(struct cv_cpu *cpu, unsigned level, struct cv_stack *stack)
{
    bool wide = (cpu->tr.attr & 8) != 0;
    unsigned size = wide ? 4 : 2;
    uint32_t off = size + level * size * 2;
    uint64_t esp;
    uint64_t sel;
    if ((cpu->tr.attr & CV_SEG_NULL) != 0 || off + size + 1 > cpu->tr.limit) {
        return raise_ts(cpu, cpu->tr.sel);
    }
    if (!cv_access_read(cpu, cpu->tr.base + off, size, &esp) ||
        !cv_access_read(cpu, cpu->tr.base + off + size, 2, &sel) ||
        !check_new_ss(cpu, (uint16_t)sel, level, &stack->seg)) {
        return false;
    }
    stack->sp = esp;
    stack->width = (stack->seg.attr & CV_SEG_DB) != 0 ? 4 : 2;
    stack->supervisor = level < 3;
    stack->err = (uint16_t)sel;
    return true;
}
