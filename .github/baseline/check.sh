#!/usr/bin/env bash
# Counts the work of the reference API and sets it against the run that is kept in baselines/. With
# --renew it keeps the new run as well.
set -euo pipefail
cd "$(dirname "$0")/../.."

cargo build --release --locked
xmlperf=target/release/xmlperf
"$xmlperf" run --lane work --plain

status=0
if [ -d baselines/main ]; then
    "$xmlperf" baseline check main || status=$?
else
    echo "::warning title=Baseline::no run is kept yet; run the workflow Baseline by hand to begin"
fi
case $status in
    0) ;;
    # Counted by another valgrind, or compiled by another compiler: the numbers do not compare.
    3) echo "::warning title=Baseline::not comparable with the kept run; run the workflow Baseline by hand to renew it" ;;
    *) [ "${1:-}" = --renew ] || exit "$status" ;;
esac

if [ "${1:-}" = --renew ]; then
    "$xmlperf" baseline save main
    "$xmlperf" baseline prune main --keep 10
    "$xmlperf" baseline verify
fi
