#!/bin/sh
# A service that keeps state in its folder: the cached tree of the base kept it from run to run. Right: both
# sides start from the same state in the second comparison too.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
import os
import sys
from service import Handler, serve
class Service(Handler):
    def post(self):
        open("data.log", "ab").write(b"x" * 1000)
        self.say(200, b"<r/>")
size = os.path.getsize("data.log") if os.path.exists("data.log") else 0
side = "head" if os.getcwd() == sys.argv[3] else "base"
open(sys.argv[2], "a").write("%s %d\n" % (side, size))
serve(Service)
EOF

git init -q
echo data.log > .gitignore
config "build = \"true\"
start = \"python3 srv.py {port} $d/probe $d/r\""
commit base
echo '# changed' >> srv.py
commit head
compare
git clean -qffdx # what a checkout on the same machine does to head
: > "$d/probe"
compare
first() {
    grep "^$1" "$d/probe" | head -n 1 | cut -d ' ' -f 2
}
[ -n "$(first head)" ] && [ -n "$(first base)" ] || fail "not measured, exit $code"
[ "$(first base)" -eq 0 ] && [ "$(first head)" -eq 0 ] && pass
fail "base began with $(first base) bytes of an earlier run, head with $(first head)"
