#!/bin/sh
# A repository with a submodule: no base could be built. Right: the base's tree has the submodule of its
# commit, whose objects are in the clone.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
git init -q "$d/lib" && (cd "$d/lib" && echo one > rules.txt && git add . && git commit -qm lib)
git config --global protocol.file.allow always
cat > srv.py <<'EOF'
from service import serve
serve()
EOF

git init -q && git submodule --quiet add "$d/lib" lib
config 'build = "test -f lib/rules.txt"
start = "python3 srv.py {port}"'
commit base && echo '# changed' >> srv.py && commit head
compare
case $code in 0 | 1 | 4) pass ;; esac
fail "exit $code: no base for a repository with a submodule"
