/*
 * bench.c - micro workloads for the guest and, unchanged, for the host
 *
 * Prints "BENCH name nanoseconds" by CLOCK_MONOTONIC, and a checksum so that no work is optimised away. Host CPU time
 * is taken from outside; in a guest virtual time is not host time, so the ratios of `make bench` come from
 * whole runs of one workload (bench=NAME).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t run_integer(void)
{
    uint64_t x = 88172645463325252ull;
    uint64_t sum = 0;
    for (unsigned i = 0; i < 300000000u; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        sum += x & 0xff;
    }
    return sum;
}

static uint64_t run_sieve(void)
{
    enum { N = 4000000 };
    static uint8_t composite[N];
    uint64_t count = 0;
    for (unsigned round = 0; round < 12; round++) {
        memset(composite, 0, sizeof(composite));
        for (unsigned i = 2; i < N; i++) {
            if (composite[i] == 0) {
                count++;
                for (uint64_t j = (uint64_t)i * i; j < N; j += i) {
                    composite[j] = 1;
                }
            }
        }
    }
    return count;
}

static uint64_t run_chase(void)
{
    enum { N = 4 * 1024 * 1024 / 8 };
    static uint64_t next[N];
    uint64_t seed = 1;
    for (unsigned i = 0; i < N; i++) {
        next[i] = i;
    }
    for (unsigned i = N - 1; i > 0; i--) { /* Sattolo: one cycle */
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        unsigned j = (unsigned)((seed >> 33) % i);
        uint64_t t = next[i];
        next[i] = next[j];
        next[j] = t;
    }
    uint64_t at = 0;
    for (unsigned i = 0; i < 60000000u; i++) {
        at = next[at];
    }
    return at;
}

static uint64_t run_syscall(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < 4000000u; i++) {
        sum += (uint64_t)syscall(SYS_getppid);
    }
    return sum;
}

static uint64_t run_float(void)
{
    double a[64], b[64];
    for (unsigned i = 0; i < 64; i++) {
        a[i] = 1.0 + i * 0.001;
        b[i] = 0.5 + i * 0.002;
    }
    for (unsigned n = 0; n < 8000000u; n++) {
        for (unsigned i = 0; i < 64; i++) {
            a[i] = a[i] * 0.999999 + b[i] * 0.000001;
        }
    }
    double sum = 0;
    for (unsigned i = 0; i < 64; i++) {
        sum += a[i];
    }
    return (uint64_t)(sum * 1000);
}

static uint64_t run_fork(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < 3000; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            _exit(i & 1);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        sum += (uint64_t)WEXITSTATUS(status);
    }
    return sum;
}

static const struct {
    const char *name;
    uint64_t (*run)(void);
} WORK[] = {
    {"integer", run_integer}, {"sieve", run_sieve}, {"chase", run_chase},
    {"syscall", run_syscall}, {"float", run_float}, {"fork", run_fork},
};

int main(int argc, char **argv)
{
    for (unsigned i = 0; i < sizeof(WORK) / sizeof(WORK[0]); i++) {
        if (argc > 1 && strcmp(argv[1], WORK[i].name) != 0) {
            continue;
        }
        uint64_t start = now_ns();
        uint64_t sum = WORK[i].run();
        printf("BENCH %s %llu ns, sum %llu\n", WORK[i].name,
               (unsigned long long)(now_ns() - start), (unsigned long long)sum);
        fflush(stdout);
    }
    return 0;
}
