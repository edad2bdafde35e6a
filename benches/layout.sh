#!/bin/sh
# Makes changes that do nothing but move functions, of a small HTTP service in Rust, one in C and one in Go,
# and prints how much CPU time xmlperf finds that they cost: as built, with the functions of both sides at
# the same addresses, and with their order drawn for each launch pair (in Go for each side by itself). Behind
# each, what xmlperf said, and how far the launch pairs scatter.
#
#   benches/layout.sh                 20 changes in each language (hours)
#   benches/layout.sh rust 5          some, in one of them
#   benches/layout.sh drawn 20        by one way only: as-built, matched or drawn
#   benches/layout.sh slower drawn 10 the same changes with some percent more work a request
#   LAUNCH_PAIRS=20 LOAD='500 ms' benches/layout.sh c 5
#   XMLPERF=PATH benches/layout.sh …  this build of xmlperf
#
# Needs cc, rustc, ld.lld, Go 1.22 or later, git and python3. Load goes to 127.0.0.1 only.
set -eu
cd "$(dirname "$0")/.."
. benches/program.sh
exec python3 benches/truth/layout.py "$@"
