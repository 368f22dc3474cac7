#!/usr/bin/env python3
"""Golden traces of tests/data: recorded once, they verify in every later build of the same machine epoch.

A failure means that a guest-visible rule changed: undo that, or raise the epoch (docs/trace-format.md) and add new traces.
"""
import glob
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import TOP, case, check, expect, finish, info, verify  # noqa: E402


def golden(directory, path):
    check(os.path.getsize(path) <= 256 << 10, "larger than 256 KiB")
    results = [verify(path, *axis) for axis in ([], ["--interpreter"], ["--block-insns", "1"])]
    check(all(r["result"] == "exact" and r == results[0] for r in results), results)


def stored(directory, path):
    """What stands in it restores what a straight run has there."""
    places = info(path)["stored"]
    check(len(places) >= 3 and all(s["good"] for s in places), places)
    for s in places:
        cold = json.loads(expect(0, "replay", path, "--json", "--to", s["icount"])[0])
        straight = verify(path, "--to", s["icount"])
        check(cold["state"] == straight["state"] and cold["digests"] < straight["digests"], "%s %s" % (cold, straight))


found = sorted(glob.glob(os.path.join(TOP, "tests", "data", "*.cvt")))
for trace in found:
    case("golden %s" % os.path.basename(trace), golden, trace)
    if "_stored-" in trace:
        case("golden %s: stored checkpoints" % os.path.basename(trace), stored, trace)
if not found:
    print("FAILED  no golden traces")
    sys.exit(1)
finish()
