#!/usr/bin/env python3
"""Random walks with the real gdb: steps, seeks, breakpoints and watchpoints in both directions, on every guest.

Before each walk a run that never turns notes where the points are met. Each move of gdb must end where that run says, and
with the state that it has there. CV_WALK_MOVES and CV_WALK_SEED set length and seed (the soak walks 10,000 moves on each
guest). Run one alone: tests/gdb/test_walks.py timer
"""
import bisect
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dialogue import Place, Server, check  # noqa: E402
from linuxes import machine  # noqa: E402
from cvtest import CV, GUEST, TOP, case, expect, finish, info, run  # noqa: E402

MOVES = int(os.environ.get("CV_WALK_MOVES", "500"))
SEED = int(os.environ.get("CV_WALK_SEED", "1"))
HITS_MAX = 400  # of one point in the whole run: a point that is met at every turn hides the others
CODE_SPAN = 1 << 20  # a word on the stack that lies nearer than this to rip may be a return address
FAR = 1 << 62
INPUT = {"echo": b"hello world, how are you?\nsecond line with more than sixteen bytes in it.\n"}
HERE = tempfile.mkdtemp(prefix="cvtest-walks-")


class Dice:
    """The same numbers in every run."""

    def __init__(self, seed):
        self.state = seed * 2862933555777941757 % 2**64

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 20) % n


# -- the straight run ----------------------------------------------------------------------------------------

def candidates(place, dice, low, high, user=True):
    """Code that runs somewhere or will be returned to, and stack that is used there. `user`: that of programs, too. (gdb
    compares values: where another process has the new one at that address, it drops the stop.)"""
    codes, stacks = [], []
    for _ in range(24):
        place.seek(low + dice.below(high - low))
        rip = place.rsp.rip()
        stack = int.from_bytes(bytes.fromhex(place.registers())[56:64], "little") & ~7
        words = place.rsp.call("m%x,80" % stack)
        if words[:1] != "E":
            words = [int.from_bytes(bytes.fromhex(words[i:i + 16]), "little") for i in range(0, len(words), 16)]
            codes += [word for word in words if 0 < abs(word - rip) < CODE_SPAN][:1]
            stacks += [stack - 8 * dice.below(4)] if user or stack >> 63 else []
        codes.append(rip)
    return codes, stacks


def meetings(place, packet, low, high):
    """The icounts at which a run stops for the point, below `high`; None: they are too many."""
    met = []
    place.seek(low)
    check(place.rsp.call("Z" + packet) == "OK", packet)
    while len(met) <= HITS_MAX:
        reply = place.move("vCont;c")
        if "replaylog" in reply or place.icount() >= high:
            break
        met.append(place.icount())
    check(place.rsp.call("z" + packet) == "OK", packet)
    return met if len(met) <= HITS_MAX else None


def choose(place, dice, low, high, end):
    """(breaks, watches): address -> icounts of the stops going forward"""
    codes, stacks = candidates(place, dice, low, min(high, end), user=low == 0)
    breaks, watches = {}, {}
    if high < FAR:
        place.rsp.monitor("replay_break %d" % high)
    for chosen, addresses, form, most in ((breaks, codes, "0,%x,1", 3), (watches, stacks, "2,%x,8", 2)):
        for address in sorted(set(addresses), key=addresses.index)[:14]:
            met = meetings(place, form % address, low, high) if len(chosen) < most else None
            if met:
                chosen[address] = met
    return breaks, watches


class Model:
    """Where a move must end, as far as the straight run was looked at: from `low` on, and below `high`."""

    def __init__(self, breaks, watches, low, high, end):
        self.low, self.high, self.end = low, high, end
        self.breaks = sorted({at for met in breaks.values() for at in met})
        self.hits = sorted({at - 1 for met in watches.values() for at in met})  # the step that changes it
        self.at = low

    def after(self, limit=FAR):
        """The next stop going forward, at most `limit`."""
        i, j = bisect.bisect_right(self.breaks, self.at), bisect.bisect_left(self.hits, self.at)
        stops = [self.breaks[i]] if i < len(self.breaks) else []
        stops += [self.hits[j] + 1] if j < len(self.hits) else []
        return min([*stops, limit, self.end])

    def before(self, limit):
        i, j = bisect.bisect_left(self.breaks, self.at), bisect.bisect_left(self.hits, self.at)
        stops = [self.breaks[i - 1]] if i > 0 else []
        stops += [self.hits[j - 1]] if j > 0 else []
        return max([*stops, limit])

    def move(self, command):
        """The place, or None when gdb decides itself how far it goes."""
        words = command.split()
        count = int(words[-1]) if len(words) > 1 else 1
        if words[0] == "monitor":
            return count
        if not self.low <= self.at <= self.high:
            return None
        if words[0] == "continue":
            there = self.after()
        elif words[0] == "stepi":
            there = self.after(self.at + count)
        elif words[0] == "reverse-continue":
            there = self.before(0)
        elif words[0] == "reverse-stepi":
            there = self.before(max(0, self.at - count))
        else:
            return None
        return there if self.low <= there < self.high else None


def make_moves(dice, low, high, count):
    moves = []
    for _ in range(count):
        kind, n = dice.below(14), dice.below(1 << 40)
        moves.append("monitor seek %d" % (low + n % (high - low)) if kind < 2 else
                     "stepi %d" % (1 + n % 12) if kind < 4 else
                     "reverse-stepi %d" % (1 + n % 12) if kind < 6 else
                     "continue" if kind < 9 else
                     "reverse-continue" if kind < 12 else
                     "nexti" if kind == 12 else "reverse-nexti")
    return moves


# -- a walk ----------------------------------------------------------------------------------------------------

def walk_gdb(directory, trace, low, bound, plan):
    name = os.path.join(directory, "walk.json")
    with open(name, "w") as f:
        json.dump(plan, f)
    p = subprocess.run([CV, "debug", trace, "--at", str(low), "--checkpoint-memory", bound, "--", "-nx", "-batch", "-x",
                        os.path.join(TOP, "tests", "gdb", "walker.py")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, env=dict(os.environ, CV_WALK=name), timeout=3000)
    text = p.stdout.decode(errors="replace")
    check(p.returncode == 0 and os.path.exists(name + ".out"), "gdb: exit %d\n%s" % (p.returncode, text[-3000:]))
    with open(name + ".out") as f:
        return json.load(f)


def walk(directory, trace, moves, seed, low=0, high=FAR, bound="1G"):
    end = info(trace)["end"]["icount"]
    dice = Dice(seed)
    with Server(directory, trace, "--at", low, "--checkpoint-memory", bound) as server:
        breaks, watches = choose(Place(server.connect()), dice, low, high, end)
    model = Model(breaks, watches, low, high, end)
    plan = {"breaks": list(breaks), "watches": list(watches), "moves": make_moves(dice, low, min(high, end), moves)}
    noted = walk_gdb(directory, trace, low, bound, plan)
    check(len(noted) == moves, "%d of %d moves" % (len(noted), moves))
    straight, rips = {}, {}
    with Server(directory, trace, "--at", min(at for _, at, _, _ in noted)) as server:
        place = Place(server.connect())
        for at in sorted({at for _, at, _, _ in noted}):
            place.seek(at)
            straight[at] = place.digest()[1]
            rips[at] = place.rsp.rip()
    for i, (command, at, _, said) in enumerate(noted):
        wanted = model.move(command)
        # Stepping, gdb stops wherever rip has the address, also where the CPU halts or takes an interrupt there first.
        early = "stepi" in command and rips[at] in breaks and (model.at < at < (wanted or FAR) or model.at > at > (wanted or 0))
        check(wanted is None or at == wanted or early, "move %d, %s from %d: at %d, the straight run says %s\n%s\n%s" %
              (i, command, model.at, at, wanted, said, json.dumps({k: plan[k] for k in ("breaks", "watches")})))
        model.at = at
    wrong = [(i, m[0], m[1]) for i, m in enumerate(noted) if straight[m[1]] != m[2]]
    check(not wrong, "another state than the straight run's: %s" % wrong[:5])
    return len(straight), len(model.breaks), len(model.hits)


def mini(directory, name, number):
    trace = os.path.join(directory, "t.cvt")
    rc, _, err = run("record", "--kernel", os.path.join(GUEST, name), "--memory", "16M", "--pace", "fast", "-o", trace,
                     stdin=INPUT.get(name))
    check(rc in (0, 1), "%d %s" % (rc, err))
    places, breaks, hits = walk(directory, trace, MOVES, SEED * 1000 + number)
    made["places"] += places
    made["stops"] += breaks + hits
    made["without"] += breaks + hits == 0


def kernel(directory):
    """Processes at work, behind the boot, in a tight bound of memory. (Most of the boot is the loop that unpacks the initrd.)"""
    trace = os.path.join(directory, "t.cvt")
    expect(0, "record", *machine("cloud", "work"), "-o", trace)
    end = info(trace)["end"]["icount"]
    places, breaks, hits = walk(directory, trace, MOVES, SEED, low=end // 100 * 95, high=end // 100 * 99, bound="64M")
    print("        %d places, %d of breakpoints, %d of watchpoints" % (places, breaks, hits))
    check(breaks + hits > 0, "nothing was met")


def some(directory):
    check(made["places"] > MOVES // 4 * made["guests"] and made["stops"] > 10 * made["guests"], made)
    check(made["without"] <= made["guests"] // 4, made)


print("walks of %d moves, CV_WALK_SEED=%d" % (MOVES, SEED))
made = {"places": 0, "stops": 0, "without": 0, "guests": 0}
try:
    names = sorted(f[:-6] for f in os.listdir(GUEST) if f.endswith(".elf64"))
    names += sorted("legacy32/" + f for f in os.listdir(os.path.join(GUEST, "legacy32")) if f != "bad")
    for number, name in enumerate(names):
        before = made["places"]
        case("walk: " + name, mini, name, number)
        made["guests"] += made["places"] > before
    case("walk: the guests together", some)
    case("walk: cloud kernel", kernel)
finally:
    shutil.rmtree(HERE, ignore_errors=True)
finish()
