//! Scenarios of several operations, from the file to the report.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

use serde_json::Value;

use crate::order_service::{self, OrderService};
use crate::published_schema;

/// Creating, reading and searching orders.
const OPERATIONS: &str = r#"
[[operation]]
name = "create"
path = "/orders"
text = "<Item>{{ index }}</Item>"
content-type = "application/xml"
expect = [{ status = 201 }]

[[operation]]
name = "read"
method = "GET"
path = "/orders/1"
expect = [{ xml = "/Order/@id", equals = "1" }]

[[operation]]
name = "search"
method = "GET"
path = "/orders?state=open"
expect = [{ xml = "/Found/State", equals = "open" }]
"#;

const SAMPLING: &str =
    "[work]\nlane = \"off\"\n[sampling]\nwarm-up = \"20 ms\"\nload = \"60 ms\"\nbodies = 2\n";

/// Runs `xmlperf` with these words on a configuration; the report is none for text.
fn xmlperf(words: &[&str], config: &str) -> (Option<i32>, String, Value) {
    let folder = tempfile::tempdir().unwrap();
    xmlperf_in(folder.path(), words, config)
}

/// Runs `xmlperf` with these words in a folder on a configuration; the report is none for text.
pub(crate) fn xmlperf_in(
    folder: &Path,
    words: &[&str],
    config: &str,
) -> (Option<i32>, String, Value) {
    fs::write(folder.join("xmlperf.toml"), config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xmlperf"))
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned(), report)
}

fn target(url: &str) -> String {
    format!("[target]\nurl = \"{url}\"\nready = \"/health\"\n")
}

#[test]
fn check_sends_one_request_of_each_operation() {
    let (url, service) = OrderService::default().serve();
    let mix = "[[scenario]]\nname = \"traffic\"\nmix = { search = 7, create = 2, read = 1 }\n";
    let (code, said, _) = xmlperf(&["check"], &format!("{}{OPERATIONS}{mix}", target(&url)));
    assert_eq!(code, Some(0), "{said}");
    let counted = [&service.created, &service.read, &service.searched];
    assert_eq!(counted.map(|count| count.load(Ordering::Relaxed)), [1, 1, 1]);
    assert!(said.contains("── traffic · create · ok") && said.contains("3 of 3"), "{said}");
    assert!(said.contains("> GET /orders?state=open HTTP/1.1"), "{said}");
}

#[test]
fn a_mix_keeps_its_shares_and_each_operation_has_its_rows_and_limits() {
    let (url, service) = OrderService::default().serve();
    let limits = "limits = { errors = \"0 %\", p50 = \"<= 1 s\" }\n";
    let operations =
        OPERATIONS.replace("path = \"/orders\"\n", &format!("path = \"/orders\"\n{limits}"));
    let mix = "[[scenario]]\nname = \"traffic\"\nload = { connections = 2, requests = 400 }\n\
               mix = { search = 70, create = 20, read = 10 }\n";
    let config = format!("{}launches = 2\n{operations}{mix}{}", SAMPLING, target(&url));
    let (code, said, report) = xmlperf(&["run", "--plain", "--format", "json"], &config);
    assert_eq!(code, Some(0), "{said}");
    let counted = [&service.created, &service.read, &service.searched];
    let counted = counted.map(|count| count.load(Ordering::Relaxed));
    // One more of each, to see whether the configuration is right.
    assert_eq!(counted, [161, 81, 561], "{said}");
    let rows = report["metrics"].as_array().unwrap();
    let of = |operation: &str, metric: &str| {
        rows.iter().find(|row| row["operation"] == operation && row["metric"] == metric)
    };
    for operation in ["create", "read", "search"] {
        assert!(of(operation, "latency").unwrap()["head"].as_f64().unwrap() > 0.0, "{said}");
        assert!(of(operation, "throughput").is_none(), "{said}");
    }
    let limits = report["limits"].as_array().unwrap();
    let kept: Vec<_> =
        limits.iter().map(|it| (&it["operation"], &it["limit"], &it["holds"])).collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept.iter().all(|(operation, _, holds)| *operation == "create" && **holds == true));
}

#[test]
fn a_flow_with_a_unit_of_its_own_counts_one_a_flow() {
    let (url, _) = OrderService::default().serve();
    let flow = "[[scenario]]\nname = \"order\"\nflow = [\"create\", \"read\", \"search\"]\n\
                unit = \"order\"\nload = { connections = 2, requests = 300 }\n";
    let config = format!("{SAMPLING}launches = 1\n{OPERATIONS}{flow}{}", target(&url));
    let folder = tempfile::tempdir().unwrap();
    let (code, said, _) = xmlperf_in(folder.path(), &["run", "--plain"], &config);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("orders/s"), "{said}");
    let record = fs::read(folder.path().join(".xmlperf/report/run.json")).unwrap();
    let record = published_schema::record(&record);
    let scenario = &record["scenarios"][0];
    let launch = &scenario["trials"]["single"][0];
    let counted = [&scenario["requests_per_unit"], &launch["requests"], &launch["pairs"]];
    assert_eq!(counted, [3, 300, 100], "{said}");
}

#[test]
fn a_slower_operation_is_found_in_its_own_row() {
    let flow = "[[scenario]]\nname = \"order\"\nflow = [\"create\", \"read\", \"search\"]\n";
    // On a busy machine equal sides differ by some per cent; the planted change is a hundredfold.
    let gate = "[gate]\nalpha = 0.2\nfloor = { latency = 0.5 }\ntolerance = { latency = 0.9 }\n";
    let (base, head) = (order_service::command(false), order_service::command(true));
    let target = format!(
        "[target]\nstart = \"{head}\"\nport-env = \"{}\"\nready = \"/health\"\n",
        order_service::PORT
    );
    let config = format!("{SAMPLING}launch-pairs = 40\n{gate}{OPERATIONS}{flow}{target}");
    let words = ["compare", "--base-start", &base, "--plain", "--format", "json"];
    let (code, said, report) = xmlperf(&words, &config);
    assert_eq!(code, Some(1), "{said}");
    let latency = |operation: &str| {
        let rows = report["metrics"].as_array().unwrap();
        let is_it = |row: &&Value| row["operation"] == operation && row["metric"] == "latency";
        let row = rows.iter().find(is_it).unwrap();
        (row["verdict"].as_str().unwrap().to_owned(), row["change"].as_f64().unwrap())
    };
    let flow = report["metrics"].as_array().unwrap().iter().find(|row| row["metric"] == "flow");
    assert_eq!(flow.unwrap()["verdict"], "regressed", "{said}");
    let (verdict, change) = latency("create");
    assert_eq!(verdict, "regressed", "{said}");
    // The others share processor and caches with it, on a machine that others use as well.
    assert!(["read", "search"].iter().all(|it| latency(it).1 < change / 4.0), "{said}");
}

#[test]
fn an_answer_that_is_wrong_is_told_with_its_operation() {
    let (url, _) = OrderService::default().serve();
    let flow = "[[scenario]]\nname = \"order\"\nflow = [\"create\", \"read\"]\n";
    let operations = OPERATIONS.replace("equals = \"1\"", "equals = \"2\"");
    let config = format!("{SAMPLING}{operations}{flow}{}", target(&url));
    let (code, said, _) = xmlperf(&["run", "--plain"], &config);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains(
            "first request of read failed: wrong answer: expected 2 at /Order/@id, got 1"
        ),
        "{said}"
    );
}

/// The configuration of the worked example, for the service at a URL.
fn worked_example(url: &str) -> String {
    let page = include_str!("../../docs/scenarios.md");
    let example = page.split("## A worked example").nth(1).unwrap();
    let config = example.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let (_, rest) = config.split_once("\n\n").unwrap();
    format!("{SAMPLING}launches = 2\n{}{rest}", target(url))
}

fn guarded() -> OrderService {
    OrderService { is_guarded: true, ..OrderService::default() }
}

#[test]
fn the_worked_example_is_checked_step_by_step_as_one_user() {
    let (url, service) = guarded().serve();
    let (code, said, _) = xmlperf(&["check"], &worked_example(&url));
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("── order · read · ok") && said.contains("> GET /orders/2 HTTP/1.1"),
        "{said}"
    );
    assert!(said.contains("── traffic · login · ok"), "{said}");
    assert!(said.contains("`{{ id }}` at /Order/@id"), "{said}");
    assert_eq!(service.logged_in.load(Ordering::Relaxed), 2, "once a scenario");
}

#[test]
fn the_worked_example_logs_in_once_a_connection_and_never_repeats_an_order() {
    let (url, service) = guarded().serve();
    let words = ["run", "--plain", "--format", "json"];
    let (code, said, report) = xmlperf(&words, &worked_example(&url));
    assert_eq!(code, Some(0), "{said}");
    // Two launches of two scenarios with four connections and one, and one user of each before them.
    assert_eq!(service.logged_in.load(Ordering::Relaxed), 2 * (4 + 1) + 2, "{said}");
    let rows = report["metrics"].as_array().unwrap();
    let has = |scenario: &str, operation: &str| {
        rows.iter().any(|row| {
            row["scenario"] == scenario
                && row["operation"] == operation
                && row["metric"] == "latency"
        })
    };
    for (scenario, operation) in [("order", "create"), ("order", "read"), ("traffic", "search")] {
        assert!(has(scenario, operation), "{scenario} {operation}\n{said}");
    }
    assert!(!has("order", "login"), "what is sent before all load is not measured");
    assert!(report["scenarios"][0]["generator"]["rendering_ns"].as_u64().unwrap() > 0, "{said}");
}

#[test]
fn what_a_capture_does_not_find_is_the_failure_of_its_request() {
    let (url, _) = guarded().serve();
    let example = worked_example(&url);
    let wrong = example.replace("header = \"Location\"", "header = \"Place\"");
    let (code, said, _) = xmlperf(&["run", "--plain", "--scenario", "order"], &wrong);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("nothing to capture as id in the header Place"), "{said}");
    let refused = example.replace("json = \"/access_token\"", "json = \"/token\"");
    let (code, said, _) = xmlperf(&["run", "--plain", "--scenario", "order"], &refused);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("first request of login failed: wrong answer"), "{said}");
}
