"""cvtest.py - a small harness for tests that drive the real program.

A test file calls case(name, function) and finish(). Each case gets a fresh directory. The last line printed is
"N passed, N failed, N skipped".
"""
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODE = os.environ.get("CV_MODE", "release")
CV = os.environ.get("CV_BIN", os.path.join(TOP, "build", MODE, "chronovisor"))
GUEST = os.environ.get("CV_GUEST", os.path.join(TOP, "build", "guest"))
GUESTS = os.environ.get("CV_GUESTS", os.path.join(TOP, "build", "guests"))

counts = {"passed": 0, "failed": 0, "skipped": 0}
only = [a for a in sys.argv[1:] if not a.startswith("-")]


class Skip(Exception):
    pass


class Failure(Exception):
    pass


def check(ok, what):
    if not ok:
        raise Failure(what)


def run(*args, stdin=None, timeout=300, env=None):
    """chronovisor ARGS; returns (exit code, stdout bytes, stderr text). Never dies by signal."""
    full = dict(os.environ)
    full.update(env or {})
    p = subprocess.run([CV, *map(str, args)], input=stdin if stdin is not None else b"",
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, env=full)
    err = p.stderr.decode(errors="replace")
    check(p.returncode >= 0, "died by signal %d: %s" % (-p.returncode, err))
    return p.returncode, p.stdout, err


def expect(code, *args, **kw):
    rc, out, err = run(*args, **kw)
    check(rc == code, "chronovisor %s: exit %d, not %d\n%s%s" %
          (" ".join(map(str, args)), rc, code, out.decode(errors="replace")[-2000:], err[-2000:]))
    return out, err


def start(*args, **kw):
    """chronovisor ARGS in the background, in a session of its own, with pipes; a Popen."""
    for stream in ("stdin", "stdout", "stderr"):
        kw.setdefault(stream, subprocess.PIPE)
    return subprocess.Popen([CV, *map(str, args)], start_new_session=True, **kw)


def session_of(leader):
    """The pids of a session with a live thread: a front and its engine. (A killed leader is a zombie while its other
    threads still hold the files.)"""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.getsid(int(pid)) != leader:
                continue
            states = [open("/proc/%s/task/%s/stat" % (pid, task)).read().rsplit(")", 1)[1].split()[0]
                      for task in os.listdir("/proc/%s/task" % pid)]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if len(states) > 1 or any(state not in "ZX" for state in states):
            found.append(int(pid))
    return found


def kill_all(p):
    """kill -9 of everything start() made; returns when it is gone, and its locks with it."""
    deadline = time.monotonic() + 20
    while True:
        pids = session_of(p.pid)
        # All are stopped before the first dies: an engine that still ran would see its front go, and seal the trace.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
        if not pids:
            break
        check(time.monotonic() < deadline, "does not die: %s" % pids)
        time.sleep(0.005)
    p.wait()


def read_until(fd, mark, timeout=120):
    """What comes from fd up to and including a read that completes mark."""
    text = b""
    deadline = time.monotonic() + timeout
    while mark not in text:
        ready, _, _ = select.select([fd], [], [], max(0, deadline - time.monotonic()))
        check(ready, "no %r within %d s: %r" % (mark, timeout, text[-800:]))
        try:
            data = os.read(fd, 4096)
        except OSError:
            data = b""
        check(data, "ended without %r: %r" % (mark, text[-800:]))
        text += data
    return text


def verify(trace, *axis, code=0):
    """The JSON of verify: icount, digests, state."""
    out, err = expect(code, "verify", trace, "--json", *axis)
    return json.loads(out)


def info(trace, code=0):
    out, err = expect(code, "info", trace, "--json")
    return json.loads(out)


AXES = {
    "plain": [],
    "small-cache": ["--code-cache", "1M"],
    "no-chain": ["--no-chain"],
    "one-insn-blocks": ["--block-insns", "1"],
    "tiny-tlb": ["--tlb-entries", "16"],
    "flush-each-block": ["--flush-each-block"],
    "interpreter": ["--interpreter"],
    "watch-all": ["--watch-all"],
}


def case(name, fn, *args):
    if only and not any(o in name for o in only):
        return
    directory = tempfile.mkdtemp(prefix="cvtest-")
    start = time.monotonic()
    try:
        fn(directory, *args)
        counts["passed"] += 1
        print("ok      %-50s %6.1f s" % (name, time.monotonic() - start), flush=True)
    except Skip as e:
        counts["skipped"] += 1
        print("skip    %-50s %s" % (name, e), flush=True)
    except (Failure, subprocess.TimeoutExpired, json.JSONDecodeError) as e:
        counts["failed"] += 1
        print("FAILED  %-50s %s" % (name, e), flush=True)
        keep = os.path.join(TOP, "build", "failed", name.replace("/", "_").replace(" ", "_"))
        shutil.rmtree(keep, ignore_errors=True)
        os.makedirs(os.path.dirname(keep), exist_ok=True)
        shutil.copytree(directory, keep, ignore_dangling_symlinks=True)
        print("        kept: %s" % os.path.relpath(keep, TOP), flush=True)
    except Exception:
        counts["failed"] += 1
        print("FAILED  %-50s" % name, flush=True)
        traceback.print_exc(file=sys.stdout)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def finish():
    print("%d passed, %d failed, %d skipped" %
          (counts["passed"], counts["failed"], counts["skipped"]), flush=True)
    sys.exit(1 if counts["failed"] else 0)
