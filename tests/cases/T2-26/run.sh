#!/bin/sh
# The pull request's head is checked out instead of the merge, with `fetch-depth: 2`, and GitHub knows no
# merge base (404). Right: the message says what to set at the checkout.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > api.py <<'EOF'
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass
    def do_GET(self):
        body = b'{"message":"Not Found"}'
        self.send_response(404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
EOF
python3 api.py > "$d/port" &
pids=$!
git init -q
commit 0
git checkout -q -b f
for i in 1 2 3 4; do echo "$i" > f; commit "$i"; done
git checkout -q main
echo m > m
commit m
git checkout -q f
git clone -q --depth 2 -b f "file://$PWD" "$d/pr" 2>/dev/null
b=$(git rev-parse main)
h=$(git rev-parse f)
cd "$d/pr" || exit 1
event "$d/ev.json"
while [ ! -s "$d/port" ]; do sleep 0.1; done
out=$(github baseline auto 2>&1)
code=$?
[ "$code" -ne 0 ] && printf '%s' "$out" | grep -q fetch-depth && pass
fail "exit $code, without a word on the checkout"
