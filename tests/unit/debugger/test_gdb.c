/*
 * Dialogues with the server over a socketpair: what gdb 13.1 says, and what nobody should say.
 */
#include "debugger/gdb/server.h"
#include "debugger/tinygdbstub/packet.h"
#include "world.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct link {
    struct world world;
    struct cv_gdb_config config;
    pthread_t thread;
    int fd, server_fd, end;
    struct cv_packet_reader reader;
    uint8_t input[65536];
    size_t at, len;
    char console[8192];
};

static void *serve(void *arg)
{
    struct link *l = arg;
    l->end = cv_gdb_serve(l->world.session, l->server_fd, &l->config);
    close(l->server_fd);
    return NULL;
}

static void open_link_as(struct link *l, const struct cv_gdb_config *config)
{
    int fds[2];
    memset(l, 0, sizeof(*l));
    l->config = *config;
    world_open(&l->world, NULL);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    l->fd = fds[0];
    l->server_fd = fds[1];
    cv_packet_reader_reset(&l->reader);
    cr_assert_eq(pthread_create(&l->thread, NULL, serve, l), 0);
}

static void open_link(struct link *l)
{
    static const struct cv_gdb_config config;
    open_link_as(l, &config);
}

static int close_link(struct link *l)
{
    close(l->fd);
    pthread_join(l->thread, NULL);
    world_close(&l->world);
    return l->end;
}

static void say_bytes(struct link *l, const void *bytes, size_t len)
{
    cr_assert_eq(send(l->fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void say(struct link *l, const char *payload)
{
    static uint8_t frame[CV_PACKET_FRAME_MAX(4096)];
    say_bytes(l, frame, cv_packet_frame((const uint8_t *)payload, strlen(payload), frame));
}

static enum cv_packet_event hear_event(struct link *l)
{
    for (;;) {
        size_t used;
        if (l->at == l->len) {
            struct pollfd p = {.fd = l->fd, .events = POLLIN};
            cr_assert_eq(poll(&p, 1, 10000), 1, "no answer");
            ssize_t n = read(l->fd, l->input, sizeof(l->input));
            cr_assert_gt(n, 0, "the server closed the link");
            l->at = 0;
            l->len = (size_t)n;
        }
        enum cv_packet_event event =
            cv_packet_feed(&l->reader, l->input + l->at, l->len - l->at, &used);
        l->at += used;
        if (event != CV_PACKET_NONE) {
            return event;
        }
    }
}

/* The next payload, as text; console output on the way is gathered. */
static const char *hear(struct link *l)
{
    for (;;) {
        enum cv_packet_event event = hear_event(l);
        if (event == CV_PACKET_ACK) {
            continue;
        }
        cr_assert_eq(event, CV_PACKET_PAYLOAD);
        const char *text = (const char *)l->reader.payload;
        if (text[0] != 'O' || text[1] == 'K') {
            return text;
        }
        size_t n = strlen(l->console);
        for (text++; text[0] != '\0' && n + 1 < sizeof(l->console); text += 2) {
            char pair[3] = {text[0], text[1], 0};
            l->console[n++] = (char)strtol(pair, NULL, 16);
        }
    }
}

static const char *ask(struct link *l, const char *payload)
{
    say(l, payload);
    return hear(l);
}

static const char *ask_monitor(struct link *l, const char *line)
{
    char payload[256] = "qRcmd,";
    size_t n = 6;
    for (; *line != '\0'; line++) {
        n += (size_t)snprintf(payload + n, sizeof(payload) - n, "%02x", (unsigned char)*line);
    }
    memset(l->console, 0, sizeof(l->console));
    cr_assert_str_eq(ask(l, payload), "OK");
    return l->console;
}

#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        const char *got_ = (text);                                                                 \
        cr_assert(strstr(got_, part) != NULL, "\"%s\" lacks \"%s\"", got_, part);                  \
    } while (0)
#define assert_lacks(text, part)                                                                   \
    do {                                                                                           \
        const char *got_ = (text);                                                                 \
        cr_assert(strstr(got_, part) == NULL, "\"%s\" has \"%s\"", got_, part);                    \
    } while (0)

static void greet(struct link *l)
{
    assert_has(ask(l, "qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+;xmlRegisters=i386"),
               "ReverseContinue+");
    cr_assert_str_eq(ask(l, "QStartNoAckMode"), "OK");
}

Test(gdb, the_opening_of_gdb_13_is_answered, .timeout = 30)
{
    static struct link l;
    open_link(&l);
    say(&l, "qSupported:multiprocess+;swbreak+;hwbreak+;qRelocInsn+;xmlRegisters=i386");
    cr_assert_eq(hear_event(&l), CV_PACKET_ACK);
    const char *features = hear(&l);
    assert_has(features, "PacketSize=20000;");
    assert_has(features, "multiprocess+");
    assert_has(features, "swbreak+");
    assert_has(features, "ConditionalBreakpoints+;BreakpointCommands+");
    assert_lacks(features, "exec-file"); /* nobody offers files here */
    assert_lacks(features, "binary-upload");
    say_bytes(&l, "+", 1);
    cr_assert_str_eq(ask(&l, "vMustReplyEmpty"), "");
    cr_assert_str_eq(ask(&l, "QStartNoAckMode"), "OK");
    say_bytes(&l, "+", 1);
    cr_assert_str_eq(ask(&l, "Hgp0.0"), "OK");
    cr_assert_eq(ask(&l, "qXfer:features:read:target.xml:0,fff")[0], 'm');
    cr_assert_str_eq(ask(&l, "qTStatus"), "");
    const char *stop = ask(&l, "?");
    assert_has(stop, "T05");
    assert_has(stop, "thread:p1.1;core:0;");
    assert_has(ask(&l, "qXfer:threads:read::0,ffb"), "id=\"p1.1\"");
    assert_has(ask(&l, "qXfer:memory-map:read::0,ffb"), "type=\"ram\"");
    cr_assert_str_eq(ask(&l, "qAttached:1"), "1");
    cr_assert_str_eq(ask(&l, "Hc-1"), "OK");
    cr_assert_str_eq(ask(&l, "Hgp1.2"), "E01");
    cr_assert_str_eq(ask(&l, "qOffsets"), "");
    cr_assert_str_eq(ask(&l, "qC"), "QCp1.1");
    cr_assert_str_eq(ask(&l, "qfThreadInfo"), "mp1.1");
    cr_assert_str_eq(ask(&l, "qsThreadInfo"), "l");
    cr_assert_str_eq(ask(&l, "vCont?"), "vCont;c;C;s;S;r");
    cr_assert_str_eq(ask(&l, "qSymbol::"), "OK");
    /* 24 registers of 8 and 4 bytes, 8 of 10, 8 of 4, 16 of 16, 1 of 4, 16 of 16, 20 of 8 */
    cr_assert_eq(strlen(ask(&l, "g")), 2 * (17 * 8 + 7 * 4 + 80 + 32 + 256 + 4 + 256 + 20 * 8));
    cr_assert_eq(close_link(&l), CV_GDB_CLOSED);
}

static void note_arch(void *arg, enum cv_arch arch)
{
    *(enum cv_arch *)arg = arch;
}

Test(gdb, a_service_as_i386_has_i386_registers_throughout, .timeout = 30)
{
    static struct link l;
    enum cv_arch wanted = CV_ARCH_COUNT;
    struct cv_gdb_config config = {.arg = &wanted, .arch = CV_ARCH_I386, .want_arch = note_arch};
    open_link_as(&l, &config);
    greet(&l);
    assert_has(ask(&l, "qXfer:features:read:target.xml:0,fff"), "<architecture>i386</architecture>");
    assert_has(ask(&l, "qXfer:memory-map:read::0,ffb"), "length=\"0x100000000\"");
    /* 16 registers of 4 bytes, 8 of 10, 8 of 4, 8 of 16, 1 of 4, 8 of 16, 17 of 4, 1 of 8 */
    cr_assert_eq(strlen(ask(&l, "g")), 2 * (64 + 80 + 32 + 128 + 4 + 128 + 68 + 8));
    cr_assert_str_eq(ask(&l, "p8"), "20001000");
    cr_assert_str_eq(ask(&l, "p10"), "00000000000000000000");
    cr_assert_str_eq(ask(&l, "p43"), "E01");
    assert_has(ask(&l, "?"), "T0505:00000000;04:00000000;08:20001000;thread:");
    assert_has(ask_monitor(&l, "watch 0x110000 4 if rcx == 7"), "Stop 1"); /* rcx is number 1 here, and 2 there */
    assert_has(ask(&l, "vCont;c"), "T05");
    cr_assert_str_eq(ask(&l, "p1"), "07000000");
    ask_monitor(&l, "unwatch 1");
    ask_monitor(&l, "seek 0");
    assert_has(ask_monitor(&l, "arch"), "i386");
    assert_has(ask_monitor(&l, "arch i486"), "arch takes");
    cr_assert_eq(wanted, CV_ARCH_COUNT);
    assert_has(ask_monitor(&l, "arch x86-64"), "next connection is x86-64");
    cr_assert_eq(wanted, CV_ARCH_X86_64);
    cr_assert_str_eq(ask(&l, "p8"), "20001000", "this one is what it was");
    cr_assert_eq(close_link(&l), CV_GDB_CLOSED);
}

Test(gdb, a_client_without_multiprocess_or_swbreak_is_not_confused, .timeout = 30)
{
    static struct link l;
    open_link(&l);
    assert_lacks(ask(&l, "qSupported:xmlRegisters=i386"), "break+");
    cr_assert_str_eq(ask(&l, "qC"), "QC1");
    cr_assert_str_eq(ask(&l, "Z0,100046,1"), "OK");
    const char *stop = ask(&l, "c");
    assert_lacks(stop, "swbreak");
    assert_has(stop, "thread:1;");
    close_link(&l);
}

Test(gdb, travel_in_both_directions, .timeout = 30)
{
    static struct link l;
    open_link(&l);
    greet(&l);
    assert_has(ask(&l, "bs"), "replaylog:begin;");
    assert_has(ask(&l, "bc"), "replaylog:begin;");
    assert_has(ask(&l, "vCont;s:p1.1;c:p1.-1"), "10:2500100000000000;");
    cr_assert_str_eq(ask(&l, "Z0,10005b,1"), "OK");
    cr_assert_str_eq(ask(&l, "Z0,10005b,1"), "OK");
    assert_has(ask(&l, "vCont;c"), "10:5b00100000000000;thread:p1.1;core:0;swbreak:;");
    cr_assert_str_eq(ask(&l, "m110000,4"), "410c0000");
    cr_assert_str_eq(ask(&l, "z0,10005b,1"), "OK");
    cr_assert_str_eq(ask(&l, "Z1,10005b,1"), "OK");
    assert_has(ask(&l, "vCont;c:p1.-1"), "hwbreak:;");
    assert_has(ask(&l, "bs"), "T05");
    assert_has(ask(&l, "bc"), "hwbreak:;");
    cr_assert_str_eq(ask(&l, "m110000,4"), "410c0000");
    cr_assert_str_eq(ask(&l, "z1,10005b,1"), "OK");
    assert_has(ask(&l, "vCont;c"), "replaylog:end;");
    assert_has(ask(&l, "s"), "replaylog:end;");
    assert_has(ask(&l, "bc"), "replaylog:begin;");
    cr_assert_str_eq(ask(&l, "vCont;t"), "E01");
    assert_has(ask(&l, "vCont;r100020,10002a:p1.1"), "10:2a00100000000000;");
    cr_assert_str_eq(ask(&l, "D;1"), "OK");
    cr_assert_eq(close_link(&l), CV_GDB_DETACHED);
}

Test(gdb, watchpoints_tell_their_kind_and_address, .timeout = 30)
{
    static struct link l;
    open_link(&l);
    greet(&l);
    cr_assert_str_eq(ask(&l, "Z2,111000,4"), "OK"); /* the calls of rare */
    assert_has(ask(&l, "vCont;c"), "10:6100100000000000;thread:p1.1;core:0;watch:111000;");
    cr_assert_str_eq(ask(&l, "m111000,4"), "01000000");
    assert_has(ask(&l, "bs"), "10:5b00100000000000;thread:p1.1;core:0;watch:111000;");
    cr_assert_str_eq(ask(&l, "m111000,4"), "00000000");
    assert_has(ask(&l, "bc"), "replaylog:begin;");
    assert_has(ask(&l, "vCont;c"), "watch:111000;");
    assert_has(ask(&l, "bc"), "10:5b00100000000000;thread:p1.1;core:0;watch:111000;");
    assert_has(ask(&l, "vCont;s"), "watch:111000;");
    cr_assert_str_eq(ask(&l, "z2,111000,4"), "OK");
    cr_assert_str_eq(ask(&l, "Z3,111001,1"), "OK");
    cr_assert_str_eq(ask(&l, "Z4,111000,2"), "OK");
    cr_assert_str_eq(ask(&l, "Z0,10005b,1"), "OK");
    assert_has(ask(&l, "vCont;c"), "swbreak:;");
    assert_has(ask(&l, "vCont;c"), "awatch:111000;"); /* and a read, but there is room for one */
    cr_assert_str_eq(ask(&l, "z4,111000,2"), "OK");
    assert_has(ask(&l, "bs"), "rwatch:111001;");
    cr_assert_str_eq(ask(&l, "z3,111001,1"), "OK");
    cr_assert_str_eq(ask(&l, "Z4,111000,2"), "OK");
    assert_has(ask(&l, "vCont;s"), "awatch:111000;");
    assert_has(ask(&l, "bc"), "awatch:111000;"); /* the breakpoint is there, too: gdb finds it */
    assert_has(ask(&l, "Z2,111000,0"), "E.no room");
    assert_has(ask(&l, "Z2,111000,100001"), "E.no room");
    close_link(&l);
}

Test(gdb, conditions_and_commands_are_evaluated_here, .timeout = 30)
{
    static struct link l;
    open_link(&l);
    greet(&l);
    cr_assert_str_eq(ask(&l, "Z0,100046,1;X7,26000222071327"), "OK"); /* $rcx == 7 */
    assert_has(ask(&l, "vCont;c"), "swbreak:;");
    cr_assert_str_eq(ask(&l, "p2"), "0700000000000000");
    assert_has(ask(&l, "vCont;c"), "replaylog:end;");
    assert_has(ask(&l, "bc"), "swbreak:;");
    cr_assert_str_eq(ask(&l, "p2"), "0700000000000000");
    cr_assert_str_eq(ask(&l, "z0,100046,1"), "OK");
    cr_assert_str_eq(ask(&l, "Z0,100046,1;X7,26000222091327"), "OK"); /* another condition */
    assert_has(ask(&l, "bc"), "swbreak:;");
    cr_assert_str_eq(ask(&l, "p2"), "0900000000000000");
    cr_assert_str_eq(ask(&l, "z0,100046,1"), "OK");
    /* printf "%d\n" of $rcx, at rare */
    cr_assert_str_eq(ask(&l, "Z0,10005b,1;cmds:0,X10,2600022200220034010005" "25645c6e00" "27"), "E01");
    cr_assert_str_eq(ask(&l, "Z0,10005b,1;cmds:0,X11,2600022200220034010005" "25645c6e00" "27"), "OK");
    ask_monitor(&l, "seek 0");
    memset(l.console, 0, sizeof(l.console));
    assert_has(ask(&l, "vCont;c"), "replaylog:end;");
    assert_has(l.console, ": 36864\n");
    assert_has(l.console, ": 4096\n");
    size_t lines = 0;
    for (const char *p = l.console; (p = strchr(p, '\n')) != NULL; p++) {
        lines++;
    }
    cr_assert_eq(lines, 9);
    memset(l.console, 0, sizeof(l.console));
    assert_has(ask(&l, "bc"), "replaylog:begin;");
    cr_assert_str_eq(l.console, "");
    assert_has(ask(&l, "Z0,100046,1;X1,ff"), "E.an operation that is not known");
    close_link(&l);
}

static bool give_file(void *arg, const char *name, const uint8_t **data, uint64_t *len)
{
    (void)arg;
    *data = (const uint8_t *)"0123456789";
    *len = 10;
    return strcmp(name, "one") == 0;
}

Test(gdb, files_are_those_that_the_caller_gives, .timeout = 30)
{
    static struct link l;
    struct cv_gdb_config config = {.file = give_file, .exec_file = "one"};
    open_link_as(&l, &config);
    assert_has(ask(&l, "qSupported:swbreak+"), "qXfer:exec-file:read+");
    cr_assert_str_eq(ask(&l, "qXfer:exec-file:read:1:0,fff"), "lone");
    cr_assert_str_eq(ask(&l, "vFile:setfs:0"), "F0");
    cr_assert_str_eq(ask(&l, "vFile:open:74776f,0,0"), "F-1,2");
    cr_assert_str_eq(ask(&l, "vFile:open:6f6e65,1,0"), "F-1,1e");
    cr_assert_str_eq(ask(&l, "vFile:open:6f6e65,0,0"), "F0");
    cr_assert_str_eq(ask(&l, "vFile:pread:0,4,3"), "F4;3456");
    cr_assert_str_eq(ask(&l, "vFile:pread:0,40,8"), "F2;89");
    cr_assert_str_eq(ask(&l, "vFile:pread:0,40,a"), "F0;");
    assert_has(ask(&l, "vFile:fstat:0"), "F40;");
    cr_assert_eq(l.reader.len, 4 + 64);
    cr_assert_eq(l.reader.payload[4 + 35], 10);
    cr_assert_str_eq(ask(&l, "vFile:readlink:6f6e65"), "F-1,16");
    cr_assert_str_eq(ask(&l, "vFile:close:0"), "F0");
    cr_assert_str_eq(ask(&l, "vFile:fstat:0"), "F-1,9");
    close_link(&l);
}

Test(gdb, what_the_monitor_watches_is_told_in_words, .timeout = 30)
{
    static struct link l;
    open_link(&l);
    greet(&l);
    assert_has(ask_monitor(&l, "watch phys 0x111000 4"), "Stop 1: physical change at 0x111000, 4 bytes");
    assert_has(ask_monitor(&l, "awatch 1118208 4 if rip == 1 || u32[0x111000] > 100"), "Stop 2: access at 0x111000");
    memset(l.console, 0, sizeof(l.console));
    const char *stop = ask(&l, "vCont;c");
    assert_has(stop, "10:6100100000000000;");
    assert_lacks(stop, "watch");
    assert_has(l.console, "Stop 1: physical change at 0x111000, icount");
    assert_lacks(l.console, "Stop 2");
    assert_has(ask_monitor(&l, "watches"), "1 hits");
    assert_has(ask_monitor(&l, "unwatch 2"), "is gone");
    assert_has(ask_monitor(&l, "unwatch 2"), "No such stop");
    static const char *const bad[] = {"watch", "watch 5", "watch x 4", "watch phys 5", "watch 5 4 if", "watch 5 4 if zz",
                                      "watch 5 4 if 2 +", "watch 5 4 if f[2]", "watch 5 4 5", "watch 5 0", "watch 5 0x100001",
                                      "watch 0xffffffffffffffff 2"};
    for (size_t i = 0; i < CV_ARRAY_LEN(bad); i++) {
        const char *said = ask_monitor(&l, bad[i]);
        cr_assert(strstr(said, "Write: [phys]") != NULL || strstr(said, "Not set") != NULL, "%s: %s", bad[i], said);
    }
    assert_has(ask_monitor(&l, "unwatch 1"), "is gone");
    assert_has(ask_monitor(&l, "watch 0x110000 4 if $rcx == 7 && u32[0x110000] != 0"), "Stop 3");
    assert_has(ask(&l, "vCont;c"), "T05");
    cr_assert_str_eq(ask(&l, "p2"), "0700000000000000");
    assert_has(ask(&l, "bc"), "T05");
    cr_assert_str_eq(ask(&l, "p2"), "0700000000000000");
    assert_has(ask(&l, "bc"), "replaylog:begin;");
    ask_monitor(&l, "unwatch 3");
    ask_monitor(&l, "seek 100000");
    assert_has(ask_monitor(&l, "last-write 0x111000"), "from byte 0 on: 01 00 00 00 00 00 00 00 before, 02");
    assert_has(ask_monitor(&l, "prev irq"), "No irq between the beginning and here");
    close_link(&l);
}

Test(gdb, memory_is_read_searched_and_never_written, .timeout = 30)
{
    static struct link l;
    open_link(&l);
    greet(&l);
    cr_assert_str_eq(ask(&l, "m100000,4"), "02b0ad1b");
    cr_assert_str_eq(ask(&l, "m3ffffe,10"), "0000"); /* RAM ends at 4 MiB */
    cr_assert_str_eq(ask(&l, "m400000,1"), "E14");
    cr_assert_str_eq(ask(&l, "m100000,0"), "");
    cr_assert_eq(ask(&l, "x100000,4")[0], 'b');
    cr_assert_eq(l.reader.len, 5);
    cr_assert_eq(strlen(ask(&l, "m0,ffffffffffffffff")), CV_PACKET_MAX - 32);
    assert_has(ask(&l, "M100000,1:00"), "E.cannot change the past");
    assert_has(ask(&l, "X100000,1:z"), "E.cannot change the past");
    assert_has(ask(&l, "P0=0000000000000000"), "E.cannot change the past");
    assert_has(ask(&l, "G00"), "E.cannot change the past");
    cr_assert_str_eq(ask(&l, "qSearch:memory:0;400000;\x02\xb0\xad\x1b"), "1,100000");
    cr_assert_str_eq(ask(&l, "qSearch:memory:0;100000;\x02\xb0\xad\x1b"), "0");
    cr_assert_str_eq(ask(&l, "qSearch:memory:100000;4;\x02\xb0\xad\x1b"), "1,100000");
    cr_assert_str_eq(ask(&l, "qSearch:memory:100000;3;\x02\xb0\xad\x1b"), "0");
    cr_assert_str_eq(ask(&l, "qCRC:100000,4"), "C69d7b33a");
    cr_assert_str_eq(ask(&l, "qCRC:3ffff0,20"), "E14");
    cr_assert_str_eq(ask(&l, "p10"), "2000100000000000");
    cr_assert_str_eq(ask(&l, "p5d"), "E01");
    cr_assert_str_eq(ask(&l, "pffffffffffffffff"), "E01");
    close_link(&l);
}

Test(gdb, monitor_verbs, .timeout = 30)
{
    static struct link l;
    open_link(&l);
    greet(&l);
    cr_assert_gt(strlen(ask_monitor(&l, "info version")), 4);
    assert_has(ask_monitor(&l, "help"), "seek-ticks POS");
    assert_has(ask_monitor(&l, "nonsense"), "Unknown command");
    assert_has(ask_monitor(&l, ""), "Unknown command");
    assert_has(ask_monitor(&l, "seek 1000"), "maintenance flush register-cache");
    assert_has(ask_monitor(&l, "when"), "icount 1000 of");
    assert_has(ask_monitor(&l, "checkpoint"), "Checkpoint 1 at icount 1000");
    assert_has(ask_monitor(&l, "seek-ticks 50%"), "(50%)");
    assert_has(ask_monitor(&l, "restart 1"), "icount 1000 of");
    assert_has(ask_monitor(&l, "restart 2"), "No such checkpoint");
    assert_has(ask_monitor(&l, "back"), "(50%)");
    assert_has(ask_monitor(&l, "back"), "icount 1000 of");
    assert_has(ask_monitor(&l, "back"), "icount 0 of");
    assert_has(ask_monitor(&l, "back"), "no earlier place");
    assert_has(ask_monitor(&l, "forward"), "icount 1000 of");
    assert_has(ask_monitor(&l, "forward"), "(50%)");
    assert_has(ask_monitor(&l, "forward"), "icount 1000 of");
    assert_has(ask_monitor(&l, "forward"), "no later place");
    assert_has(ask_monitor(&l, "info checkpoints"), "1  icount 1000");
    assert_has(ask_monitor(&l, "seek crash"), "no crash");
    assert_has(ask_monitor(&l, "seek x"), "is none");
    assert_has(ask_monitor(&l, "seek"), "needs a position");
    assert_has(ask_monitor(&l, "info replay"), "checkpoints");
    assert_has(ask_monitor(&l, "elapsed-time"), "0.00000");
    assert_has(ask_monitor(&l, "when-end"), "icount 4");
    assert_has(ask_monitor(&l, "phys on"), "physical");
    assert_has(ask_monitor(&l, "phys off"), "linear");
    for (unsigned i = 0; i < 200; i++) {
        ask_monitor(&l, i % 2 == 0 ? "seek 10" : "seek 20");
        ask_monitor(&l, "checkpoint");
    }
    for (unsigned i = 0; i < 70; i++) {
        ask_monitor(&l, "back");
    }
    assert_has(ask_monitor(&l, "back"), "no earlier place");
    close_link(&l);
}

Test(gdb, acknowledgments_resend_and_bad_sums, .timeout = 30)
{
    static struct link l;
    open_link(&l);
    say_bytes(&l, "$qC#00", 6);
    cr_assert_eq(hear_event(&l), CV_PACKET_NAK);
    say(&l, "qC");
    cr_assert_eq(hear_event(&l), CV_PACKET_ACK);
    cr_assert_str_eq(hear(&l), "QC1");
    say_bytes(&l, "-", 1);
    cr_assert_str_eq(hear(&l), "QC1");
    close_link(&l);
}

Test(gdb, what_is_not_gdb_is_dropped_without_a_word, .timeout = 30)
{
    static struct link l;
    char byte;
    open_link(&l);
    say_bytes(&l, "POST / HTTP/1.1\r\n\r\n$k#6b", 24);
    cr_assert_eq(read(l.fd, &byte, 1), 0);
    cr_assert_eq(close_link(&l), CV_GDB_FOREIGN);
}

Test(gdb, a_client_that_vanishes_in_the_middle_leaves_the_session_usable, .timeout = 30)
{
    static struct link l;
    open_link(&l);
    greet(&l);
    cr_assert_str_eq(ask(&l, "Z0,10005b,1"), "OK");
    say(&l, "vCont;c");
    close(l.fd);
    pthread_join(l.thread, NULL);
    cr_assert_eq(l.end, CV_GDB_CLOSED);
    cr_assert_eq(cv_session_continue(l.world.session), CV_STOP_HISTORY_END); /* no breakpoint */
    world_close(&l.world);
}

Test(gdb, ctrl_c_is_heard_during_a_travel, .timeout = 30)
{
    static struct link l;
    open_link(&l);
    greet(&l);
    ask_monitor(&l, "seek end");
    cr_assert_str_eq(ask(&l, "Z0,dead,1"), "OK");
    say_bytes(&l, "$bc#c5\x03", 7);
    const char *stop = hear(&l); /* either it was in time, or the travel was over before */
    cr_assert(strncmp(stop, "T02", 3) == 0 || strstr(stop, "replaylog:begin") != NULL, "%s", stop);
    cr_assert_str_eq(ask(&l, "qAttached"), "1");
    close_link(&l);
}

Test(gdb, a_ctrl_c_between_two_steps_ends_the_command, .timeout = 30)
{
    static struct link l;
    open_link(&l);
    greet(&l);
    assert_has(ask(&l, "vCont;s"), "T05");
    say_bytes(&l, "\x03", 1);
    assert_has(ask(&l, "vCont;s"), "T02");
    assert_has(ask(&l, "vCont;s"), "T05");
    say_bytes(&l, "\x03", 1);
    usleep(400000);
    assert_has(ask(&l, "vCont;s"), "T05"); /* a new command of the user */
    close_link(&l);
}

Test(gdb, random_bytes_end_in_silence_not_in_a_crash, .timeout = 60)
{
    static const char *const seeds[] = {"$m100000,40#00", "$vCont;s:p1.1#00", "$bs#00", "$g#00",
                                        "$qXfer:features:read:target.xml:0,1000#00",
                                        "$Z0,100046,1#00", "$qRcmd,7365656b20313030#00",
                                        "$X100000,3:abc#00", "\x03", "+", "-", "}", "$"};
    static struct link l;
    open_link(&l);
    greet(&l);
    srandom(5);
    for (unsigned round = 0; round < 3000; round++) {
        char bytes[64];
        uint8_t drain[65536];
        const char *seed = seeds[(size_t)random() % CV_ARRAY_LEN(seeds)];
        size_t len = strlen(seed);
        memcpy(bytes, seed, len);
        for (unsigned i = (unsigned)random() % 3; i > 0; i--) {
            bytes[(size_t)random() % len] = (char)random();
        }
        if (memchr(bytes, 'D', len) != NULL || memchr(bytes, 'k', len) != NULL) {
            continue; /* these would end it rightly */
        }
        say_bytes(&l, bytes, len);
        while (recv(l.fd, drain, sizeof(drain), MSG_DONTWAIT) > 0) {
        }
    }
    say_bytes(&l, "#00", 3);
    usleep(100000);
    l.at = l.len = 0;
    cv_packet_reader_reset(&l.reader);
    uint8_t drain[65536];
    while (recv(l.fd, drain, sizeof(drain), MSG_DONTWAIT) > 0) {
        usleep(20000);
    }
    cr_assert_str_eq(ask(&l, "qAttached"), "1");
    cr_assert_eq(close_link(&l), CV_GDB_CLOSED);
}
