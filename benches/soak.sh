#!/bin/sh
# Measures for a long time, and watches xmlperf itself: does its memory grow, do its descriptors and threads?
#
#   benches/soak.sh          30 minutes
#   benches/soak.sh 60       so many seconds
#   XMLPERF=PATH benches/soak.sh …  this build of xmlperf
#
# Half of the time is one load without an end, in which memory must not grow; half is launch pairs, of
# each of which the record keeps the numbers. Ends with 1 if memory, descriptors or threads grow.
# Needs python3. Load goes to 127.0.0.1 only.
set -eu
cd "$(dirname "$0")/.."
. benches/program.sh
exec python3 benches/soak/soak.py "${1:-1800}"
