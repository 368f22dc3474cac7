"""kernels.py - Debian's five kernels of one version, and what is asked of each; for test_kernels.py and soak.py."""
import json
import os
import random
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
sys.path.insert(0, os.path.join(HERE, "..", "gdb"))
from cvtest import AXES, GUESTS, check, expect, info  # noqa: E402
from dialogue import Place, Server  # noqa: E402

NAMES = ["cloud", "amd64", "rt", "686", "686-pae"]
WIDE = ("cloud", "amd64", "rt")

# What no boot may say: a mitigation that costs, an error, a device or clock that does not do what it should.
BAD = ["page tables isolation: enabled", "Mitigation: Retpolines", "Clear CPU buffers", "BHI: SW loop", "Mitigation: PTI",
       "ACPI Error", "ACPI BIOS Error", "Kernel panic", "Oops", "Call Trace", "WARNING:", "BUG:", "Unable to calibrate",
       "soft lockup", "unchecked MSR", "rcu: INFO", "Marking TSC unstable", "self-tests for .* failed", "spurious",
       "irq .*: nobody cared", "timer doesn't work", "Failed to execute"]
GOOD = [r"tsc: Detected 1000\.000 MHz processor", "TSC deadline timer available", "clocksource: Switched to clocksource tsc$",
        r"Memory: \d+K/\d+K available", "x86/fpu: Enabled xstate features 0x7", "ttyS0 at I/O 0x3f8 .*16550A"]
NX = ["NX \\(Execute Disable\\) protection: active"]
OWN = {"cloud": NX, "amd64": NX, "rt": [*NX, "Linux version .* PREEMPT_RT"],
       "686": ["protection cannot be enabled: non-PAE kernel", "Enabling APIC mode:  Flat"],
       "686-pae": [*NX, "Enabling APIC mode:  Flat"]}
SEALED = "x86/mm: Checked W\\+X mappings: passed, no W\\+X pages found"  # said just before init, by those with NX
WORK = ["30 forks", "sorted 2 of 400", "summed 59071590", "unpacked ee976274", "float 17580.384080393", "signal",
        "child waited for, status 0", "sysfs and devices", "done"]


def release(name):
    for line in open(os.path.join(GUESTS, "versions")):
        if line.split()[0] == name:
            return line.split()[1]
    raise KeyError(name)


def image(name):
    return os.path.join(GUESTS, "vmlinuz-" + name)


def machine(name, initrd=None, kernel=None, append=""):
    args = ["--kernel", kernel or image(name), "--memory", "256M", "--append", "console=ttyS0 panic=-1" + append,
            "--pace", "fast"]
    if initrd:
        args += ["--initrd", os.path.join(GUESTS, "initrd-%s%s.cpio.gz" % (initrd, "" if name in WIDE else "-i386"))]
    return args


def text_of(console):
    return console.decode(errors="replace").replace("\r\n", "\n")


def check_log(name, text):
    for line in text.splitlines():
        for bad in BAD:
            check(not re.search(bad, line), "the log says %r" % line)
    check("Linux version %s " % release(name) in text, "another version: %s" % text[:200])
    for good in [*GOOD, *OWN[name]]:
        check(re.search(good, text, re.M), "the log lacks %r" % good)


def check_work(name, text):
    check(name == "686" or re.search(SEALED, text), "pages that are writable and executable")
    said = re.findall(r"^WORK: (.*)$", text, re.M)
    check(said[:1] == ["%s %s up" % (release(name), "x86_64" if name in WIDE else "i686")], said)
    check(said[1:] == WORK, said)


def record(trace, args, reason):
    """The console of a run that must end so."""
    start = time.monotonic()
    out, err = expect(0, "record", *args, "-o", trace, timeout=3000)
    d = info(trace)
    check(d["complete"] and d["end"]["reason"] == reason, d)
    print("        %-28s %11d steps, log %d bytes, file %d bytes, %.1f s" %
          (os.path.basename(trace), d["end"]["icount"], d["log_bytes"], d["file_bytes"], time.monotonic() - start),
          flush=True)
    return out


def state(trace, axis, to="end"):
    """(icount, digest of all state) after an exact replay on that axis."""
    out, _ = expect(0, "verify", trace, "--json", "--to", str(to), *AXES[axis], timeout=3000)
    result = json.loads(out)
    check(result["result"] == "exact", "%s: %s" % (axis, result))
    return result["icount"], result["state"]


def side_by_side(*calls):
    """The results of (function, arguments...), two at a time; all of them end before the first failure is told."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return [f.result() for f in [pool.submit(*call) for call in calls]]


def replays(trace, console, *axes):
    """Same console, same end on every axis; (axis, part of the way) for axes that cannot go all of it."""
    end = info(trace)["end"]["icount"]
    stops = [(a, end) if isinstance(a, str) else (a[0], int(end * a[1])) for a in axes]
    parts = sorted({to for _, to in stops if to != end})
    calls = [(state, trace, axis, to) for axis, to in stops] + [(state, trace, "plain", to) for to in parts]
    (out, _), *states = side_by_side((lambda: expect(0, "replay", trace, "--console", timeout=3000),), *calls)
    check(out == console, "replayed console differs")
    for to in [end, *parts]:
        seen = {s for s in states if s[0] == to}
        check(len(seen) == 1, "axes disagree at %d: %s" % (to, dict(zip([c[2:] for c in calls], states))))
    check(len(states) >= 2, "nothing to compare")


def seeks(directory, trace, seed, places=20, fresh=3):
    """Random positions, reached by seeks in disorder: what a straight run passes through. Some also by runs of their own."""
    random_ = random.Random(seed)
    end = info(trace)["end"]["icount"]
    stops = sorted(random_.randrange(end) for _ in range(places))

    def straight():
        with Server(tempfile.mkdtemp(dir=directory), trace, "--at", "0") as server:
            place = Place(server.connect())
            return {to: visit(place, to) for to in stops}

    def disorder():
        order = stops * 2
        random_.shuffle(order)
        with Server(tempfile.mkdtemp(dir=directory), trace, "--at", "0") as server:
            place = Place(server.connect())
            return [(to, visit(place, to)) for to in order]

    along, jumped = side_by_side((straight,), (disorder,))
    for to, digest in jumped:
        check(digest == along[to], "a seek to %d arrives at %s, a straight run at %s" % (to, digest, along[to]))
    for to in random_.sample(stops, fresh):
        check(state(trace, "plain", to) == (to, along[to]), "verify --to %d is elsewhere" % to)
    check(len(set(along.values())) == len(stops), "places that look alike")


def visit(place, to):
    place.seek(to)
    icount, digest = place.digest()
    check(icount == to, "seek to %d stands at %d" % (to, icount))
    return digest
