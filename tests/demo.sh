#!/bin/sh
# The main job, end to end, on a real Debian kernel: record a crash, replay it, verify it, and go back from it.
# Every step is printed as the command a user would type.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
guests=${CV_GUESTS:-$top/build/guests}
PATH=$top/build/release:$PATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
ln -s "$guests/vmlinuz-cloud" vmlinuz
ln -s "$guests/initrd-crash.cpio.gz" initrd
ln -s "$guests/crash.ko" crash.ko

say() { printf '\n\033[1m%s\033[0m\n' "$1"; }
step() {
    printf '\n$ %s\n' "$*"
    "$@"
}

say "1. Record Debian's kernel $(cat "$guests/version"), unmodified, while a driver with a bug takes it down"
printf '\n$ chronovisor record --kernel vmlinuz --initrd initrd --memory 256M --append "console=ttyS0 panic=-1" \\\n      --pace fast -o crash.cvt </dev/null >console.txt\n'
chronovisor record --kernel vmlinuz --initrd initrd --memory 256M --append "console=ttyS0 panic=-1" \
    --pace fast -o crash.cvt </dev/null >console.txt
grep -aE 'BUG:|#PF:|RIP:' console.txt | head -n 4

say "2. What the trace holds: one file, everything in it"
step chronovisor info crash.cvt

say "3. Replay it: the guest prints the very same console"
printf '\n$ chronovisor replay crash.cvt --console >again.txt\n'
chronovisor replay crash.cvt --console >again.txt
step cmp console.txt again.txt
echo "the same"

say "4. Verify it against every digest"
step chronovisor verify crash.cvt

say "5. Open it at the crash in plain gdb; step back past the fault, and forward again"
cat >tour.gdb <<'EOF'
set pagination off
echo \n(gdb) x/i $pc        # the instruction that will fault\n
x/i $pc
echo (gdb) monitor when\n
monitor when
echo (gdb) p/x $rdi         # the pointer nobody set\n
p/x $rdi
echo (gdb) reverse-stepi    # back, before the fault\n
reverse-stepi
x/i $pc
reverse-stepi
x/i $pc
monitor when
echo (gdb) stepi            # forward again\n
stepi
stepi
x/i $pc
monitor when
echo (gdb) stepi            # the fault itself: delivery of the exception\n
stepi
x/i $pc
monitor when
echo (gdb) reverse-stepi    # and back\n
reverse-stepi
x/i $pc
p $_siginfo
EOF
sed -i '/_siginfo/d' tour.gdb
step chronovisor debug crash.cvt -- -batch -x tour.gdb

say "6. The caller: run back to where the faulting function was entered"
cat >back.gdb <<'EOF'
set pagination off
set $fault = $pc
echo (gdb) x/2gx $rsp       # who called\n
x/2gx $rsp
echo (gdb) reverse-stepi 20\n
reverse-stepi 20
x/3i $pc
echo (gdb) break *$fault; continue    # and forward to the fault again\n
break *$fault
continue
x/i $pc
monitor when
EOF
step chronovisor debug crash.cvt -- -batch -x back.gdb
say "Done: recorded, replayed, verified, rewound."
