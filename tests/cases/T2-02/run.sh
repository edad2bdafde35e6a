#!/bin/sh
# A checkout of another user, which git refuses to read: `baseline auto` said that there is no base, and
# ended with 0. Right: not 0, with the hint `safe.directory`.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
from service import serve
serve()
EOF

git init -q
config
commit base
echo '# changed' >> srv.py
commit head
h=$(git rev-parse HEAD)
export GIT_TEST_ASSUME_DIFFERENT_OWNER=1 # git's own switch for such a checkout
echo '{"repository":{"full_name":"o/r","default_branch":"main"}}' > "$d/ev.json"
echo 9 > "$d/port"
event_name=schedule
out=$(github baseline auto 2>&1)
code=$?
[ "$code" -ne 0 ] && printf '%s' "$out" | grep -q 'safe\.directory' && pass
fail "exit $code, and no word of safe.directory"
