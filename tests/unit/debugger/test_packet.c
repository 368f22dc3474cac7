#include "debugger/tinygdbstub/packet.h"
#include "debugger/tinygdbstub/request.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct cv_packet_reader reader;

static enum cv_packet_event feed(const char *bytes, size_t len, size_t *used)
{
    return cv_packet_feed(&reader, (const uint8_t *)bytes, len, used);
}

/* Feeds everything and writes one letter an event: P payload, B bad sum, L too long, + - I F. */
static void feed_all(const uint8_t *bytes, size_t len, char *events, size_t cap)
{
    static const char letters[] = {'?', 'P', 'B', 'L', '+', '-', 'I', 'F'};
    size_t n = 0;
    while (len > 0) {
        size_t used;
        enum cv_packet_event event = cv_packet_feed(&reader, bytes, len, &used);
        cr_assert_gt(used, 0);
        cr_assert_leq(used, len);
        bytes += used;
        len -= used;
        if (event != CV_PACKET_NONE && n + 1 < cap) {
            events[n++] = letters[event];
        }
    }
    events[n] = '\0';
}

struct stream {
    const char *bytes, *events;
};
static const struct stream STREAMS[] = {
    {"+$g#67", "+P"},
    {"$g#67$?#3f", "PP"},
    {"$g#68", "B"},
    {"$g#zz", "B"},
    {"$#00", "P"},
    {"\x03", "I"},
    {"+-\x03$g#67\x03", "+-IPI"},
    {"$X\x03#5b", "P"}, /* inside a packet it is data */
    {"$ga$g#67", "P"},  /* a packet that began anew */
    {"GET / HTTP/1.1\r\n$g#67", "FP"},
    {"+junk$g#67", "+P"},
    {"$g#6", ""},
    {"$g", ""},
};

Test(packet, streams_are_cut_into_events)
{
    for (size_t i = 0; i < sizeof(STREAMS) / sizeof(STREAMS[0]); i++) {
        char events[32];
        cv_packet_reader_reset(&reader);
        feed_all((const uint8_t *)STREAMS[i].bytes, strlen(STREAMS[i].bytes), events,
                 sizeof(events));
        cr_assert_str_eq(events, STREAMS[i].events, "%s", STREAMS[i].bytes);
    }
}

Test(packet, escapes_are_undone)
{
    size_t used;
    cv_packet_reader_reset(&reader);
    cr_assert_eq(feed("$X}\x03}\x04}]#05", 11, &used), CV_PACKET_BAD_SUM);
    cr_assert_eq(reader.len, 4);
    cr_assert_arr_eq(reader.payload, "X#$}", 5);
}

Test(packet, any_payload_survives_frame_and_feed_split_anywhere)
{
    static uint8_t payload[3000];
    static uint8_t frame[CV_PACKET_FRAME_MAX(sizeof(payload))];
    srandom(3);
    for (unsigned round = 0; round < 300; round++) {
        size_t len = (size_t)random() % sizeof(payload);
        for (size_t i = 0; i < len; i++) {
            payload[i] = random() % 3 == 0 ? (uint8_t)"$#}*\x03+-"[random() % 7]
                                           : (uint8_t)random();
        }
        size_t n = cv_packet_frame(payload, len, frame);
        cr_assert_leq(n, sizeof(frame));
        cv_packet_reader_reset(&reader);
        enum cv_packet_event event = CV_PACKET_NONE;
        for (size_t at = 0; at < n;) {
            size_t part = 1 + (size_t)random() % 50;
            size_t used;
            part = part < n - at ? part : n - at;
            event = cv_packet_feed(&reader, frame + at, part, &used);
            cr_assert(event == CV_PACKET_NONE || at + used == n);
            at += used;
        }
        cr_assert_eq(event, CV_PACKET_PAYLOAD);
        cr_assert_eq(reader.len, len);
        cr_assert_arr_eq(reader.payload, payload, len);
        cr_assert_eq(reader.payload[len], 0);
    }
}

Test(packet, a_packet_above_the_limit_is_thrown_away_and_the_next_one_is_good)
{
    static uint8_t big[CV_PACKET_MAX + 100];
    char events[8];
    size_t used;
    cv_packet_reader_reset(&reader);
    memset(big, 'x', sizeof(big));
    cr_assert_eq(feed("$", 1, &used), CV_PACKET_NONE);
    for (unsigned i = 0; i < 50; i++) { /* endless */
        cr_assert_eq(feed((const char *)big, sizeof(big), &used), CV_PACKET_NONE);
    }
    feed_all((const uint8_t *)"#00$g#67", 8, events, sizeof(events));
    cr_assert_str_eq(events, "LP");
    cv_packet_reader_reset(&reader);
    big[0] = '$';
    cr_assert_eq(feed((const char *)big, CV_PACKET_MAX + 1, &used), CV_PACKET_NONE);
    feed_all((const uint8_t *)"#00", 3, events, sizeof(events));
    cr_assert_str_eq(events, "P"); /* exactly the limit fits; 0x20000 times x sums to 0 */
    cr_assert_eq(reader.len, CV_PACKET_MAX);
}

Test(packet, a_reply_never_overflows)
{
    static struct cv_reply reply;
    static uint8_t bytes[CV_PACKET_MAX];
    cv_reply_reset(&reply);
    cv_reply_hex(&reply, bytes, CV_PACKET_MAX / 2);
    cr_assert_not(reply.overflow);
    cv_reply_text(&reply, "x");
    cr_assert(reply.overflow);
    cr_assert_eq(reply.len, CV_PACKET_MAX);
    cv_reply_error(&reply, "bad $thing#\n");
    cr_assert_not(reply.overflow);
    cr_assert_arr_eq(reply.bytes, "E.bad ?thing??", 14);
    cv_reply_reset(&reply);
    cv_reply_number(&reply, 0);
    cv_reply_number(&reply, 0xfedcba9876543210u);
    cr_assert_arr_eq(reply.bytes, "0fedcba9876543210", 17);
}

/* -- requests ---------------------------------------------------------------------------------- */

struct form {
    const char *payload;
    enum cv_request_kind kind;
    uint64_t addr, len;
};
static const struct form FORMS[] = {
    {"", CV_REQUEST_UNKNOWN, 0, 0},
    {"!", CV_REQUEST_UNKNOWN, 0, 0},
    {"vMustReplyEmpty", CV_REQUEST_UNKNOWN, 0, 0},
    {"qTStatus", CV_REQUEST_UNKNOWN, 0, 0},
    {"qCrazy", CV_REQUEST_UNKNOWN, 0, 0},
    {"qSupportedX", CV_REQUEST_UNKNOWN, 0, 0},
    {"QNonStop:1", CV_REQUEST_UNKNOWN, 0, 0},
    {"?", CV_REQUEST_STOP_REASON, 0, 0},
    {"qC", CV_REQUEST_CURRENT_THREAD, 0, 0},
    {"qCRC:10,20", CV_REQUEST_CRC, 0x10, 0x20},
    {"qSupported:swbreak+", CV_REQUEST_SUPPORTED, 0, 0},
    {"qSupported", CV_REQUEST_SUPPORTED, 0, 0},
    {"QStartNoAckMode", CV_REQUEST_NO_ACK, 0, 0},
    {"m0,0", CV_REQUEST_READ_MEM, 0, 0},
    {"mffffffff81000000,40", CV_REQUEST_READ_MEM, 0xffffffff81000000u, 0x40},
    {"xFFFFFFFFFFFFFFFF,1", CV_REQUEST_READ_MEM_BINARY, UINT64_MAX, 1},
    {"m1ffffffffffffffff,1", CV_REQUEST_MALFORMED, 0, 0},
    {"m", CV_REQUEST_MALFORMED, 0, 0},
    {"m10", CV_REQUEST_MALFORMED, 0, 0},
    {"m10,", CV_REQUEST_MALFORMED, 0, 0},
    {"m10,4z", CV_REQUEST_MALFORMED, 0, 0},
    {"M10,2:abcd", CV_REQUEST_WRITE_MEM, 0x10, 2},
    {"M10,2:abc", CV_REQUEST_MALFORMED, 0, 0},
    {"M10,3:abcd", CV_REQUEST_MALFORMED, 0, 0},
    {"X10,2:zz", CV_REQUEST_WRITE_MEM, 0x10, 2},
    {"X10,0:", CV_REQUEST_WRITE_MEM, 0x10, 0},
    {"X10,5:zz", CV_REQUEST_MALFORMED, 0, 0},
    {"p1f", CV_REQUEST_READ_REG, 0, 0},
    {"p", CV_REQUEST_MALFORMED, 0, 0},
    {"P10=00", CV_REQUEST_WRITE_REG, 0, 0},
    {"P10", CV_REQUEST_MALFORMED, 0, 0},
    {"G0011", CV_REQUEST_WRITE_REGS, 0, 0},
    {"Hgp0.0", CV_REQUEST_SET_THREAD, 0, 0},
    {"Hc-1", CV_REQUEST_SET_THREAD, 0, 0},
    {"Hgp1.-1", CV_REQUEST_SET_THREAD, 0, 0},
    {"Hx1", CV_REQUEST_MALFORMED, 0, 0},
    {"H", CV_REQUEST_MALFORMED, 0, 0},
    {"Hgp1.", CV_REQUEST_MALFORMED, 0, 0},
    {"Hg-2", CV_REQUEST_MALFORMED, 0, 0},
    {"Tp1.1", CV_REQUEST_THREAD_ALIVE, 0, 0},
    {"bs", CV_REQUEST_BACK_STEP, 0, 0},
    {"bc", CV_REQUEST_BACK_CONT, 0, 0},
    {"bx", CV_REQUEST_UNKNOWN, 0, 0},
    {"c", CV_REQUEST_CONT, 0, 0},
    {"s", CV_REQUEST_CONT, 0, 0},
    {"S05", CV_REQUEST_CONT, 0, 0},
    {"c1000", CV_REQUEST_MALFORMED, 0, 0},
    {"vCont?", CV_REQUEST_VCONT_QUERY, 0, 0},
    {"vCont;c", CV_REQUEST_CONT, 0, 0},
    {"vCont;", CV_REQUEST_MALFORMED, 0, 0},
    {"vCont;x", CV_REQUEST_MALFORMED, 0, 0},
    {"vCont;r10", CV_REQUEST_MALFORMED, 0, 0},
    {"vCont;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c;c", CV_REQUEST_MALFORMED, 0, 0},
    {"Z0,1000,1", CV_REQUEST_BREAK_INSERT, 0x1000, 1},
    {"z4,1000,8", CV_REQUEST_BREAK_REMOVE, 0x1000, 8},
    {"Z5,1000,1", CV_REQUEST_MALFORMED, 0, 0},
    {"Z0,1000", CV_REQUEST_MALFORMED, 0, 0},
    {"Z0,1000,1;X1,00", CV_REQUEST_BREAK_INSERT, 0x1000, 1},
    {"D", CV_REQUEST_DETACH, 0, 0},
    {"D;1", CV_REQUEST_DETACH, 0, 0},
    {"Dx", CV_REQUEST_MALFORMED, 0, 0},
    {"k", CV_REQUEST_KILL, 0, 0},
    {"vKill;1", CV_REQUEST_VKILL, 0, 0},
    {"qRcmd,68656c70", CV_REQUEST_COMMAND, 0, 0},
    {"qRcmd,6", CV_REQUEST_MALFORMED, 0, 0},
    {"qRcmd,6800", CV_REQUEST_MALFORMED, 0, 0},
    {"qXfer:features:read:target.xml:0,ffb", CV_REQUEST_XFER_READ, 0, 0xffb},
    {"qXfer:threads:read::10,20", CV_REQUEST_XFER_READ, 0x10, 0x20},
    {"qXfer:features:write:x:0:", CV_REQUEST_UNKNOWN, 0, 0},
    {"qXfer:features:read:target.xml", CV_REQUEST_MALFORMED, 0, 0},
    {"qXfer:", CV_REQUEST_MALFORMED, 0, 0},
    {"qSearch:memory:10;20;ab", CV_REQUEST_SEARCH, 0x10, 0x20},
    {"qSearch:memory:10;20;", CV_REQUEST_MALFORMED, 0, 0},
    {"qThreadExtraInfo,p1.1", CV_REQUEST_THREAD_INFO, 0, 0},
    {"qAttached:1", CV_REQUEST_ATTACHED, 0, 0},
    {"qSymbol::", CV_REQUEST_SYMBOL, 0, 0},
    {"vMustReplyEmpty", CV_REQUEST_UNKNOWN, 0, 0},
    {"QThreadEvents:1", CV_REQUEST_THREAD_EVENTS, 0, 0},
    {"QThreadEvents:0", CV_REQUEST_THREAD_EVENTS, 0, 0},
    {"QThreadEvents:2", CV_REQUEST_MALFORMED, 0, 0},
    {"QThreadEvents:", CV_REQUEST_MALFORMED, 0, 0},
    {"qXfer:exec-file:read:1:0,fff", CV_REQUEST_XFER_READ, 0, 0xfff},
    {"Z0,1000,1;", CV_REQUEST_BREAK_INSERT, 0x1000, 1},
    {"Z0,1000,1;X1,0", CV_REQUEST_MALFORMED, 0, 0},
    {"Z0,1000,1;X1,0g", CV_REQUEST_MALFORMED, 0, 0},
    {"Z0,1000,1;X2,00", CV_REQUEST_MALFORMED, 0, 0},
    {"Z0,1000,1;X1000000000000000,00", CV_REQUEST_MALFORMED, 0, 0},
    {"Z0,1000,1;X8000000000000000,00", CV_REQUEST_MALFORMED, 0, 0},
    {"Z0,1000,1;Xffffffffffffffff,00", CV_REQUEST_MALFORMED, 0, 0},
    {"Z0,1000,1;X1,00;", CV_REQUEST_BREAK_INSERT, 0x1000, 1},
    {"Z0,1000,1;X1,00,", CV_REQUEST_MALFORMED, 0, 0},
    {"Z0,1000,1;X,", CV_REQUEST_MALFORMED, 0, 0},
    {"Z0,1000,1;cmds:", CV_REQUEST_MALFORMED, 0, 0},
    {"Z0,1000,1;cmds:1", CV_REQUEST_MALFORMED, 0, 0},
    {"Z0,1000,1;cmds:1,", CV_REQUEST_BREAK_INSERT, 0x1000, 1},
    {"Z0,1000,1;cmds:0,X1,27", CV_REQUEST_BREAK_INSERT, 0x1000, 1},
    {"Z0,1000,1;tid:p1.1;X1,27", CV_REQUEST_BREAK_INSERT, 0x1000, 1},
    {"Z0,1000,1cmds:0,", CV_REQUEST_MALFORMED, 0, 0},
    {"vFile:setfs:0", CV_REQUEST_FILE_SETFS, 0, 0},
    {"vFile:setfs:", CV_REQUEST_MALFORMED, 0, 0},
    {"vFile:open:6b65726e656c,0,1c0", CV_REQUEST_FILE_OPEN, 0, 0x1c0},
    {"vFile:open:,0,0", CV_REQUEST_FILE_OPEN, 0, 0},
    {"vFile:open:6b00,0,0", CV_REQUEST_MALFORMED, 0, 0},
    {"vFile:open:6b6,0,0", CV_REQUEST_MALFORMED, 0, 0},
    {"vFile:open:6b65", CV_REQUEST_MALFORMED, 0, 0},
    {"vFile:open:6b65,0", CV_REQUEST_MALFORMED, 0, 0},
    {"vFile:close:3", CV_REQUEST_FILE_CLOSE, 0, 0},
    {"vFile:close:-1", CV_REQUEST_MALFORMED, 0, 0},
    {"vFile:pread:3,1000,20", CV_REQUEST_FILE_READ, 0x20, 0x1000},
    {"vFile:pread:3,1000", CV_REQUEST_MALFORMED, 0, 0},
    {"vFile:fstat:3", CV_REQUEST_FILE_FSTAT, 0, 0},
    {"vFile:stat:6b", CV_REQUEST_FILE_STAT, 0, 0},
    {"vFile:stat:6b,", CV_REQUEST_FILE_STAT, 0, 0},
    {"vFile:readlink:2f", CV_REQUEST_FILE_READLINK, 0, 0},
    {"vFile:readlink:2", CV_REQUEST_MALFORMED, 0, 0},
    {"vFile:pwrite:3,0,x", CV_REQUEST_FILE_CHANGE, 0, 0},
    {"vFile:unlink:2f", CV_REQUEST_FILE_CHANGE, 0, 0},
    {"vFile:mount:2f", CV_REQUEST_UNKNOWN, 0, 0},
};

Test(request, conditions_and_commands_come_through)
{
    /* gdb 13.1: two conditions, and a dprintf with one of its own */
    uint8_t both[] = "Z0,ffffffff81000000,1;X3,220127X2,2227;cmds:1,X3,220227X1,27";
    struct cv_request r;
    cv_request_parse(both, sizeof(both) - 1, &r);
    cr_assert_eq(r.kind, CV_REQUEST_BREAK_INSERT);
    cr_assert_eq(r.op, '0');
    cr_assert_eq(r.addr, 0xffffffff81000000u);
    cr_assert_eq(r.condition_count, 2);
    cr_assert_eq(r.conditions[0].len, 3);
    cr_assert_arr_eq(r.conditions[0].bytes, "\x22\x01\x27", 3);
    cr_assert_eq(r.conditions[1].len, 2);
    cr_assert_arr_eq(r.conditions[1].bytes, "\x22\x27", 2);
    cr_assert(r.persist);
    cr_assert_eq(r.command_count, 2);
    cr_assert_arr_eq(r.commands[0].bytes, "\x22\x02\x27", 3);
    cr_assert_arr_eq(r.commands[1].bytes, "\x27", 1);
    for (unsigned n = CV_REQUEST_CODES_MAX; n <= CV_REQUEST_CODES_MAX + 1; n++) {
        char many[16 + 5 * (CV_REQUEST_CODES_MAX + 1)] = "Z0,1000,1;";
        for (unsigned i = 0; i < n; i++) {
            strcat(many, "X1,27");
        }
        cv_request_parse((uint8_t *)many, strlen(many), &r);
        cr_assert_eq(r.kind, n == CV_REQUEST_CODES_MAX ? CV_REQUEST_BREAK_INSERT : CV_REQUEST_MALFORMED);
        cr_assert_leq(r.condition_count, CV_REQUEST_CODES_MAX);
    }
}

Test(request, names_of_files_come_through)
{
    uint8_t open[] = "vFile:open:6b65726e656c,0,1c0";
    uint8_t empty[] = "vFile:open:,0,0";
    uint8_t link[] = "vFile:readlink:2f70726f632f31";
    struct cv_request r;
    cv_request_parse(open, sizeof(open) - 1, &r);
    cr_assert_str_eq(r.text, "kernel");
    cv_request_parse(empty, sizeof(empty) - 1, &r);
    cr_assert_str_eq(r.text, "");
    cv_request_parse(link, sizeof(link) - 1, &r);
    cr_assert_str_eq(r.text, "/proc/1");
}

Test(reply, files_are_answered_as_the_manual_says)
{
    static struct cv_reply reply;
    cv_reply_reset(&reply);
    cv_reply_file(&reply, 0x12, NULL, 0);
    cv_reply_bytes(&reply, "", 1);
    cr_assert_str_eq((char *)reply.bytes, "F12");
    cv_reply_reset(&reply);
    cv_reply_file(&reply, 2, "\0x", 2);
    cr_assert_eq(reply.len, 5);
    cr_assert_arr_eq(reply.bytes, "F2;\0x", 5);
    cv_reply_reset(&reply);
    cv_reply_file_error(&reply, CV_FILE_EROFS);
    cr_assert_arr_eq(reply.bytes, "F-1,1e", reply.len);
    cv_reply_reset(&reply);
    cv_reply_file_stat(&reply, 0x123456789a);
    cr_assert_eq(reply.len, 4 + CV_FILE_STAT_BYTES);
    cr_assert_arr_eq(reply.bytes, "F40;", 4);
    const uint8_t *stat = reply.bytes + 4;
    cr_assert_arr_eq(stat + 8, "\0\0\x81\x24", 4);
    cr_assert_arr_eq(stat + 28, "\0\0\0\x12\x34\x56\x78\x9a", 8);
    cr_assert_arr_eq(stat + 36, "\0\0\0\0\0\0\x10\0", 8);
}

Test(request, every_form_is_told_apart)
{
    for (size_t i = 0; i < sizeof(FORMS) / sizeof(FORMS[0]); i++) {
        uint8_t payload[128];
        struct cv_request r;
        size_t len = strlen(FORMS[i].payload);
        memcpy(payload, FORMS[i].payload, len + 1);
        cv_request_parse(payload, len, &r);
        cr_assert_eq(r.kind, FORMS[i].kind, "%s: %d", FORMS[i].payload, (int)r.kind);
        if (FORMS[i].kind != CV_REQUEST_MALFORMED) {
            cr_assert_eq(r.addr, FORMS[i].addr, "%s", FORMS[i].payload);
            cr_assert_eq(r.len, FORMS[i].len, "%s", FORMS[i].payload);
        }
    }
}

Test(request, actions_and_texts_come_through)
{
    uint8_t vcont[] = "vCont;S05:p1.1;r1000,1010:p1.2;c:p1.-1";
    struct cv_request r;
    cv_request_parse(vcont, sizeof(vcont) - 1, &r);
    cr_assert_eq(r.action_count, 3);
    cr_assert_eq(r.actions[0].op, 's');
    cr_assert_eq(r.actions[0].thread.tid, 1);
    cr_assert_eq(r.actions[1].op, 'r');
    cr_assert_eq(r.actions[1].start, 0x1000);
    cr_assert_eq(r.actions[1].end, 0x1010);
    cr_assert_eq(r.actions[2].thread.tid, -1);
    uint8_t command[] = "qRcmd,7365656b20656e64";
    cv_request_parse(command, sizeof(command) - 1, &r);
    cr_assert_str_eq(r.text, "seek end");
    uint8_t xfer[] = "qXfer:features:read:target.xml:10,20";
    cv_request_parse(xfer, sizeof(xfer) - 1, &r);
    cr_assert_str_eq(r.object, "features");
    cr_assert_str_eq(r.text, "target.xml");
    cr_assert(cv_request_has_feature("multiprocess+;swbreak+;xmlRegisters=i386", "swbreak"));
    cr_assert(cv_request_has_feature(":multiprocess+;swbreak+", "multiprocess"));
    cr_assert_not(cv_request_has_feature("multiprocess-;swbreak", "multiprocess"));
    cr_assert_not(cv_request_has_feature("multiprocess-;swbreak", "swbreak"));
    cr_assert_not(cv_request_has_feature("", "swbreak"));
}

Test(request, random_and_mutated_payloads_stay_inside_their_bytes)
{
    srandom(11);
    for (unsigned round = 0; round < 300000; round++) {
        const char *form = FORMS[(size_t)random() % (sizeof(FORMS) / sizeof(FORMS[0]))].payload;
        size_t len = strlen(form);
        size_t cut = len == 0 ? 0 : (size_t)random() % (len + 1);
        size_t extra = (size_t)random() % 6;
        uint8_t *payload = malloc(cut + extra + 1); /* exact, for the sanitizer */
        struct cv_request r;
        memcpy(payload, form, cut);
        for (size_t i = cut; i < cut + extra; i++) {
            payload[i] = random() % 2 == 0 ? (uint8_t)random() : (uint8_t)",;:p-0f="[random() % 8];
        }
        payload[cut + extra] = '\0';
        if (cut > 0 && random() % 2 == 0) {
            payload[(size_t)random() % cut] = (uint8_t)random();
        }
        cv_request_parse(payload, cut + extra, &r);
        const uint8_t *end = payload + cut + extra;
        cr_assert(r.data == NULL || (r.data >= payload && r.data + r.data_len <= end));
        cr_assert(r.text == NULL || (const uint8_t *)r.text <= end);
        cr_assert_leq(r.action_count, CV_REQUEST_ACTIONS_MAX);
        for (size_t i = 0; i < r.condition_count; i++) {
            cr_assert(r.conditions[i].bytes >= payload && r.conditions[i].bytes + r.conditions[i].len <= end);
        }
        for (size_t i = 0; i < r.command_count; i++) {
            cr_assert(r.commands[i].bytes >= payload && r.commands[i].bytes + r.commands[i].len <= end);
        }
        free(payload);
    }
}
