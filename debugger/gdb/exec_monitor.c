/*
 * exec_monitor.c - what `monitor ...` can say: where we are, going elsewhere, bookmarks
 *
 * The verbs are those of rr and QEMU where these have one, so that habits and scripts carry over.
 */
#include "core/base/error.h"
#include "debugger/gdb/guest.h"
#include "debugger/gdb/monitor.h"

#include <string.h>

#define NS_PER_S 1000000000ull

struct verb {
    const char *name; /* one or two words */
    const char *usage;
    const char *help;
    void (*run)(struct cv_gdb *gdb, const char *args);
};

static void print_place(struct cv_gdb *gdb, const char *what, cv_icount icount)
{
    cv_icount end = cv_session_end(gdb->session);
    unsigned long long percent =
        end == 0 ? 100 : (unsigned long long)((unsigned __int128)icount * 100 / end);
    cv_gdb_print(gdb, "%s: icount %llu of %llu (%llu%%)\n", what, (unsigned long long)icount,
                 (unsigned long long)end, percent);
}

static void run_when(struct cv_gdb *gdb, const char *args)
{
    (void)args;
    print_place(gdb, "Position", cv_session_icount(gdb->session));
}

static void run_when_ticks(struct cv_gdb *gdb, const char *args)
{
    (void)args;
    cv_gdb_print(gdb, "Current tick: %llu\n",
                 (unsigned long long)cv_session_icount(gdb->session));
}

static void run_follow(struct cv_gdb *gdb, const char *args)
{
    gdb->follows = true;
    run_when_ticks(gdb, args);
}

static void run_when_end(struct cv_gdb *gdb, const char *args)
{
    (void)args;
    cv_gdb_print(gdb, "End of the recording: icount %llu\n",
                 (unsigned long long)cv_session_end(gdb->session));
}

static void run_elapsed_time(struct cv_gdb *gdb, const char *args)
{
    cv_vtime_ns ns = cv_session_vtime(gdb->session);
    (void)args;
    cv_gdb_print(gdb, "Elapsed guest time: %llu.%09llu s\n", (unsigned long long)(ns / NS_PER_S),
                 (unsigned long long)(ns % NS_PER_S));
}

static void run_version(struct cv_gdb *gdb, const char *args)
{
    (void)args;
    const char *version = gdb->config.version;
    cv_gdb_print(gdb, "Chronovisor %s\n",
                 version != NULL && version[0] != '\0' ? version : "gdb server");
}

static void run_digest(struct cv_gdb *gdb, const char *args)
{
    uint8_t digest[16];
    char hex[2 * sizeof(digest) + 1];
    (void)args;
    cv_replay_digest(cv_timeline_replay(cv_session_timeline(gdb->session)), digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        cv_format(hex + 2 * i, 3, "%02x", digest[i]);
    }
    cv_gdb_print(gdb, "State digest: %s at icount %llu\n", hex,
                 (unsigned long long)cv_session_icount(gdb->session));
}

static void run_info_replay(struct cv_gdb *gdb, const char *args)
{
    struct cv_timeline_stats stats;
    (void)args;
    print_place(gdb, "Replaying", cv_session_icount(gdb->session));
    cv_timeline_stats(cv_session_timeline(gdb->session), &stats);
    cv_gdb_print(gdb, "%llu checkpoints, %llu page versions, %llu KiB; %llu seeks, %llu parts searched beside\n",
                 (unsigned long long)stats.checkpoints, (unsigned long long)stats.versions,
                 (unsigned long long)(stats.version_bytes >> 10),
                 (unsigned long long)stats.seeks, (unsigned long long)stats.parts_scouted);
    const struct cv_halts *halts = cv_session_halts(gdb->session);
    for (size_t i = 0; i < halts->count; i++) {
        cv_gdb_print(gdb, "moves stop at icount %llu\n", (unsigned long long)halts->list[i]);
    }
}

/* -- going elsewhere --------------------------------------------------------------------------- */

void cv_gdb_tell_move(struct cv_gdb *gdb)
{
    if (!gdb->follows) {
        cv_gdb_print(gdb, "gdb does not notice this move: run \"maintenance flush "
                          "register-cache\" now.\n");
    }
}

static bool travel(struct cv_gdb *gdb, cv_icount icount)
{
    gdb->stop = cv_session_seek(gdb->session, icount);
    if (gdb->stop == CV_STOP_INTERRUPT) {
        cv_gdb_print(gdb, "Interrupted on the way.\n");
    } else if (gdb->stop == CV_STOP_DIVERGED) {
        cv_gdb_print(gdb, "The replay differs from the recording.\n");
    }
    print_place(gdb, "Position", cv_session_icount(gdb->session));
    cv_gdb_tell_move(gdb);
    return gdb->stop != CV_STOP_INTERRUPT;
}

/* What lay `forward` is forgotten. */
void cv_gdb_remember(struct cv_gdb *gdb, cv_icount from)
{
    gdb->trail_len = gdb->trail_at;
    if (gdb->trail_len == CV_GDB_TRAIL) {
        gdb->trail_len--;
        memmove(gdb->trail, gdb->trail + 1, gdb->trail_len * sizeof(gdb->trail[0]));
    }
    gdb->trail[gdb->trail_len++] = from;
    gdb->trail_at = gdb->trail_len;
}

static void travel_and_remember(struct cv_gdb *gdb, cv_icount icount)
{
    cv_gdb_remember(gdb, cv_session_icount(gdb->session));
    travel(gdb, icount);
}

static void run_back(struct cv_gdb *gdb, const char *args)
{
    (void)args;
    if (gdb->trail_at == 0) {
        cv_gdb_print(gdb, "There is no earlier place to go back to.\n");
        return;
    }
    cv_icount here = cv_session_icount(gdb->session);
    if (gdb->trail_at == gdb->trail_len && gdb->trail_len < CV_GDB_TRAIL) {
        gdb->trail[gdb->trail_len++] = here; /* for `forward` */
    } else if (gdb->trail_at < gdb->trail_len) {
        gdb->trail[gdb->trail_at] = here;
    }
    travel(gdb, gdb->trail[--gdb->trail_at]);
}

static void run_forward(struct cv_gdb *gdb, const char *args)
{
    (void)args;
    if (gdb->trail_at + 1 >= gdb->trail_len) {
        cv_gdb_print(gdb, "There is no later place to go forward to.\n");
        return;
    }
    gdb->trail[gdb->trail_at] = cv_session_icount(gdb->session);
    travel(gdb, gdb->trail[++gdb->trail_at]);
}

static void run_seek(struct cv_gdb *gdb, const char *args)
{
    struct cv_error err = {0};
    cv_icount icount;
    if (args[0] == '\0') {
        cv_gdb_print(gdb, "seek needs a position: an icount, 12.5s, 40%%, end, crash or "
                          "mark:NAME\n");
    } else if (!cv_session_parse_pos(gdb->session, args, &icount, &err)) {
        cv_gdb_print(gdb, "%s\n", err.text);
    } else {
        travel_and_remember(gdb, icount);
    }
}

/* -- bookmarks --------------------------------------------------------------------------------- */

static void run_checkpoint(struct cv_gdb *gdb, const char *args)
{
    (void)args;
    if (gdb->bookmark_count == CV_GDB_BOOKMARKS) {
        cv_gdb_print(gdb, "There are %u checkpoints already; that is all there is room for.\n",
                     CV_GDB_BOOKMARKS);
        return;
    }
    gdb->bookmarks[gdb->bookmark_count++] = cv_session_icount(gdb->session);
    cv_gdb_print(gdb, "Checkpoint %u at icount %llu\n", gdb->bookmark_count,
                 (unsigned long long)gdb->bookmarks[gdb->bookmark_count - 1]);
}

static void run_info_checkpoints(struct cv_gdb *gdb, const char *args)
{
    (void)args;
    if (gdb->bookmark_count == 0) {
        cv_gdb_print(gdb, "No checkpoints.\n");
    }
    for (unsigned i = 0; i < gdb->bookmark_count; i++) {
        cv_gdb_print(gdb, "%u  icount %llu\n", i + 1, (unsigned long long)gdb->bookmarks[i]);
    }
}

static void run_restart(struct cv_gdb *gdb, const char *args)
{
    unsigned number = 0;
    for (const char *p = args; *p >= '0' && *p <= '9' && number <= CV_GDB_BOOKMARKS; p++) {
        number = number * 10 + (unsigned)(*p - '0');
    }
    if (number == 0 || number > gdb->bookmark_count) {
        cv_gdb_print(gdb, "No such checkpoint: \"%s\"; see monitor info checkpoints.\n", args);
        return;
    }
    travel_and_remember(gdb, gdb->bookmarks[number - 1]);
}

/* -- others ------------------------------------------------------------------------------------ */

static void run_phys(struct cv_gdb *gdb, const char *args)
{
    if (strcmp(args, "on") == 0 || strcmp(args, "off") == 0) {
        gdb->phys = args[1] == 'n';
    } else if (args[0] != '\0') {
        cv_gdb_print(gdb, "phys takes on or off.\n");
        return;
    }
    cv_gdb_print(gdb, "Memory addresses are guest %s ones.\n", gdb->phys ? "physical" : "linear");
}

static bool ask_slide(struct cv_gdb *gdb, uint64_t *slide)
{
    return gdb->config.slide != NULL && gdb->config.slide(gdb->config.arg, slide);
}

/* Runs on until the kernel is where it will be, and comes back. */
static bool find_slide(struct cv_gdb *gdb, uint64_t *slide)
{
    cv_icount from = cv_session_icount(gdb->session), end = cv_session_end(gdb->session);
    bool found = ask_slide(gdb, slide);
    enum cv_stop_reason why = CV_STOP_STEP;
    for (cv_icount at = from; gdb->config.slides && !found && at < end && why == CV_STOP_STEP;) {
        at = end - at > CV_GDB_LOOK_STEPS ? at + CV_GDB_LOOK_STEPS : end;
        why = cv_session_seek(gdb->session, at);
        found = ask_slide(gdb, slide);
    }
    if (cv_session_icount(gdb->session) != from) {
        cv_session_seek(gdb->session, from);
    }
    return found;
}

static void run_kaslr(struct cv_gdb *gdb, const char *args)
{
    uint64_t slide;
    if (strcmp(args, "find") == 0 ? find_slide(gdb, &slide) : ask_slide(gdb, &slide)) {
        cv_gdb_print(gdb, "0x%llx\n", (unsigned long long)slide);
    } else {
        cv_gdb_print(gdb, "unknown\n");
    }
}

static void run_arch(struct cv_gdb *gdb, const char *args)
{
    enum cv_arch arch = cv_arch_parse(args);
    if (args[0] == '\0') {
        cv_gdb_print(gdb, "%s\n", cv_arch_name(gdb->config.arch));
    } else if (arch == CV_ARCH_COUNT || gdb->config.want_arch == NULL) {
        cv_gdb_print(gdb, "arch takes i386 or x86-64.\n");
    } else {
        gdb->config.want_arch(gdb->config.arg, arch);
        cv_gdb_print(gdb, "The next connection is %s: disconnect, load symbols of that kind, connect "
                          "again.\n",
                     cv_arch_name(arch));
    }
}

static void run_help(struct cv_gdb *gdb, const char *args);

static const struct verb VERBS[] = {
    {"help", "", "this list", run_help},
    {"info version", "", "the version of the server", run_version},
    {"info replay", "", "position, end, and what travelling keeps in memory", run_info_replay},
    {"info checkpoints", "", "the bookmarks made with `checkpoint`", run_info_checkpoints},
    {"when", "", "where the machine stands", run_when},
    {"when-ticks", "", "the same as a bare number", run_when_ticks},
    {"follow", "", "the same, from a gdb that sees moves of the machine by itself, as chronovisor.py does", run_follow},
    {"when-end", "", "the last position of the recording", run_when_end},
    {"elapsed-time", "", "guest time since reset", run_elapsed_time},
    {"digest", "", "what `chronovisor verify --to` prints of the state here", run_digest},
    {"seek", " POS", "go to an icount, 12.5s, 40%, end, crash or mark:NAME", run_seek},
    {"seek-ticks", " POS", "the same", run_seek},
    {"replay_seek", " POS", "the same", run_seek},
    {"back", "", "go where the machine stood before the last seek", run_back},
    {"forward", "", "undo `back`", run_forward},
    {"checkpoint", "", "bookmark this position", run_checkpoint},
    {"restart", " N", "go to bookmark N", run_restart},
    {"prev", " EVENT [N]", "go back to before an irq, exc, pf, syscall, cr3, io, mmio, dma or console (of vector, port.. N)",
     cv_gdb_verb_prev},
    {"next", " EVENT [N]", "go on to behind the next one", cv_gdb_verb_next},
    {"last-write", " ADDR [LEN] [goto]", "who wrote these bytes last, by whatever address; stays here unless told to go",
     cv_gdb_verb_last_write},
    {"last-read", " ADDR [LEN] [goto]", "who read them last", cv_gdb_verb_last_read},
    {"watch", " [phys] ADDR LEN [if EXPR]", "stop when bytes change, and EXPR is true behind the step", cv_gdb_verb_watch},
    {"rwatch", " [phys] ADDR LEN [if EXPR]", "stop when they are read", cv_gdb_verb_rwatch},
    {"awatch", " [phys] ADDR LEN [if EXPR]", "stop when they are read or written", cv_gdb_verb_awatch},
    {"watches", "", "the watchpoints made so", cv_gdb_verb_watches},
    {"unwatch", " N", "take one away", cv_gdb_verb_unwatch},
    {"mark", " NAME", "name this position, for `seek mark:NAME`", cv_gdb_verb_mark},
    {"marks", "", "the names given", cv_gdb_verb_marks},
    {"disas", " [ADDR [N]]", "instructions at a linear address, here if none is given, in the CPU's mode", cv_gdb_verb_disas},
    {"replay_break", " POS", "stop at this icount, going either way", cv_gdb_verb_halt},
    {"rrbreakpoint", " POS", "the same", cv_gdb_verb_halt},
    {"replay_delete_break", " [N]", "no more at icount N, or at any", cv_gdb_verb_unhalt},
    {"console", " [TEXT]", "what the serial console had printed up to here, or the lines that hold TEXT", cv_gdb_verb_console},
    {"verify", "", "hold the whole run to its digests, and come back", cv_gdb_verb_verify},
    {"phys", " on|off", "take memory addresses as guest physical", run_phys},
    {"arch", " i386|x86-64", "as what the guest is debugged; takes effect when gdb connects", run_arch},
    {"query", " QUESTION", "last-write, values, calls, printf, events, console, when, marks; as `chronovisor query`",
     cv_gdb_question},
    {"guest", "", "which kernel runs, and what is known of it", cv_gdb_guest_about},
    {"guest-warning", "", "whether the vmlinux given is another kernel's; else nothing", cv_gdb_guest_warn},
    {"ps", " [threads]", "processes of the guest", cv_gdb_guest_ps},
    {"current", "", "the task that runs", cv_gdb_guest_current},
    {"process", " PID|NAME|any", "where breakpoints set from now on hold", cv_gdb_guest_process},
    {"modules", "", "kernel modules and where they lie", cv_gdb_guest_modules},
    {"dmesg", "", "the kernel log", cv_gdb_guest_dmesg},
    {"sym", " 0xADDR|NAME", "the kernel's own symbols, without any file", cv_gdb_guest_sym},
    {"kaslr", " [find]", "how far the kernel was moved from its link address; find: or will be", run_kaslr},
};

static void run_help(struct cv_gdb *gdb, const char *args)
{
    (void)args;
    for (size_t i = 0; i < CV_ARRAY_LEN(VERBS); i++) {
        cv_gdb_print(gdb, "%s%s -- %s\n", VERBS[i].name, VERBS[i].usage, VERBS[i].help);
    }
}

void cv_gdb_monitor(struct cv_gdb *gdb, const char *line)
{
    line += strspn(line, " \t");
    for (size_t i = 0; i < CV_ARRAY_LEN(VERBS); i++) {
        size_t n = strlen(VERBS[i].name);
        if (strncmp(line, VERBS[i].name, n) == 0 && (line[n] == '\0' || line[n] == ' ')) {
            line += n;
            VERBS[i].run(gdb, line + strspn(line, " \t"));
            return;
        }
    }
    cv_gdb_print(gdb, "Unknown command \"%s\"; monitor help lists what there is.\n", line);
}
