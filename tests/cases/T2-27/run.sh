#!/bin/sh
# "Re-run all jobs": the confirmation of the first attempt is older than the measurement of the second, and
# was taken for its confirmation. Right: it is not used.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > xmlperf.toml <<'EOF'
[sampling]
launch-pairs = 24
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

measure() {
    timeout 45 "$x" compare --base-start "$s" --head-start "$s --delay 9ms" --lane time --plain --out "$@" > log 2>&1
}
measure "$d/one"
measure "$d/two" --confirm="$d/one/report/run.json"
cat > zip.py <<'EOF'
import json, sys, zipfile
d = sys.argv[1]
first, second = (json.load(open(f"{d}/{n}/report/run.json")) for n in ("one", "two"))
first["started"] = "2099" + first["started"][4:]  # measured anew, long after the confirmation
for name, record in ("20", first), ("10", second):
    zipfile.ZipFile(f"{d}/{name}", "w").writestr("run.json", json.dumps(record))
EOF
python3 zip.py "$d" || { out=$(cat log); fail 'nothing was recorded'; }
cat > api.py <<'EOF'
import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass
    def say(self, status, value):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        if self.path.endswith("/zip"):
            return self.say(200, open("../" + self.path.split("/")[-2], "rb").read())
        if "/artifacts" not in self.path:
            return self.say(200, {"check_runs": []} if "check-runs" in self.path else [])
        is_second = "confirmation" in self.path
        id, name = (10, "xmlperf-report-confirmation") if is_second else (20, "xmlperf-report")
        year = 2026 if is_second else 2099
        self.say(200, {"artifacts": [
            {"id": id, "name": name, "size_in_bytes": 9, "created_at": f"{year}-01-01T00:00:00Z"}]})
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.say(201, {"id": 5, "html_url": "http://x/"})
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
EOF
python3 api.py > "$d/port" &
pids=$!
while [ ! -s "$d/port" ]; do sleep 0.1; done
out=$(github report github --artifact-run-id 1 --dir "$d/got" 2>&1)
code=$?
line=$(head -n 1 "$d/summary" | grep .) || fail "no summary, exit $code"
case $line in
    *"not confirmed"*) ;;
    *"confirmed on a second"*) fail "an older confirmation is taken for new: $line" ;;
esac
printf '%s' "$line" | grep -Eiq 'regress|confirm' && pass
fail "something else went wrong: $line"
