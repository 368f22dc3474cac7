#!/bin/sh
# build.sh OUT: every mini guest of this folder as a multiboot ELF32 in OUT/ (from Debian's gcc; nothing else).
set -eu
out=$1
src=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out"
for c in "$src"/*.c; do
    name=$(basename "$c" .c)
    gcc -std=gnu11 -O2 -Wall -Wextra -Werror -ffreestanding -nostdlib -static -no-pie -fno-pic -fno-pie \
        -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
        -fno-asynchronous-unwind-tables -I"$src/lib" -Wl,-T,"$src/lib/guest.ld" -Wl,--build-id=none \
        -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments "$src/lib/start.S" "$src/lib/lib.c" "$c" -o "$out/$name.elf64"
    objcopy -O elf32-i386 "$out/$name.elf64" "$out/$name.new"
    mv "$out/$name.new" "$out/$name"
done
