#!/bin/sh
# Runs every fuzz target for some seconds, and counts the executions.
#
#   fuzz/run.sh [SECONDS] [TARGET ...]
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-30}
[ $# -eq 0 ] || shift
command -v cargo-fuzz >/dev/null || cargo install --locked --quiet --profile dev cargo-fuzz
if [ $# -eq 0 ]; then
    for file in fuzz/fuzz_targets/*.rs; do
        set -- "$@" "$(basename "$file" .rs)"
    done
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for target in "$@"; do
    mkdir -p "fuzz/corpus/$target" "fuzz/seeds/$target"
    # A template may take 50 million steps, which instrumented code needs many seconds for.
    cargo fuzz run -s none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 -malloc_limit_mb=1024 \
        -dict="fuzz/dictionary" -print_final_stats=1 >"$log" 2>&1 || {
        tail -n 40 "$log"
        exit 1
    }
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    peak=$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")
    echo "$target: $executions executions in $seconds s, peak $peak MiB"
done
