#!/usr/bin/env bash
# Gets valgrind, which counts instructions, where the runner lacks it. Without it the other lanes go on,
# so nothing here fails the job but an input that means nothing.
set -euo pipefail

case $XMLPERF_VALGRIND in
    install) ;;
    as-is) exit 0 ;;
    *)
        echo '::error title=xmlperf::the input valgrind is install or as-is'
        exit 2
        ;;
esac
! command -v valgrind > /dev/null || exit 0
if ! command -v apt-get > /dev/null; then
    echo '::notice title=xmlperf::instructions are not counted: this runner has neither valgrind nor apt-get'
    exit 0
fi
root=()
[ "$EUID" = 0 ] || root=(sudo --non-interactive)
install=("${root[@]}" apt-get install --yes --quiet --no-install-recommends valgrind)
# A fresh runner's lists of packages may be there or not, and may be too old.
"${install[@]}" || { "${root[@]}" apt-get update --quiet && "${install[@]}"; } ||
    echo '::warning title=xmlperf::instructions are not counted: valgrind could not be installed'
