#!/bin/sh
# Presses re-run: compares the reference API with itself, and with itself doing 3 % more work, each comparison
# once and five times more, by one record of attempts. Prints how often red turned green and how often no change
# turned red, the launch pairs and seconds of each, and beside them what the rule of before (looks after 10, 14,
# 20, 28 and 40 launch pairs, nothing kept between runs) says of the same recorded launch pairs.
#
#   benches/attempts.sh               30 comparisons of each kind: about 40 minutes of a release build
#   benches/attempts.sh 2             so many
#   benches/attempts.sh 30 FOLDER     keep the results there, not below target/attempts; comparisons that are
#                                     there already are not made again, so a run that was ended is taken up
#   PAIRS=20 benches/attempts.sh …    launch pairs of an attempt at most, not 12
#   XMLPERF=PATH benches/attempts.sh …  this build of xmlperf
#
# Needs python3. Load goes to 127.0.0.1 only.
set -eu
cd "$(dirname "$0")/.."
. benches/program.sh
export PYTHONDONTWRITEBYTECODE=1 PAIRS="${PAIRS:-12}"
exec python3 benches/attempts/attempts.py "${1:-30}" "${2:-target/attempts}"
