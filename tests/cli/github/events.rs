//! What each event says about the commit, its base, and what the token may do.

use github::context::{CodeOrigin, GithubContext, WorkflowEvent};
use serde_json::{Value, json};

use super::job_environment::{BASE, HEAD, JobEnvironment, pull_request};

const CHECKED_OUT: &str = "2ffea6db2ffea6db2ffea6db2ffea6db2ffea6db";

fn context(event: &str, payload: &Value) -> GithubContext {
    JobEnvironment::new(event, payload).context().unwrap()
}

#[test]
fn a_pull_request_is_judged_by_its_head_and_not_by_the_merge() {
    let context = context("pull_request", &pull_request("octo-org/octo-repo"));
    assert_eq!(context.head.as_str(), HEAD);
    assert!(
        matches!(&context.event, WorkflowEvent::PullRequest { number: 7, base } if base.as_str() == BASE)
    );
    assert_eq!(context.origin, CodeOrigin::Repository);
    assert_eq!(context.run_url(), "https://github.com/octo-org/octo-repo/actions/runs/100");
}

#[test]
fn a_fork_a_deleted_fork_and_a_bot_may_only_read() {
    let check = |event: &str, payload: &Value, actor: &str, expected| {
        let context =
            JobEnvironment::new(event, payload).with("GITHUB_ACTOR", actor).context().unwrap();
        assert_eq!(context.origin, expected, "{event} by {actor}");
    };
    let (own, fork) = (pull_request("octo-org/octo-repo"), pull_request("mona/octo-repo"));
    let mut deleted = fork.clone();
    deleted["pull_request"]["head"]["repo"] = Value::Null;
    check("pull_request", &own, "mona", CodeOrigin::Repository);
    check("pull_request", &own, "dependabot[bot]", CodeOrigin::Fork);
    check("pull_request", &fork, "mona", CodeOrigin::Fork);
    check("pull_request", &deleted, "mona", CodeOrigin::Fork);
    check("pull_request_target", &fork, "mona", CodeOrigin::Repository);
}

#[test]
fn a_push_knows_what_was_there_unless_the_branch_is_new() {
    let before = |before: &str| match context("push", &json!({ "before": before })).event {
        WorkflowEvent::Push { before } => before.map(|commit| commit.as_str().to_owned()),
        event => panic!("{event:?}"),
    };
    assert_eq!(before(BASE), Some(BASE.to_owned()));
    assert_eq!(before(&"0".repeat(40)), None);
    assert_eq!(context("push", &json!({ "before": BASE })).head.as_str(), CHECKED_OUT);
}

#[test]
fn a_merge_queue_names_both_sides() {
    let branch = "refs/heads/gh-readonly-queue/release/2/pr-104-9f3c2ab0d5";
    let payload =
        json!({ "merge_group": { "head_sha": HEAD, "base_sha": BASE, "head_ref": branch } });
    let context = context("merge_group", &payload);
    assert_eq!(context.head.as_str(), HEAD);
    match &context.event {
        WorkflowEvent::MergeGroup { base, pull_request } => {
            assert_eq!((base.as_str(), *pull_request), (BASE, Some(104)));
        }
        event => panic!("{event:?}"),
    }
}

#[test]
fn a_finished_run_is_spoken_for_under_its_own_number() {
    let payload = json!({ "workflow_run": {
        "id": 77, "run_attempt": 2, "event": "pull_request", "head_sha": HEAD,
        "head_branch": "a b&state=closed", "head_repository": { "full_name": "mona/octo-repo" },
    } });
    let context = context("workflow_run", &payload);
    assert_eq!((context.run.id, context.run.attempt), (77, 2));
    assert_eq!(context.head.as_str(), HEAD);
    assert_eq!(context.origin, CodeOrigin::Repository, "the second workflow has rights of its own");
}

#[test]
fn a_clock_and_a_button_judge_what_is_checked_out() {
    for event in ["schedule", "workflow_dispatch"] {
        let context = context(event, &json!({ "schedule": "0 3 * * *", "inputs": null }));
        assert_eq!(context.event, WorkflowEvent::Other);
        assert_eq!(context.head.as_str(), CHECKED_OUT);
    }
}

#[test]
fn nothing_but_names_and_numbers_gets_into_an_address() {
    let fails = |stage: JobEnvironment, expected: &str| {
        let error = stage.context().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let stage = JobEnvironment::pull_request;
    fails(stage().with("GITHUB_REPOSITORY", "octo-org/../x"), "`GITHUB_REPOSITORY` is");
    fails(stage().with("GITHUB_REPOSITORY", "octo-org/x?y"), "not `owner/name`");
    fails(stage().with("GITHUB_RUN_ID", "1/../2"), "`GITHUB_RUN_ID` is");
    fails(stage().with("GITHUB_EVENT_NAME", ""), "`GITHUB_EVENT_NAME` is not set");
    let mut payload = pull_request("octo-org/octo-repo");
    payload["pull_request"]["head"]["sha"] = json!("main;rm -rf /");
    fails(JobEnvironment::new("pull_request", &payload), "not the full name of a commit");
}

#[test]
fn an_enterprise_server_has_addresses_of_its_own() {
    let stage = JobEnvironment::pull_request()
        .with("GITHUB_API_URL", "https://github.example.com/api/v3")
        .with("GITHUB_SERVER_URL", "https://github.example.com");
    let context = stage.context().unwrap();
    assert_eq!(context.api_url, "https://github.example.com/api/v3");
    assert!(context.run_url().starts_with("https://github.example.com/octo-org/"));
}
