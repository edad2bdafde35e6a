#!/bin/sh
# A template that sends one document was counted as 100 XML pairs. Right: one.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
from service import serve
serve()
EOF

echo '<m>{{ pair.xml1 }}</m>' > t.j2
config '' 'template = "t.j2"
content-type = "text/xml"'
out=$(timeout 50 "$x" run --launches 1 --lane time --plain --format json 2> "$d/err" | python3 -c '
import json, sys
m = {m["metric"]: m["head"] for m in json.load(sys.stdin)["metrics"]}
print(round(m["throughput"] * m["latency"] / 1e9, 2))')
[ -n "$out" ] || { out=$(cat "$d/err"); fail 'not measured'; }
# By Little: over one connection, the rate times the latency is the number in flight.
python3 -c "import sys; sys.exit(float('$out') > 3)" && pass
fail "$out pairs for a request that holds one document"
