#!/bin/sh
# Sets the load engine beside wrk, oha and h2load: CPU time of the client for each request, all tools in turn
# in one run, against one nginx worker on the other core. Prints ratios: below 1 is ours ahead.
#
#   benches/peers.sh                    all cells
#   benches/peers.sh get post-30mb      some: get post-1kb post-100kb post-30mb open stall, and over
#                                       HTTP/2, beside h2load: http2-1x16 http2-16x1 http2-16x10
#   ROUNDS=9 benches/peers.sh           more rounds; of each tool the best round counts
#   LOADGEN=PATH benches/peers.sh       this build of examples/loadgen.rs, not a fresh one
#   REALTIME=1 benches/peers.sh         ahead of everything else on a busy machine (root)
#   FLAMES=FOLDER benches/peers.sh      instead: a flame graph of ours for each cell, by perf and inferno
#
# Installs what is missing: wrk, h2load, nginx and perf by apt-get, oha and inferno by cargo. Takes five minutes after that.
set -eu
cd "$(dirname "$0")/.."
rounds=${ROUNDS:-5}
port=${PORT:-18080}
url=127.0.0.1:$port
work=$(mktemp -d)
ahead=
[ -z "${REALTIME:-}" ] || ahead="chrt -f 10"

for tool in wrk nginx python3; do
    command -v "$tool" >/dev/null || apt-get install -y -qq --no-install-recommends "$tool"
done
command -v oha >/dev/null || cargo install --locked --quiet oha
command -v h2load >/dev/null || apt-get install -y -qq --no-install-recommends nghttp2-client
[ -z "${FLAMES:-}" ] || {
    mkdir -p "$FLAMES"
    command -v perf >/dev/null || apt-get install -y -qq --no-install-recommends linux-perf
    command -v inferno-flamegraph >/dev/null || cargo install --locked --quiet inferno
}
loadgen=${LOADGEN:-}
[ -n "$loadgen" ] || {
    cargo build --release --locked --quiet --example loadgen
    loadgen=${CARGO_TARGET_DIR:-target}/release/examples/loadgen
}

cat >"$work/nginx.conf" <<CONF
worker_processes 1;
daemon off;
pid $work/nginx.pid;
error_log $work/error.log crit;
events { worker_connections 16000; }
http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_max_body_size 0;
    client_body_temp_path $work/body;
    server {
        listen 127.0.0.1:$((port + 1)) http2 backlog=4096;
        location / { return 200 "0123456789abcdef"; }
    }
    server {
        listen 127.0.0.1:$port backlog=4096;
        location / { return 200 "0123456789abcdef"; }
        # Answers once it has the whole body: \`return\` alone does so before, and a client that
        # takes the answer and leaves would seem fast.
        location /whole {
            client_body_buffer_size 32m;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_pass http://127.0.0.1:$port/;
        }
    }
}
CONF
$ahead taskset -c 1 nginx -p "$work" -c "$work/nginx.conf" 2>/dev/null &
nginx=$!
trap 'kill $nginx 2>/dev/null; wait $nginx 2>/dev/null; rm -rf "$work"' EXIT INT TERM
until [ -s "$work/nginx.pid" ]; do sleep 0.1; done
sleep 0.5
worker=$(pgrep -P "$nginx")

cat >"$work/post.lua" <<'LUA'
wrk.method = "POST"
wrk.headers["Content-Type"] = "text/plain"
wrk.body = string.rep("x", tonumber(os.getenv("BODY_BYTES")))
LUA

# Runs a command on the first core and prints: CPU seconds, those in user space, RSS in MiB. What the
# command printed is in $work/out.
cpu() {
    $ahead taskset -c 0 python3 - "$work/out" "$@" <<'PY'
import os, sys
child = os.fork()
if child == 0:
    out = os.open(sys.argv[1], os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, use = os.wait4(child, 0)
if status:
    sys.exit(f"{sys.argv[2]} failed:\n{open(sys.argv[1]).read()}")
print(use.ru_utime + use.ru_stime, use.ru_utime, use.ru_maxrss / 1024)
PY
}

# The cell and its tools: the best of the rounds in $work/TOOL, each line "requests CPU user RSS";
# then everything against ours.
summary() {
    python3 - "$work" "$@" <<'PY'
import sys
best = {}
for tool in sys.argv[3:]:
    rows = [[float(word) for word in line.split()] for line in open(f"{sys.argv[1]}/{tool}")]
    best[tool] = min((cpu / n * 1e6, user / n * 1e6, rss) for n, cpu, user, rss in rows if n)
for tool, (cpu, user, rss) in best.items():
    ratio = best["loadgen"][0] / cpu
    print(f"{sys.argv[2]:11} {tool:8} {cpu:10.2f} us CPU/request ({user:8.2f} in user space)"
          f" {rss:6.1f} MiB   ours/it {ratio:.2f}")
PY
}

# Name, arguments: draws where the CPU time of one run goes, and prints the functions it ends in.
flame() {
    name=$1
    shift
    $ahead taskset -c 0 perf record --quiet --freq 1999 --call-graph dwarf,8192 --output "$work/perf.data" -- \
        "$loadgen" "$@" >"$work/out" 2>&1
    perf script --input "$work/perf.data" 2>/dev/null | inferno-collapse-perf >"$work/folded"
    inferno-flamegraph --title "$name" --deterministic <"$work/folded" >"$FLAMES/$name.svg"
    echo "$name: $FLAMES/$name.svg"
    python3 - "$work/folded" <<'PY'
import sys
from collections import Counter
ends = Counter()
for line in open(sys.argv[1]):
    stack, samples = line.rsplit(" ", 1)
    ends[stack.rsplit(";", 1)[-1]] += int(samples)
whole = sum(ends.values())
print("    " + ", ".join(f"{name} {100 * samples / whole:.0f} %" for name, samples in ends.most_common(8)))
PY
}

# Name, connections, requests a round, seconds of wrk a round, body bytes (0: GET), path.
closed() {
    rm -f "$work/loadgen" "$work/wrk" "$work/oha"
    head -c "$5" /dev/zero | tr '\0' x >"$work/body.txt"
    export BODY_BYTES="$5"
    post='' script='' data=''
    [ "$5" = 0 ] || {
        post="--post $5" script="-s $work/post.lua" data="-m POST -D $work/body.txt"
    }
    [ -z "${FLAMES:-}" ] || {
        # shellcheck disable=SC2086
        flame "$1" "$url/$6" --connections "$2" --requests "$3" $post
        return
    }
    for _ in $(seq "$rounds"); do
        # shellcheck disable=SC2086
        {
            used=$(cpu "$loadgen" "$url/$6" --connections "$2" --requests "$3" $post)
            echo "$3 $used" >>"$work/loadgen"
            used=$(cpu wrk -t1 -c"$2" -d"$4" $script "http://$url/$6")
            echo "$(awk '/requests in/ { print $1 }' "$work/out") $used" >>"$work/wrk"
            used=$(cpu oha --no-tui -c "$2" -n "$3" $data "http://$url/$6")
            echo "$3 $used" >>"$work/oha"
        }
    done
    summary "$1" loadgen wrk oha
}

# Name, connections, streams on each.
http2() {
    rm -f "$work/loadgen" "$work/h2load"
    [ -z "${FLAMES:-}" ] || {
        flame "$1" "127.0.0.1:$((port + 1))/" --connections "$2" --http2 "$3" --requests 100000
        return
    }
    for _ in $(seq "$rounds"); do
        used=$(cpu "$loadgen" "127.0.0.1:$((port + 1))/" --connections "$2" --http2 "$3" --requests 100000)
        echo "100000 $used" >>"$work/loadgen"
        used=$(cpu h2load -c "$2" -m "$3" -n 100000 "http://127.0.0.1:$((port + 1))/")
        echo "100000 $used" >>"$work/h2load"
    done
    summary "$1" loadgen h2load
}

# 50 000 requests at 5 000/s; nginx sleeps from 4 s to 5 s on request.
open() {
    [ -z "${FLAMES:-}" ] || {
        flame "$1" "$url/" --connections 256 --rate 5000 --time 10s
        return
    }
    for _ in $(seq "$(((rounds + 1) / 2))"); do
        for tool in loadgen oha h2load; do
            [ "$1" = open ] || (sleep 4; kill -STOP "$worker"; sleep 1; kill -CONT "$worker") &
            stall=$!
            case $tool in
            loadgen)
                used=$(cpu "$loadgen" "$url/" --connections 256 --rate 5000 --time 10s)
                times=$(grep '^response' "$work/out")
                ;;
            oha)
                used=$(cpu oha --no-tui -c 256 -n 50000 -q 5000 --latency-correction "http://$url/")
                times=$(awk '/Slowest:|50.00%|95.00%|99.00%/ { printf "%s %s %s  ", $1, $(NF-1), $NF }' \
                    "$work/out")
                ;;
            h2load)
                used=$(cpu h2load --h1 -c 250 -n 50000 --rps 20 "http://$url/")
                times=$(awk '/^time for request/ { printf "mean %s, max %s", $6, $5 }' "$work/out")
                ;;
            esac
            wait "$stall"
            echo "$used" | awk -v cell="$1" -v tool="$tool" -v times="$times" \
                '{ printf "%-10s %-8s %.2f s CPU, %.1f MiB   %s\n", cell, tool, $1, $3, times }'
        done
    done
}

[ $# -gt 0 ] || set -- get post-1kb post-100kb post-30mb open stall http2-1x16 http2-16x1 http2-16x10
for cell in "$@"; do
    case $cell in
    get) closed get 16 200000 1 0 '' ;;
    post-1kb) closed post-1kb 16 200000 1 1024 '' ;;
    post-100kb) closed post-100kb 16 30000 1 100000 whole ;;
    post-30mb) closed post-30mb 2 200 2 30000000 whole ;;
    open | stall) open "$cell" ;;
    http2-1x16) http2 "$cell" 1 16 ;;
    http2-16x1) http2 "$cell" 16 1 ;;
    http2-16x10) http2 "$cell" 16 10 ;;
    *) echo "unknown cell $cell" >&2 && exit 2 ;;
    esac
done
