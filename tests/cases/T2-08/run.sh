#!/bin/sh
# Shell syntax in `start`: "cd was not found, build the target first", after the build. Right: refused
# before the build with a word about the shell; with `shell = true` it works.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
mkdir app
cat > app/srv.py <<'EOF'
from service import serve
serve()
EOF

config "build = \"echo built >> $d/probe\"
start = \"cd app && exec python3 srv.py {port}\""
run
[ -e "$d/probe" ] && fail "built before the command was refused, exit $code"
printf '%s' "$out" | grep -q 'shell = true' || fail "exit $code, without a word about the shell"
config "shell = true
build = \"echo built >> $d/probe\"
start = \"cd app && exec python3 srv.py {port}\""
run
[ "$code" -eq 0 ] && pass
fail "exit $code with \`shell = true\`"
