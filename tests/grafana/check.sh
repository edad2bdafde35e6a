#!/usr/bin/env bash
# Checks the dashboards in docs/grafana against the types that Grafana publishes, which are generated from the
# schemas of its own code: a key that a dashboard or a panel does not have, or a value of another kind, is an
# error of the compiler.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tools=target/grafana-tools
[ -d $tools/node_modules/typescript ] || {
    mkdir -p $tools
    npm install --no-audit --no-fund --no-save --silent --prefix $tools \
        @grafana/grafana-foundation-sdk@0.0.21 typescript@5.9.3
}
for dashboard in docs/grafana/*.json; do
    name=$(basename "$dashboard" .json)
    node tests/grafana/typed.mjs "$dashboard" > "$tools/$name.ts"
    $tools/node_modules/.bin/tsc --noEmit --strict --skipLibCheck --target es2022 --module nodenext \
        --moduleResolution nodenext "$tools/$name.ts"
    echo "$dashboard is of Grafana's schema"
done
