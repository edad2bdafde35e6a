#!/bin/sh
# Sets an exported wrk run beside the load engine: one scenario, one server, in turn, in one run. Both send the same
# bytes over as many connections and check every answer. Prints a line a round, and the ratio of the medians.
#
#   benches/exported.sh              scenario `concurrent`, 5 rounds of 3 seconds a tool
#   ROUNDS=9 benches/exported.sh smoke
#   XMLPERF=PATH benches/exported.sh     this program, not a fresh build
set -eu
cd "$(dirname "$0")/.."
scenario=${1:-concurrent}
rounds=${ROUNDS:-5}
work=$(mktemp -d)
command -v wrk >/dev/null || apt-get install -y -qq --no-install-recommends wrk
xmlperf=${XMLPERF:-}
[ -n "$xmlperf" ] || {
    cargo build --release --locked --quiet
    xmlperf=${CARGO_TARGET_DIR:-target}/release/xmlperf
}
xmlperf=$(realpath "$xmlperf")

"$xmlperf" serve --port 0 --workers 1 >"$work/address" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$work"' EXIT INT TERM
until [ -s "$work/address" ]; do sleep 0.1; done
url=$(sed -n 's|^listening on \(http://[^/ ]*\).*|\1|p' "$work/address")

cd "$work"
"$xmlperf" export wrk "$scenario" --config /dev/null --url "$url" --duration 3s --output wrk
sed -n 's/^--   wrk /wrk /p' wrk/script.lua >command
printf '[target]\nurl = "%s"\nready = "/xml-compare-api/health"\n[sampling]\nlaunches = 1\nload = "3 s"\n' "$url" >xmlperf.toml

round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    (cd wrk && sh ../command) >printed || { cat printed; exit 1; }
    theirs=$(sed -n 's|^xmlperf: \([0-9.]*\) [a-z]*/s$|\1|p' printed)
    "$xmlperf" run --scenario "$scenario" --lane time --plain --format json --fail-on never >report.json
    ours=$(python3 -c '
import json
rows = json.load(open("report.json"))["metrics"]
print(next(row["head"] for row in rows if row["metric"] == "throughput"))')
    echo "$ours $theirs" >>rates
    echo "round $round: load engine $ours/s, wrk $theirs/s; $(grep -c '' printed) lines, $(grep '^xmlperf: wrong' printed)"
done
python3 - <<'PY'
import statistics
rates = [[float(word) for word in line.split()] for line in open("rates")]
ours, theirs = (statistics.median(column) for column in zip(*rates))
print(f"median: load engine {ours:.0f}/s, wrk {theirs:.0f}/s; load engine/wrk {ours / theirs:.3f}")
PY
