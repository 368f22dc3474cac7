#!/usr/bin/env python3
"""chronovisor query: what it answers of a guest whose source says what must come out, and of a kernel's boot."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import GUEST, GUESTS, case, check, expect, finish, info  # noqa: E402

ARGUMENTS = [10, 11, 7, *range(50), 3, 3, 4, 7]  # of leaf() in tests/guest/calls.c


def symbols(name):
    out = subprocess.run(["nm", os.path.join(GUEST, name + ".elf64")], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {line.split()[2]: "0x" + line.split()[0] for line in out.splitlines() if len(line.split()) == 3}


def record(directory, name):
    trace = os.path.join(directory, name + ".cvt")
    expect(1, "record", "--kernel", os.path.join(GUEST, name), "--memory", "16M", "--pace", "fast", "-o", trace)
    return trace


def ask(trace, *words, code=0):
    out, err = expect(code, "query", trace, *words, "--json")
    return [json.loads(line) for line in out.decode().splitlines()] if code == 0 else err


def calls(directory):
    """Every call of a function, with its arguments; conditions; text of one's own."""
    trace = record(directory, "calls")
    at = symbols("calls")
    rows = ask(trace, "calls", at["leaf"])
    check([int(r["args"][0], 16) for r in rows] == ARGUMENTS, rows)
    check(all(r["rip"] == hex(int(at["leaf"], 16)) for r in rows), "where leaf begins")
    check([r["icount"] for r in rows] == sorted({r["icount"] for r in rows}), "in order, each once")
    sevens = ask(trace, "calls", at["leaf"], "--if", "rdi == 7 && cr3 != 1")
    check([r["icount"] for r in sevens] == [r["icount"] for r, n in zip(rows, ARGUMENTS) if n == 7], sevens)
    text = ask(trace, "printf", at["leaf"], "n=%d total=%lu", "rdi", "u64[%s]" % at["total"])
    totals = [sum(2 * n for n in ARGUMENTS[:i]) for i in range(len(ARGUMENTS))]
    check([r["text"] for r in text] == ["n=%d total=%d" % p for p in zip(ARGUMENTS, totals)], text[:3])
    check(ask(trace, "calls", at["leaf"], "--limit", "3") == rows[:3], "a limit")
    middle = str(rows[30]["icount"])
    check(ask(trace, "calls", at["leaf"], "--to", middle) + ask(trace, "calls", at["leaf"], "--from", middle) == rows,
          "two halves are the whole")


def values(directory):
    """The history of a variable, by whatever address it is written; the last writer."""
    trace = record(directory, "calls")
    at = symbols("calls")
    rows = ask(trace, "values", at["total"])
    check([int(r["after"], 16) - int(r["before"], 16) for r in rows] == [2 * n for n in ARGUMENTS if n != 0],
          "each change once, no silent store: %s" % rows[:3])
    last = ask(trace, "last-write", at["total"])
    check(last == rows[-1:], (last, rows[-1]))
    for i in (0, 1, 27, len(rows) - 1):
        before = ask(trace, "last-write", at["total"], "--to", str(rows[i]["icount"]), code=0 if i > 0 else 66)
        check(i == 0 or before == [rows[i - 1]], (i, before))
    where = ask(trace, "when", "--to", str(rows[5]["icount"]))[0]
    check(where["rip"] == rows[5]["rip"], "a row tells the writer: %s, %s" % (where, rows[5]))
    low = ask(trace, "values", at["total"] + ":1")
    check(len(low) <= len(rows) and all(len(r["after"]) <= 4 for r in low), low[:3])
    # bytes in two pages; a store of the value that is there
    trace = record(directory, "stops")
    at = symbols("stops")
    over = "%#x" % (int(at["pages"], 16) + 4092)
    rows = ask(trace, "values", over)
    check([int(r["after"], 16) for r in rows] == [1 << 24, (2 << 32) + (1 << 24), 0x1122334455667788], rows)
    check(ask(trace, "last-write", over) == rows[-1:], rows)
    silent = ask(trace, "values", at["silent"])
    last = ask(trace, "last-write", at["silent"])[0]
    check([int(r["after"], 16) for r in silent] == [7, 8], silent)
    check(last["icount"] > silent[-1]["icount"] and last["before"] == last["after"] == silent[-1]["after"], (last, silent))


def console(directory):
    """Lines of the console and the place where each began; the same of a kernel's boot."""
    trace = record(directory, "calls")
    printed = [line for line in expect(0, "replay", trace, "--console")[0].decode().replace("\r", "").split("\n") if line]
    rows = ask(trace, "console")
    check([r["text"] for r in rows] == printed, (rows, printed))
    kernel = os.path.join(directory, "k.cvt")
    expect(0, "record", "--kernel", os.path.join(GUESTS, "vmlinuz-cloud"), "--initrd", os.path.join(GUESTS, "initrd-init.cpio.gz"),
           "--memory", "256M", "--append", "console=ttyS0 panic=-1", "--pace", "fast", "-o", kernel)
    out = expect(0, "replay", kernel, "--console")[0].decode(errors="replace").replace("\r", "")
    printed = [line for line in out.split("\n") if line]
    rows = ask(kernel, "console")
    check(len(rows) == len(printed) and len(rows) > 100, (len(rows), len(printed)))
    check([r["text"][:40] for r in rows] == [line[:40] for line in printed], "the lines")
    found = ask(kernel, "console", "INIT:")
    check(len(found) == 1 and found[0] in rows, found)
    up_to = expect(0, "replay", kernel, "--console", "--to", str(found[0]["icount"]))[0].decode(errors="replace")
    check("INIT:" not in up_to and up_to.endswith("\n"), up_to[-80:])


def events(directory):
    """Events by class: system calls, faults and interrupts of a guest with programs; ports."""
    trace = record(directory, "user")
    everything = ask(trace, "events", "all")
    kinds = {r["event"] for r in everything}
    check({"syscall", "exc", "io"} <= kinds, kinds)
    for name in ("irq", "exc", "pf", "syscall", "cr3", "io", "mmio", "console"):
        rows = ask(trace, "events", name)
        check(all(r["event"] == name for r in rows), rows[:3])
        steps = {r["icount"] for r in everything}
        check({r["icount"] for r in rows} <= steps, name)
    check(all(int(r["detail"], 16) == 14 for r in ask(trace, "events", "exc") if r["icount"] in
              {p["icount"] for p in ask(trace, "events", "pf")}), "a page fault is vector 14")
    two = ask(trace, "events", "syscall,cr3")
    check([r["icount"] for r in two] == sorted({r["icount"] for n in ("syscall", "cr3") for r in ask(trace, "events", n)}), two[:3])


def bad_questions(directory):
    """One line, the right code, and nothing on stdout."""
    trace = record(directory, "calls")
    at = symbols("calls")["leaf"]
    end = info(trace)["end"]["icount"]
    for code, words in ((64, []), (64, ["what"]), (64, ["calls"]), (64, ["calls", "leaf"]), (64, ["calls", at, "more"]),
                        (64, ["calls", at, "--if", "rdi =="]), (64, ["values", "0x1000:65"]), (64, ["values", "0x1000:0"]),
                        (64, ["values", "0xfffffffffffffffc:8"]), (64, ["events"]), (64, ["events", "irq,foo"]), (64, ["printf", at]),
                        (64, ["printf", at, "%d"]), (64, ["last-write", "-1"]), (66, ["values", "0xffff900000000000"]),
                        (66, ["last-write", "0xfee00000", "--phys"]), (66, ["when", "--to", "mark:none"]),
                        (66, ["calls", at, "--from", str(end + 1)]), (64, ["calls", at, "--from", "9", "--to", "3"])):
        out, err = expect(code, "query", trace, *words)
        check(out == b"" and err.count("\n") == 1, (words, out, err))


case("query: calls", calls)
case("query: values", values)
case("query: console", console)
case("query: events", events)
case("query: bad questions", bad_questions)
finish()
