#!/usr/bin/env python3
"""What is known of a Linux guest without any file: names, processes, modules, log; and gdb's own commands around it.

Each answer is held to what the guest said of itself on its console. Run one alone: tests/gdb/test_linux_guest.py processes
"""
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dialogue import FLUSH, Server, check, hear, icount_of, recorded, talk, value  # noqa: E402
from linuxes import Shell, booted, crashed, log_lines, tasks  # noqa: E402
from cvtest import GUEST, GUESTS, TOP, case, expect, finish, info, run  # noqa: E402

HERE = tempfile.mkdtemp(prefix="cvtest-linux-")
made = {}


def crash_trace():
    if "crash" not in made:
        path = os.path.join(HERE, "crash.cvt")
        made["crash"] = path, crashed(path)
    return made["crash"]


def shell_trace():
    """(trace, the step at which the shell had done all, what it said)"""
    if "shell" not in made:
        path = os.path.join(HERE, "shell.cvt")
        with Shell(path) as shell:
            shell.say("echo 1 >/proc/sys/kernel/kptr_restrict; sleep 1000 & sleep 2000 & true")
            said = {
                "names": shell.say("grep -E ' [TtDdRrBb] (init_task|_text|linux_banner|schedule|vfs_read|prb|tasklist_lock|"
                                   "jiffies_64|__start_BTF|commit_creds|loops_per_jiffy|_etext)$' /proc/kallsyms"),
                "current": shell.say("grep ' current_task$' /proc/kallsyms"),
                "ps": shell.say("ps -o pid,ppid,comm"),
                "version": shell.say("cat /proc/version"),
                "two": shell.say("for i in 1 2 3 4 5 6; do echo $i; uname; done")}
            shell.off()
        out, _ = expect(0, "info", "--events", path)
        steps = [int(s) for s in re.findall(rb"^step (\d+)", out, re.M)]
        made["shell"] = path, steps[-1], said
    return made["shell"]


# -- names -------------------------------------------------------------------------------------------

def names(directory):
    """The kernel's symbol table in its memory is what /proc/kallsyms says, both ways; a per-CPU variable is an offset."""
    trace, at, said = shell_trace()
    wanted = re.findall(r"^([0-9a-f]{16}) \w (\w+)$", said["names"], re.M)
    check(len(wanted) >= 10, said["names"])
    percpu = int(re.search(r"^([0-9a-f]{16})", said["current"], re.M).group(1), 16)
    questions = ["monitor sym " + name for _, name in wanted] + ["monitor sym 0x" + addr for addr, _ in wanted]
    a = talk(directory, trace, [*questions, "monitor sym current_task", "monitor sym no_such_name", "monitor sym 0x10",
                                "monitor guest"], at=at)
    for i, (addr, name) in enumerate(wanted):
        check(value(a[i]) == int(addr, 16), "%s: %s, not %s" % (name, a[i], addr))
        there = [n for b, n in wanted if b == addr]
        back = a[len(wanted) + i].strip()
        check(re.fullmatch(r"\w+\+0x0", back), back)
        check(back[:-4] in there or name in ("_text", "_etext", "__start_BTF", "jiffies_64"), "%s: %s" % (addr, back))
    check(value(a[-4]) == percpu, "current_task: %s, not %#x" % (a[-4], percpu))
    check("No symbol called" in a[-3] and "No symbol at" in a[-2], a[-3:-1])
    check(said["version"].split("\n")[0][:60] in a[-1] and "own type information" in a[-1], a[-1])


# -- processes ---------------------------------------------------------------------------------------

def processes(directory):
    """ps is the guest's own ps; process finds by number and by name."""
    trace, at, said = shell_trace()
    rows = re.findall(r"^ *(\d+) +(\d+) (\S+)", said["ps"], re.M)
    check(len(rows) > 30, said["ps"])
    a = talk(directory, trace, ["monitor ps", "monitor process sh", "monitor process", "monitor process any",
                                "monitor process kthreadd", "monitor process 4242", "monitor ps nonsense"], at=at)
    seen = tasks(a[0])
    check(seen[0][4] == "swapper/0", a[0][:300])
    compared = 0
    for pid, parent, name in rows:
        if name == "ps" or name.startswith("kworker"):  # gone since; and workers come, go and decorate their names
            continue
        check(int(pid) in seen, "%s %s is missing in %s" % (pid, name, a[0]))
        ours = seen[int(pid)]
        check((ours[0], ours[4]) == (int(parent), name), "%s %s %s: %s" % (pid, parent, name, ours))
        check((ours[2] != 0) == (name in ("init", "sh", "sleep")), "%s: root %#x" % (name, ours[2]))
        compared += 1
    check(compared > 20 and len([t for t in seen.values() if t[4] == "sleep"]) == 2, a[0])
    sh = [pid for pid, t in seen.items() if t[4] == "sh"][0]
    check("process %d (sh), root %#x;" % (sh, seen[sh][2]) in a[1], a[1])
    check("root %#x." % seen[sh][2] in a[2] and "every address space" in a[3], a[2:4])
    check("no address space" in a[4] and "no such process" in a[5] and "ps takes" in a[6], a[4:])


def page_tables(directory):
    """Whoever runs user code, runs it on the page tables that are told of him."""
    trace, at, _ = shell_trace()
    first = info(trace)["end"]["icount"] // 2
    seen = set()
    with Server(directory, trace, "--at", first) as server:
        rsp = server.connect()
        for i in range(60):
            rsp.monitor("seek %d" % (first + (at - first) * i // 60))
            name = re.search(r"vCPU0: (.*), pid (\d+), process (\d+), task 0x([0-9a-f]+), at (\S+)", rsp.monitor("current"))
            check(name, rsp.output)
            rip = int.from_bytes(bytes.fromhex(rsp.call("p10")), "little")
            if rip >> 63:
                continue
            all_of = tasks(rsp.monitor("ps threads"))
            pid = int(name.group(2))
            check(all_of[pid][4] == name.group(1) and all_of[pid][3] == int(name.group(4), 16), (name.group(0), all_of[pid]))
            cr3 = cr3_of(rsp)
            check(all_of[pid][2] == cr3 & 0xffffffffff000, "%s: root %#x, CR3 %#x" % (name.group(0), all_of[pid][2], cr3))
            roots = [t[2] for t in all_of.values() if t[2] == all_of[pid][2]]
            check(len(roots) == 1, "two processes with the page tables of %s" % name.group(0))
            threads = rsp.call("qXfer:threads:read::0,1000")
            check('name="vCPU0: %s"' % name.group(1) in threads, threads)
            seen.add(pid)
    check(len(seen) >= 2, "user code of %s only" % seen)


def writes_of_busybox():
    """Addresses of "mov $1, %eax; syscall" in the program that is every program of this guest."""
    with open(os.path.join(GUESTS, "busybox"), "rb") as f:
        data = f.read()
    offset, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    found = []
    for i in range(count):
        kind, _, start, gva, _, length = struct.unpack_from("<IIQQQQ", data, offset + i * size)
        part = data[start:start + length] if kind == 1 else b""
        found += [gva + m.start() for m in re.finditer(re.escape(b"\xb8\x01\0\0\0\x0f\x05"), part)]
    return found


def one_process(directory):
    """A breakpoint of one process: exactly those of all its hits that this process makes, in both directions; and the filter stays
    with the breakpoint when gdb takes it out to step over it."""
    trace, at, _ = shell_trace()
    places = writes_of_busybox()
    check(places, "no system call in busybox")

    def hits(rsp, steps, packet):
        seen = []
        for _ in range(steps):
            if "replaylog" in rsp.call(packet):
                break
            seen.append((icount_of(rsp.monitor("when")), re.search(r"vCPU0: (\S+), pid", rsp.monitor("current")).group(1)))
        return seen

    with Server(directory, trace, "--at", at) as server:
        rsp = server.connect()
        rsp.call("Hcp0.0")
        for place in places:
            rsp.call("Z0,%x,1" % place)
        every = hits(rsp, 16, "bc")
        of_sh = [hit for hit in every if hit[1] == "sh"]
        check(len(of_sh) >= 3 and len([hit for hit in every if hit[1] == "uname"]) >= 3, every)
        for place in places:
            rsp.call("z0,%x,1" % place)
        rsp.monitor("seek %d" % at)
        check("(sh)" in rsp.monitor("process sh"), rsp.output)
        for place in places:
            rsp.call("Z0,%x,1" % place)
        rsp.monitor("process any")
        check(hits(rsp, len(of_sh), "bc") == of_sh, "backward, of all %s" % every)
        for place in places:  # as gdb does it at each stop
            rsp.call("z0,%x,1" % place)
            rsp.call("Z0,%x,1" % place)
        check(hits(rsp, len(of_sh) - 1, "vCont;c") == of_sh[-2::-1], "forward, of all %s" % every)


def cr3_of(rsp):
    """CR3 by its number in the target description."""
    xml = rsp.call("qXfer:features:read:target.xml:0,10000")
    names = re.findall(r'<reg name="(\w+)"', xml)
    return int.from_bytes(bytes.fromhex(rsp.call("p%x" % names.index("cr3"))), "little")


# -- the crash ---------------------------------------------------------------------------------------

def the_oops(directory):
    """Where the kernel says that it crashed, who ran, which modules were there: known at the crash itself, before it says so."""
    trace, console = crash_trace()
    rip = re.search(r"RIP: 0010:(\S+?)/0x[0-9a-f]+ \[crash\]", console).group(1)
    pid, comm = re.search(r"CPU: 0 PID: (\d+) Comm: (\S+)", console).groups()
    loaded = re.search(r"Modules linked in: (.*?)(?: \[|\n)", console).group(1)
    a = talk(directory, trace, ["monitor current", "info threads", "monitor modules", "p/x $pc", "monitor sym poll_device",
                                "monitor kaslr"])
    check("at %s [crash]" % rip in a[0] and "%s, pid %s," % (comm, pid) in a[0], (rip, comm, pid, a[0]))
    check('"vCPU0: %s"' % comm in a[1], a[1])
    names = re.findall(r"^0x([0-9a-f]+) +(\d+) (\S+)$", a[2], re.M)
    check([n for _, _, n in names] == [re.sub(r"\(.*", "", m) for m in loaded.split()], (loaded, a[2]))
    base, size = int(names[0][0], 16), int(names[0][1])
    check(base <= value(a[3]) < base + size and base <= value(a[4]) < base + size, a[2:5])
    check(value(a[5]) & 0x1fffff == 0, a[5])


def the_log(directory):
    """dmesg at a place is what the console had by then, to the letter, and only debugging messages besides."""
    trace, console = crash_trace()
    printed = log_lines(console)
    for place in ("crash", "end", "60%"):
        a = talk(directory, trace, ["monitor dmesg"], at=place)
        ours = log_lines(a[0])
        check(len(ours) > 150, "%s: %d lines" % (place, len(ours)))
        known = set(ours)
        told = [line for line in printed if line in known]
        check([line for line in ours if line in set(printed)] == told, "%s: another order" % place)
        last = max(printed.index(line) for line in told)
        check(told == printed[:last + 1], "%s: missing %s" % (place, [x for x in printed[:last] if x not in known][:5]))
        more = [line for line in ours if line not in set(printed[:last + 1])]
        check(len(more) < 60, "%s: never printed: %s" % (place, more[:10]))
        if place == "crash":
            check("crash: loaded, polling starts soon" in ours[-1], ours[-1])
        if place == "end":
            check(last == len(printed) - 1, "the last is %r, the console's %r" % (printed[last], printed[-1]))


# -- what is no Linux, or not yet ---------------------------------------------------------------------

VERBS = ("guest", "ps", "current", "modules", "dmesg", "sym init_task", "process 1")
NOTHING = "Linux: no kernel was found where the machine stands"


def elsewhere(directory):
    """Before the kernel, and in a guest that is none: a sentence."""
    trace, _ = crash_trace()
    for where in ("0", "1%"):
        for answer in talk(directory, trace, ["monitor " + verb for verb in VERBS], at=where):
            check(answer.strip() == NOTHING, answer)
    mini = recorded(HERE, "timer")
    for answer in talk(directory, mini, ["monitor " + verb for verb in VERBS]):
        check(answer.strip() == NOTHING, answer)
    check('"vCPU0"' in talk(directory, mini, ["info threads"])[0], "a thread of no Linux")


def looking_changes_nothing(directory):
    """All verbs at some places; then the state is what verify finds there."""
    trace, _ = crash_trace()
    end = info(trace)["end"]["icount"]
    with Server(directory, trace, "--at", 0) as server:
        rsp = server.connect()
        for part in (40, 75, 99):
            at = end * part // 100
            rsp.monitor("seek %d" % at)
            before = rsp.monitor("digest")
            for verb in VERBS:
                check(NOTHING not in rsp.monitor(verb), "%s at %d %%" % (verb, part))
            check(rsp.monitor("digest") == before, "changed at %d" % at)


def parts_beside(links):
    return [int(re.search(r"(\d+) parts searched beside", rsp.monitor("info replay")).group(1)) for rsp in links]


def side_by_side(directory):
    """A search back over a good part of a kernel's run ends at the same place, and for the same reason, whether copies of the
    engine on other processors took part in it or not."""
    trace, _ = crash_trace()
    end = info(trace)["end"]["icount"]
    cpus = os.sched_getaffinity(0)
    with Server(directory, trace) as many, Server(directory, trace, cpus={min(cpus)}) as one:
        links = [many.connect(), one.connect()]
        far = 0
        for k in range(4):
            found = []
            for rsp in links:
                rsp.monitor("seek-ticks %d" % (end * (20 + 7 * k) // 100))
                rip, rsp_now = (int.from_bytes(bytes.fromhex(rsp.call("p" + n)), "little") for n in ("10", "7"))
                point = "0,%x,1" % rip if k % 2 == 0 else "2,%x,8" % (rsp_now - 8 & ~7)
                rsp.monitor("seek-ticks %d" % (end * (60 + 7 * k) // 100))
                before = rsp.icount()
                check(rsp.call("Z" + point) == "OK", point)
                found.append((rsp.call("bc"), rsp.icount(), rsp.monitor("digest").split()[2]))
                rsp.call("z" + point)
            check(found[0] == found[1], "with copies %s, without %s" % tuple(found))
            far += before - found[0][1]
        searched = parts_beside(links)
        for question in ("console", "console --limit 20", "events cr3 --limit 3000", "calls 0x%x --limit 3000" % rip):
            said = [rsp.monitor("query " + question) for rsp in links]
            check(said[0] == said[1] and len(said[0].splitlines()) > 3, "%s: %s..., %s..." % (question, said[0][:300], said[1][:300]))
        beside = parts_beside(links)
    check(beside[1] == 0, beside)
    if len(cpus) == 1:
        print("skip    a search with copies: one processor only")
    elif far > 1 << 26:
        check(0 < searched[0] < beside[0], "%s, %s over %d steps" % (searched, beside, far))
    print("        back over %.2f G steps, %d parts searched beside; %d more for questions" %
          (far / 1e9, searched[0], beside[0] - searched[0]))


def legacy(directory):
    """A 32-bit kernel without type information: its functions by name; what cannot be told is said."""
    path = os.path.join(directory, "pae.cvt")
    console = booted(path, "686-pae")
    stack = re.search(r"^\[.*\]  panic\+0x([0-9a-f]+)/", console, re.M)
    check(stack, console[-2000:])
    with Server(directory, path, "--at", "99%") as server:
        rsp = server.connect()
        check("Layouts: not known." in rsp.monitor("guest"), rsp.output)
        panic, slide = value(rsp.monitor("sym panic")), value(rsp.monitor("kaslr"))
        check(panic - slide > 0xc1000000 and (panic - slide) >> 28 == 0xc, "%#x %#x" % (panic, slide))
        where = "panic+0x" + stack.group(1)
        check(rsp.monitor("sym 0x%x" % (panic + int(stack.group(1), 16))).strip() == where, rsp.output)
        for verb in ("ps", "dmesg", "modules", "current"):
            check("carries no type information; give its vmlinux" in rsp.monitor(verb), rsp.output)


# -- symbols that follow -------------------------------------------------------------------------------

SOURCE = """
    .text
    .globl _text, _stext, start_kernel
_text: nop
_stext: nop
    .org 0x40
start_kernel: nop
    .section .rodata
    .globl linux_banner
linux_banner: .asciz "x"
    .data
    .globl word
word: .quad 0
    .section .data..percpu, "aw"
    .globl current_task
    .org 0x80
current_task: .quad 0
"""
SCRIPT = """
PHDRS { text PT_LOAD; ro PT_LOAD; data PT_LOAD; percpu PT_LOAD; note PT_NOTE; }
SECTIONS {
  . = 0xffffffff81000000; .text : { *(.text) } :text
  . = 0xffffffff82000000; .rodata : { *(.rodata) } :ro
  .note.gnu.build-id : { __start_notes = .; *(.note.gnu.build-id) __stop_notes = .; } :ro :note
  . = 0xffffffff82a00000; .data : { *(.data) } :data
  .data..percpu 0 : { *(.data..percpu) } :percpu
}
"""


def small_vmlinux(directory, *more):
    """A file with four segments like the real one's, per-CPU data linked at 0 among them."""
    path = os.path.join(directory, "a vmlinux")
    for name, text in (("v.S", SOURCE), ("v.ld", SCRIPT)):
        with open(os.path.join(directory, name), "w") as f:
            f.write(text)
    subprocess.run(["gcc", "-nostdlib", "-static", "-no-pie", "-Wl,-T," + os.path.join(directory, "v.ld"),
                    "-Wl,--build-id=0x0123456789abcdef", *more, "-o", path, os.path.join(directory, "v.S")], check=True,
                   stderr=subprocess.DEVNULL)
    return path


def symbols_follow(directory):
    """Every section is where the kernel is, per-CPU data stays; from before the kernel is there, over a seek, over a reboot."""
    path = os.path.join(directory, "twice.cvt")
    with Shell(path, "--on", "reset=restart") as shell:
        shell.reboot()
        shell.off()
    vmlinux = small_vmlinux(directory)
    look = ["p/x (long)&_text", "p/x (long)&linux_banner", "p/x (long)&word", "p/x (long)&current_task", "monitor kaslr",
            "monitor sym _text"]
    a = talk(directory, path, [*look, "cv seek 30%", *look, "cv seek 0", *look[:5], "monitor seek end", *look], symbols=vmlinux)
    slides = []
    for first in (0, 7, 20):
        slide = value(a[first + 4])
        check([value(x) for x in a[first:first + 4]] ==
              [0xffffffff81000000 + slide, 0xffffffff82000000 + slide, 0xffffffff82a00000 + slide, 0x80], (first, a))
        check(value(a[first]) == value(a[first + 5]), a[first:first + 6])
        slides.append(slide)
    check(slides[0] == slides[2] != slides[1], "the second boot moved as the first did: %s" % slides)
    check("unknown" in a[18] and value(a[14]) == value(a[7]), "before the kernel symbols stay where they were: %s" % a[14:19])
    b = talk(directory, path, ["monitor when", "p/x (long)&_text", "p/x (long)&current_task"], at=0, symbols=vmlinux)
    check(icount_of(b[0]) == 0 and value(b[1]) == value(a[7]) and value(b[2]) == 0x80, "connected at 0: %s" % b)


def wrong_vmlinux(directory):
    """Another kernel's file is told so, on connect and when asked; what is no such file is refused."""
    trace, _ = crash_trace()
    vmlinux = small_vmlinux(directory)
    program = [os.environ.get("CV_BIN", os.path.join(TOP, "build", os.environ.get("CV_MODE", "release"), "chronovisor"))]
    p = subprocess.run([*program, "debug", trace, "--vmlinux", vmlinux, "--", "-nx", "-batch", "-ex", "monitor guest"],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = p.stdout.decode(errors="replace")
    said = re.findall(r"vmlinux: is not that of this kernel \(build id 0123456789abcdef, the guest's is [0-9a-f]{40}\)", text)
    check(len(said) == 2 and "warning: vmlinux: is not" in text, text)
    junk = os.path.join(directory, "junk")
    for content in (b"", b"junk" * 1000, open(vmlinux, "rb").read()[:200]):
        with open(junk, "wb") as f:
            f.write(content)
        for command in (["debug", trace], ["gdbserver", trace, "--socket", os.path.join(directory, "sock")]):
            rc, out, err = run(*command, "--vmlinux", junk)
            check(rc == 65 and err.count("\n") == 1 and "[CV-E065]" in err and junk in err, "%d %s" % (rc, err))
    # a server takes the file, too: for what is told of the guest
    with Server(directory, trace, "--vmlinux", vmlinux) as server:
        rsp = server.connect()
        said = rsp.monitor("guest")
        check("vmlinux: is not that of this kernel (build id 0123456789abcdef" in said and
              said.count("vmlinux") == rsp.monitor("guest-warning").count("vmlinux"), said)
    with Server(directory, trace) as server:
        check("vmlinux" not in server.connect().monitor("guest"), "no file, no verdict")
    rc, out, err = run("gdbserver", trace, "--socket", os.path.join(directory, "sock"), "--vmlinux", "/nowhere/vmlinux")
    check(rc == 66 and "[CV-E066]" in err, "%d %s" % (rc, err))


# -- gdb's commands --------------------------------------------------------------------------------------

def commands(directory):
    """cv VERB and a plain monitor VERB: gdb sees where the machine stands; completion; a place to go back to."""
    trace, _ = crash_trace()
    crash = info(trace)["crash"]
    a = talk(directory, trace, ["p/x $pc", "cv seek 50%", "p/x $pc", "cv back", "p/x $pc", "monitor seek 50%", "p/x $pc", FLUSH,
                                "p/x $pc", "cv forward", "complete cv ba", "complete cv info r", "complete cv seek c", "cv", "cv when",
                                "cv nonsense", "show breakpoint always-inserted", "show index-cache enabled"])
    check(value(a[0]) == value(a[4]) and value(a[2]) == value(a[6]) == value(a[8]) != value(a[0]), a[:9])
    check("#0" in a[1] and "does not notice" not in a[1] and icount_of(a[3]) == crash, a[1:4])
    check(a[10].strip() == "cv back" and a[11].strip() == "cv info replay" and a[12].strip() == "cv seek crash", a[10:13])
    check("cv symbols FILE" in a[13] and "seek POS" in a[13] and "Unknown" in a[15], a[13:16])
    check("icount" in a[14] and "on" in a[16], a[14:17])


def installed(directory):
    """The installed program finds its commands for gdb."""
    root = os.path.join(directory, "root")
    mode = os.environ.get("CV_MODE", "release")
    subprocess.run(["make", "-s", "-C", TOP, "MODE=" + mode, "install", "DESTDIR=" + root, "PREFIX=/usr"], check=True,
                   stdout=subprocess.DEVNULL)
    program = os.path.join(root, "usr/bin/chronovisor")
    trace, _ = crash_trace()
    a = hear(directory, [program, "debug", trace, "--"], ["cv when", "python print(cv_kernel.path)"])
    check(icount_of(a[0]) == info(trace)["crash"] and "None" in a[1], a)
    os.remove(os.path.join(root, "usr/share/chronovisor/chronovisor.py"))
    a = hear(directory, [program, "debug", trace, "--"], ["monitor when", "cv when"])
    check(icount_of(a[0]) == info(trace)["crash"] and "Undefined command" in a[1], "without them gdb is connected: %s" % a)


try:
    case("linux: names", names)
    case("linux: processes", processes)
    case("linux: page tables", page_tables)
    case("linux: one process", one_process)
    case("linux: what the oops says", the_oops)
    case("linux: the log", the_log)
    case("linux: elsewhere", elsewhere)
    case("linux: looking changes nothing", looking_changes_nothing)
    case("linux: side by side", side_by_side)
    case("linux: 32 bits", legacy)
    case("linux: symbols follow", symbols_follow)
    case("linux: a wrong vmlinux", wrong_vmlinux)
    case("linux: commands", commands)
    case("linux: installed", installed)
finally:
    shutil.rmtree(HERE, ignore_errors=True)
finish()
