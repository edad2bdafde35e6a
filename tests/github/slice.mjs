// Cuts the paths that xmlperf uses out of GitHub's contract, which whole takes Prism minutes to read.
import { readFileSync, writeFileSync } from 'node:fs';

const repository = '/repos/{owner}/{repo}';
const used = [
  '/user',
  `${repository}/actions/runs/{run_id}/artifacts`,
  `${repository}/check-runs`,
  `${repository}/check-runs/{check_run_id}`,
  `${repository}/collaborators/{username}/permission`,
  `${repository}/commits/{ref}/check-runs`,
  `${repository}/compare/{basehead}`,
  `${repository}/issues/{issue_number}/comments`,
  `${repository}/issues/{issue_number}/events`,
  `${repository}/issues/{issue_number}/labels`,
  `${repository}/issues/comments/{comment_id}`,
  `${repository}/pulls`,
  `${repository}/statuses/{sha}`,
];
const [contract, slice] = process.argv.slice(2);
const { openapi, info, paths } = JSON.parse(readFileSync(contract, 'utf8'));
const cut = Object.fromEntries(used.map((path) => {
  if (!paths[path]) throw new Error(`the contract has no ${path}`);
  return [path, paths[path]];
}));
writeFileSync(slice, JSON.stringify({ openapi, info, servers: [{ url: '/' }], paths: cut }));
