#!/bin/sh
# Kind soap11 with a SOAPAction of one's own: two such headers were sent. Right: exactly one, the user's.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
from service import Handler, serve
class Service(Handler):
    def post(self):
        got = self.headers.get_all("SOAPAction") or []
        if got == ['"urn:op"']:
            self.say(200, b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><ok/></s:Body></s:Envelope>')
        else:
            self.say(500, str(got).encode())
serve(Service)
EOF

config '' 'kind = "soap11"
headers = { SOAPAction = '"'"'"urn:op"'"'"' }'
run
[ "$code" -eq 0 ] && pass
fail "the service did not get exactly the SOAPAction of the configuration, exit $code"
