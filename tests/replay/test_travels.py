#!/usr/bin/env python3
"""Random walks through the traces of all guests, with little memory for checkpoints and with much: walk.c says how each move is judged.

CV_TRAVEL_MOVES: moves a bound, 100; CV_TRAVEL_SEED.
Run one alone: tests/replay/test_travels.py timer
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import GUEST, GUESTS, MODE, TOP, Skip, case, check, finish, info, run  # noqa: E402

WALK = os.environ.get("CV_TRAVEL", os.path.join(TOP, "build", MODE, "tests", "replay", "walk"))
MOVES = int(os.environ.get("CV_TRAVEL_MOVES", "100"))
SEED = os.environ.get("CV_TRAVEL_SEED", "1")
INPUT = {"echo": b"hello world, how are you?\nsecond line with more than sixteen bytes in it.\n"}


def walk(trace, moves, bounds):
    p = subprocess.run([WALK, trace, str(moves), SEED] + [str(b) for b in bounds], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, timeout=6000)
    check(p.returncode == 0, "exit %d\n%s%s" % (p.returncode, p.stdout, p.stderr[-2000:]))
    check(len(p.stdout.splitlines()) == len(bounds) and p.stderr == "", p.stdout + p.stderr)


def guest(directory, name):
    trace = os.path.join(directory, "t.cvt")
    run("record", "--kernel", os.path.join(GUEST, name), "--memory", "16M", "--pace", "fast", "-o", trace, stdin=INPUT.get(name))
    if info(trace)["end"]["icount"] < 1000:
        raise Skip("too short to walk in")
    walk(trace, MOVES, [1300, 1600, 2500, 65536])


def kernel(directory):
    files = [os.path.join(GUESTS, f) for f in ("vmlinuz-cloud", "initrd-crash.cpio.gz")]
    if not all(os.path.exists(f) for f in files):
        raise Skip("no kernel: make guests")
    trace = os.path.join(directory, "t.cvt")
    run("record", "--kernel", files[0], "--initrd", files[1], "--memory", "256M", "--append", "console=ttyS0 panic=-1",
        "--pace", "fast", "-o", trace)
    walk(trace, max(10, MOVES // 10), [6144, 24576, 65536])


def guests(folder=""):
    return sorted(os.path.join(folder, g) for g in os.listdir(os.path.join(GUEST, folder))
                  if not g.endswith(".elf64") and os.path.isfile(os.path.join(GUEST, folder, g)))


for g in guests() + guests("legacy32"):
    case("travels %s" % g, guest, g)
case("travels kernel", kernel)
finish()
