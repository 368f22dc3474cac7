#!/usr/bin/env python3
"""make bench: us and QEMU (plain TCG) interleaved in one run; user+sys CPU seconds of the whole process tree, medians, ratios.

  bench.py [--rounds N] [boot] [boot32] [micro] [record] [gdb]

tests/bench/travel.py and peer.py, which `make bench` runs as well, measure reverse debugging.
"""
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "support"))
from rsp import Rsp  # noqa: E402

CV = os.path.join(TOP, "build", "release", "chronovisor")
GUESTS = os.environ.get("CV_GUESTS", os.path.join(TOP, "build", "guests"))
KERNEL = os.path.join(GUESTS, "vmlinuz-cloud")
WORK = ["integer", "sieve", "chase", "syscall", "float", "fork"]
QEMU = shutil.which("qemu-system-x86_64")
MEMORY = "256"


def cpu_of(args):
    """Runs to the end; (CPU seconds of it and its children, wall seconds, stdout)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    p = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, wall, p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")


def initrd(name):
    return os.path.join(GUESTS, "initrd-%s.cpio.gz" % name)


def ours(command, image, append, *more):
    return [CV, command, "--kernel", KERNEL, "--initrd", initrd(image), "--memory", MEMORY + "M",
            "--append", append, "--pace", "fast", *more]


def qemu(image, append):
    return [QEMU, "-accel", "tcg", "-m", MEMORY, "-nographic", "-no-reboot", "-kernel", KERNEL, "-initrd",
            initrd(image), "-append", append]


def interleaved(cases, rounds):
    """cases: {name: function returning CPU seconds}; {name: [seconds]}, one warm-up not counted."""
    out = {name: [] for name in cases}
    for i in range(rounds + 1):
        for name, fn in cases.items():
            value = fn()
            if i > 0:
                out[name].append(value)
    return out


def line(what, values, base=None, base_name=""):
    m = statistics.median(values)
    text = "%-34s median %7.3f s  (min %.3f, max %.3f)" % (what, m, min(values), max(values))
    if base:
        ratios = [a / b for a, b in zip(values, base)]
        text += "  ratio to %s %.2f (%.2f-%.2f)" % (base_name, statistics.median(ratios), min(ratios), max(ratios))
    print(text, flush=True)


def mitigations(append):
    """What either side's kernel chose, from its own mouth."""
    sides = {"ours": ours("run", "bench", append + " bench=none")}
    if QEMU:
        sides["qemu"] = qemu("bench", append + " bench=none")
    for name, args in sides.items():
        out = cpu_of(args)[2]
        print("mitigations, %s: %s" % (name, "; ".join(l.split("MITIGATION ")[1].strip() for l in out.splitlines()
                                                      if "MITIGATION " in l)))


def boot(rounds, temp):
    boot_with(rounds, temp, "console=ttyS0 panic=-1 quiet")
    boot_with(rounds, temp, "console=ttyS0 panic=-1 quiet mitigations=off")


def boot32(rounds, temp):
    """32-bit kernels to the panic for want of a root file system: they boot the same on both sides, and say so."""
    append = "console=ttyS0 panic=-1 quiet"
    for name in ("686", "686-pae"):
        kernel = os.path.join(GUESTS, "vmlinuz-" + name)
        print("== boot of the %s kernel to its panic, CPU seconds" % name)
        us = [CV, "run", "--kernel", kernel, "--memory", MEMORY + "M", "--append", append, "--pace", "fast"]
        cases = {"not recording": lambda: cpu_of(us)[0]}
        if QEMU:
            cases["qemu plain TCG"] = lambda: cpu_of([QEMU, "-accel", "tcg", "-m", MEMORY, "-nographic", "-no-reboot",
                                                      "-kernel", kernel, "-append", append])[0]
        r = interleaved(cases, rounds)
        q = r.get("qemu plain TCG")
        if q:
            line("qemu plain TCG", q)
        line("not recording", r["not recording"], q, "qemu")


def boot_with(rounds, temp, append):
    print("== boot of the cloud kernel to init, CPU seconds; command line: %s" % append)
    mitigations(append)
    trace = os.path.join(temp, "b.cvt")

    def record():
        if os.path.exists(trace):
            os.unlink(trace)
        return cpu_of(ours("record", "init", append, "-o", trace))[0]

    cases = {"recording": record, "not recording": lambda: cpu_of(ours("run", "init", append))[0],
             "replaying": lambda: cpu_of([CV, "replay", trace])[0]}
    if QEMU:
        cases["qemu plain TCG"] = lambda: cpu_of(qemu("init", append))[0]
    r = interleaved(cases, rounds)
    q = r.get("qemu plain TCG")
    if q:
        line("qemu plain TCG", q)
    line("recording", r["recording"], q, "qemu")
    line("not recording", r["not recording"], q, "qemu")
    line("recording / not recording", r["recording"], r["not recording"], "not recording")
    line("replaying / recording", r["replaying"], r["recording"], "recording")
    info = subprocess.run([CV, "info", "--json", trace], stdout=subprocess.PIPE, text=True).stdout
    print("log without images: %s bytes; steps: %s" %
          (re.search(r'"log_bytes":(\d+)', info).group(1), re.search(r'"icount":(\d+)', info).group(1)))


def micro(rounds, temp):
    print("== micro workloads in the guest, CPU seconds less the boot's; native is the same program on the host")
    append = "console=ttyS0 panic=-1 quiet"
    mitigations(append)
    base = interleaved({"ours": lambda: cpu_of(ours("run", "init", append))[0],
                        "qemu": (lambda: cpu_of(qemu("init", append))[0]) if QEMU else (lambda: 0.0)}, rounds)
    for name in WORK:
        extra = append + " bench=" + name
        cases = {"native": lambda: cpu_of([os.path.join(GUESTS, "bench"), name])[0],
                 "ours": lambda: cpu_of(ours("run", "bench", extra))[0] - statistics.median(base["ours"])}
        if QEMU:
            cases["qemu"] = lambda: cpu_of(qemu("bench", extra))[0] - statistics.median(base["qemu"])
        r = interleaved(cases, rounds)
        n = statistics.median(r["native"])
        o = statistics.median(r["ours"])
        text = "%-10s native %.3f s  ours %.3f s = %.2f x native" % (name, n, o, o / n)
        if QEMU:
            q = statistics.median(r["qemu"])
            text += "  qemu %.3f s = %.2f x native  ours/qemu %.2f" % (q, q / n, o / q)
        print(text, flush=True)


def pss(pid):
    total = 0
    for part in open("/proc/%d/smaps_rollup" % pid):
        if part.startswith("Pss:"):
            total = int(part.split()[1])
    return total


def record(rounds, temp):
    print("== recording over not recording, replay over recording: one workload each, CPU seconds of whole runs")
    trace = os.path.join(temp, "r.cvt")
    for name in ("integer", "sieve", "syscall", "fork"):
        append = "console=ttyS0 panic=-1 quiet bench=" + name

        def recording():
            if os.path.exists(trace):
                os.unlink(trace)
            return cpu_of(ours("record", "bench", append, "-o", trace))[0]

        r = interleaved({"recording": recording, "not recording": lambda: cpu_of(ours("run", "bench", append))[0],
                         "replaying": lambda: cpu_of([CV, "replay", trace])[0]}, rounds)
        line(name + " recording", r["recording"], r["not recording"], "not recording")
        line(name + " replaying", r["replaying"], r["recording"], "recording")


def cold(rounds, temp):
    print("== opening a crash trace at its crash, CPU seconds of `replay --to crash`; and what storing checkpoints costs")
    append = "console=ttyS0 panic=-1"
    traces = {"from the start": ("0", os.path.join(temp, "none.cvt")),
              "stored checkpoints": ("96M", os.path.join(temp, "stored.cvt"))}

    def record(bound, trace):
        if os.path.exists(trace):
            os.unlink(trace)
        return cpu_of(ours("record", "crash", append, "--stored-checkpoints", bound, "--stats", "-o", trace))

    r = interleaved({name: lambda t=t: record(*t)[0] for name, t in traces.items()}, rounds)
    line("recording, none stored", r["from the start"])
    line("recording", r["stored checkpoints"], r["from the start"], "none stored")
    stats = record(*traces["stored checkpoints"])[3]
    for text in re.findall(r"digest \d+ us|stored checkpoints .*|guest powered off.*", stats):
        print("    " + text)
    r = interleaved({name: lambda t=t: cpu_of([CV, "replay", "--to", "crash", t[1]])[0] for name, t in traces.items()},
                    rounds)
    line("open from the start", r["from the start"])
    line("open by a stored checkpoint", r["stored checkpoints"], r["from the start"], "from the start")


def gdb(rounds, temp):
    print("== reverse-stepi near the end of a crash trace, packet in to reply out")
    trace = os.path.join(temp, "c.cvt")
    cpu_of(ours("record", "crash", "console=ttyS0 panic=-1", "-o", trace))
    path = os.path.join(temp, "s")
    start = time.monotonic()
    p = subprocess.Popen([CV, "gdbserver", trace, "--socket", path], stdout=subprocess.PIPE, text=True)
    p.stdout.readline()
    print("open at the crash: %.2f s" % (time.monotonic() - start))
    g = Rsp(path)
    times = []
    for _ in range(50):
        start = time.monotonic()
        g.call("bs")
        times.append((time.monotonic() - start) * 1000)
    times.sort()
    print("50 in a row: p50 %.2f ms  p99 %.2f ms  first %.1f ms" % (times[25], times[-1], times[-1]))
    start = time.monotonic()
    g.call("bc")
    print("reverse-continue to the begin of history: %.2f s" % (time.monotonic() - start))
    child = subprocess.run(["ps", "-o", "pid=", "--ppid", str(p.pid)], stdout=subprocess.PIPE).stdout.split()
    print("engine PSS: %.1f MiB with %s MiB guest RAM" % (pss(int(child[0])) / 1024, MEMORY))
    p.terminate()
    p.wait()


def main():
    args = sys.argv[1:]
    rounds = 7
    if "--rounds" in args:
        i = args.index("--rounds")
        rounds = int(args[i + 1])
        del args[i:i + 2]
    if not QEMU:
        print("no qemu-system-x86_64 on this machine: the peer's columns are left out")
    parts = {"boot": boot, "boot32": boot32, "micro": micro, "record": record, "cold": cold, "gdb": gdb}
    with tempfile.TemporaryDirectory() as temp:
        for name in args or parts:
            parts[name](rounds, temp)


main()
