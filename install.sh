#!/bin/sh
# Installs the xmlperf program of a release: fetches its archive, holds it against its checksum, and puts program,
# completions and manual below one folder.
#
#   XMLPERF_PREFIX     where to, by default ~/.local: bin, share/man and the folders of completions are below it
#   XMLPERF_VERSION    such as v1.2.3; by default the latest
#   XMLPERF_SHA256     what the archive must be, where the checksums of the release are not enough
#   XMLPERF_RELEASES   where releases are
set -eu

releases=${XMLPERF_RELEASES:-https://github.com/org/xmlperf-action/releases}
prefix=${XMLPERF_PREFIX:-$HOME/.local}

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

case "$(uname -s) $(uname -m)" in
    'Linux x86_64') platform=x86_64-unknown-linux-musl ;;
    'Linux aarch64' | 'Linux arm64') platform=aarch64-unknown-linux-musl ;;
    'Darwin x86_64') platform=x86_64-apple-darwin ;;
    'Darwin arm64') platform=aarch64-apple-darwin ;;
    *) fail "there is no program for $(uname -s) on $(uname -m): use the container image, or build it by cargo" ;;
esac

if [ -n "${XMLPERF_VERSION:-}" ]; then
    from=$releases/download/v${XMLPERF_VERSION#v}
else
    from=$releases/latest/download
fi

# Only HTTPS, but for servers of this machine, which tests use.
case $from in
    https://* | http://127.0.0.1:*) ;;
    *) fail "$from is not an address of HTTPS" ;;
esac

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Fetches the file NAME of the release.
fetch() {
    curl --fail --silent --show-error --location --retry 3 --max-time 300 --output "$scratch/$1" "$from/$1" ||
        fail "failed to fetch $from/$1"
}

# Whether the file FILE has the checksum SUM. A Mac has another program for it.
has_sum() {
    case $platform in
        *-apple-darwin) echo "$2  $1" | shasum -a 256 --check --status ;;
        *) echo "$2  $1" | sha256sum --check --status ;;
    esac
}

fetch SHA256SUMS
line=$(grep -- "-$platform.tar.gz\$" "$scratch/SHA256SUMS") || fail "the release has no archive for $platform"
archive=${line##* }
# A name is one of a file beside the checksums, and no path.
case $archive in
    */* | '') fail "$archive is no name of an archive" ;;
esac
sum=${XMLPERF_SHA256:-${line%% *}}
fetch "$archive"
has_sum "$scratch/$archive" "$sum" ||
    fail "the checksum of $archive is not $sum: nothing of it was installed"

mkdir "$scratch/new"
tar -xzf "$scratch/$archive" -C "$scratch/new"

# Puts the file FROM of the archive, if it is there, to TO, with the rights MODE.
put() {
    [ -f "$scratch/new/$1" ] || return 0
    mkdir -p "$(dirname "$2")"
    install -m "$3" "$scratch/new/$1" "$2"
}

put xmlperf "$prefix/bin/xmlperf" 755
put completions/xmlperf.bash "$prefix/share/bash-completion/completions/xmlperf" 644
put completions/xmlperf.fish "$prefix/share/fish/vendor_completions.d/xmlperf.fish" 644
put completions/_xmlperf "$prefix/share/zsh/site-functions/_xmlperf" 644
for page in "$scratch"/new/man/*.1; do
    put "man/${page##*/}" "$prefix/share/man/man1/${page##*/}" 644
done

version=$("$prefix/bin/xmlperf" --version)
echo "$version is in $prefix/bin"
case $platform in
    *-apple-darwin) echo 'on a Mac it attaches to what runs already; to launch what it measures, use the container image' ;;
esac
case :$PATH: in
    *:"$prefix/bin":*) ;;
    *) echo "add it to PATH: export PATH=\"$prefix/bin:\$PATH\"" ;;
esac
