#!/bin/sh
# guests.sh [cloud|lx]: makes the guests that tests and benchmarks run, or those of the cloud kernel alone (lx: with its symbols, too),
# in build/guests/:
#   vmlinuz-cloud  Debian's cloud kernel             version      its exact release
#   vmlinux-cloud  the ELF inside it (PVH)
#   vmlinuz-amd64, -rt, -686, -686-pae               Debian's other kernels of this family
#   versions       the exact release of each kernel
#   headers/, headers-686-pae/   of those kernels    busybox, busybox-i386   Debian's busybox-static
#   lx/                                               symbols and gdb scripts: tests/support/lxscripts.sh
#   initrd-*.cpio.gz                                  made by tests/support/initrd.sh
# Packages come from the machine's configured mirror, through apt worlds of our own, one an architecture: no
# root, nothing changed outside the folder. What is there is kept, so a run that was cut goes on where it was.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
out=${CV_GUESTS:-$top/build/guests}
apt=$out/apt
mkdir -p "$out"
exec 9>"$out/lock"
flock 9

# The mirror this machine uses, main of bookworm only.
find_mirror() {
    uri=$(apt-get indextargets --format '$(SITE) $(CODENAME) $(COMPONENT)' 'Identifier: Packages' 2>/dev/null |
        awk '$2 == "bookworm" && $3 == "main" { print $1; exit }')
    if [ -z "$uri" ]; then
        uri=$(sed -n 's/^deb[[:space:]]\{1,\}\(\[[^]]*\][[:space:]]*\)\{0,1\}\([^[:space:]]*\)[[:space:]]\{1,\}bookworm[[:space:]].*/\2/p' \
            /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1)
    fi
    if [ -z "$uri" ]; then
        uri=$(sed -n 's/^URIs:[[:space:]]*\([^[:space:]]*\).*/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
    fi
    [ -n "$uri" ] || { echo "guests: this machine has no bookworm mirror configured" >&2; exit 66; }
}

# aptw ARCH TOOL ARGS: apt in the world of that architecture
aptw() {
    arch=$1
    tool=$2
    shift 2
    "$tool" -q=2 -o Dir::Etc::sourcelist="$apt/$arch/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State="$apt/$arch/state" -o Dir::State::status=/dev/null -o Dir::Cache="$apt/$arch/cache" \
        -o APT::Architecture="$arch" -o APT::Architectures::="$arch" -o APT::Sandbox::User="$(id -un)" \
        -o Acquire::Retries=3 "$@"
}

# world ARCH: makes it, with fresh lists, once a run
worlds=
world() {
    case " $worlds " in
    *" $1 "*) return 0 ;;
    esac
    find_mirror
    mkdir -p "$apt/$1/state/lists/partial" "$apt/$1/cache/archives/partial" "$apt/$1/etc" "$apt/debs"
    echo "deb $uri bookworm main" >"$apt/$1/etc/sources.list"
    echo "guests: reading the lists of $1"
    aptw "$1" apt-get update
    worlds="$worlds $1"
}

# download ARCH PACKAGE: its file in $deb. What an earlier run got of it is used.
download() {
    size=$(aptw "$1" apt-cache show --no-all-versions "$2" | sed -n 's/^Size: //p')
    echo "guests: fetching $2 ($1, $(((size + 524288) / 1048576)) MB)"
    (cd "$apt/debs" && aptw "$1" apt-get download "$2")
    deb=$(ls "$apt/debs/$2"_*_"$1".deb "$apt/debs/$2"_*_all.deb 2>/dev/null | head -n 1)
}

# fetch ARCH PACKAGE DIR: unpacks it there
fetch() {
    download "$1" "$2"
    mkdir -p "$3"
    dpkg-deb -x "$deb" "$3"
    rm -f "$deb"
}

# headers ARCH RELEASE DIR: what modules of that kernel are built with. The build tools run here: amd64.
headers() {
    fetch "$1" "linux-headers-$2" "$3"
    common=$(aptw "$1" apt-cache depends "linux-headers-$2" | sed -n 's/.*Depends: \(linux-headers-[0-9].*-common\)/\1/p' | head -n 1)
    fetch "$1" "$common" "$3"
    kbuild=$(aptw "$1" apt-cache depends "linux-headers-$2" | sed -n 's/.*Depends: \(linux-kbuild-[0-9.]*\).*/\1/p' | head -n 1)
    world amd64
    fetch amd64 "$kbuild" "$3"
}

# extract ARCH PACKAGE MEMBER FILE: that one file of it, and no more on the disk
extract() {
    download "$1" "$2"
    dpkg-deb --fsys-tarfile "$deb" | tar -xO "$3" >"$4.new"
    rm -f "$deb"
    mv "$4.new" "$4"
}

# resolve ARCH METAPACKAGE: the real kernel package it depends on
resolve() {
    image=$(aptw "$1" apt-cache depends "$2" | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    release=${image#linux-image-}
    [ -n "$release" ] || { echo "guests: the mirror has no $2" >&2; exit 66; }
}

# note NAME RELEASE: a line of `versions`
note() {
    { grep -v "^$1 " "$out/versions" 2>/dev/null || true
      echo "$1 $2"; } | LC_ALL=C sort >"$out/versions.new"
    mv "$out/versions.new" "$out/versions"
}

# kernel NAME ARCH METAPACKAGE: vmlinuz-NAME
kernel() {
    [ -f "$out/vmlinuz-$1" ] && grep -q "^$1 " "$out/versions" && return 0
    world "$2"
    resolve "$2" "$3"
    extract "$2" "$image" "./boot/vmlinuz-$release" "$out/vmlinuz-$1"
    note "$1" "$release"
}

# The cloud kernel comes with its modules and headers: all of one version.
cloud() {
    world amd64
    resolve amd64 linux-image-cloud-amd64
    rm -rf "$out/unpack"
    fetch amd64 "$image" "$out/unpack/image"
    headers amd64 "$release" "$out/unpack/headers"
    fetch amd64 busybox-static "$out/unpack/busybox"
    mv "$out/unpack/image/boot/vmlinuz-$release" "$out/vmlinuz-cloud"
    mv "$out/unpack/busybox/bin/busybox" "$out/busybox"
    rm -rf "$out/headers" "$out/modules"
    mv "$out/unpack/headers" "$out/headers"
    mv "$out/unpack/image/lib/modules/$release" "$out/modules"
    rm -rf "$out/unpack"
    echo "$release" >"$out/version"
    touch "$out/ready"
}

[ -f "$out/ready" ] || cloud
grep -q "^cloud " "$out/versions" 2>/dev/null || note cloud "$(cat "$out/version")"
others() {
    kernel amd64 amd64 linux-image-amd64
    kernel rt amd64 linux-image-rt-amd64
    kernel 686 i386 linux-image-686
    kernel 686-pae i386 linux-image-686-pae
    if [ ! -d "$out/headers-686-pae" ]; then
        world i386
        rm -rf "$out/unpack"
        headers i386 "$(sed -n 's/^686-pae //p' "$out/versions")" "$out/unpack"
        mv "$out/unpack" "$out/headers-686-pae"
    fi
    if [ ! -f "$out/busybox-i386" ]; then
        world i386
        extract i386 busybox-static ./bin/busybox "$out/busybox-i386"
        chmod 755 "$out/busybox-i386"
    fi
}

[ -n "${1:-}" ] || others
[ -f "$out/vmlinux-cloud" ] || "$top/tests/support/extract_vmlinux.py" "$out/vmlinuz-cloud" "$out/vmlinux-cloud"
"$top/tests/support/initrd.sh" "$out"
if [ "${1:-}" = lx ]; then
    . "$top/tests/support/lxscripts.sh"
fi
