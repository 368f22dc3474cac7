#!/usr/bin/env python3
"""make soak: round after round of everything random, each with a seed of its own, until the time is over (CV_SOAK_SECONDS, 3600).
The first seed is CV_SOAK_SEED, or the time.

A round takes one kernel on a pair of axes with seeks, the mini guests on pairs of axes, kills, losses of power, lock-step
programs and differential cases. It ends with what was done; the first failure ends it, its trace is kept.
"""
import itertools
import json
import os
import random
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import AXES, GUEST, MODE, TOP, case, check, expect, finish, info  # noqa: E402
from kernels import NAMES, machine, record, seeks, state  # noqa: E402
from killing import judge_killed, record_and_kill  # noqa: E402

SECONDS = int(os.environ.get("CV_SOAK_SECONDS", "3600"))
FAST = [name for name in AXES if name not in ("flush-each-block", "interpreter")]
PAIRS = [a + b for (n, a), (m, b) in itertools.combinations(AXES.items(), 2) if n != "plain"]
UNIT = os.path.join(TOP, "build", MODE, "unit")
PROGRAMS = {  # program: filter, what a count in its output is called
    "record": "faults/power*", "core-translate": "lockstep*/*", "diff-user": "*"}
SEED = int(os.environ.get("CV_SOAK_SEED", "0")) or int(time.time())
counts = {}


def count(what, n=1):
    counts[what] = counts.get(what, 0) + n


def kernel_round(directory, seed):
    """One kernel works, is replayed on random axes and sought in."""
    name = NAMES[seed % len(NAMES)]
    random_ = random.Random(seed)
    trace = os.path.join(directory, "%s.cvt" % name)
    record(trace, machine(name, "work", append=" soak=%d" % seed), "power-off")
    axes = random_.sample(FAST, 2)
    states = {state(trace, axis) for axis in axes}
    check(len(states) == 1, "%s: %s differ: %s" % (name, axes, states))
    seeks(directory, trace, seed, places=20, fresh=2)
    count("kernel runs")
    count("kernel replays", 2)
    count("seeks", 40)
    os.remove(trace)


def guest_round(directory, seed):
    """Every mini guest, on pairs of axes."""
    random_ = random.Random(seed)
    for name in sorted(os.listdir(GUEST)):
        path = os.path.join(GUEST, name)
        if name == "echo" or name.endswith(".elf64") or not os.path.isfile(path):
            continue
        trace = os.path.join(directory, "g.cvt")
        expect(1, "record", "--kernel", path, "--memory", "16M", "--pace", "fast", "--seed", str(seed), "-o", trace)
        end = info(trace)["end"]["icount"]
        to = str(random_.randrange(1, end))
        for stop in ("end", to):
            seen = {expect(0, "verify", trace, "--json", "--to", stop, *axes, timeout=3000)[0]
                    for axes in [[]] + random_.sample(PAIRS, 2)}
            check(len(seen) == 1, "%s to %s: %s" % (name, stop, seen))
            count("guest replays", 3)
        os.remove(trace)


def kill_round(directory, seed):
    random_ = random.Random(seed)
    trace = os.path.join(directory, "k.cvt")
    for _ in range(5):
        seen = record_and_kill(trace, machine("cloud", "work"), 0.05 + random_.random() * 2)
        if seen is not None:
            judge_killed(trace, seen)
            count("kills")


def program_round(name, pattern, seed):
    """A Criterion program with another seed."""
    path = os.path.join(UNIT, name)
    p = subprocess.run([path, "--filter", pattern, "--jobs", "2"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       env=dict(os.environ, CV_SEED=str(seed), CV_DIFF_SEED=str(seed)), timeout=3000)
    check(p.returncode == 0, "CV_SEED=%d %s --filter '%s':\n%s" % (seed, path, pattern, p.stdout[-3000:]))
    count("runs of " + name)
    for what, pattern in (("differential cases", r" (\d+) cases, 0 unexplained"), ("losses of power", r" (\d+) losses of power")):
        for found in re.findall(pattern, p.stdout):
            count(what, int(found))


def endure(directory):
    start = time.monotonic()
    seed = SEED
    while time.monotonic() - start < SECONDS:
        kernel_round(directory, seed)
        guest_round(directory, seed)
        kill_round(directory, seed)
        for name, pattern in PROGRAMS.items():
            program_round(name, pattern, seed)
        count("rounds")
        print("        %5.0f s, seed %d: %s" % (time.monotonic() - start, seed, json.dumps(counts)), flush=True)
        seed += 1
    check(counts.get("rounds", 0) > 0, "no round was finished")


case("endurance: %d s of everything random, from seed %d" % (SECONDS, SEED), endure)
finish()
