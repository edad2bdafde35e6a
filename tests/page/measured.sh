#!/bin/sh
# Measures what no fixture has, on the reference API inside the program: a soak, and a search for the capacity.
#
#   tests/page/measured.sh PROGRAM FOLDER
set -eu
program=$1
folder=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

for kind in soak capacity; do
    "$program" run --plain --lane time --scenario $kind --budget 40s --fail-on never >/dev/null 2>log ||
        { cat log >&2; exit 1; }
    cp .xmlperf/report/run.json "$folder/$kind.json"
done
