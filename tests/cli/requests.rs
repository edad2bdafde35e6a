//! What a configuration says of requests, from the file to the target and back: every way to make
//! documents, every way to wrap them, and wrong answers to each.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

/// Runs `xmlperf run` in `folder` and returns its exit code and what it printed.
fn run(folder: &Path, config: &str) -> (Option<i32>, String) {
    let sampling = "[work]\nlane = \"off\"\n\
                    [sampling]\nwarm-up = \"10 ms\"\nload = \"30 ms\"\nlaunches = 1\nbodies = 2\n\
                    [[scenario]]\nname = \"own\"\npairs = 50\n";
    fs::write(folder.join("xmlperf.toml"), format!("{config}\n{sampling}")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xmlperf"))
        .args(["run", "--plain", "--lane", "time"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn check(config: &str, expected: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("documents")).unwrap();
    file("documents/a.xml", "<a x='1' y='2'><b>one</b><b/><c>two &amp; three</c></a>");
    file("documents/b.xml", "<p:d xmlns:p='urn:d'><p:e>four</p:e>\n<p:e>five</p:e></p:d>");
    file("one.j2", r#"{"xml1": {{ pair.xml1 | tojson }}, "xml2": {{ pair.xml2 | tojson }}}"#);
    let (code, said) = run(folder.path(), config);
    match expected {
        None => assert_eq!(code, Some(0), "{config}\n{said}"),
        Some(part) => {
            assert_eq!(code, Some(3), "{config}\n{said}");
            assert!(said.contains(part), "{config}\n`{part}` is missing in:\n{said}");
        }
    }
}

#[test]
fn documents_of_every_origin_get_the_answers_that_the_target_claims() {
    for semantics in ["xml-compare-api", "c14n", "xmlunit-similar"] {
        let target = format!("[target]\nsemantics = \"{semantics}\"\n");
        let mixed = "mix = { classes = \"1:2:2\" }";
        let more = "[[scenario]]\nname = \"a\"\npairs = 9\npreset = \"svg\"\n";
        check(&format!("{target}[payload]\ncorpus = \"documents\"\n{mixed}\n{more}"), None);
        check(&format!("{target}[payload]\npreset = \"unicode\"\n{mixed}\n"), None);
    }
    check("[payload]\nmix = { depth = \"7\", size = \"p50=2kB, max=9kB\" }\n", None);
    check("[payload]\nhostile = true\n[request]\nkind = \"xml-compare\"\n", None);
    for sent in ["gzip = true", "chunked = true", "gzip = true\nchunked = true"] {
        check(&format!("[request]\n{sent}\n[[scenario]]\nname = \"a\"\npairs = 2_000\n"), None);
    }
}

#[test]
fn a_template_makes_requests_and_judges_answers() {
    let template = |expect: &str| {
        format!(
            "[request]\ntemplate = \"one.j2\"\ncontent-type = \"application/json\"\n\
             path = \"/xml-compare-api/api/compare/xml\"\nheaders = {{ X-Tenant = \"7\" }}\n\
             expect = [{expect}]\n"
        )
    };
    check(&template("{ json = \"/matched\", equals = \"{{ pair.matched }}\" }"), None);
    check(&template("{ status = 201 }"), Some("expected 201 at the status, got 200"));
    let wrong = "{ json = \"/match_ratio\", equals = \"2\" }";
    check(&template(wrong), Some("expected 2 at /match_ratio"));
}

/// Answers every POST with `status` and `body`, and everything else with 200, until the process
/// ends; refuses a POST whose head lacks one of `heads`.
fn serve(status: u16, body: &'static str, heads: &'static [&str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || while answer(&stream, status, body, heads).is_some() {});
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: &TcpStream, status: u16, body: &str, heads: &[&str]) -> Option<()> {
    let (mut reader, mut head) = (BufReader::new(stream), String::new());
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut sent = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut sent).ok()?;
    let missing = heads.iter().any(|line| !head.lines().any(|other| other == *line));
    let status = match head.starts_with("POST") {
        true if missing => 400,
        true => status,
        false => 200,
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n\r\n{body}").ok()
}

#[test]
fn soap_has_its_headers_and_a_fault_is_one_whatever_the_status() {
    const FINE: &str = "<e:Envelope xmlns:e='urn:e'><e:Body><ok/></e:Body></e:Envelope>";
    const FAULT: &str = "<e:Envelope xmlns:e='urn:e'><e:Body><e:Fault><faultcode>e:Server</faultcode>\
                         <faultstring>out of ink</faultstring></e:Fault></e:Body></e:Envelope>";
    let soap = |kind: &str, url: String| {
        format!(
            "[target]\nurl = \"{url}\"\nready = \"/\"\n[request]\nkind = \"{kind}\"\npath = \"/soap\"\n"
        )
    };
    let heads: [&[&str]; 2] = [
        &["Content-Type: text/xml; charset=utf-8", "SOAPAction: \"urn:xmlperf:request\""],
        &["Content-Type: application/soap+xml; charset=utf-8; action=\"urn:xmlperf:request\""],
    ];
    for (kind, heads) in ["soap11", "soap12"].into_iter().zip(heads) {
        check(&soap(kind, serve(200, FINE, heads)), None);
        for status in [200, 500] {
            let fault = format!("got a SOAP fault with status {status}: e:Server: out of ink");
            check(&soap(kind, serve(status, FAULT, heads)), Some(&fault));
        }
    }
}
