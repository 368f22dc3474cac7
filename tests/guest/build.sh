#!/bin/sh
# build.sh OUT: every mini guest of this folder as a multiboot ELF32 in OUT/ (from Debian's gcc; nothing else).
# Those of bad/ do not end well by themselves; they go to OUT/bad/.
set -eu
out=$1
src=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out/bad"
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
compile() {
    gcc -std=gnu11 -g -O2 -Wall -Wextra -Werror -ffreestanding -nostdlib -static -no-pie -fno-pic -fno-pie \
        -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
        -fno-asynchronous-unwind-tables -I"$src/lib" "$@"
}
for c in "$src"/lib/start.S "$src"/lib/*.c; do
    name=${c#"$src/lib/"}
    compile -c "$c" -o "$objects/${name%.*}.o"
done
for c in "$src"/*.c "$src"/bad/*.c; do
    name=${c#"$src/"}
    name=${name%.c}
    compile -Wl,-T,"$src/lib/guest.ld" -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments \
        "$objects"/*.o "$c" -o "$out/$name.elf64"
    objcopy -g -O elf32-i386 "$out/$name.elf64" "$out/$name.new"
    mv "$out/$name.new" "$out/$name"
done
