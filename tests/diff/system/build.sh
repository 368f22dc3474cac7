#!/bin/sh
# build.sh OUT: the case engine of this folder as one multiboot ELF32, OUT/system (Debian's gcc; nothing else).
set -eu
out=$1
src=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out"
gcc -m32 -std=gnu11 -g -O2 -Wall -Wextra -Werror -ffreestanding -nostdlib -static -no-pie -fno-pic -fno-pie \
    -fno-strict-aliasing -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
    -fno-tree-loop-distribute-patterns -fno-builtin -I"$src" -Wl,-T,"$src/guest.ld" -Wl,--build-id=none \
    -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments "$src"/*.S "$src"/*.c -o "$out/system.new"
mv "$out/system.new" "$out/system"
