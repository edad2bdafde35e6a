#!/bin/sh
# The conversation of the pull request is locked: a result that is well ended with exit 3 and asked for
# rights that are there. Right: exit 0 and a notice that it is locked.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > xmlperf.toml <<'EOF'
[sampling]
launch-pairs = 8
load = "60 ms"
slice = "20 ms"
warm-up = "20 ms"
[gate]
policy = { cpu = "off", rss = "off" }
[[scenario]]
name = "a"
pairs = 5
EOF
git init -q
commit base
echo >> xmlperf.toml
commit head
h=$(git rev-parse HEAD)
b=$(git rev-parse HEAD~1)
event "$d/ev.json"
s="$x serve --port {port}"

timeout 45 "$x" compare --base-start "$s" --head-start "$s" --lane time --plain > log 2>&1
cat > api.py <<'EOF'
import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass
    def say(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.say(200, {"check_runs": []} if "check-runs" in self.path else [])
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "/comments" in self.path:
            return self.say(403, {"message": "Unable to create comment because issue is locked."})
        self.say(201, {"id": 5, "html_url": "http://x/"})
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
EOF
python3 api.py > "$d/port" &
pids=$!
while [ ! -s "$d/port" ]; do sleep 0.1; done
out=$(github report github --fail-on never 2>&1)
code=$?
[ -e .xmlperf/report/run.json ] || { out=$(cat log); fail 'nothing was recorded'; }
[ "$code" -eq 0 ] && printf '%s' "$out" | grep -iq locked && pass
fail "exit $code for a conversation that is locked"
