#!/usr/bin/env python3
"""System and 16-bit instruction classes: the same multiboot guest on QEMU's TCG, on our translator and on our interpreter.

Each prints a hash line per group of cases; all three must agree. A group that does not is printed case by case, both outcomes in
full. Where QEMU is known to deviate from the manual, the guest prints the manual's outcome instead (peer=qemu): those cases are
counted as masked. The same image is recorded and verified under every axis.

Run one class alone: tests/diff/system/run.py vm86
"""
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "support"))
from cvtest import AXES, CV, TOP, Skip, case, check, expect, finish, verify  # noqa: E402

QEMU = shutil.which("qemu-system-x86_64")
OUT = os.path.join(TOP, "build", "diff")
GUEST = os.path.join(OUT, "system")
# The features of docs/decisions/0001 as far as TCG has them: no VME, no protection keys, no 57-bit addresses.
CPU = "max,vendor=GenuineIntel,-vme,-pku,-pks,-la57,-svm,phys-bits=40"
SHOWN = 3
# A class that stands on a part of the core which this tree may not have: skipped without the file, run with it.
REAL, TASK = "core/system/real.c", "core/system/task.c"
NEEDS = {"segment": REAL, "io": REAL, "compat": REAL, "ring0": REAL, "protected16": REAL, "real16": REAL, "unreal": REAL,
         "vm86": REAL, "step": REAL, "step86": REAL, "task": TASK}
counted = {"cases": 0, "masked": 0}


def class_names():
    """The class table, in its order."""
    text = open(os.path.join(HERE, "classes.c")).read().split("classes[] = {")[1]
    return [line.split('"')[1] for line in text.splitlines() if line.strip().startswith('{"')]


def lacks(name):
    """The file of the core that this class waits for; None: nothing."""
    file = NEEDS.get(name)
    return file if file and not os.path.exists(os.path.join(TOP, file)) else None


def qemu(append):
    p = subprocess.run([QEMU, "-accel", "tcg", "-cpu", CPU, "-m", "16", "-display", "none", "-serial", "stdio", "-monitor",
                        "none", "-no-reboot", "-net", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", GUEST,
                        "-append", "peer=qemu " + append], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=900)
    return p.stdout.decode(errors="replace").replace("\r", ""), p.stderr.decode(errors="replace")[-400:]


def ours(append, *more):
    p = subprocess.run([CV, "run", "--kernel", GUEST, "--memory", "16M", "--pace", "fast", "--append", append, *more],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=900)
    return p.stdout.decode(errors="replace").replace("\r", ""), p.stderr.decode(errors="replace")[-400:]


def groups(text):
    """{(class, from-to): (hash, masked)}"""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 5 and words[3] == "masked":
            found[(words[0], words[1])] = (words[2], int(words[4]))
    return found


def cases(text):
    """{number: its lines} of verbose output."""
    found, lines = {}, None
    for line in text.splitlines():
        if line.startswith("case "):
            lines = found[int(line.split()[2])] = [line]
        elif lines is not None and line.startswith(" "):
            lines.append(line)
    return found


def show_difference(name, span, run_theirs, run_ours):
    """Prints the first cases of a group whose outcomes differ; returns how many differ."""
    first, last = span.split("-")
    append = "class=%s from=%s to=%d verbose" % (name, first, int(last) + 1)
    theirs, mine = cases(run_theirs(append)[0]), cases(run_ours(append)[0])
    different = 0
    for number in sorted(theirs):
        a, b = theirs[number], mine.get(number, ["ended before this case"])
        if [line.split(" by rule")[0] for line in a] == b:
            continue
        different += 1
        if different <= SHOWN:
            same_memory = {line for line in a if line.startswith(" memory")} & set(b)
            for side, lines in ("expected", a), ("ours", b):
                print("--- %s\n%s" % (side, "\n".join(line for line in lines if line not in same_memory)), flush=True)
    return different


def compare(name, what, theirs, run_theirs, *more):
    start = time.monotonic()
    text, err = ours("class=" + name, *more)
    spent = time.monotonic() - start
    mine = groups(text)
    bad = [key for key in theirs if mine.get(key, ("absent",))[0] != theirs[key][0]]
    for key in bad[:2]:
        print("%s %s: %d cases differ from %s" %
              (name, key[1], show_difference(name, key[1], run_theirs, lambda a: ours(a, *more)), what), flush=True)
    check(not bad, "%d of %d groups differ from %s; ours said: %s" % (len(bad), len(theirs), what, err))
    check("guest exit 0" in err, err)
    return spent


def one_class(directory, name):
    start = time.monotonic()
    if QEMU is None:
        raise Skip("qemu-system-x86_64 is not installed (tests/support/deps.sh qemu-system-x86)")
    if lacks(name):
        raise Skip("%s is not in this tree" % lacks(name))
    text, err = qemu("class=" + name)
    peer = time.monotonic() - start
    theirs = groups(text)
    check(theirs and "end of " in text, "QEMU did not come to the end: %s" % err)
    cases_run = sum(int(span.split("-")[1]) - int(span.split("-")[0]) + 1 for _, span in theirs)
    masked = sum(value[1] for value in theirs.values())
    translated = compare(name, "QEMU", theirs, qemu)
    interpreted = compare(name, "QEMU", theirs, qemu, "--interpreter")
    counted["cases"] += cases_run
    counted["masked"] += masked
    print("        %s: %d cases, %d by the manual's rule; seconds: qemu %.1f, translated %.1f, interpreted %.1f" %
          (name, cases_run, masked, peer, translated, interpreted), flush=True)


def axes_agree(directory):
    """The first cases of every class: recorded, and verified to equal digests under every axis."""
    trace = os.path.join(directory, "t.cvt")
    append = "to=96 class=" + ",".join(name for name in class_names() if not lacks(name))
    out, err = expect(1, "record", "--kernel", GUEST, "--memory", "16M", "--pace", "fast", "--append", append, "-o", trace)
    live = ours(append)[0]
    check(groups(live) == groups(out.decode(errors="replace")), "live output differs from recorded")
    first = None
    for axis, options in AXES.items():
        result = verify(trace, *options)
        check(result["result"] == "exact", axis)
        first = first or result
        check(result == first, "%s: %s, not %s" % (axis, result, first))


subprocess.run([os.path.join(HERE, "build.sh"), OUT], check=True)
for class_name in class_names():
    case("system class %s" % class_name, one_class, class_name)
case("system classes under every axis", axes_agree)
print("%d cases compared with QEMU, %d of them by the manual's rule (QEMU deviates)" % (counted["cases"], counted["masked"]))
finish()
