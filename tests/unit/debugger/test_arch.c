/* What a guest is for gdb, and the descriptions: numbers and sizes of XML and of replies
 * agree. */
#include "debugger/arch.h"
#include "core/base/mem.h"
#include "core/inspect.h"
#include "debugger/gdb/target.h"
#include "world.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static enum cv_arch arch_of(const uint8_t *file, size_t len)
{
    struct cv_image image = {file, len};
    return cv_arch_of_image(&image);
}

Test(arch, a_kernel_file_tells_it_where_it_can)
{
    uint8_t file[0x300] = {0};
    memcpy(file + 0x202, "HdrS", 4);
    cr_assert_eq(arch_of(file, sizeof(file)), CV_ARCH_I386);
    cv_st16(file + 0x236, 0x7f);
    cr_assert_eq(arch_of(file, sizeof(file)), CV_ARCH_X86_64);
    cv_st16(file + 0x236, 0x7e); /* other flags say nothing about it */
    cr_assert_eq(arch_of(file, sizeof(file)), CV_ARCH_I386);
    cr_assert_eq(arch_of(file, 0x237), CV_ARCH_COUNT, "cut");
    memset(file, 0, sizeof(file));
    memcpy(file, "\177ELF\2", 5);
    cr_assert_eq(arch_of(file, sizeof(file)), CV_ARCH_X86_64);
    file[4] = 1;
    cr_assert_eq(arch_of(file, sizeof(file)), CV_ARCH_COUNT,
                 "32-bit entry, anything after it");
    cr_assert_eq(arch_of(file, 4), CV_ARCH_COUNT);
    cr_assert_eq(arch_of(NULL, 0), CV_ARCH_COUNT);
}

Test(arch, otherwise_the_end_of_the_recording_tells_it)
{
    struct world w;
    world_open(&w, NULL);
    cr_assert_eq(cv_arch_of_recording(w.session), CV_ARCH_I386);
    cr_assert_eq(cv_session_icount(w.session), cv_session_end(w.session));
    world_close(&w);
}

Test(arch, names_are_those_that_are_parsed)
{
    for (unsigned arch = 0; arch < CV_ARCH_COUNT; arch++) {
        cr_assert_eq(cv_arch_parse(cv_arch_name((enum cv_arch)arch)), arch);
    }
    cr_assert_eq(cv_arch_parse(""), CV_ARCH_COUNT);
    cr_assert_eq(cv_arch_parse("i8086"), CV_ARCH_COUNT);
    cr_assert_null(cv_arch_name(CV_ARCH_COUNT));
}

/* The n-th <reg> of the description; NULL behind the last. */
static const char *find_reg(const struct cv_gdb_target *target, unsigned n, char *name,
                            unsigned *bits)
{
    static const char tag[] = "<reg name=\"";
    const char *at = target->xml;
    for (unsigned i = 0;; i++) {
        at = memmem(at, (size_t)(target->xml_end - at), tag, sizeof(tag) - 1);
        if (at == NULL) {
            return NULL;
        }
        at += sizeof(tag) - 1;
        if (i == n) {
            size_t len = strcspn(at, "\"");
            cr_assert_lt(len, 16);
            memcpy(name, at, len);
            name[len] = '\0';
            *bits = (unsigned)strtoul(strstr(at, "bitsize=\"") + 9, NULL, 10);
            return at;
        }
    }
}

static const struct {
    unsigned arch;
    const char *name;
    unsigned reg;
} KNOWN[] = {
    {CV_ARCH_I386, "eax", 0},
    {CV_ARCH_I386, "ecx", 2},
    {CV_ARCH_I386, "edx", 3},
    {CV_ARCH_I386, "ebx", 1},
    {CV_ARCH_I386, "esp", 7},
    {CV_ARCH_I386, "ebp", 6},
    {CV_ARCH_I386, "esi", 4},
    {CV_ARCH_I386, "edi", 5},
    {CV_ARCH_I386, "eip", CV_REG_RIP},
    {CV_ARCH_I386, "eflags", CV_REG_EFLAGS},
    {CV_ARCH_I386, "cs", CV_REG_CS},
    {CV_ARCH_I386, "gs", CV_REG_GS},
    {CV_ARCH_I386, "st7", CV_REG_ST0 + 7},
    {CV_ARCH_I386, "fop", CV_REG_FOP},
    {CV_ARCH_I386, "xmm7", CV_REG_XMM0 + 7},
    {CV_ARCH_I386, "mxcsr", CV_REG_MXCSR},
    {CV_ARCH_I386, "ymm7h", CV_REG_YMMH0 + 7},
    {CV_ARCH_I386, "fs_base", CV_REG_FS_BASE},
    {CV_ARCH_I386, "cr3", CV_REG_CR3},
    {CV_ARCH_I386, "efer", CV_REG_EFER},
    {CV_ARCH_I386, "dr7", CV_REG_DR7},
    {CV_ARCH_I386, "linear_pc", CV_REG_LINEAR_PC},
    {CV_ARCH_X86_64, "rdi", 5},
    {CV_ARCH_X86_64, "rip", CV_REG_RIP},
    {CV_ARCH_X86_64, "ymm15h", CV_REG_YMMH0 + 15},
    {CV_ARCH_X86_64, "cr8", CV_REG_CR8},
    {CV_ARCH_X86_64, "dr7", CV_REG_DR7},
    {CV_ARCH_X86_64, "gdtr_base", CV_REG_GDTR_BASE},
    {CV_ARCH_X86_64, "linear_pc", CV_REG_LINEAR_PC},
};

Test(target, descriptions_name_every_register_with_its_number_and_size)
{
    for (unsigned arch = 0; arch < CV_ARCH_COUNT; arch++) {
        const struct cv_gdb_target *target = cv_gdb_target((enum cv_arch)arch);
        char name[16];
        unsigned bits, reg, bytes, known = 0;
        for (unsigned n = 0; n < target->count; n++) {
            cr_assert_not_null(find_reg(target, n, name, &bits));
            cv_gdb_target_reg(target, n, &reg, &bytes);
            cr_assert_eq(bits, bytes * 8, "%s has %u bits", name, bits);
            cr_assert_leq(bytes, cv_inspect_reg_size(reg), "%s", name);
            for (size_t i = 0; i < CV_ARRAY_LEN(KNOWN); i++) {
                if (KNOWN[i].arch == arch && strcmp(KNOWN[i].name, name) == 0) {
                    cr_assert_eq(reg, KNOWN[i].reg, "%s is %u", name, reg);
                    known++;
                }
            }
        }
        cr_assert_null(find_reg(target, target->count, name, &bits));
        cr_assert_eq(known, arch == CV_ARCH_I386 ? 22 : 7);
        find_reg(target, target->pc, name, &bits);
        cr_assert_str_eq(name + 1, "ip");
        find_reg(target, target->sp, name, &bits);
        cr_assert_str_eq(name + 1, "sp");
        find_reg(target, target->fp, name, &bits);
        cr_assert_str_eq(name + 1, "bp");
    }
}
