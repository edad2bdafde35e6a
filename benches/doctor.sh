#!/bin/sh
# Does `xmlperf doctor` say rightly how small a change can be found? Under three loads of the machine it predicts what a
# comparison of a minute finds; then such a comparison of the build with itself says what its own scatter shows.
#
#   benches/doctor.sh            ten times a load: 40 minutes of a release build
#   benches/doctor.sh 2          so many times
#   XMLPERF=PATH benches/doctor.sh …  this build of xmlperf
#
# The loads are none, one busy process, and one on every processor. Ends with 1 if the mean prediction of a metric is
# more than a factor of 1.25 off. Needs python3. Load goes to 127.0.0.1 only.
set -eu
cd "$(dirname "$0")/.."
. benches/program.sh
exec python3 benches/doctor/doctor.py "${1:-10}"
