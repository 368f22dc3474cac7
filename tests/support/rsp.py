"""rsp.py - a bare client of the gdb remote protocol, for tests that need thousands of packets."""
import re
import socket


class Rsp:
    def __init__(self, path, patience=120, ours=True):
        """path: of a UNIX socket, or (address, port); patience: seconds for an answer, then TimeoutError"""
        self.s = socket.socket(socket.AF_UNIX if isinstance(path, str) else socket.AF_INET)
        self.s.connect(path)  # waits for its turn
        self.s.settimeout(patience)
        self.buffer = b""
        self.output = ""
        answer = self.call("QStartNoAckMode", ack=True)
        assert answer == "OK" or not ours

    def send(self, text):
        data = text.encode()
        self.s.sendall(b"$" + data + b"#%02x" % (sum(data) & 255))

    def packet(self):
        return self.packet_bytes().decode()

    def packet_bytes(self):
        while True:
            m = re.search(rb"\$([^#]*)#[0-9a-f]{2}", self.buffer)
            if m:
                self.buffer = self.buffer[m.end():]
                return m.group(1)
            data = self.s.recv(65536)
            if not data:
                raise EOFError("the server closed the link")
            self.buffer += data

    def call(self, text, ack=False):
        """Sends a packet, returns the reply; console output goes to self.output."""
        self.send(text)
        while True:
            reply = self.packet()
            if ack:
                self.s.sendall(b"+")
            if re.match(r"^O([0-9a-f]{2})+$", reply):
                self.output += bytes.fromhex(reply[1:]).decode(errors="replace")
                continue
            return reply

    def monitor(self, text):
        self.output = ""
        reply = self.call("qRcmd," + text.encode().hex())
        if reply not in ("OK", "") and not reply.startswith("E"):
            self.output += bytes.fromhex(reply).decode(errors="replace")
        return self.output

    def rip(self):
        return int.from_bytes(bytes.fromhex(self.call("p10")), "little")

    def icount(self):
        m = re.search(r"\d+", self.monitor("when"))
        return int(m.group(0))
