"""cvtest.py - a small harness for tests that drive the real program.

A test file calls case(name, function) and finish(). Each case gets a fresh directory. The last line printed is
"N passed, N failed, N skipped".
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODE = os.environ.get("CV_MODE", "release")
CV = os.path.join(TOP, "build", MODE, "chronovisor")
GUEST = os.path.join(TOP, "build", "guest")
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
