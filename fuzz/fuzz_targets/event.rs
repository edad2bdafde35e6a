//! The event of a workflow, which a fork may have written parts of.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use github::context::GithubContext;
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

const EVENTS: [&str; 6] =
    ["pull_request", "pull_request_target", "push", "merge_group", "workflow_run", "schedule"];

fuzz_target!(|input: (u8, &[u8])| {
    let (event, payload) = input;
    let path = FOLDER.path().join("event.json");
    fs::write(&path, payload).expect("room for an event");
    let context = GithubContext::read(&|name| {
        Some(match name {
            "GITHUB_EVENT_NAME" => EVENTS[usize::from(event) % EVENTS.len()].to_owned(),
            "GITHUB_EVENT_PATH" => path.display().to_string(),
            "GITHUB_REPOSITORY" => "owner/name".to_owned(),
            "GITHUB_RUN_ID" => "1".to_owned(),
            "GITHUB_SHA" => "a".repeat(40),
            _ => return None,
        })
    });
    if let Ok(context) = context {
        assert!(context.head.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(!context.run_url().contains(char::is_whitespace));
    }
});
