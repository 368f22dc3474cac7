#!/usr/bin/env python3
"""selftest.py [--check]: makes core/translate/tables_selftest.c.

The instructions below are assembled to rows; then the self-test itself
(core/translate/selftest_vector.c) is compiled and run here, and its hashes become the values that every host
must reproduce. --check only says whether this host agrees with the file as it stands, class by
class. To be run again when a row or the operand lists change; a hash that changes for any other reason
is a host that computes something else."""
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
OUT = os.path.join(TOP, "core/translate/tables_selftest.c")
MEM = "[rsi+640]"
rows = []  # (class, kind, text)


def add(cls, kind, *lines):
    rows.extend((cls, kind, line) for line in lines)


def floats():
    for op in "add sub mul div min max".split():
        for suffix, kind in (("ps", "PS"), ("pd", "PD")):
            modes = "" if op in ("min", "max") else "|MODES"
            add("FLOAT", kind + modes, f"{op}{suffix} xmm0,xmm1", f"v{op}{suffix} ymm0,ymm2,ymm1")
        for suffix, kind in (("ss", "PS"), ("sd", "PD")):
            add("FLOAT", kind + "|SCALAR" + ("" if op in ("min", "max") else "|MODES"),
                f"{op}{suffix} xmm0,xmm1", f"v{op}{suffix} xmm0,xmm2,xmm1")
    for suffix, kind in (("ps", "PS"), ("pd", "PD"), ("ss", "PS|SCALAR"), ("sd", "PD|SCALAR")):
        add("FLOAT", kind + "|MODES", f"sqrt{suffix} xmm0,xmm1")
        for imm in (0, 1, 2, 3, 4, 7):
            add("FLOAT", kind, f"cmp{suffix} xmm0,xmm1,{imm}")
    for imm in (8, 13, 19, 30):
        add("FLOAT", "PS", f"vcmpps ymm0,ymm2,ymm1,{imm}")
        add("FLOAT", "PD", f"vcmppd ymm0,ymm2,ymm1,{imm}")
    for suffix, kind in (("ps", "PS"), ("pd", "PD")):
        add("FLOAT", kind, f"vsqrt{suffix} ymm0,ymm1", f"addsub{suffix} xmm0,xmm1", f"hadd{suffix} xmm0,xmm1",
            f"hsub{suffix} xmm0,xmm1", f"vhadd{suffix} ymm0,ymm2,ymm1")
        add("FLOAT", kind + "_NO_NAN", f"dp{suffix} xmm0,xmm1,0xff", f"dp{suffix} xmm0,xmm1,0x31")
    for op in ("ucomis", "comis"):
        add("FLOAT", "PS|SCALAR|FLAGS", f"{op}s xmm0,xmm1")
        add("FLOAT", "PD|SCALAR|FLAGS", f"{op}d xmm0,xmm1")


def conversions():
    add("CONVERT", "PS|MODES", "cvtps2dq xmm0,xmm1", "vcvtps2dq ymm0,ymm1", "cvttps2dq xmm0,xmm1", "cvtps2pd xmm0,xmm1",
        "vcvtps2pd ymm0,xmm1")
    add("CONVERT", "PD|MODES", "cvtpd2dq xmm0,xmm1", "cvttpd2dq xmm0,xmm1", "cvtpd2ps xmm0,xmm1", "vcvtpd2ps xmm0,ymm1",
        "vcvtpd2dq xmm0,ymm1", "vcvttpd2dq xmm0,ymm1")
    add("CONVERT", "BITS|MODES", "cvtdq2ps xmm0,xmm1", "cvtdq2pd xmm0,xmm1", "vcvtdq2ps ymm0,ymm1",
        "cvtsi2ss xmm0,ecx", "cvtsi2ss xmm0,rcx", "cvtsi2sd xmm0,ecx", "cvtsi2sd xmm0,rcx", "vcvtsi2sd xmm0,xmm1,rcx")
    for op in ("cvtss2si", "cvttss2si"):
        add("CONVERT", "PS|SCALAR|MODES", f"{op} ecx,xmm0", f"{op} rcx,xmm0")
    for op in ("cvtsd2si", "cvttsd2si"):
        add("CONVERT", "PD|SCALAR|MODES", f"{op} ecx,xmm0", f"{op} rcx,xmm0")
    add("CONVERT", "PS|SCALAR|MODES", "cvtss2sd xmm0,xmm1")
    add("CONVERT", "PD|SCALAR|MODES", "cvtsd2ss xmm0,xmm1")
    for imm in (0, 1, 2, 3, 4, 8, 12):
        add("ROUND", "PS|MODES", f"roundps xmm0,xmm1,{imm}")
        add("ROUND", "PD|MODES", f"roundpd xmm0,xmm1,{imm}")
        add("ROUND", "PS|SCALAR", f"roundss xmm0,xmm1,{imm}")
        add("ROUND", "PD|SCALAR", f"roundsd xmm0,xmm1,{imm}")
    add("F16C", "BITS", "vcvtph2ps xmm0,xmm1", "vcvtph2ps ymm0,xmm1")
    for imm in (0, 1, 2, 3, 4):
        add("F16C", "PS|MODES", f"vcvtps2ph xmm0,xmm1,{imm}", f"vcvtps2ph xmm0,ymm1,{imm}")


def fused():
    for op in ("fmadd", "fmsub", "fnmadd", "fnmsub"):
        for order in ("132", "213", "231"):
            add("FMA", "PS|MODES", f"v{op}{order}ps xmm0,xmm1,xmm2")
            add("FMA", "PD|MODES", f"v{op}{order}pd ymm0,ymm1,ymm2")
            add("FMA", "PS|SCALAR|MODES", f"v{op}{order}ss xmm0,xmm1,xmm2")
            add("FMA", "PD|SCALAR|MODES", f"v{op}{order}sd xmm0,xmm1,xmm2")
    for op in ("fmaddsub", "fmsubadd"):
        add("FMA", "PS", f"v{op}213ps ymm0,ymm1,ymm2")
        add("FMA", "PD", f"v{op}231pd ymm0,ymm1,ymm2")


def integers():
    two = """paddb paddw paddd paddq psubb psubw psubd psubq paddsb paddsw paddusb paddusw psubsb psubsw psubusb psubusw
        pmullw pmulhw pmulhuw pmuludq pmaddwd psadbw pavgb pavgw pminub pmaxub pminsw pmaxsw pcmpeqb pcmpeqw
        pcmpeqd pcmpgtb pcmpgtw pcmpgtd pand pandn por pxor packsswb packssdw packuswb punpcklbw punpckhwd
        punpckhdq punpcklqdq psllw pslld psllq psrlw psrld psrlq psraw psrad pshufb phaddw phaddd phaddsw phsubw
        phsubsw pmaddubsw pmulhrsw psignb psignw psignd pabsb pabsw pabsd pmuldq pcmpeqq packusdw pcmpgtq pminsb
        pmaxsb pminuw pmaxuw pminsd pmaxsd pminud pmaxud pmulld phminposuw pmovsxbw pmovzxwd pmovsxdq pmovzxbq""".split()
    for op in two:
        add("VECINT", "BITS", f"{op} xmm0,xmm1")
    for op in """paddb psubusw pmaddubsw pmulhrsw psadbw pshufb phaddsw pmulld pcmpgtq pminsd packusdw punpckhqdq psignw
            pmuldq pmuludq vpermd""".split():
        add("VECINT", "BITS", f"v{op.lstrip('v')} ymm0,ymm2,ymm1")
    for op in "vpsllvd vpsllvq vpsrlvd vpsrlvq vpsravd vpsllw vpsrad".split():
        add("VECINT", "BITS", f"{op} ymm0,ymm2,{'xmm1' if op in ('vpsllw', 'vpsrad') else 'ymm1'}")
    add("VECINT", "BITS", "psllw xmm0,9", "psrad xmm0,31", "pslldq xmm0,5", "psrldq xmm0,11", "vpslldq ymm0,ymm1,3",
        "pshufd xmm0,xmm1,0x1b", "pshuflw xmm0,xmm1,0x6c", "pshufhw xmm0,xmm1,0xb1", "palignr xmm0,xmm1,5",
        "vpalignr ymm0,ymm2,ymm1,21", "mpsadbw xmm0,xmm1,5", "vmpsadbw ymm0,ymm2,ymm1,0x2e", "pblendw xmm0,xmm1,0xa5",
        "pblendvb xmm1,xmm2,xmm0", "vpblendvb ymm0,ymm1,ymm2,ymm1", "vpermq ymm0,ymm1,0x93", "vpermps ymm0,ymm2,ymm1",
        "vperm2i128 ymm0,ymm2,ymm1,0x83", "vpermilps ymm0,ymm1,ymm2", "vpermilpd ymm0,ymm1,ymm2", "vpbroadcastw ymm0,xmm1",
        "vinserti128 ymm0,ymm2,xmm1,1", "vextracti128 xmm0,ymm1,1", "vpmovsxbw ymm0,xmm1", "vpmovzxdq ymm0,xmm1",
        "vpblendd ymm0,ymm2,ymm1,0x5a", "shufps xmm0,xmm1,0x4e", "unpckhps xmm0,xmm1", "insertps xmm0,xmm1,0xb6",
        "movddup xmm0,xmm1", "movshdup xmm0,xmm1", "movsldup xmm0,xmm1", "movhlps xmm0,xmm1", "movss xmm0,xmm1",
        "vmovss xmm0,xmm2,xmm1", "movq xmm0,xmm1", "movd xmm0,ecx", "pinsrb xmm0,ecx,13", "pinsrw xmm0,ecx,5",
        "pinsrq xmm0,rcx,1", "pextrb ecx,xmm0,7", "pextrw ecx,xmm0,6", "pextrq rcx,xmm0,1", "extractps ecx,xmm0,3",
        "pmovmskb ecx,xmm0", "movmskps ecx,xmm0", "movmskpd ecx,xmm0", "vpmovmskb ecx,ymm0", "vmovmskps ecx,ymm0",
        "blendps xmm0,xmm1,6", "vandnps ymm0,ymm2,ymm1", f"vbroadcasti128 ymm0,{MEM}", f"movhps xmm0,{MEM}",
        f"lddqu xmm0,{MEM}", f"movdqu {MEM},xmm0")
    add("VECINT", "BITS|FLAGS", "ptest xmm0,xmm1", "vptest ymm0,ymm1", "vtestps xmm0,xmm1", "vtestpd ymm0,ymm1")
    for imm in (0x00, 0x04, 0x08, 0x0c, 0x1a, 0x45, 0x79):
        add("STRING", "BITS|FLAGS", *(f"pcmp{e}str{r} xmm0,xmm1,{imm}" for e in "ie" for r in "im"))
    add("AES", "BITS", "aesenc xmm0,xmm1", "aesenclast xmm0,xmm1", "aesdec xmm0,xmm1", "aesdeclast xmm0,xmm1",
        "aesimc xmm0,xmm1", "aeskeygenassist xmm0,xmm1,0x1b", "vaesenc xmm0,xmm2,xmm1")
    add("PCLMUL", "BITS", *(f"pclmulqdq xmm0,xmm1,{imm}" for imm in (0, 1, 0x10, 0x11)), "vpclmulqdq xmm0,xmm2,xmm1,1")
    for op in """paddb paddsw psubusb pmullw pmulhuw pmulhw pmaddwd psadbw pavgb pminub pmaxsw pcmpgtb packsswb packuswb
            punpckhbw psllq psraw pshufb pmulhrsw psignd pabsb phaddsw pmuludq paddq pmaddubsw""".split():
        add("MMX", "BITS", f"{op} mm0,mm1")
    add("MMX", "BITS", "pshufw mm0,mm1,0x1b", "palignr mm0,mm1,3", "pinsrw mm0,ecx,2", "pextrw ecx,mm0,1",
        "pmovmskb ecx,mm0", "movq2dq xmm0,mm1", "movdq2q mm0,xmm1", "emms")
    add("MMX", "PS|MODES", "cvtps2pi mm0,xmm1", "cvttps2pi mm0,xmm1")
    add("MMX", "BITS|MODES", "cvtpi2ps xmm0,mm1", "cvtpi2pd xmm0,mm1")
    add("MMX", "PD|MODES", "cvtpd2pi mm0,xmm1")


def x87():
    both, one = "X87|SCALAR|KEEPCC|MODES", "X87|KEEPCC|MODES"
    for op in ("fadd", "fmul", "fsub", "fsubr", "fdiv", "fdivr"):
        add("X87", both, f"{op} st,st(1)", f"{op}p st(1),st", f"{op} dword ptr {MEM}", f"{op} qword ptr {MEM}",
            f"fi{op[1:]} word ptr {MEM}", f"fi{op[1:]} dword ptr {MEM}")
    add("X87", both, "fscale", "fxch st(1)", "fst st(1)", "fstp st(1)", "fcmove st,st(1)", "fcmovnbe st,st(1)")
    add("X87", one, "fsqrt", "frndint", "fxtract", "fabs", "fchs", "fldz", "fld1", "fldpi", "fldl2t", "fldl2e", "fldlg2",
        "fldln2", "fld st(1)", "ffree st(1)", "fincstp", "fdecstp", f"fld dword ptr {MEM}", f"fld qword ptr {MEM}",
        f"fld tbyte ptr {MEM}", f"fild word ptr {MEM}", f"fild dword ptr {MEM}", f"fild qword ptr {MEM}",
        f"fst dword ptr {MEM}", f"fst qword ptr {MEM}", f"fstp tbyte ptr {MEM}", f"fist word ptr {MEM}",
        f"fist dword ptr {MEM}", f"fistp qword ptr {MEM}", f"fisttp word ptr {MEM}", f"fisttp dword ptr {MEM}",
        f"fisttp qword ptr {MEM}", f"fbstp {MEM}", "nop")
    add("X87", "X87|SCALAR", "fcom st(1)", "fcomp st(1)", "fcompp", "fucom st(1)", "fucomp st(1)", "fucompp",
        f"fcom dword ptr {MEM}", f"ficom dword ptr {MEM}")
    add("X87", "X87|SCALAR|FLAGS", "fcomi st,st(1)", "fcomip st,st(1)", "fucomi st,st(1)", "fucomip st,st(1)")
    add("X87REM", "X87|SCALAR|MODES", "fprem", "fprem1")
    add("X87", "X87", "ftst", "fxam", "fnclex", "fninit")


def assemble(directory):
    source, listing = os.path.join(directory, "rows.s"), os.path.join(directory, "rows.o")
    with open(source, "w") as f:
        f.write(".intel_syntax noprefix\n")
        for i, (_, _, text) in enumerate(rows):
            f.write(f"r{i}: {text}\n")
        f.write(f"r{len(rows)}: ret\n")
    subprocess.run(["as", "-o", listing, source], check=True)
    raw = os.path.join(directory, "rows.bin")
    subprocess.run(["objcopy", "-O", "binary", "-j", ".text", listing, raw], check=True)
    symbols = subprocess.run(["nm", listing], check=True, capture_output=True, text=True).stdout
    at = {int(m[2]): int(m[1], 16) for m in re.finditer(r"^([0-9a-f]+) t r(\d+)$", symbols, re.M)}
    code = open(raw, "rb").read()
    return [code[at[i]:at[i + 1]] for i in range(len(rows))]


def write_table(codes, hashes):
    lines = ["/*", " * tables_selftest.c - rows and results of the start-up self-test",
             " * Made by tests/support/selftest.py; not to be edited. The hashes are what this machine's definition gives.",
             " * Thread:  any; constants", " */", '#include "core/base/types.h"', '#include "core/translate/selftest.h"', "",
             "const struct cv_selftest_row cv_tab_selftest[] = {"]
    for (cls, kind, text), code in zip(rows, codes):
        kinds = " | ".join("CV_ROW_" + k for k in kind.split("|"))
        data = ", ".join(f"0x{b:02x}" for b in code)
        lines.append(f"    {{CV_SELFTEST_{cls}, {kinds}, {len(code)}, {{{data}}}}}, /* {text} */")
    lines += ["};", "const unsigned cv_tab_selftest_rows = CV_ARRAY_LEN(cv_tab_selftest);", "",
              "const uint64_t cv_tab_selftest_hash[CV_SELFTEST_COUNT] = {"]
    lines += [f"    [CV_SELFTEST_{cls}] = 0x{value:016x}," for cls, value in hashes.items()]
    lines += ["};", ""]
    with open(OUT, "w") as f:
        f.write("\n".join(lines))


MAIN = r"""
#include "core/translate/selftest.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
static struct cv_selftest_result r;
int main(void)
{
    void *code = mmap(NULL, CV_SELFTEST_CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cv_selftest_vector(code, code, aligned_alloc(64, 16384), &r);
    for (unsigned c = CV_SELFTEST_FIRST_NATIVE; c < CV_SELFTEST_COUNT; c++) {
        printf("%u %llx %u\n", c, (unsigned long long)r.hash[c], r.failed >> c & 1);
    }
    return 0;
}
void cv_check_failed(const char *e, const char *f, int l)
{
    (void)e, (void)f, (void)l;
    abort();
}
"""


def run_here(directory):
    main, program = os.path.join(directory, "main.c"), os.path.join(directory, "main")
    with open(main, "w") as f:
        f.write(MAIN)
    files = [main] + [os.path.join(TOP, p) for p in ("core/translate/selftest_vector.c", "core/translate/tables_selftest.c",
                                                    "core/base/mem.c")]
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-I" + TOP, "-D_GNU_SOURCE", "-fno-builtin", "-mgeneral-regs-only", "-w",
                    "-o", program] + files, check=True)
    out = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    header = open(os.path.join(TOP, "core/translate/selftest.h")).read()
    body = re.search(r"enum cv_selftest_class \{(.*?)\};", header, re.S)[1]
    names = [n for n in re.findall(r"^    CV_SELFTEST_(\w+),?", body, re.M)]
    return [(names[int(c)], int(h, 16), f == "1") for c, h, f in (line.split() for line in out.splitlines())]


def main():
    floats()
    conversions()
    fused()
    integers()
    x87()
    with tempfile.TemporaryDirectory() as directory:
        if sys.argv[1:] == ["--check"]:
            for name, value, failed in run_here(directory):
                print(f"{name:8} {value:016x} {'differs' if failed else 'ok'}")
            return
        codes = assemble(directory)
        write_table(codes, {})
        hashes = {name: value for name, value, _ in run_here(directory) if value}
        write_table(codes, hashes)
        print(f"{len(rows)} rows, {len(hashes)} classes")


main()
