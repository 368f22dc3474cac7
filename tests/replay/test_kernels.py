#!/usr/bin/env python3
"""Debian's five kernels - cloud, generic, real-time, 686 without PAE, 686 with it - boot, work, end, replay and are sought in.

Run one alone: tests/replay/test_kernels.py 686-pae
Whole runs on the slow axes are the business of soak.py.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from kernels import (GUESTS, NAMES, check_log, check_work, image, machine, record, replays, seeks, text_of)  # noqa: E402
from cvtest import TOP, case, check, finish  # noqa: E402


def to_panic(directory, name):
    """No root: the kernel panics and resets the machine."""
    trace = os.path.join(directory, "panic-%s.cvt" % name)
    out = record(trace, machine(name, append=" cryptomgr.notests"), "reset")
    text = text_of(out)
    boot, _, panic = text.partition("Kernel panic - not syncing: ")
    check(panic.startswith("VFS: Unable to mount root fs on unknown-block(0,0)"), text[-1500:])
    check_log(name, boot)
    replays(trace, out, "small-cache", "tiny-tlb")
    seeks(directory, trace, "panic " + name)


def works(directory, name):
    """To an init that forks, pipes, sums and powers off."""
    trace = os.path.join(directory, "work-%s.cvt" % name)
    out = record(trace, machine(name, "work"), "power-off")
    text = text_of(out)
    check_log(name, text)
    check_work(name, text)
    replays(trace, out, "plain", "tiny-tlb", ("no-chain", 0.1), ("watch-all", 0.1), ("interpreter", 0.01))
    seeks(directory, trace, "work " + name)


def uncompressed(directory, name):
    """The ELF inside, by its PVH entry: without the decompressor's steps the slow axes come to the kernel itself."""
    elf = os.path.join(directory, "vmlinux")
    subprocess.run([os.path.join(TOP, "tests", "support", "extract_vmlinux.py"), image(name), elf], check=True)
    trace = os.path.join(directory, "elf-%s.cvt" % name)
    out = record(trace, machine(name, "work", elf, " cryptomgr.notests"), "power-off")
    check_work(name, text_of(out))
    replays(trace, out, "plain", "small-cache", "no-chain", ("interpreter", 0.4))


missing = [name for name in NAMES if not os.path.exists(image(name))]
if missing:
    print("no %s in %s: run tests/support/guests.sh" % (missing, GUESTS))
    sys.exit(1)
for kernel in NAMES:
    case("%s: to the root-mount panic" % kernel, to_panic, kernel)
    case("%s: works and powers off" % kernel, works, kernel)
    if kernel != "686":  # it has no PVH entry
        case("%s: the ELF inside" % kernel, uncompressed, kernel)
finish()
