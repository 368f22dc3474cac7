#include "debugger/gdb/server.h"
#include "core/base/error.h"
#include "core/inspect.h"
#include "debugger/gdb/state.h"
#include "debugger/gdb/target.h"
#include "debugger/view.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 200 /* between two looks at config.quit */
#define LATE_MS 250 /* a human who types the next command needs longer */

static void end_service(struct cv_gdb *gdb, enum cv_gdb_end end)
{
    if (!gdb->over) {
        gdb->over = true;
        gdb->end = end;
    }
}

static bool asked_to_quit(struct cv_gdb *gdb)
{
    if (!gdb->over && gdb->config.quit != NULL && gdb->config.quit(gdb->config.arg)) {
        end_service(gdb, CV_GDB_QUIT);
    }
    return gdb->over;
}

/* -- the link ---------------------------------------------------------------------------------- */

static ssize_t write_some(int fd, const uint8_t *bytes, size_t len)
{
    ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n < 0 && errno == ENOTSOCK ? write(fd, bytes, len) : n;
}

static void send_bytes(struct cv_gdb *gdb, const uint8_t *bytes, size_t len)
{
    while (len > 0 && !gdb->over) {
        ssize_t n = write_some(gdb->fd, bytes, len);
        if (n >= 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd p = {.fd = gdb->fd, .events = POLLOUT};
            if (poll(&p, 1, WAIT_MS) < 0 && errno != EINTR) {
                end_service(gdb, CV_GDB_CLOSED);
            }
            asked_to_quit(gdb);
        } else if (errno != EINTR) {
            end_service(gdb, CV_GDB_CLOSED);
        }
    }
}

/* Reads what is there, waiting up to `ms` for the first byte. */
static void fill_input(struct cv_gdb *gdb, int ms)
{
    struct pollfd p = {.fd = gdb->fd, .events = POLLIN};
    if (gdb->input_at > 0) {
        memmove(gdb->input, gdb->input + gdb->input_at, gdb->input_len - gdb->input_at);
        gdb->input_len -= gdb->input_at;
        gdb->input_at = 0;
    }
    if (gdb->input_len == sizeof(gdb->input)) {
        return;
    }
    int ready = poll(&p, 1, ms);
    if (ready < 0 && errno != EINTR) {
        end_service(gdb, CV_GDB_CLOSED);
    }
    if (ready <= 0) {
        return;
    }
    ssize_t n = read(gdb->fd, gdb->input + gdb->input_len, sizeof(gdb->input) - gdb->input_len);
    if (n > 0) {
        gdb->input_len += (size_t)n;
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        end_service(gdb, CV_GDB_CLOSED);
    }
}

static enum cv_packet_event feed_reader(struct cv_gdb *gdb)
{
    size_t used;
    enum cv_packet_event event = cv_packet_feed(&gdb->reader, gdb->input + gdb->input_at,
                                                gdb->input_len - gdb->input_at, &used);
    gdb->input_at += used;
    return event;
}

bool cv_gdb_interrupted(struct cv_gdb *gdb)
{
    if (asked_to_quit(gdb)) {
        return true;
    }
    fill_input(gdb, 0);
    while (!gdb->over && gdb->held == CV_PACKET_NONE && gdb->input_at < gdb->input_len) {
        enum cv_packet_event event = feed_reader(gdb);
        if (event == CV_PACKET_INTERRUPT) {
            return true;
        }
        if (event != CV_PACKET_ACK && event != CV_PACKET_NAK) {
            gdb->held = event;
        }
    }
    if (gdb->held != CV_PACKET_NONE) {
        /* A Ctrl-C behind a packet that must wait: better one stop too many. */
        uint8_t *rest = gdb->input + gdb->input_at;
        return gdb->over || memchr(rest, 0x03, gdb->input_len - gdb->input_at) != NULL;
    }
    return gdb->over;
}

static uint64_t host_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000 + 1;
}

bool cv_gdb_interrupted_late(struct cv_gdb *gdb)
{
    uint64_t at = gdb->late_interrupt_ms;
    gdb->late_interrupt_ms = 0;
    return at != 0 && host_ms() - at <= LATE_MS;
}

static void send_frame(struct cv_gdb *gdb, const uint8_t *payload, size_t len)
{
    gdb->frame_len = cv_packet_frame(payload, len, gdb->frame);
    send_bytes(gdb, gdb->frame, gdb->frame_len);
}

void cv_gdb_print_text(struct cv_gdb *gdb, const char *text, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t packet[1 + 2 * CV_GDB_TEXT_MAX];
    len = len < CV_GDB_TEXT_MAX ? len : CV_GDB_TEXT_MAX;
    packet[0] = 'O';
    for (size_t i = 0; i < len; i++) {
        packet[1 + 2 * i] = (uint8_t)digits[(uint8_t)text[i] >> 4];
        packet[2 + 2 * i] = (uint8_t)digits[text[i] & 15];
    }
    send_frame(gdb, packet, 1 + 2 * len);
}

void cv_gdb_print(struct cv_gdb *gdb, const char *fmt, ...)
{
    char text[CV_GDB_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    size_t len = cv_vformat(text, sizeof(text), fmt, ap);
    va_end(ap);
    cv_gdb_print_text(gdb, text, len);
}

void cv_gdb_print_agent(struct cv_gdb *gdb, const char *text, size_t len)
{
    while (len > 0) {
        const char *newline = memchr(text, '\n', len < CV_GDB_TEXT_MAX ? len : CV_GDB_TEXT_MAX);
        size_t part = newline != NULL ? (size_t)(newline - text) + 1 : len;
        part = part < CV_GDB_TEXT_MAX ? part : CV_GDB_TEXT_MAX;
        if (!gdb->in_line) {
            cv_gdb_print(gdb, "%llu: ",
                         (unsigned long long)cv_session_icount(gdb->session));
        }
        cv_gdb_print_text(gdb, text, part);
        gdb->in_line = newline == NULL;
        text += part;
        len -= part;
    }
}

void cv_gdb_refuse_write(struct cv_gdb *gdb)
{
    cv_reply_error(&gdb->reply, "cannot change the past: in a recording registers and memory are "
                                "read-only");
}

/* -- requests ---------------------------------------------------------------------------------- */

static void execute(struct cv_gdb *gdb, const struct cv_request *r)
{
    switch (r->kind) {
    case CV_REQUEST_UNKNOWN:
        break;
    case CV_REQUEST_MALFORMED:
        cv_reply_text(&gdb->reply, "E01");
        break;
    case CV_REQUEST_STOP_REASON:
        cv_gdb_run_stop_reply(gdb);
        break;
    case CV_REQUEST_SEARCH:
        cv_gdb_mem_search(gdb, r);
        break;
    case CV_REQUEST_CRC:
        cv_gdb_mem_crc(gdb, r);
        break;
    case CV_REQUEST_READ_REGS:
        cv_gdb_regs_read_all(gdb);
        break;
    case CV_REQUEST_READ_REG:
        cv_gdb_regs_read(gdb, r);
        break;
    case CV_REQUEST_READ_MEM:
    case CV_REQUEST_READ_MEM_BINARY:
        cv_gdb_mem_read(gdb, r);
        break;
    case CV_REQUEST_WRITE_REGS:
    case CV_REQUEST_WRITE_REG:
    case CV_REQUEST_WRITE_MEM:
        cv_gdb_refuse_write(gdb);
        break;
    case CV_REQUEST_CONT:
    case CV_REQUEST_BACK_STEP:
    case CV_REQUEST_BACK_CONT:
        cv_gdb_run_move(gdb, r);
        break;
    case CV_REQUEST_BREAK_INSERT:
    case CV_REQUEST_BREAK_REMOVE:
        cv_gdb_break_change(gdb, r);
        break;
    case CV_REQUEST_COMMAND:
        cv_gdb_monitor(gdb, r->text);
        cv_reply_text(&gdb->reply, "OK");
        break;
    case CV_REQUEST_KILL:
        gdb->silent = true;
        break;
    case CV_REQUEST_DETACH:
    case CV_REQUEST_VKILL:
        cv_reply_text(&gdb->reply, "OK");
        break;
    default:
        if (r->kind >= CV_REQUEST_FILE_SETFS && r->kind <= CV_REQUEST_FILE_CHANGE) {
            cv_gdb_file(gdb, r);
        } else {
            cv_gdb_query(gdb, r);
        }
        break;
    }
}

static void serve_payload(struct cv_gdb *gdb)
{
    struct cv_request request;
    size_t len = gdb->reader.len;
    /* A copy, since Ctrl-C is looked for through the reader while the request is served. */
    memcpy(gdb->payload, gdb->reader.payload, len + 1);
    cv_request_parse(gdb->payload, len, &request);
    cv_reply_reset(&gdb->reply);
    gdb->silent = false;
    execute(gdb, &request);
    if (gdb->reply.overflow) {
        cv_reply_reset(&gdb->reply);
        cv_reply_text(&gdb->reply, "E01");
    }
    if (!gdb->silent) {
        send_frame(gdb, gdb->reply.bytes, gdb->reply.len);
    }
    switch (request.kind) {
    case CV_REQUEST_NO_ACK:
        gdb->no_ack = true; /* from the next packet on */
        break;
    case CV_REQUEST_DETACH:
        end_service(gdb, CV_GDB_DETACHED);
        break;
    case CV_REQUEST_KILL:
    case CV_REQUEST_VKILL:
        end_service(gdb, CV_GDB_KILLED);
        break;
    default:
        break;
    }
}

static void acknowledge(struct cv_gdb *gdb, const char *sign)
{
    if (!gdb->no_ack) {
        send_bytes(gdb, (const uint8_t *)sign, 1);
    }
}

static void serve_event(struct cv_gdb *gdb, enum cv_packet_event event)
{
    switch (event) {
    case CV_PACKET_BAD_SUM:
        if (!gdb->no_ack) {
            acknowledge(gdb, "-");
            break;
        }
        serve_payload(gdb); /* without acknowledgments checksums are not looked at */
        break;
    case CV_PACKET_PAYLOAD:
        acknowledge(gdb, "+");
        serve_payload(gdb);
        break;
    case CV_PACKET_TOO_LONG:
        acknowledge(gdb, "+");
        cv_reply_error(&gdb->reply, "packet longer than 128 KiB");
        send_frame(gdb, gdb->reply.bytes, gdb->reply.len);
        break;
    case CV_PACKET_NAK:
        if (!gdb->no_ack) {
            send_bytes(gdb, gdb->frame, gdb->frame_len);
        }
        break;
    case CV_PACKET_FOREIGN:
        end_service(gdb, CV_GDB_FOREIGN);
        break;
    case CV_PACKET_INTERRUPT:
        gdb->late_interrupt_ms = host_ms();
        break;
    case CV_PACKET_ACK:
    case CV_PACKET_NONE:
        break;
    }
}

static bool ask_interrupted(void *arg)
{
    return cv_gdb_interrupted(arg);
}

static bool host_reg(void *arg, unsigned number, uint64_t *value)
{
    return cv_gdb_reg_value(arg, number, value);
}

static bool host_read(void *arg, uint64_t addr, void *dst, size_t len)
{
    struct cv_gdb *gdb = arg;
    return cv_view_mem(cv_session_vm(gdb->session), addr, dst, len);
}

static void host_print(void *arg, const char *text, size_t len)
{
    cv_gdb_print_agent(arg, text, len);
}

static void run_service(struct cv_gdb *gdb)
{
    while (!asked_to_quit(gdb)) {
        enum cv_packet_event event = gdb->held;
        gdb->held = CV_PACKET_NONE;
        if (event == CV_PACKET_NONE && gdb->input_at < gdb->input_len) {
            event = feed_reader(gdb);
        } else if (event == CV_PACKET_NONE) {
            fill_input(gdb, WAIT_MS);
        }
        serve_event(gdb, event);
    }
}

int cv_gdb_serve(struct cv_session *session, int fd, const struct cv_gdb_config *config)
{
    struct cv_gdb *gdb = calloc(1, sizeof(*gdb));
    if (gdb == NULL) {
        return CV_GDB_NO_MEMORY;
    }
    gdb->session = session;
    gdb->fd = fd;
    gdb->stop = CV_STOP_STEP;
    gdb->space = CV_STOP_ANY_SPACE;
    if (config != NULL) {
        gdb->config = *config;
    }
    gdb->target = cv_gdb_target(gdb->config.arch);
    cv_packet_reader_reset(&gdb->reader);
    struct cv_frontend frontend = {.arg = gdb, .interrupted = ask_interrupted};
    struct cv_agent_host host = {gdb, host_reg, host_read, host_print};
    cv_session_set_frontend(session, &frontend);
    cv_session_set_host(session, &host);
    run_service(gdb);
    cv_gdb_break_drop_all(gdb);
    cv_session_set_frontend(session, NULL);
    cv_session_set_host(session, NULL);
    int end = (int)gdb->end;
    free(gdb);
    return end;
}
