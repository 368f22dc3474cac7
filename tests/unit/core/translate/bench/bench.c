/*
 * bench.c - nanoseconds a step of translated code, against the same code run natively
 *
 * A program by itself, not a test: links core and app/host. Each kernel is compiled into
 * its own section, called natively, then copied to guest memory and run as a 64-bit guest
 * at CPL 0.
 */
#include "core/cpu/fpu.h"
#include "core/cpu/regs.h"
#include "core/interp/interp.h"
#include "core/mem/bus.h"
#include "core/mem/ram.h"
#include "core/mem/tlb.h"
#include "core/translate/exec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KERNEL __attribute__((section("bench_code"), noinline, used))
#define RAM    (64u << 20)
#define CODE   0x200000ull
#define DATA   0x1000000ull
#define STACK  0x3000000ull
#define DONE   0x100000ull

extern const uint8_t __start_bench_code[], __stop_bench_code[];

KERNEL uint64_t bench_alu(uint64_t *data, uint64_t n)
{
    uint64_t a = (uint64_t)n, b = 1;
    (void)data;
    for (uint64_t i = 0; i < n; i++) {
        a = a * 3 + b;
        b ^= a >> 7;
        a += b << 3;
        b = b + i;
    }
    return a ^ b;
}

KERNEL uint64_t bench_sieve(uint64_t *data, uint64_t n)
{
    volatile uint8_t *s = (uint8_t *)data;
    uint64_t count = 0;
    for (uint64_t i = 0; i < n; i++) {
        s[i] = 1;
    }
    for (uint64_t i = 2; i < n; i++) {
        if (s[i]) {
            count++;
            for (uint64_t k = i + i; k < n; k += i) {
                s[k] = 0;
            }
        }
    }
    return count;
}

KERNEL uint64_t bench_chase(uint64_t *data, uint64_t n)
{
    uint64_t at = 0;
    for (uint64_t i = 0; i < n; i++) {
        at = data[at];
    }
    return at;
}

KERNEL uint64_t bench_fib(uint64_t *data, uint64_t n)
{
    if (n < 2) {
        return n;
    }
    __asm__ volatile("" : "+r"(n)); /* no unrolled recursion */
    return bench_fib(data, n - 1) + bench_fib(data, n - 2);
}

KERNEL uint64_t bench_sort(uint64_t *data, uint64_t n)
{
    uint64_t x = 12345;
    for (uint64_t i = 0; i < n; i++) {
        x = x * 6364136223846793005ull + 1442695040888963407ull;
        data[i] = x >> 33;
    }
    for (uint64_t gap = n / 2; gap > 0; gap = gap * 5 / 11) {
        for (uint64_t i = gap; i < n; i++) {
            uint64_t v = data[i], k = i;
            for (; k >= gap && data[k - gap] > v; k -= gap) {
                data[k] = data[k - gap];
            }
            data[k] = v;
        }
    }
    return data[n / 2];
}

KERNEL uint64_t bench_words(uint64_t *data, uint64_t n)
{
    const uint8_t *p = (const uint8_t *)data;
    uint64_t words = 0, hash = 5381;
    for (uint64_t i = 0; i < n; i++) {
        uint8_t c = p[i];
        if (c < 64) {
            words++;
            hash = 5381;
        } else {
            hash = hash * 33 + c;
        }
    }
    return words ^ hash;
}

KERNEL uint64_t bench_switch(uint64_t *data, uint64_t n)
{
    const uint8_t *p = (const uint8_t *)data;
    uint64_t a = 1;
    static const void *const never = NULL;
    (void)never;
    for (uint64_t i = 0; i < n; i++) { /* computed calls through a table on the stack */
        switch (p[i & 4095] & 3) {
        case 0:
            a += i;
            break;
        case 1:
            a ^= a << 5;
            break;
        case 2:
            a -= 7;
            break;
        default:
            a = a * 9;
            break;
        }
    }
    return a;
}

struct kernel {
    const char *name;
    uint64_t (*fn)(uint64_t *, uint64_t);
    uint64_t n;
};

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void prepare(uint64_t *data)
{
    uint64_t n = (4u << 20) / 8, x = 1;
    for (uint64_t i = 0; i < n; i++) {
        data[i] = i;
    }
    for (uint64_t i = n - 1; i > 0; i--) { /* one cycle */
        x = x * 6364136223846793005ull + 1442695040888963407ull;
        uint64_t k = (x >> 33) % i, v = data[i];
        data[i] = data[k];
        data[k] = v;
    }
}

struct guest {
    struct cv_cpu *cpu;
    struct cv_ram ram;
    struct cv_bus *bus;
    struct cv_interp *interp;
    struct cv_exec *exec;
};

static void put64(struct guest *g, uint64_t at, uint64_t v)
{
    memcpy(g->ram.base + at, &v, 8);
}

static void guest_init(struct guest *g)
{
    g->cpu = aligned_alloc(64, (sizeof(struct cv_cpu) + 63) & ~(size_t)63);
    memset(g->cpu, 0, sizeof(*g->cpu));
    g->bus = calloc(1, sizeof(*g->bus));
    cv_bus_init(g->bus);
    if (!cv_ram_init(&g->ram, RAM)) {
        abort();
    }
    g->interp = cv_interp_new();
    g->cpu->ram = &g->ram;
    g->cpu->bus = g->bus;
    g->cpu->tlbs = cv_tlb_new(&g->ram, 4096);
    put64(g, 0x1000, 0x2003);
    put64(g, 0x2000, 0x3003);
    for (unsigned i = 0; i < RAM >> 21; i++) {
        put64(g, 0x3000 + i * 8, ((uint64_t)i << 21) | 0x83);
    }
    struct cv_cpu *cpu = g->cpu;
    cv_cpu_reset(cpu, 1);
    for (unsigned s = 0; s < CV_SEG_COUNT; s++) {
        cpu->seg[s] = (struct cv_seg){
            .limit = 0xffffffff, .attr = s == CV_CS ? 0xa09b : 0xc093, .sel = 8};
    }
    cpu->cr0 = CV_CR0_PE | CV_CR0_PG | CV_CR0_NE | CV_CR0_ET | CV_CR0_WP;
    cpu->cr3 = 0x1000;
    cpu->cr4 = CV_CR4_PAE | CV_CR4_OSFXSR | CV_CR4_OSXMMEXCPT | CV_CR4_OSXSAVE;
    cpu->efer = CV_EFER_LME | CV_EFER_LMA;
    cpu->xcr0 = 7;
    cv_cpu_update_mode(cpu);
    cv_tlb_select(cpu);
    size_t bytes = (size_t)(__stop_bench_code - __start_bench_code);
    memcpy(g->ram.base + CODE, __start_bench_code, bytes);
    g->ram.base[DONE] = 0xf4; /* hlt */
    g->exec = cv_exec_new(cpu, g->interp, NULL);
}

static uint64_t guest_call(struct guest *g, const struct kernel *k, double *ns,
                           uint64_t *steps)
{
    struct cv_cpu *cpu = g->cpu;
    uint64_t off = (uint64_t)((const uint8_t *)(uintptr_t)k->fn - __start_bench_code);
    prepare((uint64_t *)(g->ram.base + DATA));
    cpu->gpr[CV_RSP] = STACK - 8;
    put64(g, STACK - 8, DONE);
    cpu->gpr[CV_RDI] = DATA;
    cpu->gpr[CV_RSI] = k->n;
    cpu->rip = CODE + off;
    cpu->halted = 0;
    uint64_t before = cv_cpu_icount(cpu);
    double start = now();
    cv_fpu_enter(cpu);
    while (!cpu->halted) {
        cpu->leave = 0;
        cv_cpu_set_deadline(cpu, cv_cpu_icount(cpu) + (1u << 20));
        cv_exec_run(g->exec, cpu);
    }
    cv_fpu_leave(cpu);
    *ns = now() - start;
    *steps = cv_cpu_icount(cpu) - before;
    return cpu->gpr[CV_RAX];
}

int main(int argc, char **argv)
{
    static const struct kernel kernels[] = {
        {"alu", bench_alu, 30000000},      {"sieve", bench_sieve, 4000000},
        {"chase", bench_chase, 10000000},  {"fib", bench_fib, 32},
        {"sort", bench_sort, 400000},      {"words", bench_words, 4u << 20},
        {"switch", bench_switch, 10000000}};
    static struct guest g;
    uint64_t *data = aligned_alloc(4096, 16u << 20);
    guest_init(&g);
    printf("%-8s %10s %10s %7s %10s\n", "kernel", "native ms", "guest ms", "ratio",
           "ns/step");
    for (unsigned i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
        const struct kernel *k = &kernels[i];
        double native = 1e18, guest = 1e18;
        uint64_t steps = 0;
        if (argc > 1 && strcmp(argv[1], k->name) != 0) {
            continue;
        }
        for (unsigned round = 0; round < 3; round++) {
            prepare(data);
            double start = now(), ns;
            uint64_t want = k->fn(data, k->n);
            double took = now() - start;
            native = took < native ? took : native;
            uint64_t got = guest_call(&g, k, &ns, &steps);
            guest = ns < guest ? ns : guest;
            if (got != want) {
                printf("%s: wrong result %lx, expected %lx\n", k->name, got, want);
                return 1;
            }
        }
        printf("%-8s %10.1f %10.1f %7.2f %10.3f\n", k->name, native / 1e6, guest / 1e6,
               guest / native, guest / (double)steps);
    }
    const struct cv_exec_stats *s = cv_exec_stats(g.exec);
    printf("blocks %lu insns %lu bytes %lu entries %lu slow %lu interp %lu native %lu\n",
           s->blocks, s->block_insns, s->host_bytes, s->entries, s->exits_slow,
           s->interp_steps, s->native_steps);
    return 0;
}
