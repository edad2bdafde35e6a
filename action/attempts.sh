#!/usr/bin/env bash
# Carries the record of attempts at a comparison between its store and the job, by whatever keys the step has:
# `fetch` before anything of the change runs, so that the step that measures needs no keys; `keep` when all is
# measured and judged. Nothing of a fork's pull request is exchanged.
set -euo pipefail

cd "${XMLPERF_WORKING_DIRECTORY:-.}"

# Beside the report, which is uploaded: the store may have the records of many comparisons.
out=.xmlperf
store=("--store=${XMLPERF_ATTEMPTS:?is set by action.yml}")
case ${1:?fetch or keep} in
    fetch) exec "$XMLPERF_BIN" baseline fetch-attempts "${store[@]}" --into="$out/attempts" ;;
    keep)
        # A job that measures and says nothing leaves the verdict to another one, and the keys to write as well.
        words="${XMLPERF_COMMAND:?is set by action.yml} $XMLPERF_FAIL_ON $XMLPERF_COMMENT $XMLPERF_CHECK"
        [ "$words" != 'compare never never none' ] || exit 0
        runs=()
        for run in "$out/report/run.json" "$out/report/confirmation/run.json"; do
            [ ! -f "$run" ] || runs+=("--from=$run")
        done
        # What could not be measured is no attempt.
        [ ${#runs[@]} -gt 0 ] || exit 0
        exec "$XMLPERF_BIN" baseline keep-attempts "${store[@]}" "${runs[@]}"
        ;;
esac
