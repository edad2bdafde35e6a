//! Exported scenarios, run: by wrk and curl themselves, and by a JavaScript engine with k6's modules in place of
//! k6's own.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;

use payload::{Capture, CapturePlace};
use serde_json::Value;
use tempfile::TempDir;

use crate::order_service::OrderService;
use crate::service::ServiceProcess;

/// A batch of ten document pairs, for a whole second over two connections.
const BATCHES: &str = r#"
[sampling]
bodies = 3
[[scenario]]
name = "batches"
pairs = 10
load = { connections = 2, duration = "1 s" }
limits = { throughput = ">= 1 pairs/s", p95 = "<= 60 s", errors = "0 %" }
[[scenario]]
name = "counted"
pairs = 10
load = { connections = 4, requests = 40 }
limits = { throughput = ">= 1 pairs/s", p95 = "<= 60 s", errors = "0 %" }
"#;

struct ExportFolder {
    folder: TempDir,
}

impl ExportFolder {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("out").join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.folder.path().join("out")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Runs the k6 script in a JavaScript engine.
    fn k6(&self, words: &[&str]) -> (Option<i32>, String) {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/k6");
        let modules = self.path("node_modules/k6");
        if !modules.exists() {
            fs::create_dir_all(&modules).unwrap();
            for entry in fs::read_dir(fixtures.join("modules")).unwrap() {
                let entry = entry.unwrap();
                fs::copy(entry.path(), modules.join(entry.file_name())).unwrap();
            }
            // What k6 takes for a module, node does by its ending.
            fs::copy(self.path("script.js"), self.path("script.mjs")).unwrap();
        }
        let run = Command::new("node")
            .arg(fixtures.join("run.mjs"))
            .arg(self.path("script.mjs"))
            .args(words)
            .stdin(Stdio::null())
            .output();
        said(&run.unwrap())
    }
}

fn said(output: &Output) -> (Option<i32>, String) {
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// Runs `xmlperf` in the folder of a configuration.
fn xmlperf(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_xmlperf"))
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output();
    said(&run.unwrap())
}

fn try_export(config: &str, words: &[&str]) -> (Option<i32>, String, ExportFolder) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("xmlperf.toml"), config).unwrap();
    let words = [&["export"], words, &["--output", "out"]].concat();
    let (code, said) = xmlperf(folder.path(), &words);
    (code, said, ExportFolder { folder })
}

fn export(config: &str, words: &[&str]) -> ExportFolder {
    let (code, said, folder) = try_export(config, words);
    assert_eq!(code, Some(0), "{said}");
    folder
}

/// What a service has counted, by its own word: requests that were answered by 200, and document pairs.
fn counted(service: &ServiceProcess) -> (u64, u64) {
    let mut stream = service.connect();
    stream.write_all(b"GET /xml-compare-api/metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let sum = |name: &str, label: &str| {
        let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    };
    let requests = sum("xmlperf_reference_requests_total", "call=\"compare-xml-batch\"");
    (requests, sum("xmlperf_reference_pairs_total", "result="))
}

/// The number behind a word in what was printed.
fn number(said: &str, before: &str, behind: &str) -> u64 {
    let end = said.find(behind).unwrap_or_else(|| panic!("no `{behind}` in {said}"));
    let head = said[..end].trim_end();
    let start = head.rfind(before).map_or(0, |at| at + before.len());
    head[start..].trim().parse().unwrap_or_else(|_| panic!("`{}` in {said}", &head[start..]))
}

#[test]
fn wrk_sends_the_scenario_and_finds_every_answer_true() {
    let service = ServiceProcess::start(&["--workers", "1"]);
    let url = format!("http://{}", service.address);
    let export = export(BATCHES, &["wrk", "batches", "--url", &url]);
    let line = export.text("script.lua");
    let line = line.lines().find_map(|line| line.strip_prefix("--   wrk ")).unwrap().to_owned();
    let words: Vec<&str> = line.split(' ').collect();
    let run = Command::new("wrk").args(&words).current_dir(export.path("")).output();
    let (code, said) = said(&run.unwrap());
    assert_eq!(code, Some(0), "{said}");
    let (sent, answered) = (number(&said, ":", "requests sent"), number(&said, ",", "answered"));
    assert!(said.contains("wrong status 0, wrong count 0, wrong answer 0"), "{said}");
    assert!(said.contains("limit kept: p95 <= 60.0 s"), "{said}");
    let (requests, pairs) = counted(&service);
    // At the end a request may be on its way on each connection.
    assert!(answered <= requests && requests <= sent && sent - answered <= 2, "{requests} {said}");
    assert_eq!(pairs, 10 * requests);
    let imported = export.path("wrk.txt");
    fs::write(&imported, &said).unwrap();
    let (code, read) = xmlperf(export.folder.path(), &["import", imported.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{read}");
    assert!(read.contains(&answered.to_string()), "{read}");
}

#[test]
fn wrk_finds_answers_that_are_wrong() {
    // What this service calls equal, the scenario does not.
    let service = ServiceProcess::start(&["--semantics", "xmlunit-similar"]);
    let url = format!("http://{}", service.address);
    let config = format!(
        "[target]\nsemantics = \"c14n\"\n[payload]\nmix = {{ classes = \"0:1:0\" }}\n{BATCHES}"
    );
    let export = export(&config, &["wrk", "batches", "--url", &url]);
    let run = Command::new("wrk")
        .args(["-t2", "-c2", "-d1s", "-s", "out/script.lua", &url])
        .current_dir(export.folder.path())
        .output();
    let (code, said) = said(&run.unwrap());
    assert_eq!(code, Some(1), "{said}");
    assert!(
        number(&said, "answer", "\nxmlperf: 0.") > 0 || said.contains("answer of request"),
        "{said}"
    );
    assert!(said.contains("limit broken: errors <= 0 %"), "{said}");
}

#[test]
fn curl_sends_each_request_once_and_looks_into_the_answers() {
    let service = ServiceProcess::start(&[]);
    let url = format!("http://{}", service.address);
    let export = export(BATCHES, &["curl", "batches"]);
    let run = |url: &str| said(&Command::new(export.path("run.sh")).arg(url).output().unwrap());
    let (code, said) = run(&url);
    assert_eq!((code, said.as_str()), (Some(0), "3 requests sent, 0 wrong answers\n"));
    assert_eq!(counted(&service), (3, 30));
    let other = ServiceProcess::start(&["--body-limit", "10 B"]);
    let (code, said) = run(&format!("http://{}", other.address));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("request 1: status 413"), "{said}");
}

/// Requests as they came, each once; a SOAP envelope answers them.
#[derive(Default)]
struct RequestRecorder(Mutex<BTreeSet<Vec<u8>>>);

impl RequestRecorder {
    fn serve() -> (String, Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let recorder = Arc::new(Self::default());
        let shared = Arc::clone(&recorder);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, recorder) = (stream.unwrap(), Arc::clone(&shared));
                thread::spawn(move || while recorder.exchange(&stream).is_some() {});
            }
        });
        (url, recorder)
    }

    fn exchange(&self, mut stream: &TcpStream) -> Option<()> {
        let (mut reader, mut bytes) = (BufReader::new(stream), Vec::new());
        while !bytes.ends_with(b"\r\n\r\n") {
            if reader.read_until(b'\n', &mut bytes).ok()? == 0 {
                return None;
            }
        }
        let head = String::from_utf8(bytes.clone()).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        reader.read_exact(&mut body).ok()?;
        if head.starts_with("POST") {
            self.0.lock().unwrap().insert([bytes, body].concat());
        }
        let answer = "<e:Envelope xmlns:e='urn:e'>\n<e:Body>\n<Done/></e:Body></e:Envelope>";
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
        stream.write_all([head.as_bytes(), answer.as_bytes()].concat().as_slice()).ok()
    }

    fn take(&self) -> BTreeSet<Vec<u8>> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A request with its headers in lower case and in order, as tools have orders of their own.
fn ordered(request: &[u8]) -> (BTreeSet<String>, Vec<u8>) {
    let end = request.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(request[..end].to_vec()).unwrap();
    let (line, headers) = head.split_once("\r\n").unwrap();
    let headers = headers.lines().filter(|header| !header.starts_with("Connection:"));
    let headers = headers.map(str::to_lowercase);
    (headers.chain([line.to_owned()]).collect(), request[end..].to_vec())
}

#[test]
fn every_tool_sends_the_bytes_that_the_load_engine_sends() {
    let (url, recorder) = RequestRecorder::serve();
    let config = format!(
        "[target]\nurl = \"{url}\"\nready = \"/\"\n[request]\nkind = \"soap11\"\npath = \"/a?b=%20'c'\"\n\
         headers = {{ X-Quoted = \"it's \\\"so\\\" $HOME \\\\n {{{{ no }}}}\" }}\n\
         [sampling]\nbodies = 3\nlaunches = 1\nload = \"50 ms\"\nwarm-up = \"1 ms\"\n\
         [[scenario]]\nname = \"quoted\"\npreset = \"unicode\"\n"
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("xmlperf.toml"), &config).unwrap();
    let (code, printed) = xmlperf(folder.path(), &["run", "--plain", "--lane", "time"]);
    assert_eq!(code, Some(0), "{printed}");
    let expected = recorder.take();
    assert_eq!(expected.len(), 3);
    let wrk = export(&config, &["wrk", "quoted"]);
    let run = Command::new("wrk")
        .args(["-t1", "-c1", "-d1s", "-s", "out/script.lua", &url])
        .current_dir(wrk.folder.path())
        .output();
    let (code, printed) = said(&run.unwrap());
    assert_eq!(code, Some(0), "{printed}");
    assert!(recorder.take() == expected, "wrk sent other bytes");
    let expected: BTreeSet<_> = expected.iter().map(|it| ordered(it)).collect();
    let sent = || recorder.take().iter().map(|it| ordered(it)).collect::<BTreeSet<_>>();
    let curl = export(&config, &["curl", "quoted"]);
    let (code, printed) = said(&Command::new(curl.path("run.sh")).output().unwrap());
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(sent(), expected, "curl");
    let config = config.replace("name = \"quoted\"", "name = \"quoted\"\nload = { requests = 3 }");
    let (code, printed) = export(&config, &["k6", "quoted"]).k6(&[]);
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(sent(), expected, "k6");
}

#[test]
fn compressed_bodies_and_chunks_are_taken_and_answered_truly() {
    let service = ServiceProcess::start(&[]);
    let url = format!("http://{}", service.address);
    let config = format!("[request]\ngzip = true\nchunked = true\n{BATCHES}");
    let wrk = export(&config, &["wrk", "batches"]);
    let run = Command::new("wrk")
        .args(["-t2", "-c2", "-d1s", "-s", "out/script.lua", &url])
        .current_dir(wrk.folder.path())
        .output();
    let (code, printed) = said(&run.unwrap());
    assert_eq!(code, Some(0), "{printed}");
    let curl = export(&config, &["curl", "batches"]);
    let (code, printed) = said(&Command::new(curl.path("run.sh")).arg(&url).output().unwrap());
    assert_eq!(code, Some(0), "{printed}");
    let (code, printed, _) = try_export(&config, &["k6", "counted"]);
    assert_eq!(code, Some(2), "{printed}");
    assert!(printed.contains("k6 cannot express bodies in chunks"), "{printed}");
    let k6 = export(&config.replace("chunked = true", ""), &["k6", "counted"]);
    let (code, printed) = k6.k6(&["--url", &url]);
    assert_eq!(code, Some(0), "{printed}");
}

/// What was recorded of requests: method, path, headers in lower case but for the host, and body.
fn recorded(
    path: &Path,
    url: &str,
) -> BTreeSet<(String, String, BTreeMap<String, String>, String)> {
    let lines = fs::read_to_string(path).unwrap();
    let request = |line: &str| {
        let request: Value = serde_json::from_str(line).unwrap();
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        let headers = request["headers"].as_object().unwrap();
        let headers = headers.iter().map(|(name, it)| (name.to_lowercase(), text(it)));
        let path = text(&request["url"]).strip_prefix(url).unwrap().to_owned();
        (text(&request["method"]), path, headers.collect(), text(&request["body"]))
    };
    lines.lines().map(request).collect()
}

#[test]
fn a_k6_script_sends_what_the_load_engine_sends_and_counts_pairs() {
    let service = ServiceProcess::start(&[]);
    let url = format!("http://{}", service.address);
    let export = export(BATCHES, &["k6", "counted"]);
    let record = export.path("requests");
    let (code, said) = export.k6(&["--url", &url, "--record", record.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("counted: 40 requests, 0 failed, 0 dropped"), "{said}");
    for check in ["status", "count of results", "answers are true"] {
        assert!(said.contains(&format!("check {check}: 40 of 40")), "{said}");
    }
    assert!(said.contains("kept: xmlperf_pairs rate>=1"), "{said}");
    assert_eq!(counted(&service), (40, 400));
    let sent = recorded(&record, &url);
    let bodies: BTreeSet<Vec<u8>> = (0..3)
        .map(|index| {
            let (request, body) = (index.to_string(), export.path("body"));
            let words = [
                "payload",
                "--pairs",
                "10",
                "--request",
                &request,
                "--output",
                body.to_str().unwrap(),
            ];
            let (code, said) = xmlperf(export.folder.path(), &words);
            assert_eq!(code, Some(0), "{said}");
            fs::read(body).unwrap()
        })
        .collect();
    let in_base64 = |body: &String| base64_bytes(body);
    assert_eq!(sent.iter().map(|(.., body)| in_base64(body)).collect::<BTreeSet<_>>(), bodies);
    let heads: BTreeSet<_> =
        sent.into_iter().map(|(method, path, head, _)| (method, path, head)).collect();
    let head = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
    let path = "/xml-compare-api/api/compare/xml/batch".to_owned();
    assert_eq!(heads, BTreeSet::from([("POST".to_owned(), path, head)]));
}

fn base64_bytes(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes().filter(|byte| *byte != b'=') {
        let value = DIGITS.iter().position(|it| *it == digit).unwrap();
        bits = bits << 6 | u32::try_from(value).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff).to_le_bytes()[0]);
        }
    }
    bytes
}

#[test]
fn segments_of_a_k6_script_add_up_to_what_the_server_counted() {
    let service = ServiceProcess::start(&[]);
    let url = format!("http://{}", service.address);
    let export = export(BATCHES, &["k6", "counted", "--operator", "4"]);
    let mut logs = String::new();
    for (part, form) in [("1/4", "map"), ("2/4", "list"), ("3/4", "map"), ("4/4", "map")] {
        let (code, said) = export.k6(&["--url", &url, "--segment", part, "--form", form]);
        assert_eq!(code, Some(0), "{said}");
        logs.push_str(&said);
    }
    let log = export.path("logs");
    let import = |logs: &str| {
        fs::write(&log, logs).unwrap();
        let words = ["import", log.to_str().unwrap(), "--format", "json", "--limit", "p95 <= 60 s"];
        xmlperf(export.folder.path(), &words)
    };
    let (code, said) = import(&logs);
    assert_eq!(code, Some(0), "{said}");
    let report: Value = serde_json::from_str(&said).unwrap();
    let series = &report["head"]["series"][0];
    assert_eq!((&series["requests"], &series["failures"]), (&40.into(), &0.into()));
    assert_eq!(counted(&service), (40, 400));
    let times = &series["times"];
    let (p95, max) = (times["percentiles_ns"]["p95"].as_f64(), times["max_ns"].as_f64());
    assert!(p95.unwrap() > 0.0 && p95 <= max, "{times}");
    // A log that is missing, or there twice, would make a smaller or larger run.
    let lines: Vec<&str> = logs.lines().filter(|line| line.contains("xmlperf-summary")).collect();
    let (code, said) = import(&lines[..3].join("\n"));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("expected 4 instances, got 3"), "{said}");
    let (code, said) = import(&[lines[0], lines[1], lines[2], lines[2]].join("\n"));
    assert_eq!(code, Some(2), "{said}");
}

/// A login, orders with a number of their own, and cookies.
const ORDERS: &str = r#"
[request]
headers = { Authorization = "Bearer {{ token }}" }
[[operation]]
name = "login"
path = "/login"
text = "<Login at='{{ now }}' id='{{ uuid }}'>{{ (nonce ~ 'secret') | sha1 | base64 }}</Login>"
headers = { Authorization = "none" }
capture = { token = { json = "/access_token" } }
[[operation]]
name = "create"
path = "/orders"
content-type = "application/xml"
text = "<Item>{{ unique }}</Item>"
expect = [{ status = 201 }]
capture = { id = { header = "Location", regex = "([0-9]+)$" } }
[[operation]]
name = "read"
method = "GET"
path = "/orders/{{ id }}"
expect = [{ xml = "/Order/@id", equals = "{{ id }}" }]
limits = { errors = "0 %" }
[[operation]]
name = "search"
method = "GET"
path = "/orders?state=open"
expect = [{ xml = "/Found/State", equals = "open" }]
[[scenario]]
name = "order"
setup = ["login"]
flow = ["create", "read"]
cookies = true
load = { connections = 3, requests = 24 }
[[scenario]]
name = "traffic"
setup = ["login", "create"]
mix = { search = 7, create = 2, read = 1 }
cookies = true
load = { model = "poisson", rate = 200, duration = "500 ms", connections = 4 }
"#;

#[test]
fn flows_captures_and_values_of_the_moment_become_code_of_k6() {
    let (url, service) = OrderService { is_guarded: true, ..OrderService::default() }.serve();
    let export = export(ORDERS, &["k6", "order"]);
    let (code, said) = export.k6(&["--url", &url]);
    assert_eq!(code, Some(0), "{said}\n{}", export.text("script.js"));
    let counts = [&service.logged_in, &service.created, &service.read];
    assert_eq!(counts.map(|count| count.load(Ordering::Relaxed)), [3, 12, 12], "{said}");
    // A guarded service refuses an order that it has seen, and a request without token and cookie.
    assert!(said.contains("order: 24 requests, 0 failed"), "{said}");
    assert!(said.contains("kept: xmlperf_failed_2_read rate<=0"), "{said}");
}

#[test]
fn a_mix_keeps_its_shares_and_its_drawn_arrivals_in_k6() {
    let (url, service) = OrderService { is_guarded: true, ..OrderService::default() }.serve();
    let export = export(ORDERS, &["k6", "traffic"]);
    let due: Vec<f64> = serde_json::from_str(&export.text("due.json")).unwrap();
    assert!(due.is_sorted() && due.iter().all(|ms| (0.0..500.0).contains(ms)), "{due:?}");
    let (code, said) = export.k6(&["--url", &url]);
    assert_eq!(code, Some(0), "{said}");
    let requests = number(&said, "traffic:", "requests, 0 failed, 0 dropped");
    assert_eq!(requests, due.len() as u64, "{said}");
    let count = |count: &std::sync::atomic::AtomicUsize| count.load(Ordering::Relaxed) as u64;
    let shares = [count(&service.searched), count(&service.created) - 4, count(&service.read)];
    assert_eq!(shares.iter().sum::<u64>(), requests);
    // Of ten requests in a row, exactly seven search.
    assert!(shares[0].abs_diff(requests * 7 / 10) <= 3, "{shares:?}");
}

#[test]
fn wrong_answers_and_failed_captures_break_a_k6_run() {
    let (url, _) = OrderService::default().serve();
    let config = ORDERS.replace("equals = \"{{ id }}\"", "equals = \"no {{ id }}\"");
    let (code, said) = export(&config, &["k6", "order"]).k6(&["--url", &url]);
    assert_eq!(code, Some(99), "{said}");
    assert!(said.contains("broken: xmlperf_failed_2_read rate<=0"), "{said}");
    assert!(said.contains("check answer at /Order/@id: 0 of"), "{said}");
    let config = ORDERS.replace("\"Location\"", "\"Elsewhere\"");
    let (code, said) = export(&config, &["k6", "order"]).k6(&["--url", &url]);
    assert_eq!(code, Some(99), "{said}");
    assert!(said.contains("check values are captured: 3 of"), "{said}");
}

#[test]
fn what_a_tool_cannot_express_is_named_and_nothing_is_written() {
    let refused = |config: &str, words: &[&str]| {
        let (code, said, folder) = try_export(config, words);
        assert_eq!(code, Some(2), "{said}");
        assert!(!folder.folder.path().join("out").exists(), "{said}");
        said.lines().next().unwrap().to_owned()
    };
    let steps = "[[scenario]]\nname = \"own\"\nload = { model = \"steps\", connections = [1, 2], requests = 5 }\n";
    let said = [
        refused(BATCHES, &["wrk", "counted"]),
        refused(ORDERS, &["wrk", "order"]),
        refused(ORDERS, &["curl", "traffic"]),
        refused(BATCHES, &["vegeta", "batches"]),
        refused("", &["k6", "nominal"]),
        refused("", &["k6", "capacity"]),
        refused(steps, &["k6", "own"]),
        refused("", &["wrk", "soak"]),
        refused(BATCHES, &["k6", "batches", "--operator", "3"]),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    error: wrk cannot express a load of 40 requests instead of a time
    error: wrk cannot express operations that a virtual user does in order (`flow`), operations that each virtual user does once (`setup`), cookies that virtual users keep (`cookies`), the captured value `token`, the captured value `id`, values of `login` that are known only when a request is sent, values of `create` that are known only when a request is sent, values of `read` that are known only when a request is sent, a limit on `errors` of `read` alone, the value of answers at `/Order/@id`, nor a load of 24 requests instead of a time
    error: curl cannot express operations that each virtual user does once (`setup`), cookies that virtual users keep (`cookies`), the captured value `token`, the captured value `id`, values of `login` that are known only when a request is sent, values of `create` that are known only when a request is sent, values of `read` that are known only when a request is sent, values of `search` that are known only when a request is sent, the value of answers at `/Order/@id`, nor the value of answers at `/Found/State`
    error: vegeta cannot express what answers say beside their status
    error: k6 cannot express a limit on `rss`
    error: k6 cannot express a search for the highest rate (`model = "capacity"`)
    error: k6 cannot express steps of ever more connections (`model = "steps"`)
    error: wrk cannot express a limit on `growth`
    error: k6 cannot express more instances than its 2 virtual users
    "#);
}

#[test]
fn what_is_left_out_is_named_in_the_script() {
    let export = export("", &["k6", "nominal", "--without", "rss", "--seed", "7"]);
    let script = export.text("script.js");
    assert!(script.contains("// Left out: rss."), "{}", &script[..900]);
    assert!(script.contains("\"p(95)<=300000\"") && !script.contains("rss<"), "{script}");
    assert_eq!(export.names().len(), 3, "{:?}", export.names());
}

/// Places, and texts in which they are looked up.
const PLACES: &[(&str, &[&str])] = &[
    (
        "/Env/Body/Item",
        &["<s:Env xmlns:s='u'><s:Body><Item>one</Item><Item> t&#119;o </Item></s:Body></s:Env>"],
    ),
    (
        "/s:Env/s:Body/Item[2]",
        &["<s:Env xmlns:s='u'><s:Body><Item>one</Item><Item> t&#x77;o </Item></s:Body></s:Env>"],
    ),
    ("/Env/Body/@at", &["<Env><Body at='1 &lt; 2' x:at=\"3\"/></Env>", "<Env><Body/></Env>"]),
    (
        "/a/b",
        &[
            "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'y'>]><a><b>1<c>2</c><![CDATA[&3]]><!-- 4 -->5</b></a>\n",
            "<a><b>&no;</b></a>",
            "<a><b>1</b>",
            "<a><b>1</a>",
            "<a/><a><b>2</b></a>",
            "x<a><b>1</b></a>",
            "",
            "\u{feff}<a><b>\u{e9}\u{1f600}</b></a>",
            "<a x='>'><b y=\"/>\">6</b></a>",
            "<a><x><b>0</b></x><b>7</b></a>",
        ],
    ),
    ("/r/g[2]/i[2]", &["<r><g><i>1</i><i>2</i></g><o/><g><i>3</i><h><i>4</i></h><i>5</i></g></r>"]),
];

/// JSON pointers, and texts in which they are looked up.
const POINTERS: &[(&str, &[&str])] = &[
    (
        "/a~1b/1/c",
        &[
            "{\"a/b\": [1, {\"c\": \"x\"}]}",
            "{\"a/b\": []}",
            "no json",
            "\u{feff}{\"a/b\": [0, {\"c\": 7}]}",
        ],
    ),
    ("/a/*/c", &["{\"a\": [{\"c\": true}, {\"c\": null}]}", "{\"a\": {\"x\": {\"c\": \"y\"}}}"]),
    ("/constructor", &["{}", "{\"constructor\": 1}"]),
    ("", &["\"text\"", "12"]),
];

#[test]
fn a_k6_script_finds_in_answers_what_the_load_engine_finds() {
    let script = export("", &["k6", "smoke"]).text("script.js");
    let begin = script.find("function parsed(").unwrap();
    let end = script.find("// ── what is known only").unwrap();
    let mut cases = Vec::new();
    for (is_xml, (place, texts)) in
        PLACES.iter().map(|it| (true, it)).chain(POINTERS.iter().map(|it| (false, it)))
    {
        let at = *place;
        let place = (if is_xml { CapturePlace::Xml } else { CapturePlace::Json })(at.to_owned());
        let capture = Capture::new("found", place, None).unwrap();
        for text in *texts {
            let found = capture.find(&[], text.as_bytes()).ok();
            cases.push(serde_json::json!([is_xml, at, text, found]));
        }
    }
    let cases = Value::from(cases);
    let program = format!(
        "{}\nfor (const [isXml, at, text, expected] of {cases}) {{\n\
         const all = isXml ? xmlTexts(text, at) : jsonValues(text, at).map((it) => typeof it === 'string' ? it : JSON.stringify(it));\n\
         const found = all.length > 0 && all[0] !== '' ? all[0] : null;\n\
         if (found !== expected) console.log(JSON.stringify({{ at, text, expected, found }}));\n}}",
        &script[begin..end]
    );
    let run = Command::new("node").args(["--input-type=module", "--eval", &program]).output();
    let (code, said) = said(&run.unwrap());
    assert_eq!((code, said.as_str()), (Some(0), ""));
}

#[test]
fn digests_and_nonces_of_a_k6_script_are_those_of_ws_security() {
    let text = "text = \"{{ nonce }} {{ (nonce ~ now ~ 'pw') | sha1 | base64 }} {{ now }} {{ nonce | sha1 }} {{ uuid }} {{ nonce | tojson }}\"";
    let start = ORDERS.find("text = \"<Login").unwrap();
    let end = start + ORDERS[start..].find('\n').unwrap();
    let config = [&ORDERS[..start], text, &ORDERS[end..]].concat();
    let (url, _) = OrderService::default().serve();
    let export = export(&config, &["k6", "order"]);
    let record = export.path("requests");
    let (code, said) = export.k6(&["--url", &url, "--record", record.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    let sent = recorded(&record, &url);
    let logins = sent.iter().filter(|(_, path, ..)| path == "/login");
    let logins: Vec<String> =
        logins.map(|(.., body)| String::from_utf8(base64_bytes(body)).unwrap()).collect();
    assert_eq!(logins.len(), 3);
    for login in logins {
        let words: Vec<&str> = login.split(' ').collect();
        let program = "const { createHash } = require('node:crypto');\n\
            const [nonce, now] = process.argv.slice(1);\n\
            const sha1 = (text) => createHash('sha1').update(text);\n\
            console.log(sha1(nonce + now + 'pw').digest('base64'), sha1(nonce).digest('hex'));";
        let run = Command::new("node").args(["--eval", program, words[0], words[2]]).output();
        let expected = String::from_utf8(run.unwrap().stdout).unwrap();
        assert_eq!(format!("{} {}\n", words[1], words[3]), expected, "{login}");
        assert_eq!((words[0].len(), words[2].len(), words[4].len()), (22, 24, 36), "{login}");
        assert_eq!(words[5], format!("\"{}\"", words[0]));
    }
}

/// A vegeta of a test: it notes its options and the targets, and its results are a fixed CSV.
const VEGETA: &str = r#"#!/bin/sh
case $1 in
attack) echo "$@" >attack; cat "$3" >seen; echo binary ;;
report) echo report ;;
encode) cat "$VEGETA_RESULTS" ;;
esac
"#;

#[test]
fn vegeta_is_given_the_targets_and_its_results_are_judged() {
    let config = "[[scenario]]\nname = \"steady\"\npairs = 10\n\
        load = { model = \"constant\", rate = 50, duration = \"2 s\" }\n\
        limits = { p95 = \"<= 3 ms\", errors = \"<= 1 %\", throughput = \">= 10 pairs/s\" }\n";
    let words = ["vegeta", "steady", "--without", "answers", "--jobs", "2"];
    let export = export(config, &words);
    let program = export.path("vegeta");
    fs::write(&program, VEGETA).unwrap();
    Command::new("chmod").arg("+x").arg(&program).status().unwrap();
    let results = export.path("given.csv");
    let run = |rows: &[(u64, u16, u64)], script: &str, words: &[&str]| {
        let line = |(at, status, ns): &(u64, u16, u64)| format!("{at},{status},{ns},10,20,\n");
        fs::write(&results, rows.iter().map(line).collect::<String>()).unwrap();
        let path = std::env::join_paths([export.path(""), "/usr/bin".into(), "/bin".into()]);
        let run = Command::new(export.path(script))
            .args(words)
            .env("PATH", path.unwrap())
            .env("VEGETA_RESULTS", &results)
            .output();
        said(&run.unwrap())
    };
    let right: Vec<_> = (0..100_u64).map(|n| (n * 20_000_000, 200, 1_000_000 + n)).collect();
    let (code, said) = run(&right, "run.sh", &["http://127.0.0.1:9"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("100 requests, 0 with a wrong status, 504.8 pairs/s"), "{said}");
    assert!(said.contains("limit kept: p95 <= 3.00 ms"), "{said}");
    let seen = export.text("seen");
    assert!(seen.starts_with("POST http://127.0.0.1:9/xml-compare-api/"), "{seen}");
    for body in seen.lines().filter_map(|line| line.strip_prefix("@./")) {
        assert!(export.path(body).exists(), "{body}");
    }
    let slow: Vec<_> = right.iter().map(|(at, _, ns)| (*at, 500, ns * 10)).collect();
    let (code, said) = run(&slow, "run.sh", &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("limit broken: p95") && said.contains("status 500: 100"), "{said}");
    // The results of two instances are those of one.
    let half = export.path("results-1.csv");
    fs::write(&half, "5,200,1000000,1,1\n6,200,2000000,1,1\n").unwrap();
    let given = results.to_str().unwrap();
    let (code, said) = run(&right, "judge.sh", &[given, half.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("102 requests"), "{said}");
    // An instance sends its part, from its own place in the targets; its log is whole when it is unpacked.
    let rate = export.text("attack.sh").contains("-rate=50/2s ");
    assert!(rate, "{}", export.text("attack.sh"));
    let path = std::env::join_paths([export.path(""), "/usr/bin".into(), "/bin".into()]);
    let unpacked = Command::new("sh")
        .args(["-c", "./attack.sh | base64 -d | gunzip"])
        .current_dir(export.path(""))
        .env("PATH", path.unwrap())
        .envs([("VEGETA_RESULTS", given), ("JOB_COMPLETION_INDEX", "1"), ("URL", "http://a:1/")])
        .output();
    let lines = fs::read_to_string(&results).unwrap().replace(",\n", "\n");
    assert_eq!(String::from_utf8(unpacked.unwrap().stdout).unwrap(), lines);
    let second = export.text("seen");
    assert!(second.starts_with("POST http://a:1/") && second.contains("@./steady-0-8"), "{second}");
    let place = |targets: &str, name: &str| targets.find(name).unwrap();
    assert!(place(&second, "steady-0-8.") < place(&second, "steady-0-0."), "{second}");
}

/// Runs a script of `tests/k6`, which fetches what it checks with.
fn check_with(script: &str, paths: &[PathBuf]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/k6").join(script);
    let (code, said) = said(&Command::new(script).args(paths).output().unwrap());
    assert_eq!(code, Some(0), "{said}");
}

#[test]
#[ignore = "fetches k6's types by npm"]
fn k6_s_published_types_accept_every_script() {
    let exports = [
        export(ORDERS, &["k6", "order"]),
        export(ORDERS, &["k6", "traffic"]),
        export(BATCHES, &["k6", "batches"]),
        export(BATCHES, &["k6", "counted", "--operator", "4"]),
    ];
    let scripts: Vec<_> = exports.iter().map(|export| export.path("script.js")).collect();
    check_with("types.sh", &scripts);
}

#[test]
#[ignore = "fetches the schemas of Kubernetes by pip"]
fn a_cluster_accepts_every_manifest() {
    let large = "[[scenario]]\nname = \"large\"\npairs = 20_000\nload = { connections = 4, duration = \"2 s\" }\n";
    let steady = "[[scenario]]\nname = \"steady\"\npairs = 5\nload = { model = \"constant\", rate = 9, duration = \"2 s\" }\n";
    for export in [
        export(BATCHES, &["k6", "counted", "--operator", "4"]),
        export(large, &["k6", "large", "--operator", "4"]),
        export(steady, &["vegeta", "steady", "--without", "answers", "--jobs", "3"]),
    ] {
        check_with("manifests.sh", &[export.path("")]);
    }
}
