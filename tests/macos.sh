#!/bin/sh
# Tries what runs on every Unix: what launches nothing. Where no target can be launched, as on a Mac, the program is held
# to saying so.
#
#   tests/macos.sh PROGRAM
set -eu
program=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")/.."
work=$(mktemp -d)
servers=
# shellcheck disable=SC2086 # a list of numbers
trap '[ -z "$servers" ] || kill $servers; rm -rf "$work"' EXIT

fail() {
    echo "macos.sh: $1" >&2
    exit 1
}

# Waits until FILE has a line that the expression SED of sed finds something in, and prints that.
awaited() {
    for _ in $(seq 100); do
        found=$(sed -n "$2" "$1" | head -n 1)
        [ -z "$found" ] || {
            echo "$found"
            return
        }
        sleep 0.1
    done
    cat "$1" >&2
    fail "no port in $1"
}

# The bytes that a test of the generator pins on Linux.
"$program" payload --pairs 100000 --seed 42 --output "$work/pairs.json"
python3 - "$work/pairs.json" <<'PYTHON'
import hashlib, sys

found = hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest()
pinned = "e0bbb3ae97da6954eb1127167aa674dea3aea346de914c9c1e6231fe138a9b79"
assert found == pinned, f"the payload is {found}, not {pinned}"
PYTHON

# A record that Linux wrote, and numbers of another tool.
for record in baselines/main/*.json; do
    "$program" report "$record" --format markdown >"$work/report.md"
    grep -q 'measured 3 scenarios' "$work/report.md" || fail "the report of $record says something else"
done
"$program" decide tests/page/pairs.csv --higher-is-better hits --fail-on never >"$work/decision.txt"
grep -q hits "$work/decision.txt" || fail 'the decision has no rows'

# Load on what runs already: a server of Python, and over HTTP/2 the reference API.
mkdir "$work/site" "$work/orders" "$work/reference"
echo '<Order id="1"/>' >"$work/site/order.xml"
python3 -u -m http.server --bind 127.0.0.1 --directory "$work/site" 0 >"$work/python.log" 2>&1 &
servers=$!
port=$(awaited "$work/python.log" 's/.* port \([0-9]*\) .*/\1/p')
cat >"$work/orders/xmlperf.toml" <<TOML
[target]
url = "http://127.0.0.1:$port"
ready = "/order.xml"

[sampling]
launches = 2
lag-max = "50 ms"

[[operation]]
name = "order"
method = "GET"
path = "/order.xml"
expect = [{ xml = "/Order/@id", equals = "1" }]

[[scenario]]
name = "closed"
flow = ["order"]
load = { connections = 2, requests = 200 }

[[scenario]]
name = "open"
flow = ["order"]
load = { model = "poisson", rate = 100, duration = "1 s", connections = 8 }
TOML
"$program" serve --port 0 >"$work/serve.log" 2>&1 &
servers="$servers $!"
port=$(awaited "$work/serve.log" 's/.*127\.0\.0\.1:\([0-9]*\).*/\1/p')
cat >"$work/reference/xmlperf.toml" <<TOML
[target]
url = "http://127.0.0.1:$port"

[sampling]
launches = 2
lag-max = "50 ms"

[[scenario]]
name = "streams"
pairs = 10
load = { model = "constant", rate = 100, duration = "1 s", http = "2" }
TOML
for folder in orders reference; do
    (cd "$work/$folder" && "$program" run --plain) || fail "$folder was not measured"
    python3 - "$work/$folder/.xmlperf/report/run.json" <<'PYTHON'
import json, sys

run = json.load(open(sys.argv[1]))
for scenario in run["scenarios"]:
    launches = scenario["trials"]["single"]
    assert len(launches) == 2, scenario["name"]
    for launch in launches:
        assert launch["requests"] >= 50 and not launch.get("failures"), (scenario["name"], launch.get("failures"))
PYTHON
done

# What is launched: at once, or with what is missing and the way out.
[ "$(uname -s)" != Linux ] || exit 0
mkdir "$work/launch"
code=0
(cd "$work/launch" && "$program" run --reference --scenario smoke --plain) >"$work/launch.txt" 2>&1 || code=$?
cat "$work/launch.txt"
[ $code = 3 ] || fail "a launch that is not possible ended with $code"
grep -q 'a target cannot be launched on' "$work/launch.txt" || fail 'the launch was refused without its reason'
grep -q 'container image' "$work/launch.txt" || fail 'the launch was refused without a way out'
