/*
 * fuzz_packet.c - bytes of a gdb link: framing, and what a payload asks
 *
 * Input: a byte that says how the stream is cut, then the stream. Every payload is framed
 * again and must come back as it was; every pointer of a request must stay in its
 * payload.
 */
#include "debugger/tinygdbstub/packet.h"
#include "debugger/tinygdbstub/request.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static bool is_inside(const void *p, size_t n, const uint8_t *base, size_t len)
{
    const uint8_t *at = p;
    return at >= base && at <= base + len && n <= (size_t)(base + len - at);
}

static void check_codes(const struct cv_request_code *codes, size_t count, const uint8_t *base, size_t len)
{
    FUZZ_CHECK(count <= CV_REQUEST_CODES_MAX, "%zu codes", count);
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(is_inside(codes[i].bytes, codes[i].len, base, len), "code %zu", i);
    }
}

static void check_request(const uint8_t *payload, size_t len)
{
    uint8_t *copy = malloc(len + 1);
    struct cv_request r;
    memcpy(copy, payload, len);
    copy[len] = 0;
    memset(&r, 0xa5, sizeof(r));
    cv_request_parse(copy, len, &r);
    switch (r.kind) {
    case CV_REQUEST_SUPPORTED:
        cv_request_has_feature(r.text, "swbreak");
        /* fall through */
    case CV_REQUEST_COMMAND:
    case CV_REQUEST_FILE_OPEN:
    case CV_REQUEST_FILE_STAT:
    case CV_REQUEST_FILE_READLINK:
        FUZZ_CHECK(r.text == NULL || is_inside(r.text, strlen(r.text), copy, len) ||
                       *r.text == '\0',
                   "text");
        break;
    case CV_REQUEST_BREAK_INSERT:
    case CV_REQUEST_BREAK_REMOVE:
        check_codes(r.conditions, r.condition_count, copy, len);
        check_codes(r.commands, r.command_count, copy, len);
        break;
    case CV_REQUEST_XFER_READ:
        FUZZ_CHECK(is_inside(r.object, strlen(r.object), copy, len), "object");
        FUZZ_CHECK(is_inside(r.text, strlen(r.text), copy, len), "annex");
        break;
    case CV_REQUEST_SEARCH:
    case CV_REQUEST_WRITE_MEM:
    case CV_REQUEST_WRITE_REGS:
    case CV_REQUEST_WRITE_REG:
        FUZZ_CHECK(r.data_len == 0 || is_inside(r.data, r.data_len, copy, len), "data");
        break;
    case CV_REQUEST_CONT:
        FUZZ_CHECK(r.action_count <= CV_REQUEST_ACTIONS_MAX, "%zu actions",
                   r.action_count);
        break;
    default:
        break;
    }
    free(copy);
}

static void check_frame(const uint8_t *payload, size_t len)
{
    static struct cv_packet_reader again;
    uint8_t *frame = malloc(CV_PACKET_FRAME_MAX(len));
    size_t used, n = cv_packet_frame(payload, len, frame);
    FUZZ_CHECK(n <= CV_PACKET_FRAME_MAX(len), "frame of %zu", n);
    cv_packet_reader_reset(&again);
    FUZZ_CHECK(cv_packet_feed(&again, frame, n, &used) == CV_PACKET_PAYLOAD && used == n,
               "not taken");
    FUZZ_CHECK(again.len == len && memcmp(again.payload, payload, len) == 0,
               "not the same");
    free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cv_packet_reader reader;
    static struct cv_reply reply;
    if (size == 0) {
        return 0;
    }
    size_t cut = data[0] == 0 ? size : data[0];
    cv_packet_reader_reset(&reader);
    for (size_t at = 1; at < size;) {
        size_t n = size - at < cut ? size - at : cut, used = 0;
        enum cv_packet_event event = cv_packet_feed(&reader, data + at, n, &used);
        FUZZ_CHECK(used <= n && (used > 0 || n == 0), "used %zu of %zu", used, n);
        if (event == CV_PACKET_PAYLOAD || event == CV_PACKET_BAD_SUM) {
            FUZZ_CHECK(reader.len <= CV_PACKET_MAX && reader.payload[reader.len] == 0,
                       "length %zu", reader.len);
            check_request(reader.payload, reader.len);
            check_frame(reader.payload, reader.len);
        }
        at += used;
    }
    check_request(data + 1, size - 1 < CV_PACKET_MAX ? size - 1 : CV_PACKET_MAX);
    char *text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    cv_reply_reset(&reply);
    cv_reply_error(&reply, text);
    cv_reply_hex(&reply, data, size);
    FUZZ_CHECK(reply.len <= CV_PACKET_MAX, "reply of %zu", reply.len);
    free(text);
    return 0;
}

void write_seeds(void)
{
    static const char *const payloads[] = {
        "qSupported:multiprocess+;swbreak+;vContSupported+",
        "QStartNoAckMode",
        "?",
        "qAttached:1",
        "qOffsets",
        "qC",
        "qfThreadInfo",
        "qsThreadInfo",
        "qThreadExtraInfo,p1.1",
        "Tp1.1",
        "Hgp1.-1",
        "Hc-1",
        "qXfer:features:read:target.xml:0,1000",
        "qSymbol::",
        "qRcmd,68656c70",
        "qSearch:memory:1000;2000;abc",
        "qCRC:1000,20",
        "vCont?",
        "vCont;r1000,1010:p1.1;c:p1.-1;s",
        "vCont;C05;S0b:p1.1",
        "g",
        "G00112233445566778899aabbccddeeff",
        "p1f",
        "P1f=0011223344556677",
        "m1000,40",
        "x1000,40",
        "M1000,4:deadbeef",
        "X1000,2:}\x03}\x04",
        "c1000",
        "s",
        "C05;1000",
        "S05",
        "bs",
        "bc",
        "Z0,1000,1;X3,220027;cmds:0",
        "z0,1000,1",
        "Z2,1000,8",
        "Z4,1000,8",
        "D;1",
        "k",
        "vKill;1",
        "vMustReplyEmpty",
        "qTStatus",
        "!",
        "vFile:open:616263,0,0",
        "vFile:setfs:0",
        "vFile:close:1",
        "vFile:pread:1,1000,20",
        "vFile:fstat:1",
        "vFile:stat:616263",
        "vFile:readlink:2f",
        "vFile:pwrite:1,0,ab",
        "QThreadEvents:1",
        "qXfer:exec-file:read:1:0,1000",
        "Z0,1000,1;X3,220127X1,27;cmds:1,X3,220227X1,27",
        "Z2,1000,80;tid:1;X3,220127"};
    static uint8_t frame[4096];
    for (unsigned i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        char name[32];
        frame[0] = (uint8_t)(i % 7);
        frame[1] = '+';
        size_t n = 2 + cv_packet_frame((const uint8_t *)payloads[i], strlen(payloads[i]),
                                       frame + 2);
        snprintf(name, sizeof(name), "packet%02u", i);
        fuzz_seed(name, frame, n);
    }
    fuzz_seed("interrupt", "\0+$g#67\x03-+$m0,4#fd", 17);
    fuzz_seed("http", "\0POST / HTTP/1.1\r\nHost: a\r\n\r\n$k#6b", 35);
}
