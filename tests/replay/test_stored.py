#!/usr/bin/env python3
"""Stored checkpoints of real machines: each loaded cold stands where a straight run stands, and runs on to the same end.

stored.c does that in one process a trace; here it is given mini guests, a kernel that crashes, killed recordings and
bounds, and the program's own commands are compared with it.
Run one alone: tests/replay/test_stored.py timer
"""
import json
import os
import random
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import (GUEST, GUESTS, MODE, TOP, Skip, case, check, expect, finish, info, kill_all, run,  # noqa: E402
                    start, verify)
from killing import judge_killed, last_stamp  # noqa: E402

STORED = os.environ.get("CV_STORED", os.path.join(TOP, "build", MODE, "tests", "replay", "stored"))
CLOUD = ["--kernel", os.path.join(GUESTS, "vmlinuz-cloud"), "--initrd", os.path.join(GUESTS, "initrd-crash.cpio.gz"),
         "--memory", "256M", "--append", "console=ttyS0 panic=-1", "--pace", "fast"]
DENSE = ["--stored-checkpoints", "1G", "--stored-spacing", "100000000"]
INPUT = {"echo": b"hello world, how are you?\nsecond line with more than sixteen bytes in it.\n"}


def every_one(trace, every=0):
    """stored.c on a trace; how many there are."""
    p = subprocess.run([STORED, trace, str(every)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       timeout=1200)
    check(p.returncode == 0, "exit %d\n%s" % (p.returncode, p.stderr[-2000:]))
    print("        %s" % p.stdout.strip())
    return int(p.stdout.split()[0])


def guest(directory, name):
    trace = os.path.join(directory, "t.cvt")
    expect(1, "record", "--kernel", os.path.join(GUEST, name), "--memory", "16M", "--pace", "fast",
           "--stored-spacing", "1048576", "-o", trace, stdin=INPUT.get(name))
    d = info(trace)
    if d["end"]["icount"] < 1 << 20:
        check(d["stored"] == [], d)
        return
    # packing may be behind when the guest ends, but the first is taken up at once, and finish waits for it
    check(d["stored"] and all(s["good"] for s in d["stored"]), d)
    check(every_one(trace, 1) == len(d["stored"]), d)
    for s in d["stored"][-2:]:
        at = str(min(s["icount"] + 1000, d["end"]["icount"]))
        cold = json.loads(expect(0, "replay", trace, "--to", at, "--json")[0])
        straight = verify(trace, "--to", at)
        check(cold["state"] == straight["state"] and cold["digests"] <= straight["digests"], "%s %s" % (cold, straight))


def need_kernel():
    if not os.path.exists(CLOUD[1]):
        raise Skip("no kernel: make guests")


def crash(directory):
    """The state at each of a dozen places of a boot that ends in a crash; damage in some chunks of each."""
    need_kernel()
    trace = os.path.join(directory, "t.cvt")
    expect(0, "record", *CLOUD, *DENSE, "-o", trace, timeout=600)
    d = info(trace)
    check(len(d["stored"]) >= 2 and d["stored"][-1]["icount"] <= d["crash"], d)
    check(every_one(trace, 29) == len(d["stored"]), d)
    cut_to_search(directory, trace, d)


def cut_to_search(directory, trace, d):
    """Without its marks a trace is searched for its crash, from the last stored checkpoint on: the same one is found."""
    lines = expect(0, "info", "--chunks", trace)[0].decode().splitlines()
    at = [int(line.split()[0]) for line in lines if line.split()[2] == "mark"]
    # what was sealed before the marks is all there; what stands behind them is not needed
    stored = [int(line.split()[0]) for line in lines if line.split()[2] in ("keyf", "delt")]
    check(len(at) == 1, lines)
    cut = os.path.join(directory, "cut.cvt")
    with open(trace, "rb") as f, open(cut, "wb") as g:
        g.write(f.read(at[0]))
    left = info(cut, 4)
    check("crash" not in left and len(left["stored"]) == len([s for s in left["stored"] if s["good"]]), left)
    check(left["stored"] and min(stored) < at[0], left)
    rc, out, err = run("debug", cut, "--at", "crash", "--", "-batch", "-ex", "monitor when")
    if rc == 69:
        raise Skip("no gdb")
    text = (out + err.encode()).decode()
    m = re.search(r"icount (\d+) of", text)
    check(m and int(m.group(1)) == d["crash"], "%s: %s" % (d["crash"], text[-500:]))


def default_crash(directory):
    """As users have it: one near the crash, within the bound whatever that is, and the same run as without."""
    need_kernel()
    states = set()
    for bound, some in (("0", False), ("1M", False), ("8M", False), ("64M", True)):
        trace = os.path.join(directory, "t%s.cvt" % bound)
        out, err = expect(0, "record", *CLOUD, "--stored-checkpoints", bound, "-o", trace, timeout=600)
        d = info(trace)
        size = int(bound.rstrip("M")) << 20
        check(d["stored_bytes"] <= size and bool(d["stored"]) == some, d)
        check(("stored checkpoints: " in err) == some, err)
        states.add(verify(trace, "--to", str(d["crash"]))["state"])
        if some:
            last = d["stored"][-1]["icount"]
            check(last <= d["crash"] < last + (1 << 29), d)
            check(every_one(trace) == len(d["stored"]), d)
            begin = json.loads(expect(0, "replay", trace, "--to", "crash", "--json")[0])
            states.add(begin["state"])
            check(begin["digests"] < 700, "it ran from the start: %s" % begin)
    check(len(states) == 1, "storing changed the guest: %s" % states)


def record_and_kill_at(trace, machine, ns):
    """Records until the kernel's clock shows so many ns, then kills all; what the console had printed."""
    if os.path.exists(trace):
        os.unlink(trace)
    p = start("record", *machine, "-o", trace, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seen = b""
    while last_stamp(seen) < ns:
        data = os.read(p.stdout.fileno(), 65536)
        seen += data
        if not data:
            break
    kill_all(p)
    p.stdout.close()
    return seen


def killed(directory):
    """kill -9 while they are packed and written: nothing else is lost, and what is whole is good."""
    need_kernel()
    seed = random.Random(5)
    trace = os.path.join(directory, "k.cvt")
    good = 0
    for i in range(5):
        seen = record_and_kill_at(trace, [*CLOUD, *DENSE], int((0.2 + seed.random() * 0.8) * 1e9))
        if judge_killed(trace, seen) is None:
            continue
        rc, out, err = run("info", trace, "--json")
        d = json.loads(out)
        whole = [s for s in d["stored"] if s["good"]]
        good += len(whole)
        if 0 < len(whole) == len(d["stored"]) < 6:
            every_one(trace)
        for s in whole[-1:]:
            rc, out, err = run("replay", trace, "--to", s["icount"], "--json")
            rc2, out2, err2 = run("verify", trace, "--to", s["icount"], "--json")
            check(json.loads(out)["state"] == json.loads(out2)["state"], "%s %s" % (out, out2))
    print("        %d were whole" % good)


for name in sorted(g for g in os.listdir(GUEST) if not g.endswith(".elf64") and os.path.isfile(os.path.join(GUEST, g))):
    case("stored: guest %s" % name, guest, name)
case("stored: a crash, dense", crash)
case("stored: a crash, by default, bounds", default_crash)
case("stored: killed", killed)
finish()
