#!/usr/bin/env python3
"""The real vmlinux of Debian's cloud kernel, and the kernel's own scripts for gdb, on recordings with KASLR and without.

The files come from `tests/support/guests.sh lx`. Run one alone: tests/gdb/test_linux_scripts.py oops
"""
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dialogue import check, icount_of, talk, value  # noqa: E402
from linuxes import Shell, crashed, log_lines, tasks  # noqa: E402
from cvtest import GUESTS, Skip, case, finish, info  # noqa: E402

HERE = tempfile.mkdtemp(prefix="cvtest-lx-")
VMLINUX = os.path.join(GUESTS, "lx", "vmlinux")
# The path is told besides: __file__, by which the script finds its modules, is that of the test's own script here.
SCRIPTS = "python import sys; sys.path.insert(0, %r); gdb.execute('source ' + %r)" % (
    os.path.join(GUESTS, "lx", "scripts", "gdb"), os.path.join(GUESTS, "lx", "vmlinux-gdb.py"))
FORMS = {"KASLR": "", "none": " nokaslr"}
made = {}


def trace_of(form):
    if not os.path.exists(VMLINUX) or not os.path.exists(os.path.join(GUESTS, "lx", "vmlinux-gdb.py")):
        raise Skip("no symbols in %s/lx: tests/support/guests.sh lx makes them" % GUESTS)
    if form not in made:
        path = os.path.join(HERE, form + ".cvt")
        made[form] = path, crashed(path, FORMS[form])
    return made[form]


def ask(directory, form, commands, **kw):
    return talk(directory, trace_of(form)[0], commands, symbols=VMLINUX, timeout=300, **kw)


def symbols_on_connect(directory, form):
    """gdb's addresses are the kernel's own, section by section; types, lines and a backtrace are right at once."""
    names = ("init_task", "linux_banner", "start_kernel", "vfs_read", "jiffies_64", "__per_cpu_offset", "prb", "modules",
             "current_task", "init_uts_ns", "saved_command_line", "cpu_khz")
    a = ask(directory, form, ["p/x (long)&" + n for n in names] + ["monitor sym " + n for n in names] +
            ["monitor guest", "monitor kaslr", "backtrace", "p init_task.comm", "info line process_one_work"])
    for i, name in enumerate(names):
        ours, gdbs = a[len(names) + i], value(a[i].replace("= 0x0\n", "= 0x0 "))
        check(value(ours) == gdbs, "%s: gdb has %s, the kernel %s" % (name, a[i], ours))
    about, slide, trace, comm, line = a[-5:]
    check("vmlinux: fits, build id" in about, about)
    check((value(slide) == 0) == (form == "none"), "%s: slide %s" % (form, slide))
    check("process_one_work" in trace and "worker_thread" in trace and "kernel/kthread.c" in trace, trace)
    check("swapper/0" in comm and "kernel/workqueue.c" in line, (comm, line))


def stamped(text):
    """(seconds, text) of each line of a kernel log."""
    return [(float(s), x) for s, x in (re.match(r"\[ *(\d+\.\d+)\] (.*)", line).groups() for line in log_lines(text))]


def the_kernels_scripts(directory, form):
    """lx-dmesg, lx-ps, lx-lsmod, lx-version and $lx_current() say what the guest said, and what monitor says."""
    _, console = trace_of(form)
    a = ask(directory, form, [SCRIPTS, "lx-version", "p $lx_current().pid", "p $lx_current().comm", "lx-ps", "lx-dmesg",
                              "lx-lsmod", "monitor ps threads", "monitor dmesg", "monitor modules", "monitor current",
                              "monitor guest"])
    pid, comm = re.search(r"CPU: 0 PID: (\d+) Comm: (\S+)", console).groups()
    banner = re.search(r"(Linux version \S+ \(\S+\))", console).group(1)
    check(banner in a[1] and banner in a[11], (banner, a[1], a[11]))
    check("= %s\n" % pid in a[2] and '"%s\\000' % comm in a[3] and "pid %s," % pid in a[10], (pid, comm, a[2:4], a[10]))
    theirs = {(int(task, 16), int(n), name.strip()) for task, n, name in re.findall(r"^0x([0-9a-f]+) +(\d+) +(.*)$", a[4], re.M)}
    ours = {(t[3], n, t[4]) for n, t in tasks(a[7]).items()}
    check(len(ours) > 40 and theirs == ours, "only lx-ps: %s; only monitor: %s" % (theirs - ours, ours - theirs))
    lines, mine = stamped(a[5]), stamped(a[8])
    check(len(mine) > 200 and [x for _, x in lines] == [x for _, x in mine], "lx-dmesg and monitor dmesg differ")
    check(all(abs(s - t) < 2e-6 for (s, _), (t, _) in zip(lines, mine)), "by more than the rounding of lx-dmesg")
    printed = stamped(console)
    until = printed.index(mine[-1])
    check([x for x in mine if x in set(printed)] == printed[:until + 1], "the console had others")
    modules = re.findall(r"0x([0-9a-f]+) +(\w+) +(\d+)", a[6])
    check([(m[0], m[2], m[1]) for m in modules] == re.findall(r"^0x([0-9a-f]+) +(\d+) (\w+)", a[9], re.M) != [], (a[6], a[9]))


def modules_symbols(directory, form):
    """lx-symbols reloads everything, and everything is still where the kernel is; also when a module is loaded on the way."""
    a = ask(directory, form, [SCRIPTS, "lx-symbols " + GUESTS, "backtrace", "p/x (long)&init_task", "monitor sym init_task",
                              "p/x (long)&current_task", "break process_one_work", "tbreak do_init_module", "reverse-continue",
                              "reverse-continue", "reverse-continue", "backtrace 1", "monitor when"])
    check("crash.c" in a[2] and "<poller>" in a[2] and "process_one_work" in a[2], a[2])
    check(value(a[3]) == value(a[4]) and "0x1f" in a[5], a[3:6])
    check(all("Breakpoint 1, process_one_work" in x or "do_init_module" in x for x in a[8:11]), a[8:11])
    check(icount_of(a[12]) < info(trace_of(form)[0])["crash"], a[12])


def from_the_start(directory, form):
    """At the first step of the machine a breakpoint in the kernel is already where the kernel will be."""
    a = ask(directory, form, ["monitor when", "break start_kernel", "continue", "finish", "reverse-continue", "monitor when",
                              "monitor ps"], at=0)
    check(icount_of(a[0]) == 0 and "Breakpoint 1, start_kernel ()" in a[2], a[:3])
    check("start_kernel" in a[4] or "No more reverse" in a[4], a[4])
    check(" swapper" in a[6], a[6])


def a_process(directory):
    """A breakpoint in a program, by its address space: monitor process names the page tables that it runs on."""
    path = os.path.join(HERE, "shell.cvt")
    trace_of("KASLR")  # or there is nothing to test with
    with Shell(path) as shell:
        shell.say("sleep 1000 & true")
        shell.say("ls / >/dev/null; ps >/dev/null")
        shell.off()
    a = talk(directory, path, [SCRIPTS, "break __x64_sys_execve", "reverse-continue", "p $lx_current().comm",
                               "p $lx_current().mm->pgd", "monitor current", "monitor ps", "p/x $cr3"], symbols=VMLINUX)
    check("__x64_sys_execve" in a[2], a[2])
    comm = re.search(r'"([^\\"]*)', a[3]).group(1)
    here = [t for t in tasks(a[6]).values() if t[2] == value(a[7].replace("= 0x0\n", "")) & 0xffffffffff000]
    check(comm in a[5] and comm in [t[4] for t in here], (comm, a[5], here, a[7]))


try:
    for form in FORMS:
        case("lx: symbols on connect, %s" % form, symbols_on_connect, form)
        case("lx: the kernel's scripts, %s" % form, the_kernels_scripts, form)
        case("lx: modules, %s" % form, modules_symbols, form)
        case("lx: from the start, %s" % form, from_the_start, form)
    case("lx: a process", a_process)
finally:
    shutil.rmtree(HERE, ignore_errors=True)
finish()
