#include "record/scouts.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Before what a scout says. Both ends are one program in one memory layout: structs go as they are. */
struct head {
    uint64_t part;
    uint64_t last;
};

/* -- here -------------------------------------------------------------------------------------- */

bool cv_scouts_start(struct cv_scouts *scouts, const struct cv_copier *copier,
                     void (*serve)(void *arg, int link), void *arg)
{
    *scouts = (struct cv_scouts){.copier = copier};
    unsigned max = copier->max < CV_COPIES_MAX ? copier->max : CV_COPIES_MAX;
    bool any = false;
    for (unsigned i = 0; i < max; i++) {
        struct cv_scout *s = &scouts->list[i];
        s->link = copier->start(copier->arg, i, serve, arg);
        s->here = s->link >= 0;
        any = any || s->here;
    }
    scouts->count = max;
    return any;
}

static void dismiss(struct cv_scouts *scouts, unsigned i)
{
    struct cv_scout *s = &scouts->list[i];
    if (s->here) {
        scouts->copier->end(scouts->copier->arg, i);
        s->here = false;
        s->busy = false;
    }
}

void cv_scouts_end(struct cv_scouts *scouts)
{
    for (unsigned i = 0; i < scouts->count; i++) {
        dismiss(scouts, i);
    }
    scouts->count = 0;
}

bool cv_scouts_tell(struct cv_scouts *scouts, const struct cv_scout_part *part)
{
    for (unsigned i = 0; i < scouts->count; i++) {
        struct cv_scout *s = &scouts->list[i];
        if (!s->here || s->busy) {
            continue;
        }
        if (send(s->link, part, sizeof(*part), MSG_NOSIGNAL | MSG_DONTWAIT) ==
            (ssize_t)sizeof(*part)) {
            s->part = *part;
            s->busy = true;
            s->held = false;
            return true;
        }
        dismiss(scouts, i);
    }
    return false;
}

struct cv_scout *cv_scouts_with(struct cv_scouts *scouts, uint64_t id)
{
    for (unsigned i = 0; i < scouts->count; i++) {
        if (scouts->list[i].busy && scouts->list[i].part.id == id) {
            return &scouts->list[i];
        }
    }
    return NULL;
}

/* What scout i says, or the news that nothing more will come. */
static bool hear_from(struct cv_scouts *scouts, unsigned i,
                      struct cv_scout_message *message)
{
    struct cv_scout *s = &scouts->list[i];
    struct head head = {0, 0};
    struct iovec parts[2] = {{&head, sizeof(head)}, {message->data, sizeof(message->data)}};
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n = recvmsg(s->link, &msg, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    message->part = s->part.id;
    message->gone = n < (ssize_t)sizeof(head) || head.part != s->part.id;
    message->last = !message->gone && head.last != 0;
    message->len = message->gone ? 0 : (size_t)n - sizeof(head);
    s->busy = !message->last;
    if (message->gone) {
        dismiss(scouts, i);
    }
    return true;
}

bool cv_scouts_hear(struct cv_scouts *scouts, int wait_ms,
                    struct cv_scout_message *message)
{
    struct pollfd fds[CV_COPIES_MAX];
    for (unsigned i = 0; i < scouts->count; i++) {
        const struct cv_scout *s = &scouts->list[i];
        fds[i] = (struct pollfd){.fd = s->busy && !s->held ? s->link : -1, .events = POLLIN};
    }
    if (poll(fds, scouts->count, wait_ms) <= 0) {
        return false;
    }
    for (unsigned i = 0; i < scouts->count; i++) {
        if (fds[i].revents != 0 && hear_from(scouts, i, message)) {
            return true;
        }
    }
    return false;
}

/* -- there ------------------------------------------------------------------------------------- */

bool cv_scout_take(int link, struct cv_scout_part *part)
{
    ssize_t n;
    do {
        n = recv(link, part, sizeof(*part), 0);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(*part);
}

bool cv_scout_say(int link, const struct cv_scout_part *part, bool last, const void *data,
                  size_t len)
{
    struct head head = {part->id, last};
    struct iovec parts[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)data, len}};
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n;
    do {
        n = sendmsg(link, &msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)(sizeof(head) + len);
}

bool cv_scout_wanted(int link)
{
    struct pollfd fd = {.fd = link, .events = POLLRDHUP};
    return poll(&fd, 1, 0) <= 0;
}
