#!/bin/sh
# The start command puts the server into the background and ends with 0: "exited with status 0 while it was
# measured". Right: it is measured, and nothing is left behind.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
import os
import sys
import time
from service import serve
if os.fork():
    time.sleep(float(sys.argv[3]))
    os._exit(0)
os.setsid()
open(sys.argv[2], "w").write(str(os.getpid()))
serve()
EOF

for pause in 0.6 0; do # the command ends while it is measured, and before it is ready
    config "start = \"python3 srv.py {port} $d/pid $pause\"
ready-timeout = \"8 s\"" '' 'load = { model = "closed", duration = "1 s" }'
    run
    sleep 0.3
    p=$(cat "$d/pid" 2>/dev/null)
    grep -q '^State:.[^ZX]' "/proc/$p/status" 2>/dev/null && {
        kill "$p"
        fail 'the server in the background outlives the run'
    }
    [ "$code" -eq 0 ] || fail "exit $code for a server in the background"
done
pass
