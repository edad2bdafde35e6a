#!/usr/bin/env bash
# Prints what can be counted about this tree, and about other checkouts beside it, as a table.
#
#   tests/figures.sh                        this tree
#   tests/figures.sh ../before .            two trees, such as a worktree of an older commit
#   tests/figures.sh --build --test         with the seconds of a release build from nothing,
#                                           and of the tests once they are built
#
# tests/architecture counts, so that a figure of an older tree is counted as those of today.
set -euo pipefail

build=false test=false trees=()
for argument; do
    case $argument in
        --build) build=true ;;
        --test) test=true ;;
        *) trees+=("$(realpath "$argument")") ;;
    esac
done
cd "$(dirname "$0")/.."
[ ${#trees[@]} -gt 0 ] || trees=("$PWD")

columns=$(mktemp -d)
trap 'rm -rf "$columns"' EXIT

# Seconds that a command takes, which may print on standard error only.
seconds() {
    local start=$SECONDS
    "$@" > /dev/null
    echo $((SECONDS - start))
}

release_build() {
    (cd "$1" && CARGO_TARGET_DIR=$columns/target cargo build --release --locked --quiet)
}

run_tests() {
    (cd "$1" && cargo test --locked --quiet)
}

count=0
for tree in "${trees[@]}"; do
    column=$columns/$count
    count=$((count + 1))
    FIGURES_OF=$tree cargo test --quiet --locked --test architecture -- \
        --ignored --exact --nocapture ratchet::print_figures | grep $'\t' > "$column"
    if $build; then
        printf 'seconds of a release build\t%s\n' "$(seconds release_build "$tree")" >> "$column"
        rm -rf "$columns/target"
    fi
    if $test; then
        (cd "$tree" && cargo test --locked --quiet --no-run)
        printf 'seconds of the tests\t%s\n' "$(seconds run_tests "$tree")" >> "$column"
    fi
done

printf '| figure |'
for tree in "${trees[@]}"; do printf ' %s |' "$(basename "$tree")"; done
printf '\n|:--|'
for _ in "${trees[@]}"; do printf -- '--:|'; done
printf '\n'
while IFS=$'\t' read -r figure _; do
    printf '| %s |' "$figure"
    for ((index = 0; index < count; index++)); do
        printf ' %s |' "$(awk -F '\t' -v "figure=$figure" '$1 == figure { print $2 }' "$columns/$index")"
    done
    printf '\n'
done < "$columns/0"
