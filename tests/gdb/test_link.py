#!/usr/bin/env python3
"""What a link may bring: packets in great number, generated and mutated; clients that come and go ten thousand times,
speak HTTP, send half a packet, an endless one, or never read. The server answers or hangs up, grows by nothing and goes on.

CV_LINK_SCALE=10 does ten times as much. Run one alone: tests/gdb/test_link.py endless
"""
import os
import random
import re
import select
import shutil
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from dialogue import Place, Server, check, recorded, wait_for  # noqa: E402
from cvtest import MODE, case, finish  # noqa: E402
from rsp import Rsp  # noqa: E402

HERE = tempfile.mkdtemp(prefix="cvtest-link-")
SCALE = int(os.environ.get("CV_LINK_SCALE", "1"))
PACKETS, CONNECTS = 100000 * SCALE, 10000 * SCALE
GROWTH_KIB = (1024 if MODE == "asan" else 24) << 10  # freed memory is kept in quarantine there


def trace():
    return recorded(HERE, "calls")


def load(server):
    """(KiB in use, descriptors) of front and engine together."""
    kib, fds = 0, 0
    for pid in [server.p.pid, *server.engines]:
        text = open("/proc/%d/status" % pid).read()
        kib += int(re.search(r"VmRSS:\s+(\d+)", text).group(1))
        fds += len(os.listdir("/proc/%d/fd" % pid))
    return kib, fds


def check_growth(server, before, what):
    wait_for("the last clients to be let go", lambda: load(server)[1] <= before[1])
    kib, fds = load(server)
    check(kib - before[0] < GROWTH_KIB, "%s: from %d to %d KiB" % (what, before[0], kib))
    return "%+d KiB" % (kib - before[0])


def frame(payload):
    out = bytearray(b"$")
    for c in payload:
        if c in b"$#}*":
            out += bytes([0x7d, c ^ 0x20])
        else:
            out.append(c)
    return bytes(out) + b"#%02x" % (sum(out[1:]) & 255)


FORMS = ["?", "g", "G00", "p%x", "P%x=00", "m%x,%x", "x%x,%x", "M%x,1:00", "X%x,1:a", "Hgp1.%x", "Hc%x", "Tp1.%x", "bs", "bc",
         "c", "s", "S05", "C05", "vCont?", "vCont;c", "vCont;s:p1.1;c:p1.-1", "vCont;r%x,%x:1", "Z0,%x,1", "z0,%x,1", "Z1,%x,1",
         "z1,%x,1", "Z2,%x,%x", "z2,%x,%x", "Z3,%x,%x", "Z4,%x,%x", "z4,%x,%x", "Z0,%x,1;X3,220027", "Z0,%x,1;X4,26000527",
         "Z0,%x,1;cmds:0,Xa,22002200340000010027", "Z0,%x,1;X2,2227X1,27;cmds:1,X1,27", "qSupported:swbreak+;hwbreak+",
         "qC", "qfThreadInfo", "qsThreadInfo", "qAttached", "qOffsets", "qSymbol::", "qCRC:%x,%x", "qSearch:memory:%x;%x;ab",
         "qXfer:features:read:target.xml:%x,%x", "qXfer:threads:read::%x,%x", "qXfer:memory-map:read::%x,%x",
         "qXfer:exec-file:read:1:%x,%x", "QThreadEvents:1", "vMustReplyEmpty", "vFile:setfs:0", "vFile:open:6b65726e656c,0,0",
         "vFile:pread:0,%x,%x", "vFile:fstat:0", "vFile:close:%x", "vFile:readlink:%x", "qThreadExtraInfo,p1.%x", "!", "R00",
         "QNonStop:1", "qTStatus", "i", "vAttach;1", "vRun;", "jThreadsInfo", "qRcmd,%s"]
VERBS = ["when", "seek %d", "back", "forward", "checkpoint", "restart %d", "next io", "prev io", "next exc %d", "last-write %d 8",
         "last-write %d 8 goto", "last-read %d", "watch phys %d 4", "watch %d 4 if rax == %d", "awatch %d 8", "watches", "unwatch %d",
         "disas", "disas %d 5", "replay_break %d", "replay_delete_break", "follow", "mark m%d", "marks",
         "seek mark:m%d", "phys on", "phys off", "info replay", "digest", "kaslr", "arch", "help", "%d"]
PLACES = [0, 1, 0x1000, 0x100000, 0x103000, 0x104000, 0x7fffffffffff, 0xffffffffffffffff, 0x10000000000000000]


def number(rng):
    kind = rng.random()
    if kind < 0.5:
        return rng.choice(PLACES) + rng.randrange(64)
    return rng.randrange(1 << rng.choice((4, 8, 12, 16, 20, 64)))


def payload(rng):
    form = rng.choice(FORMS)
    if "%s" in form:
        verb = rng.choice(VERBS)
        form %= (verb % tuple(number(rng) % (1 << 22) for _ in range(verb.count("%d")))).encode().hex()
    else:
        form %= tuple(number(rng) for _ in range(form.count("%x")))
    data = bytearray(form.encode())
    while data and rng.random() < 0.3:
        at = rng.randrange(len(data))
        change = rng.random()
        if change < 0.4:
            data[at] = rng.randrange(256)
        elif change < 0.7:
            del data[at]
        else:
            data[at:at] = rng.choice((b",", b";", b":", b"f" * rng.randrange(20), b"X1,27", b"-1", b"p1.1"))
    if data[:1] in (b"D", b"k") or data[:5] == b"vKill":
        return b"?"
    return bytes(data)


def generated_packets(directory):
    """A hundred thousand packets from a grammar, many of them damaged; each gets one answer, and then all is in order."""
    seed = int(os.environ.get("CV_LINK_SEED", time.time()))
    rng = random.Random(seed)
    print("        seed %d (CV_LINK_SEED)" % seed)
    with Server(directory, trace(), "--at", 5000, "--checkpoint-memory", "16M") as server:
        rsp = server.connect()
        place = Place(rsp)
        digest = place.digest()
        before = None
        start = time.monotonic()
        answers = sent = 0
        while sent < PACKETS:
            batch = [payload(rng) for _ in range(50)]
            rsp.s.sendall(b"".join(map(frame, batch)))
            sent += len(batch)
            got = 0
            while got < len(batch):
                reply = rsp.packet_bytes()
                if not re.match(rb"O([0-9a-f]{2})+$", reply):
                    got += 1
            answers += got
            if before is None and sent >= PACKETS // 4:
                before = load(server)
        check(answers == sent, "%d packets, %d answers" % (sent, answers))
        grown = check_growth(server, before, "three quarters of the packets")
        took = time.monotonic() - start
        rsp.monitor("phys off")
        rsp.s.close()
        place = Place(server.connect())
        place.seek(digest[0])
        check(place.digest() == digest, "the packets left a mark on the machine")
        check("replaylog:end" in place.move("vCont;c"), "points of the last client are left")
        print("        %d packets in %.1f s, %s" % (sent, took, grown))


def wild_streams(directory):
    """Bytes without any order: cut packets, packets in packets, wrong sums; then a good client is served."""
    rng = random.Random(7)
    with Server(directory, trace(), "--at", 5000, "--checkpoint-memory", "16M") as server:
        for round_ in range(60):
            s = socket.socket(socket.AF_UNIX)
            s.connect(server.path)
            s.setblocking(False)
            data = b"+"
            while len(data) < 20000:
                piece = frame(payload(rng))
                cut = rng.randrange(len(piece) + 1)
                data += rng.choice((piece, piece[:cut], piece[:cut] + bytes(rng.randrange(256) for _ in range(9)),
                                    piece[:-1] + b"z", b"\x03", b"-", b"+"))
            end = time.monotonic() + 1
            while data and time.monotonic() < end:
                r, w, _ = select.select([s], [s], [], 0.1)
                try:
                    if r and not s.recv(1 << 16):
                        break
                    if w:
                        data = data[s.send(data[:4096]):]
                except OSError:
                    break
            s.close()
        check(Place(server.connect()).step().startswith("T05"), "nobody is served any more")


def connects(directory):
    """Ten thousand clients, one after the other: silent ones, ones that greet, that send half a packet, that set points
    and go in the middle of a move."""
    manners = [b"", b"+", b"$qSuppo", b"+$qSupported:swbreak+#00", b"$g#67", b"$Z0,104000,1#00", b"$vCont;c#00", b"$bc#c5",
               b"\x03", b"GET / HTTP/1.0\r\n\r\n", frame(b"QStartNoAckMode") + frame(b"Z2,104000,4") + frame(b"vCont;c"), frame(b"D;1")]
    with Server(directory, trace(), "--at", 5000, "--checkpoint-memory", "16M") as server:
        before = None
        start = time.monotonic()
        for i in range(CONNECTS):
            s = socket.socket(socket.AF_UNIX)
            s.connect(server.path)
            try:
                s.sendall(manners[i % len(manners)])
                if i % 7 == 0:
                    s.settimeout(0.001)
                    s.recv(1000)
            except OSError:
                pass
            s.close()
            if i == CONNECTS // 10:
                Place(server.connect()).rsp.s.close()
                before = load(server)
        place = Place(server.connect())
        check("T05" in place.step(), "nobody is served any more")
        place.rsp.s.close()
        print("        %d connects in %.1f s, %s" % (CONNECTS, time.monotonic() - start,
                                                     check_growth(server, before, "nine tenths of the clients")))


def hung_up(s):
    """Nothing comes but the end."""
    s.settimeout(5)
    try:
        return s.recv(4096) == b""
    except ConnectionResetError:
        return True


def http(directory):
    """What a browser can be made to send to a port: no byte is answered, no packet in a body is obeyed."""
    with Server(directory, trace(), "--at", 5000, tcp=True) as server:
        port = int(server.line.rsplit(":", 1)[1])
        bodies = (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 30\r\n\r\n$vCont;c#a8$k#6b",
                  b"OPTIONS * HTTP/1.1\r\n\r\n", b"PUT /$k#6b HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"\r\n$k#6b",
                  b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00$k#6b", b" $k#6b", b"SSH-2.0-x\r\n")
        for body in bodies:
            s = socket.create_connection(("127.0.0.1", port))
            s.sendall(body)
            check(hung_up(s), "answered to %r" % body[:20])
            s.close()
        rsp = Rsp(("127.0.0.1", port))
        check(rsp.icount() == 5000, "an HTTP body was obeyed")


def half_packets(directory):
    """A packet that comes byte by byte, one that never ends within a second, and one cut by the end of the link."""
    with Server(directory, trace(), "--at", 5000) as server:
        rsp = server.connect()
        for c in frame(b"qC"):
            rsp.s.sendall(bytes([c]))
            time.sleep(0.01)
        check(rsp.packet() == "QC1", "byte by byte")
        rsp.s.sendall(b"$qRcmd,7365656b2031")
        time.sleep(1)
        rsp.s.sendall(b"$")  # given up; another one
        rsp.s.sendall(frame(b"qC")[1:])
        check(rsp.packet() == "QC1", "a packet after half of one")
        rsp.s.sendall(b"$qRcmd,7365656b2031")
        rsp.s.close()
        check(Place(server.connect()).icount() == 5000, "half a packet was obeyed")


def endless_packets(directory):
    """Sixty megabytes without an end to the packet, and as many of noise: bounded memory, and the link goes on."""
    with Server(directory, trace(), "--at", 5000) as server:
        rsp = server.connect()
        rsp.call("qC")
        before = load(server)
        for start, piece in ((b"$", b"m" * (1 << 20)), (b"", b"\x00noise\xff" * (1 << 17)), (b"", b"+-" * (1 << 19))):
            rsp.s.sendall(start)
            for _ in range(20):
                rsp.s.sendall(piece)
            if start:
                rsp.s.sendall(b"#00")
                check("longer" in rsp.packet(), "an oversized packet")
            check(rsp.call("qC") == "QC1", "the link is dead")
        print("        " + check_growth(server, before, "the flood"))


def never_reads(directory):
    """A client that asks and never reads holds nobody up once it is gone, and another one is told that it is taken."""
    with Server(directory, trace(), "--at", 5000) as server:
        s = socket.socket(socket.AF_UNIX)
        s.connect(server.path)
        s.settimeout(0.5)
        s.sendall(frame(b"QStartNoAckMode"))
        try:
            while True:
                s.sendall(frame(b"g") * 100)
        except TimeoutError:
            pass
        second = socket.socket(socket.AF_UNIX)
        second.connect(server.path)
        second.settimeout(10)
        second.sendall(b"+" + frame(b"qSupported"))
        check(b"another gdb is connected" in second.recv(4096), "the second one is not told")
        second.close()
        s.close()
        check(Place(server.connect()).icount() == 5000, "the third one is not served")


try:
    case("link: 100,000 generated packets", generated_packets)
    case("link: wild streams", wild_streams)
    case("link: 10,000 connects", connects)
    case("link: HTTP and the like", http)
    case("link: half packets", half_packets)
    case("link: endless packets", endless_packets)
    case("link: a client that never reads", never_reads)
finally:
    shutil.rmtree(HERE, ignore_errors=True)
finish()
