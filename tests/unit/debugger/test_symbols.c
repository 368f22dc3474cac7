#include "debugger/symbols.h"
#include "debugger/linux_btf.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A small "kernel", compiled here; the same structures here and there. */
#define LAYOUT                                                                                      \
    struct list { struct list *next, *prev; };                                                      \
    typedef struct { long counter; } renamed;                                                       \
    struct inner { char pad[3]; const volatile renamed count; struct list links[4]; };              \
    struct toy_task {                                                                               \
        int first; struct { union { int pid; char bytes[8]; }; struct { long deep; }; };            \
        unsigned low : 3, high : 5; struct inner inner; struct inner parts[3]; struct toy_task *up; \
    };
LAYOUT
#define TEXT_(...) #__VA_ARGS__
#define TEXT(...)  TEXT_(__VA_ARGS__)

static char directory[] = "/tmp/cv-symbols-XXXXXX";

static void run(const char *command)
{
    cr_assert_eq(system(command), 0, "%s", command);
}

/* Compiled with these flags from a file of that name; its descriptor. */
static int compile(const char *flags, const char *name)
{
    char command[1200], path[100];
    snprintf(command, sizeof(command),
             "mkdir -p %s/init && cat >%s/%s <<'END'\n%s\n"
             "struct toy_task task_zero = {1}; char beyond[16];\n"
             "void start_kernel(void) { __asm__ volatile(\"nop\"); }\n"
             "void _start(void) { start_kernel(); for (;;) {} }\nEND\n"
             "cd %s && gcc %s -ffreestanding -nostdlib -static -no-pie -Wl,--build-id=0xfeed0123 "
             "-Wl,-Ttext=0x1000000 -o out %s",
             directory, directory, name, TEXT(LAYOUT), directory, flags, name);
    run(command);
    snprintf(path, sizeof(path), "%s/out", directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0);
    return fd;
}

static void make_directory(void)
{
    cr_assert_not_null(mkdtemp(directory));
}

static void remove_directory(void)
{
    char command[100];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    run(command);
}

TestSuite(symbols, .init = make_directory, .fini = remove_directory);

Test(symbols, names_and_addresses_both_ways)
{
    struct cv_error err = {0};
    int fd = compile("-g -O0 -m64", "init/main.c");
    struct cv_symbols *s = cv_symbols_open(fd, "vmlinux", &err);
    uint64_t addr, start;
    size_t len;
    cr_assert_not_null(s, "%s", err.text);
    cr_assert(cv_symbols_is_64(s));
    cr_assert(cv_symbols_lookup(s, "start_kernel", &addr));
    cr_assert_str_eq(cv_symbols_at(s, addr + 1, &start), "start_kernel");
    cr_assert_eq(start, addr);
    cr_assert(!cv_symbols_lookup(s, "start_kernels", &addr));
    cr_assert_null(cv_symbols_at(s, 0x10, &start));
    cr_assert_null(cv_symbols_at(s, UINT64_MAX, &start));
    const uint8_t *id = cv_symbols_build_id(s, &len);
    cr_assert(len == 4 && id[0] == 0xfe && id[1] == 0xed && id[2] == 1 && id[3] == 0x23);
    cv_symbols_free(s);
    close(fd);
}

#define SAME(member)                                                                                       \
    do {                                                                                                   \
        cr_assert(cv_symbols_member(s, "toy_task", #member, &offset, &size), #member);                     \
        cr_assert_eq(offset, offsetof(struct toy_task, member), #member ": %u", offset);                   \
        cr_assert_eq(size, sizeof(((struct toy_task *)0)->member), #member ": size %u", size);             \
    } while (0)

Test(symbols, layouts_are_the_compilers)
{
    struct cv_error err = {0};
    static const char *const forms[] = {"-g -O0 -m64 -gdwarf-5", "-g -O2 -m64 -gdwarf-4", "-g -m64 -gz=zlib"};
    for (size_t i = 0; i < CV_ARRAY_LEN(forms); i++) {
        uint32_t offset, size;
        int fd = compile(forms[i], "init/main.c");
        struct cv_symbols *s = cv_symbols_open(fd, "vmlinux", &err);
        cr_assert_not_null(s, "%s", err.text);
        SAME(first);
        SAME(pid);
        SAME(bytes);
        SAME(deep);
        SAME(inner);
        SAME(inner.count);
        SAME(inner.count.counter);
        SAME(inner.links);
        SAME(up);
        cr_assert(cv_symbols_member(s, "toy_task", "parts.links", &offset, &size));
        cr_assert_eq(offset, offsetof(struct toy_task, parts[0].links), "the first element of an array");
        cr_assert(!cv_symbols_member(s, "toy_task", "high", &offset, &size), "a field of bits is at no byte");
        cr_assert(!cv_symbols_member(s, "toy_task", "first.pid", &offset, &size));
        cr_assert(!cv_symbols_member(s, "toy_task", "nothing", &offset, &size));
        cr_assert(!cv_symbols_member(s, "nothing", "pid", &offset, &size));
        cr_assert_eq(cv_symbols_size(s, "toy_task"), sizeof(struct toy_task));
        cv_symbols_free(s);
        close(fd);
    }
}

Test(symbols, programs_of_32_bit_code)
{
    uint32_t offset, size;
    uint64_t addr;
    int fd = compile("-g -m32", "init/main.c");
    struct cv_symbols *s = cv_symbols_open(fd, "vmlinux", NULL);
    cr_assert_not_null(s);
    cr_assert(!cv_symbols_is_64(s));
    cr_assert(cv_symbols_lookup(s, "start_kernel", &addr));
    cr_assert(addr >= 0x1000000 && addr < 0x1001000);
    cr_assert(cv_symbols_member(s, "toy_task", "deep", &offset, &size));
    cr_assert(offset == 12 && size == 4, "%u %u", offset, size);
    cr_assert(cv_symbols_member(s, "toy_task", "inner.links", &offset, &size));
    cr_assert(offset == 28 && size == 32, "%u %u", offset, size);
    cv_symbols_free(s);
    close(fd);
}

Test(symbols, structures_are_looked_for_where_a_kernel_has_them)
{
    uint32_t offset, size;
    int fd = compile("-g -m64", "init/other.c");
    struct cv_symbols *s = cv_symbols_open(fd, "vmlinux", NULL);
    cr_assert_not_null(s);
    cr_assert(!cv_symbols_member(s, "toy_task", "pid", &offset, &size));
    cv_symbols_free(s);
    close(fd);
}

static int memory_file(const void *data, size_t len)
{
    int fd = memfd_create("symbols", MFD_CLOEXEC);
    cr_assert(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    return fd;
}

static void refused(int fd, const char *wanted)
{
    struct cv_error err = {0};
    cr_assert_null(cv_symbols_open(fd, "vmlinux", &err));
    cr_assert_eq(err.code, CV_EXIT_DATA);
    cr_assert_str_eq(err.text, wanted);
    close(fd);
}

Test(symbols, wrong_files_are_refused_in_a_sentence)
{
    refused(memory_file("", 0), "vmlinux: is no ELF file; give the vmlinux of the guest's kernel");
    refused(memory_file("#!/bin/sh\n", 10), "vmlinux: is no ELF file; give the vmlinux of the guest's kernel");
    refused(compile("-g -m64 -s", "init/main.c"), "vmlinux: has no symbols (stripped?)");
    refused(compile("-g -m64 -c -Wno-unused-command-line-argument", "init/main.c"), "vmlinux: is no linked program");
    int fd = compile("-g -m64", "init/main.c");
    uint8_t head[64] = {0};
    cr_assert_eq(pread(fd, head, sizeof(head), 0), (ssize_t)sizeof(head));
    head[18] = 183; /* EM_AARCH64 */
    refused(memory_file(head, sizeof(head)), "vmlinux: is not for x86 processors");
    close(fd);
}

/* Cut anywhere, or with a damaged byte anywhere in its tables, it is read or refused. */
Test(symbols, damaged_files_do_no_harm)
{
    struct stat st;
    int fd = compile("-g -m64", "init/main.c");
    cr_assert_eq(fstat(fd, &st), 0);
    uint8_t *whole = malloc((size_t)st.st_size);
    cr_assert_eq(pread(fd, whole, (size_t)st.st_size, 0), st.st_size);
    for (size_t i = 0; i < 400; i++) {
        uint32_t offset, size;
        uint64_t addr;
        size_t len = (size_t)st.st_size;
        size_t at = i * len / 400;
        whole[at] ^= 0x41;
        int part = memory_file(whole, i % 2 == 0 ? at : len);
        struct cv_symbols *s = cv_symbols_open(part, "vmlinux", NULL);
        if (s != NULL) {
            cv_symbols_lookup(s, "start_kernel", &addr);
            cv_symbols_at(s, 0x1000008, &addr);
            cv_symbols_member(s, "toy_task", "inner.count", &offset, &size);
            free(cv_symbols_section(s, ".comment", &len));
        }
        cv_symbols_free(s);
        close(part);
        whole[at] ^= 0x41;
    }
    free(whole);
    close(fd);
}

/* What no compiler writes: types that are made of themselves, a name that nothing ends, a name and a type in another file.
 * That name stands last in the section: what lies behind it is libelf's, and mostly a zero. */
static const char HOSTILE[] =
    ".globl start_kernel, _start; start_kernel: _start: nop\n"
    ".section .debug_abbrev; .byte 1,0x11,1,3,8,0,0, 2,0x13,1,3,8,11,11,0,0, 3,13,0,3,8,0x49,0x13,0x38,11,0,0\n"
    ".byte 4,0x16,0,0x49,0x13,0,0, 5,1,0,0x49,0x13,0,0, 6,13,0,3,0xa1,0x3e,0x49,0x13,0x38,11,0,0\n"
    ".byte 7,13,0,3,8,0x49,0xa0,0x3e,0x38,11,0,0, 8,0x13,0,11,11,3,8,0,0, 0\n"
    ".section .debug_info; u: .long e - u - 4; .value 4; .long 0; .byte 8\n"
    ".byte 1; .string \"init/main.c\"; .byte 2; .string \"toy_task\"; .byte 40\n"
    ".byte 3; .string \"first\"; .long t - u; .byte 0; .byte 3; .string \"pid\"; .long a - u; .byte 8\n"
    ".byte 6; .long 0; .long n - u; .byte 16; .byte 7; .string \"up\"; .long 0; .byte 24\n"
    ".byte 3; .string \"deep\"; .long n - u; .byte 32; .byte 0\n"
    "t: .byte 4; .long t - u; a: .byte 5; .long a - u; n: .byte 8, 24; .ascii \"unended\"; e:\n";

Test(symbols, types_without_an_end_end, .timeout = 60)
{
    uint32_t offset, size = 1;
    char path[100];
    snprintf(path, sizeof(path), "%s/hostile.s", directory);
    FILE *f = fopen(path, "w");
    cr_assert(f != NULL && fputs(HOSTILE, f) >= 0 && fclose(f) == 0);
    snprintf(path, sizeof(path), "cd %s && gcc -nostdlib -static -o out hostile.s", directory);
    run(path);
    snprintf(path, sizeof(path), "%s/out", directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct cv_symbols *s = cv_symbols_open(fd, "vmlinux", NULL);
    cr_assert_not_null(s);
    cr_assert(!cv_symbols_member(s, "toy_task", "first", &offset, &size), "a typedef of itself");
    cr_assert(cv_symbols_member(s, "toy_task", "pid", &offset, &size));
    cr_assert(offset == 8 && size == 0, "an array of itself");
    cr_assert(!cv_symbols_member(s, "toy_task", "pid.first", &offset, &size));
    cr_assert(!cv_symbols_member(s, "toy_task", "up", &offset, &size), "a type in another file");
    cr_assert(cv_symbols_member(s, "toy_task", "deep", &offset, &size));
    cr_assert(offset == 32 && size == 24);
    cr_assert_eq(cv_symbols_size(s, "toy_task"), 40);
    cr_assert_eq(cv_symbols_size(s, "unended"), 0, "a name without an end");
    cv_symbols_free(s);
    close(fd);
}

/* The real thing, when tests/support/guests.sh lx was run: what DWARF says is what the BTF of the same file says. */
Test(symbols, dwarf_and_btf_of_a_kernel_agree)
{
    static const char *const members[][2] = {
        {"task_struct", "pid"}, {"task_struct", "comm"}, {"task_struct", "tasks"}, {"task_struct", "mm"},
        {"task_struct", "signal"}, {"mm_struct", "pgd"}, {"module", "core_layout.base"}, {"module", "kallsyms"},
        {"mod_kallsyms", "num_symtab"}, {"printk_ringbuffer", "desc_ring.head_id"},
        {"printk_ringbuffer", "text_data_ring.data"}, {"prb_desc", "text_blk_lpos.next"}, {"printk_info", "text_len"}};
    const char *guests = getenv("CV_GUESTS");
    char path[400];
    snprintf(path, sizeof(path), "%s/lx/vmlinux", guests != NULL ? guests : "build/guests");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cr_skip_test("no %s", path);
    }
    struct cv_symbols *s = cv_symbols_open(fd, "vmlinux", NULL);
    cr_assert_not_null(s);
    size_t len;
    uint8_t *bytes = cv_symbols_section(s, ".BTF", &len);
    cr_assert_not_null(bytes);
    struct cv_btf *btf = cv_btf_open(bytes, len);
    cr_assert_not_null(btf);
    for (size_t i = 0; i < CV_ARRAY_LEN(members); i++) {
        uint32_t a, b, size;
        const char *type = members[i][0], *member = members[i][1];
        cr_assert(cv_symbols_member(s, type, member, &a, &size), "DWARF has no %s.%s", type, member);
        cr_assert(cv_btf_member(btf, type, member, &b, &size), "BTF has no %s.%s", type, member);
        cr_assert_eq(a, b, "%s.%s: %u by DWARF, %u by BTF", type, member, a, b);
    }
    cr_assert_eq(cv_symbols_size(s, "prb_desc"), cv_btf_size(btf, "prb_desc"));
    cr_assert_eq(cv_symbols_size(s, "printk_info"), cv_btf_size(btf, "printk_info"));
    cv_btf_free(btf);
    cv_symbols_free(s);
    close(fd);
}
