#!/usr/bin/env python3
"""Debian's cloud kernel: boots, is recorded, replayed bit for bit under the axes, survives kill -9 and a full disk."""
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import AXES, CV, GUESTS, Skip, case, check, expect, finish, info, run, verify  # noqa: E402

KERNEL = os.path.join(GUESTS, "vmlinuz-cloud")
APPEND = "console=ttyS0 panic=-1"


def machine(initrd, *more):
    return ["--kernel", KERNEL, "--initrd", os.path.join(GUESTS, "initrd-%s.cpio.gz" % initrd),
            "--memory", "256M", "--append", APPEND, "--pace", "fast", *more]


def boot(directory):
    """Boots to init and powers off; the log shows no mitigation that would cost, no error of ACPI or timers."""
    trace = os.path.join(directory, "t.cvt")
    out, err = expect(0, "record", *machine("init"), "-o", trace, timeout=600)
    text = out.decode(errors="replace")
    check("INIT: " in text, "no init: %s" % text[-1500:])
    check("guest powered off" in err, err)
    for bad in ("page tables isolation: enabled", "Mitigation: Retpolines", "Clear CPU buffers",
                "ACPI Error", "ACPI BIOS Error", "Kernel panic", "Oops", "Call Trace",
                "Unable to calibrate", "soft lockup", "BHI: SW loop", "unchecked MSR"):
        check(bad not in text, "the log says %r: %s" %
              (bad, [l for l in text.splitlines() if bad in l][:3]))
    check("tsc: Detected 1000.000 MHz" in text, "TSC frequency not told by CPUID")
    d = info(trace)
    check(d["complete"] and d["end"]["reason"] == "power-off", d)
    check(d["log_bytes"] <= 20480, "log is %d bytes" % d["log_bytes"])
    print("        %d steps, log %d bytes, file %d bytes" %
          (d["end"]["icount"], d["log_bytes"], d["file_bytes"]))
    out2, _ = expect(0, "replay", trace, "--console", timeout=600)
    check(out2 == out, "replayed console differs")
    # sparse axes: a boot under one-instruction blocks is slow, so it covers a part of it
    states = {}
    for axis, options in AXES.items():
        if axis in ("interpreter", "one-insn-blocks", "flush-each-block"):
            continue
        result = verify(trace, *options)
        check(result["result"] == "exact", "%s: %s" % (axis, result))
        states[axis] = result["state"]
    check(len(set(states.values())) == 1, states)
    part = str(d["end"]["icount"] // 8)
    states = set()
    for axis in ("plain", "interpreter", "one-insn-blocks", "flush-each-block"):
        out, _ = expect(0, "verify", trace, "--json", "--to", part, *AXES[axis], timeout=600)
        states.add(json.loads(out)["state"])
    check(len(states) == 1, "axes disagree at %s: %s" % (part, states))


def console(directory):
    """The console takes input, recorded and replayed."""
    trace = os.path.join(directory, "t.cvt")
    p = subprocess.Popen([CV, "record", *machine("shell"), "-o", trace], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = b""
    while b"SHELL: ready" not in text:
        data = os.read(p.stdout.fileno(), 4096)
        check(data, "ended: %s" % text[-800:])
        text += data
    p.stdin.write(b"echo $((6*7)) is the answer\nexit\n")
    p.stdin.flush()
    out, err = p.communicate(timeout=300)
    check(p.returncode == 0, err)
    text += out
    check(b"42 is the answer" in text, text[-800:])
    out, _ = expect(0, "replay", trace, "--console", timeout=300)
    check(out == text, "replayed console differs")
    check(verify(trace)["result"] == "exact", "verify")


def idle_costs_nothing(directory):
    """--pace real: an idle guest waits for the host, and the host does nothing."""
    p = subprocess.Popen([CV, "run", *machine("shell")[:-2], "--pace", "real"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = b""
    while b"SHELL: ready" not in text:
        data = os.read(p.stdout.fileno(), 4096)
        check(data, "ended: %s" % text[-800:])
        text += data
    time.sleep(1)

    def ticks():
        total = 0
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(p.pid)],
                                  stdout=subprocess.PIPE).stdout.split()
        for pid in [str(p.pid)] + [c.decode() for c in children]:
            fields = open("/proc/%s/stat" % pid).read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total

    before = ticks()
    time.sleep(4)
    used = (ticks() - before) / os.sysconf("SC_CLK_TCK")
    p.stdin.write(b"poweroff -f\n")
    p.stdin.flush()
    out, err = p.communicate(timeout=60)
    check(p.returncode == 0, err)
    check(used <= 0.4, "%.2f CPU seconds in 4 idle seconds" % used)


def killed(directory):
    """kill -9 at random moments loses nothing that was logged."""
    seed = random.Random(7)
    for i in range(4):
        trace = os.path.join(directory, "k%d.cvt" % i)
        p = subprocess.Popen([CV, "record", *machine("crash"), "-o", trace], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.1 + seed.random() * 1.5)
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(p.pid)],
                                  stdout=subprocess.PIPE).stdout.split()
        for pid in [int(c) for c in children] + [p.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        p.wait()
        if not os.path.exists(trace) or os.path.getsize(trace) == 0:
            continue  # killed before the machine was made
        rc, out, err = run("verify", trace, "--json", timeout=300)
        check(rc in (0, 4, 65), "exit %d: %s" % (rc, err))
        if rc == 65:
            check(os.path.getsize(trace) < 32 << 20, "refused: %s" % err)
            continue
        check(json.loads(out)["result"] == "exact", out)


def full_disk(directory):
    """The disk is full in mid-recording: sealed, exit 74, and what is there replays."""
    mount = os.path.join(directory, "small")
    os.mkdir(mount)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=15500k", "none", mount],
                      stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("no right to mount a small tmpfs")
    try:
        trace = os.path.join(mount, "t.cvt")
        rc, out, err = run("record", *machine("crash"), "-o", trace, timeout=300)
        check(rc == 74, "exit %d: %s" % (rc, err))
        check("[CV-E074]" in err, err)
        if os.path.exists(trace):
            rc, out, err = run("verify", trace, timeout=300)
            check(rc in (0, 4, 65), "verify: %d %s" % (rc, err))
    finally:
        subprocess.run(["umount", "-l", mount])


def size_limit(directory):
    """RLIMIT_FSIZE is a full disk too, never a death by SIGXFSZ."""
    trace = os.path.join(directory, "t.cvt")
    p = subprocess.run(["prlimit", "--fsize=%d" % (1 << 20), CV, "record", *machine("init"), "-o", trace],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300)
    check(p.returncode == 74, "%d %s" % (p.returncode, p.stderr))


def bad_initrd(directory):
    """A truncated initrd is the guest's problem: it panics and resets, we end well."""
    data = open(os.path.join(GUESTS, "initrd-init.cpio.gz"), "rb").read()
    path = os.path.join(directory, "cut.gz")
    open(path, "wb").write(data[:len(data) // 2])
    rc, out, err = run("run", "--kernel", KERNEL, "--initrd", path, "--memory", "256M", "--append", APPEND,
                       "--pace", "fast", timeout=300)
    check(rc == 0, "%d %s" % (rc, err))
    check(b"Kernel panic" in out and "guest reset" in err, err)


if not os.path.exists(KERNEL):
    print("no kernel in %s: run tests/support/guests.sh" % GUESTS)
    sys.exit(1)
case("linux: boots, replays under the axes", boot)
case("linux: console input", console)
case("linux: idle costs nothing", idle_costs_nothing)
case("linux: kill -9", killed)
case("linux: full disk", full_disk)
case("linux: file size limit", size_limit)
case("linux: truncated initrd", bad_initrd)
finish()
