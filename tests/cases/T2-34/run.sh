#!/bin/sh
# `trend --csv` on a file with a column of text: "`main` is not a number above 0". Right: it is left out.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
echo time,commit,branch,speed > h.csv
for i in 10 11 12 13 14 15 16 17 18 19; do echo "2024-01-$i,c$i,main,$i.5" >> h.csv; done
out=$(timeout 30 "$x" trend --csv h.csv 2>&1)
code=$?
[ "$code" -eq 0 ] && printf '%s' "$out" | grep -q 'speed' && pass
fail "exit $code: one column makes the whole file useless"
