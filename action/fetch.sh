#!/usr/bin/env bash
# Copies the runs that head is held against into a folder, by whatever keys the step has, before anything
# of the change runs: the step that measures gets the copy, and no keys. A store that cannot be read, or has
# no such history, is for that step to say.
set -euo pipefail

output=${GITHUB_OUTPUT:?is set by the runner}
cd "${XMLPERF_WORKING_DIRECTORY:-.}" || exit 0
# What a change has checked in under this name is not what was fetched.
rm -rf .xmlperf/fetched

name=$XMLPERF_BASELINE
# Stored runs are called after the branch that they are of.
[ "$name" != auto ] || name=${GITHUB_BASE_REF:-${GITHUB_REF_NAME:?is set by the runner}}
store=()
[ -z "${XMLPERF_STORE:-}" ] || store=("--store=$XMLPERF_STORE")

if "$XMLPERF_BIN" baseline fetch "${store[@]}" --into=.xmlperf/fetched -- "$name"; then
    echo 'store=.xmlperf/fetched' >> "$output"
fi
