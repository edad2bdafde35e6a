#!/usr/bin/env bash
# Follows docs/tutorial.md to the letter in an empty folder, and holds the exit codes that it shows against those that come.
# Takes some minutes: it measures.
#
#   tests/tutorial.sh PROGRAM
set -euo pipefail

program=$(realpath "${1:?the program}")
page=$(realpath "$(dirname "$0")/../docs/tutorial.md")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/bin" "$scratch/work"
ln -s "$program" "$scratch/bin/xmlperf"

# Blocks of `sh` are run whole, of `console` the lines behind a prompt.
awk '
    /^```/ { kind = kind == "" ? substr($0, 4) : ""; next }
    kind == "sh" { print }
    kind == "console" && sub(/^\$ /, "") { print "set +e; " $0 "; set -e" }
' "$page" > "$scratch/steps.sh"

start=$SECONDS
cd "$scratch/work"
PATH=$scratch/bin:$PATH bash -eu "$scratch/steps.sh" 2>&1 | tee "$scratch/printed"
echo "the tutorial took $((SECONDS - start)) s"
diff <(grep '^exit code' "$page") <(grep '^exit code' "$scratch/printed")
