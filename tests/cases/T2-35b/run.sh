#!/bin/sh
# `trend --csv`: one run has `NaN` for one metric, and the file was refused. Right: a gap of that metric.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
echo commit,cpu,alloc > h.csv
for i in 10 11 12 13 14 15 16 17 18 19; do
    [ "$i" = 14 ] && a=NaN || a=$i
    echo "c$i,$i.5,$a" >> h.csv
done
out=$(timeout 30 "$x" trend --csv h.csv 2>&1)
code=$?
[ "$code" -eq 0 ] && printf '%s' "$out" | grep -q 'cpu' && pass
fail "exit $code: one field makes the whole file useless"
