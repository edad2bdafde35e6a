#!/bin/sh
# A health page that takes 1.5 s was never ready. Right: it is, within `ready-timeout`.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
import time
from service import Handler, serve
class Service(Handler):
    def do_GET(self):
        time.sleep(1.5)
        self.say(200, b"up")
serve(Service)
EOF

config 'start = "python3 srv.py {port}"
ready-timeout = "20 s"'
run
[ "$code" -eq 0 ] && pass
fail "exit $code: a health page that takes longer than a second is never waited for"
