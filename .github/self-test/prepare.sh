#!/usr/bin/env bash
# Makes the repository self-test/ with two commits, of which the second one changes how the reference
# API is served: not at all (`pass`), with more work (`regressed`), or not any more (`error`).
set -euo pipefail
cd "$(dirname "$0")/../.."

case $1 in
    pass) head='# as fast as before' ;;
    regressed) head='set -- --extra-work 200%' ;;
    error) head='exit 9' ;;
    *) echo "no case $1" >&2; exit 2 ;;
esac

rm -rf self-test
git init --quiet self-test
cd self-test
git config user.name self-test
git config user.email self-test@localhost
cp ../.github/self-test/xmlperf.toml .

# serve.sh with LINE before the start, committed.
serve() {
    cat > serve.sh <<END
#!/bin/bash
$1
exec "\$RUNNER_TEMP/xmlperf/cargo/bin/xmlperf" serve --workers 1 "\$@"
END
    git add .
    git commit --quiet --message "$1"
}
serve 'set --'
serve "$head"
