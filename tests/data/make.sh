#!/bin/sh
# make.sh: records the golden traces of this folder anew, one a mini guest, named by the machine epoch (for a new trace
# format or epoch only: a trace that no longer verifies is a broken promise, not a reason to run this).
set -eu
cd "$(dirname "$0")/../.."
epoch=$(sed -n 's/^#define CV_MACHINE_EPOCH \([0-9]*\)u.*/\1/p' record/format.h)
rm -f tests/data/*.cvt
for guest in hello fault smc string user vector sources paging tasks debugregs apic_timer legacy32/calls32; do
    build/release/chronovisor record --kernel "build/guest/$guest" --memory 16M --digest fine --pace fast \
        -o "tests/data/$(basename "$guest")-$epoch.cvt" </dev/null >/dev/null || [ $? -eq 1 ]
done
# with stored checkpoints
build/release/chronovisor record --kernel build/guest/timer --memory 16M --pace fast --stored-spacing 4194304 \
    -o "tests/data/timer_stored-$epoch.cvt" </dev/null >/dev/null || [ $? -eq 1 ]
printf 'golden input, typed once.' | build/release/chronovisor record --kernel build/guest/echo --memory 16M --digest fine \
    -o "tests/data/echo-$epoch.cvt" >/dev/null || [ $? -eq 1 ]
ls -l tests/data/*.cvt
