"""linuxes.py - recordings of Linux that the guest awareness tests share, and what their guests said of themselves."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import CV, GUESTS, Skip, check, expect, read_until  # noqa: E402

LINE = re.compile(r"^\[ *\d+\.\d{6}\] .*")


def machine(kernel, initrd, append=""):
    path = os.path.join(GUESTS, "vmlinuz-" + kernel)
    if not os.path.exists(path):
        raise Skip("no kernel in %s: tests/support/guests.sh makes it" % GUESTS)
    with_initrd = ["--initrd", os.path.join(GUESTS, "initrd-%s.cpio.gz" % initrd)] if initrd else []
    return ["--kernel", path, *with_initrd, "--memory", "256M", "--append", "console=ttyS0 panic=-1" + append,
            "--pace", "fast"]


def crashed(path, append=""):
    """The cloud kernel taken down by a driver; what the console said."""
    out, _ = expect(0, "record", *machine("cloud", "crash", append), "-o", path)
    return out.decode(errors="replace").replace("\r", "")


def booted(path, kernel):
    """Any kernel, to the panic without a root."""
    out, _ = expect(0, "record", *machine(kernel, None), "-o", path, timeout=600)
    return out.decode(errors="replace").replace("\r", "")


class Shell:
    """A shell on the console of a machine that is recorded; with a second boot after reboot(). Used by `with`, so that a test that
    fails leaves nothing running."""

    def __init__(self, path, *more):
        self.p = subprocess.Popen([CV, "record", *machine("cloud", "shell"), *more, "-o", path],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.typed = 0
        self.ready()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.p.poll() is None:
            self.p.kill()
            self.p.wait()

    def ready(self):
        read_until(self.p.stdout.fileno(), b"SHELL: ready")

    def say(self, command):
        """What the command prints."""
        self.typed += 1
        self.p.stdin.write(b"%s; echo said $((%d + 1000))\n" % (command.encode(), self.typed))
        self.p.stdin.flush()
        text = read_until(self.p.stdout.fileno(), b"said %d" % (self.typed + 1000))
        return text.decode(errors="replace").replace("\r", "").split("\n", 1)[1]

    def reboot(self):
        self.p.stdin.write(b"reboot -f\n")
        self.p.stdin.flush()
        self.ready()

    def off(self):
        self.p.stdin.write(b"poweroff -f\n")
        out, err = self.p.communicate(timeout=100)
        check(self.p.returncode == 0, err)


def tasks(answer):
    """{pid: (parent, state, root, task, name)} of `monitor ps`, in its order."""
    rows = re.findall(r"^ *(\d+) +(\d+) +(\d+) (\S) ([0-9a-f]+) 0x([0-9a-f]+) (.*)$", answer, re.M)
    check(rows, "no tasks in %r" % answer[:300])
    return {int(pid): (int(parent), state, int(root, 16), int(task, 16), name)
            for pid, _, parent, state, root, task, name in rows}


def log_lines(text):
    return [line.rstrip() for line in text.splitlines() if LINE.match(line)]
