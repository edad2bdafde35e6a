#!/bin/sh
# The workflow that `init --github` writes uploaded an artifact whose name the first attempt has taken.
# Right: `overwrite: true`, for each.
# shellcheck source=tests/cases/lib.sh
. "$(dirname "$0")/../lib.sh"
git init -q
out=$("$x" init --github --action acme/xmlperf-action@v1 2>&1)
# The page has the attempt in its name: `overwrite` does nothing where an artifact is not an archive.
uploads=$(grep -c 'upload-artifact.* # v4' .github/workflows/xmlperf.yml)
[ "$uploads" -gt 0 ] && [ "$(grep -c 'overwrite: true' .github/workflows/xmlperf.yml)" -eq "$uploads" ] && pass
fail 'a second attempt cannot upload its record'
