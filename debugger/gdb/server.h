/*
 * server.h - a gdb remote server for one session over one connected stream
 *
 * Spec:    "Debugging with GDB", appendix "GDB Remote Serial Protocol"; measured against gdb 13.1
 * Inputs:  a connected descriptor (UNIX socket, loopback TCP, socketpair); the caller accepts and closes it
 * Thread:  runs on the engine thread until the client is gone
 * Missing: non-stop mode, tracepoints; writes (a recording is the past)
 */
#ifndef CV_DEBUGGER_GDB_SERVER_H
#define CV_DEBUGGER_GDB_SERVER_H

#include "debugger/arch.h"

struct cv_linux;
struct cv_session;

struct cv_gdb_config { /* all may be NULL */
    void *arg;
    enum cv_arch arch; /* the registers and addresses of this service; gdb cannot bear a change in it */
    /* The user wants that architecture for the next service. */
    void (*want_arch)(void *arg, enum cv_arch arch);
    /* The guest kernel's KASLR slide where the machine stands; false: not known. */
    bool (*slide)(void *arg, uint64_t *slide);
    bool slides; /* it will be known somewhere: worth to look ahead */
    /* Asked at least every 200 ms while waiting and every 2^20 steps of a travel: true ends the service. */
    bool (*quit)(void *arg);
    /* Read-only files of the trace, for vFile; the bytes live as long as the service. False: there is none of that name. */
    bool (*file)(void *arg, const char *name, const uint8_t **data, uint64_t *len);
    const char *exec_file; /* which of them runs, for qXfer:exec-file */
    struct cv_linux *guest; /* debugger/linux.h; borrowed */
    const char *version; /* for `monitor info version` */
};

enum cv_gdb_end {
    CV_GDB_DETACHED, /* D: the client may come again */
    CV_GDB_KILLED,   /* k or vKill */
    CV_GDB_CLOSED,   /* the client vanished or the link failed */
    CV_GDB_FOREIGN,  /* what spoke was not gdb; nothing was answered */
    CV_GDB_QUIT,     /* config->quit said so */
    CV_GDB_NO_MEMORY,
};

/* Serves until the end; the descriptor stays the caller's. Breakpoints of the client are gone afterwards, the
 * machine stays where it stands. The session's front end is this server meanwhile and none afterwards. Returns
 * an enum cv_gdb_end. */
int cv_gdb_serve(struct cv_session *session, int fd, const struct cv_gdb_config *config);

#endif
