/*
 * exec_query.c - negotiation, threads, documents
 */
#include "core/base/error.h"
#include "core/cpu/regs.h"
#include "core/inspect.h"
#include "debugger/gdb/guest.h"
#include "debugger/gdb/state.h"
#include "debugger/gdb/target.h"

#include <string.h>

void cv_gdb_thread_id(struct cv_gdb *gdb)
{
    cv_reply_text(&gdb->reply, gdb->multiprocess ? "p1.1" : "1");
}

bool cv_gdb_thread_exists(const struct cv_request_thread *thread)
{
    return thread->pid <= 1 && thread->tid <= 1; /* -1: all, 0: any */
}

static void append_agreed(struct cv_gdb *gdb, bool agreed, const char *feature)
{
    if (agreed) {
        cv_reply_text(&gdb->reply, feature);
    }
}

static void negotiate(struct cv_gdb *gdb, const char *list)
{
    gdb->multiprocess = cv_request_has_feature(list, "multiprocess");
    gdb->swbreak = cv_request_has_feature(list, "swbreak");
    gdb->hwbreak = cv_request_has_feature(list, "hwbreak");
    gdb->error_message = cv_request_has_feature(list, "error-message");
    cv_reply_text(&gdb->reply, "PacketSize=");
    cv_reply_number(&gdb->reply, CV_PACKET_MAX);
    cv_reply_text(&gdb->reply,
                  ";QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;"
                  "qXfer:memory-map:read+;vContSupported+;ReverseStep+;ReverseContinue+;"
                  "ConditionalBreakpoints+;BreakpointCommands+;QThreadEvents+");
    append_agreed(gdb, gdb->config.exec_file != NULL, ";qXfer:exec-file:read+");
    append_agreed(gdb, gdb->multiprocess, ";multiprocess+");
    append_agreed(gdb, gdb->swbreak, ";swbreak+");
    append_agreed(gdb, gdb->hwbreak, ";hwbreak+");
    /* gdb 16 brought both; an older one warns of an unrecognized item. */
    append_agreed(gdb, gdb->error_message, ";error-message+;binary-upload+");
}

static void send_part(struct cv_gdb *gdb, const struct cv_request *r, const char *document,
                      size_t len)
{
    if (r->addr > len) {
        cv_reply_text(&gdb->reply, "E01");
        return;
    }
    size_t left = len - (size_t)r->addr;
    size_t part = r->len < CV_GDB_BULK_MAX ? (size_t)r->len : CV_GDB_BULK_MAX;
    bool last = left <= part;
    cv_reply_text(&gdb->reply, last ? "l" : "m");
    cv_reply_bytes(&gdb->reply, document + r->addr, last ? left : part);
}

/* "running, CPL 0": what gdb shows in parentheses behind the thread's name. */
static size_t describe_thread(struct cv_gdb *gdb, char *text, size_t cap)
{
    struct cv_vm *vm = cv_session_vm(gdb->session);
    return cv_format(text, cap, "%s, CPL %u", cv_inspect_halted(vm, 0) ? "halted" : "running",
                     cv_cpu_cpl(cv_vm_cpu(vm, 0)));
}

/* qThreadExtraInfo: for a gdb without the document of threads the task belongs to it. */
static void tell_thread(struct cv_gdb *gdb)
{
    char text[160];
    size_t len = cv_gdb_guest_thread(gdb, 0, text, sizeof(text));
    len += cv_format(text + len, sizeof(text) - len, ", ");
    len += describe_thread(gdb, text + len, sizeof(text) - len);
    cv_reply_hex(&gdb->reply, text, len);
}

static void transfer(struct cv_gdb *gdb, const struct cv_request *r)
{
    char threads[300], name[64], state[64];
    const char *document;
    size_t len;
    if (strcmp(r->object, "features") == 0) {
        if (strcmp(r->text, "target.xml") != 0) {
            cv_reply_text(&gdb->reply, "E00"); /* "the annex was invalid" */
            return;
        }
        document = gdb->target->xml;
        len = (size_t)(gdb->target->xml_end - gdb->target->xml);
    } else if (strcmp(r->object, "memory-map") == 0) {
        document = gdb->target->memory_map;
        len = strlen(document);
    } else if (strcmp(r->object, "threads") == 0) {
        cv_gdb_guest_thread(gdb, 0, name, sizeof(name));
        describe_thread(gdb, state, sizeof(state));
        len = cv_format(threads, sizeof(threads),
                        "<?xml version=\"1.0\"?>\n<threads>\n"
                        "<thread id=\"%s\" core=\"0\" name=\"%s\">%s</thread>\n</threads>\n",
                        gdb->multiprocess ? "p1.1" : "1", name, state);
        document = threads;
    } else if (strcmp(r->object, "exec-file") == 0 && gdb->config.exec_file != NULL) {
        document = gdb->config.exec_file;
        len = strlen(document);
    } else {
        return; /* unknown object: empty */
    }
    send_part(gdb, r, document, len);
}

static void tell_offsets(struct cv_gdb *gdb)
{
    static const char *const names[] = {"Text=", ";Data=", ";Bss="};
    uint64_t slide;
    if (gdb->config.slide == NULL || !gdb->config.slide(gdb->config.arg, &slide)) {
        return; /* empty: gdb keeps the addresses of the file */
    }
    for (size_t i = 0; i < CV_ARRAY_LEN(names); i++) {
        cv_reply_text(&gdb->reply, names[i]);
        cv_reply_number(&gdb->reply, slide);
    }
}

void cv_gdb_query(struct cv_gdb *gdb, const struct cv_request *r)
{
    switch (r->kind) {
    case CV_REQUEST_SUPPORTED:
        negotiate(gdb, r->text);
        break;
    case CV_REQUEST_XFER_READ:
        transfer(gdb, r);
        break;
    case CV_REQUEST_ATTACHED:
        cv_reply_text(&gdb->reply, "1"); /* so that quitting gdb detaches */
        break;
    case CV_REQUEST_OFFSETS:
        tell_offsets(gdb);
        break;
    case CV_REQUEST_CURRENT_THREAD:
        cv_reply_text(&gdb->reply, "QC");
        cv_gdb_thread_id(gdb);
        break;
    case CV_REQUEST_FIRST_THREADS:
        cv_reply_text(&gdb->reply, "m");
        cv_gdb_thread_id(gdb);
        break;
    case CV_REQUEST_MORE_THREADS:
        cv_reply_text(&gdb->reply, "l");
        break;
    case CV_REQUEST_THREAD_INFO:
        if (!cv_gdb_thread_exists(&r->thread)) {
            cv_reply_text(&gdb->reply, "E01");
            break;
        }
        tell_thread(gdb);
        break;
    case CV_REQUEST_THREAD_ALIVE:
    case CV_REQUEST_SET_THREAD:
        cv_reply_text(&gdb->reply, cv_gdb_thread_exists(&r->thread) ? "OK" : "E01");
        break;
    case CV_REQUEST_VCONT_QUERY:
        cv_reply_text(&gdb->reply, "vCont;c;C;s;S;r");
        break;
    case CV_REQUEST_NO_ACK:
    case CV_REQUEST_THREAD_EVENTS: /* a CPU neither comes nor goes */
    case CV_REQUEST_SYMBOL:
        cv_reply_text(&gdb->reply, "OK");
        break;
    default:
        break; /* empty */
    }
}
