/*
 * main.c - what every target is linked with: seeds on request, and deaths that libFuzzer
 * sees
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

static const char *seeds;

void fuzz_seed(const char *name, const void *data, size_t len)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", seeds, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    seeds = getenv("CV_SEEDS");
    if (seeds != NULL) {
        write_seeds();
        exit(0);
    }
    return 0;
}

/* The linker sends _exit here (--wrap): a failed check and a host signal in the machine
 * end that way, and libFuzzer would lose the input. */
void __wrap__exit(int code) __attribute__((noreturn));
void __wrap__exit(int code)
{
    fprintf(stderr, "fuzz: _exit(%d)\n", code);
    abort();
}
