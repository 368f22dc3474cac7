#!/usr/bin/env python3
"""make bench, travel: the measures of reverse debugging, on a trace of at least 10 G steps (boot, a mixed load, a crash).

  travel.py [--load ROUNDS] [--keep DIR] [open] [step] [reverse] [conditions] [breakpoints] [memory] [record] [interrupt] [peer]

What a user waits for: wall times from packet in to reply out at the real engine, by a bare client, so nothing of gdb is in the
figures; and what only the whole program has: opening, recording, memory of the process, conditions in gdb's language, Ctrl-C. Where
the time inside a travel goes tests/bench/travel.c tells. The peer does what it can on the same kernel (peer.py). --keep DIR keeps
the trace there and uses one that is there already.
"""
import functools
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "support"))
import peer  # noqa: E402
from rsp import Rsp  # noqa: E402

CV = os.environ.get("CV_PROGRAM", os.path.join(TOP, "build", "release", "chronovisor"))
GUESTS = os.environ.get("CV_GUESTS", os.path.join(TOP, "build", "guests"))
KERNEL = os.path.join(GUESTS, "vmlinuz-cloud")
INITRD = os.path.join(GUESTS, "initrd-load.cpio.gz")
MEMORY = "256"
print = functools.partial(print, flush=True)
RBP, RSP, RIP = 6, 7, 16


class Client(Rsp):
    """A bare remote client that knows our monitor's verbs."""

    def __init__(self, address):
        super().__init__(address, patience=600)

    def seek(self, icount):
        self.monitor("seek-ticks %d" % icount)

    def register(self, number):
        return int.from_bytes(bytes.fromhex(self.call("p%x" % number)), "little")

    def timed(self, text):
        start = time.monotonic()
        answer = self.call(text)
        return time.monotonic() - start, answer


class Server:
    def __init__(self, trace, temp, *more):
        self.path = os.path.join(temp, "s%d" % random.randrange(1 << 30))
        start = time.monotonic()
        self.p = subprocess.Popen([CV, "gdbserver", trace, "--socket", self.path, *more], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
        self.p.stdout.readline()
        self.opened = time.monotonic() - start

    def __enter__(self):
        self.client = Client(self.path)
        return self

    def __exit__(self, *_):
        self.client.s.close()
        self.p.terminate()
        self.p.wait()

    def engine(self):
        return int(subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.p.pid)], stdout=subprocess.PIPE).stdout.split()[0])

    def pss_mib(self):
        """Of the engine: memory that is its own, and its share of what it shares."""
        for part in open("/proc/%d/smaps_rollup" % self.engine()):
            if part.startswith("Pss:"):
                return int(part.split()[1]) / 1024
        return 0


def spread(values, scale=1000, unit="ms"):
    v = sorted(values)
    return "p50 %.2f %s  p99 %.2f %s  most %.2f %s  (%d)" % (
        v[len(v) // 2] * scale, unit, v[min(len(v) - 1, int(len(v) * 0.99))] * scale, unit, v[-1] * scale, unit, len(v))


def info(trace):
    import json
    return json.loads(subprocess.run([CV, "info", trace, "--json"], stdout=subprocess.PIPE, check=False).stdout)


def record(trace, rounds, *more):
    return subprocess.run([CV, "record", "--kernel", KERNEL, "--initrd", INITRD, "--memory", MEMORY + "M", "--pace", "fast",
                           "--append", "console=ttyS0 panic=-1 quiet load=%d" % rounds, "-o", trace, *more],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)


# -- ours ----------------------------------------------------------------------------------------------------

def measure_open(trace, temp):
    times = []
    for _ in range(5):
        server = Server(trace, temp)
        with server:
            times.append(server.opened)
    print("open at the crash, cold engine: %s; goal 1 s" % spread(times, 1, "s"))


def measure_step(trace, temp):
    """50 reverse steps in a row after each of 100 random seeks."""
    end = info(trace)["end"]["icount"]
    pick = random.Random(4)
    seeks, firsts, steps = [], [], []
    with Server(trace, temp) as server:
        for _ in range(100):
            start = time.monotonic()
            server.client.seek(pick.randrange(1000, end))
            seeks.append(time.monotonic() - start)
            run = [server.client.timed("bs")[0] for _ in range(50)]
            firsts.append(run[0])
            steps += run
    print("seek to a random place:       %s; goal p99 1000" % spread(seeks))
    print("reverse-stepi, 50 after each: %s; goal p50 10, p99 50" % spread(steps))
    print("  the first of each 50:       %s" % spread(firsts))


def user_place(client, around, end):
    """A place near `around` in a program: its stack and code lie where no other program's do (ASLR)."""
    for back in range(0, 400):
        client.seek(min(end, around - back * 50021))
        rip = client.register(RIP)
        if 0x400000 < rip < 1 << 47:
            return client.icount(), rip, client.register(RSP)
    return None


def measure_reverse(trace, temp):
    """To what last happened 0.1, 1 and 5 G steps ago: a breakpoint's address, a stack word of a program."""
    end = info(trace)["end"]["icount"]
    pick = random.Random(5)
    right = tried = 0
    with Server(trace, temp) as server:
        c = server.client
        for distance, count in ((100_000_000, 20), (1_000_000_000, 20), (5_000_000_000, 10)):
            for what, insert, remove in (("breakpoint", "Z0,%x,1", "z0,%x,1"), ("watchpoint", "Z2,%x,8", "z2,%x,8")):
                rates = []
                for _ in range(count):
                    from_ = pick.randrange(distance + 1_500_000_000, end) if distance < end - 1_500_000_000 else end
                    place = user_place(c, from_ - distance, end)
                    if place is None:
                        continue
                    at, rip, rsp = place
                    address = rip if what == "breakpoint" else (rsp - 8) & ~7
                    c.seek(from_)
                    if c.call(insert % address) != "OK":
                        print("%s: refused" % what)
                        break
                    took, answer = c.timed("bc")
                    there = c.icount()
                    c.call(remove % address)
                    tried += 1
                    # The last time may lie later than the place the address was taken from, never earlier for code.
                    right += there < from_ and (what == "watchpoint" or there >= at) and answer.startswith("T05")
                    if from_ - there > distance // 4:
                        rates.append(took / ((from_ - there) / 1e9))
                if rates:
                    print("reverse-continue over %.1f G to a %s: %s; goal 0.5 s a G" %
                          (distance / 1e9, what, spread(rates, 1, "s/G")))
    print("reverse-continue: %d of %d returned to a place before, not earlier than where the address was taken" % (right, tried))


def kernel_entry(client, end):
    """Where programs enter the kernel for a system call."""
    client.seek(end * 3 // 4)
    client.monitor("next syscall")
    return client.register(RIP)


def measure_conditions(trace, temp):
    """A false condition at every system call, back to the begin of history; the same way without it."""
    from_ = 1_800_000_000  # programs have run for a while
    with Server(trace, temp) as server:
        c = server.client
        address = kernel_entry(c, info(trace)["end"]["icount"])
        took = {}
        for condition in ("", ";X3,220027"):
            point = "%x,1" % (address if condition else 0xffffffff80001357)
            c.seek(from_)
            if c.call("Z0,%s%s" % (point, condition)) != "OK":
                print("false conditions: refused")
                return
            took[condition], answer = c.timed("bc")
            c.call("z0,%s" % point)
        hits = len(c.monitor("query calls 0x%x --to %d" % (address, from_)).splitlines())
        print("reverse-continue over %.1f G with %d false conditions: %.2f s (%s), with a breakpoint never hit %.2f s; goal 1 s for 10,000" %
              (from_ / 1e9, hits, took[";X3,220027"], answer[:3], took[""]))


def measure_breakpoints(trace, temp):
    """A scan of 1 G steps with one breakpoint that is never hit, and with 500."""
    end = info(trace)["end"]["icount"]
    results = {1: [], 500: []}
    with Server(trace, temp) as server:
        c = server.client
        for round_ in range(6):
            for count in results:
                for i in range(count):
                    c.call("Z0,%x,1" % (0xffffffff80000000 + 0x1357 * i))
                c.seek(1_000_000_000)
                took, _ = c.timed("bc")
                if round_ > 0:
                    results[count].append(took)
                for i in range(count):
                    c.call("z0,%x,1" % (0xffffffff80000000 + 0x1357 * i))
    ratios = [b / a for a, b in zip(results[1], results[500])]
    print("scan of 1 G: with 1 breakpoint %.2f s, with 500 %.2f s, ratio %.3f (%.3f-%.3f); goal 1.05" %
          (statistics.median(results[1]), statistics.median(results[500]), statistics.median(ratios), min(ratios), max(ratios)))


def measure_memory(trace, temp):
    end = info(trace)["end"]["icount"]
    for bound in (64, 256, 1024):
        pick = random.Random(6)
        with Server(trace, temp, "--checkpoint-memory", "%dM" % bound) as server:
            seeks = []
            for _ in range(40):
                start = time.monotonic()
                server.client.seek(pick.randrange(1000, end))
                seeks.append(time.monotonic() - start)
            pss = server.pss_mib()
            print("checkpoints within %d MiB: engine PSS %.0f MiB with %s MiB guest RAM (beyond RAM: %.0f), 40 seeks %s; %s" %
                  (bound, pss, MEMORY, pss - int(MEMORY), spread(seeks), server.client.monitor("info replay").strip().splitlines()[-1]))


def processor_time(pid):
    """Of all its threads, in seconds: the clock that clock_getcpuclockid(3) names."""
    return time.clock_gettime(~pid << 3 | 2)


def measure_interrupt(trace, temp):
    """From Ctrl-C in a long way back, at any moment of it, to the answer; the machine must stand where it began."""
    end = info(trace)["end"]["icount"]
    pick = random.Random(7)
    times, worked, astray, late = [], [], 0, 0
    with Server(trace, temp) as server:
        c, engine = server.client, server.engine()
        c.call("Z0,ffffffff80001357,1")  # never met
        c.seek(end)
        for _ in range(50):
            before = c.icount()
            c.send("bc")
            time.sleep(pick.uniform(0.02, 2))
            cpu, start = processor_time(engine), time.monotonic()
            c.s.sendall(b"\x03")
            answer = c.packet()
            if answer.startswith("T02"):
                times.append(time.monotonic() - start)
                worked.append(processor_time(engine) - cpu)
                astray += c.icount() != before
            else:
                late += 1  # it had come to the begin by itself
                c.seek(end)
    print("Ctrl-C in a reverse-continue: %s; goal p99 200; %d stood elsewhere, %d came too late" % (spread(times), astray, late))
    print("  the engine worked for it:   %s" % spread(worked))


def measure_record(temp, rounds):
    trace = os.path.join(temp, "stats.cvt")
    err = record(trace, rounds, "--stats").stderr
    print("\n".join(line for line in err.splitlines() if "stats" in line))
    os.unlink(trace)


def main():
    args = sys.argv[1:]
    rounds, keep = 25, None
    if "--load" in args:
        i = args.index("--load")
        rounds = int(args[i + 1])
        del args[i:i + 2]
    if "--keep" in args:
        i = args.index("--keep")
        keep = args[i + 1]
        del args[i:i + 2]
    with tempfile.TemporaryDirectory() as temp:
        trace = os.path.join(keep or temp, "load-%d.cvt" % rounds)
        if not os.path.exists(trace):
            record(trace, rounds)
        about = info(trace)
        print("== travel: a trace of %.2f G steps, %.1f MB, on %d CPUs" %
              (about["end"]["icount"] / 1e9, os.path.getsize(trace) / 1e6, os.cpu_count()))
        parts = {"open": lambda: measure_open(trace, temp), "step": lambda: measure_step(trace, temp),
                 "reverse": lambda: measure_reverse(trace, temp), "conditions": lambda: measure_conditions(trace, temp),
                 "breakpoints": lambda: measure_breakpoints(trace, temp), "memory": lambda: measure_memory(trace, temp),
                 "record": lambda: measure_record(temp, rounds), "interrupt": lambda: measure_interrupt(trace, temp), "peer": lambda: peer.main([])}
        for name in args or parts:
            parts[name]()


if __name__ == "__main__":
    main()
