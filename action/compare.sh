#!/usr/bin/env bash
# Measures, which runs the code of the change: nothing that must stay secret is in its environment,
# and nothing that it prints is a command to the runner. Never fails: what became of it is for the
# next step, which knows how to say so.
set -euo pipefail

# What may pass is listed, in the file that xmlperf itself has, by the input pass-env, and here: the
# inputs, and what the runner says of the event. A new process instead of `unset`: what a process was
# started with stays readable in /proc.
if [ -z "${XMLPERF_WITHOUT_SECRETS:-}" ]; then
    mapfile -t allowed < <(grep -v -e '^#' -e '^$' "${BASH_SOURCE[0]%/*}/../crates/units/src/environment.txt")
    pass_env=${XMLPERF_PASS_ENV:-}
    read -r -d '' -a passed <<< "${pass_env//,/ }" || true
    withheld=()
    while IFS= read -r name; do
        case $name in
            XMLPERF_* | BASH* | GITHUB_ACTIONS | GITHUB_ACTOR | GITHUB_API_URL | GITHUB_BASE_REF) continue ;;
            GITHUB_EVENT_NAME | GITHUB_EVENT_PATH | GITHUB_HEAD_REF | GITHUB_OUTPUT) continue ;;
            GITHUB_REF | GITHUB_REF_NAME | GITHUB_REPOSITORY | GITHUB_RUN_ID) continue ;;
            GITHUB_RUN_ATTEMPT | GITHUB_SERVER_URL | GITHUB_SHA | GITHUB_WORKSPACE) continue ;;
            RUNNER_ENVIRONMENT) continue ;;
        esac
        for pattern in "${allowed[@]}" "${passed[@]}"; do
            # shellcheck disable=SC2053 # the right side is a pattern
            [[ $name != $pattern ]] || continue 2
        done
        withheld+=("$name")
    done < <(compgen -e)
    exec env "${withheld[@]/#/--unset=}" WITHHELD_VARIABLES="${withheld[*]}" XMLPERF_WITHOUT_SECRETS=1 \
        "$BASH" "${BASH_SOURCE[0]}"
fi

command=${XMLPERF_COMMAND:?is set by action.yml}
bin=${XMLPERF_BIN:?is set by action.yml}
baseline=${XMLPERF_BASELINE:-auto}
mode=${XMLPERF_MODE:-auto}
output=${GITHUB_OUTPUT:?is set by the runner}
out=.xmlperf
report=$out/report
log=$report/compare.log

# shellcheck source=action/scenarios.sh
. "${BASH_SOURCE[0]%/*}/scenarios.sh"

# Ends with CODE, said to the next step.
ended() {
    echo "exit=$1" >> "$output"
    exit 0
}

if ! cd "${XMLPERF_WORKING_DIRECTORY:-.}"; then
    echo '::error title=xmlperf::the input working-directory is no folder of the checkout'
    ended 2
fi
echo "report-dir=${XMLPERF_WORKING_DIRECTORY:-.}/$report" >> "$output"
case $command in
    compare | merge | run) ;;
    page | report | save) exit 0 ;;
    *)
        echo '::error title=xmlperf::the input command is one of compare, run, merge, page, report and save'
        ended 2
        ;;
esac

mkdir -p "$report"
rm -f "$report/run.json"
: > "$log"

case ${GITHUB_EVENT_NAME:-} in
    pull_request_target | workflow_run)
        echo "refusing to run the code of a change in a \`$GITHUB_EVENT_NAME\` workflow, which has the rights of this repository: measure in a \`pull_request\` workflow, and publish here with \`command: report\`" | tee "$log"
        ended 2
        ;;
esac
if git config --get-regexp '^http\..*\.extraheader$' > /dev/null 2>&1; then
    echo '::warning title=xmlperf::the checkout keeps a token that the measured code can read: give actions/checkout the input persist-credentials: false'
fi

common=(--plain --out "$out")
[ -z "${XMLPERF_CONFIG:-}" ] || common+=(--config "$XMLPERF_CONFIG")
mapfile -t -O "${#common[@]}" common < <(scenario_arguments)
[ -z "${XMLPERF_SHARD:-}" ] || common+=("--shard=$XMLPERF_SHARD")
[ -z "${XMLPERF_SHARD_TIMES:-}" ] || common+=("--shard-times=$XMLPERF_SHARD_TIMES")
shards=()
[ -z "${XMLPERF_SHARDS:-}" ] || shards=("$XMLPERF_SHARDS"/*/)
paired=()
[ -z "${XMLPERF_BUDGET:-}" ] || paired+=("--budget=$XMLPERF_BUDGET")
[ -z "${XMLPERF_CONFIRM:-}" ] || paired+=("--confirm=$XMLPERF_CONFIRM")
[ "$mode" = auto ] || paired+=("--mode=$mode")
[ -z "${XMLPERF_STORE:-}" ] || paired+=("--store=$XMLPERF_STORE")
# The record of the attempts goes with the report, so that a workflow that is started again finds it in
# its artifact, unless a store has it. A fork's stays in the fork's run. A shard keeps none: its evidence is that of
# the whole.
attempts=$report/attempts
[ -z "${XMLPERF_ATTEMPTS:-}" ] || attempts=$out/attempts
[ "$mode" = stored ] || [ -n "${XMLPERF_SHARD:-}" ] || paired+=("--attempts=$attempts")
# Stored runs are called after the branch that they are of.
if [ "$mode" = stored ] && [ "$baseline" = auto ]; then
    baseline=${GITHUB_BASE_REF:-${GITHUB_REF_NAME:?is set by the runner}}
fi

# What the measured code has no use for: how to speak to later steps, and what it is measured for.
unset "${!XMLPERF_@}" GITHUB_ENV GITHUB_OUTPUT GITHUB_PATH GITHUB_STATE GITHUB_STEP_SUMMARY

if [ "$command" = compare ] && [ "$baseline" = auto ]; then
    if ! baseline=$("$bin" baseline auto 2> "$log"); then
        cat "$log"
        ended 2
    fi
    [ -n "$baseline" ] || echo 'there is no commit before this one: measuring without a base'
fi
if [ "$command" = merge ]; then
    arguments=(merge "--out=$out" -- "${shards[@]}")
elif [ "$command" = compare ] && [ -n "$baseline" ]; then
    arguments=(compare "${common[@]}" "${paired[@]}" "--baseline=$baseline")
else
    arguments=(run "${common[@]}")
fi

# What the measured code prints stands between these lines, and is no command to the runner there.
word=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "::stop-commands::$word"
set +e
"$bin" "${arguments[@]}" 2>&1 | tee -a "$log"
code=${PIPESTATUS[0]}
set -e
echo "::$word::"
ended "$code"
