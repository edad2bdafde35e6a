#!/usr/bin/env bash
# Writes the report of a recorded run as the note of a merge request, or brings the note that is there up to
# date. Runs nothing of the change: the record is numbers, from which the report is made anew.
#
#   note.sh RECORD       such as .xmlperf/report/run.json
#
# Asks for CI_API_V4_URL, CI_PROJECT_ID and CI_MERGE_REQUEST_IID, which GitLab sets, and for XMLPERF_GITLAB_TOKEN, a
# project access token of the role Developer with the scope `api`.
set -euo pipefail
# A list of notes that cannot be read is no list without ours.
shopt -s inherit_errexit

record=${1:?the file of the run}
xmlperf=${XMLPERF_BIN:-xmlperf}
marker="<!-- xmlperf:${XMLPERF_NOTE_ID:-default} -->"
notes="${CI_API_V4_URL:?is set by GitLab}/projects/${CI_PROJECT_ID:?is set by GitLab}/merge_requests/${CI_MERGE_REQUEST_IID:?is set in pipelines of merge requests}/notes"
: "${XMLPERF_GITLAB_TOKEN:?is a token that may write notes}"

# What the API answers to METHOD ADDRESS with the arguments behind them. The token goes through standard input: what
# is on the command line of a process can be read by all others.
api() {
    local method=$1 address=$2
    shift 2
    printf 'header = "PRIVATE-TOKEN: %s"\n' "$XMLPERF_GITLAB_TOKEN" |
        curl --config - --fail-with-body --silent --show-error --retry 3 --max-time 30 --request "$method" "$@" "$address"
}

# The number of our note, if there is one: the marker alone could be of another author.
own_note() {
    local author page=1 answer
    author=$(api GET "$CI_API_V4_URL/user" | jq '.id')
    while :; do
        answer=$(api GET "$notes?activity_filter=only_comments&sort=asc&order_by=created_at&per_page=100&page=$page")
        found=$(jq --arg marker "$marker" --argjson author "$author" \
            'map(select(.author.id == $author and (.body | startswith($marker)))) | first | .id // empty' <<< "$answer")
        [ -z "$found" ] || { echo "$found"; return; }
        [ "$(jq length <<< "$answer")" = 100 ] || return 0
        page=$((page + 1))
    done
}

body=$(mktemp)
trap 'rm -f "$body"' EXIT
{
    echo "$marker"
    # A line that begins with a slash would be a command to GitLab, given with the rights of the token. The
    # report's exit code is that of the run, and not a failure of this script.
    { "$xmlperf" report --format markdown --fail-on never "$record" || [ $? = 3 ]; } | sed 's|^\([[:space:]]*\)/|\1\\/|'
} > "$body"

note=$(own_note)
if [ -n "$note" ]; then
    api PUT "$notes/$note" --data-urlencode "body@$body" > /dev/null
    echo "brought note $note up to date"
else
    api POST "$notes" --data-urlencode "body@$body" > /dev/null
    echo 'wrote a note'
fi
