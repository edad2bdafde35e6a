#!/bin/sh
# A service that refuses a body it has seen (409): after 16 requests the bodies repeat, and nothing said
# so. Right: a message that says that requests repeat, and which key rules it.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
from service import Handler, serve
seen = set()
class Service(Handler):
    def do_POST(self):
        body = self.body()
        again = body in seen
        seen.add(body)
        self.say(409 if again else 201, b"conflict")
serve(Service)
EOF

echo '<m id="{{ seed }}-{{ index }}"/>' > t.j2
config '' 'template = "t.j2"
content-type = "text/xml"' 'load = { model = "closed", requests = 200 }'
run
[ "$code" -eq 3 ] || fail "exit $code for a service that refuses what it is sent"
# shellcheck disable=SC2016 # the key in backticks
own_words | grep -q '`bodies' || fail "the same requests were sent again, and that is not said"
sed -i 's/^load = "60 ms"/bodies = 200\n&/' xmlperf.toml
run
[ "$code" -eq 0 ] && pass
fail "exit $code with as many different requests as are sent"
