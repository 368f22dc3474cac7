#!/usr/bin/env python3
"""extract_vmlinux.py BZIMAGE VMLINUX: the ELF inside a Debian bzImage (lz4 or xz payload), for PVH boots.

Spec: Linux Documentation/x86/boot.rst, "payload_offset", "payload_length".
"""
import lzma
import os
import struct
import subprocess
import sys


def main():
    data = open(sys.argv[1], "rb").read()
    setup = data[0x1F1] or 4
    offset, length = struct.unpack_from("<II", data, 0x248)
    start = (setup + 1) * 512 + offset
    payload = data[start:start + length]
    if payload[:4] == b"\x02\x21\x4c\x18":  # legacy lz4 frame; the last 4 bytes are the unpacked length
        out = subprocess.run(["lz4", "-d", "-q"], input=payload[:-4], stdout=subprocess.PIPE, check=True).stdout
    elif payload[:6] == b"\xfd7zXZ\0":
        out = lzma.LZMADecompressor().decompress(payload)
    else:
        sys.exit("extract_vmlinux: payload starts with %s" % payload[:6].hex())
    if out[:4] != b"\x7fELF":
        sys.exit("extract_vmlinux: no ELF inside")
    temp = sys.argv[2] + ".new"
    with open(temp, "wb") as f:
        f.write(out)
    os.rename(temp, sys.argv[2])


main()
