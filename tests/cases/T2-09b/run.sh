#!/bin/sh
# A fixed second port, the failure logged as `listen tcp 127.0.0.1:PORT: bind: address already in use`:
# another port was named. Right: the message names the fixed port, and that both sides run at the same time.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
cat > srv.py <<'EOF'
import socket
import sys
from service import serve
s = socket.socket()
try:
    s.bind(("127.0.0.1", int(sys.argv[2])))
    s.listen()
except OSError:
    sys.exit("listen tcp 127.0.0.1:%s: bind: address already in use" % sys.argv[2])
serve()
EOF

git init -q
config 'build = "true"
start = "python3 srv.py {port} 19474"'
commit base
echo '# changed' >> srv.py
commit head
compare
own_words | grep -Eq '19474' && own_words | grep -q 'same time' && [ "$code" -eq 3 ] && pass
fail "base and head cannot both have port 19474: that is not said (exit $code)"
