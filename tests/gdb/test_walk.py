#!/usr/bin/env python3
"""The walks of docs/debugging.md, run as they stand there: every command, every line of every answer.

A section is its code blocks in order. "$ " begins a shell command, "(gdb) " a command of the gdb that the last
`chronovisor debug` started; what follows is the answer. "..." stands for any text, alone on a line for any lines.
Addresses and icounts are compared as such, not by value. Run one alone: tests/gdb/test_walk.py null
"""
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dialogue import CV, check, hear, icount_of, talk  # noqa: E402
from cvtest import GUESTS, TOP, Skip, case, finish, info  # noqa: E402

PAGE = os.path.join(TOP, "docs", "debugging.md")
DEBUG = "chronovisor debug "
ADDRESS = re.compile(r"0xffff[0-9a-f]{12}\b|0x0000000030[0-9a-f]{6}\b|0x[0-9a-f]{8}\b")
ICOUNT = re.compile(r"icount \d+ of \d+ \(\d+%\)")


def section(title):
    """[(is of gdb, command, [line of the answer])] of a section of the page."""
    text = open(PAGE, encoding="utf-8").read()
    m = re.search(r"^#+ %s\n(.*?)(?=^##|\Z)" % re.escape(title), text, re.M | re.S)
    check(m, "the page has no section \"%s\"" % title)
    steps = []
    for block in re.findall(r"^```\n(.*?)^```$", m.group(1), re.M | re.S):
        for line in block.splitlines():
            start = re.match(r"(\$|\(gdb\)) (.*)", line)
            if start:
                steps.append((start.group(1) != "$", start.group(2), []))
            else:
                steps[-1][2].append(line)
    return steps


def plain(line):
    return ICOUNT.sub("icount #", ADDRESS.sub("0x#", line)).rstrip()


def compare(command, wanted, found):
    """Line by line; blank lines and warnings aside."""
    lines = [plain(line) for line in found.splitlines()]
    lines = [line for line in lines if line and not line.startswith("warning: ")]
    pattern = ""
    for line in wanted:
        if line == "...":
            pattern += r"(?:.*\n)*?"
        elif line:
            pattern += r".*".join(re.escape(part) for part in plain(line).split("...")) + r"\n"
    check(re.fullmatch(pattern, "".join(line + "\n" for line in lines)),
          "%s\n-- the page says:\n%s\n-- it says:\n%s" % (command, "\n".join(wanted), found))


def prepare(directory):
    """The directory that the walks start in, and the environment of their shell."""
    if not os.path.exists(os.path.join(GUESTS, "initrd-walk.cpio.gz")):
        raise Skip("no guest in %s: tests/support/guests.sh makes it" % GUESTS)
    sources = glob.glob(os.path.join(TOP, "tests", "guest", "module", "walk_*.c"))
    sources += glob.glob(os.path.join(TOP, "tests", "guest", "program", "walk_*.c"))
    sources += glob.glob(os.path.join(GUESTS, "walk_*"))
    for name in [*sources, os.path.join(GUESTS, "vmlinuz-cloud"), os.path.join(GUESTS, "initrd-walk.cpio.gz")]:
        os.symlink(os.path.abspath(name), os.path.join(directory, os.path.basename(name)))
    return dict(os.environ, PATH=os.path.dirname(CV) + ":" + os.environ["PATH"])


def where_loaded(directory, command):
    """The page's addresses are those of its own recording; the guest of this one printed others."""
    m = re.match(r"add-symbol-file walk_(\w+)\.ko ", command)
    if not m:
        return command
    text = open(os.path.join(directory, m.group(1) + ".txt"), errors="replace").read()
    return re.search(r"add-symbol-file .*[^\r\n]", text).group(0)


def shell(directory, env, command):
    p = subprocess.run(["sh", "-c", command], cwd=directory, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=300)
    return p.stdout.decode(errors="replace")


def walk(directory, title):
    env = prepare(directory)
    here = os.getcwd()
    steps = section(title)
    first = [i for i, step in enumerate(steps) if step[1].startswith(DEBUG)]
    check(len(first) == 1 and all(step[0] for step in steps[first[0] + 1:]), "one gdb, and it comes last")
    os.chdir(directory)
    try:
        for _, command, wanted in steps[:first[0]]:
            compare(command, wanted, shell(directory, env, command))
        commands = [where_loaded(directory, command) for _, command, _ in steps[first[0] + 1:]]
        program = [CV, *steps[first[0]][1].split()[1:], "--"]
        answers = hear(directory, program, commands)
        for (_, command, wanted), answer in zip(steps[first[0] + 1:], answers):
            compare(command, wanted, answer)
        return answers
    finally:
        os.chdir(here)


def null_pointer(directory):
    walk(directory, "A null pointer")
    trace = os.path.join(directory, "null.cvt")
    os.chdir(directory)
    try:
        # gdb's cache of indexes, filled by the first look, must not cost the second one its lines.
        load = where_loaded(directory, "add-symbol-file walk_null.ko ")
        for _ in range(2):
            answers = talk(directory, trace, [load, "bt 1", "monitor when"])
            check("at walk_null.c:32" in answers[1], answers[1])
        check(icount_of(answers[2]) == info(trace)["crash"], answers[2])
    finally:
        os.chdir(TOP)


def lost_wakeup(directory):
    answers = walk(directory, "A lost wake-up")
    sleep, ring, look = [icount_of(a) for a in answers if "Position" in a]
    check(look < ring < sleep < look + 5000, "looked at %d, rung at %d, slept at %d" % (look, ring, sleep))


case("walk: a null pointer", null_pointer)
case("walk: a use after free", walk, "A use after free")
case("walk: a lost wake-up", lost_wakeup)
case("walk: a heap overrun", walk, "A heap overrun")
finish()
