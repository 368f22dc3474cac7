#!/usr/bin/env python3
"""What QEMU's record and replay do on our kernel: recording, replay, reverse-stepi and reverse-continue by its gdb server.

  peer.py [--total SECONDS] [init] [load]

init: boot to init and power-off, the peer's best chance; load: one round of travel.py's load. A reverse operation has 60 s, then it
"did not return", and its process is thrown away; each kind gets three processes. Nothing goes on past SECONDS (900) in all. Times are wall times, and CPU times of
the process in brackets; other work on the machine is in the first alone.

QEMU 7.2: `shift=auto`, since a recording with `shift=0,sleep=off` never starts its guest. Going back wants a snapshot: `rrsnapshot`
takes one at the start, in an image that nothing else uses; more of them are taken by the monitor's savevm on the way.
"""
import functools
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "support"))
from rsp import Rsp  # noqa: E402

GUESTS = os.environ.get("CV_GUESTS", os.path.join(TOP, "build", "guests"))
KERNEL = os.path.join(GUESTS, "vmlinuz-cloud")
QEMU = shutil.which("qemu-system-x86_64")
MEMORY = "256"
OPERATION = 60
PROCESSES = 3  # a kind of operation: one that hangs takes its process with it
WORDS = {"init": b"INIT:", "load": b"LOAD: round 1"}  # what the console must have said
STOPS = 4  # on the way to where the reverse operations begin
print = functools.partial(print, flush=True)


class Over(Exception):
    """The bound on the whole is reached."""


class Budget:
    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def share(self, parts):
        """Of what is left, for the first of so many parts."""
        return Budget((self.end - time.monotonic()) / parts)

    def take(self, most, least=1):
        left = self.end - time.monotonic()
        if left < least:
            raise Over
        return min(most, left)


def bounded(args, seconds):
    """(wall, CPU) of a run to its end; None: it did not end in time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        p.wait(seconds)
    except subprocess.TimeoutExpired:
        p.kill()
        p.wait()
        return None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Replay:
    """A replay with its gdb server and monitor; stopped at the start."""

    def __init__(self, args, temp):
        gdb, monitor = (os.path.join(temp, name) for name in ("q.gdb", "q.monitor"))
        for path in (gdb, monitor):
            if os.path.exists(path):
                os.unlink(path)
        self.p = subprocess.Popen(args + ["-chardev", "socket,path=%s,server=on,wait=off,id=g" % gdb, "-gdb", "chardev:g", "-S",
                                          "-chardev", "socket,path=%s,server=on,wait=off,id=m" % monitor,
                                          "-mon", "chardev=m,mode=readline"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not os.path.exists(monitor) and self.p.poll() is None:
                time.sleep(0.1)
            self.monitor = socket.socket(socket.AF_UNIX)
            self.monitor.settimeout(OPERATION)
            self.monitor.connect(monitor)
            self.ask("")
            self.gdb = Rsp(gdb, OPERATION, ours=False)
            self.gdb.call("qSupported:multiprocess+")
            self.gdb.call("?")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.p.send_signal(signal.SIGKILL)
        self.p.wait()

    def ask(self, command):
        """The monitor's answer."""
        if command:
            self.monitor.sendall(command.encode() + b"\n")
        text = b""
        while not text.endswith(b"(qemu) "):
            part = self.monitor.recv(4096)
            if not part:
                raise EOFError
            text += part
        return text.decode(errors="replace")

    def icount(self):
        return int(re.search(r"instruction count = (\d+)", self.ask("info replay")).group(1))

    def cpu(self):
        fields = open("/proc/%d/stat" % self.p.pid).read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def go_on(self, seconds, most):
        """Continues until it has worked that long, then stops it."""
        end, late = self.cpu() + seconds, time.monotonic() + most
        self.gdb.send("vCont;c")
        while self.cpu() < end and time.monotonic() < late:
            time.sleep(0.02)
        self.gdb.s.sendall(b"\x03")
        self.gdb.packet()

    def rip(self):
        return int.from_bytes(bytes.fromhex(self.gdb.call("g")[256:272]), "little")

    def operate(self, packet, seconds):
        """(wall, CPU, answer); answer None: did not return."""
        self.gdb.s.settimeout(seconds)
        cpu, start = self.cpu(), time.monotonic()
        try:
            answer = self.gdb.call(packet)
        except TimeoutError:
            answer = None
        return time.monotonic() - start, self.cpu() - cpu, answer


class Tally:
    """Of one kind of operation."""

    def __init__(self, what):
        self.what, self.times, self.work, self.tried, self.wrong = what, [], [], 0, 0

    def say(self):
        text = "  %s: %d of %d returned" % (self.what, len(self.times), self.tried)
        if self.times:
            text += ", median %.2f s (%.2f s CPU), most %.2f s (%.2f s CPU)" % (
                statistics.median(self.times), statistics.median(self.work), max(self.times), max(self.work))
        print(text + (", %d ELSEWHERE" % self.wrong if self.wrong else ""))


def reverse(args, temp, budget, slice_, snapshots, packet, times, tally):
    """Goes on for STOPS slices, then back `times` times. The breakpoint of "bc" is where the first slice ended."""
    with Replay(args, temp) as q:
        place = None
        for i in range(STOPS):
            q.go_on(slice_, budget.take(100))
            place = place or (q.rip(), q.icount())
            if snapshots:
                q.ask("savevm way%d" % i)
        q.go_on(slice_ / 4, budget.take(100))
        if packet == "bc":
            q.gdb.call("Z1,%x,1" % place[0])
        for _ in range(times):
            patience = budget.take(OPERATION, OPERATION)
            tally.tried += 1
            before = q.icount()
            wall, cpu, answer = q.operate(packet, patience)
            if answer is None:
                print("    from step %d: did not return in %.0f s, %.2f s CPU" % (before, wall, cpu))
                return
            there = q.icount()
            right = there == before - 1 if packet == "bs" else q.rip() == place[0] and place[1] <= there < before
            print("    from step %d to %d: %.2f s (%.2f s CPU) %s" % (before, there, wall, cpu, answer[:3]))
            tally.times.append(wall)
            tally.work.append(cpu)
            tally.wrong += not right


def measure(name, temp, budget):
    disk, log, console = (os.path.join(temp, "q." + end) for end in ("qcow2", "rr", "console"))
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "16G"], check=True)
    plain = [QEMU, "-accel", "tcg", "-m", MEMORY, "-display", "none", "-no-reboot", "-net", "none", "-kernel", KERNEL, "-initrd",
             os.path.join(GUESTS, "initrd-%s.cpio.gz" % name), "-append", "console=ttyS0 panic=-1 quiet load=1",
             "-serial", "file:" + console]
    quiet = ["-monitor", "none"]
    modes = {mode: plain + ["-drive", "file=%s,if=none,id=rr" % disk, "-icount", "shift=auto,rr=%s,rrfile=%s,rrsnapshot=start" % (mode, log)]
             for mode in ("record", "replay")}
    said, took = {}, {}
    for what, args in (("live", plain), ("record", modes["record"]), ("replay", modes["replay"])):
        for _ in range(PROCESSES):
            took[what] = bounded(args + quiet, budget.take(200))
            said[what] = open(console, "rb").read()
            if took[what] is not None and WORDS[name] in said[what]:
                break
            print("  %s: %s" % (what, "did not end" if took[what] is None else "the guest gave up early: %r" % said[what][-80:]))
        else:
            return
        print("  %s: %.1f s (%.1f s CPU, %.2f x live)%s" % (what, *took[what], took[what][1] / took["live"][1],
                                                        ", log %.2f MB" % (os.path.getsize(log) / 1e6) if what == "record" else ""))
    print("  the replay's console is the recording's: %s" % (said["record"] == said["replay"]))
    slice_ = took["replay"][1] * 0.6 / (STOPS + 1)
    kinds = [(snapshots, *kind) for snapshots in (False, True)
             for kind in (("bs", 5, "reverse-stepi"), ("bc", 1, "reverse-continue to a breakpoint met before"))]
    for i, (snapshots, packet, times, what) in enumerate(kinds):
        tally = Tally("%s, %s" % ("%d snapshots" % (STOPS + 1) if snapshots else "the snapshot of the start", what))
        share = budget.share(len(kinds) - i)
        for _ in range(PROCESSES):
            try:
                reverse(modes["replay"], temp, share, slice_, snapshots, packet, times, tally)
            except (EOFError, OSError, AttributeError) as why:
                print("    gave up: %r" % why)
            except Over:
                print("    its share of the time is over")
                break
        tally.say()


def main(args):
    if not QEMU or not shutil.which("qemu-img"):
        print("peer: no qemu-system-x86_64 and qemu-img here")
        return
    total = 900
    if "--total" in args:
        i = args.index("--total")
        total = int(args[i + 1])
        del args[i:i + 2]
    budget = Budget(total)
    try:
        names = args or ["init", "load"]
        for i, name in enumerate(names):
            print("== peer, %s: %s; load of the machine %s" % (
                name, subprocess.run([QEMU, "--version"], stdout=subprocess.PIPE, text=True).stdout.split("(")[0].strip(),
                open("/proc/loadavg").read().split()[0]))
            with tempfile.TemporaryDirectory() as temp:
                measure(name, temp, budget.share(len(names) - i))
    except Over:
        print("peer: %d s are over" % total)


if __name__ == "__main__":
    main(sys.argv[1:])
