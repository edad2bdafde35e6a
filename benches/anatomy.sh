#!/bin/sh
# Plants what makes a request wait or compute, and prints whether the part that xmlperf names is the one that most of
# the plant was spent in, and its size within a tenth of that, both as the server itself has counted them.
#
#   benches/anatomy.sh                  25 comparisons of each kind, and 100 of a program with itself
#   benches/anatomy.sh 5                five of each
#   benches/anatomy.sh 5 sleep quota    of some kinds: sleep, spin, lock, quota, sync, churn, same
#   XMLPERF=PATH benches/anatomy.sh …   this build of xmlperf
#   KEPT=FOLDER benches/anatomy.sh …     also keeps each record, and what was planted
#
# Needs cc and python3; quota also a control group for processors, so root. Load goes to 127.0.0.1 only.
set -eu
cd "$(dirname "$0")/.."
. benches/program.sh
exec python3 benches/truth/anatomy.py "$@"
