#!/bin/sh
# run.sh [SECONDS] [NAME...]: builds the fuzzers, makes the seeds, runs every kept input of tests/fuzz/regress, then each
# target for SECONDS (60). What breaks one is kept as build/fuzz/crash/NAME-*. Ends with "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/../.." || exit 70
seconds=${1:-60}
[ $# -eq 0 ] || shift
only=$*
b=${B:-build/fuzz}
passed=0 failed=0

if ! command -v clang-14 >/dev/null || [ -z "$(find /usr/lib/llvm-14 -name 'libclang_rt.fuzzer-x86_64.a' 2>/dev/null)" ]; then
    echo "skip    clang-14 or its libFuzzer is not here (make deps)"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
mkdir -p "$b"
if ! make --no-print-directory MODE=fuzz B="$b" fuzzers >"$b/build.log" 2>&1; then
    tail -n 20 "$b/build.log"
    echo "FAILED  fuzzers do not build"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
mkdir -p "$b/crash" "$b/log"
export ASAN_OPTIONS=use_sigaltstack=0:allocator_may_return_null=1
export LSAN_OPTIONS=suppressions=tests/support/lsan.supp:print_suppressions=0

good() {
    passed=$((passed + 1))
    echo "ok      $1"
}
bad() {
    failed=$((failed + 1))
    echo "FAILED  $1"
    grep -E 'fuzz: |ERROR|SUMMARY|runtime error|Test unit written|^chronovisor: error' "$2" | head -n 12
}

for program in "$b"/fuzz/fuzz_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    name=${program##*/fuzz_}
    case " $only " in "  " | *" $name "*) ;; *) continue ;; esac
    log=$b/log/$name
    seeds=$b/seeds/$name
    corpus=$b/corpus/$name
    mkdir -p "$seeds" "$corpus"
    CV_SEEDS=$seeds "$program" >"$log.seeds" 2>&1 || bad "fuzz $name: seeds" "$log.seeds"
    case $name in
    trace | sums) max=400000 ;;
    elf) max=40000 ;;
    state) max=12000 ;;
    insn) max=2068 ;;
    modes) max=1040 ;;
    *) max=4096 ;;
    esac
    if ls tests/fuzz/regress/"$name"-* >/dev/null 2>&1; then
        if "$program" -runs=1 -timeout=20 tests/fuzz/regress/"$name"-* >"$log.regress" 2>&1; then
            good "fuzz $name: $(ls tests/fuzz/regress/"$name"-* | wc -l) kept inputs"
        else
            bad "fuzz $name: a kept input" "$log.regress"
        fi
    fi
    if "$program" -max_total_time="$seconds" -max_len=$max -len_control=0 -timeout=20 -rss_limit_mb=3000 \
        -reload=0 -print_final_stats=1 -artifact_prefix="$b/crash/$name-" "$corpus" "$seeds" >"$log" 2>&1; then
        runs=$(sed -n 's/.*number_of_executed_units: *//p' "$log")
        cover=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
        good "fuzz $name: $runs runs in $seconds s, $cover places covered"
    else
        bad "fuzz $name" "$log"
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
