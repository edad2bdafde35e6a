#!/bin/sh
# Four services behind a login, each with a database of its own on either side: what is planted in one operation
# has to be found in the row of that operation and of no other, and nothing where nothing is.
#
#   tests/services.sh PROGRAM [COUNT [NAME ...]]    COUNT comparisons of each kind and service, 10 if none is given
#   KINDS=slower tests/services.sh …                of one kind: same, slower
#   BUDGET=2m tests/services.sh …                   the time for measuring in each comparison
#   LANES= tests/services.sh …                      with the work lane, where it can be
#
# Prints a line for each comparison, and a table. What is planted has to be decided within the budget; that nothing
# changed is right as long as nothing is found, and the table says how often it was shown. Frameworks are installed by their names below target/services. Load goes to this machine only.
set -eu
case ${1:?the program} in /*) XMLPERF=$1 ;; *) XMLPERF=$PWD/$1 ;; esac
count=${2:-10}
if [ $# -gt 1 ]; then shift 2; else shift; fi
[ $# -gt 0 ] || set -- flask express jdk tiny_http
repository=$(cd "$(dirname "$0")/.." && pwd)
services=$repository/tests/services
work=$repository/target/services
ledger=$work/ledger.tsv
mkdir -p "$work"
: >"$ledger"
failures=0

packages() {
    missing=
    command -v redis-server >/dev/null || missing="$missing redis-server"
    [ -d /usr/lib/postgresql ] || missing="$missing postgresql"
    [ -f /usr/share/java/postgresql.jar ] || missing="$missing libpostgresql-jdbc-java"
    command -v javac >/dev/null || missing="$missing default-jdk-headless"
    command -v npm >/dev/null || missing="$missing npm"
    # shellcheck disable=SC2086 # a list of names
    [ -z "$missing" ] || { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; }
}

# What the service needs of its registry, once for both sides: the paths that lead there are passed on to targets.
frameworks() {
    case $1 in
        flask)
            [ -x "$work/venv/bin/gunicorn" ] || {
                python3 -m venv "$work/venv"
                "$work/venv/bin/pip" install --quiet --requirement "$services/flask/requirements.txt"
            }
            PATH=$work/venv/bin:$PATH
            ;;
        express)
            [ -d "$work/node_modules/soap" ] || {
                cp "$services/express/package.json" "$work"
                npm install --prefix "$work" --silent --no-audit --no-fund
            }
            export NODE_PATH="$work/node_modules"
            ;;
    esac
}

git_quietly() {
    git -c user.name=n -c user.email=n@x.test -c commit.gpgsign=false "$@" >/dev/null
}

# A repository of two commits: the service, and what is called head: planted, or the same program.
commit_twice() {
    rm -rf "${work:?}/$1"
    cp -r "$services/$1" "$work/$1"
    cd "$work/$1"
    rm slower.patch
    printf '%s\n' target/ classes/ .xmlperf/ __pycache__/ >.gitignore
    git_quietly init --initial-branch main
    git_quietly add .
    git_quietly commit -m base
    case $2 in
        slower) git_quietly apply "$services/$1/slower.patch" ;;
        same) echo 'The same program.' >README.md ;;
    esac
    git_quietly add .
    git_quietly commit -m head
}

# compare NAME KIND BUDGET OPERATION: COUNT comparisons, each of which has to find OPERATION, or nothing.
compare() {
    commit_twice "$1" "$2"
    right=0
    for number in $(seq "$count"); do
        began=$(date +%s)
        # shellcheck disable=SC2086 # options
        "$XMLPERF" compare HEAD~1..HEAD --always-measure --plain --format json --budget "${BUDGET:-$3}" \
            ${LANES---lane time} >report.json 2>log || :
        took=$(($(date +%s) - began))
        if verdict=$(python3 "$services/judge.py" report.json "$ledger" "$1" "$2" "$took" ${4:+"$4"}); then
            right=$((right + 1))
        else
            cp report.json "report-$2-$number.json"
            tail -n 3 log
        fi
        echo "$1 $2 $number: $took s, $verdict"
    done
    [ "$right" = "$count" ] || failures=$((failures + 1))
}

packages
for name in "$@"; do
    frameworks "$name"
    # Some twenty launch pairs, by what a start, a stop and the warm-up of a service take.
    case $name in
        flask) planted=read budget=100s ;;
        tiny_http) planted=read budget=60s ;;
        express) planted=create budget=150s ;;
        jdk) planted=search budget=200s ;;
    esac
    for kind in ${KINDS:-same slower}; do
        case $kind in
            same) compare "$name" same "$budget" '' ;;
            slower) compare "$name" slower "$budget" "$planted" ;;
        esac
    done
done
python3 "$services/table.py" "$ledger"
[ "$failures" = 0 ]
