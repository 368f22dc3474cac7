/*
 * test_verify.c - all code that real guests make the translator emit is harmless
 */
#include "verify.h"

#include "core/translate/execstate.h"
#include "core/vm_private.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_image(const char *path, struct cv_image *image)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return false;
    }
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    close(fd);
    image->data = p;
    image->len = (uint64_t)st.st_size;
    return p != MAP_FAILED;
}

/* Runs until the end, for good idleness or the limit. */
static void run(struct cv_vm *vm, cv_icount limit)
{
    for (;;) {
        enum cv_vm_exit out = cv_vm_run(vm, limit);
        if (out != CV_VM_IDLE) {
            return;
        }
        cv_vtime_ns deadline = cv_vm_next_deadline(vm);
        if (deadline == CV_NEVER) {
            return;
        }
        cv_vm_idle_jump(vm, deadline);
    }
}

static void check(const char *kernel, const char *initrd, const char *append,
                  const struct cv_exec_config *exec, uint64_t ram, cv_icount limit)
{
    static struct cv_vm_config config;
    struct cv_error err = {0};
    struct verify_report r;
    config = (struct cv_vm_config){.ram_bytes = ram, .cpus = 1, .on_reset = CV_ON_RESET_END};
    snprintf(config.append, sizeof(config.append), "%s", append);
    if (!read_image(kernel, &config.kernel) ||
        (initrd != NULL && !read_image(initrd, &config.initrd))) {
        cr_skip("%s is not built", kernel);
    }
    struct cv_vm *vm = cv_vm_new(&config, exec, 0, &err);
    cr_assert_not_null(vm, "%s: %s", kernel, err.text);
    run(vm, limit);
    verify_all(vm->exec, &r);
    fprintf(stderr, "verify: %s: %u blocks, %u instructions, %u stubs, %u loads, %u stores\n",
            strrchr(kernel, '/') + 1, r.blocks, r.insns, r.stubs, r.loads, r.stores);
    cr_expect_eq(r.bad, 0, "%s: %u violations; %s", kernel, r.bad, r.first);
    cr_expect_gt(r.blocks, 5);
    cr_expect_gt(r.stubs, r.blocks);
    cv_vm_free(vm);
}

static const char *const guests[] = {"hello", "echo",   "fault", "smc",
                                     "string", "timer", "user",  "vector"};

Test(verify, code_emitted_for_mini_guests_is_harmless)
{
    for (unsigned i = 0; i < CV_ARRAY_LEN(guests); i++) {
        char path[64];
        snprintf(path, sizeof(path), "build/guest/%s", guests[i]);
        check(path, NULL, "", NULL, 16u << 20, 20000000);
    }
}

Test(verify, code_emitted_on_every_axis_is_harmless)
{
    static const struct cv_exec_config axes[] = {
        {.cache_bytes = 1u << 20, .block_insns = 64},
        {.block_insns = 1},
        {.no_chain = true, .block_insns = 64},
        {.flush_each_block = true, .block_insns = 64},
    };
    for (unsigned i = 0; i < CV_ARRAY_LEN(axes); i++) {
        check("build/guest/user", NULL, "", &axes[i], 16u << 20, 5000000);
        check("build/guest/smc", NULL, "", &axes[i], 16u << 20, 5000000);
    }
}

Test(verify, code_emitted_for_linux_is_harmless)
{
    check("build/guests/vmlinuz-cloud", "build/guests/initrd-init.cpio.gz",
          "console=ttyS0 panic=-1", NULL, 256u << 20, 700000000);
}

/* To the panic for want of a root file system. */
Test(verify, code_emitted_for_32_bit_linux_is_harmless)
{
    static const struct cv_exec_config small = {.block_insns = 5};
    check("build/guests/vmlinuz-686", NULL, "console=ttyS0 panic=-1", NULL, 256u << 20,
          8000000000);
    check("build/guests/vmlinuz-686-pae", NULL, "console=ttyS0 panic=-1", &small, 256u << 20,
          8000000000);
}

/* The verifier itself: what it must not accept, written over the first instruction of a block. */
Test(verify, planted_instructions_are_found)
{
    static const struct {
        uint8_t bytes[6], len;
        const char *what;
    } planted[] = {
        {{0x0f, 0xa2}, 2, "cpuid"},
        {{0x0f, 0x05}, 2, "syscall"},
        {{0x0f, 0x31}, 2, "rdtsc"},
        {{0xf4}, 1, "hlt"},
        {{0xcd, 0x80}, 2, "int"},
        {{0xec}, 1, "in"},
        {{0xf3, 0x48, 0x0f, 0xae, 0xd8}, 5, "wrgsbase"},
        {{0x0f, 0xc7, 0xf0}, 3, "rdrand"},
        {{0x0f, 0xae, 0x28}, 3, "xrstor"},
        {{0x48, 0x89, 0x03}, 3, "memory by rbx"},
        {{0x49, 0x89, 0x02}, 3, "TLB set: write"},
        {{0x48, 0x89, 0x44, 0x24, 0xf8}, 5, "leaves struct cv_frame"},
        {{0x49, 0x89, 0x07}, 3, "without a probe"},
        {{0x64, 0x48, 0x8b, 0x00}, 4, "segment"},
        {{0x50}, 1, "push"},
        {{0xff, 0xe0}, 2, "indirect jump"},
        {{0xe9, 0x00, 0x00, 0x00, 0x70}, 5, "outside the code"},
        {{0xeb, 0xff}, 2, "middle of an instruction"},
    };
    static struct cv_vm_config config;
    struct cv_error err = {0};
    config = (struct cv_vm_config){.ram_bytes = 16u << 20, .cpus = 1};
    if (!read_image("build/guest/hello", &config.kernel)) {
        cr_skip("build/guest/hello is not built");
    }
    struct cv_vm *vm = cv_vm_new(&config, NULL, 0, &err);
    cr_assert_not_null(vm, "%s", err.text);
    run(vm, 20000000);
    struct cv_exec *x = vm->exec;
    uint8_t *p = x->code.rw + x->blocks[1].host, saved[12];
    memcpy(saved, p, sizeof(saved));
    for (unsigned i = 0; i < CV_ARRAY_LEN(planted); i++) {
        struct verify_report r;
        memset(p, 0x90, 11); /* the head: 5 + 2 + 4 bytes */
        memcpy(p, planted[i].bytes, planted[i].len);
        verify_all(x, &r);
        cr_expect_gt(r.bad, 0, "%s is not found", planted[i].what);
        cr_expect_not_null(strstr(r.first, planted[i].what), "%s: %s", planted[i].what, r.first);
    }
    memcpy(p, saved, sizeof(saved));
    cv_vm_free(vm);
}
