#!/usr/bin/env bash
# Pushes the images in dist/ to the registry of the repository, and joins them under the version and its major one.
# Runs after publish.sh: a version that exists has stopped it.
set -euo pipefail
cd "$(dirname "$0")/../.."

engine=${CONTAINER_ENGINE:-docker}
version=v$(sed -n '/^\[workspace\.package\]/,/^$/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
name=ghcr.io/${GITHUB_REPOSITORY,,}
"$engine" login ghcr.io --username "$GITHUB_ACTOR" --password-stdin <<< "$GH_TOKEN"
parts=()
for arch in amd64 arm64; do
    "$engine" load --input "dist/xmlperf-image-$arch.tar"
    "$engine" tag "localhost/xmlperf:$arch" "$name:$version-$arch"
    "$engine" push "$name:$version-$arch"
    parts+=("$name:$version-$arch")
done
for tag in "$version" "${version%%.*}"; do
    "$engine" manifest create "$name:$tag" "${parts[@]}"
    "$engine" manifest push "$name:$tag"
done
