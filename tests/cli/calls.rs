//! Calls to a service beside the target: what is planted is found by one launch pair, and nothing where nothing is.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Answers each `POST` after so many `GET`s to Redis as its second argument says, and where that is more than one, a
/// look whether there is a key.
const SERVER: &str = r#"
import http.server, os, socket, sys, threading
host, port = os.environ["REDIS"].split(":")
redis = socket.create_connection((host, int(port)))
answers, lock = redis.makefile("rb"), threading.Lock()
def call(*words):
    redis.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
    assert answers.readline() in (b"$-1\r\n", b":0\r\n")
class Orders(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            for item in range(int(sys.argv[2])): call(b"GET", b"secret:%d" % item)
            if int(sys.argv[2]) > 1: call(b"EXISTS", b"secret")
        self.do_GET()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Orders).serve_forever()
"#;

/// Only calls decide, so that a comparison ends when they are known.
const CONFIG: &str = r#"
[target]
start = "python3 server.py {port} COUNT"
ready = "/"
env = { REDIS = "{service:redis}" }

[[service]]
name = "redis"
start = "redis-server --port {port} --bind 127.0.0.1 --dir {dir} --save ''"
ready = { log = "Ready to accept connections" }

[request]
kind = "raw-xml"

[sampling]
warm-up = "10 ms"
load = "60 ms"

[work]
lane = "off"

[gate.policy]
cpu = "off"
latency = "off"
tail = "off"
memory = "off"
ready = "off"
first-answers = "off"
answer-bytes = "off"

[[scenario]]
name = "orders"
pairs = 1
limits = { queries = "<= 3" }
"#;

/// Compares a head that makes so many calls with a base that makes one; returns the exit code, what was said, and the
/// report.
fn compare(calls: &str) -> (Option<i32>, String, Value) {
    let folder: TempDir = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("server.py"), SERVER).unwrap();
    fs::write(folder.path().join("xmlperf.toml"), CONFIG.replace("COUNT", calls)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xmlperf"))
        .args(["compare", "--plain", "--base-start", "python3 server.py {port} 1"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let report = folder.path().join(".xmlperf/report");
    let record = fs::read_to_string(report.join("run.json")).unwrap_or_default();
    assert!(!record.contains("secret"), "a key is in the record");
    let json = fs::read_to_string(report.join("report.json")).unwrap_or_default();
    (output.status.code(), said, serde_json::from_str(&json).unwrap_or_default())
}

/// The row of a metric: its values, and what follows.
fn row<'a>(report: &'a Value, metric: &str) -> (Option<f64>, Option<f64>, &'a str) {
    let rows = report["metrics"].as_array().unwrap();
    let row = rows.iter().find(|row| row["metric"] == metric).unwrap();
    (row["base"].as_f64(), row["head"].as_f64(), row["verdict"].as_str().unwrap())
}

#[test]
fn calls_that_were_added_are_found_by_one_launch_pair_and_named() {
    let (code, said, report) = compare("4");
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(row(&report, "queries"), (Some(1.0), Some(5.0), "regressed"), "{said}");
    assert_eq!(row(&report, "round-trips"), (Some(1.0), Some(5.0), "regressed"), "{said}");
    assert_eq!(report["method"]["launches"], 1, "{said}");
    let service = &report["calls"][0];
    assert_eq!((&service["service"], &service["protocol"]), (&"redis".into(), &"redis".into()));
    let changes = service["statements"].as_array().unwrap();
    let changes: Vec<_> =
        changes.iter().map(|it| (it["statement"].as_str(), it["change"].as_str())).collect();
    let expected = [(Some("GET"), Some("more-often")), (Some("EXISTS"), Some("new"))];
    assert_eq!(changes, expected, "{said}");
    assert!(said.contains("queries per request") && said.contains("+4"), "{said}");
    assert!(said.contains("GET 1 → 4, new EXISTS 1"), "{said}");
    assert!(said.contains("NO"), "the limit is broken\n{said}");
}

#[test]
fn the_same_calls_are_no_change() {
    let (code, said, report) = compare("1");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(row(&report, "queries"), (Some(1.0), Some(1.0), "unchanged"), "{said}");
    assert_eq!(row(&report, "round-trips"), (Some(1.0), Some(1.0), "unchanged"), "{said}");
    assert_eq!(report["calls"][0]["statements"][0]["change"], "same");
    assert_eq!(report["limits"][0]["holds"], true, "{said}");
}
