#!/bin/sh
# Takes public descriptions of APIs as they are, and sends what was made of them to a mock that answers by the description.
#
#   tests/from.sh PROGRAM [KIND ...]    KIND: openapi, postman, har, wsdl; all if none is given
#
# The descriptions are those that packages of npm and Python ship, fetched by the names of these packages below
# target/from; collections of Postman are made by the converter of its makers. Load goes to this machine only: a request
# of each operation. What is printed is a table; at least 80 % of the operations of each kind have to be answered rightly.
set -eu
program=$(realpath "${1:?the program}")
shift
cd "$(dirname "$0")/.."
work=target/from
mkdir -p $work
command -v npm >/dev/null || { apt-get update -qq && apt-get install -qq -y --no-install-recommends npm; }
[ -x $work/tools/bin/python ] || {
    python3 -m venv $work/tools
    $work/tools/bin/pip install --quiet lxml==6.0.2 pyyaml==6.0.3 jsonschema==4.26.0
}
[ -d $work/node_modules/openapi-to-postmanv2 ] ||
    npm install --prefix $work --silent --no-audit --no-fund @readme/oas-examples@8.2.2 har-examples@5.0.1 openapi-to-postmanv2@5
exec $work/tools/bin/python tests/from/check.py "$program" $work "$@"
