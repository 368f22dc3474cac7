/*
 * request.h - what a gdb packet asks, as a value
 *
 * Spec:    "Debugging with GDB", appendix "GDB Remote Serial Protocol", sections "Packets", "General Query
 *          Packets", "vCont packet", "Host I/O Packets"
 * Errors:  nothing a payload holds is an error of the program: it becomes UNKNOWN (answer empty) or
 *          MALFORMED (answer with an error)
 * Thread:  any; no state
 */
#ifndef CV_TINYGDBSTUB_REQUEST_H
#define CV_TINYGDBSTUB_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cv_request_kind {
    CV_REQUEST_UNKNOWN, CV_REQUEST_MALFORMED,
    /* queries */
    CV_REQUEST_SUPPORTED,      /* text: the client's feature list */
    CV_REQUEST_NO_ACK, CV_REQUEST_STOP_REASON, CV_REQUEST_ATTACHED, CV_REQUEST_OFFSETS,
    CV_REQUEST_CURRENT_THREAD, CV_REQUEST_FIRST_THREADS, CV_REQUEST_MORE_THREADS,
    CV_REQUEST_THREAD_INFO,    /* thread */
    CV_REQUEST_THREAD_ALIVE,   /* thread */
    CV_REQUEST_SET_THREAD,     /* op 'g' or 'c', thread */
    CV_REQUEST_XFER_READ,      /* object, text: annex, addr: offset, len */
    CV_REQUEST_SYMBOL, CV_REQUEST_COMMAND, /* text: decoded qRcmd line */
    CV_REQUEST_SEARCH,         /* addr, len, data */
    CV_REQUEST_CRC,            /* addr, len */
    CV_REQUEST_VCONT_QUERY,
    /* state */
    CV_REQUEST_READ_REGS, CV_REQUEST_WRITE_REGS, CV_REQUEST_READ_REG, /* reg */
    CV_REQUEST_WRITE_REG,      /* reg */
    CV_REQUEST_READ_MEM, CV_REQUEST_READ_MEM_BINARY, /* addr, len */
    CV_REQUEST_WRITE_MEM,      /* addr, len, data (M, X) */
    /* moves */
    CV_REQUEST_CONT,           /* actions (vCont, c, C, s, S) */
    CV_REQUEST_BACK_STEP, CV_REQUEST_BACK_CONT,
    CV_REQUEST_BREAK_INSERT,   /* op '0'..'4', addr, len, conditions, commands, persist */
    CV_REQUEST_BREAK_REMOVE,   /* op '0'..'4', addr, len */
    CV_REQUEST_DETACH, CV_REQUEST_KILL, CV_REQUEST_VKILL,
    CV_REQUEST_THREAD_EVENTS,  /* op '0' or '1' */
    /* host I/O; the answer begins with F (cv_reply_file, cv_reply_file_error) */
    CV_REQUEST_FILE_SETFS,     /* addr: pid */
    CV_REQUEST_FILE_OPEN,      /* text: name, addr: flags, len: mode */
    CV_REQUEST_FILE_CLOSE,     /* reg: descriptor */
    CV_REQUEST_FILE_READ,      /* reg: descriptor, len, addr: offset */
    CV_REQUEST_FILE_FSTAT,     /* reg: descriptor */
    CV_REQUEST_FILE_STAT, CV_REQUEST_FILE_READLINK, /* text: name */
    CV_REQUEST_FILE_CHANGE,    /* pwrite, unlink: what a read-only side refuses */
};

struct cv_request_thread { /* -1: all, 0: any */
    int64_t pid, tid;
};

struct cv_request_action {
    char op;                         /* 'c', 's', 'r' or 't' */
    uint64_t start, end;             /* of 'r' */
    struct cv_request_thread thread; /* -1 when the action names none */
};
#define CV_REQUEST_ACTIONS_MAX 16u

struct cv_request_code { /* an agent expression, in the payload */
    const uint8_t *bytes;
    size_t len;
};
#define CV_REQUEST_CODES_MAX 64u

struct cv_request {
    enum cv_request_kind kind;
    char op;
    uint64_t addr, len, reg;
    struct cv_request_thread thread;
    const char *object, *text; /* NUL-terminated, in the payload */
    const uint8_t *data;       /* in the payload */
    size_t data_len;
    struct cv_request_action actions[CV_REQUEST_ACTIONS_MAX];
    size_t action_count;
    struct cv_request_code conditions[CV_REQUEST_CODES_MAX], commands[CV_REQUEST_CODES_MAX];
    size_t condition_count, command_count;
    bool persist; /* the commands are to run even when no client is connected */
};

/* Reads a payload, which has a NUL at [len] and is changed (hex is decoded in place). The request points
 * into it. */
void cv_request_parse(uint8_t *payload, size_t len, struct cv_request *request);

/* Does a qSupported list hold "name+" ? */
bool cv_request_has_feature(const char *list, const char *name);

#endif
