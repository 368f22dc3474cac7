#include "record/scouts.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* Both ends are one program in one memory layout: structs go as they are. */
struct answer {
    struct cv_scout_part part;
    struct cv_found found;
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
            return true;
        }
        dismiss(scouts, i);
    }
    return false;
}

bool cv_scouts_any_busy(const struct cv_scouts *scouts)
{
    bool any = false;
    for (unsigned i = 0; i < scouts->count; i++) {
        any = any || scouts->list[i].busy;
    }
    return any;
}

/* An answer from scout i, or the news that none will come. */
static bool hear_from(struct cv_scouts *scouts, unsigned i, struct cv_scout_part *part,
                      bool *searched, struct cv_found *found)
{
    struct cv_scout *s = &scouts->list[i];
    struct answer answer;
    ssize_t n = recv(s->link, &answer, sizeof(answer), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    *part = s->part;
    *searched = n == (ssize_t)sizeof(answer) && answer.part.id == s->part.id;
    s->busy = false;
    if (*searched) {
        *found = answer.found;
    } else {
        dismiss(scouts, i);
    }
    return true;
}

bool cv_scouts_hear(struct cv_scouts *scouts, int wait_ms, struct cv_scout_part *part,
                    bool *searched, struct cv_found *found)
{
    struct pollfd fds[CV_COPIES_MAX];
    for (unsigned i = 0; i < scouts->count; i++) {
        const struct cv_scout *s = &scouts->list[i];
        fds[i] = (struct pollfd){.fd = s->busy ? s->link : -1, .events = POLLIN};
    }
    if (poll(fds, scouts->count, wait_ms) <= 0) {
        return false;
    }
    for (unsigned i = 0; i < scouts->count; i++) {
        if (fds[i].revents != 0 && hear_from(scouts, i, part, searched, found)) {
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

bool cv_scout_answer(int link, const struct cv_scout_part *part,
                     const struct cv_found *found)
{
    struct answer answer;
    memset(&answer, 0, sizeof(answer)); /* padding too */
    answer.part = *part;
    answer.found = *found;
    return send(link, &answer, sizeof(answer), MSG_NOSIGNAL) == (ssize_t)sizeof(answer);
}

bool cv_scout_wanted(int link)
{
    struct pollfd fd = {.fd = link, .events = POLLRDHUP};
    return poll(&fd, 1, 0) <= 0;
}
