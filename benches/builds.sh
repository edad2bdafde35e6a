#!/bin/sh
# What the builds of a comparison take: a small HTTP API in each of three ecosystems, the first time on a machine and
# with the next commit, beside what the same two builds take in two fresh checkouts, as a job without xmlperf does it.
#
#   benches/builds.sh                  all
#   benches/builds.sh cargo npm        some: cargo, npm, go
#   XMLPERF=PATH benches/builds.sh …   this build of xmlperf
#
# The first time fetches dependencies by their names into a home folder of its own. Needs git, python3 and the tools of
# each ecosystem. Load goes to 127.0.0.1 only.
set -eu
cd "$(dirname "$0")/.."
. benches/program.sh
export PYTHONDONTWRITEBYTECODE=1
exec python3 benches/builds/builds.py "$@"
