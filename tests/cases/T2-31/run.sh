#!/bin/sh
# An answer that begins with a byte order mark, checked by an `xml` expectation: "got nothing". Right: found.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
from service import Handler, serve
class Service(Handler):
    def post(self):
        self.say(200, b"\xef\xbb\xbf" + b'<?xml version="1.0" encoding="utf-8"?><r><id>7</id></r>', "text/xml")
serve(Service)
EOF

echo '{{ pair.xml1 }}' > t.j2
config '' 'template = "t.j2"
content-type = "text/xml"
expect = [{ xml = "/r/id", equals = "7" }]'
run
[ "$code" -eq 0 ] && pass
fail "exit $code: the value is there, behind a byte order mark, and nothing is found"
