#!/bin/sh
# The server closes a kept connection after 40 answers and does not announce it: `reset`, exit 3. Right:
# the request is sent once more over a new connection, which is counted and shown.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
import time
from service import Handler, serve
class Service(Handler):
    def post(self):
        self.n = getattr(self, "n", 0) + 1
        self.say(200, b"<r/>")
        if self.n == 40:
            self.wfile.flush()
            time.sleep(0.003)
            self.close_connection = True
serve(Service)
EOF

config '' '' 'load = { model = "closed", requests = 200, reuse = "kept" }'
run
[ "$code" -eq 0 ] || fail "exit $code: a kept connection that ended before the next answer began counts as a failure"
printf '%s' "$out" | grep -Eq 'sent (again|once more)' && pass
fail "requests were sent again, and that is not shown"
