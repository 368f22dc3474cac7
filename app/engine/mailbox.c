#include "app/engine/mailbox.h"
#include "core/vm.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define OUT_WAKE 512u /* wake the I/O thread when this much is waiting, or when it sleeps */

bool cv_mailbox_init(struct cv_mailbox *box)
{
    pthread_condattr_t attr;
    memset(box, 0, sizeof(*box));
    box->gdb_fd = -1;
    box->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (box->wake_fd < 0) {
        return false;
    }
    pthread_mutex_init(&box->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&box->changed, &attr);
    pthread_condattr_destroy(&attr);
    return true;
}

void cv_mailbox_fini(struct cv_mailbox *box)
{
    if (box->gdb_fd >= 0) {
        close(box->gdb_fd);
    }
    close(box->wake_fd);
    pthread_cond_destroy(&box->changed);
    pthread_mutex_destroy(&box->lock);
}

/* Lock held: tells the engine thread, wherever it is. */
static void notify_engine(struct cv_mailbox *box)
{
    if (box->vm != NULL) {
        cv_vm_stop(box->vm);
    }
    pthread_cond_broadcast(&box->changed);
}

unsigned cv_mailbox_in_room(struct cv_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    unsigned room = CV_MAILBOX_IN - box->in_len;
    pthread_mutex_unlock(&box->lock);
    return room;
}

void cv_mailbox_put_in(struct cv_mailbox *box, const uint8_t *data, unsigned len)
{
    pthread_mutex_lock(&box->lock);
    if (len > CV_MAILBOX_IN - box->in_len) {
        len = CV_MAILBOX_IN - box->in_len;
    }
    memcpy(box->in + box->in_len, data, len);
    box->in_len += len;
    notify_engine(box);
    pthread_mutex_unlock(&box->lock);
}

void cv_mailbox_close_input(struct cv_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    box->input_open = false;
    notify_engine(box);
    pthread_mutex_unlock(&box->lock);
}

void cv_mailbox_quit(struct cv_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    box->quit = true;
    notify_engine(box);
    pthread_mutex_unlock(&box->lock);
}

void cv_mailbox_give_gdb(struct cv_mailbox *box, int fd)
{
    pthread_mutex_lock(&box->lock);
    if (box->gdb_fd >= 0) {
        close(box->gdb_fd);
    }
    box->gdb_fd = fd;
    pthread_cond_broadcast(&box->changed);
    pthread_mutex_unlock(&box->lock);
}

unsigned cv_mailbox_peek_out(struct cv_mailbox *box, const uint8_t **data)
{
    uint64_t head = __atomic_load_n(&box->out_head, __ATOMIC_ACQUIRE);
    uint64_t waiting = head - box->out_tail;
    unsigned at = (unsigned)(box->out_tail % CV_MAILBOX_OUT);
    *data = box->out + at;
    return waiting < CV_MAILBOX_OUT - at ? (unsigned)waiting : CV_MAILBOX_OUT - at;
}

bool cv_mailbox_sleep_out(struct cv_mailbox *box)
{
    __atomic_store_n(&box->out_asleep, true, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&box->out_head, __ATOMIC_SEQ_CST) == box->out_tail;
}

void cv_mailbox_drop_out(struct cv_mailbox *box, unsigned len)
{
    __atomic_store_n(&box->out_tail, box->out_tail + len, __ATOMIC_RELEASE);
}

void cv_mailbox_bind(struct cv_mailbox *box, struct cv_vm *vm)
{
    pthread_mutex_lock(&box->lock);
    box->vm = vm;
    if (vm != NULL && (box->quit || box->in_len > 0)) {
        cv_vm_stop(vm);
    }
    pthread_mutex_unlock(&box->lock);
}

unsigned cv_mailbox_take_in(struct cv_mailbox *box, uint8_t *data, unsigned max)
{
    uint64_t one = 1;
    pthread_mutex_lock(&box->lock);
    unsigned n = box->in_len < max ? box->in_len : max;
    memcpy(data, box->in, n);
    memmove(box->in, box->in + n, box->in_len - n);
    box->in_len -= n;
    pthread_mutex_unlock(&box->lock);
    if (n > 0 && write(box->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN) {
        return n; /* the poll's timeout serves instead */
    }
    return n;
}

bool cv_mailbox_quitting(struct cv_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    bool quit = box->quit;
    pthread_mutex_unlock(&box->lock);
    return quit;
}

bool cv_mailbox_input_possible(struct cv_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    bool possible = box->input_open || box->in_len > 0;
    pthread_mutex_unlock(&box->lock);
    return possible;
}

bool cv_mailbox_wait(struct cv_mailbox *box, uint64_t deadline_ns)
{
    struct timespec ts = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                          .tv_nsec = (long)(deadline_ns % 1000000000u)};
    int rc = 0;
    pthread_mutex_lock(&box->lock);
    bool was_open = box->input_open;
    while (!box->quit && box->in_len == 0 && box->input_open == was_open && rc == 0) {
        rc = deadline_ns == UINT64_MAX
                 ? pthread_cond_wait(&box->changed, &box->lock)
                 : pthread_cond_timedwait(&box->changed, &box->lock, &ts);
    }
    bool arrived = rc == 0;
    pthread_mutex_unlock(&box->lock);
    return arrived;
}

int cv_mailbox_wait_gdb(struct cv_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    while (!box->quit && box->gdb_fd < 0) {
        pthread_cond_wait(&box->changed, &box->lock);
    }
    int fd = box->gdb_fd;
    box->gdb_fd = -1;
    pthread_mutex_unlock(&box->lock);
    return fd;
}

int cv_mailbox_take_gdb(struct cv_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    int fd = box->gdb_fd;
    box->gdb_fd = -1;
    pthread_mutex_unlock(&box->lock);
    return fd;
}

/* Called with the guest's vector registers live: bare system calls, since a sanitizer's interceptors
 * may use any register. */
__attribute__((target("general-regs-only"))) void cv_mailbox_put_out(struct cv_mailbox *box,
                                                                     uint8_t byte)
{
    const struct timespec nap = {.tv_sec = 0, .tv_nsec = 200000};
    uint64_t one = 1;
    uint64_t head = box->out_head;
    while (head - __atomic_load_n(&box->out_tail, __ATOMIC_ACQUIRE) >= CV_MAILBOX_OUT) {
        syscall(SYS_nanosleep, &nap, NULL);
    }
    box->out[head % CV_MAILBOX_OUT] = byte;
    __atomic_store_n(&box->out_head, head + 1, __ATOMIC_SEQ_CST);
    if ((__atomic_load_n(&box->out_asleep, __ATOMIC_SEQ_CST) &&
         __atomic_exchange_n(&box->out_asleep, false, __ATOMIC_SEQ_CST)) ||
        head - __atomic_load_n(&box->out_tail, __ATOMIC_RELAXED) == OUT_WAKE) {
        if (syscall(SYS_write, box->wake_fd, &one, sizeof(one)) < 0) {
            return; /* full counter: it is awake already */
        }
    }
}
