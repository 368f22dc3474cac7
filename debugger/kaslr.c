#include "debugger/kaslr.h"
#include "core/base/mem.h"
#include "core/inspect.h"

#include <string.h>

#define IMAGE_BASE  0xffffffff80000000ull /* mm.rst: "kernel text mapping" */
#define IMAGE_SPACE 0x40000000ull         /* modules begin above */
#define ALIGNMENT   0x200000ull           /* the least that a kernel is moved by */
#define EFER_LMA    (1ull << 10)

/* boot.rst "The Real-Mode Kernel Header" */
#define HEADER_MAGIC 0x202u
#define PREF_ADDRESS 0x258u

static bool is_long_mode(struct cv_vm *vm)
{
    uint8_t efer[16];
    return cv_inspect_reg(vm, 0, CV_REG_EFER, efer) && (cv_ld64(efer) & EFER_LMA) != 0;
}

static bool read_link_address(const struct cv_image *kernel, uint64_t *gva)
{
    if (kernel->len < PREF_ADDRESS + 8 || memcmp(kernel->data + HEADER_MAGIC, "HdrS", 4) != 0) {
        return false;
    }
    uint64_t pref = cv_ld64(kernel->data + PREF_ADDRESS);
    *gva = IMAGE_BASE + pref;
    return pref < IMAGE_SPACE;
}

/* The kernel unmaps what lies before its text as soon as it has page tables of its own, so the
 * first page that is mapped is the first of its text. */
bool cv_kaslr_slide(struct cv_vm *vm, const struct cv_vm_config *config, uint64_t *slide)
{
    uint64_t linked;
    if (!is_long_mode(vm) || !read_link_address(&config->kernel, &linked)) {
        return false;
    }
    for (uint64_t off = 0; off < IMAGE_SPACE; off += ALIGNMENT) {
        cv_gpa gpa;
        if (cv_inspect_translate(vm, 0, IMAGE_BASE + off, &gpa)) {
            *slide = IMAGE_BASE + off - linked;
            return IMAGE_BASE + off >= linked;
        }
    }
    return false;
}
