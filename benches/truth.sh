#!/bin/sh
# Asks xmlperf about changes whose answer is known: none at all, and planted ones. Prints a line for
# each comparison and the counts at the end.
#
#   benches/truth.sh                       everything, at the sizes of docs/how-it-decides.md (hours)
#   benches/truth.sh copies 40             two copies of one program
#   benches/truth.sh placement 10          pairs of files whose pages lie badly: as they lie, and drawn anew
#   benches/truth.sh builds 20             two builds of one commit, in two folders
#   benches/truth.sh documents 20          commits that change documentation only, by their names
#   benches/truth.sh innocent 20           changes that move functions and do nothing
#   benches/truth.sh slower 20             3 % more CPU
#   benches/truth.sh planted 5             each planted change of truth/server.c and truth/server.py
#   benches/truth.sh planted 1 lock stall  some of them
#   XMLPERF=PATH benches/truth.sh …        this build of xmlperf
#
# Needs cc, git and python3. Load goes to 127.0.0.1 only.
set -eu
cd "$(dirname "$0")/.."
. benches/program.sh
exec python3 benches/truth/truth.py "$@"
