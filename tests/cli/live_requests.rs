//! Requests that are rendered as they are sent, wherever requests are sent: over HTTP/2, by an open load, over an
//! emulated network, under callgrind.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use serde_json::Value;

use crate::operations::xmlperf_in;

/// A comparison whose documents have a number of their own, and one that uses what the first has answered.
const OPERATIONS: &str = r#"
[request]
path = "/xml-compare-api/api/compare/xml"
content-type = "application/json"
[[operation]]
name = "first"
text = '{"xml1": "<a>{{ unique }}</a>", "xml2": "<a>{{ unique }}</a>"}'
expect = [{ json = "/matched", equals = "true" }]
capture = { ratio = { json = "/match_ratio" } }
[[operation]]
name = "second"
text = '{"xml1": "<a>{{ ratio }}</a>", "xml2": "<a>{{ uuid }}</a>"}'
expect = [{ json = "/matched", equals = "false" }]
"#;

/// Runs scenarios of both operations; `target` is what else is said of the target.
fn xmlperf(words: &[&str], config: &str) -> (Option<i32>, String, Value) {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_xmlperf");
    let target = format!("[target]\nstart = \"{program} serve --workers 1 --port {{port}}\"\n");
    xmlperf_in(folder.path(), words, &format!("{target}{OPERATIONS}{config}"))
}

#[test]
fn they_are_sent_over_http2_by_open_loads_and_over_a_network() {
    let config = r#"
[sampling]
launches = 1
warm-up = "20 ms"
lag-max = "1 h"
[[scenario]]
name = "streams"
flow = ["first", "second"]
load = { http = "2", connections = 2, streams = 3, requests = 60 }
[[scenario]]
name = "visitors"
setup = ["first"]
mix = { first = 1, second = 1 }
load = { model = "poisson", rate = 200, duration = "200 ms" }
[[scenario]]
name = "streaming visitors"
setup = ["first"]
mix = { first = 1, second = 1 }
load = { model = "constant", rate = 200, duration = "200 ms", http = "2" }
[[scenario]]
name = "far"
flow = ["first", "second"]
load = { requests = 20 }
network = { latency = "1 ms" }
"#;
    let words = ["run", "--lane", "time", "--plain", "--format", "json"];
    let (code, said, report) = xmlperf(&words, config);
    assert_eq!(code, Some(0), "{said}");
    let scenarios = report["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len(), 4);
    for scenario in scenarios {
        assert!(scenario["generator"]["rendering_ns"].as_u64().unwrap() > 0, "{scenario:#}");
        assert_eq!(scenario["generator"]["dropped"], 0, "{scenario:#}");
    }
}

#[test]
fn they_are_counted_under_callgrind_flow_by_flow() {
    let config = r#"
[work]
lane = "on"
launches = 2
pairs = 40
[[scenario]]
name = "order"
unit = "order"
flow = ["first", "second"]
"#;
    let words = ["run", "--lane", "work", "--plain", "--format", "json"];
    let (code, said, report) = xmlperf(&words, config);
    assert_eq!(code, Some(0), "{said}");
    let rows = report["metrics"].as_array().unwrap();
    let work = rows.iter().find(|row| row["metric"] == "work").expect(&said);
    assert!(work["head"].as_f64().unwrap() > 10_000.0, "{said}");
    let words = ["profile", "--tool", "callgrind", "--requests", "5", "--launches", "1"];
    let (code, said, _) = xmlperf(&words, config);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("order"), "{said}");
}
