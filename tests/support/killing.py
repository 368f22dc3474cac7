"""killing.py - kill -9 of a recording at some moment, and what its trace must still be worth."""
import json
import os
import re
import select
import subprocess
import time

from cvtest import check, expect, info, kill_all, run, start

GRACE_NS = 100_000_000  # of guest time, between two digests or two lines of the console


def last_stamp(text):
    """The kernel's clock in its last whole line that bears a stamp, in ns; it never runs ahead of the machine's."""
    stamps = re.findall(rb"\n\[ *(\d+)\.(\d{6})\] [^\n]*(?=\n)", text)
    return int(stamps[-1][0]) * 10**9 + int(stamps[-1][1]) * 1000 if stamps else 0


def record_and_kill(trace, machine, delay):
    """Records, kills all processes after delay seconds, and returns what the console had printed; None: it had ended."""
    if os.path.exists(trace):
        os.unlink(trace)
    p = start("record", *machine, "-o", trace, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + delay
    seen = b""
    ended = False
    while not ended and time.monotonic() < deadline:
        ready, _, _ = select.select([p.stdout], [], [], deadline - time.monotonic())
        if ready:
            data = os.read(p.stdout.fileno(), 65536)
            seen += data
            ended = data == b""
    kill_all(p)
    p.stdout.close()
    return None if ended else seen


def judge_killed(trace, seen):
    """The last icount of a killed trace, which must replay exactly as far as the guest was seen; None: not begun."""
    if not os.path.exists(trace):
        check(not seen, "the guest ran without a trace")
        return None
    rc, out, err = run("verify", trace, "--json", timeout=600)
    if rc == 65:
        check(not seen, "the guest had run, and the trace is refused: %s" % err)
        return None
    if rc == 0:  # sealed just before
        check(info(trace)["complete"], "not lossy, and yet not sealed")
        return info(trace)["end"]["icount"]
    check(rc == 4, "exit %d: %s" % (rc, err))
    check("was not closed; good to icount" in err, err)
    result = json.loads(out)
    d = info(trace, 4)
    check(result["result"] == "exact" and result["icount"] == d["end"]["icount"], "%s %s" % (result, d))
    if d["end"]["icount"] == 0:
        check(not seen, "the guest had run, and the trace vouches for nothing")
        return 0
    # what the guest was seen to do is in the trace but for the last moments
    check(d["end"]["vtime"] + GRACE_NS >= last_stamp(seen),
          "seen to %d ns, vouched for to %d ns" % (last_stamp(seen), d["end"]["vtime"]))
    check(d["digests"] >= d["end"]["icount"] >> 20, d)
    replayed, _ = expect(4, "replay", trace, "--console", timeout=600)
    check(replayed.startswith(seen) or seen.startswith(replayed), "replay printed something else")
    return d["end"]["icount"]
