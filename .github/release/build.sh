#!/usr/bin/env bash
# Builds the program for TARGET, static where that is Linux, and packs it into dist/.
set -euo pipefail
cd "$(dirname "$0")/../.."

case $TARGET in
    *-linux-musl)
        sudo apt-get install --yes --no-install-recommends musl-tools
        export "CC_${TARGET//-/_}=musl-gcc"
        ;;
esac
rustup target add "$TARGET"
# A quarter of the size; the program is not debugged on a runner.
export CARGO_PROFILE_RELEASE_STRIP=debuginfo
# What `init --github` writes into workflows: the tag that this release gets.
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
export XMLPERF_ACTION="${GITHUB_REPOSITORY:?is set by the runner}@v$version"
cargo build --release --locked --target "$TARGET"
program=target/$TARGET/release/xmlperf
version=$("$program" --version | cut -d ' ' -f 2)
"$program" payload --pairs 10 --seed 42 > /dev/null

.github/release/pack.sh "$program" "$TARGET"

# What the program is made of, to see whether an advisory concerns it.
cargo install --locked --quiet cargo-cyclonedx@0.5.9
cargo cyclonedx --format json --target "$TARGET" --override-filename sbom
mv sbom.json "dist/xmlperf-v$version-$TARGET.cdx.json"
