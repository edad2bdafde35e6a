//! A proxy that fails on a seeded schedule, in the ways in which services and networks do.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use super::SeedSequence;

/// How often each failure was made.
#[derive(Debug, Default)]
pub(super) struct ProxyFailures {
    pub(super) requests: AtomicU64,
    pub(super) errors: AtomicU64,
    pub(super) conflicts: AtomicU64,
    pub(super) unsent: AtomicU64,
    pub(super) unanswered: AtomicU64,
    pub(super) cut: AtomicU64,
}

/// Passes requests on to `port`, except for three in ten, until the test ends. Returns its own port.
pub(super) fn start(port: u16, seed: u64) -> (u16, Arc<ProxyFailures>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let failures = Arc::new(ProxyFailures::default());
    let counted = Arc::clone(&failures);
    thread::spawn(move || {
        let mut draws = SeedSequence(seed);
        for client in listener.incoming() {
            let (client, fate) = (client.unwrap(), draws.next(20));
            let counted = Arc::clone(&counted);
            // A connection that the client gives up is no failure of the test.
            thread::spawn(move || drop(pass(client, port, fate, &counted)));
        }
    });
    (own, failures)
}

fn pass(
    mut client: TcpStream,
    port: u16,
    fate: u64,
    counted: &ProxyFailures,
) -> std::io::Result<()> {
    let (head, body) = request(&client)?;
    let count = |counter: &AtomicU64| {
        counter.fetch_add(1, Ordering::Relaxed);
    };
    count(&counted.requests);
    let refuse = |client: &mut TcpStream, status: &str, code: &str| {
        let body = format!("<Error><Code>{code}</Code></Error>");
        let length = body.len();
        write!(
            client,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    };
    match fate {
        0 => {
            count(&counted.errors);
            return refuse(&mut client, "500 Internal Server Error", "InternalError");
        }
        1 => {
            count(&counted.errors);
            return refuse(&mut client, "503 Slow Down", "SlowDown");
        }
        2 if head.starts_with("PUT") => {
            count(&counted.conflicts);
            return refuse(&mut client, "409 Conflict", "ConditionalRequestConflict");
        }
        3 => {
            count(&counted.unsent);
            return client.shutdown(Shutdown::Both);
        }
        _ => {}
    }
    let mut server = TcpStream::connect(("127.0.0.1", port))?;
    server.write_all(head.as_bytes())?;
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    match fate {
        4 => {
            count(&counted.unanswered);
            client.shutdown(Shutdown::Both)
        }
        5 => {
            count(&counted.cut);
            client.write_all(&answer[..answer.len() - answer.len() / 4])?;
            client.shutdown(Shutdown::Both)
        }
        _ => client.write_all(&answer),
    }
}

/// The head of a request, with `Connection: close`, and its body.
fn request(client: &TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut reader = BufReader::new(client);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line.trim_end().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
        if !name.eq_ignore_ascii_case("connection") {
            head.push_str(&line);
        }
    }
    head.push_str("Connection: close\r\n\r\n");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((head, body))
}
