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
. benches/program.sh
xmlperf=$(realpath "$XMLPERF")

"$xmlperf" serve --port 0 --workers 1 >"$work/address" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$work"' EXIT INT TERM
until [ -s "$work/address" ]; do sleep 0.1; done
url=$(sed -n 's|^listening on \(http://[^/ ]*\).*|\1|p' "$work/address")

cd "$work"
printf '[target]\nurl = "%s"\nready = "/xml-compare-api/health"\n[sampling]\nlaunches = 1\nload = "3 s"\n' "$url" >xmlperf.toml
"$xmlperf" export wrk "$scenario" --duration 3s --output wrk
sed -n 's/^--   wrk /wrk /p' wrk/script.lua >command.sh

cat >line.py <<'PY'
# A line a round, and behind it what is compared at the end.
import json, re, sys
rows = {row["metric"]: row["head"] for row in json.load(open("report.json"))["metrics"]}
printed = open("printed").read()
theirs = float(re.search(r"^xmlperf: ([0-9.]+) [a-z]+/s$", printed, re.M)[1])
times = json.load(open("imported.json"))["head"]["series"][0]["times"]["percentiles_ns"]
wrong = sum(map(int, re.search(r"wrong status (\d+), wrong count (\d+), wrong answer (\d+)", printed).groups()))
ours = rows["throughput"]
def ms(ns):
    return f"{ns / 1e6:.3f} ms"
print(f"round {sys.argv[1]}: load engine {ours:.0f}/s, p50 {ms(rows['p50'])};"
      f" wrk {theirs:.0f}/s, p50 {ms(times['p50'])}, {wrong} wrong answers")
open("rates", "a").write(f"{ours} {theirs}\n")
PY

round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    (cd wrk && sh ../command.sh) >printed || { cat printed; exit 1; }
    "$xmlperf" import printed --format json >imported.json
    "$xmlperf" run --scenario "$scenario" --lane time --plain --format json >report.json 2>said || { cat said; exit 1; }
    python3 line.py "$round"
done
python3 - <<'PY'
import statistics
rates = [[float(word) for word in line.split()] for line in open("rates")]
ours, theirs = (statistics.median(column) for column in zip(*rates))
print(f"median: load engine {ours:.0f}/s, wrk {theirs:.0f}/s; load engine/wrk {ours / theirs:.3f}")
PY
