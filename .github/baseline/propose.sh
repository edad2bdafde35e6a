#!/usr/bin/env bash
# Opens a pull request with what is in baselines/. Runs nothing of the repository, since this is the job
# that may write.
set -euo pipefail
cd "$(dirname "$0")/../.."

git config user.name 'github-actions[bot]'
git config user.email '41898282+github-actions[bot]@users.noreply.github.com'
branch=baseline/$GITHUB_RUN_ID
git switch --quiet --create "$branch"
git add baselines
git commit --quiet --message 'Renew the stored baseline' \
    --message "Measured by run $GITHUB_RUN_ID at $GITHUB_SHA."
gh auth setup-git
git push --quiet origin "$branch"
gh pr create --base main --head "$branch" --title 'Renew the stored baseline' \
    --body "Measured by $GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID"
