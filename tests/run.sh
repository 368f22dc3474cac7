#!/bin/sh
# run.sh quick|full|soak: runs the tests of that ring and ends with "N passed, N failed, N skipped".
set -u
ring=$1
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top" || exit 70
mode=${CV_MODE:-release}
log=build/test-log
limit=3000 # seconds for a script
[ "$ring" = soak ] && limit=14400
mkdir -p "$log"
passed=0 failed=0 skipped=0
unit_limit=600 # of a Criterion program

# Adds a Criterion program's synthesis line.
unit() {
    name=$(basename "$1")
    timeout "$unit_limit" "$1" --jobs 2 >"$log/$name.out" 2>&1
    rc=$?
    line=$(grep 'Synthesis:' "$log/$name.out" | tail -n 1)
    p=$(echo "$line" | sed -n 's/.*Passing: \([0-9]*\).*/\1/p')
    f=$(echo "$line" | sed -n 's/.*Failing: \([0-9]*\).*/\1/p')
    c=$(echo "$line" | sed -n 's/.*Crashing: \([0-9]*\).*/\1/p')
    if [ -z "$p" ]; then
        p=0 f=1 c=0
    fi
    bad=$((f + c))
    if [ "$bad" -ne 0 ] || [ "$rc" -ne 0 ]; then
        [ "$bad" -ne 0 ] || bad=1
        echo "FAILED  unit $name"
        tail -n 40 "$log/$name.out"
    else
        echo "ok      unit $name: $p tests"
        grep -E '^(differential|durability|verify):' "$log/$name.out"
    fi
    passed=$((passed + p)) failed=$((failed + bad))
}

# Adds the last line of a script that prints "N passed, N failed, N skipped".
script() {
    name=$(basename "$1" .py)
    timeout $limit "$@" 2>&1 | tee "$log/$name.out"
    line=$(tail -n 1 "$log/$name.out")
    p=$(echo "$line" | sed -n 's/^\([0-9]*\) passed, .*/\1/p')
    f=$(echo "$line" | sed -n 's/.* \([0-9]*\) failed.*/\1/p')
    s=$(echo "$line" | sed -n 's/.* \([0-9]*\) skipped.*/\1/p')
    if [ -z "$p" ]; then
        echo "FAILED  $name ended without a count"
        p=0 f=1 s=0
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# tests/diff: cases a form; the soak runs twenty times as many as the full ring, of another seed each time
case $ring in
quick) export CV_DIFF_CASES="${CV_DIFF_CASES:-10}" CV_TRAVEL_MOVES="${CV_TRAVEL_MOVES:-25}" ;;
soak)
    export CV_DIFF_SCALE="${CV_DIFF_SCALE:-20}" CV_DIFF_SEED="${CV_DIFF_SEED:-$(date +%s)}"
    export CV_TRAVEL_MOVES="${CV_TRAVEL_MOVES:-2500}" CV_TRAVEL_SEED="${CV_TRAVEL_SEED:-$(date +%s)}"
    unit_limit=7200
    unit build/"$mode"/unit/diff-user
    ;;
esac
if [ "$ring" != soak ]; then
    for bin in build/"$mode"/unit/*; do
        case $bin in
        *.d | *.o) ;;
        *) [ -x "$bin" ] && [ -f "$bin" ] && unit "$bin" ;;
        esac
    done
fi
case $ring in
quick)
    script tests/replay/test_golden.py
    script tests/replay/test_guests.py
    script tests/replay/test_input.py
    script tests/replay/test_query.py
    script tests/replay/test_ends.py SIG killed terminal reader fault
    script tests/replay/test_marks.py names patterns
    script tests/replay/test_stored.py guest
    script tests/replay/test_travels.py smc stops string timer
    ;;
full)
    script tests/lint/lint.py
    script tests/replay/test_golden.py
    script tests/replay/test_guests.py
    script tests/replay/test_input.py
    script tests/replay/test_query.py
    script tests/replay/test_ends.py
    script tests/replay/test_marks.py
    script tests/replay/test_damage.py
    script tests/replay/test_stored.py
    script tests/replay/test_travels.py
    script tests/replay/test_linux.py
    script tests/replay/test_kernels.py
    script tests/gdb/test_gdb.py
    script tests/gdb/test_gdb32.py
    script tests/gdb/test_stops.py
    script tests/gdb/test_modes.py
    script tests/gdb/test_traps.py
    script tests/gdb/test_walks.py
    script tests/gdb/test_link.py
    script tests/gdb/test_walk.py
    script tests/gdb/test_linux_guest.py
    script tests/gdb/test_linux_scripts.py
    script tests/mutation/mutate.py
    script tests/diff/system/run.py
    script tests/fuzz/run.sh 6
    ;;
soak)
    script tests/replay/soak.py
    script tests/replay/test_travels.py
    script tests/replay/endurance.py
    CV_WALK_MOVES="${CV_WALK_MOVES:-10000}" CV_WALK_SEED="${CV_WALK_SEED:-$(date +%s)}"
    export CV_WALK_MOVES CV_WALK_SEED
    script tests/gdb/test_walks.py
    ;;
esac
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
