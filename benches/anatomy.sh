#!/bin/sh
# Plants what makes a request wait or compute, and prints whether the part that xmlperf names is the right one, and
# its size within a tenth of what the plant itself took.
#
#   benches/anatomy.sh                  25 comparisons of each kind, and 100 of a program with itself
#   benches/anatomy.sh 5                five of each
#   benches/anatomy.sh 5 sleep quota    of some kinds: sleep, spin, lock, quota, sync, churn, same
#   XMLPERF=PATH benches/anatomy.sh …   this build of xmlperf
#
# Needs cc and python3; quota also a control group for processors, so root. Load goes to 127.0.0.1 only.
set -eu
cd "$(dirname "$0")/.."
. benches/program.sh
exec python3 benches/truth/anatomy.py "$@"
