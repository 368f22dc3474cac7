#!/usr/bin/env python3
"""Damaged traces of real mini guests: cut at every byte, 10,000 bit flips; a sample of both through the real program.

damage.c opens and replays the damaged images in memory and says what must hold of each. Here the same for the program as
users have it: exit 65 or 4 with one line, or 0 with the same state; never a signal; within 2 s.
"""
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import (GUEST, MODE, TOP, case, check, expect, finish, info, kill_all, read_until, run, start,  # noqa: E402
                    verify)

DAMAGE = os.environ.get("CV_DAMAGE", os.path.join(TOP, "build", MODE, "tests", "replay", "damage"))
SUPERBLOCKS = 8192


def machine(guest, trace, *more):
    return ["record", "--kernel", os.path.join(GUEST, guest), "--memory", "2M", *more, "-o", trace]


def typed(trace, end):
    """A guest that was typed to, byte by byte, idle in between and at its end; ended by end(process)."""
    p = start(*machine("echo", trace, "--pace", "real"))
    read_until(p.stdout.fileno(), b"ready\n")
    for byte in b"hello, this is typed":
        p.stdin.write(bytes([byte]))
        p.stdin.flush()
        read_until(p.stdout.fileno(), bytes([byte]))
    end(p)
    p.wait()
    for stream in (p.stdin, p.stdout, p.stderr):
        stream.close()


def batch(trace):
    expect(1, *machine("hello", trace, "--pace", "fast"))


def sealed(trace):
    typed(trace, lambda p: p.send_signal(signal.SIGTERM))


def killed(trace):
    typed(trace, kill_all)


def every_image(directory, make, complete, flips):
    trace = os.path.join(directory, "t.cvt")
    make(trace)
    d = info(trace, 0 if complete else 4)
    check(d["complete"] == complete, d)
    if complete:
        check(d["file_bytes"] <= 256 << 10, "%d bytes" % d["file_bytes"])
    p = subprocess.run([DAMAGE, trace, str(flips), "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       text=True, timeout=600)
    print("        %s" % p.stdout.strip())
    check(p.returncode == 0, "exit %d\n%s" % (p.returncode, p.stderr))
    slowest = int(re.search(r"slowest (\d+) ms", p.stdout).group(1))
    check(slowest < 2000, p.stdout)


def sample(directory):
    trace = os.path.join(directory, "t.cvt")
    batch(trace)
    whole = verify(trace)
    data = open(trace, "rb").read()
    seed = random.Random(300)
    counts = {0: 0, 4: 0, 65: 0}
    states = {}
    for i in range(300):
        image = bytearray(data)
        if i % 2 == 0:
            # cuts favour what stands behind the images; flips do not favour anything
            at = seed.randrange(len(data)) if i % 4 == 0 else len(data) - 1 - seed.randrange(400)
            image = image[:at]
            what = "cut at %d" % at
        else:
            at = seed.randrange(len(data))
            image[at] ^= 1 << seed.randrange(8)
            what = "flip in %d" % at
        path = os.path.join(directory, "d.cvt")
        with open(path, "wb") as f:
            f.write(image)
        begin = time.monotonic()
        rc, out, err = run("verify", path, "--json", timeout=20)
        took = time.monotonic() - begin
        check(rc in counts, "%s: exit %d %s" % (what, rc, err))
        counts[rc] += 1
        check(took < 2, "%s: %.1f s" % (what, took))
        if rc == 0:
            check(json.loads(out) == whole and i % 2 == 1 and at < SUPERBLOCKS, "%s: %s" % (what, out))
            continue
        check(re.fullmatch(r"chronovisor: error: [^\n]*d\.cvt: [^\n]+ \[CV-E0%02d\]\n" % rc, err), "%s: %r" % (what, err))
        if rc == 65:
            check(out == b"", "%s: %s" % (what, out))
            continue
        result = json.loads(out)
        check(result["result"] == "exact" and result["lossy"], "%s: %s" % (what, result))
        at = result["icount"]
        if at not in states:
            states[at] = json.loads(expect(0, "verify", trace, "--json", "--to", at)[0])["state"] \
                if at < whole["icount"] else whole["state"]
        check(result["state"] == states[at], "%s: another state at %d" % (what, at))
    print("        300 images: %d exact, %d with loss, %d refused" % (counts[0], counts[4], counts[65]))
    check(all(counts.values()), "the sample does not cover all outcomes: %s" % counts)


case("damage: batch run, every cut, 10,000 flips", every_image, batch, True, 10000)
case("damage: typed to and sealed, every cut, 3,000 flips", every_image, sealed, True, 3000)
case("damage: typed to and killed, every cut, 3,000 flips", every_image, killed, False, 3000)
case("damage: 300 through the program", sample)
finish()
