#!/bin/sh
# Opens the pages of every state in a browser, and holds them to the numbers of docs/report.md: accessibility in
# light, dark and forced colours, width of screens, size, time to write and to the first paint, zoom and search, and
# the same words without style and script, which are those of report.json. Screenshots are in target/page/.
#
#   tests/page.sh PROGRAM
set -eu
program=$(realpath "$1")
cd "$(dirname "$0")/.."

command -v chromium >/dev/null || apt-get install -qq -y chromium fonts-noto-cjk
command -v npm >/dev/null || apt-get install -qq -y npm
tools=target/page-tools
# The newest lighthouse that takes node 20; puppeteer comes with it.
[ -d $tools/node_modules/lighthouse ] ||
    npm install --no-audit --no-fund --no-save --silent --prefix $tools axe-core@4.14.1 lighthouse@12.2.3

pages=$PWD/target/page
rm -rf "$pages"
mkdir -p "$pages"
# Records of every state, and of a soak and a search for the capacity, which no fixture has.
PAGES=$pages cargo test --locked --quiet --lib -- --ignored --exact page_tests::write_records >/dev/null
tests/page/measured.sh "$program" "$pages"
# A record without numbers is a page as well.
shown() {
    "$program" report "$@" --format html --fail-on never || [ $? -eq 3 ]
}
for record in "$pages"/*.json; do
    shown "$record" >"${record%.json}.html"
done
shown "$pages"/slower.json "$pages"/unchanged.json "$pages"/failed.json "$pages"/twelve.json >"$pages/index.html"
"$program" decide tests/page/pairs.csv --higher-is-better hits --format html --fail-on never >"$pages/decision.html"
NODE_PATH=$PWD/$tools/node_modules node tests/page/check.mjs "$PWD/$tools/node_modules" "$pages" "$program"
