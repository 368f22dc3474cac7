#!/usr/bin/env python3
"""gdb on a trace: the traps of reverse debugging that are met by the real gdb alone, and the verbs that move behind its back.

The traps that a server for gdb is known to fall into, and the case that proves each here:

 1 reverse-stepi and stepi x 1000     here "1000 back"; test_gdb.py "exact: 1000 back" (state at each step, kernel too)
 2 reverse-continue on a watchpoint   test_stops.py "watch: never", "once", "many", "silent stores", "page straddle",
                                      "physical"; what a device writes: tests/unit/core/vm/test_watch.c
 3 either end of history              test_gdb.py "breakpoints both ways"; test_stops.py "watch: ..."
 4 Ctrl-C in reverse-continue         here "Ctrl-C"; test_stops.py "link: Ctrl-C in reverse"; test_gdb.py "Ctrl-C in a travel"
 5 a breakpoint at the current pc     test_gdb.py "breakpoint where it stands"
 6 rep movs, sti, mov ss, int, iret   test_stops.py "exact: steps easily miscounted", "slices in gdb"; test_modes.py "steps"
 7 real mode to long mode             test_modes.py "connected in real mode"; test_gdb.py, test_gdb32.py "32-bit mode"
 8 info threads, lx-*, KASLR or none  here "threads"; test_linux_scripts.py (both forms)
 9 ten thousand false conditions      here "false conditions"; test_stops.py "condition: ten thousand false ones"
10 detach and come back               test_gdb.py "link: detach and return"
11 random walks                       test_walks.py; test_gdb.py "exact: random walk"
12 gdb 12 to 17                       test_stops.py "matrix: other gdbs"

Run one alone: tests/gdb/test_traps.py "Ctrl-C"
"""
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dialogue import FLUSH, HISTORY, Server, check, hear, icount_of, recorded, talk, value  # noqa: E402
from linuxes import crashed  # noqa: E402
from cvtest import GUEST, case, finish, info, verify  # noqa: E402

HERE = tempfile.mkdtemp(prefix="cvtest-traps-")
MOVED = "gdb does not notice this move"
made = {}


def trace(name="stops"):
    return recorded(HERE, name)


def kernel():
    if "kernel" not in made:
        path = os.path.join(HERE, "kernel.cvt")
        made["kernel"] = path, crashed(path)
    return made["kernel"]


def ask(directory, name, commands, at=0):
    return talk(directory, trace(name), commands, at=at, symbols=os.path.join(GUEST, name + ".elf64"))


# -- traps ---------------------------------------------------------------------------------------------

def thousand(directory):
    """`reverse-stepi 1000`, `stepi 1000`: the state is what a run that never turned has at both places."""
    for name, part in (("timer", "30%"), ("user", "60%"), ("string", "40%"), ("modes", "93%")):
        a = ask(directory, name, ["monitor digest", "reverse-stepi 1000", "monitor digest", "stepi 1000", "monitor digest",
                                  *["reverse-stepi"] * 20, *["stepi"] * 20, "monitor digest"], at=part)
        states = [re.search(r"(\w{32}) at icount (\d+)", x).groups() for x in (a[0], a[2], a[4], a[-1])]
        at = int(states[0][1])
        check([int(s[1]) for s in states] == [at, at - 1000, at, at], "%s: %s" % (name, states))
        check(states[0] == states[2] == states[3], "%s: another state" % name)
        for digest, place in states[:2]:
            check(verify(trace(name), "--to", place)["state"] == digest, "%s: the straight run has another state" % name)


INTERRUPT = ("python import os, signal, threading, time; sent = []; "
             "threading.Timer(%f, lambda: (sent.append(time.monotonic()), os.kill(os.getpid(), signal.SIGINT))).start()")
HEARD = "python print('heard after %.0f ms' % ((time.monotonic() - sent[0]) * 1000) if sent else 'over before')"


def interrupt(directory):
    """Ctrl-C at gdb's own prompt while it goes back through a kernel's whole run: it stands where it stood, and goes on."""
    path, _ = kernel()
    at = info(path)["crash"]
    # (A physical watchpoint on a page that is written at each tick: a search that takes its time.)
    points = ["monitor watch phys 0x1000 8", "hbreak *0x1234567"]
    a = talk(directory, path, [*points, INTERRUPT % 0.2, "reverse-continue", HEARD, "monitor when", "x/i $pc", "stepi",
                               "reverse-stepi", "monitor when", INTERRUPT % 0.3, "reverse-continue", HEARD, "monitor when"])
    answers = []
    for i in (3, 11):
        heard = re.search(r"heard after (\d+) ms", a[i + 1])
        if heard is None or HISTORY in a[i]:
            continue  # it had come to the beginning
        check("SIGINT" in a[i], a[i])
        check(icount_of(a[i + 2]) == at, "interrupted it stands at %s, not %d" % (a[i + 2], at))
        answers.append(int(heard.group(1)))
    check(answers, "every search was over before: %s" % a)
    check(icount_of(a[9]) == at or not answers, a[9])
    print("        Ctrl-C heard after %s ms" % ", ".join(map(str, answers)))
    check(max(answers) < 2000, "%s ms" % answers)


def threads(directory):
    """A CPU is a thread that never changes its number; its line has the task and what the CPU does."""
    path, console = kernel()
    comm = re.search(r"CPU: 0 PID: \d+ Comm: (\S+)", console).group(1)
    a = talk(directory, path, ["info threads", "thread 1", "thread 2", "p $_thread", "monitor seek 0", "info threads",
                               "p $_thread", "monitor seek 100%", "info threads"])
    check(re.search(r'\* 1 .*vCPU0: %s.*\(running, CPL 0\)' % re.escape(comm[:15]), a[0]), a[0])
    check("Switching to thread 1" in a[1] and "Unknown thread 2" in a[2] and "= 1" in a[3], a[1:4])
    check("vCPU0" in a[5] and comm not in a[5] and "CPL 0" in a[5] and "= 1" in a[6] and "CPL" in a[8], a[5:])


def false_conditions(directory):
    """One packet each way, however many false ones: gdb's own count of what it sent."""
    a = ask(directory, "stops", ["break hot if n == 777777", "tbreak odd_steps", "continue", "set debug remote 1",
                                 "reverse-continue", "set debug remote 0", "monitor when"])
    check("odd_steps" in a[2] and HISTORY in a[4], a[2:5])
    check(len(re.findall(r"Sending packet: \$bc#", a[4])) == 1, "more than one move: %s" % a[4][-2000:])
    check(icount_of(a[6]) == 0, a[6])


def sections(directory):
    """qCRC: what is in the guest's memory is what the file has."""
    a = ask(directory, "stops", ["compare-sections .text", "compare-sections .rodata"], at="end")
    check("matched" in a[0] and "MIS" not in a[0] and "matched" in a[1], a)


# -- verbs that move behind gdb's back --------------------------------------------------------------------

MOVES = ("seek 20%", "back", "forward", "next io", "prev io", "restart 1", "seek-ticks 5", "replay_seek 30%")


def told_or_silent(directory):
    """A gdb that has our commands sees moves by itself, and nothing is said; a bare one is told what to do."""
    verbs = ["monitor checkpoint", *["monitor " + verb for verb in MOVES], "monitor last-write %#x goto" % 0x200000,
             "monitor seek end"]
    look = ["p/x $pc", FLUSH, "p/x $pc"]
    a = talk(directory, trace("timer"), ["monitor seek 10%", *look, *verbs, *look], at=0)
    check(MOVED not in "".join(a), a)
    for i in (1, -3):
        check(a[i].split("=")[1] == a[i + 2].split("=")[1], "gdb's registers are of another place: %s" % a[i:i + 3])
    with Server(directory, trace("timer"), "--at", 0) as server:
        b = hear(directory, ["gdb"], ["target remote " + server.path, *verbs])
        said = [MOVED in x for x in b[2:]]
        check(said[:8] == [True] * 8 and said[-1], list(zip(verbs[1:], said)))
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "debugger", "gdb", "chronovisor.py")
        c = hear(directory, ["gdb"], ["target remote " + server.path, "source " + script, *verbs])
        check(MOVED not in "".join(c), c)
        d = hear(directory, ["gdb"], ["source " + script, "target remote " + server.path, *verbs])
        check(MOVED not in "".join(d), d)
        e = hear(directory, ["gdb"], ["target remote " + server.path, "monitor seek 5"])
        check(MOVED in e[1], "what one client does is forgotten when it goes: %s" % e)


def watch_after_seek(directory):
    """gdb keeps the value that it saw last, and drops a stop at which it finds the same: behind a seek that would be another
    place's. Every write is told, with its own old value."""
    move = ["continue", "monitor when"]
    a = ask(directory, "stops", ["watch many", *move, "monitor seek 0", *move, "cv seek 0", *move, *move, "monitor seek end",
                                 "reverse-continue", "monitor seek 0", *move, "info breakpoints"])
    first = icount_of(a[2])
    for i in (1, 4, 7, 14):
        check("Old value = 0" in a[i] and "New value = 1" in a[i] and icount_of(a[i + 1]) == first, a[i:i + 2])
    check("Old value = 1" in a[9] and "New value = 3" in a[9], a[9])
    check("Old value = 5050" in a[12], a[11:13])
    check("already hit 6 times" in a[-1], a[-1])


def halts(directory):
    """Icounts that stop a move, by the names that QEMU and PANDA give them."""
    a = ask(directory, "stops", ["monitor replay_break 5000", "monitor rrbreakpoint 9000", "continue", "monitor when", "continue",
                                 "monitor when", "monitor info replay", "continue", "reverse-continue", "monitor when",
                                 "monitor replay_delete_break 5000", "reverse-continue", "monitor when",
                                 "monitor replay_delete_break 5000", "monitor replay_break", "monitor replay_break 99%%",
                                 "monitor replay_delete_break", "continue"])
    check("SIGTRAP" in a[2] and "Stop at icount 5000" in a[2] and icount_of(a[3]) == 5000, a[:4])
    check(icount_of(a[5]) == 9000 and re.findall(r"moves stop at icount (\d+)", a[6]) == ["5000", "9000"], a[4:7])
    check(HISTORY in a[7] and icount_of(a[9]) == 9000, a[7:10])
    check(HISTORY in a[11] and icount_of(a[12]) == 0, a[10:13])
    check("No move stops" in a[13] and "Write an icount" in a[14] and "99%%" in a[15], a[13:16])
    check("No icount stops" in a[16] and HISTORY in a[17], a[16:])


def breakpoints_survive(directory):
    """Questions and searches arm other stops; those of gdb, and of the monitor, are as they were afterwards."""
    questions = ["monitor query calls 0x%x" % 0x100000, "monitor query events io --limit 3", "monitor query last-write 0x200000",
                 "monitor query values 0x200000:4", "monitor query console", "monitor query when --to 100", "monitor query marks",
                 "monitor last-write 0x200000", "monitor last-read 0x200000", "monitor console", "monitor verify",
                 "monitor seek 40%", "monitor back", "monitor kaslr find"]
    setup = ["break write_many", "break hot if n == 7", "watch silent", "monitor watch phys 0x300000 4"]
    moves = ["continue", "monitor when"] * 6
    back = ["reverse-continue", "monitor when"] * 6
    plain = ask(directory, "stops", [*setup, *moves, *back])
    asked = ask(directory, "stops", [*setup, *[c for move in (*moves, *back) for c in
                                               ([move] if move == "monitor when" else [*questions, move])]])
    wanted = [x for c, x in zip([*setup, *moves, *back], plain) if c.startswith("monitor when")]
    got = [x for x in asked if x.startswith("Position:")]
    got = [x for i, x in enumerate(got) if (i + 1) % 3 == 0]  # two of each three are of the questions' own moves
    check([icount_of(x) for x in wanted] == [icount_of(x) for x in got], (wanted, got))
    check(len({icount_of(x) for x in wanted}) > 4, wanted)


def console_and_verify(directory):
    """What was printed up to here; the whole run against its digests, from anywhere."""
    a = ask(directory, "calls", ["monitor console", "monitor seek 50%", "monitor console", "monitor verify", "monitor when",
                                 "monitor console no such line", "monitor console \"x", "monitor query console"], at="end")
    lines = [line for line in a[0].splitlines() if line.startswith("step ")]
    check(lines and lines == a[7].splitlines(), (a[0], a[7]))
    check(len([x for x in a[2].splitlines() if x.startswith("step ")]) <= len(lines), a[2])
    end = info(trace("calls"))["end"]["icount"]
    check("Exact, up to the end at icount %d" % end in a[3] and icount_of(a[4]) == end // 2, a[3:5])
    check(a[5].strip() == "" and "without quotes" in a[6], a[5:7])


try:
    case("traps: 1000 back, 1000 forward", thousand)
    case("traps: Ctrl-C in reverse-continue", interrupt)
    case("traps: threads", threads)
    case("traps: false conditions in one packet", false_conditions)
    case("traps: compare-sections", sections)
    case("monitor: moves are told, or seen", told_or_silent)
    case("monitor: a watchpoint behind a seek", watch_after_seek)
    case("monitor: icounts that stop a move", halts)
    case("monitor: breakpoints survive questions", breakpoints_survive)
    case("monitor: console and verify", console_and_verify)
finally:
    shutil.rmtree(HERE, ignore_errors=True)
finish()
