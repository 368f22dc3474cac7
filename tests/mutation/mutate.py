#!/usr/bin/env python3
"""Plants sources of nondeterminism in a copy of the program, one at a time, and demands that each is caught and located.

A plant is caught when a trace recorded by the planted program does not replay (under some axis, with the machine's log on, from a
seek, or as a second recording), or when a trace of the sound program does not. It is located when `verify --bisect` names the step
(by its code) or the report names the component that the plant belongs to. The sound program must pass all of the same checks.

tests/mutation/mutate.py [NAME...] runs some plants alone; --list names them.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cvtest  # noqa: E402
from cvtest import AXES, GUEST, TOP, case, check, finish  # noqa: E402
from plants import PLANTS  # noqa: E402
from rsp import Rsp  # noqa: E402

TREE = os.path.join(TOP, "build", "mutation")
BIN = os.path.join(TREE, "b", "chronovisor")
SOUND = os.path.join(TREE, "sound")
INPUT = {"echo": b"one line, and another one that is a good deal longer than sixteen bytes.\n" * 3 + b"."}
ROOMS = ["core", "record", "debugger", "app"]


def make():
    p = subprocess.run(["make", "--no-print-directory", "-C", TREE, "B=b", "b/chronovisor"], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    check(p.returncode == 0, "does not build: %s" % p.stdout[-3000:])


def copy_tree():
    """A copy of the sources; what did not change keeps its time, so that a second run builds little."""
    os.makedirs(TREE, exist_ok=True)
    shutil.copy2(os.path.join(TOP, "Makefile"), TREE)
    for room in ROOMS:
        for folder, _, files in os.walk(os.path.join(TOP, room)):
            into = os.path.join(TREE, os.path.relpath(folder, TOP))
            os.makedirs(into, exist_ok=True)
            for name in files:
                source, target = os.path.join(folder, name), os.path.join(into, name)
                data = open(source, "rb").read()
                if not os.path.exists(target) or open(target, "rb").read() != data:
                    open(target, "wb").write(data)
            for name in set(os.listdir(into)) - set(os.listdir(folder)):
                path = os.path.join(into, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


# -- the checks ----------------------------------------------------------------------------------------------------

class Found(Exception):
    """What a check caught: which check, and where the program says it is."""


def say(check_name, out, err):
    text = (out.decode(errors="replace") + " " + err).strip().splitlines()
    raise Found("%s: %s" % (check_name, text[-1][:300] if text else "no word"))


def run(*args, env=None, stdin=None):
    full = dict(os.environ)
    full.update(env or {})
    p = subprocess.run([cvtest.CV, *map(str, args)], input=stdin or b"", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=900, env=full)
    return p.returncode, p.stdout, p.stderr.decode(errors="replace")


def record(guest, trace, *more):
    if os.path.exists(trace):
        os.remove(trace)
    rc, out, err = run("record", "--kernel", os.path.join(GUEST, guest), "--memory", "16M", "--pace", "fast", "--digest", "fine",
                       "-o", trace, *more, stdin=INPUT.get(guest))
    if rc not in (1, 3):
        say("record (exit %d)" % rc, out, err)
    return out, rc


def bisect(trace, second, *axis):
    """Where two runs part, for the report: empty when they do not."""
    rc, out, err = run("verify", trace, "--bisect", second, "--json", *axis)
    if rc == 3:
        raise Found("bisect: %s" % out.decode().strip())


def compare(guest, trace, name, *axis, env=None):
    rc, out, err = run("verify", trace, "--json", *axis, env=env)
    if rc != 0:
        bisect(trace, trace, *axis)
        say("verify %s (exit %d)" % (name, rc), out, err)
    return json.loads(out)["state"]


def check_axes(guest, trace):
    states = {}
    for name, axis in AXES.items():
        if name != "flush-each-block" or guest == "sources":
            states[name] = compare(guest, trace, name, *axis)
    states["log"] = compare(guest, trace, "with the log on", env={"CV_LOG": "*:trace"})
    states["other environment"] = compare(guest, trace, "in another environment", env={
        "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "MALLOC_PERTURB_": "85", "PADDING": "x" * 3000})
    if len(set(states.values())) != 1:
        raise Found("axes: %s" % states)


def check_second(guest, trace, console):
    """The same machine recorded again, under load of its own threads' timing, says the same."""
    if guest in INPUT:
        return
    second = trace + ".second"
    again = record(guest, second)[0]
    bisect(trace, second)
    if again != console:
        raise Found("second recording: other output")


def check_seeks(guest, trace):
    """Positions reached by travel have the digests of a straight run."""
    socket_path = trace + ".sock"
    p = subprocess.Popen([cvtest.CV, "gdbserver", trace, "--socket", socket_path, "--at", "0"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        if b"listening" not in p.stdout.readline():
            raise Found("seek: the server does not come up: %s" % p.stderr.read().decode(errors="replace")[-200:])
        link = Rsp(socket_path)
        end = int(re.search(r"\d+", link.monitor("when-end")).group(0))
        spots = [end * part // 16 for part in (9, 3, 14, 4, 9, 1, 15, 2, 13)]
        seen = {}
        for spot in spots + spots[::-1]:
            link.monitor("seek-ticks %d" % spot)
            for _ in range(3):
                link.call("bs")
            for _ in range(3):
                link.call("vCont;s:p1.1")
            at = link.icount()
            digest = link.monitor("digest").strip()
            rc, out, err = run("verify", trace, "--json", "--to", at)
            straight = json.loads(out).get("state", "?") if out else "?"
            seen[at] = (digest, straight)
            if straight not in digest:
                raise Found("seek: at %d %r, straight %s" % (at, digest, straight))
    except (EOFError, OSError) as e:
        raise Found("seek: the server went away (%s)" % e)
    finally:
        p.kill()
        p.wait()
        if os.path.lexists(socket_path):  # a server that ended by itself took it along
            os.remove(socket_path)


def check_golden(guest, trace):
    """A trace of the sound program replays."""
    compare(guest, os.path.join(SOUND, guest + ".cvt"), "the sound program's trace")


def look(directory, guest):
    trace = os.path.join(directory, guest + ".cvt")
    console, rc = record(guest, trace)
    check_axes(guest, trace)
    check_second(guest, trace, console)
    check_golden(guest, trace)
    check_seeks(guest, trace)
    if rc != 1:
        raise Found("record: the guest's own checks failed: %s" % console.decode(errors="replace")[-200:])


GUESTS_RUN = ["sources", "echo", "string"]


def sound(directory):
    """The program as it is passes every check; its traces are kept for check_golden."""
    make()
    os.makedirs(SOUND, exist_ok=True)
    for guest in GUESTS_RUN:
        record(guest, os.path.join(SOUND, guest + ".cvt"))
    try:
        for guest in GUESTS_RUN:
            look(directory, guest)
    except Found as e:
        check(False, "the sound program is caught: %s" % e)


def planted(directory, plant):
    path = os.path.join(TREE, plant.file)
    text = open(path).read()
    check(text.count(plant.old) == 1, "%s: the plant's place is there %d times" % (plant.file, text.count(plant.old)))
    try:
        open(path, "w").write(plant.include + text.replace(plant.old, plant.new))
        make()
        try:
            look(directory, plant.guest)
        except Found as found:
            print("        %s" % str(found)[:230])
            check(re.search(plant.where, str(found)), "caught, but not located (%s): %s" % (plant.where, found))
            return
        check(False, "was not caught")
    finally:
        open(path, "w").write(text)


if "--list" in sys.argv:
    for one in PLANTS:
        print("%-28s %-28s %s" % (one.name, one.file, one.what))
    sys.exit(0)
cvtest.CV = BIN
start = time.monotonic()
copy_tree()
case("mutation: the sound program", sound)
for one in PLANTS:
    case("mutation: %s" % one.name, planted, one)
print("        %d plants, %.0f s" % (len(PLANTS), time.monotonic() - start))
finish()
