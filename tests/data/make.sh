#!/bin/sh
# make.sh: records the golden traces of this folder anew, one a mini guest (for a new trace format or machine epoch
# only: an old trace that no longer verifies is a broken promise, not a reason to run this).
set -eu
cd "$(dirname "$0")/../.."
for guest in hello fault smc string user vector; do
    rm -f "tests/data/$guest-1.cvt"
    build/release/chronovisor record --kernel "build/guest/$guest" --memory 16M --digest fine -o "tests/data/$guest-1.cvt" \
        </dev/null >/dev/null || [ $? -eq 1 ]
done
rm -f tests/data/echo-1.cvt
printf 'golden input, typed once.' | build/release/chronovisor record --kernel build/guest/echo --memory 16M --digest fine \
    -o tests/data/echo-1.cvt >/dev/null || [ $? -eq 1 ]
ls -l tests/data/*.cvt
