set -u
cd "$(dirname "$0")" || exit 2
url=${1:-{{url}}}
url=${url%/}
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
sent=0
wrong=0
last_wrong=0

# A request counts once, whatever is wrong with its answer.
fail() {
    [ "$last_wrong" -eq "$sent" ] || wrong=$((wrong + 1))
    last_wrong=$sent
    echo "request $sent: $1" >&2
}

# Headers that curl adds by itself are switched off: the load engine does not send them.
send() {
    sent=$((sent + 1))
    status=$(curl --silent --show-error --http1.1 --globoff --path-as-is {{options}} \
        --header 'User-Agent:' --header 'Accept:' --header 'Expect:' \
        --output "$answer" --write-out '%{http_code}' "$@") || status=000
    [ "$status" != 000 ] || fail 'no answer'
}

expect_status() {
    [ "$status" = "$1" ] || fail "status $status in place of $1"
}

expect_success() {
    case $status in
    2??) ;;
    *) fail "status $status" ;;
    esac
}

expect_survival() {
    [ "$status" -lt 500 ] || fail "status $status"
}

expect_envelope() {
    expect_success
    inside=$(tr '\r\n' '  ' <"$answer" | sed -n 's/.*<\([A-Za-z0-9_.-]*:\)\{0,1\}Body[^>]*> *<\([^ />]*\).*/\2/p')
    case $inside in
    Fault | *:Fault) fail 'a SOAP fault' ;;
    '') fail 'no SOAP envelope' ;;
    esac
}

# A digit a result, `1` where it says that the documents are equal.
verdicts() {
    grep -o '"matched"[[:space:]]*:[[:space:]]*[a-z]*' "$answer" |
        sed 's/.*true$/1/; s/.*false$/0/; s/.*"matched".*/?/' | tr -d '\n'
}

count_of() {
    grep -o "\"$1\"[[:space:]]*:[[:space:]]*[0-9]*" "$answer" | sed 's/.*[^0-9]//'
}

expect_verdicts() {
    [ "$status" = 200 ] || { fail "status $status"; return; }
    count=$(verdicts | wc -c)
    [ "$count" -eq "$2" ] || { fail "$count results in place of $2"; return; }
    if [ "$1" = batch ]; then
        [ "$(count_of total_comparisons)" = "$2" ] || fail 'a wrong count of comparisons'
        [ "$(count_of failed_comparisons)" = 0 ] || fail 'comparisons that failed'
    fi
    digest=$(verdicts | sha256sum)
    [ "${digest%% *}" = "$3" ] || fail 'results that are not true'
}

#{{requests}}
echo "$sent requests sent, $wrong wrong answers"
[ "$wrong" -eq 0 ]
