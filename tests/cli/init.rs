//! `xmlperf init`: what it sees in a folder, and what it makes of a description.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::order_service;

fn xmlperf(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xmlperf"));
    command.args(args).current_dir(folder).env("COLUMNS", "100").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The command that starts the order service as a process.
fn order_service() -> String {
    format!("env {}={{port}} {}", order_service::PORT, order_service::command(false))
}

#[test]
fn what_a_folder_shows_is_said_and_the_rest_is_left_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let said = |args: &[&str]| {
        let output = xmlperf(folder.path(), args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    insta::assert_snapshot!(said(&["init"]), @"wrote xmlperf.toml: set `[target] build` and `start`, then run `xmlperf check`");
    fs::write(folder.path().join("package.json"), "{\n\"scripts\": {\"start\": \"node app.js\"}}")
        .unwrap();
    fs::write(folder.path().join("app.js"), "listen(process.env.PORT)\nget('/healthz')\n").unwrap();
    fs::write(folder.path().join("api.yaml"), "openapi: 3.1.0\npaths: {}\n").unwrap();
    insta::assert_snapshot!(said(&["init", "--force"]), @r"
    wrote xmlperf.toml: `[target]` is what package.json:1, package.json:2, app.js:1, app.js:2 shows
    api.yaml describes an API: `xmlperf init --force --from api.yaml` takes it
    next: `xmlperf check`
    ");
}

#[test]
fn a_description_becomes_requests_that_the_service_answers_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let description = include_str!("../fixtures/order-service.yaml");
    fs::write(folder.path().join("openapi.yaml"), description).unwrap();
    let output = xmlperf(folder.path(), &["init", "--from", "openapi.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("OpenAPI 3: 6 operations"), "{}", text(&output.stdout));

    let check = xmlperf(folder.path(), &["check", "--start", &order_service(), "--format", "json"]);
    let said: Value = serde_json::from_slice(&check.stdout).unwrap();
    let exchanges = said["exchanges"].as_array().unwrap();
    let right = exchanges.iter().filter(|it| it["right"] == Value::Bool(true)).count();
    assert_eq!(exchanges.len(), 6, "{said:#}");
    assert_eq!(right, 6, "{said:#}");
}

#[test]
fn what_proves_identity_is_taken_from_the_environment_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let har = r#"{"log": {"entries": [{
        "request": {
            "method": "GET", "url": "https://shop.example/orders?state=open&token=hunter2",
            "headers": [{"name": "X-Api-Key", "value": "hunter2"}]
        },
        "response": {"status": 200, "content": {"mimeType": "application/xml"}}
    }]}}"#;
    fs::write(folder.path().join("shop.har"), har).unwrap();
    let output = xmlperf(folder.path(), &["init", "--from", "shop.har"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    insta::assert_snapshot!(text(&output.stdout), @r"
    wrote xmlperf.toml: set `[target] build` and `start`, then run `xmlperf check`
    HAR: 1 operation
    set API_KEY to the header X-Api-Key: it is written nowhere
    set API_TOKEN to the parameter token: it is written nowhere
    ");
    let written = fs::read_to_string(folder.path().join("xmlperf.toml")).unwrap();
    assert!(written.contains("X-Api-Key = { from = \"API_KEY\" }"), "{written}");
    assert!(!written.contains("hunter2"));

    let check = |variables: &[(&str, &str)]| {
        let start = order_service();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xmlperf"));
        let command =
            command.args(["check", "--whole", "--start", &start]).current_dir(folder.path());
        command.envs(variables.iter().copied()).output().unwrap()
    };
    let missing = check(&[("API_KEY", "k")]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        text(&missing.stderr).contains("has no variable `API_TOKEN`"),
        "{}",
        text(&missing.stderr)
    );
    let done = check(&[("API_KEY", "opensesame"), ("API_TOKEN", "swordfish")]);
    let said = text(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{said}{}", text(&done.stderr));
    assert!(said.contains("> GET /orders?state=open&token=… HTTP/1.1"), "{said}");
    assert!(said.contains("> X-Api-Key: …"), "{said}");
    assert!(!said.contains("opensesame") && !said.contains("swordfish"), "{said}");
}

#[test]
fn nothing_is_written_where_something_is_there_or_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |args: &[&str]| {
        let output = xmlperf(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        text(&output.stderr)
    };
    assert!(refused(&["init", "--from", "gone.har"]).contains("cannot read `gone.har`"));
    fs::write(folder.path().join("a.json"), "{\"swagger\": \"2.0\"}").unwrap();
    let said = refused(&["init", "--from", "a.json"]);
    assert!(said.contains("/swagger: `2.0` is not a version of OpenAPI from 3.0 on"), "{said}");
    assert!(said.contains("swagger2openapi"), "{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    fs::write(folder.path().join("b.yaml"), include_str!("../fixtures/order-service.yaml"))
        .unwrap();
    fs::create_dir(folder.path().join("xmlperf")).unwrap();
    fs::write(folder.path().join("xmlperf/create.xml.j2"), "mine").unwrap();
    assert!(refused(&["init", "--from", "b.yaml"]).contains("xmlperf/create.xml.j2` exists"));
    assert!(!folder.path().join("xmlperf.toml").exists());
}
