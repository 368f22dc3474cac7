/*
 * state.h - one gdb client: what server.c and the exec_* files share
 * Thread:  engine thread only
 */
#ifndef CV_DEBUGGER_GDB_STATE_H
#define CV_DEBUGGER_GDB_STATE_H

#include "debugger/gdb/points.h"
#include "debugger/gdb/server.h"
#include "debugger/session.h"
#include "debugger/stops.h"
#include "debugger/tinygdbstub/packet.h"
#include "debugger/tinygdbstub/request.h"

#define CV_GDB_INPUT_BYTES 65536u
#define CV_GDB_BULK_MAX    (CV_PACKET_MAX / 2 - 16) /* bytes in one reply, hex or escaped */
#define CV_GDB_LOOK_STEPS  (1u << 26) /* between two looks for a kernel that is not there yet */
#define CV_GDB_TEXT_MAX    1024u /* bytes in one O packet */
#define CV_GDB_BOOKMARKS   64u
#define CV_GDB_TRAIL       64u
#define CV_GDB_FILES       8u
#define CV_GDB_REASONS     64u
#define CV_GDB_REG_OWN     0x4000u /* in agent code: core/inspect.h's numbers begin here; below are the target's */

/* Whose an entry of the stop table is. Its tag is the type of a Z packet, or nothing. */
enum cv_gdb_client { CV_GDB_CLIENT_POINT = 1, CV_GDB_CLIENT_MONITOR = 2 };

struct cv_gdb {
    struct cv_session *session;
    struct cv_gdb_config config;
    const struct cv_gdb_target *target; /* chosen before the first packet, never changed */
    int fd;
    /* link */
    struct cv_packet_reader reader;
    uint8_t input[CV_GDB_INPUT_BYTES];
    size_t input_at, input_len;
    enum cv_packet_event held; /* came during a travel, to be served after it */
    uint8_t frame[CV_PACKET_FRAME_MAX(CV_PACKET_MAX)];
    size_t frame_len;
    bool no_ack, over;
    enum cv_gdb_end end;
    uint64_t late_interrupt_ms; /* host time of a Ctrl-C that crossed a stop reply; 0: none */
    /* what the client understands */
    bool multiprocess, swbreak, hwbreak, error_message;
    bool follows; /* sees by itself that a verb moved the machine: it runs our chronovisor.py */
    /* request under way */
    uint8_t payload[CV_PACKET_MAX + 1];
    struct cv_reply reply;
    uint8_t bulk[CV_GDB_BULK_MAX];
    bool silent; /* no reply at all */
    /* state of the debugger */
    struct cv_gdb_points points;
    uint64_t space; /* address space that new breakpoints hold in; CV_STOP_ANY_SPACE */
    enum cv_stop_reason stop;
    bool in_line; /* what conditions and commands print: the last line has not ended */
    struct {
        const uint8_t *data; /* NULL: not open */
        uint64_t len;
    } files[CV_GDB_FILES];
    bool phys; /* m and its kin take guest physical addresses, and so do Z2 to Z4 */
    cv_icount bookmarks[CV_GDB_BOOKMARKS];
    unsigned bookmark_count;
    cv_icount trail[CV_GDB_TRAIL]; /* places left by seeks, for back and forward */
    unsigned trail_len, trail_at;
};

/* server.c */
void cv_gdb_print_text(struct cv_gdb *gdb, const char *text, size_t len); /* at most CV_GDB_TEXT_MAX bytes, as they are */
void cv_gdb_print(struct cv_gdb *gdb, const char *fmt, ...) CV_PRINTF(2, 3); /* an O packet */
/* Text of conditions and commands, each line with the icount before it. */
void cv_gdb_print_agent(struct cv_gdb *gdb, const char *text, size_t len);
bool cv_gdb_interrupted(struct cv_gdb *gdb); /* Ctrl-C, a vanished client, or quit */
/* A Ctrl-C came just before this move, between two of the moves that make up one command of gdb
 * (reverse-next is many `bs`): it is meant for the command. Asked once a move. */
bool cv_gdb_interrupted_late(struct cv_gdb *gdb);
void cv_gdb_refuse_write(struct cv_gdb *gdb);

/* exec_*.c: each fills gdb->reply. */
void cv_gdb_regs_append(struct cv_gdb *gdb, unsigned n); /* "05:....;" */
void cv_gdb_regs_read_all(struct cv_gdb *gdb);
void cv_gdb_regs_read(struct cv_gdb *gdb, const struct cv_request *r);
void cv_gdb_mem_read(struct cv_gdb *gdb, const struct cv_request *r);
void cv_gdb_mem_search(struct cv_gdb *gdb, const struct cv_request *r);
void cv_gdb_mem_crc(struct cv_gdb *gdb, const struct cv_request *r);
void cv_gdb_run_move(struct cv_gdb *gdb, const struct cv_request *r);
void cv_gdb_run_stop_reply(struct cv_gdb *gdb);
void cv_gdb_break_change(struct cv_gdb *gdb, const struct cv_request *r);
const char *cv_gdb_watch_name(const struct cv_stop_spec *spec);
void cv_gdb_break_sweep(struct cv_gdb *gdb); /* before each move */
void cv_gdb_break_drop_all(struct cv_gdb *gdb);
/* An agent expression of these bytes; NULL: refused, and the reply says why. */
struct cv_agent_code *cv_gdb_break_code(struct cv_gdb *gdb, const uint8_t *bytes, size_t len);
void cv_gdb_file(struct cv_gdb *gdb, const struct cv_request *r); /* vFile */
bool cv_gdb_reg_value(struct cv_gdb *gdb, unsigned n, uint64_t *value); /* of agent code; at most 8 bytes */
uint64_t cv_gdb_rip(struct cv_gdb *gdb);
void cv_gdb_query(struct cv_gdb *gdb, const struct cv_request *r);
void cv_gdb_thread_id(struct cv_gdb *gdb); /* appends "p1.1" or "1" */
bool cv_gdb_thread_exists(const struct cv_request_thread *thread);
void cv_gdb_monitor(struct cv_gdb *gdb, const char *line);
void cv_gdb_question(struct cv_gdb *gdb, const char *args); /* monitor query */
/* For verbs that travel: the place that was left is one to go back to; and gdb's user is told what to do. */
void cv_gdb_remember(struct cv_gdb *gdb, cv_icount from);
void cv_gdb_tell_move(struct cv_gdb *gdb);

#endif
