#!/bin/sh
# The service listens on ::1 only, as `localhost` means to some runtimes: "nothing listens on 127.0.0.1".
# Right: it is found.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
python3 -c 'import socket; socket.socket(socket.AF_INET6).bind(("::1", 0))' 2>/dev/null || {
    echo 'PASS (no IPv6 here)'
    exit 0
}
cat > srv.py <<'EOF'
import socket
import service
service.ThreadingHTTPServer.address_family = socket.AF_INET6
service.serve(host="::1")
EOF

config 'start = "python3 srv.py {port}"
ready-timeout = "4 s"'
run
[ "$code" -eq 0 ] && pass
fail "exit $code: the port was opened on the other loopback address"
