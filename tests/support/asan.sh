#!/bin/sh
# The quick ring under ASan and UBSan; a report file counts as a failure. Then the check that core/ calls
# nothing of the sanitizers but what registers, and what ends the process (docs/testing.md, "Sanitizers").
# Ends with "N passed, N failed, N skipped".
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top" || exit 70
reports=$top/build/asan-reports
rm -rf "$reports"
mkdir -p "$reports"
export ASAN_OPTIONS="log_path=$reports/report"
export UBSAN_OPTIONS="log_path=$reports/report:print_stacktrace=1"
export LSAN_OPTIONS="suppressions=$top/tests/support/lsan.supp:print_suppressions=0"
out=$(mktemp)
trap 'rm -f "$out"' EXIT
CV_MODE=asan tests/run.sh quick | tee "$out" | sed '$d'
line=$(tail -n 1 "$out")
passed=$(echo "$line" | sed -n 's/^\([0-9]*\) passed, .*/\1/p')
failed=$(echo "$line" | sed -n 's/.* \([0-9]*\) failed.*/\1/p')
skipped=$(echo "$line" | sed -n 's/.* \([0-9]*\) skipped.*/\1/p')
: "${passed:=0}" "${failed:=1}" "${skipped:=0}"

calls=$(find build/asan/core -name '*.o' -exec nm -u {} + | awk 'NF == 2 { print $2 }' | sort -u |
    grep -E '^__(asan|ubsan|sanitizer)' |
    grep -vE '^__(asan_(report_.*|handle_no_return|init|(un)?register_globals|version_mismatch_.*)|ubsan_handle_.*_abort)$')
if [ -z "$calls" ]; then
    echo "ok      core/ calls no sanitizer routine that returns"
    passed=$((passed + 1))
else
    echo "FAILED  core/ calls" $calls
    failed=$((failed + 1))
fi
for report in "$reports"/*; do
    [ -f "$report" ] || continue
    failed=$((failed + 1))
    echo "FAILED  sanitizer report $(basename "$report")"
    head -n 30 "$report"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
