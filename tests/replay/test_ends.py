#!/usr/bin/env python3
"""How a run ends: signals, Ctrl-A x, a closed terminal, a triple fault, endless faults; what was recorded is whole and replays."""
import os
import pty
import signal
import sys
import termios
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import GUEST, Skip, case, check, expect, finish, info, kill_all, read_until, session_of, start, verify  # noqa: E402

MEMORY = ["--memory", "16M"]


def guest(name):
    return ["--kernel", os.path.join(GUEST, name), *MEMORY]


def is_whole(trace, reason):
    d = info(trace)
    check(d["complete"] and not d["lossy"] and d["end"]["reason"] == reason, d)
    for axis in ([], ["--interpreter"], ["--block-insns", "1"]):
        result = verify(trace, *axis)
        check(result["result"] == "exact" and result["icount"] == d["end"]["icount"], result)
    return d


def signalled_idle(directory, signo):
    """The guest is halted and waits for input."""
    trace = os.path.join(directory, "t.cvt")
    p = start("record", *guest("echo"), "--pace", "real", "-o", trace)
    read_until(p.stdout.fileno(), b"ready\n")
    p.stdin.write(b"abc")
    p.stdin.flush()
    read_until(p.stdout.fileno(), b"abc")
    time.sleep(0.5)  # the echo is seen before the UART's last events are over; only then is there nothing but input to wait for
    p.send_signal(signo)
    out, err = p.communicate(timeout=20)
    check(p.returncode == 0 and b"chronovisor: stopped (at step" in err, "%d %s" % (p.returncode, err))
    check(is_whole(trace, "halted for good")["events"] >= 1, "no input was logged")
    check(expect(0, "replay", trace, "--console")[0] == b"ready\nabc", "console")


def signalled_busy(directory, signo):
    """The guest runs in a circle of faults and never comes to rest."""
    trace = os.path.join(directory, "t.cvt")
    p = start("record", *guest("bad/loop"), "-o", trace)
    read_until(p.stdout.fileno(), b"loops\n")
    time.sleep(0.2)
    begin = time.monotonic()
    p.send_signal(signo)
    out, err = p.communicate(timeout=20)
    check(time.monotonic() - begin < 2, "took %.1f s" % (time.monotonic() - begin))
    check(p.returncode == 0 and b"chronovisor: stopped (at step" in err, "%d %s" % (p.returncode, err))
    d = info(trace)
    check(d["complete"] and d["end"]["reason"] == "unknown" and d["end"]["icount"] > 1 << 20, d)
    check(verify(trace)["icount"] == d["end"]["icount"], "verify")


def front_killed(directory):
    """The front dies: its engine seals the trace and ends, too."""
    trace = os.path.join(directory, "t.cvt")
    p = start("record", *guest("bad/loop"), "-o", trace)
    read_until(p.stdout.fileno(), b"loops\n")
    p.kill()
    p.wait()
    deadline = time.monotonic() + 10
    while session_of(p.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    left = session_of(p.pid)
    if left:
        kill_all(p)
    check(not left, "the engine outlived its front")
    check(info(trace)["complete"], "not sealed")
    verify(trace)


def engine_killed(directory):
    """The engine dies: the front says so, ends with 70, and the trace opens."""
    trace = os.path.join(directory, "t.cvt")
    p = start("record", *guest("echo"), "--pace", "real", "-o", trace)
    read_until(p.stdout.fileno(), b"ready\n")
    p.stdin.write(b"abc")
    p.stdin.flush()
    read_until(p.stdout.fileno(), b"abc")
    for pid in session_of(p.pid):
        if pid != p.pid:
            os.kill(pid, signal.SIGKILL)
    out, err = p.communicate(timeout=20)
    check(p.returncode == 70 and b"died by signal 9; what was recorded is kept" in err, "%d %s" % (p.returncode, err))
    d = info(trace, 4)
    check(d["events"] >= 1 and not d["complete"], d)
    check(verify(trace, code=4)["icount"] == d["end"]["icount"], "not to its last event")


def in_terminal(*args):
    """Starts the program with a pseudo terminal as its console; (process, master, settings before)."""
    try:
        master, slave = pty.openpty()
    except OSError as e:
        raise Skip("no pseudo-terminals here: is /dev/pts mounted? (%s)" % e)
    before = termios.tcgetattr(slave)
    p = start(*args, stdin=slave, stdout=slave)
    return p, master, slave, before


def keys(directory):
    """On a terminal: raw, live, Ctrl-A Ctrl-A sends one, Ctrl-C goes to the guest, Ctrl-A x ends; settings put back."""
    trace = os.path.join(directory, "t.cvt")
    p, master, slave, before = in_terminal("record", *guest("echo"), "-o", trace)
    text = read_until(master, b"ready")
    begin = time.monotonic()
    os.write(master, b"live")
    text += read_until(master, b"live")
    check(time.monotonic() - begin < 1, "an echo took %.2f s" % (time.monotonic() - begin))
    check(termios.tcgetattr(slave)[3] & (termios.ECHO | termios.ICANON | termios.ISIG) == 0, "not raw")
    os.write(master, b"\x01\x01\x03|")
    read_until(master, b"\x01\x03|")
    os.write(master, b"\x01x")
    check(p.wait(timeout=20) == 0, "exit %d" % p.returncode)
    check(b"stopped" in p.stderr.read(), "no note")
    check(termios.tcgetattr(slave) == before, "the terminal was not put back")
    is_whole(trace, "halted for good")
    out, _ = expect(0, "replay", trace, "--console")
    check(out == b"ready\nlive\x01\x03|", out)
    os.close(master)
    os.close(slave)


def hangup(directory):
    """The terminal goes away in mid-run: sealed."""
    trace = os.path.join(directory, "t.cvt")
    p, master, slave, _ = in_terminal("record", *guest("echo"), "-o", trace)
    os.close(slave)
    read_until(master, b"ready")
    os.close(master)
    try:
        time.sleep(0.1)
        p.send_signal(signal.SIGHUP)
        check(p.wait(timeout=20) == 0, "exit %d: %s" % (p.returncode, p.stderr.read()))
    finally:
        kill_all(p)
    check(info(trace)["complete"], "not sealed")
    verify(trace)


def reader_gone(directory):
    """Nobody reads stdout any more: as if stopped, sealed."""
    trace = os.path.join(directory, "t.cvt")
    p = start("record", *guest("echo"), "--pace", "real", "-o", trace)
    read_until(p.stdout.fileno(), b"ready\n")
    p.stdout.close()
    p.stdin.write(b"abc")
    p.stdin.flush()
    check(p.wait(timeout=20) == 0, "exit %d: %s" % (p.returncode, p.stderr.read()))
    kill_all(p)
    check(info(trace)["complete"], "not sealed")
    verify(trace)


def floods(directory):
    """More input and more output than any buffer holds, and a reader that comes late: all of it arrives."""
    trace = os.path.join(directory, "t.cvt")
    p = start("record", *guest("echo"), "--pace", "fast", "-o", trace)
    typed = b"0123456789abcdef" * 90000 + b"."
    feeder = threading.Thread(target=lambda: (p.stdin.write(typed), p.stdin.flush()))
    feeder.start()
    time.sleep(3)
    text = read_until(p.stdout.fileno(), b" ok\n", 60)
    feeder.join()
    check(p.wait(timeout=20) == 1, p.stderr.read())
    check(text.startswith(b"ready\n" + typed), "what was typed did not come back")
    kill_all(p)
    verify(trace)


def triple(directory, name):
    trace = os.path.join(directory, "t.cvt")
    out, err = expect(0, "record", *guest(name), "-o", trace)
    check(out == b"no way back\n" and "guest triple fault (at step" in err, err)
    d = is_whole(trace, "triple fault")
    check(d["crash"] == d["end"]["icount"], d)
    out, err = expect(0, "run", *guest(name), "--on", "reset=stop")
    check("guest reset" in err, err)
    # started anew each time, it comes to the same end, until --until
    out, err = expect(0, "record", *guest(name), "--on", "reset=restart", "--until", "100000", "-o",
                      os.path.join(directory, "again.cvt"))
    check(out.count(b"no way back\n") > 3 and "reached --until" in err, "%s %s" % (out, err))
    verify(os.path.join(directory, "again.cvt"))


def loop_until(directory):
    trace = os.path.join(directory, "t.cvt")
    _, err = expect(0, "record", *guest("bad/loop"), "--until", "3000000", "-o", trace)
    check("reached --until (at step 3000000" in err, err)
    check(is_whole(trace, "unknown")["end"]["icount"] == 3000000, "end")


for name in ("SIGTERM", "SIGINT", "SIGHUP"):
    case("ends: %s, guest idle" % name, signalled_idle, getattr(signal, name))
    case("ends: %s, guest busy" % name, signalled_busy, getattr(signal, name))
case("ends: front killed", front_killed)
case("ends: engine killed", engine_killed)
case("ends: Ctrl-A x on a terminal", keys)
case("ends: terminal gone", hangup)
case("ends: reader gone", reader_gone)
case("ends: floods both ways", floods)
case("ends: triple fault", triple, "bad/triple")
case("ends: triple fault after a double one", triple, "bad/double")
case("ends: endless faults, --until", loop_until)
finish()
