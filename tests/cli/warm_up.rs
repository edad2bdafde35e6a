//! A target that gets faster as it runs, and what the report says of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::published_schema;

/// Works less for each request until so many came. A slope is seen on a busy machine too, where a level
/// is lost among others.
const SERVER: &str = r#"
import http.server, itertools, sys
number, cold = itertools.count(1), int(sys.argv[2])
class Orders(http.server.BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1
    def do_GET(self):
        sum(range(20_000 + 300 * max(0, cold - next(number))))
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"<a/>")
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Orders).serve_forever()
"#;

/// Runs one launch of a target that is cold for so many requests; returns what is said and the record.
fn run(cold: u32, load: &str, sampling: &str) -> (String, Value) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("server.py"), SERVER).unwrap();
    let config = format!(
        "[target]\nstart = \"python3 server.py {{port}} {cold}\"\n[work]\nlane = \"off\"\n\
         [[operation]]\nname = \"read\"\nmethod = \"GET\"\n[[scenario]]\nname = \"traffic\"\n\
         mix = {{ read = 1 }}\n{load}[sampling]\nlaunches = 1\n{sampling}"
    );
    fs::write(folder.path().join("xmlperf.toml"), config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xmlperf"))
        .args(["run", "--plain"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).split_whitespace().collect::<Vec<_>>().join(" ");
    let record = fs::read(folder.path().join(".xmlperf/report/run.json")).expect(&said);
    (said, published_schema::record(&record))
}

#[test]
fn a_target_that_is_still_warming_up_is_named_with_the_setting_that_helps() {
    let (said, record) = run(1000, "load = { requests = 900 }\n", "");
    assert!(said.contains("head is still warming up"), "{said}");
    assert!(said.contains("raise `warm-up` in `[sampling]`, or set it to \"steady\""), "{said}");
    let launch = &record["scenarios"][0]["trials"]["single"][0];
    let slices = launch["slices"].as_array().unwrap().len();
    assert_eq!(launch["slice_cpu_ns"].as_array().unwrap().len(), slices);
}

#[test]
fn a_warm_up_until_steady_lasts_as_long_as_it_takes() {
    let (said, record) = run(100, "", "warm-up = \"steady\"\nload = \"100 ms\"\n");
    let warm_up = &record["scenarios"][0]["trials"]["single"][0]["warm_up"];
    assert!(warm_up["is_steady"].is_boolean(), "{said}");
    // Twenty slices of 100 ms, or more.
    assert!(warm_up["wall_ns"].as_u64().unwrap() >= 2_000_000_000, "{warm_up}");
    let (_, record) = run(0, "", "warm-up = \"50 ms\"\nload = \"50 ms\"\n");
    let warm_up = &record["scenarios"][0]["trials"]["single"][0]["warm_up"];
    assert!(warm_up["is_steady"].is_null() && warm_up["wall_ns"].as_u64().unwrap() > 0);
}

#[test]
fn the_slower_side_is_warmed_up_by_as_many_requests_as_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[target]\nstart = \"unused {port}\"\nready = \"/xml-compare-api/health\"\n\
                  [[scenario]]\nname = \"smoke\"\npairs = 1\n\
                  [sampling]\nwarm-up = \"400 ms\"\nload = \"50 ms\"\n";
    fs::write(folder.path().join("xmlperf.toml"), config).unwrap();
    let program = env!("CARGO_BIN_EXE_xmlperf");
    let start =
        |delay: &str| format!("{program} serve --port {{port}} --workers 1 --delay {delay}");
    let output = Command::new(program)
        .args(["compare", "--plain", "--lane", "time", "--budget", "1ms"])
        .args(["--base-start", &start("5ms"), "--head-start", &start("10ms")])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let record = fs::read(folder.path().join(".xmlperf/report/run.json")).expect(&said);
    let record = published_schema::record(&record);
    let pair = &record["scenarios"][0]["trials"]["paired"][0];
    let requests = |side: &str| pair[side]["warm_up"]["requests"].as_u64().unwrap();
    let (base, head) = (requests("base"), requests("head"));
    // In 400 ms each it would be about 65 and 36.
    assert!(10 * head >= 9 * base && base >= 10, "{base} of base, {head} of head");
}
