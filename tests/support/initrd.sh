#!/bin/sh
# initrd.sh DIR: busybox initramfs images from what guests.sh put into DIR.
#   initrd-init.cpio.gz   prints a line and powers off
#   initrd-shell.cpio.gz  a shell on the serial console
#   initrd-crash.cpio.gz  loads tests/guest/module/crash.ko some time after boot
#   initrd-bench.cpio.gz  the micro workloads of `make bench`
set -eu
dir=$(cd "$1" && pwd)
top=$(cd "$(dirname "$0")/../.." && pwd)
src=$top/tests/guest
stamp=$dir/initrd.stamp
sum=$(cat "$0" "$src"/init/* "$src"/module/* "$src"/bench/* "$dir/version" 2>/dev/null | cksum)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ] && exit 0

release=$(cat "$dir/version")
work=$dir/work
rm -rf "$work"
mkdir -p "$work"

# Builds the crash module against the headers of the very kernel.
build_module() {
    headers=$dir/headers/usr/src/linux-headers-$release
    common=$dir/headers/usr/src/linux-headers-${release%-cloud-amd64}-common
    kbuild=$(echo "$dir"/headers/usr/lib/linux-kbuild-*)
    mkdir -p "$work/module" "$work/kbuild"
    cp "$src"/module/* "$work/module/"
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
    make -s -C "$work/kbuild" M="$work/module" modules CC=gcc >"$work/module.log" 2>&1 ||
        { cat "$work/module.log" >&2; return 1; }
    cp "$work/module/crash.ko" "$dir/crash.ko"
}

# pack NAME INIT [FILE...]: an initramfs with busybox, that /init and the files in its root
pack() {
    name=$1
    init=$2
    shift 2
    root=$work/root-$name
    mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp"
    cp "$dir/busybox" "$root/bin/busybox"
    cp "$src/init/$init" "$root/init"
    chmod 755 "$root/init"
    for f in "$@"; do
        cp "$f" "$root/"
    done
    for tool in sh mount cat echo ls insmod poweroff reboot sleep mkdir dmesg ps stty md5sum dd uname sync; do
        ln -s busybox "$root/bin/$tool"
    done
    find "$root" -exec touch -h -d @1577836800 {} +
    (cd "$root" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) |
        gzip -9n >"$dir/initrd-$name.cpio.gz.new"
    mv "$dir/initrd-$name.cpio.gz.new" "$dir/initrd-$name.cpio.gz"
}

build_module
gcc -O2 -static -o "$work/bench" "$src/bench/bench.c"
cp "$work/bench" "$dir/bench"
pack init init
pack shell shell
pack crash crash "$dir/crash.ko"
pack bench bench "$work/bench"
echo "$sum" >"$stamp"
