#!/bin/sh
# A SOAP answer in ISO-8859-1: "expected a SOAP envelope, got <?xml ... <s:Envelope". Right: it is read.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
from service import Handler, serve
class Service(Handler):
    def post(self):
        text = '<?xml version="1.0" encoding="ISO-8859-1"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><name>Jos\u00e9</name></s:Body></s:Envelope>'
        self.say(200, text.encode("ISO-8859-1"), "text/xml; charset=ISO-8859-1")
serve(Service)
EOF

config '' 'kind = "soap11"'
run
[ "$code" -eq 0 ] && pass
fail "exit $code: a sound answer in another encoding counts as a wrong one"
