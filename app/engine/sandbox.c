#include "app/engine/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>

/* What an engine needs after start-up: its own descriptors, memory, threads and clocks. */
static const int ALLOWED[] = {
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(readv),
    SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(lseek),
    SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fdatasync), SCMP_SYS(fsync),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom),
    SCMP_SYS(sendto), SCMP_SYS(shutdown), SCMP_SYS(eventfd2), SCMP_SYS(memfd_create),
    SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise),
    SCMP_SYS(brk), SCMP_SYS(futex), SCMP_SYS(clone3), SCMP_SYS(clone), SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettid),
    SCMP_SYS(getpid), SCMP_SYS(tgkill), SCMP_SYS(getrandom), SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(prlimit64), SCMP_SYS(restart_syscall), SCMP_SYS(fcntl),
    SCMP_SYS(prctl), SCMP_SYS(seccomp), SCMP_SYS(arch_prctl), SCMP_SYS(getrusage),
    SCMP_SYS(socketpair), SCMP_SYS(wait4), /* copies of itself: app/engine/copier.h */
#ifdef __SANITIZE_ADDRESS__
    /* the sanitizer's own: it stops all threads to look for leaks and writes a report */
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(getdents64), SCMP_SYS(getdents),
    SCMP_SYS(ptrace),
    SCMP_SYS(getppid), SCMP_SYS(stat), SCMP_SYS(pipe), SCMP_SYS(pipe2),
    SCMP_SYS(dup2), SCMP_SYS(kill), SCMP_SYS(sysinfo), SCMP_SYS(getuid), SCMP_SYS(tkill),
    SCMP_SYS(ioctl), SCMP_SYS(mincore),
#endif
};

static bool load_filter(scmp_filter_ctx ctx, struct cv_error *err)
{
    seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1); /* every thread there is */
    int rc = seccomp_load(ctx);
    seccomp_release(ctx);
    if (rc != 0) {
        return cv_error_set(err, CV_EXIT_HOST,
                            "sandbox: the kernel refuses seccomp (error %d); nothing was opened",
                            -rc);
    }
    return true;
}

bool cv_sandbox_enter(struct cv_error *err)
{
    /* A refused call fails with EPERM: a library that probes falls back, and nothing dies. */
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (ctx == NULL) {
        return cv_error_set(err, CV_EXIT_OS, "sandbox: out of memory");
    }
    for (size_t i = 0; i < CV_ARRAY_LEN(ALLOWED); i++) {
        if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, ALLOWED[i], 0) != 0) {
            seccomp_release(ctx);
            return cv_error_set(err, CV_EXIT_HOST, "sandbox: a rule was refused");
        }
    }
    return load_filter(ctx, err);
}

bool cv_sandbox_seal(struct cv_error *err)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    if (ctx == NULL) {
        return cv_error_set(err, CV_EXIT_OS, "sandbox: out of memory");
    }
    const struct scmp_arg_cmp exec = {.arg = 2,
                                      .op = SCMP_CMP_MASKED_EQ,
                                      .datum_a = PROT_EXEC,
                                      .datum_b = PROT_EXEC};
    if (seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mmap), 1, &exec) != 0 ||
        seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mprotect), 1, &exec) != 0 ||
        seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(memfd_create), 0) != 0) {
        seccomp_release(ctx);
        return cv_error_set(err, CV_EXIT_HOST, "sandbox: a rule was refused");
    }
    return load_filter(ctx, err);
}
