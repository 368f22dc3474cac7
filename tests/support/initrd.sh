#!/bin/sh
# initrd.sh DIR: busybox initramfs images from what guests.sh put into DIR.
#   initrd-init.cpio.gz   prints a line and powers off
#   initrd-shell.cpio.gz  a shell on the serial console
#   initrd-crash.cpio.gz  loads tests/guest/module/crash.ko some time after boot; -crash-686-pae in that kernel
#   initrd-load.cpio.gz   load=N rounds of mixed work, then the same crash
#   initrd-walk.cpio.gz   four bugs to be traced backwards (docs/debugging.md): the modules walk_*.ko, the program walk_heap
#   initrd-trouble.cpio.gz  trouble=lockup, stall or hang, as the kernel's own watchdogs see them
#   initrd-bench.cpio.gz  the micro workloads of `make bench`
#   initrd-work.cpio.gz   does some of everything, says what came out, powers off; -work-i386 the same in 32-bit code
# Those in 32-bit code only when their kernels are there.
set -eu
dir=$(cd "$1" && pwd)
top=$(cd "$(dirname "$0")/../.." && pwd)
src=$top/tests/guest
stamp=$dir/initrd.stamp
sum=$(cat "$0" "$src"/init/* "$src"/module/* "$src"/bench/* "$src"/program/* "$dir/versions" "$dir/busybox-i386" 2>/dev/null | cksum)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ] && exit 0

release=$(cat "$dir/version")
work=$dir/work
rm -rf "$work"
mkdir -p "$work"

# modules HEADERS RELEASE KARCH: in $work/module, built against the headers of that very kernel
modules() {
    headers=$1/usr/src/linux-headers-$2
    common=$(echo "$1"/usr/src/linux-headers-*-common)
    kbuild=$(echo "$1"/usr/lib/linux-kbuild-*)
    rm -rf "$work/module" "$work/kbuild"
    mkdir -p "$work/module" "$work/kbuild"
    cp -p "$src"/module/* "$work/module/"
    # The packages name each other by absolute paths; a copy names them where they are.
    cp -r "$headers/." "$work/kbuild/"
    sed -e "s#/usr/src/linux-headers-[^ ]*-common#$common#g" "$headers/Makefile" >"$work/kbuild/Makefile"
    rm -rf "$work/kbuild/scripts" "$work/kbuild/tools"
    cp -r "$kbuild/scripts" "$work/kbuild/scripts"
    [ -d "$kbuild/tools" ] && cp -r "$kbuild/tools" "$work/kbuild/tools"
    for f in "$common"/scripts/*; do
        name=$(basename "$f")
        [ -e "$work/kbuild/scripts/$name" ] || cp -r "$f" "$work/kbuild/scripts/$name"
    done
    # gdb calls the sources by their names alone, wherever this was built
    make -s -C "$work/kbuild" M="$work/module" modules ARCH="$3" CC=gcc \
        KCFLAGS="-fdebug-prefix-map=$work/module/=" >"$work/module.log" 2>&1 ||
        { cat "$work/module.log" >&2; return 1; }
}

# place FROM TO: at once, whoever reads there
place() {
    cp "$1" "$2.new"
    mv "$2.new" "$2"
}

# pack NAME BUSYBOX INIT [FILE...]: an initramfs with that busybox, that /init and the files in its root
pack() {
    name=$1
    busybox=$2
    init=$3
    shift 3
    root=$work/root-$name
    mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp"
    cp "$dir/$busybox" "$root/bin/busybox"
    cp "$src/init/$init" "$root/init"
    chmod 755 "$root/init"
    for f in "$@"; do
        cp "$f" "$root/"
    done
    for tool in sh mount cat echo ls insmod poweroff reboot sleep mkdir dmesg ps stty md5sum dd uname sync \
        grep sed sort wc gzip gunzip awk bc tar seq cut; do
        ln -s busybox "$root/bin/$tool"
    done
    find "$root" -exec touch -h -d @1577836800 {} +
    (cd "$root" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) |
        gzip -9n >"$dir/initrd-$name.cpio.gz.new"
    mv "$dir/initrd-$name.cpio.gz.new" "$dir/initrd-$name.cpio.gz"
}

modules "$dir/headers" "$release" x86
for name in crash walk_null walk_uaf walk_wakeup trouble; do
    place "$work/module/$name.ko" "$dir/$name.ko"
done
# Not where busybox lies: breakpoints are about addresses in whatever address space.
(cd "$src/program" && gcc -Og -g -static -no-pie -Wl,-Ttext-segment=0x30000000 -o "$work/walk_heap" walk_heap.c)
place "$work/walk_heap" "$dir/walk_heap"
gcc -O2 -static -o "$work/bench" "$src/bench/bench.c"
place "$work/bench" "$dir/bench"
pack init busybox init
pack shell busybox shell
pack crash busybox crash "$dir/crash.ko"
pack load busybox load "$dir/crash.ko"
pack walk busybox walk "$dir/walk_null.ko" "$dir/walk_uaf.ko" "$dir/walk_wakeup.ko" "$work/walk_heap"
pack trouble busybox trouble "$dir/trouble.ko"
pack bench busybox bench "$work/bench"
pack work busybox work
if [ -f "$dir/busybox-i386" ]; then
    modules "$dir/headers-686-pae" "$(sed -n 's/^686-pae //p' "$dir/versions")" i386
    place "$work/module/crash.ko" "$dir/crash-686-pae.ko"
    mkdir "$work/pae"
    cp "$dir/crash-686-pae.ko" "$work/pae/crash.ko"
    pack crash-686-pae busybox-i386 crash "$work/pae/crash.ko"
    pack work-i386 busybox-i386 work
fi
echo "$sum" >"$stamp.new"
mv "$stamp.new" "$stamp"
