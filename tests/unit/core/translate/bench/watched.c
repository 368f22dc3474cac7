/*
 * watched.c - what an access to a page with a watch costs when it meets none, and a step whose watched bytes stay
 *
 * A program by itself, not a test: links core and app/host. A loop of ten instructions, one of which stores or loads,
 * runs with nothing armed and with watches around that address, in turn; the best of each counts.
 *
 * gcc -std=gnu11 -O2 -I. -D_GNU_SOURCE -o build/watched tests/unit/core/translate/bench/watched.c \
 *     -Wl,--start-group build/release/libcv-core.a build/release/libcv-host.a -Wl,--end-group -lm && build/watched
 */
#include "core/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOAD_ADDR 0x100000u
#define AT        0x200000u
#define STEPS     20000000ull
#define ROUNDS    15u

enum setup { PLAIN, LINEAR, PHYSICAL, MANY, SILENT, SETUPS };

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* op [AT], eax; inc ebx eight times; jmp back */
static struct cv_vm *make_vm(uint8_t op)
{
    static uint8_t image[65536];
    const uint32_t header[8] = {0x1badb002u, 0x00010000u, 0u - 0x1badb002u - 0x00010000u, LOAD_ADDR, LOAD_ADDR,
                                LOAD_ADDR + sizeof(image), LOAD_ADDR + sizeof(image), LOAD_ADDR + 64};
    const uint32_t at = AT;
    struct cv_vm_config config = {.ram_bytes = 4u << 20, .cpus = 1, .kernel = {image, sizeof(image)}};
    struct cv_error err = {0};
    memcpy(image, header, sizeof(header));
    image[64] = op;
    memcpy(image + 65, &at, 4);
    memset(image + 69, 0x43, 8);
    memcpy(image + 77, "\xeb\xf1", 2);
    struct cv_vm *vm = cv_vm_new(&config, NULL, 0, &err);
    if (vm == NULL) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return vm;
}

static size_t choose(enum setup setup, struct cv_watch *w)
{
    static const uint8_t any = CV_WATCH_READ | CV_WATCH_WRITE | CV_WATCH_CHANGE;
    switch (setup) {
    case LINEAR:
    case PHYSICAL:
        w[0] = (struct cv_watch){AT + 16, AT + 23, any, setup == PHYSICAL};
        return 1;
    case MANY:
        for (unsigned i = 0; i < CV_WATCHES_MAX; i++) {
            w[i] = (struct cv_watch){AT + 16 + i * 12, AT + 23 + i * 12, (uint8_t)(1 + i % 7), i % 2 == 0};
        }
        return CV_WATCHES_MAX;
    case SILENT:
        w[0] = (struct cv_watch){AT, AT + 3, CV_WATCH_CHANGE, false};
        return 1;
    default:
        return 0;
    }
}

static double measure(uint8_t op, enum setup setup)
{
    struct cv_watch list[CV_WATCHES_MAX];
    struct cv_vm *vm = make_vm(op);
    if (!cv_vm_watch(vm, list, choose(setup, list), 0)) {
        exit(1);
    }
    while (cv_vm_run(vm, 100000) != CV_VM_LIMIT) { /* the first silent store is none */
    }
    double start = cpu_seconds();
    if (cv_vm_run(vm, 100000 + STEPS) != CV_VM_LIMIT) {
        exit(1);
    }
    double took = cpu_seconds() - start;
    cv_vm_free(vm);
    return took;
}

int main(void)
{
    static const char *const names[SETUPS] = {"nothing armed", "one linear watch in the page", "one physical watch",
                                              "256 watches in the page", "a change watch on the bytes"};
    for (unsigned load = 0; load < 2; load++) {
        double best[SETUPS] = {1e9, 1e9, 1e9, 1e9, 1e9};
        for (unsigned round = 0; round < ROUNDS; round++) {
            for (unsigned s = 0; s < SETUPS; s++) {
                double took = measure(load ? 0xa1 : 0xa3, (enum setup)s);
                best[s] = took < best[s] ? took : best[s];
            }
        }
        printf("%s: %.3f ns a step with nothing armed\n", load ? "loads" : "stores", best[PLAIN] / STEPS * 1e9);
        for (unsigned s = 1; s < SETUPS; s++) {
            printf("  %-30s %6.1f ns an access more\n", names[s], (best[s] - best[PLAIN]) / (STEPS / 10.0) * 1e9);
        }
    }
    return 0;
}
