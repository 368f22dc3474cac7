/*
 * mailbox.h - what the I/O thread and the engine thread tell each other
 *
 * Towards the guest: serial bytes and commands, bounded (the I/O thread stops reading its descriptor when it is
 * full, so nothing is lost). Towards the host: serial output, bounded; when it is full the engine thread waits for the
 * host - a stalled terminal stalls the host side of the run, never the guest's time.
 * Thread:  each function says which; the struct is guarded by lock except where noted
 */
#ifndef CV_APP_ENGINE_MAILBOX_H
#define CV_APP_ENGINE_MAILBOX_H

#include "core/base/types.h"

#include <pthread.h>

struct cv_vm;

#define CV_MAILBOX_IN  4096u
#define CV_MAILBOX_OUT (1u << 20)

struct cv_mailbox {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    uint8_t in[CV_MAILBOX_IN];
    unsigned in_len;
    bool input_open; /* more bytes may come */
    bool quit;       /* the front asked to stop, or is gone */
    int gdb_fd;      /* a gdb connection handed over; -1: none */
    struct cv_vm *vm; /* stopped when something arrives; NULL while there is none */
    /* single producer (engine), single consumer (I/O); atomics, no lock */
    uint8_t out[CV_MAILBOX_OUT];
    uint64_t out_head, out_tail;
    bool out_asleep; /* the I/O thread must be woken for the next byte */
    int wake_fd; /* eventfd: the I/O thread's poll */
};

bool cv_mailbox_init(struct cv_mailbox *box);
void cv_mailbox_fini(struct cv_mailbox *box);

/* I/O thread. */
unsigned cv_mailbox_in_room(struct cv_mailbox *box);
void cv_mailbox_put_in(struct cv_mailbox *box, const uint8_t *data, unsigned len);
void cv_mailbox_close_input(struct cv_mailbox *box);
void cv_mailbox_quit(struct cv_mailbox *box);
void cv_mailbox_give_gdb(struct cv_mailbox *box, int fd);
/* The next run of output bytes, without taking them; 0: none. */
unsigned cv_mailbox_peek_out(struct cv_mailbox *box, const uint8_t **data);
void cv_mailbox_drop_out(struct cv_mailbox *box, unsigned len);
/* From now on the next byte wakes the I/O thread, once. False: bytes wait already. */
bool cv_mailbox_sleep_out(struct cv_mailbox *box);

/* Engine thread. */
void cv_mailbox_bind(struct cv_mailbox *box, struct cv_vm *vm);
unsigned cv_mailbox_take_in(struct cv_mailbox *box, uint8_t *data, unsigned max);
bool cv_mailbox_quitting(struct cv_mailbox *box);
bool cv_mailbox_input_possible(struct cv_mailbox *box); /* bytes waiting, or more may come */
/* Waits until something arrived (true) or until host time deadline_ns of CLOCK_MONOTONIC. */
bool cv_mailbox_wait(struct cv_mailbox *box, uint64_t deadline_ns);
int cv_mailbox_wait_gdb(struct cv_mailbox *box); /* -1: quitting */
int cv_mailbox_take_gdb(struct cv_mailbox *box); /* without waiting; -1: none */
/* Appends one output byte; waits while full. Called inside the guest run: general registers only
 * (built with the target attribute; only raw waits). */
void cv_mailbox_put_out(struct cv_mailbox *box, uint8_t byte);

#endif
