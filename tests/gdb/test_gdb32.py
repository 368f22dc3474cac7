#!/usr/bin/env python3
"""gdb on 32-bit guests: registers, symbols, disassembly and travel as i386; the crash; guests that change mode meanwhile.

What gdb is told a guest is: docs/decisions/0006-gdb-architecture.md. Run one alone: tests/gdb/test_gdb32.py travel
"""
import os
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dialogue import FLUSH, HISTORY, Place, Server, check, hear, icount_of, talk, value  # noqa: E402
from cvtest import GUEST, GUESTS, TOP, Skip, case, expect, finish, info  # noqa: E402

HERE = tempfile.mkdtemp(prefix="cvtest-gdb32-")
NAMES = ("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip")
made = {}


def guest(name):
    return os.path.join(GUEST, "legacy32", name)


def trace_of(path, code, *more):
    """A recording, made once, and what its console said."""
    if path not in made:
        trace = os.path.join(HERE, "%d.cvt" % len(made))
        memory = [] if "--memory" in more else ["--memory", "16M"]
        out, _ = expect(code, "record", "--kernel", path, *memory, "--pace", "fast", "-o", trace, *more, timeout=1200)
        made[path] = trace, out.decode(errors="replace")
    return made[path]


def calls32():
    return trace_of(guest("calls32"), 1)[0]


def symbols(path):
    """Names and addresses of an ELF32, as its symbol table has them."""
    out = subprocess.run(["nm", path], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {line.split()[2]: int(line.split()[0], 16) for line in out.splitlines() if len(line.split()) == 3}


def reads_the_program(directory):
    """Break, step, finish, backtrace, structures, memory, disassembly: by gdb's own knowledge of an i386 program."""
    at = symbols(guest("calls32"))
    a = talk(directory, calls32(), [
        "show architecture", "break leaf", "continue", "backtrace", "print n", "x/2i $pc",           # 0
        "finish", "print $eax", "next", "step", "info args", "up", "info locals", "p/x $eip",         # 6
        "delete", "tbreak walk", "continue", "print *node", "print *node->next", "print sizeof(*node)",  # 14
        "print/x nodes[2].wide", "x/s nodes[0].name", "x/2xw &nodes", "print $ebp", "print $rbp",       # 20
        "find &nodes, +sizeof(nodes), (int)0xfeedf00d", "print $_", "print half", "print $cs"],         # 25
        at=0, symbols=guest("calls32"))
    check('"i386"' in a[0], a[0])
    check("Breakpoint 1, leaf (n=10)" in a[2], a[2])
    check([re.search(r"(\w+) \(", line).group(1) for line in a[3].splitlines() if line.startswith("#")] ==
          ["leaf", "middle", "main"], a[3])
    check("= 10" in a[4], a[4])
    check("(%ebp),%eax" in a[5] and "r" not in re.findall(r"%(\w)", a[5]), a[5])
    check("Value returned is" in a[6] and "= 20" in a[6] and "= 20" in a[7], a[6:8])
    check("leaf (n=11)" in a[8] + a[9] and "n = 11" in a[10], a[8:11])
    check("a = 20" in a[12], a[12])
    check(value(a[13]) > at["middle"], a[13])
    check('key = 4277006349, small = -3, name = "first", wide = 1234605616436508552' in a[17], a[17])
    check("key = 2, small = 300" in a[18], a[18])
    check("= 24" in a[19], "a structure of an i386 program: " + a[19])
    check(value(a[20]) == (1 << 64) - 1, a[20])
    check('"first"' in a[21], a[21])
    check(re.findall(r"0x\w{8}", a[22])[-1] == "0xfeedf00d", a[22])
    check("void" in a[24], "rbp is no register here: " + a[24])
    check("1 pattern found" in a[25] and value(a[26]) == at["nodes"] + 4, a[25:27])
    check("= 0.5" in a[27] and "= 8" in a[28], a[27:29])


def travels(directory):
    """Steps and continues in both directions come to the same places; both ends say so; the past cannot be written."""
    there = ["continue", "monitor when", "print n", "print total"] * 7
    back = ["reverse-continue", "monitor when", "print n", "print total"] * 7
    a = talk(directory, calls32(), ["break leaf", *there, *back, "info registers", "stepi", "stepi", "stepi",
                                    "reverse-stepi", "reverse-stepi", "reverse-stepi", "info registers", "set $eax = 1",
                                    "set var total = 1", "reverse-finish", "x/i $pc", "delete", "reverse-continue",
                                    "monitor when", "continue"],
             at=0, symbols=guest("calls32"))
    forward, backward = a[1:29], a[29:57]
    places = [icount_of(x) for x in forward[1::4]]
    check(len(places) == 7 and places == sorted(set(places)), places)
    check([icount_of(x) for x in backward[1:-4:4]] == places[-2::-1], "%s %s" % (places, backward[1::4]))
    check(HISTORY in backward[-4] and icount_of(backward[-3]) == 0, backward[-4:])
    of = [re.search(r"= (\d+)", x).group(1) for x in forward[2::4]]
    check(of == ["10", "11", "7", "3", "3", "4", "7"], of)
    check([re.search(r"= (\d+)", x).group(1) for x in backward[2:-4:4]] == of[-2::-1], backward[2::4])
    check([re.search(r"= (\d+)", x).group(1) for x in backward[3:-4:4]] ==
          [re.search(r"= (\d+)", x).group(1) for x in forward[3:-4:4]][::-1], "total")
    rest = a[57:]
    check(rest[0] == rest[7], "three steps and back: %s" % rest[:8])
    check("past" in rest[8] and rest[9].startswith("error: "), rest[8:10])
    check(HISTORY in rest[13] and icount_of(rest[14]) == 0 and HISTORY in rest[15], rest[12:])


def faults_are_steps(directory):
    """Over a UD2 at CPL 0: the delivery pushes EIP, CS, EFLAGS in 4-byte slots, and back it is as before."""
    a = talk(directory, calls32(), [
        "break mend", "continue", "print frame->vector", "print/x frame->eip", "backtrace", "finish", "stepi", "stepi",
        "delete", "reverse-continue", "monitor when"], at=0, symbols=guest("calls32"))
    check("= 6" in a[2], a[2])
    at = value(a[3])
    b = talk(directory, calls32(), ["break *%#x" % at, "continue", "x/i $pc", "monitor when", "info registers",
                                    "stepi", "monitor when", "p/x *(int*)$esp@3", "p/x $eflags", "x/i $pc",
                                    "reverse-stepi", "monitor when", "info registers"],
             at=0, symbols=guest("calls32"))
    check("ud2" in b[2], b[2])
    check(icount_of(b[6]) == icount_of(b[3]) + 1, b[3:7])
    words = [int(x, 16) for x in re.findall(r"0x\w+", b[7])]
    check(words[:2] == [at, 8] and words[2] & 0x10002 == 0x10002, "pushed %s" % b[7])
    check("push" in b[9], "the stub: " + b[9])
    check(icount_of(b[11]) == icount_of(b[3]) and b[12] == b[4], "back over the fault")


def crash_of_oops(directory):
    """The crash is the fault that was never returned from, not one that was mended before it or after."""
    path = guest("bad/oops32")
    trace, said = trace_of(path, 15)
    a = talk(directory, trace, ["info registers", "x/i $pc", "monitor when", "monitor arch", "print $eip"])
    check("mov" in a[1] and "%es" in a[1], a[1])
    eip = value(a[4])
    check("oops at %08x" % eip in said, said)
    check(icount_of(a[2]) == info(trace)["crash"], a[2])
    check("i386" in a[3], a[3])
    b = talk(directory, trace, ["backtrace", "stepi", "backtrace", "monitor seek crash", FLUSH, "print $eip"], symbols=path)
    check("wild_segment" in b[0] and "main" in b[0], b[0])
    check(value(b[5]) == eip, b[5])


def crash_of_triple_fault(directory):
    path = guest("bad/triple32")
    trace, _ = trace_of(path, 0)
    d = info(trace)
    check(d["end"]["reason"] == "triple fault" and d["crash"] == d["end"]["icount"], d)
    a = talk(directory, trace, ["backtrace", "x/i $pc", "monitor when", "reverse-stepi", "reverse-stepi", "x/i $pc",
                                "continue", "monitor when"], symbols=path)
    check("no_handler" in a[0] and "main" in a[0], a[0])
    check("ud2" in a[1], a[1])
    check(HISTORY in a[6] and icount_of(a[7]) == d["end"]["icount"], a[6:])


def layout_is_consistent(directory):
    """What the description promises is what the raw link gives, in number and size; and it names gdb's own registers."""
    with Server(directory, calls32(), "--at", "0") as server:
        link = server.connect()
        text = ""
        link.call("qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386")
        while True:
            part = link.call("qXfer:features:read:target.xml:%x,ff0" % len(text))
            text += part[1:]
            if part[:1] == "l":
                break
        check("<architecture>i386</architecture>" in text, text[:200])
        registers = re.findall(r'<reg name="(\w+)" bitsize="(\d+)"', text)
        check(tuple(name for name, _ in registers[:9]) == NAMES, registers[:9])
        whole = link.call("g")
        check(len(whole) == sum(int(bits) // 4 for _, bits in registers), len(whole))
        at = 0
        for n, (name, bits) in enumerate(registers):
            single = link.call("p%x" % n)
            check(single == whole[at:at + int(bits) // 4], "%s alone is %s" % (name, single))
            at += int(bits) // 4
        check(link.call("p%x" % len(registers)) == "E01", "a register too many")
        stop = link.call("?")
        check(re.match(r"T0505:\w{8};04:\w{8};08:10001000;thread", stop), stop)


def entry_of(name):
    """Where a mini guest begins, as gdb prints it."""
    with open(os.path.join(GUEST, name), "rb") as elf:
        return "= 0x%x" % int.from_bytes(elf.read(28)[24:], "little")


def changes_mode(directory):
    """A guest that becomes 64-bit is that for gdb from its first, 32-bit instruction on, forwards and backwards."""
    trace, _ = trace_of(os.path.join(GUEST, "calls"), 1)
    a = talk(directory, trace, ["show architecture", "print/x $rip", "print $efer", "stepi", "stepi", "print/x $rsp",
                                "break main", "continue", "print/x $efer", "print/x $cs", "backtrace",
                                "monitor seek 12", FLUSH, "print/x $rip", "print/x $efer", "print $cs", "monitor seek 2",
                                FLUSH, "print/x $rsp", "continue", "print/x $efer", "info symbol $pc"],
             at=0, symbols=os.path.join(GUEST, "calls.elf64"))
    check('"i386:x86-64"' in a[0], a[0])
    check(entry_of("calls") in a[1] and "= 0" in a[2], a[1:3])
    check("Breakpoint 1, main" in a[7] and value(a[8]) & 0x400 and "#0  main" in a[10], a[7:11])
    check(value(a[13]) < value(a[1]) + 64 and value(a[14]) == 0 and "= 16" in a[15], a[11:16])
    check(a[5].split("=")[1] == a[18].split("=")[1], a[5] + a[18])
    check("Breakpoint 1, main" in a[19] and value(a[20]) & 0x400 and "main" in a[21], a[19:])
    # without symbols, too: where the guest came to tells
    b = talk(directory, trace, ["show architecture", "monitor arch", "continue", "print/x $efer"], at=0)
    check("x86-64" in b[0] and "x86-64" in b[1] and value(b[3]) & 0x400, b)


def user_decides(directory):
    """`monitor arch` for the next connection: 32-bit code of a guest that becomes 64-bit, read as what it is."""
    trace, _ = trace_of(os.path.join(GUEST, "calls"), 1)
    with Server(directory, trace, "--at", "0") as server:
        gdb = ["gdb", "-q"]
        remote = "target remote " + server.path
        a = hear(directory, gdb, [remote, "x/3i $pc", "monitor arch i386", "disconnect", remote, "show architecture",
                                  "x/3i $pc", "print/x $eip", "monitor arch wrong", "disconnect"])
        check("(%rip)" in a[1], "64-bit reading of 32-bit code: " + a[1])
        check("next connection is i386" in a[2], a[2])
        check('"i386"' in a[5] and "(%rip)" not in a[6] and "mov    %ebx,0x" in a[6] and
              entry_of("calls") in a[7], a[5:8])
        check("arch takes" in a[8], a[8])


# -- a kernel ---------------------------------------------------------------------------------------------

def pae_oops():
    """The 686-pae kernel, taken down by a driver."""
    kernel = os.path.join(GUESTS, "vmlinuz-686-pae")
    initrd = os.path.join(GUESTS, "initrd-crash-686-pae.cpio.gz")
    if not os.path.exists(initrd):
        raise Skip("no %s: tests/support/guests.sh makes it" % initrd)
    return trace_of(kernel, 0, "--initrd", initrd, "--memory", "256M", "--append",
                    "console=ttyS0 panic=-1 cryptomgr.notests")


def kernel_crash(directory):
    """gdb opens at the faulting store of a 32-bit kernel; the oops has its registers; the driver's symbols fit."""
    trace, said = pae_oops()
    at = info(trace)["crash"]
    driver = os.path.join(GUESTS, "crash-686-pae.ko")
    a = talk(directory, trace, ["show architecture", "monitor when", "x/i $pc", "p/x $eip", "p/x $esp",     # 0
                                "p/x $ebx", "p/x $edx", "p/x $cr3", "p/x $cr4", "info registers",           # 5
                                "stepi", "monitor when", "p/x $cr2", "p/x *(int*)$esp@2", "reverse-stepi",  # 10
                                "monitor when", "info registers"])                        # 15
    check('"i386"' in a[0] and icount_of(a[1]) == at, a[:2])
    check("movl   $0x2a,0x4" in a[2], a[2])
    for name, index in (("EBX", 5), ("EDX", 6), ("CR3", 7), ("CR4", 8)):
        m = re.search(name + r": ([0-9a-f]{8})", said)
        check(int(m.group(1), 16) == value(a[index]), "%s of the oops is %s, gdb has %s" % (name, m.group(1), a[index]))
    check("EIP: count_frame" in said, said[-3000:])
    check(icount_of(a[11]) == at + 1 and value(a[12]) == 4, a[10:13])
    words = [int(x, 16) for x in re.findall(r"0x\w+", a[13])]
    check(words == [2, value(a[3])], "error code and EIP on the stack: " + a[13])
    check(icount_of(a[15]) == at and a[16] == a[9], "back over the fault")
    offset = int(re.search(r"EIP: count_frame\S*\+0x([0-9a-f]+)/", said).group(1), 16)
    base = value(a[3]) - offset - next(v for k, v in symbols(driver).items() if k.startswith("count_frame"))
    b = talk(directory, trace, [
        "add-symbol-file %s -s .text %#x" % (driver, base), "backtrace 3", "info symbol $pc", "print poll_device",   # 0
        "reverse-stepi", "break poll_device", "reverse-continue", "monitor when", "x/2i $pc", "print $sp",           # 4
        "stepi", "reverse-stepi", "monitor when", "delete", "continue", "monitor seek crash", FLUSH, "info line"])   # 10
    check(re.search(r"#0 .* in count_frame \(s=0x0, n=42\)", b[1]) and re.search("#1 .* in poll_device", b[1]), b[1])
    check("count_frame" in b[2], b[2])
    check("Breakpoint 1, poll_device" in b[6] and at - 20 < icount_of(b[7]) < at, b[6:8])
    check(icount_of(b[12]) == icount_of(b[7]), b[10:13])


def kernel_travel(directory):
    """A breakpoint in a 32-bit kernel forwards and backwards: same places; memory through its PAE tables."""
    trace, said = pae_oops()
    at = info(trace)["crash"]
    first = talk(directory, trace, ["reverse-stepi"] * 40 + ["p/x $eip", "x/3i $pc", "p/x *(int*)$esp@4"])
    there = value(first[40])
    hits = ["reverse-continue", "monitor when", "p/x $esp"] * 5
    again = ["continue", "monitor when", "p/x $esp"] * 5
    a = talk(directory, trace, ["break *%#x" % there, *hits, *again], timeout=600)
    back = [icount_of(x) for x in a[2:16:3]]
    check(back == sorted(set(back), reverse=True) and back[0] == at - 40, "%s, crash at %d" % (back, at))
    check([icount_of(x) for x in a[17:31:3]][:4] == back[-2::-1], "%s %s" % (back, a[16:]))
    with Server(directory, trace, "--at", str(back[-1])) as server:
        place = Place(server.connect())
        before = place.digest()
        for _ in range(30):
            place.step()
        for _ in range(30):
            place.back()
        check(place.digest() == before, "30 steps and back are elsewhere")


def kernel_moved(directory):
    """A 32-bit kernel that moved itself: gdb finds its symbols, and the banner is where the file has it, moved as far."""
    trace, said = pae_oops()
    elf = os.path.join(directory, "elf")
    subprocess.run([os.path.join(TOP, "tests", "support", "extract_vmlinux.py"), os.path.join(GUESTS, "vmlinuz-686-pae"),
                    elf], check=True)
    data = open(elf, "rb").read()
    phoff, = struct.unpack_from("<I", data, 28)
    _, offset, linked = struct.unpack_from("<III", data, phoff)  # the first PT_LOAD: text and rodata
    banner = linked + data.index(b"Linux version 6.") - offset
    source = os.path.join(directory, "k.S")
    with open(source, "w") as f:
        f.write(".text\n.globl _text, banner\n_text: nop\n.globl _start\n_start: nop\n.org %d\nbanner: .long 0\n"
                ".data\nword: .long 0\n" % (banner - linked))
    vmlinux = os.path.join(directory, "vmlinux")
    subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=%#x,-N" % linked, "-Wl,--build-id=none",
                    "-o", vmlinux, source], check=True, stderr=subprocess.DEVNULL)
    a = talk(directory, trace, ["monitor kaslr", "p/x (int)&_text", "x/s (char *)&banner", "monitor seek 1000", "monitor kaslr"],
             symbols=vmlinux)
    slide = value(a[0])
    check(linked == 0xc1000000 and slide % 0x1000000 == 0 and value(a[1]) == linked + slide, a)
    check(re.match("Linux version [^ ]*-686-pae", re.search('"(.*)"', a[2]).group(1)), a[2])
    check("unknown" in a[4], a[4])


case("gdb32: break, step, finish, structures, disassembly", reads_the_program)
case("gdb32: travel", travels)
case("gdb32: faults are steps", faults_are_steps)
case("gdb32: crash of an oops", crash_of_oops)
case("gdb32: crash of a triple fault", crash_of_triple_fault)
case("gdb32: description and registers agree", layout_is_consistent)
case("gdb32: a guest that becomes 64-bit", changes_mode)
case("gdb32: monitor arch", user_decides)
case("gdb32: 686-pae, the crash", kernel_crash)
case("gdb32: 686-pae, travel", kernel_travel)
case("gdb32: 686-pae, moved", kernel_moved)
finish()
