#!/bin/sh
# A scenario for an endpoint that the base lacks (404) ended the whole comparison. Right: the other
# scenario gets its verdict, and the new one is reported as new.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
import sys
from service import Handler, serve
class Service(Handler):
    def post(self):
        self.say(200, b"<r/>") if self.path in sys.argv[2:] else self.say(404, b"unknown path")
serve(Service)
EOF

git init -q
config 'build = "true"
start = "sh run.sh {port}"' '' '[[scenario]]
name = "added"
path = "/added"'
echo "exec python3 srv.py \$1 /x" > run.sh
commit base
echo "exec python3 srv.py \$1 /x /added" > run.sh
commit head
compare
case $code in
    0 | 1 | 4) printf '%s' "$out" | grep -q 'new' && ! printf '%s' "$out" | grep -q 'could not measure' && pass ;;
esac
fail "the base's 404 in one scenario cost the verdict of the other, exit $code"
