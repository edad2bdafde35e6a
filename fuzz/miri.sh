#!/bin/sh
# Interprets the unsafe code that needs no system call which Miri lacks: conversions of memory, and the
# control data of a socket. Takes the nightly compiler with Miri.
#
#   fuzz/miri.sh
set -eu
cd "$(dirname "$0")/.."
toolchain=${MIRI_TOOLCHAIN:-nightly}
rustup component list --installed --toolchain "$toolchain" 2>/dev/null | grep -q '^miri' ||
    rustup toolchain install "$toolchain" --profile minimal --component miri,rust-src --no-self-update
# In a folder of its own: other builds of the workspace have another compiler and other features.
CARGO_TARGET_DIR=target/miri cargo "+$toolchain" miri test --locked --quiet -p xmlperf-load --lib -- arrival::
