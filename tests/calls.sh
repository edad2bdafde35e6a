#!/bin/sh
# Calls to real databases: a statement that is executed once for each line of an order has to be found by the first
# launch pair, nothing where nothing was planted, and all counts have to be those of PostgreSQL.
#
#   tests/calls.sh PROGRAM [COUNT [REQUESTS [KIND ...]]]
#
# COUNT comparisons of each kind and database, 20 if none is given; REQUESTS that are counted beside pg_stat_statements,
# 100000. Kinds are postgresql, mariadb and redis. Drivers are wheels below target/calls. Load goes to this machine only.
set -eu
case ${1:?the program} in /*) XMLPERF=$1 ;; *) XMLPERF=$PWD/$1 ;; esac
count=${2:-20}
requests=${3:-100000}
if [ $# -gt 2 ]; then shift 3; else shift $#; fi
[ $# -gt 0 ] || set -- postgresql mariadb redis
repository=$(cd "$(dirname "$0")/.." && pwd)
work=$repository/target/calls
mkdir -p "$work"
failures=0

packages() {
    missing=
    case " $* " in *" redis "*) command -v redis-server >/dev/null || missing="$missing redis-server" ;; esac
    case " $* " in *" postgresql "*) [ -d /usr/lib/postgresql ] || missing="$missing postgresql" ;; esac
    case " $* " in *" mariadb "*) command -v mariadbd >/dev/null || missing="$missing mariadb-server" ;; esac
    # shellcheck disable=SC2086 # a list of names
    [ -z "$missing" ] || { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; }
    [ -x "$work/venv/bin/python" ] || {
        python3 -m venv "$work/venv"
        "$work/venv/bin/pip" install --quiet pg8000==1.31.5 PyMySQL==1.1.2 redis==6.4.0
    }
}

# configuration KIND LINES: in a folder of its own, what is measured.
configuration() {
    rm -rf "${work:?}/$1"
    mkdir "$work/$1"
    cp "$repository/tests/calls/server.py" "$repository/tests/calls/database.sh" "$work/$1"
    cd "$work/$1"
    cat >xmlperf.toml <<TOML
[target]
start = "$work/venv/bin/python server.py $1 {port} $2"
ready = "/"
env = { DATABASE = "{service:database}" }

[[service]]
name = "database"
setup = "./database.sh $1 setup {dir}"
start = "./database.sh $1 start {dir} {port}"

[request]
kind = "raw-xml"

[work]
lane = "off"
TOML
}

# Only calls decide, so that a comparison ends with the launch pair that shows them.
deciding() {
    cat <<TOML
[sampling]
warm-up = "100 ms"
load = "300 ms"

[gate.policy]
cpu = "off"
latency = "off"
tail = "off"
memory = "off"
ready = "off"
first-answers = "off"
answer-bytes = "off"

[[scenario]]
name = "orders"
pairs = 1
TOML
}

# compare KIND LINES WORD: COUNT comparisons with a base that reads one line, each of which has to be right.
compare() {
    configuration "$1" "$2"
    deciding >>xmlperf.toml
    right=0
    for number in $(seq "$count"); do
        began=$(date +%s)
        "$XMLPERF" compare --plain --format json --base-start "$work/venv/bin/python server.py $1 {port} 1" \
            >report.json 2>log || :
        verdict=$(python3 "$repository/tests/calls/judge.py" report.json "$3") && right=$((right + 1))
        echo "$1 $3 $number: $(($(date +%s) - began)) s, $verdict"
    done
    echo "$1 $3: $right of $count"
    [ "$right" = "$count" ] || failures=$((failures + 1))
}

# All requests of one launch, counted by both.
totals() {
    configuration postgresql 1
    cat >>xmlperf.toml <<TOML
[hooks]
before-launch = "psql -qh 127.0.0.1 -p {service:database:port} -U orders postgres -c 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements' -c 'SELECT pg_stat_statements_reset()'"
after-launch = "psql -qAth 127.0.0.1 -p {service:database:port} -U orders postgres -c 'SELECT calls, query FROM pg_stat_statements' >statistics"

[sampling]
launches = 1
warm-up = "100 ms"

[[scenario]]
name = "orders"
pairs = 1
load = { model = "closed", requests = $requests }
TOML
    "$XMLPERF" run --plain >log 2>&1 || failures=$((failures + 1))
    python3 "$repository/tests/calls/totals.py" .xmlperf/report/run.json statistics || failures=$((failures + 1))
}

packages "$@"
for kind in "$@"; do
    compare "$kind" 1 same
    compare "$kind" 10 more
    [ "$kind" != postgresql ] || totals
done
[ "$failures" = 0 ]
