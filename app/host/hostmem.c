/*
 * hostmem.c - the memory and the synchronous signals core/ asks its host for
 */
#include "app/host/hostmem.h"
#include "core/base/error.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
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

/* -- code -------------------------------------------------------------------------------------- */

#define CODE_PIECES 8u

struct code_pair {
    void *rw, *rx;
};
struct code_piece {
    struct code_pair here; /* rw NULL: the entry is free */
    size_t bytes;
    int fd; /* tells which parts were ever used */
    struct code_pair spares[CV_CODE_SPARES_MAX];
};

/* Engine thread only, as the regions below. */
static struct code_piece pieces[CODE_PIECES];
static unsigned unknown_pieces; /* beyond the table */

static void unmap_pair(const struct code_pair *pair, size_t bytes)
{
    cv_hostmem_pages_free(pair->rw, bytes);
    cv_hostmem_pages_free(pair->rx, bytes);
}

/* One file mapped twice; the file is the caller's. -1: no memory. */
static int map_pair(struct code_pair *pair, size_t bytes)
{
    int fd = memfd_create("chronovisor-code", MFD_CLOEXEC);
    *pair = (struct code_pair){NULL, NULL};
    if (fd < 0) {
        return -1;
    }
    if (ftruncate(fd, (off_t)bytes) == 0) {
        void *rw = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        void *rx = mmap(NULL, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
        pair->rw = rw == MAP_FAILED ? NULL : rw;
        pair->rx = rx == MAP_FAILED ? NULL : rx;
    }
    if (pair->rw == NULL || pair->rx == NULL) {
        unmap_pair(pair, bytes);
        close(fd);
        return -1;
    }
    return fd;
}

static struct code_piece *find_piece(const void *rw)
{
    for (unsigned i = 0; i < CODE_PIECES; i++) {
        if (pieces[i].here.rw == rw) {
            return &pieces[i];
        }
    }
    return NULL;
}

bool cv_hostmem_code_new(size_t bytes, void **rw, void **rx)
{
    struct code_piece *piece = find_piece(NULL);
    struct code_pair pair;
    int fd = map_pair(&pair, bytes);
    if (fd < 0) {
        return false;
    }
    if (piece != NULL) {
        *piece = (struct code_piece){.here = pair, .bytes = bytes, .fd = fd};
    } else {
        unknown_pieces++;
        close(fd);
    }
    *rw = pair.rw;
    *rx = pair.rx;
    return true;
}

void cv_hostmem_code_free(void *rw, void *rx, size_t bytes)
{
    struct code_piece *piece = rw != NULL ? find_piece(rw) : NULL;
    unmap_pair(&(struct code_pair){rw, rx}, bytes);
    if (piece == NULL) {
        unknown_pieces -= rw != NULL;
        return;
    }
    for (unsigned i = 0; i < CV_CODE_SPARES_MAX; i++) {
        unmap_pair(&piece->spares[i], bytes);
    }
    close(piece->fd);
    piece->here = (struct code_pair){NULL, NULL};
}

bool cv_hostmem_spares_new(unsigned count)
{
    bool good = unknown_pieces == 0;
    for (unsigned p = 0; good && p < CODE_PIECES; p++) {
        struct code_piece *piece = &pieces[p];
        for (unsigned i = 0; good && piece->here.rw != NULL && i < count; i++) {
            if (piece->spares[i].rw == NULL) {
                int fd = map_pair(&piece->spares[i], piece->bytes);
                good = fd >= 0;
                if (good) {
                    close(fd);
                }
            }
        }
    }
    return good;
}

/* The parts of the file that were ever used. */
static void copy_used(const struct code_piece *piece, uint8_t *to)
{
    const uint8_t *from = piece->here.rw;
    off_t at = 0;
    while ((at = lseek(piece->fd, at, SEEK_DATA)) >= 0) {
        off_t end = lseek(piece->fd, at, SEEK_HOLE);
        end = end > at ? end : (off_t)piece->bytes;
        memcpy(to + at, from + at, (size_t)(end - at));
        at = end;
    }
}

static bool move_mapping(void *from, void *to, size_t bytes)
{
    return mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to;
}

bool cv_hostmem_spare_fill(unsigned which)
{
    for (unsigned p = 0; p < CODE_PIECES; p++) {
        if (pieces[p].here.rw != NULL) {
            if (pieces[p].spares[which].rw == NULL) {
                return false;
            }
            copy_used(&pieces[p], pieces[p].spares[which].rw);
        }
    }
    return true;
}

bool cv_hostmem_spare_take(unsigned which)
{
    for (unsigned p = 0; p < CODE_PIECES; p++) {
        const struct code_piece *piece = &pieces[p];
        const struct code_pair *spare = &piece->spares[which];
        if (piece->here.rw != NULL &&
            (!move_mapping(spare->rw, piece->here.rw, piece->bytes) ||
             !move_mapping(spare->rx, piece->here.rx, piece->bytes))) {
            return false;
        }
    }
    return true;
}

void cv_hostmem_spare_clear(unsigned which)
{
    for (unsigned p = 0; p < CODE_PIECES; p++) {
        if (pieces[p].here.rw != NULL && pieces[p].spares[which].rw != NULL) {
            /* that it fails only keeps the memory */
            (void)madvise(pieces[p].spares[which].rw, pieces[p].bytes, MADV_REMOVE);
        }
    }
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
