#!/bin/sh
# Where the seconds of a pull request go, from its push to its verdict: runs the workflow that `xmlperf init --github`
# writes by act, against a GitHub that keeps state, and prints a table for each kind of change.
#
#   benches/pull_request.sh                      all three: about a quarter of an hour
#   benches/pull_request.sh documentation        one of documentation, adoption, regression
#   BUILD_S=5 benches/pull_request.sh            a build of 5 s of processor time, instead of 90
#   CORES=2 benches/pull_request.sh              each build busy on two cores, instead of one
#   XMLPERF=PATH benches/pull_request.sh …       this build of xmlperf
#
# The API is benches/truth/server.c; its build stands in for a compiler that takes so long where the folder is fresh. Base
# and head are built at the same time (`parallel-builds = true`). Jobs that GitHub starts on fresh machines run one after
# the other on this one. Needs cc, git, npm, python3 and valgrind. Load goes to 127.0.0.1 only.
set -eu
cd "$(dirname "$0")/.."
. benches/program.sh
tests/github/install.sh
XMLPERF_PROGRAM=$(realpath "$XMLPERF")
export XMLPERF_PROGRAM PULL_REQUEST_BUILD_S="${BUILD_S:-90}" PULL_REQUEST_CORES="${CORES:-1}"
echo "$(nproc) cores, load $(cut -d ' ' -f 1 /proc/loadavg); a build takes $PULL_REQUEST_BUILD_S s on $PULL_REQUEST_CORES of them"
[ $# -gt 0 ] || set -- documentation adoption regression
for kind; do
    case $kind in
        documentation) name=a_change_of_documentation_costs_its_builds_and_no_measurement ;;
        adoption) name=the_pull_request_that_adopts_xmlperf_is_measured_and_not_red ;;
        regression) name=a_regression_is_confirmed_and_every_second_of_it_is_accounted_for ;;
        *) echo "\`$kind\` is none of documentation, adoption, regression" >&2; exit 2 ;;
    esac
    cargo test --locked --quiet --test cli -- --ignored --nocapture --exact "github::wall_time::$name"
done
