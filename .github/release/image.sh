#!/usr/bin/env bash
# Builds the container image from what pack.sh left for TARGET, tries it, and saves it in dist/. Another engine than
# docker, and another base than that of the Dockerfile, by CONTAINER_ENGINE and CONTAINER_BASE.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${TARGET:?the target of the program}
engine=${CONTAINER_ENGINE:-docker}
base=()
[ -z "${CONTAINER_BASE:-}" ] || base=(--build-arg "BASE=$CONTAINER_BASE")
case $target in
    x86_64-*) arch=amd64 ;;
    aarch64-*) arch=arm64 ;;
    *) echo "no image for $target" >&2; exit 1 ;;
esac
image=localhost/xmlperf:$arch

"$engine" build --tag "$image" "${base[@]}" --file Dockerfile "dist/package-$target"

run() { "$engine" run --rm "$@"; }
run "$image" --version
[ "$(run --entrypoint id "$image" -u)" = 1000 ] || { echo 'the image runs as root' >&2; exit 1; }
run --entrypoint valgrind "$image" --version
# A whole measurement: the reference API under load, and under callgrind.
run "$image" run --reference --scenario smoke --plain

"$engine" save --output "dist/xmlperf-image-$arch.tar" "$image"
