#!/usr/bin/env python3
"""gdb in 16-bit code: real mode and 16-bit protected mode, where rip is no address, on the guest `modes`.

gdb was told 64-bit code and stays with it (docs/gdb.md, "16-bit code"): what shows such code is `monitor disas` and
$linear_pc. Run one alone: tests/gdb/test_modes.py "real mode"
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dialogue import HISTORY, Place, Server, check, icount_of, recorded, talk, value  # noqa: E402
from cvtest import GUEST, case, finish  # noqa: E402

HERE = tempfile.mkdtemp(prefix="cvtest-modes-")
SYMBOLS = os.path.join(GUEST, "modes.elf64")
BLOB, PM_DATA, REAL_DATA = 0x8000, 0x9000, 0xa000
made = {}


def trace():
    return recorded(HERE, "modes")


def offset(name):
    """Of a place in the 16-bit code: what rip is there."""
    if "nm" not in made:
        out = subprocess.run(["nm", SYMBOLS], stdout=subprocess.PIPE, text=True, check=True).stdout
        made["nm"] = {what: int(at, 16) for at, _, what in (line.split() for line in out.splitlines())}
    return made["nm"][name]


def ask(directory, commands, at=0):
    return talk(directory, trace(), commands, at=at, symbols=SYMBOLS)


def place_of(directory, name):
    """The icount at which it is come to first."""
    a = ask(directory, ["break *%#x" % offset(name), "continue", "monitor when"])
    return icount_of(a[2])


def layout(text):
    return [line.split()[0] for line in text.splitlines() if line.strip()]


def connect_in_real_mode(directory):
    """Connected in real mode, stayed into long mode and back: one layout of registers, right values on all sides."""
    at = place_of(directory, "in_real")
    a = ask(directory, ["p/x $rip", "p/x $cs", "p/x $linear_pc", "p $cr0 & 1", "info registers", "p/x $r15",     # 0
                        "monitor disas", "monitor disas %#x 2" % (BLOB + offset("handler16")), "p/x $idtr_limit",  # 6
                        "break finish", "continue", "p $cr0 & 1", "info registers", "p/x $efer", "monitor disas",  # 9
                        "x/i $pc", "p $linear_pc == (long)$rip", "p/x $gdtr_limit",                              # 15
                        "tbreak *%#x" % offset("sub16"), "reverse-continue", "p $cr0 & 1", "p/x $linear_pc",       # 18
                        "p $sp", "x/hx 0xa000 + ((long)$sp & 0xffff)"], at=at)                                                    # 22
    check(value(a[0]) == offset("in_real") and value(a[1]) == BLOB >> 4, a[:2])
    check(value(a[2]) == BLOB + offset("in_real") and "= 0" in a[3], a[2:4])
    lines = a[6].splitlines()
    check(lines[0] == "real mode" and re.match(r"=> 0x8023 cs:0x23: +lidt %cs:0x65", lines[1]), lines)
    check("mov $0xa00, %ax" in lines[2] and "mov $0x100, %sp" in lines[5] and "mov %cx, (%si)" in lines[8], lines)
    check("inc 0x14" in a[7] and "iret" in a[7] and "=>" not in a[7], a[7])
    check("Breakpoint 1, finish" in a[10] and "= 1" in a[11] and value(a[13]) & 0x400, a[10:14])
    check(layout(a[4]) == layout(a[12]) and "r15" in layout(a[4]), "another layout of registers")
    check(a[14].startswith("64-bit code") and "finish" in a[15] and "= 1" in a[16] and value(a[17]) == 0x37, a[14:18])
    check("= 0" in a[20] and value(a[21]) == BLOB + offset("sub16"), a[19:22])
    check(int(a[23].split(":")[1], 16) == offset("real_int") + 5, "the return address on the stack: %s" % a[22:])


def steps_both_ways(directory):
    """Steps through real mode, INT and IRET and the changes of mode, and back: registers and all state as they were."""
    with Server(directory, trace(), "--at", place_of(directory, "in_pm16") - 8) as server:
        place = Place(server.connect())
        seen = [(place.digest(), place.registers())]
        for _ in range(120):
            place.step()
            seen.append((place.digest(), place.registers()))
        for before in seen[-2::-1]:
            place.back()
            check((place.digest(), place.registers()) == before, "back at %d" % before[0][0])
    at = place_of(directory, "real_int")
    a = ask(directory, ["monitor disas 0x%x 1" % (BLOB + offset("real_int")), "stepi", "p/x $rip", "p/x $cs", "monitor when",
                        "stepi", "stepi", "p/x $rip", "monitor when", "reverse-stepi", "reverse-stepi", "reverse-stepi",
                        "p/x $rip", "monitor when", "p *(short *)%#x" % (REAL_DATA + 0x14)], at=at)
    check("int $0x40" in a[0], a[0])
    check(value(a[2]) == offset("handler16") and value(a[3]) == BLOB >> 4 and icount_of(a[4]) == at + 1, a[1:5])
    check(value(a[7]) == offset("real_int") + 2 and icount_of(a[8]) == at + 3, a[5:9])
    check(value(a[12]) == offset("real_int") and icount_of(a[13]) == at and "= 0" in a[14], a[9:])


def breakpoints(directory):
    """A breakpoint is about rip, as gdb's own $pc is: one at an offset holds in both kinds of 16-bit code, and both ways."""
    moves = ["continue", "monitor when", "p $cr0 & 1", "p/x $linear_pc"]
    back = ["reverse-continue", *moves[1:]]
    a = ask(directory, ["break *%#x" % offset("sub16"), *moves * 6, "continue", *back * 6, "reverse-continue"])
    there = [a[i:i + 4] for i in range(1, 25, 4)]
    here = [a[i:i + 4] for i in range(26, 50, 4)]
    check(all("Breakpoint 1" in s[0] for s in there + here), (there, here))
    check([s[2].split("=")[1].strip() for s in there] == ["1", "0"] * 3, there)
    check(all(value(s[3]) == BLOB + offset("sub16") for s in there), there)
    check(HISTORY in a[25] and HISTORY in a[50], (a[25], a[50]))
    check([s[1] for s in here] == [s[1] for s in there[::-1]], (here, there))
    check([s[2].split("=")[1].strip() for s in here] == ["0", "1"] * 3, here)


def watchpoints(directory):
    """About linear addresses, whatever the segment: a counter of real mode, one of 16-bit protected mode, a stack."""
    for base, count in ((PM_DATA, 3), (REAL_DATA, 3)):
        move = ["monitor when", "p *(short *)%#x" % (base + 0x12), "monitor disas"]
        a = ask(directory, ["watch *(short *)%#x" % (base + 0x12), *["continue", *move] * (count + 1),
                            *["reverse-continue", *move] * (count + 1)])[1:]
        stops = [a[i:i + 4] for i in range(0, len(a), 4)]
        there, back = stops[:count], stops[count + 1:-1]
        check(HISTORY in stops[count][0] and HISTORY in stops[-1][0], stops)
        for i in range(count):
            check("New value = %d" % (i + 1) in there[i][0], there[i])
            late = back[count - 1 - i]
            check("Old value = %d" % (i + 1) in late[0] and icount_of(late[1]) == icount_of(there[i][1]) - 1, late)
            check("inc 0x12" in late[3], "the writer: %s" % late)


def protected_16_bit(directory):
    at = place_of(directory, "in_pm16")
    a = ask(directory, ["p/x $linear_pc", "p/x $cs", "p $cr0 & 1", "monitor disas", "stepi", "p/x $linear_pc", "p $sp",
                        "x/hx %#x + ((long)$sp & 0xffff)" % PM_DATA, "reverse-stepi", "p/x $rip", "monitor disas nothing", "monitor disas 0x1000 0",
                        "monitor disas 0x8000 2000", "monitor disas 0x70000000"], at=at)
    check(value(a[0]) == BLOB + offset("in_pm16") and value(a[1]) == 0x20 and "= 1" in a[2], a[:3])
    check(a[3].startswith("16-bit code\n=> 0x8013 cs:0x13:  call 0x59\n"), a[3])
    check("and $0xfe, %al" in a[3] and "ljmp" in a[3] or "jmp" in a[3], a[3])
    check(value(a[5]) == BLOB + offset("sub16"), a[5])
    check(int(a[7].split(":")[1], 16) == offset("in_pm16") + 3, a[6:8])
    check(value(a[9]) == offset("in_pm16"), a[9])
    check(all("Write [ADDR [N]]" in x for x in a[10:13]) and "cannot be read" in a[13], a[10:])


try:
    case("modes: connected in real mode", connect_in_real_mode)
    case("modes: steps both ways", steps_both_ways)
    case("modes: breakpoints", breakpoints)
    case("modes: watchpoints", watchpoints)
    case("modes: 16-bit protected mode", protected_16_bit)
finally:
    shutil.rmtree(HERE, ignore_errors=True)
finish()
