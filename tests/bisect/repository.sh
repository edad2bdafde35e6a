#!/bin/sh
# Makes a repository of 40 commits in which the API becomes slower, faster, and worse by little:
#
#   tests/bisect/repository.sh FOLDER XMLPERF [POINTS]
#
# Extra work of the reference API, in percent, by commit: POINTS more from commit 14 on (6, if they are not given), 12
# in all from 27 on, 0.8 more from 33 and again from 37 on. Commits 11 and 20 do not build.
set -eu
folder=$1
xmlperf=$(realpath "$2")
points=${3:-6}
mkdir -p "$folder"
cd "$folder"
git init --quiet --initial-branch=main
git config user.name author
git config user.email author@example.invalid
git config commit.gpgsign false
cat >xmlperf.toml <<TOML
[target]
build = "sh build.sh"
start = "sh ./api.sh"
port-env = "APP_PORT"
ready = "/xml-compare-api/health"
TOML
for i in $(seq 1 40); do
    work=10
    [ "$i" -lt 14 ] || work=$((10 + points))
    [ "$i" -lt 27 ] || work=12
    [ "$i" -lt 33 ] || work=12.8
    [ "$i" -lt 37 ] || work=13.6
    echo 'test -f api.sh' >build.sh
    case $i in 11 | 20) echo 'echo "error: expected one of" && exit 1' >build.sh ;; esac
    printf '%s\n' "# change $i" "exec $xmlperf serve --workers 1 --extra-work $work%" >api.sh
    git add .
    GIT_COMMITTER_DATE="2026-01-01T00:00:00Z" GIT_AUTHOR_DATE="2026-01-01T00:00:00Z" \
        git commit --quiet --message "Change $i"
    git tag "c$i"
done
