#!/bin/sh
# Runs the cases of public bug reports against a built program, two at a time, each in bounded time.
#
#   tests/cases.sh PROGRAM            all of them
#   tests/cases.sh PROGRAM T2-08 ...  some of them
#
# Each prints PASS or FAIL with the reason. Load goes to this machine only.
set -eu
case ${1:?the program} in /*) XMLPERF=$1 ;; *) XMLPERF=$PWD/$1 ;; esac
export XMLPERF
shift
cd "$(dirname "$0")/cases"
[ $# -gt 0 ] || set -- */
results=$(mktemp)
trap 'rm -f "$results"' EXIT
# shellcheck disable=SC2016 # for the shell that runs each
printf '%s\n' "$@" | xargs -P 2 -I '{}' sh -c '
    id=${1%/}
    said=$(timeout -k 5 120 sh "./$id/run.sh" 2>&1) || :
    last=$(printf "%s\n" "$said" | tail -n 1)
    case $last in
        PASS*) ;;
        *) printf "%s\n" "$said" | sed "s/^/    /" ;;
    esac
    printf "%s %s\n" "$id" "${last:-FAIL: no answer within two minutes}"
' sh '{}' | tee "$results"
! grep -Evq '^    |^[A-Z0-9a-z-]+ PASS' "$results"
