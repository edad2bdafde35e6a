//! The reference API over real connections: the calls of its contract, and what it does with
//! requests that mean it harm.

#![expect(clippy::unwrap_used, reason = "a test that cannot talk to the server must fail")]

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::service::ServiceProcess;

/// A running service, stopped on drop.
impl ServiceProcess {
    /// Sends a request and returns the status and the body of its answer.
    fn send(&self, request: &[u8]) -> (u16, String) {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        answer(stream)
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.send(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())
    }

    /// A connection that stays open after an answer.
    fn kept(&self) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(b"GET /xml-compare-api/health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"OK") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        stream
    }

    fn post(&self, path: &str, body: &[u8]) -> (u16, String) {
        self.send(&post(path, "content-type: application/json\r\n", body))
    }
}

/// An old version of HTTP, whose answers end with the connection.
fn post(path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let path = format!("/xml-compare-api{path}");
    let head = format!("POST {path} HTTP/1.0\r\n{headers}content-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn answer(mut stream: TcpStream) -> (u16, String) {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

const ONE: &str = "/api/compare/xml";
const BATCH: &str = "/api/compare/xml/batch";
const JSON: &str = "content-type: application/json\r\n";

#[test]
fn comparisons_are_answered_as_the_contract_says() {
    let service = ServiceProcess::start(&["--workers", "1"]);
    let check = |path: &str, body: &str, expected: &str| {
        let (status, answer) = service.post(path, body.as_bytes());
        assert_eq!(format!("{status} {}", answer.trim_end()), expected, "{body}");
    };
    check(
        ONE,
        r#"{"xml1":"<a x='1'>t</a>","xml2":"<a x=\"1\"> t </a>"}"#,
        r#"200 {"matched":true,"match_ratio":1.0,"diffs":[],"total_elements":1,"matched_elements":1}"#,
    );
    check(
        ONE,
        r#"{"xml1":"<a>1</a>","xml2":"<a>2</a>"}"#,
        r#"200 {"matched":false,"match_ratio":0.0,"diffs":[{"path":"/a","diff_type":"ContentDifferent","expected":"1","actual":"2","message":"the content of `/a` differs"}],"total_elements":1,"matched_elements":0}"#,
    );
    check(
        ONE,
        r#"{"xml1":"<a x='1'>1</a>","xml2":"<a x='2'>2</a>","ignore_paths":["/a"],"ignore_properties":null}"#,
        r#"200 {"matched":true,"match_ratio":1.0,"diffs":[],"total_elements":0,"matched_elements":0}"#,
    );
    check(
        ONE,
        r#"{"xml1":"<a>1</a>","xml2":"<a>1</b>"}"#,
        "400 `xml2` is not acceptable XML: an end tag that does not match its start tag at byte 6",
    );
    check(
        BATCH,
        r#"{"comparisons":[{"xml1":"<a>1</a>","xml2":"<a>1</a>"},{"xml1":"<a>","xml2":""},{"xml1":"<a><b>1</b></a>","xml2":"<a></a>"}]}"#,
        r#"200 {"results":[{"matched":true,"match_ratio":1.0,"diffs":[],"total_elements":1,"matched_elements":1},{"matched":false,"match_ratio":0.0,"diffs":[],"total_elements":0,"matched_elements":0},{"matched":false,"match_ratio":0.5,"diffs":[{"path":"/a/b","diff_type":"ElementMissing","expected":"1","actual":null,"message":"element `/a/b` is missing from the second document"}],"total_elements":2,"matched_elements":1}],"total_comparisons":3,"successful_comparisons":2,"failed_comparisons":1}"#,
    );
    check(
        BATCH,
        r#"{"comparisons":[]}"#,
        r#"200 {"results":[],"total_comparisons":0,"successful_comparisons":0,"failed_comparisons":0}"#,
    );
}

#[test]
fn what_is_refused_is_refused_in_plain_text() {
    let service = ServiceProcess::start(&["--workers", "1"]);
    let url = r#"{"url1":"http://localhost/a","url2":"http://localhost/b"}"#;
    let mut transcript = String::new();
    for (call, (status, text)) in [
        ("no JSON", service.post(BATCH, br#"{"comparisons":[}"#)),
        ("cut short", service.post(BATCH, br#"{"comparisons":[{"xml1":"#)),
        ("wrong item", service.post(BATCH, br#"{"comparisons":[{"xml1":"<a>1</a>"}]}"#)),
        ("wrong shape", service.post(BATCH, br#"["comparisons"]"#)),
        ("wrong type", service.post(ONE, br#"{"xml1":"<a>1</a>","xml2":2}"#)),
        ("not UTF-8", service.post(ONE, b"{\"xml1\":\"\xFF\",\"xml2\":2}")),
        ("no content type", service.send(&post(BATCH, "", b"{}"))),
        ("other type", service.send(&post(ONE, "content-type: text/xml\r\n", b"<a/>"))),
        ("encoding", service.send(&post(ONE, &format!("{JSON}content-encoding: br\r\n"), b"{}"))),
        ("not gzip", service.send(&post(ONE, &format!("{JSON}content-encoding: gzip\r\n"), b"{}"))),
        ("wrong method", service.get("/xml-compare-api/api/compare/xml")),
        ("wrong path", service.post("/api/compare", b"{}")),
        ("one URL", service.post("/api/compare/url", url.as_bytes())),
        (
            "URLs",
            service
                .post("/api/compare/url/batch", format!(r#"{{"comparisons":[{url}]}}"#).as_bytes()),
        ),
        (
            "login",
            service.post(
                "/api/auth/login",
                br#"{"url":"http://localhost/","username":"u","password":"p"}"#,
            ),
        ),
        ("logout", service.post("/api/auth/logout/42", b"")),
    ] {
        writeln!(transcript, "{call}: {status} {}", text.trim_end()).unwrap();
    }
    insta::assert_snapshot!(transcript, @"
    no JSON: 400 the body is not JSON: unexpected character at byte 16
    cut short: 400 the body is not JSON: it ends too early
    wrong item: 422 the body is JSON of the wrong shape: a comparison has `xml1` and `xml2` (at byte 16)
    wrong shape: 422 the body is JSON of the wrong shape: a batch is an object (at byte 0)
    wrong type: 422 the body is JSON of the wrong shape: `xml2` is a string (at byte 26)
    not UTF-8: 400 the body is not JSON: unexpected character at byte 9
    no content type: 415 the request needs `content-type: application/json`
    other type: 415 the request needs `content-type: application/json`
    encoding: 415 a body encoded as `br` is not taken
    not gzip: 400 the body does not inflate
    wrong method: 405 this path takes POST only
    wrong path: 404 there is nothing at this path
    one URL: 403 `http://localhost/a` may not be fetched: `--allow-url` does not name its host, or it is no plain HTTP
    URLs: 403 `http://localhost/a` may not be fetched: `--allow-url` does not name its host, or it is no plain HTTP
    login: 403 `http://localhost/` may not be fetched: `--allow-url` does not name its host, or it is no plain HTTP
    logout: 404 there is no session of this id
    ");
}

/// A batch in which every third pair differs, and the verdicts that are expected.
fn batch(pairs: usize) -> (String, Vec<bool>) {
    let matched: Vec<_> = (0..pairs).map(|i| i % 3 != 0).collect();
    let item = |(i, matched): (usize, &bool)| {
        let other = if *matched { i } else { i + 1 };
        format!(r#"{{"xml1":"<a id=\"{i}\">{i}</a>","xml2":"<a id=\"{i}\">{other}</a>"}}"#)
    };
    let items: Vec<_> = matched.iter().enumerate().map(item).collect();
    (format!(r#"{{"comparisons":[{}]}}"#, items.join(",")), matched)
}

fn matched((status, body): (u16, String)) -> Vec<bool> {
    assert_eq!(status, 200, "{body}");
    let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
    let results = answer["results"].as_array().unwrap();
    assert_eq!(answer["total_comparisons"], results.len());
    results.iter().map(|result| result["matched"] == true).collect()
}

#[test]
fn a_large_batch_is_answered_in_order_however_it_is_sent() {
    let (body, expected) = batch(20_000);
    for workers in ["1", "3"] {
        let service = ServiceProcess::start(&["--workers", workers]);
        assert_eq!(matched(service.post(BATCH, body.as_bytes())), expected);

        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(body.as_bytes()).unwrap();
        let headers = format!("{JSON}content-encoding: gzip\r\n");
        let request = post(BATCH, &headers, &gzip.finish().unwrap());
        assert_eq!(matched(service.send(&request)), expected);
    }
}

#[test]
fn a_health_check_is_answered_while_a_batch_is_not_finished() {
    let service = ServiceProcess::start(&["--workers", "1"]);
    let (body, expected) = batch(20_000);
    let request = post(BATCH, JSON, body.as_bytes());
    let (first, second) = request.split_at(request.len() / 2);
    let mut stream = service.connect();
    stream.write_all(first).unwrap();
    assert_eq!(service.get("/xml-compare-api/health"), (200, "OK".to_owned()));
    stream.write_all(second).unwrap();
    assert_eq!(matched(answer(stream)), expected);
}

#[test]
fn a_request_that_was_begun_is_answered_before_the_service_ends() {
    let mut service = ServiceProcess::start(&["--workers", "2"]);
    let body = r#"{"xml1":"<a>1</a>","xml2":"<a>1</a>"}"#;
    let head = format!(
        "POST /xml-compare-api{ONE} HTTP/1.1\r\nhost: x\r\n{JSON}content-length: {}\r\n\
         expect: 100-continue\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = service.connect();
    stream.write_all(head.as_bytes()).unwrap();
    // The service says so when it wants the body: from then on the request is begun.
    let mut begun = [0; 25];
    stream.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 100 Continue\r\n\r\n");
    let id = rustix::process::Pid::from_child(&service.child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let (status, answer) = answer(stream);
    assert_eq!(status, 200);
    assert!(answer.starts_with(r#"{"matched":true"#), "{answer}");
    assert!(service.child.wait().unwrap().success());
}

#[test]
fn limits_end_in_a_clean_answer() {
    let service = ServiceProcess::start(&[
        "--workers",
        "1",
        "--body-limit",
        "100 kB",
        "--pair-limit",
        "300 kB",
        "--idle-timeout",
        "20 ms",
        "--connections",
        "2",
    ]);
    let large = vec![b' '; 120_000];
    let refused = (413, "the body is larger than 97.7 KiB\n".to_owned());
    assert_eq!(service.post(BATCH, &large), refused);
    assert_eq!(service.post(ONE, &large), refused);

    // Without a length in the head, only the bytes themselves tell.
    let chunk = [b"1D4C0\r\n", &large[..], b"\r\n0\r\n\r\n"].concat();
    let head = b"POST /xml-compare-api/api/compare/xml/batch HTTP/1.1\r\nhost: x\r\n\
        content-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    assert_eq!(service.send(&[head, &chunk[..]].concat()), refused);

    // Inflates from 100 bytes to 100 kB and beyond.
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&large).unwrap();
    let headers = format!("{JSON}content-encoding: gzip\r\n");
    assert_eq!(service.send(&post(BATCH, &headers, &gzip.finish().unwrap())), refused);

    let slow = post(BATCH, JSON, br#"{"comparisons":[]}"#);
    let refused = (408, "the body did not arrive in time\n".to_owned());
    assert_eq!(service.send(&slow[..slow.len() - 1]), refused);

    // Each connection is known to the service once it has answered on it.
    let idle: Vec<_> = (0..2).map(|_| service.kept()).collect();
    let refused = (503, "too many connections\n".to_owned());
    assert_eq!(service.get("/xml-compare-api/health"), refused);
    drop(idle);
}

#[test]
fn a_single_comparison_and_all_of_them_together_are_limited() {
    let text = "x".repeat(400_000);
    let other = "y".repeat(400_000);
    let service = ServiceProcess::start(&["--workers", "1", "--pair-limit", "300 kB"]);
    let pair = format!(r#"{{"xml1":"<a>{text}</a>","xml2":"{other}"}}"#);
    let batch = format!(r#"{{"comparisons":[{pair}]}}"#);
    let refused = (413, "a comparison is larger than 293 KiB\n".to_owned());
    assert_eq!(service.post(BATCH, batch.as_bytes()), refused);
    assert_eq!(service.post(ONE, pair.as_bytes()).0, 413);

    // The differences of four such pairs take 3.2 MB, which is more than 2 MiB and 1 MiB.
    let service = ServiceProcess::start(&["--workers", "1", "--memory-limit", "1 MiB"]);
    let pair = format!(r#"{{"xml1":"<a>{text}</a>","xml2":"<a>{other}</a>"}}"#);
    let batch = |n| format!(r#"{{"comparisons":[{}]}}"#, vec![&pair[..]; n].join(","));
    assert_eq!(matched(service.post(BATCH, batch(1).as_bytes())), [false]);
    let busy = (503, "the service is at its limits; try again later\n".to_owned());
    assert_eq!(service.post(BATCH, batch(4).as_bytes()), busy);
    assert_eq!(matched(service.post(BATCH, batch(1).as_bytes())), [false]);
}

/// Answers each connection with the next text, whatever the request, and returns the requests.
fn elsewhere(answers: Vec<&'static str>) -> (u16, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = move |answer: &str| {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 4_096];
        let length = stream.read(&mut request).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    };
    (port, thread::spawn(move || answers.into_iter().map(serve).collect()))
}

#[test]
fn documents_are_fetched_from_allowed_hosts_with_the_cookies_of_a_session() {
    let (port, requests) = elsewhere(vec![
        "HTTP/1.1 204 No Content\r\nset-cookie: sid=s1; Path=/\r\nset-cookie: lang=en\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n<a>1</a>",
        "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n<a>1</a>",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
    ]);
    let host = format!("127.0.0.1:{port}");
    let service = ServiceProcess::start(&["--workers", "1", "--allow-url", &host]);
    let login = format!(r#"{{"url":"http://{host}/login","username":"ü&","password":"p p"}}"#);
    let (status, session) = service.post("/api/auth/login", login.as_bytes());
    let session: serde_json::Value = serde_json::from_str(&session).unwrap();
    assert_eq!((status, &session["cookies"]["sid"]), (200, &"s1".into()));
    let id = session["session_id"].as_str().unwrap();

    let pair =
        format!(r#"{{"url1":"http://{host}/1","url2":"http://{host}/2","session_id":"{id}"}}"#);
    let (status, answer) = service.post("/api/compare/url", pair.as_bytes());
    assert_eq!(status, 200, "{answer}");
    assert!(answer.starts_with(r#"{"matched":true"#), "{answer}");
    let batch = format!(r#"{{"comparisons":[{pair}]}}"#);
    assert_eq!(matched(service.post("/api/compare/url/batch", batch.as_bytes())), [false]);

    let requests = requests.join().unwrap();
    assert!(requests[0].starts_with("POST /login HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[0].ends_with("\r\n\r\nusername=%C3%BC%26&password=p%20p"), "{}", requests[0]);
    let with_cookies = requests[1..].iter().filter(|one| one.contains("cookie: lang=en; sid=s1"));
    assert_eq!(with_cookies.count(), 4);

    for forbidden in
        ["http://127.0.0.1:1/", "https://127.0.0.1/", "http://u@127.0.0.1/", "file:///"]
    {
        let pair = format!(r#"{{"url1":"{forbidden}","url2":"http://{host}/2"}}"#);
        assert_eq!(service.post("/api/compare/url", pair.as_bytes()).0, 403, "{forbidden}");
    }
    assert_eq!(service.post(&format!("/api/auth/logout/{id}"), b"").0, 200);
    assert_eq!(service.post("/api/compare/url", pair.as_bytes()).0, 404);
}

#[test]
fn what_the_service_did_can_be_read_by_prometheus() {
    let service = ServiceProcess::start(&["--workers", "1"]);
    service.post(BATCH, batch(9).0.as_bytes());
    service.post(ONE, br#"{"xml1":"","xml2":""}"#);
    service.get("/nowhere");
    let (status, text) = service.get("/metrics");
    assert_eq!(status, 200);
    let text: Vec<_> = text.lines().filter(|line| !line.contains("seconds")).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    # HELP xmlperf_reference_requests_total Requests answered.
    # TYPE xmlperf_reference_requests_total counter
    xmlperf_reference_requests_total{call="compare-xml",status="400"} 1
    xmlperf_reference_requests_total{call="compare-xml-batch",status="200"} 1
    xmlperf_reference_requests_total{call="none",status="404"} 1
    # HELP xmlperf_reference_pairs_total XML pairs compared.
    # TYPE xmlperf_reference_pairs_total counter
    xmlperf_reference_pairs_total{result="matched"} 6
    xmlperf_reference_pairs_total{result="different"} 3
    xmlperf_reference_pairs_total{result="malformed"} 1
    # HELP xmlperf_reference_connections Open connections.
    # TYPE xmlperf_reference_connections gauge
    xmlperf_reference_connections 1
    # HELP xmlperf_reference_refused_total Connections over the limit.
    # TYPE xmlperf_reference_refused_total counter
    xmlperf_reference_refused_total 0
    "#);
}

#[test]
fn the_description_names_every_path_that_is_served() {
    let service = ServiceProcess::start(&["--workers", "1"]);
    let (status, text) = service.get("/xml-compare-api/api-docs/openapi.json");
    assert_eq!(status, 200);
    let description: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (path, methods) in description["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "42");
        let (status, text) = match methods.get("get") {
            Some(_) => service.get(&format!("/xml-compare-api{path}")),
            None => service.post(&path, b"{}"),
        };
        assert!(status != 405 && text != "there is nothing at this path\n", "{path}: {status}");
    }
}
