//! Which commit a change is compared with, in clones as `actions/checkout` makes them.

use std::time::Duration;

use github::api::ApiClient;
use github::base;
use github::retry::RetryPolicy;
use github::transport::HttpTransport;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wiremock::matchers::{method, path_regex, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::job_environment::{JobEnvironment, pull_request};
use crate::git::git;

/// `main` with three commits, `topic` from the second one, and the merge of both.
struct OriginFixture {
    folder: TempDir,
    first: String,
    fork: String,
    main: String,
    topic: String,
    merge: String,
}

impl OriginFixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        git(dir, &["init", "--quiet", "--initial-branch", "main"]);
        git(dir, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
        let commit = |message: &str| {
            git(dir, &["commit", "--quiet", "--allow-empty", "--message", message]);
            git(dir, &["rev-parse", "HEAD"])
        };
        let (first, fork) = (commit("first"), commit("fork"));
        git(dir, &["checkout", "--quiet", "-b", "topic"]);
        let topic = commit("change");
        git(dir, &["checkout", "--quiet", "main"]);
        let main = commit("later");
        git(dir, &["checkout", "--quiet", "-b", "merge"]);
        git(dir, &["merge", "--quiet", "--no-ff", "--message", "merge", "topic"]);
        let merge = git(dir, &["rev-parse", "HEAD"]);
        Self { folder, first, fork, main, topic, merge }
    }

    /// A clone of `commit` with so many commits of history.
    fn clone(&self, commit: &str, depth: Option<u32>) -> TempDir {
        let clone = tempfile::tempdir().unwrap();
        let dir = clone.path();
        let url = format!("file://{}", self.folder.path().display());
        git(dir, &["init", "--quiet"]);
        git(dir, &["remote", "add", "origin", &url]);
        let depth = depth.map(|depth| format!("--depth={depth}"));
        let branches = "+refs/heads/*:refs/remotes/origin/*";
        let what = if depth.is_some() { commit } else { branches };
        let words = ["fetch", "--quiet"].into_iter().chain(depth.as_deref());
        git(dir, &words.chain(["origin", what]).collect::<Vec<_>>());
        git(dir, &["checkout", "--quiet", "--detach", commit]);
        clone
    }

    fn pull_request(&self) -> Value {
        let mut payload = pull_request("octo-org/octo-repo");
        payload["pull_request"]["head"]["sha"] = json!(self.topic);
        payload["pull_request"]["base"]["sha"] = json!(self.main);
        payload
    }
}

/// The base of `event` in `clone`, where GitHub names `merge_base`.
fn find(
    event: &str,
    payload: &Value,
    sha: &str,
    clone: &TempDir,
    merge_base: Option<&str>,
) -> Result<Option<String>, String> {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(MockServer::start());
    if let Some(sha) = merge_base {
        let answer = json!({ "merge_base_commit": { "sha": sha } });
        let mock =
            Mock::given(method("GET")).and(path_regex("/compare/[0-9a-f]+\\.\\.\\.[0-9a-f]+$"));
        let answer = ResponseTemplate::new(200).set_body_json(answer);
        runtime.block_on(mock.respond_with(answer).mount(&server));
        let listed = Mock::given(method("GET")).and(path_regex("/commits$"));
        let listed = listed.and(query_param("sha", "main")).and(query_param("per_page", "1"));
        let answer = ResponseTemplate::new(200).set_body_json(json!([{ "sha": "a".repeat(40) }]));
        runtime.block_on(listed.respond_with(answer).mount(&server));
    }
    let context = JobEnvironment::new(event, payload).with("GITHUB_SHA", sha).context().unwrap();
    let network = HttpTransport::new(&server.uri(), None).unwrap();
    let patience = RetryPolicy::new(Duration::ZERO);
    let client = ApiClient::new(&network, &context.repository, None, patience, &|_| {});
    match base::find(&context, clone.path(), Some(&client)) {
        Ok(commit) => Ok(commit.map(|commit| commit.as_str().to_owned())),
        Err(error) => Err(xmlperf::cli::explain(&error.into()).0.unwrap()),
    }
}

#[test]
fn a_pull_request_is_compared_with_what_it_was_merged_into() {
    let origin = OriginFixture::new();
    let clone = origin.clone(&origin.merge, Some(2));
    let found = find("pull_request", &origin.pull_request(), &origin.merge, &clone, None);
    assert_eq!(found, Ok(Some(origin.main)));
}

#[test]
fn a_checkout_of_the_head_alone_is_compared_with_the_merge_base() {
    let origin = OriginFixture::new();
    let clone = origin.clone(&origin.topic, None);
    let found = find("pull_request", &origin.pull_request(), &origin.topic, &clone, None);
    assert_eq!(found, Ok(Some(origin.fork)));
}

#[test]
fn a_clone_too_shallow_to_know_asks_github_and_fetches() {
    let origin = OriginFixture::new();
    let clone = origin.clone(&origin.topic, Some(1));
    let (payload, fork) = (origin.pull_request(), origin.fork.clone());
    let found = find("pull_request", &payload, &origin.topic, &clone, Some(&fork));
    assert_eq!(found, Ok(Some(fork)));
}

#[test]
fn a_clone_that_cannot_fetch_is_explained_by_its_depth() {
    let origin = OriginFixture::new();
    let clone = origin.clone(&origin.topic, Some(1));
    git(clone.path(), &["remote", "set-url", "origin", "file:///nowhere"]);
    let (payload, fork) = (origin.pull_request(), origin.fork.clone());
    let error = find("pull_request", &payload, &origin.topic, &clone, Some(&fork)).unwrap_err();
    assert!(error.contains(&fork) && error.contains("`fetch-depth: 2`"), "{error}");
}

#[test]
fn a_push_is_compared_with_what_was_there() {
    let origin = OriginFixture::new();
    let clone = origin.clone(&origin.main, None);
    let found = find("push", &json!({ "before": origin.first }), &origin.main, &clone, None);
    assert_eq!(found, Ok(Some(origin.first)));
}

#[test]
fn a_new_branch_is_compared_with_where_it_began() {
    let origin = OriginFixture::new();
    let clone = origin.clone(&origin.topic, None);
    let repository = json!({ "full_name": "octo-org/octo-repo", "default_branch": "main" });
    let payload = json!({ "before": "0".repeat(40), "repository": repository });
    assert_eq!(find("push", &payload, &origin.topic, &clone, None), Ok(Some(origin.fork)));
}

/// Its last commit alone would be judged by the commit before, which the clone has.
#[test]
fn a_new_branch_in_a_shallow_clone_is_compared_with_where_github_says_that_it_began() {
    let origin = OriginFixture::new();
    let dir = origin.folder.path();
    git(dir, &["checkout", "--quiet", "topic"]);
    git(dir, &["commit", "--quiet", "--allow-empty", "--message", "another change"]);
    let tip = git(dir, &["rev-parse", "HEAD"]);
    let repository = json!({ "full_name": "octo-org/octo-repo", "default_branch": "main" });
    let payload = json!({ "before": "0".repeat(40), "repository": repository });
    let clone = origin.clone(&tip, Some(2));
    let found = find("push", &payload, &tip, &clone, Some(&origin.fork));
    assert_eq!(found, Ok(Some(origin.fork.clone())));
    let error = find("push", &payload, &tip, &origin.clone(&tip, Some(2)), None).unwrap_err();
    assert!(error.contains("`fetch-depth: 0`"), "{error}");
}

#[test]
fn a_schedule_on_the_default_branch_is_compared_with_the_commit_before() {
    let origin = OriginFixture::new();
    let clone = origin.clone(&origin.main, None);
    let payload = json!({ "repository": { "default_branch": "main" } });
    assert_eq!(find("schedule", &payload, &origin.main, &clone, None), Ok(Some(origin.fork)));
}

#[test]
fn the_very_first_commit_has_no_base_and_a_shallow_one_an_unknown_one() {
    let origin = OriginFixture::new();
    let payload = json!({ "repository": { "default_branch": "main" } });
    let root = tempfile::tempdir().unwrap();
    git(root.path(), &["init", "--quiet"]);
    git(root.path(), &["commit", "--quiet", "--allow-empty", "--message", "root"]);
    let sha = git(root.path(), &["rev-parse", "HEAD"]);
    assert_eq!(find("workflow_dispatch", &payload, &sha, &root, None), Ok(None));
    let shallow = origin.clone(&origin.main, Some(1));
    let error = find("workflow_dispatch", &payload, &origin.main, &shallow, None).unwrap_err();
    assert!(error.contains("`fetch-depth: 0`"), "{error}");
}

#[test]
fn a_merge_queue_is_compared_with_what_it_names() {
    let origin = OriginFixture::new();
    let clone = origin.clone(&origin.merge, Some(2));
    let payload = json!({ "merge_group": { "head_sha": origin.merge, "base_sha": origin.main } });
    let found = find("merge_group", &payload, &origin.merge, &clone, None);
    assert_eq!(found, Ok(Some(origin.main)));
}

#[test]
fn a_branch_that_a_comment_has_checked_out_is_compared_with_where_it_left_the_default_one() {
    let origin = OriginFixture::new();
    let payload = json!({ "repository": { "default_branch": "main" } });
    for event in ["issue_comment", "schedule", "workflow_dispatch", "repository_dispatch"] {
        let clone = origin.clone(&origin.topic, None);
        let found = find(event, &payload, &origin.main, &clone, None);
        assert_eq!(found, Ok(Some(origin.fork.clone())), "{event}");
        // Neither the branch at `origin` nor its history is there: GitHub knows, or there is no base.
        let clone = origin.clone(&origin.topic, Some(1));
        let found = find(event, &payload, &origin.main, &clone, Some(&origin.fork));
        assert_eq!(found, Ok(Some(origin.fork.clone())), "{event}");
        let error = find(event, &payload, &origin.main, &clone, None).unwrap_err();
        assert!(error.contains("`fetch-depth: 0`"), "{error}");
    }
}

#[test]
fn an_earlier_commit_of_the_default_branch_is_compared_with_the_one_before() {
    let origin = OriginFixture::new();
    let clone = origin.clone(&origin.fork, None);
    let payload = json!({ "repository": { "default_branch": "main" } });
    let found = find("workflow_dispatch", &payload, &origin.main, &clone, None);
    assert_eq!(found, Ok(Some(origin.first)));
}

#[test]
fn a_merge_base_that_github_does_not_know_leads_to_the_checkout() {
    let origin = OriginFixture::new();
    let clone = origin.clone(&origin.topic, Some(1));
    let error = find("pull_request", &origin.pull_request(), &origin.topic, &clone, None);
    let error = error.unwrap_err();
    assert!(error.contains("`ref`") && error.contains("`fetch-depth: 0`"), "{error}");
}

#[test]
fn a_folder_that_git_does_not_read_is_not_taken_for_one_without_a_base() {
    let origin = OriginFixture::new();
    let empty = tempfile::tempdir().unwrap();
    let error = find("schedule", &json!({}), &origin.main, &empty, None).unwrap_err();
    assert!(error.contains("not a git repository"), "{error}");
}
