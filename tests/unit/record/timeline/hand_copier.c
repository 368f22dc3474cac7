#include "hand_copier.h"
#include "app/host/hostmem.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void wait_for(struct hand_copier *hand, unsigned which)
{
    if (hand->pids[which] != 0) {
        cr_assert_eq(waitpid(hand->pids[which], NULL, 0), hand->pids[which]);
        hand->pids[which] = 0;
        cv_hostmem_spare_clear(which);
    }
}

static void die_soon(const struct hand_copier *hand)
{
    struct itimerval timer = {.it_value.tv_usec =
                                  1 + (suseconds_t)(hand->started * 7919 % hand->kill_us)};
    signal(SIGALRM, SIG_DFL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static int start(void *arg, unsigned which, void (*serve)(void *, int), void *serve_arg)
{
    struct hand_copier *hand = arg;
    int pair[2];
    hand->started++;
    wait_for(hand, which);
    if (hand->refuse_each != 0 && hand->started % hand->refuse_each == 0) {
        return -1;
    }
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    cr_assert(cv_hostmem_spare_fill(which));
    pid_t pid = fork();
    if (pid == 0) {
        for (unsigned i = 0; i < CV_COPIES_MAX; i++) {
            close(hand->links[i]); /* or those copies would not see their links end */
        }
        close(pair[0]);
        if (hand->kill_each != 0 && hand->started % hand->kill_each == 0) {
            die_soon(hand);
        }
        if (cv_hostmem_spare_take(which)) {
            serve(serve_arg, pair[1]);
        }
        _exit(0);
    }
    cr_assert_gt(pid, 0);
    close(pair[1]);
    hand->pids[which] = pid;
    hand->links[which] = pair[0];
    return pair[0];
}

static void end(void *arg, unsigned which)
{
    struct hand_copier *hand = arg;
    close(hand->links[which]);
    hand->links[which] = -1;
}

void hand_copier_init(struct hand_copier *hand, unsigned max, uint64_t min_steps)
{
    *hand = (struct hand_copier){
        .copier = {.arg = hand, .max = max, .min_steps = min_steps, .start = start, .end = end}};
    for (unsigned i = 0; i < CV_COPIES_MAX; i++) {
        hand->links[i] = -1;
    }
}

void hand_copier_ready(struct hand_copier *hand)
{
    cr_assert(cv_hostmem_spares_new(hand->copier.max));
}

void hand_copier_fini(struct hand_copier *hand)
{
    for (unsigned i = 0; i < CV_COPIES_MAX; i++) {
        cr_assert_eq(hand->links[i], -1, "a link was never closed");
        wait_for(hand, i);
    }
}
