#!/bin/sh
# `serve --semantics xmlunit-similar`: `xsi:type` of one name under two prefixes did not match. Right: it
# does, as in XMLUnit.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
"$x" serve --port 0 --semantics xmlunit-similar > "$d/serve" 2>&1 &
pids=$!
while ! grep -q http "$d/serve"; do sleep 0.1; done
cat > ask.py <<'EOF'
import json, sys, urllib.request
xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
pair = {"xml1": f'<p {xsi} xmlns:a="urn:t" xsi:type="a:T"/>', "xml2": f'<p {xsi} xmlns:b="urn:t" xsi:type="b:T"/>'}
url = sys.argv[1] + "/api/compare/xml"
ask = urllib.request.Request(url, json.dumps(pair).encode(), {"Content-Type": "application/json"})
print(urllib.request.urlopen(ask, timeout=20).read().decode())
EOF
out=$(python3 ask.py "$(grep -o 'http[^ ]*' "$d/serve" | head -n 1)" 2>&1)
printf '%s' "$out" | grep -Eq '"matched": ?true' && pass
fail 'the value of xsi:type is a qualified name and was compared as text'
