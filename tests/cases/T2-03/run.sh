#!/bin/sh
# Both builds install to one place outside the checkout, so that head is compared with itself. Right: a
# refusal that names the file.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
from service import serve
serve()
EOF

git init -q
config "build = \"mkdir -p $d/app && cp srv.py $d/app/srv.py\"
start = \"sh -c 'exec python3 $d/app/srv.py {port}'\""
commit base
echo '# changed' >> srv.py
commit head
compare
printf '%s' "$out" | grep -q "start the same file.*$d/app/srv.py" && [ "$code" -eq 3 ] && pass
fail "base and head ran one file, and nothing says so (exit $code)"
