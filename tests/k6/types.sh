#!/bin/sh
# Checks exported scripts against k6's published types: options, modules, and every call.
set -eu
cd "$(dirname "$0")/../.."
folder=target/k6-types
[ -x "$folder/node_modules/.bin/tsc" ] || {
    mkdir -p "$folder"
    npm install --silent --no-audit --no-fund --no-save --prefix "$folder" @types/k6@2.3.0 typescript@7.0.2
}
for script in "$@"; do
    cp "$script" "$folder/script.js"
    (cd "$folder" && node_modules/.bin/tsc --noEmit --allowJs --checkJs --strict false --target es2020 \
        --lib es2020 --module es2022 --moduleResolution bundler --types k6 --skipLibCheck script.js)
done
