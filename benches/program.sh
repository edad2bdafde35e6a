#!/bin/sh
# Read by scripts beside it, in the repository's folder: XMLPERF is the program that they measure with, a release build
# of this tree unless one is named.
if [ -z "${XMLPERF:-}" ]; then
    cargo build --release --locked --quiet
    XMLPERF=${CARGO_TARGET_DIR:-$PWD/target}/release/xmlperf
fi
export XMLPERF
