#!/usr/bin/env bash
# Publishes what is in dist/ as the version that Cargo.toml names. The release is a draft until all of
# it is there; a version that exists is never touched.
set -euo pipefail
cd "$(dirname "$0")/../.."

version=v$(sed -n '/^\[workspace\.package\]/,/^$/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "::error::Cargo.toml has no version"; exit 1; }
major=${version%%.*}
if git ls-remote --exit-code --tags origin "refs/tags/$version" > /dev/null; then
    echo "::error::$version is released already: raise the version in Cargo.toml"
    exit 1
fi
for archive in dist/*.tar.gz; do
    case $archive in
        dist/xmlperf-"$version"-*) ;;
        *) echo "::error::$archive is not of version $version"; exit 1 ;;
    esac
done

# Pinning this commit of the action pins these programs.
(cd dist && sha256sum -- *.tar.gz) > action/SHA256SUMS
echo "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/releases/download/$version" > action/RELEASE
cp action/SHA256SUMS dist/SHA256SUMS
git config user.name 'github-actions[bot]'
git config user.email '41898282+github-actions[bot]@users.noreply.github.com'
git add action/RELEASE action/SHA256SUMS
git commit --quiet --message "Release $version"
git tag "$version"

gh auth setup-git
git push --quiet origin "refs/tags/$version"
gh release create "$version" --draft --verify-tag --title "$version" --generate-notes \
    dist/*.tar.gz dist/*.cdx.json dist/SHA256SUMS install.sh
gh release edit "$version" --draft=false
git tag --force "$major"
git push --quiet --force origin "refs/tags/$major"
