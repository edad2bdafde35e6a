#!/bin/sh
# Checks the manifests in a folder: TestRuns against the schema of k6-operator's resource, all others against
# those of Kubernetes.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
tools=$root/target/manifest-tools
[ -x "$tools/bin/kubernetes-validate" ] || {
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet check-jsonschema==0.39.0 kubernetes-validate==1.37.0
}
for manifest in "$1"/*.yaml; do
    case $manifest in
    */testrun.yaml)
        "$tools/bin/check-jsonschema" --schemafile "$root/tests/k6/testrun.schema.json" "$manifest"
        ;;
    *) "$tools/bin/kubernetes-validate" --strict "$manifest" ;;
    esac
done
