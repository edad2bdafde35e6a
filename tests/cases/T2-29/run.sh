#!/bin/sh
# The Action keeps variables such as DB_PASSWORD from the service, which then does not start, and the log
# did not say so. Right: the log names the variables that were withheld.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
from service import serve
serve()
EOF

git init -q
cat > run.sh <<'EOF'
test -n "$DB_PASSWORD" || exit 1
exec python3 srv.py "$1"
EOF
config 'build = "true"
start = "sh run.sh {port}"'
out=$(DB_PASSWORD=x XMLPERF_COMMAND=run XMLPERF_SCENARIOS='' XMLPERF_BIN=$x GITHUB_OUTPUT=$d/outputs timeout 55 \
    bash "$repository/action/compare.sh" 2>&1)
grep -q 'exit=3' "$d/outputs" 2>/dev/null || fail 'action/compare.sh did not end with 3'
printf '%s' "$out" | grep -q DB_PASSWORD && pass
fail 'the service lacked a variable that was withheld, and the log does not name it'
