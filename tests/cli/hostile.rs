//! Requests that mean the reference API harm: what it answers, and what that costs it.
//!
//! Prints the table of `docs/reference.md`, which must have a row for each of them:
//! `cargo test --release --test cli hostile -- --ignored --nocapture --test-threads 1`.

#![expect(clippy::unwrap_used, reason = "a test that cannot reach the service must fail")]
#![expect(clippy::print_stdout, reason = "the table is for people")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::service::ServiceProcess;

const MIB: usize = 1 << 20;
/// What any of them may cost in CPU time: a few times what an honest body of 500 MiB does.
const CPU_MAX: Duration = Duration::from_secs(8);
const ONE: &str = "/api/compare/xml";
const BATCH: &str = "/api/compare/xml/batch";

/// Connects with a time-out far beyond anything bounded, so that a service that hangs fails the test.
fn connect(service: &ServiceProcess) -> TcpStream {
    let stream = service.connect();
    stream.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
    stream
}

/// A body in parts: a part and how often it is sent.
type BodyParts<'a> = Vec<(&'a [u8], usize)>;

/// Sends a request without looking at the answer before all is sent or the service has hung up.
fn send(stream: &mut TcpStream, path: &str, headers: &str, parts: &BodyParts<'_>) {
    let length: usize = parts.iter().map(|(part, times)| part.len() * times).sum();
    let head = format!(
        "POST /xml-compare-api{path} HTTP/1.0\r\ncontent-type: application/json\r\n{headers}\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    for (part, times) in parts {
        // Small parts are put together, or sending them would take longer than reading them.
        let together = (MIB / part.len()).clamp(1, *times);
        let block = part.repeat(together);
        let blocks = times / together;
        let rest = &block[..part.len() * (times % together)];
        let pieces = (0..blocks).map(|_| &block[..]).chain([rest]);
        for piece in pieces {
            if stream.write_all(piece).is_err() {
                return;
            }
        }
    }
}

/// Reads the status, and the answer up to its end.
fn status(stream: &mut TcpStream) -> u16 {
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    let mut sink = vec![0; MIB];
    while stream.read(&mut sink).unwrap() > 0 {}
    std::str::from_utf8(&start[9..]).unwrap().parse().unwrap()
}

/// Sends one request to a fresh service and prints what came of it.
fn check(
    name: &str,
    expected: u16,
    memory_max: usize,
    flags: &[&str],
    path: &str,
    parts: &BodyParts<'_>,
) {
    check_with(name, expected, memory_max, flags, |service| {
        let mut stream = connect(service);
        send(&mut stream, path, "", parts);
        status(&mut stream)
    });
}

fn check_with(
    name: &str,
    expected: u16,
    memory_max: usize,
    flags: &[&str],
    attack: impl FnOnce(&ServiceProcess) -> u16,
) {
    let service = ServiceProcess::start(&[&["--workers", "2"], flags].concat());
    let service = &service;
    let status = attack(service);
    let (cpu, memory) = (service.cpu(), service.memory_bytes());
    let mib = memory as f64 / MIB as f64;
    println!("| {name} | {status} | {} ms | {mib:.0} MiB |", cpu.as_millis());
    assert_eq!(status, expected, "{name}");
    assert!(cpu < CPU_MAX, "{name}: {cpu:?}");
    let row = format!("\n| {name} | {status} |");
    assert!(include_str!("../../docs/reference.md").contains(&row), "not documented:{row}");
    assert!(memory <= u64::try_from(memory_max).unwrap(), "{name}: {mib:.0} MiB");
    // It still serves.
    let mut stream = connect(service);
    stream.write_all(b"GET /xml-compare-api/health HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(self::status(&mut stream), 200, "{name}");
}

const PAIR: &[u8] = br#"{"xml1":""#;
const BETWEEN: &[u8] = br#"","xml2":""#;
const END: &[u8] = br#""}"#;

/// The request for one pair of the same document.
fn twice<'a>(document: &BodyParts<'a>) -> BodyParts<'a> {
    let parts = [&[(PAIR, 1)], &document[..], &[(BETWEEN, 1)], document, &[(END, 1)]];
    parts.concat()
}

/// Puts together what `one` makes of the numbers below `n`.
fn many(n: usize, one: impl Fn(usize) -> String) -> String {
    (0..n).map(one).collect::<Vec<_>>().concat()
}

#[test]
#[ignore = "slow: run by .ci/run full"]
fn documents_that_mean_harm_are_cheap() {
    let laughs = b"<!DOCTYPE a [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><a>&b;</a>";
    check("entity bomb", 400, 20 * MIB, &[], ONE, &twice(&vec![(laughs, 1)]));
    let outside = b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>";
    check("external entity", 400, 20 * MIB, &[], ONE, &twice(&vec![(outside, 1)]));
    let nested: BodyParts<'_> = vec![(b"<abcd>", 20_000), (b"</abcd>", 20_000)];
    check("20 000 nested elements, 0.3 MB", 400, 20 * MIB, &[], ONE, &twice(&nested));
    let attributes: BodyParts<'_> = vec![(b"<a", 1), (b" a='1'", 100_000), (b"/>", 1)];
    check("100 000 attributes on an element", 400, 20 * MIB, &[], ONE, &twice(&attributes));
    let spaces: BodyParts<'_> = vec![(b"<a>", 1), (b" ", 30 * MIB), (b"</a>", 1)];
    check("30 MiB of white space, twice", 200, 200 * MIB, &[], ONE, &twice(&spaces));
    let open: BodyParts<'_> = vec![(b"<a>", 1), (b"<", 30 * MIB)];
    check("30 MiB of `<`, twice", 400, 200 * MIB, &[], ONE, &twice(&open));
    let references: BodyParts<'_> = vec![(b"<a>", 1), (b"&#x10FFFF;", 3 * MIB), (b"</a>", 1)];
    check("3 Mi character references, twice", 200, 200 * MIB, &[], ONE, &twice(&references));
}

#[test]
#[ignore = "slow: run by .ci/run full"]
fn large_documents_stay_within_a_multiple_of_their_size() {
    let own = many(1_000, |i| format!(" a{i}='1'"));
    let wide = format!("<a{own}></a>");
    let wide: BodyParts<'_> = vec![(b"<r>", 1), (wide.as_bytes(), 2_500), (b"</r>", 1)];
    let siblings: BodyParts<'_> = vec![(b"<r>", 1), (b"<a></a>", 4_000_000), (b"</r>", 1)];
    let declared = many(255, |i| format!(" xmlns:p{i}='u{i}'"));
    let declared = format!("<r{declared}>");
    let scopes: BodyParts<'_> =
        vec![(declared.as_bytes(), 1), (b"<p0:a/>", 4_000_000), (b"</r>", 1)];
    let names = many(900_000, |i| format!("<a{i}></a{i}>"));
    let names: BodyParts<'_> = vec![(b"<r>", 1), (names.as_bytes(), 1), (b"</r>", 1)];
    for semantics in ["xml-compare-api", "c14n", "xmlunit-similar"] {
        let flags = ["--semantics", semantics];
        for (name, document) in [
            ("2 500 elements of 1 000 attributes, 25 MB, twice", &wide),
            ("4 million empty elements, 28 MB, twice", &siblings),
            ("4 million names among 255 namespaces, 28 MB, twice", &scopes),
            ("900 000 different names, 17 MB, twice", &names),
        ] {
            let name = format!("{name}, {semantics}");
            check(&name, 200, 600 * MIB, &flags, ONE, &twice(document));
        }
    }
    let names = many(1_000_001, |i| format!("<a{i}></a{i}>"));
    let names: BodyParts<'_> = vec![(b"<r>", 1), (names.as_bytes(), 1), (b"</r>", 1)];
    check("a million different names and one, twice", 400, 600 * MIB, &[], ONE, &twice(&names));
}

#[test]
#[ignore = "slow: run by .ci/run full"]
fn differences_cannot_be_made_to_grow() {
    let start = format!("<{}>", "n".repeat(16_000));
    let end = format!("</{}>", "n".repeat(16_000));
    let leaves = |text: &str| many(100_000, |i| format!("<a{i}>{text}</a{i}>"));
    let [left, right] = [leaves("1"), leaves("2")];
    let pair: BodyParts<'_> = vec![
        (PAIR, 1),
        (start.as_bytes(), 1),
        (left.as_bytes(), 1),
        (end.as_bytes(), 1),
        (BETWEEN, 1),
        (start.as_bytes(), 1),
        (right.as_bytes(), 1),
        (end.as_bytes(), 1),
        (END, 1),
    ];
    for semantics in ["xml-compare-api", "c14n", "xmlunit-similar"] {
        let name = format!("100 000 differences below a name of 16 kB, {semantics}");
        check(&name, 200, 150 * MIB, &["--semantics", semantics], ONE, &pair);
    }
    let rules: Vec<_> = (0..100).map(|i| format!("\"/r/*/x{i}\"")).collect();
    let rules = format!("\",\"ignore_paths\":[{}]}}", rules.join(","));
    let ruled: BodyParts<'_> = vec![
        (PAIR, 1),
        (b"<r>", 1),
        (left.as_bytes(), 1),
        (b"</r>", 1),
        (BETWEEN, 1),
        (b"<r>", 1),
        (right.as_bytes(), 1),
        (b"</r>", 1),
        (rules.as_bytes(), 1),
    ];
    check("100 000 differences under 100 ignore rules", 200, 150 * MIB, &[], ONE, &ruled);
    let text = "x".repeat(50_000);
    let pair = format!(r#"{{"xml1":"<a>{text}</a>","xml2":"<a>y{text}</a>"}},"#);
    let batch: BodyParts<'_> =
        vec![(br#"{"comparisons":["#, 1), (pair.as_bytes(), 6_000), (b"{}]}", 1)];
    check(
        "600 MB of pairs, each different in 50 kB",
        503,
        600 * MIB,
        &["--body-limit", "600 MiB"],
        BATCH,
        &batch,
    );
}

#[test]
#[ignore = "slow: run by .ci/run full"]
fn requests_that_mean_harm_are_cheap() {
    let nested: BodyParts<'_> = vec![(br#"{"x":"#, 1), (b"[", 1_000_000)];
    check("JSON nested a million deep", 400, 20 * MIB, &[], BATCH, &nested);
    let beside: BodyParts<'_> =
        vec![(br#"{"x":""#, 1), (b"x", 100 * MIB), (br#"","comparisons":[]}"#, 1)];
    check("100 MiB beside the list", 422, 30 * MIB, &[], BATCH, &beside);
    let blanks: BodyParts<'_> = vec![(br#"{"comparisons":["#, 1), (b" ", 100 * MIB), (b"]}", 1)];
    check("100 MiB of white space in the list", 413, 150 * MIB, &[], BATCH, &blanks);
    let ends: BodyParts<'_> = vec![
        (br#"{"comparisons":[{"xml1":"<a>"#, 1),
        (b" },", 20 * MIB),
        (br#"</a>","xml2":""}]}"#, 1),
    ];
    check("60 MiB of text like ends of items", 200, 300 * MIB, &[], BATCH, &ends);
    let smallest: BodyParts<'_> =
        vec![(br#"{"comparisons":["#, 1), (br#"{"xml1":"","xml2":""},"#, 23_000_000), (b"{}]}", 1)];
    check("23 million pairs of nothing, 506 MB", 422, 150 * MIB, &[], BATCH, &smallest);
    check_with("a body of 500 MiB and a byte, announced", 413, 20 * MIB, &[], |service| {
        let mut stream = connect(service);
        send(&mut stream, BATCH, "", &vec![(b" ", 500 * MIB + 1)]);
        status(&mut stream)
    });
    check_with("a body without an end, in chunks", 413, 100 * MIB, &[], |service| {
        let mut stream = connect(service);
        let head = "POST /xml-compare-api/api/compare/xml/batch HTTP/1.1\r\nhost: x\r\n\
            content-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(b"19\r\n{\"comparisons\":[         \r\n").unwrap();
        let item =
            [&br#"{"xml1":"<a>1</a>","xml2":"<a>1</a>"},"#.repeat(1 << 14)[..], b"\r\n"].concat();
        let chunk = [format!("{:X}\r\n", item.len() - 2).as_bytes(), &item].concat();
        while stream.write_all(&chunk).is_ok() {}
        status(&mut stream)
    });
    check_with("1 MB that inflates to 1 GiB", 413, 100 * MIB, &[], |service| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(br#"{"comparisons":["#).unwrap();
        let block = br#"{"xml1":"<a>1</a>","xml2":"<a>1</a>"},"#.repeat(1 << 14);
        for _ in 0..1_800 {
            gzip.write_all(&block).unwrap();
        }
        let body = gzip.finish().unwrap();
        let mut stream = connect(service);
        send(&mut stream, BATCH, "content-encoding: gzip\r\n", &vec![(&body, 1)]);
        status(&mut stream)
    });
    check_with(
        "a body that stops, for 1 s",
        408,
        20 * MIB,
        &["--idle-timeout", "1 s"],
        |service| {
            let mut stream = connect(service);
            let head = "POST /xml-compare-api/api/compare/xml HTTP/1.0\r\ncontent-type: application/json\r\n\
            content-length: 100\r\n\r\n{";
            stream.write_all(head.as_bytes()).unwrap();
            status(&mut stream)
        },
    );
    check_with("300 connections that say nothing", 503, 30 * MIB, &[], |service| {
        let idle: Vec<_> = (0..300).map(|_| connect(service)).collect();
        let mut last = connect(service);
        let status = status(&mut last);
        drop(idle);
        status
    });
}
