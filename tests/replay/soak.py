#!/usr/bin/env python3
"""make soak: 20 replays of a cloud boot over all axes, 60 kills of a recording, 1,000 seeks; prints its counts."""
import json
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import AXES, CV, GUESTS, case, check, expect, finish, info, run, verify  # noqa: E402
from rsp import Rsp  # noqa: E402

MACHINE = ["--kernel", os.path.join(GUESTS, "vmlinuz-cloud"), "--initrd",
           os.path.join(GUESTS, "initrd-crash.cpio.gz"), "--memory", "256M", "--append",
           "console=ttyS0 panic=-1", "--pace", "fast"]


def replays(directory):
    trace = os.path.join(directory, "t.cvt")
    expect(0, "record", *MACHINE, "-o", trace, timeout=600)
    states = []
    start = time.monotonic()
    axes = list(AXES.items())
    for i in range(20):
        name, options = axes[i % len(axes)]
        result = verify(trace, *options)
        check(result["result"] == "exact", "%s: %s" % (name, result))
        states.append(result["state"])
        print("        replay %2d %-18s %s  %.0f s" % (i, name, result["state"], time.monotonic() - start), flush=True)
    check(len(set(states)) == 1, states)


def kills(directory):
    seed = random.Random(60)
    opened = empty = 0
    for i in range(60):
        trace = os.path.join(directory, "k.cvt")
        if os.path.exists(trace):
            os.unlink(trace)
        p = subprocess.Popen([CV, "record", *MACHINE, "-o", trace], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.05 + seed.random() * 2.5)
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(p.pid)], stdout=subprocess.PIPE).stdout.split()
        for pid in [int(c) for c in children] + [p.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        p.wait()
        rc, out, err = run("verify", trace, "--json", timeout=600) if os.path.exists(trace) else (66, b"", "")
        if rc in (65, 66):
            empty += 1  # killed before the machine and its images were on disk
            continue
        check(rc in (0, 4), "kill %d: exit %d %s" % (i, rc, err))
        check(json.loads(out)["result"] == "exact", out)
        opened += 1
    print("        60 kills: %d opened and replayed exactly, %d had not begun" % (opened, empty))
    check(opened >= 50, "too many had not begun")


def seeks(directory):
    trace = os.path.join(directory, "t.cvt")
    expect(0, "record", *MACHINE, "-o", trace, timeout=600)
    end = info(trace)["end"]["icount"]
    seed = random.Random(1000)
    path = os.path.join(directory, "s")
    p = subprocess.Popen([CV, "gdbserver", trace, "--socket", path], stdout=subprocess.PIPE, text=True)
    p.stdout.readline()
    gdb = Rsp(path)
    seen = {}
    start = time.monotonic()
    places = [seed.randrange(end) for _ in range(250)]
    for i in range(1000):
        at = places[seed.randrange(len(places))]
        gdb.monitor("seek %d" % at)
        registers = gdb.call("g")
        check(seen.setdefault(at, registers) == registers, "seek to %d arrives elsewhere" % at)
    print("        1,000 seeks over %d places in %.0f s" % (len(seen), time.monotonic() - start))
    p.terminate()
    p.wait()


case("soak: 20 replays over all axes", replays)
case("soak: 60 times kill -9", kills)
case("soak: 1,000 seeks", seeks)
finish()
