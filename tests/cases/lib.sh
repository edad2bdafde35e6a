# What the cases have in common: a folder of their own, and how they end. Sourced by each `run.sh`.
# shellcheck shell=sh
#
# The program is $XMLPERF, else `xmlperf` on the path. $d is an empty folder that is removed at the
# end, with `r` in it, which is the current one; $pids are processes to end; $cases is this folder.
# shellcheck disable=SC2034 # $repository and $x are for the cases
cases=$(cd "$(dirname "$0")/.." && pwd)
repository=$(cd "$cases/../.." && pwd)
x=$(command -v "${XMLPERF:-xmlperf}") || { echo 'FAIL: no xmlperf'; exit 1; }
case $x in /*) ;; *) x=$PWD/$x ;; esac
d=$(mktemp -d) || exit 1
pids=
b=
h=
out=
cleanup() {
    for p in $pids; do kill "$p"; done 2>/dev/null
    rm -rf "$d"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
# No configuration and no cache of the user's, and modules of the services in `service.py`.
export XDG_CACHE_HOME="$d/cache" GIT_CONFIG_GLOBAL="$d/gitconfig" PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$cases"
printf '[user]\nname = n\nemail = n@x.test\n[init]\ndefaultBranch = main\n' > "$d/gitconfig"
mkdir "$d/bin" "$d/r" && ln -s "$(python3 -c 'import sys; print(sys.executable)')" "$d/bin/python3"
PATH="$d/bin:$PATH"
cd "$d/r" || exit 1

pass() {
    echo PASS
    exit 0
}

# fail REASON: with the end of what the program said.
fail() {
    printf '%s\n' "$out" | tail -n 20
    echo "FAIL: $1"
    exit 1
}

# What the program itself said, without what it quotes of a service.
own_words() {
    printf '%s\n' "$out" | sed '/^answer:/,/^$/d; /^  |/d'
}

target='build = "true"
start = "python3 srv.py {port}"'
request='kind = "raw-xml"'
# config [TARGET-LINES [REQUEST-LINES [SCENARIO-LINES]]]: a small configuration.
config() {
    cat > xmlperf.toml <<TOML
[target]
${1:-$target}
ready = "/health"
[request]
path = "/x"
${2:-$request}
[sampling]
launch-pairs = 8
load = "60 ms"
slice = "20 ms"
warm-up = "20 ms"
[[scenario]]
name = "a"
${3:-}
TOML
}

# commit MESSAGE: all there is.
commit() {
    git add -A && git commit -qm "$1"
}

# run, compare: in bounded time, with what is said in $out and the exit code in $code.
run() {
    out=$(timeout 50 "$x" run --launches 1 --lane time --plain 2>&1)
    code=$?
}
compare() {
    out=$(timeout 55 "$x" compare --baseline HEAD~1 --lane time --plain 2>&1)
    code=$?
}

# event FILE: the event of pull request 7 from $b to $h.
event() {
    printf '{"number":7,"pull_request":{"number":7,"base":{"sha":"%s","ref":"main","repo":{"full_name":"o/r"}},"head":{"sha":"%s","ref":"f","repo":{"full_name":"o/r"}}},"repository":{"full_name":"o/r","default_branch":"main"}}\n' "$b" "$h" > "$1"
}

# github COMMAND...: as in a job of a pull request, with the emulated API on the port in $d/port.
github() {
    GITHUB_TOKEN=secret-word GITHUB_EVENT_NAME=${event_name:-pull_request} GITHUB_EVENT_PATH=$d/ev.json \
        GITHUB_REPOSITORY=o/r GITHUB_RUN_ID=1 GITHUB_SHA=$h GITHUB_STEP_SUMMARY=$d/summary \
        GITHUB_API_URL=http://127.0.0.1:$(cat "$d/port") timeout 30 "$x" "$@"
}
