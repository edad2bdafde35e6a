#!/bin/sh
# Partial clone (blob:none): a file that changed was absent from the base's tree. Right: the base has
# every file of its commit, or a refusal that names the partial clone.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
from service import serve
serve()
EOF

git init -q
config "build = \"test -f rules.txt || echo missing >> $d/probe\"
start = \"python3 srv.py {port}\""
echo one > rules.txt
commit base && echo two > rules.txt && commit head && cd ..
git init -q --bare o.git && git -C o.git config uploadpack.allowFilter true && git -C r push -q ../o.git main
git clone -q --filter=blob:none "file://$d/o.git" part 2>/dev/null && cd part || exit 1
compare
if printf '%s' "$out" | grep -q 'partial clone' && [ "$code" -ge 2 ]; then pass; fi
[ -e "$d/probe" ] && fail "the base was built without a file that its commit has, exit $code"
case $code in 0 | 1 | 4) pass ;; esac
fail "neither measured nor said why the base is incomplete, exit $code"
