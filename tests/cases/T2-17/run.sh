#!/bin/sh
# `issue_comment` starts the workflow, which checks the branch out: `baseline auto` answered for the tip
# of main. Right: where the branch left main, or a refusal.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
git init -q
for i in 1 2 3; do echo "$i" > f; commit "m$i"; done
git branch feature
for i in 4 5; do echo "$i" > f; commit "m$i"; done
git checkout -q feature # what the workflow checks out
echo change > g
commit change
echo '{"repository":{"full_name":"o/r","default_branch":"main"},"issue":{"number":7,"pull_request":{"url":"x"}},"comment":{"body":"/bench"}}' > "$d/ev.json"
h=$(git rev-parse main)
echo 9 > "$d/port"
event_name=issue_comment
out=$(github baseline auto 2>&1)
code=$?
[ "$code" -ne 0 ] && [ -n "$out" ] && pass
[ "$out" = "$(git merge-base main feature)" ] && pass
fail "exit $code: the branch that is checked out would be compared with the commit before the tip of main"
