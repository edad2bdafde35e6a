#!/usr/bin/env bash
# Puts the program that belongs to this version of the action on the runner.
#
# RELEASE holds the address of the release's files and SHA256SUMS what they must be; both are
# committed with the release, so pinning the action pins the program. A checkout without a
# release is built from its source.
set -euo pipefail

action=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target_folder="${RUNNER_TEMP:?is set by the runner}/xmlperf"

fail() {
    echo "::error title=xmlperf::$1"
    exit 1
}

done_with() {
    echo "bin=$1" >> "${GITHUB_OUTPUT:?is set by the runner}"
    "$1" --version
}

platform() {
    case "$(uname -s) $(uname -m)" in
        'Linux x86_64') echo x86_64-unknown-linux-musl ;;
        'Linux aarch64' | 'Linux arm64') echo aarch64-unknown-linux-musl ;;
        *) fail "xmlperf measures on Linux (x86-64 and arm64), this runner is $(uname -s) $(uname -m): use \`runs-on: ubuntu-latest\`" ;;
    esac
}

# Fetches ADDRESS, which must have the checksum SUM, and unpacks the program in it.
fetch() {
    local archive=$target_folder/archive.tar.gz
    curl --fail --silent --show-error --location --proto '=https,file' --retry 3 --max-time 120 \
        --output "$archive" "$1" || fail "failed to fetch $1"
    if ! echo "$2  $archive" | sha256sum --check --status; then
        rm -f "$archive"
        fail "the checksum of $1 is not $2: nothing of it was run"
    fi
    tar -xzf "$archive" -C "$target_folder" xmlperf
    rm -f "$archive"
    done_with "$target_folder/xmlperf"
}

build() {
    command -v cargo > /dev/null ||
        fail 'this version of the action has no program for the runner, and there is no cargo to build one: pin a release, or install Rust first'
    echo "no release: building xmlperf from $action"
    cargo install --locked --quiet --path "$action" --root "$target_folder/cargo"
    done_with "$target_folder/cargo/bin/xmlperf"
}

platform=$(platform) || { echo "$platform"; exit 1; }
mkdir -p "$target_folder"
release=$(cat "$action/action/RELEASE")

if [ -n "${XMLPERF_VERSION:-}" ]; then
    version=${XMLPERF_VERSION#v}
    [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail 'the input version is not of the form 1.2.3'
    [[ ${XMLPERF_CHECKSUM:-} =~ ^[0-9a-f]{64}$ ]] ||
        fail 'the input version needs checksum, the SHA-256 of its archive for this runner in 64 lower-case digits'
    [ -n "$release" ] || fail 'the input version needs a released action: this one does not know where releases are'
    fetch "${release%/v*}/v$version/xmlperf-v$version-$platform.tar.gz" "$XMLPERF_CHECKSUM"
elif line=$(grep -- "-$platform.tar.gz\$" "$action/action/SHA256SUMS"); then
    read -r sum name <<< "$line"
    fetch "$release/$name" "$sum"
else
    build
fi
