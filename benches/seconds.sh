#!/bin/sh
# Where the seconds of a verdict go: compares the reference API with itself and with itself doing 10 % more work,
# one comparison after the other, and prints what each took beside what it is to take, with the ledger of
# `--timings`.
#
#   benches/seconds.sh               every row: about four minutes of a release build on a quiet machine
#   benches/seconds.sh three one     some rows: three, one, slower, work, identical, github
#   XMLPERF=PATH benches/seconds.sh …    this build of xmlperf
#
# Needs git and python3, and valgrind for `work`. Load goes to 127.0.0.1 only.
set -eu
cd "$(dirname "$0")/.."
. benches/program.sh
export PYTHONDONTWRITEBYTECODE=1
exec python3 benches/seconds/seconds.py "$@"
