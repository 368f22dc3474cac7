/*
 * hostmem.c - the memory and the synchronous signals core/ asks its host for
 */
#include "core/base/hostmem.h"
#include "core/base/error.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define GUARD_BYTES (2ull << 30)

void *cv_hostmem_ram_new(uint64_t bytes)
{
    uint8_t *zone = mmap(NULL, bytes + 2 * GUARD_BYTES, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (zone == MAP_FAILED) {
        return NULL;
    }
    if (mprotect(zone + GUARD_BYTES, bytes, PROT_READ | PROT_WRITE) != 0) {
        munmap(zone, bytes + 2 * GUARD_BYTES);
        return NULL;
    }
    return zone + GUARD_BYTES;
}

void cv_hostmem_ram_free(void *ram, uint64_t bytes)
{
    if (ram != NULL) {
        munmap((uint8_t *)ram - GUARD_BYTES, bytes + 2 * GUARD_BYTES);
    }
}

/* Page versions are made inside a guest's store, with its vector registers live: the bare system
 * call, since a sanitizer's interceptor of mmap() may use any register. */
__attribute__((target("general-regs-only"))) void *cv_hostmem_pages_new(size_t bytes)
{
    long p = syscall(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0L);
    return p == -1 ? NULL : (void *)p;
}

void cv_hostmem_pages_free(void *p, size_t bytes)
{
    if (p != NULL) {
        munmap(p, bytes);
    }
}

bool cv_hostmem_code_new(size_t bytes, void **rw, void **rx)
{
    int fd = memfd_create("chronovisor-code", MFD_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    *rw = MAP_FAILED;
    *rx = MAP_FAILED;
    if (ftruncate(fd, (off_t)bytes) == 0) {
        *rw = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        *rx = mmap(NULL, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    }
    close(fd);
    if (*rw == MAP_FAILED || *rx == MAP_FAILED) {
        cv_hostmem_code_free(*rw == MAP_FAILED ? NULL : *rw, *rx == MAP_FAILED ? NULL : *rx,
                             bytes);
        return false;
    }
    return true;
}

void cv_hostmem_code_free(void *rw, void *rx, size_t bytes)
{
    cv_hostmem_pages_free(rw, bytes);
    cv_hostmem_pages_free(rx, bytes);
}

/* -- synchronous faults ------------------------------------------------------------------------ */

#define CODE_REGIONS 8u

struct code_region {
    uintptr_t start, end;
    cv_hostmem_fault_fn fn;
    void *arg;
};

/* Written by the engine thread before code runs, read by its own signal handler. */
static struct code_region regions[CODE_REGIONS];
static uint8_t alt_stack[64 * 1024] __attribute__((aligned(64)));

static void report_and_exit(int signo, uintptr_t pc, void *addr)
{
    char text[200];
    size_t n = cv_format(text, sizeof(text),
                         "chronovisor: error: internal: host signal %d at %lx, address %lx; the "
                         "trace on disk stays readable; please report this [CV-E071]\n",
                         signo, (unsigned long)pc, (unsigned long)addr);
    if (write(STDERR_FILENO, text, n) < 0) {
        _exit(CV_EXIT_INTERNAL);
    }
    _exit(CV_EXIT_INTERNAL);
}

static void handle_signal(int signo, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    uintptr_t pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
    for (unsigned i = 0; i < CODE_REGIONS; i++) {
        const struct code_region *r = &regions[i];
        if (r->fn != NULL && pc >= r->start && pc < r->end && r->fn(r->arg, signo, uc)) {
            return;
        }
    }
    report_and_exit(signo, pc, info->si_addr);
}

static void install_handlers(void)
{
    stack_t stack = {.ss_sp = alt_stack, .ss_size = sizeof(alt_stack)};
    struct sigaction act = {.sa_sigaction = handle_signal,
                            .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    sigaltstack(&stack, NULL);
    for (size_t i = 0; i < CV_ARRAY_LEN(signals); i++) {
        sigaction(signals[i], &act, NULL);
    }
}

void cv_hostmem_fault_set(const void *rx, size_t bytes, cv_hostmem_fault_fn fn, void *arg)
{
    struct code_region *slot = NULL;
    for (unsigned i = 0; i < CODE_REGIONS; i++) {
        if (regions[i].start == (uintptr_t)rx && regions[i].fn != NULL) {
            slot = &regions[i];
            break;
        }
        if (slot == NULL && regions[i].fn == NULL) {
            slot = &regions[i];
        }
    }
    if (slot == NULL) {
        return;
    }
    *slot = (struct code_region){(uintptr_t)rx, (uintptr_t)rx + bytes, fn, arg};
    if (fn == NULL) {
        *slot = (struct code_region){0};
        return;
    }
    install_handlers();
}
