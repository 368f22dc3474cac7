#!/usr/bin/env python3
"""Golden traces of tests/data: recorded once, they verify in every later build of the same machine epoch.

A failure means that a guest-visible rule changed: undo that, or raise the epoch (docs/trace-format.md) and add new traces.
"""
import glob
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import TOP, case, check, finish, verify  # noqa: E402


def golden(directory, path):
    check(os.path.getsize(path) <= 256 << 10, "larger than 256 KiB")
    results = [verify(path, *axis) for axis in ([], ["--interpreter"], ["--block-insns", "1"])]
    check(all(r["result"] == "exact" and r == results[0] for r in results), results)


found = sorted(glob.glob(os.path.join(TOP, "tests", "data", "*.cvt")))
for trace in found:
    case("golden %s" % os.path.basename(trace), golden, trace)
if not found:
    print("FAILED  no golden traces")
    sys.exit(1)
finish()
