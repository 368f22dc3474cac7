#!/bin/sh
# build.sh OUT: every mini guest of this folder as a multiboot ELF32 in OUT/ (from Debian's gcc; nothing else), with
# symbols in OUT/NAME.elf64. Those of bad/ do not end well by themselves; they go to OUT/bad/. Those of legacy32/ are
# 32-bit code and their own symbol file; they go to OUT/legacy32/.
set -eu
out=$1
src=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out/bad" "$out/legacy32/bad"
objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT
compile() {
    gcc -std=gnu11 -g -O2 -Wall -Wextra -Werror -ffreestanding -nostdlib -static -no-pie -fno-pic -fno-pie \
        -mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables "$@"
}
link="-Wl,-T,$src/lib/guest.ld -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments"
for c in "$src"/lib/start.S "$src"/lib/*.c; do
    name=${c#"$src/lib/"}
    compile -mno-red-zone -I"$src/lib" -c "$c" -o "$objects/${name%.*}.o"
done
for c in "$src"/*.c "$src"/bad/*.c; do
    name=${c#"$src/"}
    name=${name%.c}
    # shellcheck disable=SC2086
    compile -mno-red-zone -I"$src/lib" $link "$objects"/*.o "$c" -o "$out/$name.elf64"
    objcopy -g -O elf32-i386 "$out/$name.elf64" "$out/$name.new"
    mv "$out/$name.new" "$out/$name"
done
lib=$src/legacy32/lib
for c in "$src"/legacy32/*.c "$src"/legacy32/bad/*.c; do
    name=${c#"$src/"}
    name=${name%.c}
    # shellcheck disable=SC2086
    compile -m32 -I"$lib" $link "$lib/start.S" "$lib/lib.c" "$c" -o "$out/$name.new"
    mv "$out/$name.new" "$out/$name"
done
