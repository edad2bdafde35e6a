#!/usr/bin/env bash
# Keeps a run that was measured before as a baseline. Runs nothing of the repository, so that this step,
# and no other, may have the rights to write to the store.
set -euo pipefail

cd "${XMLPERF_WORKING_DIRECTORY:-.}"

name=$XMLPERF_BASELINE
[ "$name" != auto ] || name=${GITHUB_REF_NAME:?is set by the runner}
store=()
[ -z "$XMLPERF_STORE" ] || store=("--store=$XMLPERF_STORE")

exec "$XMLPERF_BIN" baseline save "${store[@]}" -- "$name"
