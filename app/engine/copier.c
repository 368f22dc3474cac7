#include "app/engine/copier.h"
#include "app/host/hostmem.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIN_STEPS (1ull << 25) /* some 30 ms: with its code, a copy of a large process takes as long, or longer */
#define FDS_MAX   1024         /* a process that has more keeps them open in its copies, which does no harm */

static bool has_ended(struct cv_copies *copies, unsigned which, int how)
{
    struct cv_copy *copy = &copies->list[which];
    pid_t pid = 0;
    if (copy->pid != 0) {
        do {
            pid = waitpid(copy->pid, NULL, how);
        } while (pid < 0 && errno == EINTR);
    }
    if (pid != 0) { /* it, or nobody there to wait for */
        copy->pid = 0;
        cv_hostmem_spare_clear(which);
    }
    return copy->pid == 0;
}

static void close_others(int link, int trace)
{
    for (int fd = 0; fd < FDS_MAX; fd++) {
        if (fd != link && fd != trace && fd != STDERR_FILENO) {
            close(fd);
        }
    }
}

static void live(struct cv_copies *copies, unsigned which, int link, void (*serve)(void *, int),
                 void *serve_arg)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (cv_hostmem_spare_take(which)) {
        close_others(link, copies->trace);
        serve(serve_arg, link);
    }
    _exit(0);
}

static int start(void *arg, unsigned which, void (*serve)(void *, int), void *serve_arg)
{
    struct cv_copies *copies = arg;
    struct cv_copy *copy = &copies->list[which];
    int pair[2];
    if (!has_ended(copies, which, WNOHANG) || !cv_hostmem_spare_fill(which) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        live(copies, which, pair[1], serve, serve_arg);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return -1;
    }
    copy->pid = pid;
    copy->link = pair[0];
    return copy->link;
}

static void end(void *arg, unsigned which)
{
    struct cv_copies *copies = arg;
    struct cv_copy *copy = &copies->list[which];
    if (copy->link >= 0) {
        close(copy->link);
        copy->link = -1;
    }
    has_ended(copies, which, WNOHANG);
}

unsigned cv_copies_useful(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    unsigned others = count > 1 ? (unsigned)count - 1 : 0;
    return others < CV_COPIES_MAX ? others : CV_COPIES_MAX;
}

void cv_copies_init(struct cv_copies *copies, unsigned max, int trace)
{
    *copies = (struct cv_copies){
        .copier = {.arg = copies, .max = max, .min_steps = MIN_STEPS, .start = start, .end = end},
        .trace = trace};
    for (unsigned i = 0; i < CV_COPIES_MAX; i++) {
        copies->list[i].link = -1;
    }
    if (!cv_hostmem_spares_new(max)) {
        copies->copier.max = 0;
    }
}

void cv_copies_fini(struct cv_copies *copies)
{
    for (unsigned i = 0; i < copies->copier.max; i++) {
        end(copies, i);
        has_ended(copies, i, 0);
    }
}
