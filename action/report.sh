#!/usr/bin/env bash
# Publishes what was measured, or writes its page for a step that uploads it; its exit code is the job's.
set -euo pipefail

# shellcheck source=action/scenarios.sh
. "${BASH_SOURCE[0]%/*}/scenarios.sh"

cd "${XMLPERF_WORKING_DIRECTORY:-.}"

record=()
[ -z "$XMLPERF_ARTIFACT_RUN_ID" ] ||
    record+=(--artifact "$XMLPERF_ARTIFACT" --artifact-run-id "$XMLPERF_ARTIFACT_RUN_ID")

# The page is something to look at: that it is missing is for the step that publishes to explain, which reads the
# same record.
if [ "$XMLPERF_COMMAND" = page ]; then
    "$XMLPERF_BIN" report github --comment-id "$XMLPERF_COMMENT_ID" "${record[@]}" \
        --page-dir "${RUNNER_TEMP:?is set by the runner}/xmlperf-page" ||
        echo '::notice title=xmlperf::there is no page: the step that publishes says why'
    exit 0
fi

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
    report) arguments+=("${record[@]}") ;;
esac
[ -z "${XMLPERF_PAGE_URL:-}" ] || arguments+=(--page-url "$XMLPERF_PAGE_URL")
[ -z "${XMLPERF_COMPARE_EXIT:-}" ] || arguments+=(--compare-exit "$XMLPERF_COMPARE_EXIT")

exec "$XMLPERF_BIN" report github "${arguments[@]}"
