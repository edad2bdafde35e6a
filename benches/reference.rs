//! How many XML pairs the reference API compares per second of CPU time, and in how much memory.
//!
//! CPU time of the whole service, so that the client beside it does not count and a busy machine
//! disturbs little; the best of several rounds. `cargo bench --bench reference`.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run must stop")]

#[path = "../tests/cli/service.rs"]
mod service;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;

use service::ServiceProcess;

use payload::{BodyStream, PayloadKind, PayloadSpec};
use reference::EqualitySemantics;

const ROUNDS: usize = 5;
/// XML pairs in a round, whatever the size of the batch.
const ROUND_PAIRS: u64 = 200_000;

fn body(pairs: u64) -> Vec<u8> {
    let mut body = Vec::new();
    let mut stream =
        BodyStream::new(&PayloadSpec::depth_mix(42, pairs), PayloadKind::XmlCompareBatch, 0);
    while stream.next_into(&mut body) {}
    body
}

/// A running service and a connection to it.
struct BenchClient {
    service: ServiceProcess,
    stream: BufReader<TcpStream>,
}

impl BenchClient {
    fn start(flags: &[&str]) -> Self {
        let service = ServiceProcess::start(flags);
        let stream = service.connect();
        stream.set_nodelay(true).unwrap();
        Self { service, stream: BufReader::with_capacity(1 << 20, stream) }
    }

    /// Sends a batch while the answer is read, and returns the size of the answer.
    fn batch(&mut self, body: &[u8]) -> usize {
        let mut sender = self.stream.get_ref().try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                let head = "POST /xml-compare-api/api/compare/xml/batch HTTP/1.1\r\nhost: x";
                let kind = "content-type: application/json";
                let length = body.len();
                let head = format!("{head}\r\n{kind}\r\ncontent-length: {length}\r\n\r\n");
                sender.write_all(head.as_bytes()).unwrap();
                sender.write_all(body).unwrap();
            });
            self.answer()
        })
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_ascii_lowercase()
    }

    fn answer(&mut self) -> usize {
        assert_eq!(self.line(), "http/1.1 200 ok");
        let (mut length, mut line) = (None, self.line());
        while !line.is_empty() {
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = Some(value.parse().unwrap());
            }
            line = self.line();
        }
        if let Some(length) = length {
            return self.skip(length);
        }
        let mut total = 0;
        loop {
            let length = usize::from_str_radix(&self.line(), 16).unwrap();
            self.skip(length + 2);
            if length == 0 {
                return total;
            }
            total += length;
        }
    }

    fn skip(&mut self, length: usize) -> usize {
        let mut part = self.stream.by_ref().take(u64::try_from(length).unwrap());
        std::io::copy(&mut part, &mut std::io::sink()).unwrap();
        length
    }
}

/// The least CPU time per XML pair in nanoseconds, of several rounds.
fn best_ns(pairs: u64, mut round: impl FnMut() -> f64) -> f64 {
    round();
    let best = (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min);
    best * 1e9 / pairs as f64
}

fn over_http_ns(flags: &[&str], pairs: u64) -> f64 {
    let body = body(pairs);
    let mut client = BenchClient::start(flags);
    let requests = ROUND_PAIRS / pairs;
    best_ns(requests * pairs, || {
        let start = client.service.cpu().as_secs_f64();
        for _ in 0..requests {
            client.batch(&body);
        }
        client.service.cpu().as_secs_f64() - start
    })
}

fn row(name: &str, ns: f64) {
    println!("{name:<44} {ns:>8.0} ns a pair {:>12.0} pairs per CPU second", 1e9 / ns);
}

fn main() {
    for (name, _) in EqualitySemantics::NAMES {
        let flags = ["--workers", "1", "--semantics", name];
        row(&format!("over HTTP, batches of 10 000, {name}"), over_http_ns(&flags, 10_000));
    }
    row("over HTTP, batches of 10 000, 2 workers", over_http_ns(&["--workers", "2"], 10_000));
    for workers in ["1", "2"] {
        let mut client = BenchClient::start(&["--workers", workers]);
        let answer = client.batch(&body(1_000_000));
        let peak = client.service.memory_bytes() as f64 / f64::from(1 << 20);
        println!(
            "one batch of 1 000 000, {workers} workers: peak {peak:.1} MiB, answer {answer} bytes"
        );
    }
    for pairs in [10_000, 1_000, 100] {
        let plain = over_http_ns(&["--workers", "1"], pairs);
        let more = over_http_ns(&["--workers", "1", "--extra-work", "100%"], pairs);
        row(&format!("over HTTP, batches of {pairs}"), plain);
        println!("{:<44} {:>+8.1} %", "  with --extra-work 100%", 100.0 * (more / plain - 1.0));
    }
}
