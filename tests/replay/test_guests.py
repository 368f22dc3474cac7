#!/usr/bin/env python3
"""Every mini guest: live, recorded, replayed under every axis, replayed after seeks; equal output and digests.

Run one alone: tests/replay/test_guests.py fault
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import AXES, GUEST, case, check, expect, finish, info, verify  # noqa: E402

INPUT = {"echo": b"hello world, how are you?\nsecond line with more than sixteen bytes in it.\n"}
MACHINE = ["--memory", "16M", "--pace", "fast"]


def record(directory, name, trace, *more):
    return expect(1, "record", "--kernel", os.path.join(GUEST, name), *MACHINE, "-o", trace, *more,
                  stdin=INPUT.get(name))


def live_equals_recorded(directory, name):
    """A guest without input prints the same live, live again, and recorded."""
    trace = os.path.join(directory, "t.cvt")
    out, err = record(directory, name, trace)
    check(b" ok" in out, "the guest's own checks failed: %s" % out.decode(errors="replace")[-500:])
    check("guest exit 0" in err, err)
    if name not in INPUT:
        for axis in ([], ["--interpreter"], ["--block-insns", "1"]):
            live, _ = expect(1, "run", "--kernel", os.path.join(GUEST, name), *MACHINE, *axis)
            check(live == out, "live output differs from recorded (%s)" % axis)
    console, _ = expect(0, "replay", trace, "--console")
    check(console == out, "replayed console differs")


def axes_agree(directory, name):
    trace = os.path.join(directory, "t.cvt")
    record(directory, name, trace, "--digest", "fine")
    first = None
    for axis, options in AXES.items():
        result = verify(trace, *options)
        check(result["result"] == "exact", axis)
        if first is None:
            first = result
        check(result == first, "%s: %s, not %s" % (axis, result, first))
    env = {"CV_LOG": "*:trace"}
    out, _ = expect(0, "verify", trace, "--json", env=env)
    check(eval(out.replace(b"false", b"False"))["state"] == first["state"], "logging changed the guest")


def prefixes_agree(directory, name):
    """Stopping half way and going on gives the same state as going straight."""
    trace = os.path.join(directory, "t.cvt")
    record(directory, name, trace)
    end = info(trace)["end"]["icount"]
    for part in (3, 17, 50, 99):
        at = end * part // 100
        states = set()
        for options in ([], ["--interpreter"], ["--block-insns", "3"]):
            out, _ = expect(0, "verify", trace, "--json", "--to", str(at), *options)
            states.add(out)
        check(len(states) == 1, "at %d: %s" % (at, states))


def guests(folder=""):
    return sorted(os.path.join(folder, g) for g in os.listdir(os.path.join(GUEST, folder))
                  if not g.endswith(".elf64") and os.path.isfile(os.path.join(GUEST, folder, g)))


for guest in guests() + guests("legacy32"):
    case("guest %s: live equals recorded" % guest, live_equals_recorded, guest)
    case("guest %s: all axes agree" % guest, axes_agree, guest)
    case("guest %s: stops agree" % guest, prefixes_agree, guest)
finish()
