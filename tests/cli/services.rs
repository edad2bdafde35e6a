//! A target with a database beside it, hooks and a secret, as a user runs it.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Answers `GET /ready` on the port of its first argument by 401, and a `POST` on that of its second by what a
/// service says, if it was called with the secret.
const SERVER: &str = r#"
import http.server, os, sys, threading, urllib.request
class Management(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401)
        self.end_headers()
    def log_message(self, *_): pass
class Orders(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        url = "http://" + os.environ["STOCK"] + "/stock.xml"
        body = urllib.request.urlopen(url).read() if os.environ["TOKEN"] == "hunter22" else b""
        self.send_response(200 if body == open("expected").read().encode() else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
management = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Management)
threading.Thread(target=management.serve_forever, daemon=True).start()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Orders).serve_forever()
"#;

const CONFIG: &str = r#"
[target]
start = "python3 server.py {port:management} {port}"
ready = { path = "/ready", port = "management", status = [401] }
env = { STOCK = "{service:stock}", TOKEN = { from = "ORDERS_TOKEN" } }

[[service]]
name = "stock"
setup = "echo '<stock/>' > {dir}/stock.xml"
start = "python3 -m http.server --bind 127.0.0.1 --directory {dir} {port}"

[hooks]
before-launch = "echo '<stock/>' > expected"
after-launch = "rm expected; echo {service:stock} >> launches"

[request]
kind = "raw-xml"

[sampling]
launches = 2
warm-up = "10 ms"
load = "30 ms"

[work]
lane = "off"

[[scenario]]
name = "orders"
pairs = 1
"#;

fn fixture(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("server.py"), SERVER).unwrap();
    fs::write(folder.path().join("xmlperf.toml"), config).unwrap();
    folder
}

fn xmlperf(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xmlperf"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.env("ORDERS_TOKEN", "hunter22").output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn a_target_with_a_service_hooks_and_a_secret_is_checked_and_measured() {
    let folder = fixture(CONFIG);
    let checked = xmlperf(folder.path(), &["check"]);
    assert_eq!(checked.status.code(), Some(0), "{}", said(&checked));
    let run = xmlperf(folder.path(), &["run", "--plain"]);
    assert_eq!(run.status.code(), Some(0), "{}", said(&run));
    let launches = fs::read_to_string(folder.path().join("launches")).unwrap();
    let stocks: Vec<&str> = launches.lines().collect();
    assert!(stocks.len() >= 3 && stocks[0].starts_with("127.0.0.1:"), "{launches}");
    // One service for all launches of a side.
    assert_eq!(stocks[stocks.len() - 1], stocks[stocks.len() - 2], "{launches}");
    let logs = folder.path().join(".xmlperf/logs");
    assert!(logs.join("head-stock.log").is_file() && !logs.join("head-stock.dir").exists());
    let record = fs::read_to_string(folder.path().join(".xmlperf/report/run.json")).unwrap();
    assert!(!record.contains("hunter") && !said(&run).contains("hunter"));
}

#[test]
fn a_service_or_hook_that_fails_ends_the_run_with_its_output() {
    let check = |config: String, expected: &[&str]| {
        let output = xmlperf(fixture(&config).path(), &["run", "--plain"]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(expected.iter().all(|part| said.contains(part)), "{expected:?}\n{said}");
    };
    let with = |from: &str, to: &str| CONFIG.replace(from, to);
    let setup = with("setup = \"", "setup = \"echo no disk; exit 9; ");
    let said = "the service stock cannot be started: setup exited with status 9";
    check(setup, &[said, "no disk"]);
    let hook = with("before-launch = \"", "before-launch = \"echo no schema; exit 8; ");
    check(hook, &["before-launch exited with status 8", "no schema"]);
}

#[test]
fn a_missing_variable_is_named_before_anything_is_started() {
    let folder = fixture(&CONFIG.replace("ORDERS_TOKEN", "NO_SUCH_TOKEN"));
    let output = xmlperf(folder.path(), &["run", "--plain"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("the environment has no variable `NO_SUCH_TOKEN`"));
    assert!(!folder.path().join("launches").exists());
}

#[test]
fn a_wrong_answer_is_found_before_anything_is_counted_or_measured() {
    let counted = CONFIG.replace("lane = \"off\"", "lane = \"auto\"");
    let folder = fixture(&counted.replace("echo '<stock/>' > {dir}", "echo '<other/>' > {dir}"));
    let output = xmlperf(folder.path(), &["run", "--plain"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("the first request failed: status 500"), "{said}");
    assert!(said.contains("setting: none of xmlperf: the target failed"), "{said}");
    assert!(!said.contains("counting"), "{said}");
    let launches = fs::read_to_string(folder.path().join("launches")).unwrap();
    assert_eq!(launches.lines().count(), 1, "{launches}");
}
