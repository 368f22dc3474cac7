#!/usr/bin/env python3
"""lint.py - the rules that no reviewer should have to remember; prints each breach, then "N passed, N failed, N skipped"."""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.chdir(TOP)
BUILD = os.path.join("build", os.environ.get("CV_MODE", "release"))
ROOMS = ("core", "record", "debugger", "app", "ui")
MAX_C, MAX_H = 800, 400
passed = failed = 0


def sources(ends):
    for room in ROOMS:
        for directory, _, names in os.walk(room):
            for name in sorted(names):
                if name.endswith(ends):
                    yield os.path.join(directory, name)


def rows(name):
    with open(os.path.join("tests/lint", name)) as f:
        return [line.strip() for line in f if line.strip() and not line.startswith("#")]


def rule(name, breaches):
    global passed, failed
    if breaches:
        failed += 1
        print("FAILED  lint %s" % name)
        for b in breaches[:40]:
            print("        %s" % b)
    else:
        passed += 1
        print("ok      lint %s" % name)


def floors():
    table = {}
    for row in rows("floors.txt"):
        directory, allowed = row.split(":", 1)
        table[directory.strip()] = allowed.split()
    out = []
    for path in sources((".c", ".h")):
        directory = os.path.dirname(path)
        allowed = table.get(directory)
        if allowed is None:
            out.append("%s: its directory is not in tests/lint/floors.txt" % path)
            continue
        for line in open(path, errors="replace"):
            m = re.match(r'\s*#include "([^"]+)"', line)
            if not m:
                continue
            target = m.group(1)
            ok = os.path.dirname(target) in (directory, "") or any(
                target == a or target.startswith(a + "/") for a in allowed)
            if not ok:
                out.append("%s includes %s" % (path, target))
    return out


def headers():
    out = []
    flags = subprocess.run(["pkg-config", "--cflags", "json-glib-1.0"], stdout=subprocess.PIPE, text=True).stdout.split()
    for path in sources((".h",)):
        p = subprocess.run(["gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I.", "-D_GNU_SOURCE", *flags,
                            "-fsyntax-only", "-x", "c", "-"], input='#include "%s"\n' % path, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if p.returncode != 0:
            out.append("%s does not compile alone: %s" % (path, p.stdout.splitlines()[0]))
        text = open(path).read()
        if not re.match(r"/\*\n \* \S+\.h - ", text):
            out.append("%s has no opening block" % path)
    return out


def sizes():
    exempt = {row.split()[0] for row in rows("sizes.txt")}
    out = []
    for path in sources((".c", ".h")):
        n = sum(1 for _ in open(path, errors="replace"))
        limit = MAX_H if path.endswith(".h") else MAX_C
        if n > limit and path not in exempt and not os.path.basename(path).startswith("tables_"):
            out.append("%s: %d lines (limit %d)" % (path, n, limit))
        if re.search(r"/(util|misc|common)\.[ch]$", path):
            out.append("%s: a name that says nothing" % path)
    return out


def functions():
    """No function past 60 lines but those listed with their reason."""
    exempt = {row.split()[0] for row in rows("sizes.txt")}
    out = []
    for path in sources((".c",)):
        start, name, last = None, "", ""
        for number, line in enumerate(open(path, errors="replace"), 1):
            if line.startswith("{"):
                start, name = number, last
            elif line.startswith("}") and start is not None:
                if number - start - 1 > 60 and "%s:%s" % (path, name) not in exempt:
                    out.append("%s: %s has %d lines" % (path, name, number - start - 1))
                start = None
            m = re.search(r"(\w+)\(", line)
            if m and not line.startswith((" ", "\t", "#", "/")):
                last = m.group(1)
    return out


def library_doors():
    doors = {"Zydis": ("tests/", "debugger/disas.c"), "lz4": ("record/lz4.c",), "seccomp": ("app/engine/sandbox.c",),
             "json-glib": ("app/",), "elfutils": ("debugger/symbols.c",), "libelf": ("debugger/symbols.c",),
             "gelf": ("debugger/symbols.c",), "pthread": ("app/engine/", "app/host/", "ui/")}
    out = []
    for path in sources((".c", ".h")):
        for line in open(path, errors="replace"):
            m = re.match(r"\s*#include <([^>]+)>", line)
            if not m:
                continue
            for library, allowed in doors.items():
                if m.group(1).lower().startswith(library.lower()) and not path.startswith(allowed):
                    out.append("%s includes <%s>" % (path, m.group(1)))
    return out


def core_objects():
    for directory, _, names in os.walk(os.path.join(BUILD, "core")):
        for name in sorted(names):
            if name.endswith(".o"):
                yield os.path.join(directory, name)


def core_symbols():
    allowed = re.compile("^(%s)$" % "|".join(rows("symbols.txt")))
    defined, needed = set(), {}
    for o in core_objects():
        for line in subprocess.run(["nm", o], stdout=subprocess.PIPE, text=True).stdout.splitlines():
            parts = line.split()
            if len(parts) == 2 and parts[0] == "U":
                needed.setdefault(parts[1], o)
            elif len(parts) == 3:
                defined.add(parts[2])
    return ["%s uses %s" % (o, s) for s, o in sorted(needed.items())
            if s not in defined and not allowed.match(s)]


def core_state():
    """No mutable file-scope variable: nothing in .data or .bss."""
    out = []
    for o in core_objects():
        for line in subprocess.run(["nm", o], stdout=subprocess.PIPE, text=True).stdout.splitlines():
            parts = line.split()
            if len(parts) == 3 and parts[1] in "dDbBC" and not parts[2].startswith((".", "__")):
                section = subprocess.run(["objdump", "-t", o], stdout=subprocess.PIPE, text=True).stdout
                where = [l for l in section.splitlines() if l.endswith(" " + parts[2])]
                if where and ".data.rel.ro" in where[0]:
                    continue
                out.append("%s: %s is mutable" % (o, parts[2]))
    return out



def core_instructions():
    """No host time, randomness or identity, and no vector register, in core's own code."""
    out = []
    exempt = {os.path.join(BUILD, row.split()[0][:-2] + ".o") for row in rows("vector.txt")}
    for o in core_objects():
        text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", o], stdout=subprocess.PIPE, text=True).stdout
        for line in text.splitlines():
            m = re.match(r"\s*[0-9a-f]+:\t(\S+)\s*(.*)", line)
            if not m:
                continue
            name, args = m.groups()
            if re.match(r"^(rdtscp?|rdrand|rdseed|cpuid|syscall|sysenter|int|int3|inb|outb|inl|outl|hlt|rdpmc)$", name):
                out.append("%s: %s" % (o, line.strip()))
            elif o not in exempt and re.search(r"%[xyz]mm\d+|%mm\d", args):
                out.append("%s: %s" % (o, line.strip()))
    return out


def words():
    bad = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    out = []
    for path in sources((".c", ".h")):
        for number, line in enumerate(open(path, errors="replace"), 1):
            if bad.search(line):
                out.append("%s:%d: %s" % (path, number, line.strip()))
    return out


def documented():
    """docs/cpu.md tells of every operation how it is proved."""
    ops = set(re.findall(r"X\((\w+)\)", open("core/decode/op.h").read())) - {"name"}
    words_there = set(re.findall(r"\w+", open("docs/cpu.md").read()))
    return ["docs/cpu.md: %s is missing" % op for op in sorted(ops - words_there)]


def executable():
    """What tests/run.sh starts by its name."""
    names = re.findall(r"^\s*script (\S+)", open("tests/run.sh").read(), re.M)
    return ["%s cannot be executed" % name for name in names if not os.access(name, os.X_OK)]


rule("floors", floors())
rule("headers compile alone and open with a block", headers())
rule("sizes and names", sizes())
rule("functions of at most 60 lines", functions())
rule("one door a library", library_doors())
rule("core takes nothing from libc", core_symbols())
rule("core keeps no file-scope state", core_state())
rule("core has no forbidden instruction", core_instructions())
rule("no unfinished business", words())
rule("docs/cpu.md names every operation", documented())
rule("test scripts are executable", executable())
print("%d passed, %d failed, 0 skipped" % (passed, failed))
sys.exit(1 if failed else 0)
