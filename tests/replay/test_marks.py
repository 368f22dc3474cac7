#!/usr/bin/env python3
"""What a guest's console tells of its troubles becomes marks while it is recorded; a replay finds the very same ones."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import (AXES, GUEST, GUESTS, Skip, case, check, expect, finish, info, kill_all, read_until, run,  # noqa: E402
                    start, verify)

REPORTS = ["--kernel", os.path.join(GUEST, "bad", "reports"), "--memory", "16M", "--pace", "fast"]
PATTERN = "said (all|nothing)"
EXCEPTIONS = ("exception", "pvpanic", "triple fault")


def console_marks(marks):
    return [m for m in marks if m["kind"] not in EXCEPTIONS]


def replayed(trace, *more):
    out, _ = expect(0, "replay", trace, "--marks", "--json", *more)
    return json.loads(out)["marks"]


def line_at(trace, mark):
    """The last line that is on the console at the mark, without its end."""
    out, _ = expect(0, "replay", trace, "--console", "--to", mark["icount"])
    return out.decode(errors="replace").rsplit("\n", 1)[-1].rstrip("\r")


def guest(directory):
    """Thousands of reports leave the first few and what comes behind them; on every axis a replay finds these."""
    trace = os.path.join(directory, "t.cvt")
    expect(0, "record", *REPORTS, "--mark-pattern", PATTERN, "-o", trace)
    marks = info(trace)["marks"]
    names = [m["name"].split(" ")[0] for m in marks]
    check(names == ["oops-%d" % n for n in range(1, 65)] + ["hung-task-1", "panic-1", "pattern-1"], names)
    check("crash" not in info(trace), "text is no crash")
    for mark, text in ((marks[0], "[    1.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008"),
                       (marks[-2], "an unfinished line: [    3.000000] Kernel panic - not syncing: enough"),
                       (marks[-1], "said all")):
        check(line_at(trace, mark) == text, "%s: %r" % (mark, line_at(trace, mark)))
    for name, axis in AXES.items():
        found = replayed(trace, "--mark-pattern", PATTERN, *axis)
        check(found == marks, "axis %s: %s" % (name, found))
    check(replayed(trace) == marks[:-1], "without the pattern")
    again = os.path.join(directory, "u.cvt")
    expect(0, "record", *REPORTS, "--mark-pattern", PATTERN, "-o", again)
    check(info(again)["marks"] == marks, "a second recording")
    text, _ = expect(0, "info", trace)
    check(re.search(rb"^mark +step %d, oops-64 BUG: kernel" % marks[63]["icount"], text, re.M), text)
    text, _ = expect(0, "replay", trace, "--marks", "--to", "mark:oops-2")
    check(expect(0, "replay", trace, "--mark-pattern", "^said")[0].count(b" pattern-") == 1, "the pattern alone")
    check(text.count(b"mark") == 1 and b"oops-1 " in text, text)


def names(directory):
    trace = os.path.join(directory, "t.cvt")
    expect(0, "record", *REPORTS, "-o", trace)
    marks = info(trace)["marks"]
    for name, mark in (("oops-1", marks[0]), ("oops-10", marks[9]), (marks[4]["name"], marks[4]), ("panic-1", marks[-1])):
        out, _ = expect(0, "replay", trace, "--json", "--to", "mark:" + name)
        check(json.loads(out)["icount"] == mark["icount"], name)
    for name in ("oops", "oops-", "oops-65", "BUG", "panic-1 "):
        rc, out, err = run("replay", trace, "--to", "mark:" + name)
        check(rc == 66 and "has no mark" in err, "%s: %d %s" % (name, rc, err))


def patterns(directory):
    """A pattern that is none is refused, and no trace is left."""
    trace = os.path.join(directory, "t.cvt")
    for pattern in ("(", "a{3", "(a)\\1", "x" * 241, "x" * 400):
        rc, out, err = run("record", *REPORTS, "--mark-pattern", pattern, "-o", trace)
        check(rc == 64 and "pattern" in err and err.count("\n") == 1, "%d %s" % (rc, err))
        check(not os.path.exists(trace), "a trace is left")


def cut(directory):
    """Marks are in the trace as they happen: kill -9 loses none."""
    trace = os.path.join(directory, "t.cvt")
    p = start("record", *REPORTS[:-1], "real", "-o", trace)
    read_until(p.stdout.fileno(), b"said all")
    p.stdin.write(b"x")
    p.stdin.flush()
    whole = os.path.join(directory, "u.cvt")
    expect(0, "record", *REPORTS, "-o", whole)  # meanwhile the other one has come to rest
    kill_all(p)
    check(info(trace, code=4)["marks"] == info(whole)["marks"], info(trace, code=4)["marks"])


def kernel(directory, walk, wanted):
    """A real kernel in trouble."""
    image = os.path.join(GUESTS, "vmlinuz-cloud")
    initrd = os.path.join(GUESTS, "initrd-walk.cpio.gz")
    if not os.path.exists(image) or not os.path.exists(initrd):
        raise Skip("no kernel in %s: tests/support/guests.sh makes it" % GUESTS)
    trace = os.path.join(directory, "t.cvt")
    expect(0, "record", "--kernel", image, "--initrd", initrd, "--memory", "256M", "--append",
           "console=ttyS0 panic=-1 walk=" + walk, "--pace", "fast", "--mark-pattern", "^[a-z]+\\(\\): ", "-o", trace)
    marks = info(trace)["marks"]
    check([m["name"].split(" ")[0] for m in console_marks(marks)] == wanted, marks)
    check(replayed(trace, "--mark-pattern", "^[a-z]+\\(\\): ") == console_marks(marks), "the replay's are others")
    check(verify(trace)["result"] == "exact", "verify")
    check(marks == sorted(marks, key=lambda m: m["icount"]), "not in order")


def trouble(directory, what, words, wanted, text):
    """What Debian's cloud kernel's own watchdogs find is a mark at the very byte that ends their line, in the recording
    and in replays of it."""
    image = os.path.join(GUESTS, "vmlinuz-cloud")
    initrd = os.path.join(GUESTS, "initrd-trouble.cpio.gz")
    if not os.path.exists(image) or not os.path.exists(initrd):
        raise Skip("no kernel in %s: tests/support/guests.sh makes it" % GUESTS)
    trace = os.path.join(directory, "t.cvt")
    console, _ = expect(0, "record", "--kernel", image, "--initrd", initrd, "--memory", "256M", "--append",
                        "console=ttyS0 panic=-1 trouble=%s %s" % (what, words), "--pace", "fast", "-o", trace)
    console = console.decode(errors="replace")
    marks = info(trace)["marks"]
    check([m["kind"] for m in marks] == [wanted] * len(marks) and marks, marks)
    said = [line.rstrip("\r") for line in console.split("\n") if re.search(text, line)]
    check(len(said) == len(marks), "%s on the console, %s marked" % (said, marks))
    for mark, line in list(zip(marks, said))[:2]:
        check(line_at(trace, mark) == line, "%s: %r" % (mark, line_at(trace, mark)))
        out, _ = expect(0, "replay", trace, "--console", "--to", mark["icount"] + 1)
        check(out.decode(errors="replace").endswith(line + "\r\n"), "one step behind %s: %r" % (mark, out[-200:]))
    check(replayed(trace) == marks, "the replay's are others")
    check(verify(trace)["result"] == "exact", "verify")


case("marks: a flood of reports", guest)
case("marks: names", names)
case("marks: patterns", patterns)
case("marks: kill -9", cut)
case("marks: a kernel's oops", kernel, "null", ["oops-1"])
case("marks: a kernel's general protection fault", kernel, "uaf", ["oops-1"])
case("marks: a kernel's hung task", kernel, "wakeup", ["hung-task-1", "hung-task-2"])
case("marks: a kernel's watchdog: soft lockup", trouble, "lockup", "watchdog_thresh=1", "lockup",
     r"^\[.*\] watchdog: BUG: soft lockup - CPU#0 stuck for \d+s! \[trouble:\d+\]")
case("marks: a kernel's watchdog: RCU stall", trouble, "stall", "nowatchdog rcupdate.rcu_cpu_stall_timeout=3", "rcu-stall",
     r"^\[.*\] rcu: INFO: rcu_\w+ (self-)?detected stall")
case("marks: a kernel's watchdog: hung task", trouble, "hang", "", "hung-task",
     r"^\[.*\] INFO: task trouble:\d+ blocked for more than \d+ seconds")
case("marks: a program's last words", kernel, "heap", ["pattern-1"])
finish()
