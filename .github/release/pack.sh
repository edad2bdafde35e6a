#!/usr/bin/env bash
# Packs PROGRAM for TARGET into dist/: the program, its completions and manual, the licences, and the script that
# writes notes on GitLab. dist/package-TARGET keeps them side by side, for the container image.
set -euo pipefail
cd "$(dirname "$0")/../.."

program=${1:?the program} target=${2:?its target}
version=$("$program" --version | cut -d ' ' -f 2)
package=dist/package-$target
rm -rf "$package"
mkdir -p "$package/completions"
cp "$program" "$package/xmlperf"
cp gitlab/note.sh "$package/gitlab-note.sh"
cp LICENSE-APACHE LICENSE-MIT "$package"
"$program" completions bash > "$package/completions/xmlperf.bash"
"$program" completions fish > "$package/completions/xmlperf.fish"
"$program" completions zsh > "$package/completions/_xmlperf"
"$program" man "$package/man" > /dev/null

# The same input gives the same archive. Names without a folder before them: the action unpacks `xmlperf` alone.
# The `tar` of a Mac knows none of these options; its runners have that of GNU beside it.
tar=tar
[ "$(uname -s)" != Darwin ] || tar=gtar
"$tar" --create --gzip --file "dist/xmlperf-v$version-$target.tar.gz" \
    --sort=name --owner=0 --group=0 --numeric-owner --mtime='1970-01-01' \
    --directory "$package" LICENSE-APACHE LICENSE-MIT completions gitlab-note.sh man xmlperf
