/*
 * exec_place.c - monitor verbs about the place where the machine stands and about the run: code, icounts to stop at, digests
 *
 * gdb disassembles by the one architecture that it was told, and by rip, which in real mode and in other code with a
 * segment base is no address. `disas` goes by the CPU's mode and by linear addresses.
 */
#include "core/base/error.h"
#include "core/cpu/regs.h"
#include "core/inspect.h"
#include "debugger/disas.h"
#include "debugger/gdb/monitor.h"
#include "debugger/view.h"

#define DISAS_DEFAULT 8u
#define DISAS_MAX     1000u
#define TEXT_MAX      120u

/* -- code -------------------------------------------------------------------------------------- */

static const char *name_mode(uint32_t mode)
{
    if ((mode & CV_MODE_CS64) != 0) {
        return "64-bit code";
    }
    if ((mode & CV_MODE_VM86) != 0) {
        return "virtual-8086 mode";
    }
    if ((mode & CV_MODE_PE) == 0) {
        return "real mode";
    }
    return (mode & CV_MODE_CS32) != 0 ? "32-bit code" : "16-bit code";
}

/* One line; the instruction's length, 0: the bytes there cannot be read. */
static size_t print_line(struct cv_gdb *gdb, uint64_t at, uint64_t base, bool here)
{
    const struct cv_cpu *cpu = cv_vm_cpu(cv_session_vm(gdb->session), 0);
    uint8_t bytes[CV_DISAS_BYTES_MAX];
    char text[TEXT_MAX], segment[32] = "";
    size_t got = cv_inspect_mem(cv_session_vm(gdb->session), 0, at, bytes, sizeof(bytes));
    if (got == 0) {
        cv_gdb_print(gdb, "   0x%llx cannot be read\n", (unsigned long long)at);
        return 0;
    }
    size_t len = cv_disas(cpu, bytes, got, at - base, text, sizeof(text));
    if (base != 0) {
        cv_format(segment, sizeof(segment), " cs:0x%llx", (unsigned long long)(at - base));
    }
    cv_gdb_print(gdb, "%s 0x%llx%s:  %s\n", here ? "=>" : "  ", (unsigned long long)at, segment,
                 len > 0 ? text : "(bad)");
    return len > 0 ? len : 1;
}

void cv_gdb_verb_disas(struct cv_gdb *gdb, const char *args)
{
    struct cv_vm *vm = cv_session_vm(gdb->session);
    uint32_t mode = cv_vm_cpu(vm, 0)->mode;
    uint64_t pc = cv_view_number(vm, CV_REG_LINEAR_PC), rip = cv_view_number(vm, CV_REG_RIP);
    uint64_t at = pc, count = DISAS_DEFAULT;
    char word[24];
    cv_gdb_word(&args, word, sizeof(word));
    bool ok = word[0] == '\0' || cv_gdb_number(word, &at);
    cv_gdb_word(&args, word, sizeof(word));
    ok = ok && (word[0] == '\0' || (cv_gdb_number(word, &count) && args[0] == '\0'));
    if (!ok || count == 0 || count > DISAS_MAX) {
        cv_gdb_print(gdb, "Write [ADDR [N]], a linear address and 1 to %u instructions.\n", DISAS_MAX);
        return;
    }
    cv_gdb_print(gdb, "%s\n", name_mode(mode));
    for (size_t len = 1; count > 0 && len > 0 && !cv_gdb_interrupted(gdb); count--) {
        len = print_line(gdb, at, (mode & CV_MODE_CS64) != 0 ? 0 : pc - rip, at == pc);
        at += len;
    }
}

/* -- icounts to stop at -------------------------------------------------------------------------- */

void cv_gdb_verb_halt(struct cv_gdb *gdb, const char *args)
{
    struct cv_error err = {0};
    cv_icount icount;
    if (args[0] == '\0') {
        cv_gdb_print(gdb, "Write an icount, or another position as for seek.\n");
    } else if (!cv_session_parse_pos(gdb->session, args, &icount, &err)) {
        cv_gdb_print(gdb, "%s\n", err.text);
    } else if (!cv_halts_add(cv_session_halts(gdb->session), icount)) {
        cv_gdb_print(gdb, "There are %u already; that is all there is room for.\n", CV_HALTS_MAX);
    } else {
        cv_gdb_print(gdb, "Moves stop at icount %llu.\n", (unsigned long long)icount);
    }
}

void cv_gdb_verb_unhalt(struct cv_gdb *gdb, const char *args)
{
    struct cv_halts *halts = cv_session_halts(gdb->session);
    uint64_t icount;
    if (args[0] == '\0') {
        cv_gdb_print(gdb, "No icount stops a move any more; %zu did.\n", halts->count);
        halts->count = 0;
    } else if (cv_gdb_number(args, &icount) && cv_halts_remove(halts, icount)) {
        cv_gdb_print(gdb, "Moves pass icount %llu.\n", (unsigned long long)icount);
    } else {
        cv_gdb_print(gdb, "No move stops at \"%s\"; see monitor info replay.\n", args);
    }
}

/* -- the run ------------------------------------------------------------------------------------- */

/* Every step of it, as `chronovisor verify`; digests are compared in any replay of a session. */
void cv_gdb_verb_verify(struct cv_gdb *gdb, const char *args)
{
    static const struct cv_stops none;
    cv_icount here = cv_session_icount(gdb->session), end = cv_session_end(gdb->session);
    struct cv_timeline *tl = cv_session_timeline(gdb->session);
    (void)args;
    enum cv_replay_exit out = cv_timeline_seek(tl, 0);
    if ((out == CV_REPLAY_REACHED || out == CV_REPLAY_END) && cv_timeline_stops(tl, &none)) {
        out = cv_timeline_run(tl, end);
    }
    const struct cv_divergence *d = cv_session_divergence(gdb->session);
    if (out == CV_REPLAY_DIVERGED) {
        cv_gdb_print(gdb, "The replay differs from the recording by icount %llu, in %s.\n",
                     (unsigned long long)(d != NULL ? d->icount : cv_session_icount(gdb->session)),
                     d != NULL ? d->component : "the machine");
    } else if (out == CV_REPLAY_STOPPED) {
        cv_gdb_print(gdb, "Interrupted; exact up to icount %llu.\n",
                     (unsigned long long)cv_session_icount(gdb->session));
    } else {
        cv_gdb_print(gdb, "Exact, up to the end at icount %llu.\n", (unsigned long long)end);
    }
    if (cv_session_seek(gdb->session, here) != CV_STOP_STEP) {
        cv_gdb_print(gdb, "It stands at icount %llu now.\n", (unsigned long long)cv_session_icount(gdb->session));
        cv_gdb_tell_move(gdb);
    }
}
