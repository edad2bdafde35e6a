//! `expect = "base"`: where no one has written down what is right, head must answer as base does.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use std::fs;

use serde_json::Value;

use crate::operations::xmlperf_in;

/// Answers each request with the time, a number that rises, the orders so far, and a price.
const SERVER: &str = r#"
import http.server, itertools, sys, time
number, price = itertools.count(1), sys.argv[2]
class Orders(http.server.BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1
    def do_GET(self):
        n = next(number)
        orders = "".join(f"<Order id='{i}'/>" for i in range(max(0, n - 5), n))
        body = f"<Orders at='{time.time()}' n='{n}'>{orders}<Price>{price}</Price></Orders>".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Orders).serve_forever()
"#;

const CONFIG: &str = r#"
[target]
start = "python3 -u server.py {port} PRICE"
[[operation]]
name = "search"
method = "GET"
path = "/orders?run={{ unique }}"
expect = "base"
[[scenario]]
name = "traffic"
mix = { search = 1 }
[sampling]
warm-up = "10 ms"
load = "30 ms"
launch-pairs = 8
[gate.policy]
cpu = "report"
latency = "report"
tail = "report"
ready = "report"
first-answers = "report"
answer-bytes = "report"
[gate.tolerance]
memory = 0.9
[gate.floor]
memory = 0.5
"#;

/// Compares a head with this price with a base whose price is 7.
fn compare(price: &str) -> (Option<i32>, String, Value) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("server.py"), SERVER).unwrap();
    let words = ["compare", "--base-start", "python3 -u server.py {port} 7", "--lane", "time"];
    let words = [&words[..], &["--plain", "--format", "json"]].concat();
    xmlperf_in(folder.path(), &words, &CONFIG.replace("PRICE", price))
}

#[test]
fn what_base_answers_differently_is_left_out_and_the_report_says_which_places() {
    let (code, said, report) = compare("7");
    assert_eq!(code, Some(0), "{said}");
    let notes = report["notes"].as_array().unwrap();
    let note = notes.iter().find(|note| note["kind"] == "base_oracle").expect(&said);
    assert_eq!(note["operation"], "search");
    let left_out = note["left_out"].as_array().unwrap();
    assert_eq!(left_out, &["/Orders/@at", "/Orders/@n", "/Orders/Order[*]"], "{said}");
}

#[test]
fn another_answer_than_that_of_base_is_a_change_for_the_worse() {
    let (code, said, report) = compare("8");
    assert_eq!(code, Some(1), "{said}");
    let head = report["failure"]["head"]["detail"].as_str().unwrap();
    assert_eq!(head, "expected `7` at /Orders/Price, as base answers, got `8`");
}
