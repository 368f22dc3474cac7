#include "core/cpu/regs.h"
#include "debugger/disas.h"

#include <criterion/criterion.h>
#include <string.h>

#define WIDE   (CV_MODE_PE | CV_MODE_PG | CV_MODE_LMA | CV_MODE_CS64)
#define NARROW (CV_MODE_PE | CV_MODE_CS32 | CV_MODE_SS32)

/* The same bytes are other instructions in other modes. */
static const struct {
    uint32_t mode;
    const char *bytes;
    size_t len;
    uint64_t at;
    const char *text;
} CASES[] = {
    {WIDE, "\x48\x89\xe5", 3, 0x1000, "mov %rsp, %rbp"},
    {NARROW, "\x48\x89\xe5", 1, 0x1000, "dec %eax"},
    {0, "\x48\x89\xe5", 1, 0x1000, "dec %ax"},
    {WIDE, "\xb8\x34\x12\x00\x00", 5, 0, "mov $0x1234, %eax"},
    {NARROW, "\xb8\x34\x12\x00\x00", 5, 0, "mov $0x1234, %eax"},
    {CV_MODE_PE, "\xb8\x34\x12\x00\x00", 3, 0, "mov $0x1234, %ax"},
    {0, "\xb8\x34\x12\x00\x00", 3, 0, "mov $0x1234, %ax"},
    {NARROW | CV_MODE_VM86, "\xeb\xfe", 2, 0xfff0, "jmp 0xfff0"},
    {0, "\xeb\x10", 2, 0xfff0, "jmp 0x2"}, /* IP is 16 bits */
    {WIDE, "\xe8\x00\x00\x00\x00", 5, 0xffffffff81000000, "call 0xffffffff81000005"},
    {WIDE, "\x06", 0, 0, NULL}, /* PUSH ES */
    {NARROW, "\x06", 1, 0, "push %es"},
    {WIDE, "\x48\x8b", 0, 0, NULL}, /* cut */
};

Test(disas, text_goes_by_the_mode)
{
    static struct cv_cpu cpu;
    char text[96];
    for (size_t i = 0; i < CV_ARRAY_LEN(CASES); i++) {
        size_t given = strlen(CASES[i].bytes) > CASES[i].len ? strlen(CASES[i].bytes) : CASES[i].len;
        cpu.mode = CASES[i].mode;
        size_t len = cv_disas(&cpu, (const uint8_t *)CASES[i].bytes, given, CASES[i].at, text, sizeof(text));
        cr_assert_eq(len, CASES[i].len, "case %zu: %zu bytes", i, len);
        cr_assert(len == 0 || strcmp(text, CASES[i].text) == 0, "case %zu: %s", i, text);
    }
    cpu.mode = WIDE;
    cr_assert_eq(cv_disas(&cpu, (const uint8_t *)"\x90", 0, 0, text, sizeof(text)), 0);
    cr_assert_eq(cv_disas(&cpu, (const uint8_t *)"\x48\xb8\1\2\3\4\5\6\7\x8", 10, 0, text, 4), 0, "no room");
}
