#!/bin/sh
# Judges the results of one instance or several: `vegeta encode -to csv` writes a line a request, with the time,
# the status and the latency in its first columns.
set -eu
sort -t, -k3,3n "$@" | awk -F, -v units={{units}} '
function percentile(rank, place) {
    place = int(rank * n / 100)
    if (place < rank * n / 100) place++
    return latency[place]
}
function limit(text, is_kept) {
    print "limit " (is_kept ? "kept" : "broken") ": " text
    if (!is_kept) broken = 1
}
{
    n++
    latency[n] = $3
    if (n == 1 || $1 < began) began = $1
    if ($1 + $3 > ended) ended = $1 + $3
    if ({{right}}) right++
    else wrong++
    statuses[$2]++
}
END {
    if (n == 0) { print "no request"; exit 1 }
    wrong += 0
    throughput = ended > began ? right * units * 1e9 / (ended - began) : 0
    printf "%d requests, %d with a wrong status, %.1f {{unit}}/s\n", n, wrong, throughput
    for (status in statuses) printf "status %s: %d\n", status, statuses[status]
    #{{limits}}
    exit broken
}'
