#!/bin/sh
# `raw-xml` for a service that takes `text/xml` only: `content-type` was refused. Right: it holds.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
from service import Handler, serve
class Service(Handler):
    def post(self):
        good = self.headers.get_content_type() == "text/xml"
        self.say(200 if good else 415, b"wants text/xml")
serve(Service)
EOF

config '' 'kind = "raw-xml"
content-type = "text/xml"'
run
[ "$code" -eq 0 ] && pass
fail "exit $code: raw XML cannot be sent under the type that the service takes"
