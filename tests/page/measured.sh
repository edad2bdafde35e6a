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
    # A limit that a busy machine breaks is a report as well.
    "$program" run --plain --lane time --scenario $kind >/dev/null 2>log || [ -f .xmlperf/report/run.json ] ||
        { cat log >&2; exit 1; }
    mv .xmlperf/report/run.json "$folder/$kind.json"
done
