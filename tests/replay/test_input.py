#!/usr/bin/env python3
"""Bad input: each wrong word, file or machine gets its exit code and one line, and nothing dies or hangs."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from cvtest import CV, GUEST, case, check, expect, finish, run  # noqa: E402

HELLO = os.path.join(GUEST, "hello")


def refused(directory, code, pattern, *args):
    start = time.monotonic()
    out, err = expect(code, *args, timeout=20)
    lines = [l for l in err.splitlines() if l]
    check(len(lines) == 1, "not one line: %r" % err)
    check(re.match(r"chronovisor: error: .*\[CV-E\d\d\d\]$", lines[0]), "form: %r" % err)
    check(re.search(pattern, lines[0]), "text: %r lacks %r" % (err, pattern))
    check(len(lines[0]) <= 320, "too long")
    check(time.monotonic() - start < 5, "slow")


def write(directory, name, data):
    path = os.path.join(directory, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def words(directory):
    refused(directory, 64, "no such command", "frobnicate")
    refused(directory, 64, "--kernel", "run")
    refused(directory, 64, "unknown option", "run", "--bogus")
    refused(directory, 64, "needs", "run", "--kernel")
    refused(directory, 64, "-o", "record", "--kernel", HELLO)
    refused(directory, 64, "1 CPU", "run", "--kernel", HELLO, "--cpus", "2")
    refused(directory, 64, "--cpus", "run", "--kernel", HELLO, "--cpus", "0")
    refused(directory, 64, "--memory", "run", "--kernel", HELLO, "--memory", "17G")
    refused(directory, 64, "--memory", "run", "--kernel", HELLO, "--memory", "lots")
    refused(directory, 64, "--pace", "run", "--kernel", HELLO, "--pace", "slow")
    refused(directory, 64, "--on", "run", "--kernel", HELLO, "--on", "reset=explode")
    refused(directory, 64, "--rtc", "run", "--kernel", HELLO, "--rtc", "yesterday")
    refused(directory, 64, "TRACE", "replay")
    refused(directory, 64, "either", "gdbserver", HELLO)
    refused(directory, 64, "127.0.0.1", "gdbserver", HELLO, "--tcp", "0.0.0.0:1234")


def kernels(directory):
    missing = os.path.join(directory, "none")
    refused(directory, 66, "cannot be opened", "run", "--kernel", missing)
    refused(directory, 66, "not a regular file", "run", "--kernel", directory)
    refused(directory, 66, "not a regular file", "run", "--kernel", "/dev/zero")
    refused(directory, 65, "empty", "run", "--kernel", write(directory, "e", b""))
    refused(directory, 65, "", "run", "--kernel", write(directory, "t", b"#!/bin/sh\necho no\n" * 99))
    refused(directory, 65, "", "run", "--kernel", write(directory, "z", b"\x1f\x8b\x08\x00" + b"x" * 9999))
    arm = bytearray(open("/bin/sh", "rb").read(4096))
    arm[18:20] = b"\xb7\x00"
    refused(directory, 65, "AArch64", "run", "--kernel", write(directory, "arm", bytes(arm)))
    hello = open(HELLO, "rb").read()
    refused(directory, 65, "", "run", "--kernel", write(directory, "cut", hello[:5000]))
    refused(directory, 65, "", "run", "--memory", "1M", "--kernel", HELLO)
    evil = write(directory, "a\x1b[31mb", b"junk")
    out, err = expect(65, "run", "--kernel", evil)
    check("\x1b" not in err, "raw escape in %r" % err)


def traces(directory):
    missing = os.path.join(directory, "none")
    for command in ("replay", "verify", "info", "debug"):
        refused(directory, 66, "cannot be opened", command, missing)
        refused(directory, 65, "empty|not a Chronovisor trace", command, write(directory, "e", b""))
        refused(directory, 65, "not a Chronovisor trace", command, "/bin/sh")
        refused(directory, 65, "not a Chronovisor trace", command, write(directory, "t", b"text\n" * 4000))
    trace = os.path.join(directory, "t.cvt")
    expect(1, "record", "--kernel", HELLO, "--memory", "16M", "-o", trace)
    refused(directory, 73, "exists already", "record", "--kernel", HELLO, "-o", trace)
    refused(directory, 73, "cannot be created", "record", "--kernel", HELLO, "-o",
            os.path.join(directory, "no", "where.cvt"))
    refused(directory, 64, "", "replay", trace, "--to", "rubbish")
    refused(directory, 66, "", "replay", trace, "--to", "crash")
    refused(directory, 66, "", "replay", trace, "--to", "mark:nowhere")
    expect(0, "verify", trace)
    check(stat_mode(trace) == 0o600, "a trace holds secrets: mode %o" % stat_mode(trace))
    # one superblock garbled: the other serves; both: refused
    data = open(trace, "rb").read()
    for slot in (0, 4096):
        expect(0, "verify", write(directory, "one", data[:slot] + b"\xff" * 4096 + data[slot + 4096:]))
    refused(directory, 65, "both superblocks are damaged", "info",
            write(directory, "both", data[:8] + b"\xff" * 8184 + data[8192:]))


def hash64(data):
    """XXH3-64 from the library that the program itself is linked with."""
    import ctypes
    function = ctypes.CDLL("libxxhash.so.0").XXH3_64bits
    function.restype = ctypes.c_uint64
    return function(bytes(data), ctypes.c_size_t(len(data)))


def forge(data, slots, **fields):
    """A trace whose superblocks `slots` say something else, with right hashes (docs/trace-format.md "Superblocks")."""
    places = {"version": (8, 4), "epoch": (12, 4), "incompat": (16, 8), "ro_compat": (24, 8), "compat": (32, 8),
              "generation": (56, 8), "base_offset": (64, 8)}
    data = bytearray(data)
    for slot in slots:
        block = data[slot * 4096:(slot + 1) * 4096]
        check(hash64(block[:4088]) == int.from_bytes(block[4088:], "little"), "the layout is not as documented")
        for name, value in fields.items():
            at, size = places[name]
            block[at:at + size] = value.to_bytes(size, "little")
        block[4088:] = hash64(block[:4088]).to_bytes(8, "little")
        data[slot * 4096:(slot + 1) * 4096] = block
    return bytes(data)


def versions(directory):
    """Formats, features and machines of other builds are refused by name, and with right checksums."""
    trace = os.path.join(directory, "t.cvt")
    expect(1, "record", "--kernel", HELLO, "--memory", "16M", "-o", trace)
    data = open(trace, "rb").read()
    both = (0, 1)

    def forged(*args, **fields):
        return write(directory, "forged.cvt", forge(data, *args, **fields))

    for command in ("info", "verify", "replay", "debug"):
        refused(directory, 65, r"forged.cvt: trace format 2; this build reads 1;", command, forged(both, version=2))
    refused(directory, 65, r"trace format 4294967295; this build reads 1;", "info", forged(both, version=2**32 - 1))
    refused(directory, 65, r"trace format 0; this build reads 1;", "info", forged(both, version=0))
    refused(directory, 65, r"machine model 7; this build replays 2;", "verify", forged(both, epoch=7))
    refused(directory, 65, r"features this build lacks \(bits 8000000000000001\)", "verify",
            forged(both, incompat=1 << 63 | 1))
    refused(directory, 65, r"byte 99999999 of", "verify", forged(both, base_offset=99999999))
    refused(directory, 65, r"byte 0 of", "verify", forged(both, base_offset=0))
    refused(directory, 65, r"byte \d+ of", "verify", forged(both, base_offset=2**64 - 1))
    refused(directory, 65, "nothing can be replayed|damaged", "verify", forged(both, base_offset=8193))
    # the newer superblock counts
    refused(directory, 65, r"trace format 2", "verify", forged((1,), version=2, generation=9))
    expect(0, "verify", forged((1,), version=2, generation=0))
    # unknown bits that do not matter
    expect(0, "verify", forged(both, compat=1 << 63))
    expect(0, "verify", forged(both, ro_compat=1 << 63))


def stat_mode(path):
    return os.stat(path).st_mode & 0o777


def two_programs(directory):
    trace = os.path.join(directory, "t.cvt")
    p = subprocess.Popen([CV, "record", "--kernel", os.path.join(GUEST, "echo"), "--memory", "16M",
                          "--pace", "real", "-o", trace], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check(b"ready" in p.stdout.readline(), "the guest did not start")
    refused(directory, 75, "another program", "verify", trace)
    refused(directory, 75, "another program", "record", "--kernel", HELLO, "-o", trace)
    out, err = p.communicate(b"bye.", timeout=20)
    check(p.returncode == 1, "%d %s" % (p.returncode, err))
    expect(0, "verify", trace)


def no_output_left(directory):
    """A refused recording leaves no empty trace behind."""
    trace = os.path.join(directory, "t.cvt")
    refused(directory, 65, "", "record", "--kernel", write(directory, "j", b"junk" * 99), "-o", trace)
    check(not os.path.exists(trace), "an empty trace was left")


def stops(directory):
    trace = os.path.join(directory, "t.cvt")
    expect(0, "record", "--kernel", HELLO, "--memory", "16M", "--until", "500000", "-o", trace)
    out, _ = expect(0, "verify", trace, "--json")
    check(b'"icount":500000' in out, out)


def helps(directory):
    for command in ("run", "record", "replay", "verify", "info", "debug", "gdbserver"):
        out, _ = expect(0, command, "--help")
        check(b"usage: chronovisor " + command.encode() in out, command)
    expect(0, "--help")
    expect(0, "--version")


case("input: words", words)
case("input: kernels", kernels)
case("input: traces", traces)
case("input: versions and features", versions)
case("input: two programs on one trace", two_programs)
case("input: refused recording leaves nothing", no_output_left)
case("input: --until", stops)
case("input: --help", helps)
finish()
