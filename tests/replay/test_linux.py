#!/usr/bin/env python3
"""Debian's cloud kernel: boots, is recorded, replayed bit for bit under the axes, survives kill -9 and a full disk."""
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import (AXES, CV, GUEST, GUESTS, Skip, case, check, expect, finish, info, read_until, run,  # noqa: E402
                    session_of, start, verify)
from killing import judge_killed, record_and_kill  # noqa: E402

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
    # the axes whole; dropping the TLB after each block is slow, so it covers a part
    states = {}
    for axis, options in AXES.items():
        if axis == "flush-each-block":
            continue
        result = verify(trace, *options)
        check(result["result"] == "exact", "%s: %s" % (axis, result))
        states[axis] = result["state"]
    check(len(set(states.values())) == 1, states)
    part = str(d["end"]["icount"] // 64)
    states = set()
    for axis in ("plain", "flush-each-block"):
        out, _ = expect(0, "verify", trace, "--json", "--to", part, *AXES[axis], timeout=600)
        states.add(json.loads(out)["state"])
    check(len(states) == 1, "axes disagree at %s: %s" % (part, states))


def console(directory):
    """The console takes input, recorded and replayed."""
    trace = os.path.join(directory, "t.cvt")
    p = start("record", *machine("shell"), "-o", trace)
    text = read_until(p.stdout.fileno(), b"SHELL: ready")
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
    p = start("run", *machine("shell")[:-2], "--pace", "real")
    read_until(p.stdout.fileno(), b"SHELL: ready")
    time.sleep(1)

    def ticks():
        total = 0
        for pid in session_of(p.pid):
            fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
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
    """kill -9 at random moments loses nothing that was logged, and at most the last moments of the guest."""
    seed = random.Random(7)
    ends = []
    for i in range(6):
        trace = os.path.join(directory, "k.cvt")
        seen = record_and_kill(trace, machine("crash"), 0.2 + seed.random() * 1.2)
        if seen is not None:
            ends.append(judge_killed(trace, seen))
    print("        good to steps %s" % ends)
    check(sum(end is not None and end > 1 << 20 for end in ends) >= 2, "too few had begun: %s" % ends)


TYPED = bytes(random.Random(11).choices(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=3000000))
ROOM = 3100 << 10  # bytes: the images, the first chunks and the journals find place, and then it is full


def full_in_mid_run(directory, trace, *limit):
    """A guest gets random input until its log finds no place: sealed there, exit 74, and what is there replays exactly."""
    p = subprocess.run([*limit, CV, "record", "--kernel", os.path.join(GUEST, "echo"), "--memory", "4M",
                        "--pace", "fast", "-o", trace], input=TYPED, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       timeout=300)
    err = p.stderr.decode()
    check(p.returncode == 74 and re.search(r"what was recorded so far is kept.*\[CV-E074\]", err),
          "%d %s" % (p.returncode, err))
    d = info(trace)
    check(d["complete"] and d["events"] > 1000, d)
    result = verify(trace)
    check(result["result"] == "exact" and result["icount"] == d["end"]["icount"], result)
    replayed, _ = expect(0, "replay", trace, "--console")
    check(len(replayed) > 100000 and p.stdout.startswith(replayed), "the console: %d of %d bytes" %
          (len(replayed), len(p.stdout)))
    print("        full after %d events, %d bytes" % (d["events"], d["file_bytes"]))


def mounted(directory, size):
    mount = os.path.join(directory, "small")
    os.mkdir(mount)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % size, "none", mount],
                      stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("no right to mount a small tmpfs")
    return mount


def full_disk(directory):
    mount = mounted(directory, ROOM)
    try:
        full_in_mid_run(directory, os.path.join(mount, "t.cvt"))
    finally:
        subprocess.run(["umount", "-l", mount])


def size_limit(directory):
    """RLIMIT_FSIZE is a full disk too, never a death by SIGXFSZ."""
    full_in_mid_run(directory, os.path.join(directory, "t.cvt"), "prlimit", "--fsize=%d" % ROOM)


def no_room_at_all(directory):
    """No place for the images: nothing was run, exit 74."""
    trace = os.path.join(directory, "t.cvt")
    p = subprocess.run(["prlimit", "--fsize=%d" % (1 << 20), CV, "record", *machine("init"), "-o", trace],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    check(p.returncode == 74 and b"[CV-E074]" in p.stderr and p.stdout == b"", "%d %s" % (p.returncode, p.stderr))
    if os.path.exists(trace):
        rc, out, err = run("verify", trace)
        check(rc == 65 and "[CV-E065]" in err, "verify: %d %s" % (rc, err))


def under_load(directory):
    """A loaded host changes nothing: recorded and verified beside busy loops on every core."""
    quiet, loaded = os.path.join(directory, "q.cvt"), os.path.join(directory, "l.cvt")
    expect(0, "record", *machine("init"), "-o", quiet, timeout=600)
    state = verify(quiet)
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        expect(0, "record", *machine("init"), "-o", loaded, timeout=600)
        check(verify(quiet) == state, "verify of the same trace")
        check(verify(loaded) == state, "a machine without input ran otherwise: %s, not %s" % (verify(loaded), state))
    finally:
        for p in loops:
            p.kill()
            p.wait()


def live(directory):
    """--pace real on the console: the shell answers at once, though the guest idles; recorded, and replayed without waiting."""
    trace = os.path.join(directory, "t.cvt")
    p = start("record", *machine("shell")[:-2], "--pace", "real", "-o", trace)
    text = read_until(p.stdout.fileno(), b"SHELL: ready")
    slowest = 0
    for i in range(10):
        time.sleep(0.2)
        begin = time.monotonic()
        p.stdin.write(b"echo $((%d*7))\n" % (1000 + i))
        p.stdin.flush()
        text += read_until(p.stdout.fileno(), b"%d" % (7 * (1000 + i)), 10)
        slowest = max(slowest, time.monotonic() - begin)
    print("        slowest answer %.0f ms" % (1000 * slowest))
    check(slowest < 1, "an answer took %.1f s" % slowest)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=20)
    check(p.returncode == 0 and b"stopped" in err, "%d %s" % (p.returncode, err))
    begin = time.monotonic()
    replayed, _ = expect(0, "replay", trace, "--console", timeout=300)
    check(replayed == text + out, "replayed console differs")
    d = info(trace)
    check(d["events"] >= 10 and d["complete"], d)
    verify(trace)


def pvh(directory):
    """The ELF inside the same kernel, by its PVH entry."""
    out, err = expect(0, "run", "--kernel", os.path.join(GUESTS, "vmlinux-cloud"), *machine("init")[2:], timeout=300)
    check(b"INIT: " in out and "guest powered off" in err, "no init: %s %s" % (out[-800:], err))


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
case("linux: console, live", live)
case("linux: full disk in mid-run", full_disk)
case("linux: file size limit in mid-run", size_limit)
case("linux: no room for the images", no_room_at_all)
case("linux: host under load", under_load)
case("linux: truncated initrd", bad_initrd)
case("linux: PVH entry", pvh)
finish()
