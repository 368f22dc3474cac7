#include "debugger/gdb/target.h"
#include "core/inspect.h"

/* The assembler finds the files from the root of the tree, where every compilation runs.
 */
#define DOCUMENT(name, file)                                                             \
    __asm__(".pushsection .rodata\n"                                                     \
            ".globl " #name "\n"                                                         \
            ".hidden " #name "\n" #name ":\n"                                            \
            ".incbin \"" file "\"\n"                                                     \
            ".globl " #name "_end\n"                                                     \
            ".hidden " #name "_end\n" #name "_end:\n"                                    \
            ".byte 0\n"                                                                  \
            ".popsection\n");                                                            \
    extern const char name[] __attribute__((visibility("hidden")));                      \
    extern const char name##_end[] __attribute__((visibility("hidden")))

DOCUMENT(cv_gdb_x86_64_xml, "debugger/gdb/x86-64.xml");
DOCUMENT(cv_gdb_i386_xml, "debugger/gdb/i386.xml");

#define MAP_HEAD                                                                         \
    "<?xml version=\"1.0\"?>\n"                                                          \
    "<!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map V1.0//EN\"\n"      \
    " \"http://sourceware.org/gdb/gdb-memory-map.dtd\">\n"                               \
    "<memory-map>\n"

static const char MAP64[] = MAP_HEAD
    "<memory type=\"ram\" start=\"0x0\" length=\"0x8000000000000000\"/>\n"
    "<memory type=\"ram\" start=\"0x8000000000000000\" length=\"0x8000000000000000\"/>\n"
    "</memory-map>\n";
static const char MAP32[] = MAP_HEAD
    "<memory type=\"ram\" start=\"0x0\" length=\"0x100000000\"/>\n</memory-map>\n";

/* In the order of i386.xml. */
/* clang-format off */
static const struct {
    uint8_t reg, bytes;
} I386[] = {
    {0, 4}, {2, 4}, {3, 4}, {1, 4}, {7, 4}, {6, 4}, {4, 4}, {5, 4}, /* eax ecx edx ebx esp ebp esi edi */
    {CV_REG_RIP, 4}, {CV_REG_EFLAGS, 4},
    {CV_REG_CS, 4}, {CV_REG_SS, 4}, {CV_REG_DS, 4}, {CV_REG_ES, 4}, {CV_REG_FS, 4}, {CV_REG_GS, 4},
    {CV_REG_ST0, 10}, {CV_REG_ST0 + 1, 10}, {CV_REG_ST0 + 2, 10}, {CV_REG_ST0 + 3, 10},
    {CV_REG_ST0 + 4, 10}, {CV_REG_ST0 + 5, 10}, {CV_REG_ST0 + 6, 10}, {CV_REG_ST0 + 7, 10},
    {CV_REG_FCTRL, 4}, {CV_REG_FSTAT, 4}, {CV_REG_FTAG, 4}, {CV_REG_FISEG, 4},
    {CV_REG_FIOFF, 4}, {CV_REG_FOSEG, 4}, {CV_REG_FOOFF, 4}, {CV_REG_FOP, 4},
    {CV_REG_XMM0, 16}, {CV_REG_XMM0 + 1, 16}, {CV_REG_XMM0 + 2, 16}, {CV_REG_XMM0 + 3, 16},
    {CV_REG_XMM0 + 4, 16}, {CV_REG_XMM0 + 5, 16}, {CV_REG_XMM0 + 6, 16}, {CV_REG_XMM0 + 7, 16},
    {CV_REG_MXCSR, 4},
    {CV_REG_YMMH0, 16}, {CV_REG_YMMH0 + 1, 16}, {CV_REG_YMMH0 + 2, 16}, {CV_REG_YMMH0 + 3, 16},
    {CV_REG_YMMH0 + 4, 16}, {CV_REG_YMMH0 + 5, 16}, {CV_REG_YMMH0 + 6, 16}, {CV_REG_YMMH0 + 7, 16},
    {CV_REG_FS_BASE, 4}, {CV_REG_GS_BASE, 4},
    {CV_REG_CR0, 4}, {CV_REG_CR2, 4}, {CV_REG_CR3, 4}, {CV_REG_CR4, 4}, {CV_REG_EFER, 8},
    {CV_REG_DR0, 4}, {CV_REG_DR1, 4}, {CV_REG_DR2, 4}, {CV_REG_DR3, 4}, {CV_REG_DR6, 4}, {CV_REG_DR7, 4},
    {CV_REG_GDTR_BASE, 4}, {CV_REG_GDTR_LIMIT, 4}, {CV_REG_IDTR_BASE, 4}, {CV_REG_IDTR_LIMIT, 4}, {CV_REG_LINEAR_PC, 4},
};
/* clang-format on */

static const struct cv_gdb_target TARGETS[CV_ARCH_COUNT] = {
    [CV_ARCH_X86_64] = {cv_gdb_x86_64_xml, cv_gdb_x86_64_xml_end, MAP64, CV_REG_COUNT, 6,
                        7, CV_REG_RIP},
    [CV_ARCH_I386] = {cv_gdb_i386_xml, cv_gdb_i386_xml_end, MAP32, CV_ARRAY_LEN(I386), 5,
                      4, 8},
};

const struct cv_gdb_target *cv_gdb_target(enum cv_arch arch)
{
    return &TARGETS[arch < CV_ARCH_COUNT ? arch : CV_ARCH_X86_64];
}

void cv_gdb_target_reg(const struct cv_gdb_target *target, unsigned n, unsigned *reg,
                       unsigned *bytes)
{
    bool i386 = target == &TARGETS[CV_ARCH_I386];
    *reg = i386 ? I386[n].reg : n; /* x86-64.xml has the numbers of core/inspect.h */
    *bytes = i386 ? I386[n].bytes : cv_inspect_reg_size(n);
}
