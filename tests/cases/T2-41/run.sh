#!/bin/sh
# A corpus with a link to its own folder: a document stood forty times in the order. Right: a folder is
# entered once.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
mkdir -p c/sub
echo '<aa>1</aa>' > c/sub/a.xml
ln -s . c/sub/latest
echo '<bb>1</bb>' > c/b.xml
out=$(timeout 30 "$x" payload --corpus c --pairs 300 2>&1 > "$d/p.json")
count() {
    grep -o "<$1" "$d/p.json" | wc -l
}
[ "$(count bb)" -gt 0 ] && [ "$(count aa)" -lt $((3 * $(count bb))) ] && pass
fail "$(count aa) of one document, $(count bb) of the other"
