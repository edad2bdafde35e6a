#!/usr/bin/env bash
# Publishes what was measured; its exit code is the job's.
set -euo pipefail

# shellcheck source=action/scenarios.sh
. "${BASH_SOURCE[0]%/*}/scenarios.sh"

cd "${XMLPERF_WORKING_DIRECTORY:-.}"

arguments=(
    --fail-on "$XMLPERF_FAIL_ON"
    --comment "$XMLPERF_COMMENT"
    --comment-id "$XMLPERF_COMMENT_ID"
    --check "$XMLPERF_CHECK"
)
[ -z "$XMLPERF_CONFIG" ] || arguments+=(--config "$XMLPERF_CONFIG")
mapfile -t -O "${#arguments[@]}" arguments < <(scenario_arguments)
case $XMLPERF_COMMAND in
    run) arguments+=(--alone) ;;
    report)
        [ -z "$XMLPERF_ARTIFACT_RUN_ID" ] ||
            arguments+=(--artifact "$XMLPERF_ARTIFACT" --artifact-run-id "$XMLPERF_ARTIFACT_RUN_ID")
        ;;
esac
[ -z "${XMLPERF_COMPARE_EXIT:-}" ] || arguments+=(--compare-exit "$XMLPERF_COMPARE_EXIT")

exec "$XMLPERF_BIN" report github "${arguments[@]}"
