#!/usr/bin/env python3
"""make soak: 20 replays of a cloud boot over all axes, five kernels whole on the slow axes, 60 kills of a recording, 1,000 seeks."""
import json
import os
import random
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import AXES, CV, GUESTS, case, check, expect, finish, info, verify  # noqa: E402
import kernels  # noqa: E402
from killing import judge_killed, record_and_kill  # noqa: E402
from rsp import Rsp  # noqa: E402

MACHINE = ["--kernel", os.path.join(GUESTS, "vmlinuz-cloud"), "--initrd",
           os.path.join(GUESTS, "initrd-crash.cpio.gz"), "--memory", "256M", "--append",
           "console=ttyS0 panic=-1", "--pace", "fast"]


def replays(directory):
    """All axes to the end; the one that is a hundred times slower to a sixteenth, beside the plain one."""
    trace = os.path.join(directory, "t.cvt")
    expect(0, "record", *MACHINE, "-o", trace, timeout=600)
    part = str(info(trace)["end"]["icount"] // 16)
    states = {"end": set(), part: set()}
    start_time = time.monotonic()
    axes = list(AXES.items())
    for i in range(20):
        name, options = axes[i % len(axes)]
        stops = [part] if name == "flush-each-block" else ["end", part] if name == "plain" else ["end"]
        for stop in stops:
            out, _ = expect(0, "verify", trace, "--json", "--to", stop, *options, timeout=1200)
            result = json.loads(out)
            check(result["result"] == "exact", "%s: %s" % (name, result))
            states[stop].add(result["state"])
            print("        replay %2d %-18s to %-10s %s  %.0f s" %
                  (i, name, stop, result["state"], time.monotonic() - start_time), flush=True)
    check(all(len(seen) == 1 for seen in states.values()), states)


def whole_runs(directory, name):
    """What test_kernels.py goes a part of the way on these axes; and more places to seek."""
    trace = os.path.join(directory, "work-%s.cvt" % name)
    out = kernels.record(trace, kernels.machine(name, "work"), "power-off")
    kernels.replays(trace, out, "plain", "small-cache", "no-chain", "tiny-tlb", "interpreter", ("one-insn-blocks", 0.2),
                    ("flush-each-block", 0.002))
    kernels.seeks(directory, trace, "soak " + name, places=100, fresh=10)


def beyond_4g(directory):
    """32-bit kernels with more memory than they can map: highmem, and with PAE what lies above 4 GiB."""
    for name, size in (("686", "3G"), ("686-pae", "5G")):
        args = kernels.machine(name, "work")
        args[args.index("--memory") + 1] = size
        out, err = expect(0, "run", *args, timeout=3000)
        text = kernels.text_of(out)
        kernels.check_log(name, text)
        kernels.check_work(name, text)
        total = int(re.search(r"Memory: \d+K/(\d+)K available", text).group(1))
        check(total > (int(size[0]) << 20) - (1 << 16), "%s sees %d KiB of %s" % (name, total, size))
        check(int(re.search(r"(\d+)MB HIGHMEM available", text).group(1)) > 2000, "no highmem")


def kills(directory):
    seed = random.Random(60)
    trace = os.path.join(directory, "k.cvt")
    ends = []
    ended = begun = 0
    while len(ends) < 60:
        check(ended < 60, "the guest is always faster")
        seen = record_and_kill(trace, MACHINE, 0.05 + seed.random() * 1.3)
        if seen is None:
            ended += 1  # the guest was faster
            verify(trace)
            continue
        ends.append(judge_killed(trace, seen))
        begun += seen != b""
    good = [end for end in ends if end is not None]
    print("        %d kills that hit (%d more came too late): %d had printed, %d opened and replayed exactly, to steps %s" %
          (len(ends), ended, begun, len(good), sorted(good)))
    check(begun >= 15, "too few had begun")


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
for kernel in kernels.NAMES:
    case("soak: %s on the slow axes" % kernel, whole_runs, kernel)
case("soak: 32-bit kernels with much memory", beyond_4g)
case("soak: 60 times kill -9", kills)
case("soak: 1,000 seeks", seeks)
finish()
