#!/bin/sh
# A build that prints 100 MB: xmlperf took seven times that much memory. Right: below 200 MiB.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
from service import serve
serve()
EOF

config 'build = "seq 1 12500000; sleep 1"
start = "python3 srv.py {port}"'
out=$(python3 - "$x" run --launches 1 --lane time --plain <<'EOF'
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=55).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024 if code == 0 else 9999)
EOF
)
[ "$out" -lt 200 ] && pass
fail "$out MiB at the peak"
