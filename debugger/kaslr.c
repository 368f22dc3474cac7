#include "debugger/kaslr.h"
#include "core/base/mem.h"
#include "core/inspect.h"
#include "debugger/arch.h"
#include "debugger/view.h"

#include <string.h>

#define IMAGE_BASE  0xffffffff80000000ull /* mm.rst: "kernel text mapping" */
#define IMAGE_SPACE 0x40000000ull         /* modules begin above */
#define ALIGNMENT   0x200000ull           /* the least that a kernel is moved by */
#define EFER_LMA    (1ull << 10)
#define CR0_PG      (1ull << 31)

/* boot.rst "The Real-Mode Kernel Header" */
#define HEADER_MAGIC     0x202u
#define KERNEL_ALIGNMENT 0x230u
#define PREF_ADDRESS     0x258u

/* The 32-bit kernel: physical memory from 3 GiB on (CONFIG_VMSPLIT_3G); INT 80H is its
 * system call, and the gate is open to user code. */
#define PAGE_OFFSET32 0xc0000000u
#define SYSCALL_GATE  0x80u
#define GATE_USER                                                                        \
    0xef00u /* present, DPL 3, 32-bit trap or interrupt gate: SDM 3A "IDT Descriptors"   \
             */
#define GATE_MASK 0xfe00u

static bool read_pref_address(const struct cv_image *kernel, uint64_t *pref)
{
    if (kernel->len < PREF_ADDRESS + 8 ||
        memcmp(kernel->data + HEADER_MAGIC, "HdrS", 4) != 0) {
        return false;
    }
    *pref = cv_ld64(kernel->data + PREF_ADDRESS);
    return *pref < IMAGE_SPACE;
}

/* All of physical memory is mapped, so that the mappings tell nothing; but the system
 * call's entry is text, and text is shorter than what the kernel is moved by. */
static bool find_slide32(struct cv_vm *vm, const struct cv_image *kernel, uint64_t pref,
                         uint64_t *slide)
{
    uint8_t gate[8];
    cv_gva idt;
    uint32_t limit;
    uint64_t align = cv_ld32(kernel->data + KERNEL_ALIGNMENT);
    cv_inspect_idt(vm, 0, &idt, &limit);
    if ((cv_view_number(vm, CV_REG_CR0) & CR0_PG) == 0 || align == 0 ||
        (align & (align - 1)) != 0 || limit < SYSCALL_GATE * sizeof(gate) + 7 ||
        cv_inspect_mem(vm, 0, idt + SYSCALL_GATE * sizeof(gate), gate, 8) != 8) {
        return false;
    }
    uint32_t entry = cv_ld16(gate) | (uint32_t)cv_ld16(gate + 6) << 16;
    uint64_t linked = PAGE_OFFSET32 + ((pref + align - 1) & ~(align - 1));
    uint64_t base = entry & ~(align - 1);
    *slide = base - linked;
    return (cv_ld16(gate + 4) & GATE_MASK) == (GATE_USER & GATE_MASK) && base >= linked;
}

/* The kernel unmaps what lies before its text as soon as it has page tables of its own,
 * so the first page that is mapped is the first of its text. */
bool cv_kaslr_image(struct cv_vm *vm, cv_gva *first)
{
    for (uint64_t off = 0; off < IMAGE_SPACE; off += ALIGNMENT) {
        cv_gpa gpa;
        if (cv_inspect_translate(vm, 0, IMAGE_BASE + off, &gpa)) {
            *first = IMAGE_BASE + off;
            return true;
        }
    }
    return false;
}

static bool find_slide64(struct cv_vm *vm, uint64_t pref, uint64_t *slide)
{
    cv_gva first;
    if (!cv_kaslr_image(vm, &first)) {
        return false;
    }
    *slide = first - (IMAGE_BASE + pref);
    return first >= IMAGE_BASE + pref;
}

bool cv_kaslr_possible(const struct cv_vm_config *config)
{
    uint64_t pref;
    return read_pref_address(&config->kernel, &pref);
}

bool cv_kaslr_slide(struct cv_vm *vm, const struct cv_vm_config *config, uint64_t *slide)
{
    uint64_t pref;
    if (!read_pref_address(&config->kernel, &pref)) {
        return false;
    }
    if ((cv_view_number(vm, CV_REG_EFER) & EFER_LMA) != 0) {
        return find_slide64(vm, pref, slide);
    }
    return cv_arch_of_image(&config->kernel) == CV_ARCH_I386 &&
           find_slide32(vm, &config->kernel, pref, slide);
}
