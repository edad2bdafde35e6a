//! Whole loads against the reference API: what the report says of each kind.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::published_schema;

/// Runs a configuration and returns the exit code and the report. `flags` go to `xmlperf serve`.
fn run(config: &str, flags: &str) -> (Option<i32>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_xmlperf");
    let target =
        format!("[target]\nstart = \"{program} serve --workers 1 --port {{port}} {flags}\"\n");
    fs::write(folder.path().join("xmlperf.toml"), target + config).unwrap();
    let output = Command::new(program)
        .args(["run", "--plain", "--lane", "time", "--format", "json"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (output.status.code(), published_schema::report(&output.stdout))
}

#[test]
fn an_open_load_shows_response_times_and_steps_show_each_level() {
    // However late a busy machine is: this is not about its speed.
    let config = r#"
[sampling]
launches = 1
warm-up = "0 s"
lag-max = "1 h"
[[scenario]]
name = "visitors"
pairs = 5
load = { model = "poisson", rate = 200, duration = "300 ms" }
[[scenario]]
name = "stairs"
pairs = 5
load = { model = "steps", connections = [1, 2, 4], requests = 6 }
"#;
    let (code, report) = run(config, "");
    assert_eq!(code, Some(0), "{report:#}");
    let scenarios = report["scenarios"].as_array().unwrap();
    assert_eq!(scenarios[0]["times"], "response");
    assert_eq!(scenarios[0]["generator"]["dropped"], 0);
    assert!(scenarios[0]["target"]["rss_end"].as_f64().unwrap() > 1e6);
    assert_eq!(scenarios[1]["times"], "service");
    let steps = scenarios[1]["steps"].as_array().unwrap();
    let levels: Vec<_> = steps.iter().map(|step| &step["level"]["connections"]).collect();
    assert_eq!(levels, [1, 2, 4]);
    assert!(steps.iter().all(|step| step["requests"].as_u64().unwrap() >= 6), "{steps:?}");
}

#[test]
fn http2_is_spoken_by_whatever_model_and_every_answer_is_checked() {
    let config = r#"
[sampling]
launches = 1
warm-up = "0 s"
lag-max = "1 h"
[[scenario]]
name = "streams"
pairs = 5
load = { http = "2", connections = 2, streams = 3, requests = 40 }
[[scenario]]
name = "visitors"
pairs = 5
load = { model = "constant", rate = 200, duration = "200 ms", http = "2" }
[[scenario]]
name = "large"
pairs = 20_000
load = { http = "2", requests = 2 }
"#;
    let (code, report) = run(config, "");
    assert_eq!(code, Some(0), "{report:#}");
    let scenarios = report["scenarios"].as_array().unwrap();
    let load = scenarios[0]["load"].as_str().unwrap();
    assert!(load.ends_with("HTTP/2 with 3 streams each"), "{load}");
    for (scenario, in_flight) in scenarios.iter().zip([2.0..=6.0, 1.0..=64.0, 1.0..=1.0]) {
        assert_eq!(scenario["generator"]["dropped"], 0);
        let most = scenario["generator"]["in_flight_max"].as_f64().unwrap();
        assert!(in_flight.contains(&most), "{scenario:#}");
    }
}

#[test]
fn a_target_without_memory_is_said_to_be_without_memory() {
    let config = "memory = \"24 MiB\"\n[sampling]\nlaunches = 1\n\
                  [[scenario]]\nname = \"leaking\"\npairs = 5\n";
    let (code, report) = run(config, "--leak 1MiB");
    assert_eq!(code, Some(3), "{report:#}");
    let reason = report["reason"].as_str().unwrap();
    assert!(reason.contains("out of memory, of which it may take 24.0 MiB"), "{reason}");
}

#[test]
fn failures_are_reported_by_kind_with_the_first_of_each() {
    let config = r#"
[sampling]
launches = 1
warm-up = "0 s"
[[scenario]]
name = "hasty"
pairs = 5
load = { model = "closed", requests = 2, first-byte-timeout = "1 ms" }
limits = { errors = "100 %" }
"#;
    let (code, report) = run(config, "--delay 10s");
    assert_eq!(code, Some(0), "{report:#}");
    let failures = &report["scenarios"][0]["failures"][0];
    assert_eq!((&failures["kind"], &failures["count"]), (&"timeout".into(), &2.into()));
    assert_eq!(failures["first"]["detail"], "no first byte within 1.00 ms");
}

const SOAK: &str = r#"
[sampling]
launches = 3
[[scenario]]
name = "soak"
pairs = 1_000
load = { model = "closed", duration = "3 s" }
limits = { growth = "<= 5 %", errors = "0 %" }
"#;

#[test]
#[ignore = "slow: run by .ci/run full"]
fn soak_finds_a_leak_and_calls_none_where_there_is_none() {
    let (code, report) = run(SOAK, "--leak 1MiB");
    assert_eq!(code, Some(1), "{report:#}");
    let growth = report["limits"].as_array().unwrap().iter().find(|row| row["limit"] == "growth");
    assert!(growth.unwrap()["measured"].as_f64().unwrap() > 0.05);
    for _ in 0..20 {
        let (code, report) = run(SOAK, "");
        assert_eq!(code, Some(0), "{report:#}");
    }
}
