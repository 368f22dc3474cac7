#!/usr/bin/env python3
"""gdb on a trace: watchpoints, conditions, retroactive printf, events, and the steps that are easily miscounted, with the
real gdb on the guest `stops`, in both directions.

Run one alone: tests/gdb/test_stops.py "watch: many"
"""
import os
import re
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dialogue import (FLUSH, HISTORY, Place, Server, check, hear, icount_of, recorded, talk, value)  # noqa: E402
from cvtest import GUEST, Skip, case, expect, finish, info  # noqa: E402
import subprocess  # noqa: E402

HERE = tempfile.mkdtemp(prefix="cvtest-stops-")
SYMBOLS = os.path.join(GUEST, "stops.elf64")
HOT = 20000
made = {}


def trace(name="stops"):
    return recorded(HERE, name)


def addresses():
    if "nm" not in made:
        out = subprocess.run(["nm", SYMBOLS], stdout=subprocess.PIPE, text=True, check=True).stdout
        made["nm"] = {name: int(at, 16) for at, _, name in (line.split() for line in out.splitlines())}
    return made["nm"]


def hot_line():
    """The line of `hot` in which its argument stands where gdb looks for it."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guest", "stops.c")) as f:
        return "stops.c:%d" % (1 + [line.strip() for line in f].index("calls++;"))


def ask(directory, commands, at=0, **kw):
    return talk(directory, trace(kw.pop("trace", "stops")), commands, at=at, symbols=kw.pop("symbols", SYMBOLS), **kw)


def walk(directory, watch, count, *more):
    """A watchpoint met `count` times and once more forward, and as often back; (stops forward, stops back), each what gdb
    said, the icount and what `more` printed."""
    n = 2 + len(more)
    commands = [*watch]
    for move in ("continue", "reverse-continue"):
        commands += [move, "monitor when", *more] * (count + 1)
    a = ask(directory, commands)[len(watch):]
    stops = [(a[i], icount_of(a[i + 1]), *a[i + 2:i + n]) for i in range(0, len(a), n)]
    return stops[:count + 1], stops[count + 1:]


def check_walk(there, back, values):
    """Forward each write is reported behind it, backward before it: one step apart, old and new value in their places."""
    count = len(values) - 1
    check(HISTORY in there[count][0] and HISTORY in back[count][0], "other stops: %s %s" % (there[count], back[count]))
    for i in range(count):
        old, new = values[i], values[i + 1]
        check("Old value = %s" % old in there[i][0] and "New value = %s" % new in there[i][0], there[i][0])
        late = back[count - 1 - i]
        check("Old value = %s" % new in late[0] and "New value = %s" % old in late[0], late[0])
        check(there[i][1] == late[1] + 1, "forward %d, backward %d" % (there[i][1], late[1]))


# -- watchpoints ---------------------------------------------------------------------------------------------

def watch_never(directory):
    """Never written: one packet each way, and both ends say so."""
    there, back = walk(directory, ["watch never"], 0)
    check_walk(there, back, [0])


def watch_once(directory):
    there, back = walk(directory, ["watch once"], 1, "x/i $pc")
    check_walk(there, back, [0, 5])
    check("movq   $0x5" in back[0][2], "the writer: " + back[0][2])


def watch_many(directory):
    """A hundred writes; the same hundred places backward."""
    there, back = walk(directory, ["watch many"], 100)
    check_walk(there, back, [n * (n + 1) // 2 for n in range(101)])


def watch_silent(directory):
    """Six writes, two of them of another value: a silent store is no change, an access it is."""
    there, back = walk(directory, ["watch silent"], 2)
    check_walk(there, back, [0, 7, 8])
    a = ask(directory, ["awatch silent", *["continue", "monitor when"] * 8, *["reverse-continue", "monitor when"] * 8])
    there = [icount_of(x) for x in a[2:17:2]]
    back = [icount_of(x) for x in a[18:33:2]]
    check(HISTORY in a[15] and HISTORY in a[31], a[15:17] + a[31:])
    check(there[:7] == sorted(set(there[:7])), there)
    check(back[:7] == [n - 1 for n in there[:7]][::-1], "forward %s, backward %s" % (there, back))
    a = ask(directory, ["rwatch silent", *["continue", "x/i $pc"] * 3])
    check("Value = 7" in a[1] and "Value = 8" in a[3] and HISTORY in a[5], a)


def watch_straddle(directory):
    """Eight bytes over the end of a page, at no alignment: written in one part, in the other, and in both."""
    where = "*(long *)&pages[4092]"
    there, back = walk(directory, ["watch " + where], 3, "p/x " + where)
    values = [0, 1 << 24, (2 << 32) + (1 << 24), 0x1122334455667788]
    check_walk(there, back, values)
    check([value(x[2]) for x in there[:3]] == values[1:] and [value(x[2]) for x in back[:3]] == values[2::-1],
          (there, back))


def watch_lengths(directory):
    """A structure of 128 bytes, one byte of a word, 3 bytes at an odd address."""
    there, back = walk(directory, ["watch wide"], 3, "p wide.body[7]")
    check(all("wide" in s[0] and "watchpoint 1" in s[0] for s in there[:3] + back[:3]), there)
    check(HISTORY in there[3][0] and HISTORY in back[3][0], there[3])
    check([s[1] - 1 for s in there[:3]] == [s[1] for s in back[2::-1]], "other places")
    there, back = walk(directory, ["watch *((char *)&wide.body[7])"], 1)
    check_walk(there, back, [0, 2])
    with Server(directory, trace(), "--at", 0) as server:
        place = Place(server.connect())
        at = addresses()["pages"] + 4095
        check(place.rsp.call("Z2,%x,3" % at) == "OK", "Z2 of 3 bytes")
        for _ in range(3):
            check("watch:%x;" % at in place.move("vCont;c"), "three writes")
        check("replaylog:end" in place.move("vCont;c"), "a fourth one")
        for bad in ("Z2,1000,0", "Z3,ffffffffffffffff,2", "Z4,0,100001", "Z2,0,ffffffffffffffff"):
            check(place.rsp.call(bad).startswith("E."), bad)
        check(place.rsp.call("Z2,1000,100000") == "OK", "a megabyte")


def watch_physical(directory):
    """`monitor watch phys` sees a write by another mapping; gdb's own is about the address."""
    pages = addresses()["pages"]
    a = ask(directory, ["monitor watch phys %#x 4" % (pages + 64), "continue", "monitor when", "p/x *(int *)&pages[64]",
                        "reverse-continue", "p/x *(int *)&pages[64]", "x/i $pc", "monitor watches", "monitor unwatch 1",
                        "continue", "monitor unwatch 1", "monitor watches"])
    check("physical change at %#x" % (pages + 64) in a[0] and "Stop 1: physical change" in a[1], a[:2])
    check(value(a[3]) == 0xa11a5 and value(a[5]) == 0, a[3:6])
    check("movl   $0xa11a5" in a[6], a[6])
    check("1 hits" in a[7] and "gone" in a[8] and HISTORY in a[9] and "No such" in a[10], a[7:])
    there, back = walk(directory, ["watch *(int *)&pages[64]"], 0)
    check_walk(there, back, [0])
    there, back = walk(directory, ["watch *(int *)0x500000000040"], 1)
    a = ask(directory, ["monitor phys on", "watch *(int *)%#x" % (pages + 64), "continue", "reverse-continue"])
    check("New value = 659877" in a[2] and "Old value = 659877" in a[3], a)


def watch_with_breakpoint(directory):
    """Both at one place, and a watchpoint behind a breakpoint: each is told, none twice."""
    a = ask(directory, ["watch once", "break write_once", "continue", "continue", "monitor when", "tbreak *$pc",
                        "reverse-stepi", "monitor when", "reverse-continue", "stepi", "reverse-stepi"])
    check("Breakpoint 2" in a[2] and "New value = 5" in a[3], a[2:4])
    check("Old value = 5" in a[6] and icount_of(a[7]) == icount_of(a[4]) - 1, a[6:8])
    check("Breakpoint 2" in a[8], a[8])


def watch_reverse_commands(directory):
    """reverse-step, reverse-next and reverse-finish stop where a watchpoint changes."""
    a = ask(directory, ["break write_silently", "continue", "watch once", "watch silent", "next", "next", "next",
                        "reverse-next", "reverse-next", "reverse-finish", "delete 1", "reverse-continue", "reverse-continue"])
    check("New value = 7" in "".join(a[4:7]), a[4:7])
    check("Old value = 7" in "".join(a[7:9]), a[7:9])
    check("Old value = 5" in "".join(a[9:13]), a[9:])


def watch_local(directory):
    """A local goes with its frame: gdb's own breakpoint in the caller ends it, both ways."""
    a = ask(directory, ["break %s if n == 7" % hot_line(), "continue", "up", "watch i", "delete 1", "continue", "continue",
                        "reverse-continue", "reverse-continue"])
    check("Old value = 7" in a[5] and "New value = 8" in a[5], a[5])
    check("New value = 9" in a[6], a[6])
    check("Old value = 9" in a[7] and "Old value = 8" in a[8], a[7:])


# -- conditions and commands -----------------------------------------------------------------------------------

def false_conditions(directory):
    """Ten thousand false conditions in one packet, both ways."""
    with Server(directory, trace(), "--at", 0) as server:
        place = Place(server.connect())
        hot = addresses()["hot"]
        false = "260005" "232710" "13" "27"  # $rdi == 10000
        packet = "Z0,%x,1;X%x,%s" % (hot, len(false) // 2, false)
        check(place.rsp.call(packet) == "OK", packet)
        start = time.monotonic()
        place.move("vCont;c")
        there = place.icount()
        check("replaylog:end" in place.move("vCont;c"), "another stop")
        middle = time.monotonic()
        place.move("bc")
        check(place.icount() == there, "%d, not %d" % (place.icount(), there))
        check("replaylog:begin" in place.move("bc"), "another stop")
        print("        %d false conditions forward %.2f s, backward %.2f s" %
              (HOT, middle - start, time.monotonic() - middle))


def conditions_of_gdb(directory):
    """What gdb compiles: locals, globals, structures, &&, ?:; by both ways the host's verdict is the same."""
    for condition, n in (("n == 19999", 19999), ("n > 19990 && (n & 7) == 4", 19996), ("calls == 12345", 12345),
                         ("n * 3 - 1 == 29999 || wide.body[7] == 77", 10000), ("from[1] == 0 && n == 5", 5),
                         ("(n < 10 ? calls : 0) == 8", 8), ("(signed char)n == -3 && n > 19000", 19197)):
        a = ask(directory, ["break %s if %s" % (hot_line(), condition), "continue", "p n", "info breakpoints", "tbreak odd_steps", "continue",
                            "reverse-continue", "p n", "set breakpoint condition-evaluation host"])
        check("Breakpoint 1" in a[1] and "= %d" % n in a[2], "%s: %s" % (condition, a[1:3]))
        stops = re.findall(r"= (\d+)", a[7])
        check(stops, a[7])
        check(condition.startswith("n >") or "= %d" % n in a[7], "backward %s: %s" % (condition, a[6:8]))


def condition_that_fails(directory):
    """What cannot be evaluated here stops, with the reason, and gdb says its own."""
    a = ask(directory, ["break hot if *(char *)0x700000000000 == 1", "continue", "p $rdi"])
    check("cannot be read" in a[1] and "= 0" in a[2], a)


def ignore_and_counts(directory):
    """gdb's own ignore counts and hit counts go with conditions that are evaluated here."""
    a = ask(directory, ["break %s if n %% 1000 == 0" % hot_line(), "ignore 1 3", "continue", "p n", "info breakpoints"])
    check("= 3000" in a[3] and "already hit 4 times" in a[4], a)


def retroactive_printf(directory):
    """dprintf in agent style prints the run as it goes, each line with its icount; backward it prints nothing."""
    setup = ["set dprintf-style agent", 'dprintf %s,"hot %%lu calls %%x\\n",n,calls' % hot_line()]
    a = ask(directory, [*setup, "tbreak odd_steps", "continue", "monitor when", "reverse-continue"])
    lines = re.findall(r"(\d+): hot (\d+) calls ([0-9a-f]+)", a[3])
    check(len(lines) == HOT, "%d lines: %s" % (len(lines), a[3][:300]))
    check(all(int(n) == i and int(calls, 16) == i for i, (_, n, calls) in enumerate(lines)), lines[:5])
    places = [int(at) for at, _, _ in lines]
    check(places == sorted(set(places)) and places[-1] < icount_of(a[4]), places[:5])
    check(": hot" not in a[5] and HISTORY in a[5], a[5][:300])
    with Server(directory, trace(), "--at", places[100]) as server:
        check(0 < server.connect().rip() - addresses()["hot"] < 16, "the icount of a line is no place of it")


def printf_formats(directory):
    a = ask(directory, ["set dprintf-style agent",
                        'dprintf write_wide,"%d %5d|%-5d|%05d %x %lx %llx %p %c %u %% %s|%.2s|\\t\\"q\\"\\n",'
                        "-7,42,42,42,255,-1,1,&wide,65,-1,(char *)&odd_steps,(char *)&odd_steps",
                        "tbreak run_hot", "continue"])
    said = re.search(r"\d+: (.*)", a[3])
    check(said, a)
    check(said.group(1).startswith("-7    42|42   |00042 ff ffffffffffffffff 1 %#x A 4294967295 %% " %
                                   addresses()["wide"]), said.group(1))


def printf_with_breakpoint(directory):
    """A condition of its own on a dprintf, beside a breakpoint that stops. (At one address gdb sends no commands.)"""
    a = ask(directory, ["set dprintf-style agent", 'dprintf %s,"seen %%d\\n",n' % hot_line(),
                        "condition 1 n % 5000 == 4999", "break *hot if $rdi == 10000", "continue", "p $rdi", "delete 2", "continue"])
    check(re.findall(r"seen (\d+)", a[4]) == ["4999", "9999"] and "= 10000" in a[5], a[4:6])
    check(re.findall(r"seen (\d+)", a[7]) == ["14999", "19999"], a[7])


# -- events ----------------------------------------------------------------------------------------------------

def events(directory):
    """`next` and `prev` go to each event of a kind, and back to the same ones."""
    trace()
    with Server(directory, trace(), "--at", 0) as server:
        place = Place(server.connect())

        def find(verb):
            said = place.rsp.monitor(verb)
            m = re.search(r"(\w+): [\w ]+ (0x[0-9a-f]+), in the step from icount (\d+), at rip 0x[0-9a-f]+; standing \w+ it at icount (\d+)", said)
            return (int(m.group(2), 16), int(m.group(3)), int(m.group(4))) if m else said

        for kind, count, detail in (("irq", 5, 0x20), ("exc", None, None), ("pf", 1, 0x600000000000), ("cr3", None, None),
                                    ("io", None, None), ("console", None, None), ("mmio", None, None),
                                    ("syscall", 0, None), ("dma", 0, None)):
            place.seek(0)
            there = []
            while len(there) < 300:
                here = place.icount()
                got = find("next " + kind)
                if isinstance(got, str):
                    check("No %s between here and the end" % kind in got and place.icount() == here, got)
                    break
                check(got[2] == got[1] + 1 == place.icount(), (kind, got))
                there.append(got)
            check(count is None or len(there) == count, "%s: %d times" % (kind, len(there)))
            check(detail is None or there[0][0] == detail, "%s: %s" % (kind, there[:1]))
            back = []
            while len(back) < len(there):
                got = find("prev " + kind)
                check(not isinstance(got, str) and got[2] == got[1] == place.icount(), (kind, got))
                back.append(got)
            check([g[:2] for g in back] == [g[:2] for g in there][::-1], "%s: %s %s" % (kind, there[:4], back[:4]))
            check("between the beginning and here" in place.rsp.monitor("prev " + kind) or len(there) == 300, kind)
        place.seek(0)
        check(find("next exc 0x90")[0] == 0x90 and find("next exc 14")[0] == 14, "by number")
        place.seek("end")
        said = ""
        for _ in range(4):
            said = chr(find("prev console")[0]) + said
        check(said == "ok\n"[-4:] or said.endswith("ok\n") or "k" in said, "the last bytes: %r" % said)
        for bad in ("next", "next nothing", "prev irq x", "prev irq 1 2", "next irq 0xfffffffffffffffff"):
            check("Write one of" in place.rsp.monitor(bad), bad)
        a = ask(directory, ["monitor next pf", FLUSH, "x/i $pc", "monitor prev pf", FLUSH, "x/i $pc", "monitor back", FLUSH,
                            "monitor when"])
        check("movabs 0x600000000000,%al" in a[5] or "mov    0x600000000000,%al" in a[5], a[2:6])
        check(icount_of(a[8]) == icount_of(a[0].split("standing")[1]), a[6:])


def last_write(directory):
    """By whatever address it was written; old and new bytes; stays unless told to go."""
    nm = addresses()
    a = ask(directory, [
        "monitor last-write %#x 4" % (nm["pages"] + 64), "monitor when",               # 0
        "monitor last-write 0x500000000044 4 goto", FLUSH, "x/i $pc", "monitor when",  # 2
        "monitor back", "monitor last-write %#x" % nm["never"],                        # 6
        "monitor last-write %#x 8" % nm["once"], "monitor last-read %#x 8 goto" % nm["once"], FLUSH, "x/i $pc",  # 8
        "monitor seek end", "monitor last-write %#x 200" % (nm["pages"] + 4000), "monitor last-write 0x700000000000",
        "monitor last-write", "monitor last-write 0x1000 0", "monitor last-write 0x1000 4097", "monitor last-write x 4",
        "monitor phys on", "monitor last-write %#x 4" % (nm["pages"] + 64)], at="end")
    check("from byte 0 on: 00 00 00 00 before, a5 11 0a 00 behind" in a[0], a[0])
    check(icount_of(a[1]) == info(trace())["end"]["icount"], a[1])
    check("c7 1e 0d 00 behind" in a[2] and "0xd1ec7" in a[4] and icount_of(a[5]) == icount_of(a[2]), a[2:6])
    check("No write between the beginning" in a[7], a[7])
    check("00 00 00 00 00 00 00 00 before, 05 00 00 00 00 00 00 00 behind" in a[8], a[8])
    check("Read in the step" in a[9] and "once" in a[11], a[9:12])
    check("from byte 100 on: 00 00" in a[13] and "before, 04 00" in a[13], a[13])
    check("not mapped" in a[14] and all("Write ADDR" in x for x in a[15:19]), a[14:19])
    check("a5 11 0a 00 behind" in a[20], a[20])


def marks(directory):
    a = ask(directory, ["monitor marks", "break write_many", "continue", "monitor when", "monitor mark many", "monitor mark",
                        "monitor mark no/name", "continue", "monitor seek mark:many", FLUSH, "monitor when", "x/i $pc",
                        "monitor marks", "monitor seek mark:other"])
    check("No marks" in a[0] and "Mark many" in a[4] and "Not marked" in a[5] and "Not marked" in a[6], a[:7])
    check(icount_of(a[10]) == icount_of(a[3]) and "write_many" in a[11], a[8:12])
    check("step %d, many, of this session" % icount_of(a[3]) in a[12] and "no mark" in a[13], a[12:])


# -- steps that are easily miscounted ------------------------------------------------------------------------------

def odd_steps(directory):
    """si and rsi are inverse at rep movs, sti, mov ss, int, a fault, iret and hlt: registers and all state."""
    nm = addresses()
    with Server(directory, trace(), "--at", 0) as server:
        place = Place(server.connect())
        rsp = place.rsp

        def go(address):
            check(rsp.call("Z0,%x,1" % address) == "OK", "Z0")
            place.move("vCont;c")
            check(rsp.rip() == address, "%#x was not met" % address)
            check(rsp.call("z0,%x,1" % address) == "OK", "z0")

        def forth_and_back(what, steps):
            begin = place.icount()
            seen = [(place.digest(), place.registers())]
            for _ in range(steps):
                place.step()
                seen.append((place.digest(), place.registers()))
            check([s[0][0] for s in seen] == list(range(begin, begin + steps + 1)), "%s: other counts" % what)
            for i in range(steps, 0, -1):
                place.back()
                check((place.digest(), place.registers()) == seen[i - 1], "%s: step %d back" % (what, i))
            for i in range(1, steps + 1):
                place.step()
                check((place.digest(), place.registers()) == seen[i], "%s: step %d forward again" % (what, i))
            place.seek(begin)

        rips = {}
        for name, steps in (("at_rep", 8), ("at_sti", 3), ("at_mov_ss", 2), ("at_int", 60), ("at_fault", 300)):
            go(nm[name])
            rips[name] = place.icount()
            forth_and_back(name, steps)
        # 6000 bytes from offset 1 to offset 3: both pages end inside, so three slices
        check(rips["at_sti"] - rips["at_rep"] == 3, "rep movsb is %d steps" % (rips["at_sti"] - rips["at_rep"]))
        go(nm["halt_for_ticks"])
        said = rsp.monitor("next irq")
        check("vector 0x20" in said, said)
        for _ in range(3):
            rsp.monitor("prev irq")
            place.back()
            place.back()
            forth_and_back("hlt and the interrupt", 60)  # hlt, delivery, handler, iretq
            rsp.monitor("next irq")
            check("vector 0x20" in rsp.monitor("next irq"), "the next tick")


def repeated_slices(directory):
    """Stepping over rep movs in gdb: stepi is a slice, and reverse-stepi undoes it."""
    a = ask(directory, ["break at_rep", "continue", "monitor when", "p $rcx", "stepi", "p $rcx", "stepi", "stepi", "x/i $pc",
                        "reverse-stepi", "p $rcx", "reverse-stepi", "reverse-stepi", "p $rcx", "monitor when"])
    check("= 6000" in a[3] and "= 6000" in a[13] and icount_of(a[2]) == icount_of(a[14]), a)
    check("at_sti" in a[8] and 0 < int(a[5].split("=")[1]) < 6000, a[4:9])


# -- links -----------------------------------------------------------------------------------------------------------

def interrupt_in_reverse(directory):
    """Ctrl-C inside a reverse-continue with a watchpoint and with a false condition: soon, and where it began."""
    hot = addresses()["hot"]
    with Server(directory, trace("hello"), "--at", "end") as server:
        place = Place(server.connect())
        here = place.icount()
        false = "220027"
        rip = place.rsp.rip()
        for packet in ("Z2,200000,8", "Z0,%x,1;X3,%s" % (hot, false), "Z0,%x,1;X3,%s" % (rip, false)):
            check(place.rsp.call(packet) == "OK", packet)
        for wait in (0.01, 0.05, 0.1):
            place.rsp.send("bc")
            time.sleep(wait)
            place.rsp.s.sendall(b"\x03")
            reply = place.rsp.packet()
            check(reply.startswith("T02") or "replaylog:begin" in reply, reply)
            if reply.startswith("T02"):
                check(place.icount() == here, "a cancelled search stands at %d, not %d" % (place.icount(), here))
            place.seek(here)


def points_are_kept(directory):
    """Two thousand points taken out and put back at each stop, as gdb does: quick, and with their counts."""
    with Server(directory, trace(), "--at", 0) as server:
        place = Place(server.connect())
        nm = addresses()
        points = ["0,%x,1;X3,220027" % (0x300000 + 16 * i) for i in range(2000)] + ["0,%x,1" % nm["write_many"]]
        start = time.monotonic()
        for _ in range(5):
            for z in points:
                place.rsp.call("Z" + z)
            place.step()
            for z in points:
                check(place.rsp.call("z" + z.split(";")[0]) == "OK", z)
        print("        %.1f us a packet" % ((time.monotonic() - start) / 5 / 2 / len(points) * 1e6))
        for z in points:
            place.rsp.call("Z" + z)
        check("T05" in place.move("vCont;c") and place.rsp.rip() == nm["write_many"], "the last point")


def refused_points(directory):
    """Unsound expressions, too many of them, and too many watchpoints are refused in words; the link goes on."""
    with Server(directory, trace(), "--at", 0) as server:
        rsp = server.connect()
        for text in ("Z0,1000,1;X1,ff", "Z0,1000,1;X2,2205", "Z0,1000,1;X1,02", "Z0,1000,1;X3,210003", "Z0,1000,1;X0,",
                     "Z0,1000,1;cmds:0,X1,ff", "Z2,1000,4;X1,01", "Z0,1000,1;cmds:0," + "X1,27" * 17):
            check(rsp.call(text).startswith("E."), text)
        for text in ("Z0,1000,1;X1", "Z0,1000,1;Xzz,27", "Z0,1000,1;X5,27", "Z0,1000,1;cmds:", "Z0,1000,1;" + "X1,27" * 65,
                     "Z0,1000,1;X" + "f" * 40 + ",27"):
            check(rsp.call(text) == "E01", text)
        check(rsp.call("Z0,1000,1;" + "X1,27" * 20) == "OK", "more conditions than are kept: always true")
        for i in range(256):
            check(rsp.call("Z2,%x,8" % (0x1000 + 8 * i)) == "OK", "watchpoint %d" % i)
        check("at most 256" in rsp.call("Z2,9000,8"), "the 257th")
        check(rsp.call("z2,1000,8") == "OK" and rsp.call("Z2,9000,8") == "OK", "room that was given back")
        check(rsp.call("vCont;s:1").startswith("T05"), "it goes on")


def files_of_the_trace(directory):
    """vFile reads the trace's own images and nothing else."""
    with Server(directory, trace(), "--at", 0) as server:
        rsp = server.connect()

        def name(text):
            return text.encode().hex()

        check(rsp.call("vFile:setfs:0") == "F0", "setfs")
        fd = rsp.call("vFile:open:%s,0,0" % name("/kernel"))
        check(fd == "F0", fd)
        size = os.path.getsize(os.path.join(GUEST, "stops"))
        check(rsp.call("vFile:pread:0,4,%x" % (size - 4)).startswith("F4;"), "the end")
        check(rsp.call("vFile:pread:0,4,%x" % size) == "F0;", "behind the end")
        check(rsp.call("vFile:pread:0,4,ffffffffffffffff") == "F0;", "far behind the end")
        check("ELF" in rsp.call("vFile:pread:0,4,0"), "the beginning")
        for path in ("/etc/passwd", "../kernel", "kernel", "/kernel/", "", "/initrd", "/proc/self/maps", "vmlinux", "k" * 5000):
            check(rsp.call("vFile:open:%s,0,0" % name(path)) == "F-1,2", path)
            check(rsp.call("vFile:readlink:%s" % name(path)) == "F-1,2", path)
        for flags in ("1", "2", "200", "601"):
            check(rsp.call("vFile:open:%s,%s,1b6" % (name("/kernel"), flags)) == "F-1,1e", flags)
        check(rsp.call("vFile:pwrite:0,0,x") == "F-1,1e" and rsp.call("vFile:unlink:%s" % name("/kernel")) == "F-1,1e", "writes")
        check(rsp.call("vFile:close:0") == "F0" and rsp.call("vFile:close:0") == "F-1,9", "close")
        check(rsp.call("vFile:pread:7fffffff,1,0") == "F-1,9", "no descriptor")
        for i in range(9):
            check(rsp.call("vFile:open:%s,0,0" % name("/kernel")) == ("F%x" % i if i < 8 else "F-1,17"), "descriptor %d" % i)


def exec_file(directory):
    """A kernel that is an ELF file of the guest's own kind needs no --vmlinux: gdb reads it out of the trace."""
    source = os.path.join(directory, "k.S")
    with open(source, "w") as f:
        f.write(PVH)
    kernel = os.path.join(directory, "k")
    subprocess.run(["gcc", "-g", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x100000,-N", "-Wl,--build-id=none", "-o", kernel,
                    source], check=True)
    path = os.path.join(directory, "k.cvt")
    expect(1, "record", "--kernel", kernel, "--memory", "16M", "--pace", "fast", "-o", path)
    a = talk(directory, path, ["break here", "continue", "x/i $pc", "info files"], at=0)
    check("here" in a[1] and "<here>" in a[2] and "target:/kernel" in a[3], a)


PVH = """
    .section .note, "a", @note
    .long 4, 4, 18          # ELFNOTE of XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .long _start
    .text
    .code32
    .globl _start, here
_start:
    mov $100, %ecx
1:  dec %ecx
    jnz 1b
here:
    xor %eax, %eax
    out %al, $0xf4
    hlt
"""


def other_gdbs(directory):
    """Whatever gdb from 12 to 17 is installed beside the first: break, watch, both ways, a condition."""
    found = [g for n in range(12, 18) for g in ("gdb-%d" % n, "gdb%d" % n) if shutil.which(g)]
    if not found:
        raise Skip("no other gdb on PATH (gdb-12 .. gdb-17)")
    with Server(directory, trace(), "--at", 0) as server:
        for gdb in found:
            a = hear(directory, [gdb, SYMBOLS], [
                "target remote " + server.path, "watch once", "continue", "reverse-continue", "delete",
                "break %s if n == 9" % hot_line(), "continue", "p n", "reverse-stepi", "stepi", "detach"])
            check("New value = 5" in a[2] and "Old value = 5" in a[3] and "= 9" in a[7], "%s: %s" % (gdb, a))


try:
    case("watch: never written", watch_never)
    case("watch: written once", watch_once)
    case("watch: many writes", watch_many)
    case("watch: silent stores", watch_silent)
    case("watch: page straddle", watch_straddle)
    case("watch: lengths and alignments", watch_lengths)
    case("watch: physical, by an alias", watch_physical)
    case("watch: with a breakpoint", watch_with_breakpoint)
    case("watch: reverse-next and its kin", watch_reverse_commands)
    case("watch: a local", watch_local)
    case("condition: ten thousand false ones", false_conditions)
    case("condition: what gdb compiles", conditions_of_gdb)
    case("condition: one that fails", condition_that_fails)
    case("condition: ignore and hit counts", ignore_and_counts)
    case("dprintf: twenty thousand lines", retroactive_printf)
    case("dprintf: formats", printf_formats)
    case("dprintf: beside a breakpoint", printf_with_breakpoint)
    case("monitor: events both ways", events)
    case("monitor: last-write and last-read", last_write)
    case("monitor: marks", marks)
    case("exact: steps easily miscounted", odd_steps)
    case("exact: slices in gdb", repeated_slices)
    case("link: Ctrl-C in reverse", interrupt_in_reverse)
    case("link: points are kept", points_are_kept)
    case("link: refused points", refused_points)
    case("link: files of the trace", files_of_the_trace)
    case("link: the kernel's own symbols", exec_file)
    case("matrix: other gdbs", other_gdbs)
finally:
    shutil.rmtree(HERE, ignore_errors=True)
finish()
