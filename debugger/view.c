#include "debugger/view.h"
#include "core/base/check.h"
#include "core/base/mem.h"
#include "core/inspect.h"

#define REG_BYTES_MAX 16u
#define ROOT_MASK     0x000ffffffffff000ull

bool cv_view_reg(struct cv_vm *vm, unsigned reg, uint64_t *value)
{
    uint8_t bytes[REG_BYTES_MAX] = {0};
    if (cv_inspect_reg_size(reg) > sizeof(*value) || !cv_inspect_reg(vm, 0, reg, bytes)) {
        return false;
    }
    *value = cv_ld64(bytes);
    return true;
}

uint64_t cv_view_number(struct cv_vm *vm, unsigned reg)
{
    uint64_t value = 0;
    bool ok = cv_view_reg(vm, reg, &value);
    CV_ASSERT(ok);
    return value;
}

bool cv_view_mem(struct cv_vm *vm, uint64_t addr, void *dst, size_t len)
{
    return cv_inspect_mem(vm, 0, addr, dst, len) == len;
}

uint64_t cv_view_space(struct cv_vm *vm)
{
    return cv_view_number(vm, CV_REG_CR3) & ROOT_MASK;
}
