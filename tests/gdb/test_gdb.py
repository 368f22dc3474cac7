#!/usr/bin/env python3
"""gdb on a trace: dialogues with the real gdb, moves in both directions, the crash, hostile links.

Run one alone: tests/gdb/test_gdb.py crash
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dialogue import (CV, FLUSH, HISTORY, Place, Server, alive, check, children, hear, icount_of,  # noqa: E402
                      script, talk, value, wait_for)
from cvtest import GUEST, GUESTS, Skip, case, expect, finish, info, run  # noqa: E402

HERE = tempfile.mkdtemp(prefix="cvtest-gdb-")
made = {}


def trace_of(name):
    """A recording of the mini guest, made once."""
    if name not in made:
        path = os.path.join(HERE, name + ".cvt")
        expect(1, "record", "--kernel", os.path.join(GUEST, name), "--memory", "16M", "--pace", "fast",
               "-o", path)
        made[name] = path
    return made[name]


def typed_trace():
    """The guest `echo`, typed at: inputs that came while it idled, at times that only the trace knows."""
    if "typed" not in made:
        path = os.path.join(HERE, "typed.cvt")
        p = subprocess.Popen([CV, "record", "--kernel", os.path.join(GUEST, "echo"), "--memory", "16M", "--pace",
                              "real", "-o", path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        for line in range(12):
            time.sleep(0.03)
            p.stdin.write(b"line %d\n" % line * (1 + line % 3))
            p.stdin.flush()
        p.communicate(timeout=60)
        check(info(path)["events"] >= 6, "the inputs came all at once")
        made["typed"] = path
    return made["typed"]


def symbols_of(name):
    return os.path.join(GUEST, name + ".elf64")


def symbol(name, what):
    out = subprocess.run(["nm", symbols_of(name)], stdout=subprocess.PIPE, text=True).stdout
    m = re.search(r"^([0-9a-f]+) \w %s$" % what, out, re.M)
    check(m, "%s has no symbol %s" % (name, what))
    return int(m.group(1), 16)


def kernel_machine():
    kernel = os.path.join(GUESTS, "vmlinuz-cloud")
    if not os.path.exists(kernel):
        raise Skip("no kernel in %s: tests/support/guests.sh makes it" % GUESTS)
    return ["--kernel", kernel, "--initrd", os.path.join(GUESTS, "initrd-crash.cpio.gz"), "--memory", "256M",
            "--append", "console=ttyS0 panic=-1", "--pace", "fast"]


def kernel_trace():
    """The cloud kernel taken down by a driver; (trace, what the console said)."""
    if "kernel" not in made:
        path = os.path.join(HERE, "kernel.cvt")
        out, _ = expect(0, "record", *kernel_machine(), "-o", path)
        made["kernel"] = path, out.decode(errors="replace")
    return made["kernel"]


# -- the crash ---------------------------------------------------------------------------------------

def crash_in_gdb(directory):
    """gdb opens at the faulting store, with the registers of the oops; steps over the fault and back are exact."""
    trace, console = kernel_trace()
    at = info(trace)["crash"]
    text, _ = expect(0, "info", trace)
    check(re.search(rb"^crash +step %d$" % at, text, re.M), text)
    a = talk(directory, trace, [
        "monitor when", "x/i $pc", "p/x $rdi", "info all-registers",                    # 0
        "reverse-stepi", "reverse-stepi", "monitor when", "stepi", "stepi",             # 4
        "monitor when", "info all-registers",                                           # 9
        "stepi", "monitor when", "x/2gx $rsp", "p/x $cr2",                              # 11
        "reverse-stepi", "monitor when", "info all-registers", "p/x $rip", "p/x $rsp",  # 15
        "p/x $rax", "p/x $r14", "monitor seek crash", FLUSH, "info all-registers"])     # 20
    check(icount_of(a[0]) == at, "stands at %s, not %d" % (a[0], at))
    check(re.search(r"mov\w*\s+\$0x2a,0x8\(%rdi\)", a[1]), a[1])
    check(value(a[2]) == 0, a[2])
    check(icount_of(a[6]) == at - 2 and icount_of(a[9]) == at, (a[6], a[9]))
    check(a[10] == a[3], "two back and two forward changed registers")
    check(icount_of(a[12]) == at + 1, "the delivery is one step: " + a[12])
    words = re.findall(r"0x[0-9a-f]{16}", a[13].split(":", 1)[1])
    check(int(words[0], 16) == 2 and int(words[1], 16) == value(a[18]),
          "error code and RIP on the handler's stack: " + a[13])
    check(value(a[14]) == 8, "CR2 " + a[14])
    check(icount_of(a[16]) == at and a[17] == a[3], "back over the fault: " + a[16])
    check(a[24] == a[3], "monitor seek crash comes elsewhere")
    check("count_frame" in re.search(r"RIP: 0010:(\S+)", console).group(1), console[-3000:])
    for name, index in (("RSP: 0018", 19), ("RAX", 20), ("R14", 21)):
        m = re.search(name + r": ?([0-9a-f]{16})", console)
        check(int(m.group(1), 16) == value(a[index]), "%s of the oops is %s, gdb has %s" %
              (name, m.group(1), a[index]))


def crash_of_cut_recording(directory):
    """kill -9 after the oops: no mark was written, so debug finds the crash by running the trace."""
    trace = os.path.join(directory, "cut.cvt")
    kernel, _ = kernel_trace()
    p = subprocess.Popen([CV, "record", *kernel_machine()[:-1], "real", "-o", trace], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    text = b""
    while b"end trace" not in text:
        data = os.read(p.stdout.fileno(), 65536)
        check(data, "ended too early")
        text += data
    p.stdin.write(b"\n")  # an event behind the crash: the trace reaches at least that far
    p.stdin.flush()
    time.sleep(1.2)
    engines = children(p.pid)
    for pid in [*engines, p.pid]:
        os.kill(pid, signal.SIGKILL)
    p.wait()
    wait_for("the lock", lambda: run("info", trace)[0] != 75)
    d = info(trace, code=4)
    check(not d["complete"] and "crash" not in d, d)
    at = info(kernel)["crash"]
    check(d["end"]["icount"] > at, "cut before the crash: %s" % d)
    with Server(directory, trace) as server:
        place = Place(server.connect())
        check(place.icount() == at, "stands at %d, the crash is at %d" % (place.icount(), at))
        place.seek("end")
        place.seek("crash")
        check(place.icount() == at, "seek crash: %d" % place.icount())
    rc, out, err = run("replay", trace, "--to", "crash")
    check(rc == 66 and "[CV-E066]" in err and "cut" in err, "%d %s" % (rc, err))


def crash_absent(directory):
    rc, out, err = run("debug", trace_of("calls"), "--at", "crash")
    check(rc == 66 and "no crash" in err and "[CV-E066]" in err, "%d %s" % (rc, err))
    a = talk(directory, trace_of("calls"), ["monitor when"])
    check(icount_of(a[0]) == info(trace_of("calls"))["end"]["icount"], "without a crash it opens at the end")


def crash_triple(directory):
    """A triple fault: the crash is the position before the step that ends the machine."""
    guest = os.path.join(GUEST, "bad", "triple")
    if not os.path.exists(guest):
        source = os.path.join(directory, "triple.S")
        with open(source, "w") as f:
            f.write(TRIPLE)
        guest = os.path.join(directory, "triple")
        subprocess.run(["gcc", "-m32", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x100000,-N",
                        "-Wl,--build-id=none", "-o", guest, source], check=True)
    trace = os.path.join(directory, "t.cvt")
    out, err = expect(0, "record", "--kernel", guest, "--memory", "16M", "--pace", "fast", "-o", trace)
    d = info(trace)
    check(d["end"]["reason"] == "triple fault", d)
    check(d["end"]["icount"] - 1 <= d["crash"] <= d["end"]["icount"], d)
    a = talk(directory, trace, ["monitor when", "x/i $pc", "reverse-stepi", "monitor when", "stepi", "monitor when",
                                "continue"])
    check(icount_of(a[0]) == d["crash"] and icount_of(a[5]) == d["crash"], a)
    check(icount_of(a[3]) == d["crash"] - 1, a)
    check(HISTORY in a[6], a[6])
    check("ud2" in a[1], a[1])


TRIPLE = """
    .text
    .long 0x1BADB002, 0, -0x1BADB002
    .globl _start
_start:
    cli
    mov $100, %ecx
1:  dec %ecx
    jnz 1b
    lidt none
    ud2
none: .word 0
    .long 0
"""


# -- breakpoints, history ------------------------------------------------------------------------------

def breakpoints_both_ways(directory):
    """25 interrupts: the same places forward and backward, and a message at either end."""
    there = ["continue", "monitor when"] * 25
    back = ["reverse-continue", "monitor when"] * 25
    a = talk(directory, trace_of("timer"), ["break *eoi_pic", *there, "continue", "monitor when", *back,
                                            "reverse-continue", "monitor when", "continue", "monitor when"],
             at=0, symbols=symbols_of("timer"))
    forward = [icount_of(x) for x in a[2:51:2]]
    check(all("Breakpoint 1" in x for x in a[1:50:2]), a[1:50:2])
    check(forward == sorted(set(forward)), forward)
    check(HISTORY in a[51] and icount_of(a[52]) == info(trace_of("timer"))["end"]["icount"], a[51:53])
    backward = [icount_of(x) for x in a[54:103:2]]
    check(backward == forward[::-1], "backward %s, forward %s" % (backward, forward))
    check(HISTORY in a[103] and icount_of(a[104]) == 0, a[103:105])
    check(icount_of(a[106]) == forward[0], "forward again: " + a[106])


def breakpoint_here(directory):
    """A breakpoint where the machine stands is not reported again, in either direction; two in a row are two stops."""
    main, leaf = "*%#x" % symbol("calls", "main"), "*%#x" % symbol("calls", "leaf")
    a = talk(directory, trace_of("calls"), [
        "break " + main, "continue", "monitor when", "stepi", "break *$pc", "reverse-stepi", "monitor when",
        "continue", "monitor when", "reverse-continue", "monitor when", "reverse-continue", "monitor when",
        "delete", "tbreak " + leaf, "continue", "monitor when", "break *$pc", "reverse-continue", "monitor when"],
        at=0, symbols=symbols_of("calls"))
    first = icount_of(a[2])
    check(icount_of(a[6]) == first and icount_of(a[8]) == first + 1, a[5:9])
    check(icount_of(a[10]) == first and "Breakpoint 1" in a[9], a[9:11])
    check(HISTORY in a[11] and icount_of(a[12]) == 0, a[11:13])
    check(HISTORY in a[18] and icount_of(a[19]) == 0, "reported where it began: %s" % a[18:20])


def breakpoint_hot(directory):
    """Hit each few steps for millions of steps: the last hit is found at once, and each earlier one in turn."""
    trace = trace_of("hello")
    end = info(trace)["end"]["icount"]
    with Server(directory, trace, "--at", "50%") as server:
        place = Place(server.connect())
        here = place.icount()
        check(place.rsp.call("Z0,%x,1" % place.rsp.rip()) == "OK", "Z0")
        hits = []
        for _ in range(20):
            check("swbreak" not in place.move("bc"), "swbreak was not agreed")
            hits.append(place.icount())
        periods = {a - b for a, b in zip([here, *hits], hits)}
        check(len(periods) == 1 and periods.pop() < 20, [here, *hits])
        for target in hits[::-1][1:] + [here]:
            place.move("vCont;c")
            check(place.icount() == target, "forward at %d, not %d" % (place.icount(), target))
        place.seek(end)
        start = time.monotonic()
        place.move("bc")
        print("        %.2f s to the last of a million hits" % (time.monotonic() - start))
        check(here < place.icount() < end, "the last hit: %d" % place.icount())
        last = place.icount()
        check("replaylog:end" in place.move("vCont;c"), "a hit behind the last one")
        place.move("bc")
        check(place.icount() == last, "found %d, then %d" % (last, place.icount()))


def interrupt_travel(directory):
    """Ctrl-C in a long travel, both ways: answered, at a place that is exactly one of the run."""
    trace, _ = kernel_trace()
    with Server(directory, trace, "--at", "0") as server:
        rsp = server.connect()
        place = Place(rsp)
        check(rsp.call("Z0,1234567,1") == "OK", "Z0")
        seen = []
        for packet, wait in (("vCont;c", 0.05), ("vCont;c", 0.1), ("bc", 0.03)):
            rsp.send(packet)
            time.sleep(wait)
            rsp.s.sendall(b"\x03")
            reply = rsp.packet()
            check(reply.startswith("T02"), "%s: %s" % (packet, reply))
            seen.append(place.digest())
        # a search that is cancelled stands where it began, whatever it looked for
        place.seek("end")
        end = place.icount()
        hot = rsp.rip()
        times = []
        for point in ("Z2,100000,4", "Z0,%x,1;X3,220027" % hot, "Z4,%x,1" % (hot & ~0xfff)):
            check(rsp.call(point) == "OK", point)
            rsp.send("bc")
            time.sleep(0.05)
            start = time.monotonic()
            rsp.s.sendall(b"\x03")
            reply = rsp.packet()
            times.append(time.monotonic() - start)
            check(reply.startswith("T02") and place.icount() == end or "replaylog:begin" in reply or "watch" in reply,
                  "%s: %s at %d" % (point, reply, place.icount()))
            place.seek("end")
        print("        a search backwards heard Ctrl-C after %s ms" % ", ".join("%.0f" % (t * 1000) for t in times))
        straight = {}
        for at in sorted({s[0] for s in seen}):
            place.seek(0)
            place.seek(at)
            straight[at] = place.digest()[1]
        check(all(straight[at] == d for at, d in seen), (seen, straight))


# -- source lines ------------------------------------------------------------------------------------------

def source_steps(directory):
    """step, next, finish, until, advance and their reverses over lines of a guest with symbols."""
    a = talk(directory, trace_of("calls"), [
        "break middle", "continue", "monitor when",                     # 0
        "step", "bt", "finish", "next", "monitor when",                 # 3
        "reverse-next", "bt", "monitor when",                           # 8
        "delete", "next", "next", "monitor when", "reverse-step", "bt",  # 11
        "reverse-finish", "bt",                                         # 17
        "tbreak loop", "continue", "finish", "monitor when", "reverse-next", "monitor when",  # 19
        "next", "monitor when", "reverse-stepi", "stepi", "monitor when",                    # 25
        "tbreak deep", "reverse-continue", "bt", "reverse-finish", "bt"],                    # 30
        at=0, symbols=symbols_of("calls"))
    start = icount_of(a[2])
    check("leaf (n=10)" in a[3] and "#1" in a[4] and "middle (n=10)" in a[4] and "main ()" in a[4], a[3:5])
    check("Value returned is $1 = 20" in a[5], a[5])
    check("leaf(n + 1)" in a[6], a[6])
    check(icount_of(a[7]) > start, a[7])
    check(icount_of(a[10]) == start, "next and back: %d, %s" % (start, a[8:11]))
    check(icount_of(a[14]) > icount_of(a[7]), a[12:15])
    check("leaf (n=11)" in a[16], "reverse-step goes into the call: %s" % a[15:17])
    check("middle (n=10)" in a[18] and "leaf" not in a[18], "reverse-finish: %s" % a[17:19])
    check("= 2450" in a[21], a[21])
    check(icount_of(a[24]) < icount_of(a[22]), a[22:25])
    check(icount_of(a[29]) == icount_of(a[26]), a[25:30])
    check("deep (n=0)" in a[32], "the innermost call comes first in reverse: %s" % a[31:33])
    check("deep (n=1)" in a[34].splitlines()[0], a[33:35])


def range_steps(directory):
    """vCont;r is one packet for a line; a breakpoint inside stops it."""
    leaf = symbol("calls", "leaf")
    with Server(directory, trace_of("calls"), "--at", "0") as server:
        rsp = server.connect()
        place = Place(rsp)
        loop = symbol("calls", "loop")
        check(rsp.call("Z0,%x,1" % loop) == "OK", "Z0")
        place.move("vCont;c")
        begin = place.icount()
        place.move("vCont;r%x,%x:1" % (loop, loop + 0x60))
        check(rsp.rip() == leaf, "left the range at %#x" % rsp.rip())
        steps = place.icount() - begin
        check(steps > 5, steps)
        place.seek(begin)
        for _ in range(steps):
            place.step()
        check(rsp.rip() == leaf, "single steps come elsewhere")
        place.seek(begin)
        place.step()
        place.step()
        inside = rsp.rip()
        place.seek(begin)
        check(rsp.call("Z1,%x,1" % inside) == "OK", "Z1")
        place.move("vCont;r%x,%x:1" % (loop, loop + 0x60))
        check(rsp.rip() == inside, "ran over a breakpoint")
        place.seek(begin)
        place.move("vCont;r0,0:1")
        check(place.icount() == begin + 1, "an empty range is one step")


def until_and_advance(directory):
    a = talk(directory, trace_of("calls"), [
        "tbreak loop", "continue", "next", "next", "next", "next", "monitor when",
        "until 48", "monitor when", "info source", "reverse-continue", "tbreak main", "continue", "advance deep", "bt"],
        at=0, symbols=symbols_of("calls"))
    check(icount_of(a[8]) > icount_of(a[6]), a[6:9])
    check("deep (n=5)" in a[14], a[13:15])


# -- memory, registers ---------------------------------------------------------------------------------------

def memory_in_user_mode(directory):
    """Memory goes through the guest's tables; what is not there is an error; nothing can be written."""
    a = talk(directory, trace_of("user"), [
        "hbreak *0x400000000000", "continue", "p/x $cs", "x/2i $pc", "x/2xb 0x400000000000",
        "x/xb 0x600000000000", "x/i main", "x/s 0xffff800000000000", "info threads",
        "set var $rax = 5", "set {char}0x400000000000 = 1", "p/x *(char*)0x400000000000", "info registers",
        "monitor phys on", "p/x *(unsigned*)&pml4", "monitor phys off", "stepi", "stepi"],
        at=0, symbols=symbols_of("user"))
    check("reakpoint 1" in a[1] and value(a[2]) == 0x23, a[:3])
    check("mov    $0x3e8,%ecx" in a[3], a[3])
    check("0xb9" in a[4] and "0xe8" in a[4], a[4])
    check("Cannot access memory" in a[5] and "Cannot access memory" in a[7], (a[5], a[7]))
    check("<main" in a[6], a[6])
    check("vCPU0" in a[8], a[8])
    for refused in (a[9], a[10]):
        check("error" in refused, "a write went through: %s" % refused)
    check(value(a[11]) in (0xb9, 0xffffffb9), "a refused write is seen: " + a[11])
    for name in ("cr0", "cr3", "cr4", "efer", "fs_base", "k_gs_base", "cr8", "dr7"):
        check(re.search(r"^%s\s" % name, a[12], re.M), "no %s in %s" % (name, a[12]))
    check(value(a[14]) & 1 == 1, "physical read: " + a[14])


def writes_are_refused_with_a_sentence(directory):
    with Server(directory, trace_of("calls"), "--at", "end") as server:
        rsp = server.connect()
        for packet in ("P0=0000000000000000", "M100010,1:00", "X100010,1:a"):
            reply = rsp.call(packet)
            check(reply.startswith("E.") and "read-only" in reply, "%s: %s" % (packet, reply))
        check(rsp.call("m600000000000,4").startswith("E"), "unmapped memory was read")


def find_in_memory(directory):
    a = talk(directory, trace_of("calls"), ["find &greeting, +47, (char)115, (char)105, (char)108", "p &greeting",
                                            "find 0x100000, 0x120000, \"quicksilver\"",
                                            "find 0x100000, 0x101000, \"not there at all\""],
             symbols=symbols_of("calls"))
    check(re.search(r"0x[0-9a-f]+ <greeting\+\d+>", a[0]), a[0])
    check("<greeting+" in a[2] and "1 pattern found" in a[2], a[2])
    check("not found" in a[3], a[3])


def kernel_memory(directory):
    """Kernel text by linear and physical address at the crash; user memory at the end of the run."""
    trace, _ = kernel_trace()
    a = talk(directory, trace, ["x/i $pc", "x/gx $rsp", "x/20i *(unsigned long*)$rsp - 5", "info threads",
                                "p $efer", "p/x $cr3", "x/gx 0"])
    check("call" in a[2], a[2])
    check("Cannot access memory" in a[6], "address 0 is what crashed: " + a[6])
    check("LMA" in a[4] or re.search(r"\d", a[4]), a[4])


def kaslr(directory):
    """The slide is what the guest itself says in /proc/kallsyms; before the kernel runs it is not known."""
    machine = kernel_machine()
    machine[3] = os.path.join(GUESTS, "initrd-shell.cpio.gz")
    trace = os.path.join(directory, "t.cvt")
    command = b"echo 1 >/proc/sys/kernel/kptr_restrict; grep -E ' (_text|linux_banner)$' /proc/kallsyms; poweroff -f\n"
    p = subprocess.Popen([CV, "record", *machine, "-o", trace], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    text = b""
    while b"SHELL: ready" not in text:
        data = os.read(p.stdout.fileno(), 65536)
        check(data, "ended too early: %s" % text[-500:])
        text += data
    text += p.communicate(command, timeout=100)[0]
    m = re.search(rb"^([0-9a-f]{16}) \w _text", text, re.M)
    check(m, text[-800:])
    start = int(m.group(1), 16)
    a = talk(directory, trace, ["monitor kaslr", "monitor seek 1000", "monitor kaslr"])
    check(value(a[0]) == start - 0xffffffff81000000, "%s, but _text is at %#x" % (a[0], start))
    check("unknown" in a[2], a[2])
    source = os.path.join(directory, "k.S")
    with open(source, "w") as f:
        f.write(".text\n.globl _text\n_text: nop\n.globl _start\n_start: nop\n.data\nword: .quad 0\n")
    vmlinux = os.path.join(directory, "vmlinux")
    subprocess.run(["gcc", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0xffffffff81000000,-N", "-Wl,--build-id=none",
                    "-o", vmlinux, source], check=True, stderr=subprocess.DEVNULL)
    a = talk(directory, trace, ["p/x (long)&_text"], symbols=vmlinux)
    check(value(a[0]) == start, "gdb puts _text at %s, it is at %#x" % (a[0], start))


def layout_in_32_bit_mode(directory):
    """Connected in 32-bit code, staying into long mode: the same registers, right values on both sides."""
    a = talk(directory, trace_of("calls"), [
        "p/x $efer", "info registers", "x/i $pc", "stepi 12", "info registers", "p/x $rsp",
        "break main", "continue", "p/x $efer", "info registers", "reverse-continue", "info registers"],
        at=0, symbols=symbols_of("calls"))
    names = [[line.split()[0] for line in a[i].splitlines()] for i in (1, 4, 9, 11)]
    check(all(n == names[0] for n in names) and "r15" in names[0], names)
    check(value(a[0]) & 0x400 == 0 and value(a[8]) & 0x400, (a[0], a[8]))
    check("cli" in a[2], a[2])
    check(value(a[5]) == symbol("calls", "stack_top"), a[5])
    check(a[11] == a[1], "back at the reset the registers differ")


# -- links ---------------------------------------------------------------------------------------------------

def detach_and_return(directory):
    """What detached finds the machine where it left it; with gdb and without."""
    with Server(directory, trace_of("timer")) as server:
        target = "target remote " + server.path
        places = []
        for commands in ([target, "monitor seek 1234567", FLUSH, "stepi", "monitor when", "detach"],
                         [target, "monitor when", "reverse-stepi", "monitor when", "disconnect"],
                         [target, "monitor when", "kill"],
                         [target, "monitor when"]):
            said = "".join(hear(directory, ["gdb"], commands))
            places.append([int(n) for n in re.findall(r"icount (\d+) of", said)])
        check(places == [[1234567, 1234568], [1234568, 1234567], [1234567], [1234567]], places)


def second_gdb(directory):
    """While one gdb is served another one is told so and goes; afterwards it is welcome."""
    with Server(directory, trace_of("timer"), "--at", "1000") as server:
        first = Place(server.connect())
        start = time.monotonic()
        said = "".join(hear(directory, ["gdb"], ["target remote " + server.path, "monitor when"]))
        took = time.monotonic() - start
        check("another gdb is connected" in said, said)
        check(took < 8, "%.1f s to be refused" % took)
        check(first.icount() == 1000, "the first one was disturbed")
        first.step()
        first.rsp.call("D;1")
        check(Place(server.connect()).icount() == 1001, "after the first one left")


def lost_in_travel(directory):
    """A gdb that dies in the middle of a long travel hurts nobody; nor does one that stops reading."""
    trace, _ = kernel_trace()
    with Server(directory, trace, "--at", "0") as server:
        for packet in ("vCont;c", "bc", "vCont;c"):
            rsp = server.connect()
            rsp.call("Z0,1234567,1")
            rsp.send(packet)
            time.sleep(0.1)
            rsp.s.close()
        start = time.monotonic()
        place = Place(server.connect())
        check(place.rsp.call("?").startswith("T05"), "stop reply")
        print("        %.2f s until the next one is served" % (time.monotonic() - start))
        at, digest = place.digest()
        place.seek(0)
        place.seek(at)
        check(place.digest() == (at, digest), "it stood nowhere")
        check("replaylog:end" in place.move("vCont;c"), "breakpoints of the dead are left")
    p = subprocess.Popen([CV, "debug", trace, "--", *script(directory, ["hbreak *0x1234567", "reverse-continue"])], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("gdb", lambda: len(children(p.pid)) == 2, 30)
    engine, gdb = sorted(children(p.pid))
    time.sleep(0.5)
    os.kill(gdb, signal.SIGKILL)
    check(p.wait(timeout=10) is not None and not alive(engine), "the engine outlives its gdb")


def hostile_packets(directory):
    """Broken, oversized and senseless packets: an error or silence each, and the link goes on."""
    with Server(directory, trace_of("calls")) as server:
        rsp = server.connect()
        at = rsp.icount()
        for text in ("m", "m,", "mzz,1", "m0,ffffffffffffffffffff", "p", "pffffffff", "p-1", "Z0", "Z0,,", "Z9,1,1", "z0,zz,1",
                     "vCont", "vCont;", "vCont;x", "vCont;r5,1:p9.9", "vCont;s:p77.3", "Hg", "Hgp0", "Hgzz", "T", "Tp5.5",
                     "qRcmd,", "qRcmd,z", "qRcmd,4", "qXfer:features:read:target.xml:ffffffff,10",
                     "qXfer:features:read:../../etc/passwd:0,ff", "qXfer:nonsense:read::0,1", "qSearch:memory:0;0;",
                     "qSearch:memory:0;zz;a", "qCRC:0,ffffffffffffffff", "qSupported:" + "a" * 5000, "vFile:open:2f",
                     "QNonStop:1", "R00", "!", "\u00ff\u00fe", "bx", "G00", "x0,10", "X0,5:ab", "vKilll", "i", "A", "k1"[:0]):
            rsp.call(text)
        rsp.s.sendall(b"$" + b"m" * 300000 + b"#00")
        check("longer" in rsp.packet(), "an oversized packet")
        rsp.s.sendall(b"+++---garbage\x03\x03}}}}" + bytes(range(128, 256)))
        rsp.s.sendall(b"$m0,4$p10#d1")  # a packet cut by another one
        rsp.packet()
        check(rsp.icount() == at, "the place changed")
        check(len(rsp.call("g")) > 1000, "the link is dead")
        rsp.monitor("seek " + "9" * 400)
        rsp.monitor("A" * 3000)
        rsp.monitor("seek %s%n%s")
        check(rsp.icount() == at, "a senseless seek moved")


def tcp(directory):
    """A port of its own choice on loopback; what speaks HTTP there is hung up on; other addresses are refused."""
    with Server(directory, trace_of("timer"), "--at", "1000", tcp=True) as server:
        m = re.match(r"listening tcp:127\.0\.0\.1:(\d+)$", server.line)
        check(m and int(m.group(1)) > 0, server.line)
        port = int(m.group(1))
        web = socket.create_connection(("127.0.0.1", port))
        web.settimeout(10)
        web.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            got = web.recv(4096)
        except ConnectionResetError:
            got = b""
        check(got == b"", "answered HTTP: %r" % got)
        a = hear(directory, ["gdb"], ["target remote 127.0.0.1:%d" % port, "monitor when"])
        check("icount 1000 of" in a[1], a)
    for bad in ("0.0.0.0:0", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:x", ":1", "127.0.0.1:1x", ""):
        rc, _, err = run("gdbserver", trace_of("timer"), "--tcp", bad, timeout=20)
        check(rc == 64 and "[CV-E064]" in err, "--tcp %r: %d %s" % (bad, rc, err))


def sockets(directory):
    """A live socket is not taken over, a dead one is; other files stay; the mode keeps others out."""
    with Server(directory, trace_of("calls")) as server:
        check(os.stat(server.path).st_mode & 0o077 == 0, "others may connect")
        rc, _, err = run("gdbserver", trace_of("calls"), "--socket", server.path)
        check(rc == 75 and "[CV-E075]" in err, "%d %s" % (rc, err))
        check(Place(server.connect()).icount() > 0, "the first server was hurt")
        path = server.path
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(path)
    dead.close()
    plain = os.path.join(directory, "plain")
    open(plain, "w").write("mine")
    rc, _, err = run("gdbserver", trace_of("calls"), "--socket", plain)
    check(rc == 73 and open(plain).read() == "mine", "%d %s" % (rc, err))
    rc, _, err = run("gdbserver", trace_of("calls"), "--socket", "x" * 200)
    check(rc == 64, "%d %s" % (rc, err))
    rc, _, err = run("gdbserver", trace_of("calls"))
    check(rc == 64, "%d %s" % (rc, err))


# -- where to begin ------------------------------------------------------------------------------------------

def positions(directory):
    """Every form of POS; places that are not in the trace are an error of one line."""
    trace = trace_of("timer")
    d = info(trace)
    end = d["end"]["icount"]
    vtime = d["end"]["vtime"]
    for text, wanted in ((0, 0), (123456, 123456), ("123456.7", 123456), ("50%", end // 2), ("0%", 0), ("100%", end),
                         ("12.5%", end // 8), ("end", end), (end, end), ("0s", 0)):
        with Server(directory, trace, "--at", text) as server:
            at = Place(server.connect()).icount()
        check(at == wanted, "--at %s stands at %d, not %d" % (text, at, wanted))
    for ns in (1, 1000000, vtime // 2, vtime * 99 // 100):
        with Server(directory, trace, "--at", "%d.%09ds" % (ns // 10**9, ns % 10**9)) as server:
            place = Place(server.connect())
            at = place.icount()
            clock = [place.rsp.monitor("elapsed-time")]
            place.back()
            clock.append(place.rsp.monitor("elapsed-time"))
        now, before = (int(s) * 10**9 + int(n) for s, n in re.findall(r"(\d+)\.(\d{9})", " ".join(clock)))
        check(before < ns <= now, "%d ns: at %d the clock shows %d, one step before %d" % (ns, at, now, before))
    for text, code in ((end + 1, 66), ("%ds" % (vtime // 10**9 + 1), 66), ("mark:NAME", 66), ("crash", 66),
                       ("", 64), ("101%", 64), ("-1", 64), ("1.5x", 64), ("mark:", 64), ("0x10", 64), ("9" * 30, 64),
                       ("a" * 300, 64)):
        for command in ("debug", "gdbserver"):
            more = ["--socket", os.path.join(directory, "sock")] if command == "gdbserver" else []
            if text == "":
                continue
            rc, out, err = run(command, trace, "--at=%s" % text, *more)
            check(rc == code and err.count("\n") == 1 and "[CV-E0%d]" % code in err,
                  "--at %s: %d %s" % (text, rc, err))


# -- exactness -----------------------------------------------------------------------------------------------

def thousand(directory, trace, start):
    """1000 steps back and 1000 forward are nothing: registers at each step, all state at 22 places."""
    with Server(directory, trace, "--at", start) as server:
        place = Place(server.connect())
        begin = place.icount()
        registers, digests = [place.registers()], {begin: place.digest()}
        slow = 0
        for i in range(1, 1001):
            t = time.monotonic()
            place.back()
            slow = max(slow, time.monotonic() - t)
            registers.append(place.registers())
            if i % 50 == 0:
                digests[begin - i] = place.digest()
        check(place.icount() == begin - 1000, "1000 back from %d is %d" % (begin, place.icount()))
        for i in range(999, -1, -1):
            place.step()
            check(place.registers() == registers[i], "registers differ at %d" % (begin - i))
            if begin - i in digests:
                check(place.digest() == digests[begin - i], "state differs at %d" % (begin - i))
        check(place.digest() == digests[begin], "the state is another one")
    with Server(directory, trace, "--at", begin - 1000) as server:
        place = Place(server.connect())
        for at in sorted(digests):
            place.seek(at)
            check(place.digest() == digests[at], "a seek finds another state at %d" % at)
    if slow > 0.05:
        print("        slowest reverse-stepi: %.1f ms" % (slow * 1000))


def thousand_mini(directory):
    for name, part in (("timer", "30%"), ("timer", "99%"), ("user", "60%"), ("fault", "70%"), ("smc", "50%"),
                       ("string", "40%"), ("vector", "50%")):
        thousand(directory, trace_of(name), part)
    out, _ = expect(0, "info", "--events", typed_trace())
    for step in re.findall(rb"step (\d+)", out)[1:8:3]:
        thousand(directory, typed_trace(), int(step) + 500)


def thousand_kernel(directory):
    thousand(directory, kernel_trace()[0], "crash")


def shuffled(seed, low, high, count):
    """The same positions in every run, from a small generator of our own."""
    state, out = seed, []
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append(low + (state >> 11) % (high - low))
    return out


def straight_digests(directory, trace, places):
    """A server that only goes forward."""
    out = {}
    with Server(directory, trace, "--at", 0) as server:
        place = Place(server.connect())
        for at in sorted(set(places)):
            place.seek(at)
            out[at] = place.digest()[1]
    return out


def check_against_verify(trace, digests, sample):
    import json
    for at in sample:
        out, _ = expect(0, "verify", trace, "--json", "--to", at)
        state = json.loads(out)["state"]
        check(state == digests[at], "at %d the straight run has %s, a seek %s" % (at, state, digests[at]))


def random_seeks(directory):
    """200 places of a kernel boot in no order: each is what a run that never turned found there."""
    trace, _ = kernel_trace()
    places = shuffled(5, 1, info(trace)["end"]["icount"], 200)
    digests = {}
    slow = []
    with Server(directory, trace, "--at", "end") as server:
        place = Place(server.connect())
        for at in places:
            t = time.monotonic()
            place.seek(at)
            slow.append(time.monotonic() - t)
            here, digest = place.digest()
            check(here == at, "%d, not %d" % (here, at))
            digests[at] = digest
        print("        " + place.rsp.monitor("info replay").splitlines()[1])
    slow.sort()
    print("        seek: median %.0f ms, worst %.0f ms" % (slow[100] * 1000, slow[-1] * 1000))
    check_against_verify(trace, digests, places[::10])
    straight = straight_digests(directory, trace, places)
    check(straight == digests, "seeks and the straight run differ at %s" %
          [at for at in places if straight[at] != digests[at]])


def random_walk(directory, trace, breakpoints, moves, seed, low=0, high=None, bound="1G"):
    high = high or info(trace)["end"]["icount"]
    seen = []
    with Server(directory, trace, "--at", high // 2, "--checkpoint-memory", bound) as server:
        place = Place(server.connect())
        for address in breakpoints:
            place.rsp.call("Z0,%x,1" % address)
        for n in shuffled(seed, 0, 1 << 40, moves):
            kind, n = n % 8, n // 8
            if kind < 2:
                place.step()
            elif kind < 4:
                place.back()
            elif kind == 4:
                place.seek(low + n % (high - low))
            elif kind == 5:
                place.seek(max(low, place.icount() - n % 5000))
            else:
                place.move("vCont;c" if kind == 6 else "bc")
            seen.append(place.digest())
    straight = straight_digests(directory, trace, [at for at, _ in seen])
    wrong = [i for i, (at, digest) in enumerate(seen) if at < high and straight[at] != digest]
    check(not wrong, "move %s of %d: another state than the straight run at %s" %
          (wrong[:5], moves, [seen[i][0] for i in wrong[:5]]))
    check(len({at for at, _ in seen}) > moves // 4, "the walk hardly moved")


def walk_mini(directory):
    random_walk(directory, trace_of("timer"), [symbol("timer", "eoi_pic"), symbol("timer", "eoi_apic")], 300, 11)
    random_walk(directory, typed_trace(), [symbol("echo", "put_char")], 300, 14)
    random_walk(directory, trace_of("string"), [symbol("string", "main"), symbol("string", "mix")], 100, 15)
    random_walk(directory, trace_of("user"), [symbol("user", "syscall_entry"), 0x400000000008], 100, 12)


def walk_kernel(directory):
    trace, _ = kernel_trace()
    a = talk(directory, trace, ["p/x $pc"])
    crash = info(trace)["crash"]
    random_walk(directory, trace, [value(a[0]), value(a[0]) - 5], 60, 13, crash - 200000000, crash + 1000000)
    random_walk(directory, trace, [value(a[0])], 25, 16, crash - 100000000, crash + 1000000, bound="16M")


# -- the program around gdb ----------------------------------------------------------------------------------

def quiet_directory(directory):
    """A runtime directory in which a leftover would be seen."""
    path = os.path.join(directory, "r")
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path, 0o700)
    return path


def debug_around(directory):
    """Exit code, no terminal, nothing left behind: gdb ends well, badly, is killed, is missing; we are told to end."""
    trace = trace_of("calls")
    runtime = quiet_directory(directory)
    env = dict(os.environ, XDG_RUNTIME_DIR=runtime)

    def start(*args, **kw):
        return subprocess.Popen([CV, "debug", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, start_new_session=True, env=kw.get("env", env))

    def ended(p, code, what):
        out, err = p.communicate(timeout=20)
        check(p.returncode == code, "%s: exit %d, not %d: %s" % (what, p.returncode, code, err))
        check(os.listdir(runtime) == [], "%s leaves %s" % (what, os.listdir(runtime)))
        return err.decode()

    ended(start(trace, "--", "-batch", "-ex", "info registers rip"), 0, "a short look")
    ended(start(trace, "--", "-batch", "-ex", "quit 7"), 7, "quit 7")
    ended(start(trace, "--at", "1%"), 0, "gdb without input")
    err = ended(start(trace, env=dict(env, PATH="/nowhere")), 69, "no gdb")
    check("gdb" in err and "[CV-E069]" in err, err)
    ended(start(os.path.join(directory, "nothing.cvt")), 66, "no trace")
    ended(start(trace, "--vmlinux", "/nowhere/vmlinux"), 66, "no vmlinux")
    junk = os.path.join(directory, "junk.cvt")
    open(junk, "wb").write(b"junk" * 4000)
    ended(start(junk), 65, "a file that is no trace")
    for target, sign, code in (("front", signal.SIGTERM, 0), ("front", signal.SIGHUP, 0), ("gdb", signal.SIGKILL, 0),
                               ("engine", signal.SIGKILL, 70)):
        p = start(trace, "--", "-nx", "-batch", "-ex", "shell sleep 3")
        wait_for("gdb", lambda: len(children(p.pid)) == 2)
        engine, gdb = sorted(children(p.pid))
        time.sleep(0.4)
        begin = time.monotonic()
        os.kill({"front": p.pid, "gdb": gdb, "engine": engine}[target], sign)
        ended(p, code, "%s gets signal %d" % (target, sign))
        wait_for("the end of all", lambda: not alive(engine) and not alive(gdb))
        check(time.monotonic() - begin < 10, "slow end")
    p = start(trace, "--", "-nx", "-batch", "-ex", "shell sleep 2")
    wait_for("gdb", lambda: len(children(p.pid)) == 2)
    engine = min(children(p.pid))
    p.kill()
    p.wait()
    wait_for("the engine's end after kill -9", lambda: not alive(engine))


def opening_can_be_stopped(directory):
    """SIGINT while the trace is being opened ends everything soon."""
    trace, _ = kernel_trace()
    runtime = quiet_directory(directory)
    p = subprocess.Popen([CV, "debug", trace, "--at", "end", "--", "-batch"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                         env=dict(os.environ, XDG_RUNTIME_DIR=runtime))
    time.sleep(0.35)
    engines = children(p.pid)
    if len(engines) != 1:
        p.communicate(timeout=60)
        raise Skip("it was open already")
    start = time.monotonic()
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=20)
    took = time.monotonic() - start
    check(p.returncode == 74 and b"stopped" in err, "%.2f s, exit %d: %s" % (took, p.returncode, err))
    if took > 1:
        print("        %.2f s until it ended" % took)
    check(os.listdir(runtime) == [] and not any(alive(e) for e in engines), "something is left")


def manual(directory):
    """chronovisor(1) names every command and option that --help does, and is well formed."""
    page = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "chronovisor.1")
    text = open(page).read().replace("\\-", "-").replace("\\ ", " ")
    commands = re.findall(r"^  (\w+) ", expect(0, "--help")[0].decode(), re.M)
    check("gdbserver" in commands, commands)
    for command in commands:
        check(re.search(r"chronovisor %s\b" % command, text), "chronovisor(1) lacks " + command)
        for option in re.findall(r"^  (--?[\w-]+)", expect(0, command, "--help")[0].decode(), re.M):
            check(re.search(r"%s(?![\w-])" % option, text), "chronovisor(1) lacks %s of %s" % (option, command))
    if shutil.which("groff"):
        p = subprocess.run(["groff", "-man", "-ww", "-Tutf8", page], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        check(p.stderr == b"", p.stderr.decode())


def monitor_verbs(directory):
    """What habits from rr and QEMU ask for."""
    end = info(trace_of("calls"))["end"]["icount"]
    with Server(directory, trace_of("calls"), "--at", 100) as server:
        rsp = server.connect()
        for command, wanted in (("info version", "Chronovisor"), ("when", "icount 100 of %d" % end), ("when-ticks", "100"),
                                ("when-end", str(end)), ("elapsed-time", "0.000000100 s"), ("checkpoint", "Checkpoint 1"),
                                ("seek 5000", "icount 5000"), ("checkpoint", "Checkpoint 2"), ("back", "icount 100 "),
                                ("forward", "icount 5000"), ("restart 1", "icount 100 "), ("restart 9", "No such"),
                                ("info checkpoints", "5000"), ("replay_seek 7", "icount 7 "), ("seek-ticks 8", "icount 8 "),
                                ("info replay", "checkpoints"), ("seek %d" % (end + 1), "after the end"), ("when", "icount 8 "),
                                ("seek", "needs a position"), ("phys", "linear"), ("kaslr", "unknown"), ("nonsense", "help"),
                                ("help", "seek POS"), ("digest", "digest")):
            said = rsp.monitor(command)
            check(wanted in said, "monitor %s: %s" % (command, said))


try:
    case("gdb: opens at the crash of a kernel", crash_in_gdb)
    case("gdb: crash of a recording that was cut", crash_of_cut_recording)
    case("gdb: no crash", crash_absent)
    case("gdb: triple fault", crash_triple)
    case("gdb: breakpoints both ways", breakpoints_both_ways)
    case("gdb: breakpoint where it stands", breakpoint_here)
    case("gdb: breakpoint hit a million times", breakpoint_hot)
    case("gdb: Ctrl-C in a travel", interrupt_travel)
    case("gdb: source lines both ways", source_steps)
    case("gdb: range steps", range_steps)
    case("gdb: until and advance", until_and_advance)
    case("gdb: memory in user mode", memory_in_user_mode)
    case("gdb: writes are refused", writes_are_refused_with_a_sentence)
    case("gdb: find", find_in_memory)
    case("gdb: kernel memory", kernel_memory)
    case("gdb: KASLR", kaslr)
    case("gdb: 32-bit mode", layout_in_32_bit_mode)
    case("gdb: monitor verbs", monitor_verbs)
    case("link: detach and return", detach_and_return)
    case("link: second gdb", second_gdb)
    case("link: lost in travel", lost_in_travel)
    case("link: hostile packets", hostile_packets)
    case("link: TCP", tcp)
    case("link: sockets", sockets)
    case("position: every form", positions)
    case("exact: 1000 back, 1000 forward, mini guests", thousand_mini)
    case("exact: 1000 back, 1000 forward, kernel", thousand_kernel)
    case("exact: random seeks", random_seeks)
    case("exact: random walk, mini guests", walk_mini)
    case("exact: random walk, kernel", walk_kernel)
    case("debug: around gdb", debug_around)
    case("debug: opening can be stopped", opening_can_be_stopped)
    case("debug: the manual", manual)
finally:
    shutil.rmtree(HERE, ignore_errors=True)
finish()
