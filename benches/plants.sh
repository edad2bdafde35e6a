#!/bin/sh
# Plants changes that cost work beside innocent ones, and prints whether xmlperf names the hunk: by rank, and
# after reverting it.
#
#   benches/plants.sh                   every plant of each program once
#   benches/plants.sh 5                 the first five of each program
#   benches/plants.sh 5 c roxmltree     of some programs: c, service, roxmltree, reference
#   benches/plants.sh service copy      of some kinds
#   benches/plants.sh null 5            so many changes of comments, shape, names and unused code, of each program
#   XMLPERF=PATH benches/plants.sh …    this build of xmlperf
#
# The plants were written before the ranking was tried on them, and are not tuned on. The sources of
# `roxmltree` come from cargo's registry. Needs cc, cargo, git, python3 and valgrind. Load goes to 127.0.0.1 only.
set -eu
cd "$(dirname "$0")/.."
. benches/program.sh
exec python3 benches/truth/plants.py "$@"
