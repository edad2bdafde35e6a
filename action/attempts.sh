#!/usr/bin/env bash
# Carries the record of attempts at a comparison between its store and the job, by whatever keys the step has:
# `fetch` before anything of the change runs, so that the step that measures needs no keys; `keep` when all is
# measured and judged. Nothing of a fork's pull request is exchanged.
set -euo pipefail

cd "${XMLPERF_WORKING_DIRECTORY:-.}"

report=.xmlperf/report
store=("--store=${XMLPERF_ATTEMPTS:?is set by action.yml}")
case ${1:?fetch or keep} in
    fetch) exec "$XMLPERF_BIN" baseline fetch-attempts "${store[@]}" --into="$report/attempts" ;;
    keep)
        runs=()
        for run in "$report/run.json" "$report/confirmation/run.json"; do
            [ ! -f "$run" ] || runs+=("--from=$run")
        done
        # What could not be measured is no attempt.
        [ ${#runs[@]} -gt 0 ] || exit 0
        exec "$XMLPERF_BIN" baseline keep-attempts "${store[@]}" "${runs[@]}"
        ;;
esac
