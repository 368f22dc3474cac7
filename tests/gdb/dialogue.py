"""dialogue.py - talking to a real gdb, and to a gdb server that serves a trace.

talk() runs `chronovisor debug` with gdb in batch mode; gdb's own Python executes the commands one by one and writes what
each printed, so that a test can look at single answers.
"""
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import CV, GUEST, Failure, check, expect  # noqa: E402
from rsp import Rsp  # noqa: E402

DRIVER = """
import json, gdb
gdb.execute("set pagination off")
gdb.execute("set width 0")
for command in json.load(open(%r)):
    gdb.write(%r)
    gdb.flush()
    try:
        gdb.execute(command)
    except gdb.error as e:
        gdb.write("error: " + str(e))
    gdb.flush()
gdb.write(%r)
"""
MARK = "@@ command @@"
HISTORY = "No more reverse-execution history."
FLUSH = "maintenance flush register-cache"
ICOUNT = re.compile(r"icount (\d+)")


def wait_for(what, question, seconds=10):
    end = time.monotonic() + seconds
    while not question():
        check(time.monotonic() < end, "waited in vain for: " + what)
        time.sleep(0.02)


def script(directory, commands):
    """gdb arguments that run the commands."""
    name = os.path.join(directory, "gdb-%d" % len(os.listdir(directory)))
    with open(name + ".json", "w") as f:
        json.dump(list(commands), f)
    with open(name + ".py", "w") as f:
        f.write(DRIVER % (name + ".json", MARK, MARK))
    return ["-nx", "-batch", "-x", name + ".py"]


def hear(directory, program, commands, timeout=120, code=0):
    """Runs the program with the commands as gdb arguments behind it; the answers in order."""
    p = subprocess.run([*program, *script(directory, commands)], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    text = p.stdout.decode(errors="replace")
    check(p.returncode == code, "%s: exit %d\n%s" % (program, p.returncode, text))
    answers = text.split(MARK)[1:-1]
    check(len(answers) == len(commands), "gdb gave up after %s\n%s" % (answers[-2:], text))
    return answers


def talk(directory, trace, commands, at=None, symbols=None, **kw):
    """The answers of a real gdb to the commands, in order."""
    full = [CV, "debug", trace]
    full += ["--at", str(at)] if at is not None else []
    full += ["--vmlinux", symbols] if symbols else []
    return hear(directory, [*full, "--"], commands, **kw)


def icount_of(answer):
    m = ICOUNT.search(answer)
    check(m, "no icount in %r" % answer)
    return int(m.group(1))


def value(answer):
    """The number in what `print` or `info registers NAME` answered."""
    m = re.search(r"0x[0-9a-f]+", answer)
    check(m, "no number in %r" % answer)
    return int(m.group(0), 16)


def children(pid):
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], stdout=subprocess.PIPE).stdout
    return [int(p) for p in out.split()]


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


recordings = {}


def recorded(directory, guest):
    """The trace of a mini guest, recorded once."""
    if guest not in recordings:
        path = os.path.join(directory, guest + ".cvt")
        expect(1, "record", "--kernel", os.path.join(GUEST, guest), "--memory", "16M", "--pace", "fast", "-o", path)
        recordings[guest] = path
    return recordings[guest]


class Server:
    """chronovisor gdbserver on a UNIX socket of the directory, or on a TCP port of its choice."""

    def __init__(self, directory, trace, *more, tcp=False, cpus=None):
        self.path = os.path.join(directory, "s%d" % len(os.listdir(directory)))
        where = ["--tcp", "127.0.0.1:0"] if tcp else ["--socket", self.path]
        self.p = subprocess.Popen([CV, "gdbserver", trace, *where, *map(str, more)],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE,
                                  preexec_fn=cpus and (lambda: os.sched_setaffinity(0, cpus)))
        self.line = self.p.stdout.readline().decode().strip()
        if not self.line.startswith("listening "):
            raise Failure("no server: %r %s" % (self.line, self.p.stderr.read().decode()))
        self.engines = children(self.p.pid)

    def connect(self):
        return Rsp(self.path)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.p.send_signal(signal.SIGTERM)
        try:
            self.p.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
            raise Failure("the server did not end on SIGTERM")
        err = self.p.stderr.read().decode()
        if kind is None:
            check(self.p.returncode == 0, "server: exit %d %s" % (self.p.returncode, err))
            wait_for("the engine's end", lambda: not any(alive(e) for e in self.engines))
            check(not os.path.exists(self.path), "the socket is left")


class Place:
    """Moves and answers over a raw link, for tests that need thousands of them."""

    def __init__(self, rsp):
        self.rsp = rsp
        rsp.call("Hcp0.0")

    def seek(self, where):
        out = self.rsp.monitor("seek %s" % where)
        check("Position: icount" in out, "seek %s: %s" % (where, out))

    def digest(self):
        """(icount, digest of all state)."""
        m = re.search(r"digest: (\w{32}) at icount (\d+)", self.rsp.monitor("digest"))
        check(m, "no digest: %s" % self.rsp.output)
        return int(m.group(2)), m.group(1)

    def icount(self):
        return icount_of(self.rsp.monitor("when"))

    def registers(self):
        return self.rsp.call("g")

    def move(self, packet):
        """A stop reply."""
        reply = self.rsp.call(packet)
        check(reply.startswith("T"), "%s: %s" % (packet, reply))
        return reply

    def step(self):
        return self.move("vCont;s:1")

    def back(self):
        return self.move("bs")
