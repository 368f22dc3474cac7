#!/bin/sh
# Makes the guests that tests, demo and benchmarks run, in build/guests/:
#   vmlinuz-cloud  Debian's cloud kernel             version      its exact release
#   vmlinux-cloud  the ELF inside it (PVH)
#   headers/       the matching kernel headers        busybox      Debian's busybox-static
#   initrd-*.cpio.gz                                  made by tests/support/initrd.sh
# Packages come from the machine's configured mirror, through an apt world of our own: no root, nothing
# changed outside the folder. Run again, it does nothing.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
out=${CV_GUESTS:-$top/build/guests}
apt=$out/apt
mkdir -p "$out"
exec 9>"$out/lock"
flock 9

world() {
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/etc"
    # The mirror this machine uses, main of bookworm only.
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
    echo "deb $uri bookworm main" >"$apt/etc/sources.list"
}

aptw() {
    tool=$1
    shift
    "$tool" -q=2 -o Dir::Etc::sourcelist="$apt/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State="$apt/state" -o Dir::State::status=/dev/null -o Dir::Cache="$apt/cache" \
        -o APT::Architecture=amd64 -o APT::Architectures::=amd64 -o APT::Sandbox::User="$(id -un)" "$@"
}

# fetch PACKAGE DIR: unpacks it there
fetch() {
    (cd "$apt/cache/archives" && aptw apt-get download "$1")
    deb=$(ls "$apt/cache/archives/$1"_*.deb | head -n 1)
    mkdir -p "$2"
    dpkg-deb -x "$deb" "$2"
    rm -f "$deb"
}

if [ ! -f "$out/ready" ]; then
    world
    aptw apt-get update
    image=$(aptw apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    release=${image#linux-image-}
    [ -n "$release" ] || { echo "guests: the mirror has no linux-image-cloud-amd64" >&2; exit 66; }
    rm -rf "$out/unpack"
    fetch "$image" "$out/unpack/image"
    fetch "linux-headers-$release" "$out/unpack/headers"
    common=$(aptw apt-cache depends "linux-headers-$release" | sed -n 's/.*Depends: \(linux-headers-[0-9].*-common\)/\1/p' | head -n 1)
    fetch "$common" "$out/unpack/headers"
    kbuild=$(aptw apt-cache depends "linux-headers-$release" | sed -n 's/.*Depends: \(linux-kbuild-[0-9.]*\).*/\1/p' | head -n 1)
    fetch "$kbuild" "$out/unpack/headers"
    fetch busybox-static "$out/unpack/busybox"
    cp "$out/unpack/image/boot/vmlinuz-$release" "$out/vmlinuz-cloud"
    cp "$out/unpack/busybox/bin/busybox" "$out/busybox"
    rm -rf "$out/headers" "$out/modules"
    mv "$out/unpack/headers" "$out/headers"
    mv "$out/unpack/image/lib/modules/$release" "$out/modules"
    rm -rf "$out/unpack"
    echo "$release" >"$out/version"
    touch "$out/ready"
fi
[ -f "$out/vmlinux-cloud" ] || "$top/tests/support/extract_vmlinux.py" "$out/vmlinuz-cloud" "$out/vmlinux-cloud"
"$top/tests/support/initrd.sh" "$out"
