#!/bin/sh
# Reads the JUnit reports of every state by a consumer that others wrote.
#
#   tests/junit.sh PROGRAM
set -eu
program=$(realpath "$1")
cd "$(dirname "$0")/.."

tools=target/junit-tools
[ -x $tools/bin/python ] || {
    python3 -m venv $tools
    $tools/bin/pip install --quiet junitparser==5.0.3
}
records=$(mktemp -d)
trap 'rm -rf "$records"' EXIT
PAGES=$records cargo test --locked --quiet --lib -- --ignored --exact page_tests::write_records >/dev/null
$tools/bin/python tests/page/junit_consumer.py "$program" "$records"
