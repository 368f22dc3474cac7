#!/bin/sh
# deps.sh [PACKAGE...]: installs the Debian 12 packages that building, testing and the demo need, and those named. Without root and with
# something missing it prints the one line to run and exits 69.
set -eu
need='gcc clang-14 make binutils python3 pkg-config liblz4-dev libxxhash-dev libjson-glib-dev libseccomp-dev libdw-dev
      libcriterion-dev libzydis-dev libclang-rt-14-dev clang-format-14 gdb cpio xz-utils lz4 kmod busybox-static
      ca-certificates procps'
missing=
for p in $need "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -q '^installed$' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "missing packages; run as root: apt-get install$missing" >&2
    exit 69
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
