/*
 * The decoder against Zydis: biased random bytes in three modes, every opcode and ModRM byte
 * of 16- and 32-bit code, and .text of host programs.
 */
#include "oracle.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 1.6

static uint64_t random_bits(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Random bytes behind up to three prefixes and, often, an escape to a wider map. */
static void make_bytes(uint64_t *s, uint8_t b[16])
{
    static const uint8_t prefixes[] = {0x66, 0xf3, 0xf2, 0x48, 0x41, 0x67,
                                       0x64, 0xf0, 0x2e, 0x26, 0x36, 0x65};
    uint64_t a = random_bits(s), d = random_bits(s), k = random_bits(s);
    unsigned pos = 0;
    memcpy(b, &a, 8);
    memcpy(b + 8, &d, 8);
    while ((k & 3) == 0 && pos < 3) {
        b[pos++] = prefixes[(k >> 8) % CV_ARRAY_LEN(prefixes)];
        k >>= 4;
    }
    switch ((k >> 32) % 6) {
    case 0:
        b[pos] = 0x0f;
        break;
    case 1:
        b[pos] = 0x0f;
        b[pos + 1] = (k >> 40) & 1 ? 0x38 : 0x3a;
        break;
    case 2:
        b[pos] = 0xc4;
        b[pos + 1] = (uint8_t)((b[pos + 1] & 0xe0) | (1 + (k >> 41) % 3));
        b[pos + 2] |= (k >> 44) & 1 ? 0x78 : 0;
        break;
    case 3:
        b[pos] = 0xc5;
        b[pos + 1] |= (k >> 44) & 1 ? 0x78 : 0;
        break;
    default:
        break;
    }
}

static void complain(unsigned mode, const uint8_t *b, const char *text)
{
    char hex[48] = "";
    for (unsigned i = 0; i < 15; i++) {
        snprintf(hex + 3 * i, 4, "%02x ", b[i]);
    }
    cr_log_error("mode %u: %s: %s", mode, hex, text);
}

static bool is_wrong(enum oracle_verdict verdict)
{
    return verdict == ORACLE_WE_REFUSE || verdict == ORACLE_WE_ACCEPT ||
           verdict == ORACLE_DIFFERS;
}

static void check_random(unsigned mode)
{
    uint64_t s = 88172645463325252ull + mode, same = 0, wrong = 0;
    double end = now() + SECONDS;
    char text[256];
    uint8_t b[16];
    while (now() < end) {
        for (unsigned i = 0; i < 10000; i++) {
            make_bytes(&s, b);
            enum oracle_verdict verdict = oracle_compare(b, 15, mode, text, sizeof(text));
            same += verdict == ORACLE_SAME;
            if (is_wrong(verdict) && wrong++ < 20) {
                complain(mode, b, text);
            }
        }
    }
    cr_expect_eq(wrong, 0u, "mode %u: %lu differ", mode, (unsigned long)wrong);
    cr_expect_gt(same, 50000u);
}

Test(oracle, random_bytes_in_64_bit_mode_decode_as_zydis_says)
{
    check_random(64);
}
Test(oracle, random_bytes_in_32_bit_mode_decode_as_zydis_says)
{
    check_random(32);
}
Test(oracle, random_bytes_in_16_bit_mode_decode_as_zydis_says)
{
    check_random(16);
}

/* -- every opcode and every ModRM byte, behind the prefixes that change sizes ---------------- */

struct opening {
    uint8_t n, bytes[3];
};

/* All that may stand between prefixes and ModRM, in all maps; immediates are a pattern. */
static void check_opening(unsigned mode, const struct opening *o, unsigned map, uint64_t *same,
                          uint64_t *wrong)
{
    static const uint8_t escape[4][2] = {{0}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}};
    static const uint8_t tail[12] = {0x80, 0xf1, 0x02, 0x73, 0x94, 0xe5,
                                     0x16, 0x67, 0xa8, 0x09, 0x5a, 0xdb};
    uint8_t b[20];
    char text[256];
    unsigned n = o->n, escapes = map == 0 ? 0 : map == 1 ? 1 : 2;
    memcpy(b, o->bytes, n);
    memcpy(b + n, escape[map], escapes);
    n += escapes;
    for (unsigned i = 0; i < 0x10000; i++) {
        b[n] = (uint8_t)(i >> 8);
        b[n + 1] = (uint8_t)i;
        memcpy(b + n + 2, tail, 12);
        enum oracle_verdict verdict = oracle_compare(b, 15, mode, text, sizeof(text));
        *same += verdict == ORACLE_SAME;
        if (is_wrong(verdict) && (*wrong)++ < 20) {
            complain(mode, b, text);
        }
    }
}

static void check_every_opcode(unsigned mode)
{
    static const struct opening openings[] = {
        {0, {0}},          {1, {0x66}},       {1, {0x67}},    {2, {0x66, 0x67}},
        {2, {0x36, 0x67}}, {2, {0xf3, 0x66}}, {1, {0xf0}},
    };
    uint64_t same = 0, wrong = 0;
    for (unsigned i = 0; i < CV_ARRAY_LEN(openings); i++) {
        for (unsigned map = 0; map < (i < 4 ? 4u : 2u); map++) {
            check_opening(mode, &openings[i], map, &same, &wrong);
        }
    }
    cr_expect_eq(wrong, 0u, "mode %u: %lu differ", mode, (unsigned long)wrong);
    cr_expect_gt(same, 500000u, "%lu", (unsigned long)same);
}

Test(oracle, every_opcode_and_modrm_byte_in_16_bit_mode_decodes_as_zydis_says)
{
    check_every_opcode(16);
}
Test(oracle, every_opcode_and_modrm_byte_in_32_bit_mode_decodes_as_zydis_says)
{
    check_every_opcode(32);
}

/* -- programs
 * --------------------------------------------------------------------------------------
 */

struct text {
    const uint8_t *p;
    size_t n;
};

static struct text find_text(const uint8_t *file, size_t size)
{
    const Elf64_Ehdr *eh = (const void *)file;
    const Elf64_Shdr *sh = (const void *)(file + eh->e_shoff);
    const char *names = (const char *)file + sh[eh->e_shstrndx].sh_offset;
    for (unsigned i = 0; i < eh->e_shnum; i++) {
        if (strcmp(names + sh[i].sh_name, ".text") == 0 &&
            sh[i].sh_offset + sh[i].sh_size <= size) {
            return (struct text){file + sh[i].sh_offset, sh[i].sh_size};
        }
    }
    return (struct text){0};
}

/* Linear sweep of at most 2 MiB; where both refuse (data, foreign sets) one byte is
 * skipped. */
static void sweep(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        cr_log_info("%s: not here", path);
        return;
    }
    const uint8_t *file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    cr_assert(file != MAP_FAILED);
    struct text t = find_text(file, (size_t)st.st_size);
    size_t limit = t.n < (2u << 20) ? t.n : 2u << 20, pos = 0, wrong = 0, same = 0;
    char text[256];
    while (pos + 15 <= limit) {
        struct cv_insn insn;
        enum oracle_verdict verdict =
            oracle_compare(t.p + pos, 15, 64, text, sizeof(text));
        same += verdict == ORACLE_SAME;
        if (is_wrong(verdict) && wrong++ < 10) {
            complain(64, t.p + pos, text);
        }
        bool ok = cv_decode(t.p + pos, 15, 64, &insn) == CV_DECODE_OK;
        pos += ok ? insn.len : 1;
    }
    cr_expect_eq(wrong, 0u, "%s: %zu differ", path, wrong);
    cr_log_info("%s: %zu instructions", path, same);
    munmap((void *)(uintptr_t)file, (size_t)st.st_size);
}

Test(oracle, text_of_host_programs_decodes_as_zydis_says)
{
    sweep("/bin/bash");
    sweep("/lib/x86_64-linux-gnu/libc.so.6");
    sweep("/lib/x86_64-linux-gnu/libm.so.6");
    sweep("/usr/bin/gdb");
    sweep("/usr/bin/qemu-system-x86_64");
}
