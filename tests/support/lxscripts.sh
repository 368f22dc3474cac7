# lxscripts.sh: sourced by guests.sh, of whose functions it makes use, when the cloud kernel's symbols and scripts are wanted.
#   lx/vmlinux         the ELF with symbols and debugging information, of exactly that kernel's build (588 MB)
#   lx/vmlinux-gdb.py  and lx/scripts/gdb: the kernel's own scripts for gdb, which Debian does not ship built
# 420 MB are fetched for it, once.
lx_release=$(cat "$out/version")

lx_symbols() {
    [ -f "$out/lx/vmlinux" ] && return 0
    world amd64
    mkdir -p "$out/lx"
    extract amd64 "linux-image-$lx_release-dbg" "./usr/lib/debug/boot/vmlinux-$lx_release" "$out/lx/vmlinux"
}

# The scripts' constants are the C preprocessor's, with the headers that this kernel was configured with.
lx_constants() {
    scripts=$1
    build=$out/headers/usr/src/linux-headers-$lx_release
    common=$(echo "$out"/headers/usr/src/linux-headers-*-common)
    set --
    for dir in "$common/arch/x86/include" "$build/arch/x86/include/generated" "$common/include" "$build/include" \
        "$common/arch/x86/include/uapi" "$build/arch/x86/include/generated/uapi" "$common/include/uapi" \
        "$build/include/generated/uapi"; do
        set -- "$@" "-I$dir"
    done
    for header in compiler-version kconfig compiler_types; do
        set -- "$@" -include "$common/include/linux/$header.h"
    done
    gcc -E -x c -P -nostdinc -D__KERNEL__ "$@" "$scripts/scripts/gdb/linux/constants.py.in"
}

lx_scripts() {
    [ -f "$out/lx/vmlinux-gdb.py" ] && return 0
    world amd64
    rm -rf "$out/lx.new"
    mkdir -p "$out/lx.new"
    download amd64 linux-source-6.1
    dpkg-deb --fsys-tarfile "$deb" | tar -xO ./usr/src/linux-source-6.1.tar.xz |
        tar -xJ -C "$out/lx.new" --strip-components=1 linux-source-6.1/scripts/gdb
    rm -f "$deb"
    lx_constants "$out/lx.new" >"$out/lx.new/constants"
    sed '1,/<!-- end-c-headers -->/d' "$out/lx.new/constants" >"$out/lx.new/scripts/gdb/linux/constants.py"
    grep -q '^LX_NR_CPUS = ' "$out/lx.new/scripts/gdb/linux/constants.py"
    rm "$out/lx.new/constants"
    mkdir -p "$out/lx"
    rm -rf "$out/lx/scripts"
    mv "$out/lx.new/scripts" "$out/lx/scripts"
    mv "$out/lx/scripts/gdb/vmlinux-gdb.py" "$out/lx/"
    rmdir "$out/lx.new"
}

lx_symbols
lx_scripts
