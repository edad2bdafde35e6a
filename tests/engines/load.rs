//! The engine against real sockets on this machine: what a script of bytes cannot show.

#![expect(clippy::unwrap_used, reason = "a test that cannot reach its own server must fail")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use load::pacing::{ArrivalSchedule, OpenWorkload, PacingModel, StopCondition};
use load::{
    Address, ClientSettings, DriveEnd, DriveOutcome, Exchange, FailureKind, LoadClient,
    LoadRequest, ResponseCheck, SuccessCheck, Timeouts, TlsClient, TlsTrust, WrongResponse,
};
use rustls::pki_types::PrivateKeyDer;
use units::cancel::Cancel;

/// Serves every connection in a thread of its own, until the test ends. `answer` gets the stream
/// and the body of each request, and says whether the connection goes on.
fn serve(answer: impl Fn(&mut dyn Write, Vec<u8>) -> bool + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            thread::spawn(move || converse(stream, &*answer));
        }
    });
    address
}

fn converse(
    stream: impl Read + Write,
    answer: &impl Fn(&mut dyn Write, Vec<u8>) -> bool,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        if !answer(reader.get_mut(), body) {
            return None;
        }
    }
}

fn respond(stream: &mut dyn Write, body: &[u8]) -> bool {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).and_then(|()| stream.flush()).is_ok()
}

/// The answer is what was sent.
pub(crate) struct EchoCheck(pub(crate) Bytes);

impl ResponseCheck for EchoCheck {
    fn check(&self, status: u16, body: &[u8]) -> Result<(), WrongResponse> {
        let right = status == 200 && body == self.0;
        let fault = || WrongResponse::Content(format!("{} bytes", body.len()).into());
        right.then_some(()).ok_or_else(fault)
    }
}

fn post(body: impl Into<Bytes>) -> LoadRequest {
    let body = body.into();
    LoadRequest::post("/", "test", "text/xml", &[], body.clone(), Arc::new(EchoCheck(body)))
        .unwrap()
}

fn settings(connections: usize) -> ClientSettings {
    let connections = NonZeroUsize::new(connections).unwrap();
    ClientSettings { connections, ..ClientSettings::default() }
}

fn client(address: SocketAddr, requests: &[LoadRequest], settings: ClientSettings) -> LoadClient {
    LoadClient::new(address, requests, settings, Cancel::default()).unwrap()
}

fn drive(client: &mut LoadClient, stop: StopCondition) -> (DriveOutcome, Vec<Exchange>) {
    let mut exchanges = Vec::new();
    let drive = client.drive(stop, &mut |exchange| exchanges.push(exchange.clone())).unwrap();
    (drive, exchanges)
}

fn only_failure(exchanges: &[Exchange]) -> (FailureKind, &str) {
    assert_eq!(exchanges.len(), 1);
    let failure = exchanges[0].outcome.as_ref().unwrap_err();
    (failure.kind, &failure.detail)
}

#[test]
fn requests_are_taken_in_turn_over_all_drives_and_each_answer_is_checked() {
    let address = serve(|stream, body| respond(stream, &body));
    let mut client = client(address, &[post("a"), post("bb"), post("ccc")], settings(2));
    let mut turns = Vec::new();
    for _ in 0..2 {
        let (drive, exchanges) = drive(&mut client, StopCondition::after_requests(5));
        assert_eq!((drive.exchanges, drive.failures, drive.ended), (5, 0, DriveEnd::Reached));
        for exchange in exchanges {
            assert!(exchange.due_ns <= exchange.sent_ns && exchange.sent_ns < exchange.done_ns);
            assert!(exchange.done_ns <= drive.ended_ns && exchange.due_ns >= drive.began_ns);
            turns.push(exchange.request);
        }
    }
    turns.sort_unstable();
    assert_eq!(turns, [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]);
}

#[test]
fn bodies_far_beyond_every_socket_buffer_pass_in_both_directions_at_once() {
    // Answers while the request is still coming in: who only writes until all is written wedges.
    let size = 24 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = vec![0; 1 << 16];
        let mut head = Vec::new();
        let begin = loop {
            let read = stream.read(&mut buffer).unwrap();
            head.extend_from_slice(&buffer[..read]);
            if let Some(end) = head.windows(4).position(|it| it == b"\r\n\r\n") {
                break end + 4;
            }
        };
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").unwrap();
        stream.write_all(&head[begin..]).unwrap();
        let mut echoed = head.len() - begin;
        while echoed < size {
            let read = stream.read(&mut buffer).unwrap();
            stream.write_all(&buffer[..read]).unwrap();
            echoed += read;
        }
    });
    let body: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let (drive, exchanges) =
        drive(&mut client(address, &[post(body)], settings(1)), StopCondition::after_requests(1));
    assert_eq!((drive.exchanges, drive.failures), (1, 0));
    assert!(exchanges[0].request_bytes > size as u64 && exchanges[0].response_bytes > size as u64);
}

#[test]
fn a_connection_that_the_target_closes_between_requests_is_no_failure() {
    let address = serve(|stream, body| {
        respond(stream, &body);
        false
    });
    let mut client = client(address, &[post("x")], settings(1));
    for _ in 0..3 {
        // Only the end of the stream says so, and it may come late: renewing is the sure way.
        let (drive, exchanges) = drive(&mut client, StopCondition::after_requests(1));
        assert_eq!(drive.failures, 0, "{exchanges:?}");
        client.renew().unwrap();
    }
    let address = serve(|stream, _| {
        let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
        stream.write_all(answer).unwrap();
        false
    });
    let (drive, _) = drive(
        &mut self::client(address, &[post("x")], settings(3)),
        StopCondition::after_requests(50),
    );
    assert_eq!((drive.exchanges, drive.failures), (50, 0));
}

/// As a balancer does that is at its limit.
#[test]
fn a_target_that_answers_before_a_request_is_heard_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let answer = b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            thread::spawn(move || std::io::copy(&mut stream, &mut std::io::sink()));
        }
    });
    let first_byte = Duration::from_secs(10);
    let timeouts = Timeouts { first_byte, ..Timeouts::default() };
    let mut client = client(address, &[post("x")], ClientSettings { timeouts, ..settings(4) });
    for _ in 0..5 {
        client.renew().unwrap();
        let (_, exchanges) = drive(&mut client, StopCondition::after_requests(8));
        for it in &exchanges {
            assert_eq!(it.outcome.as_ref().unwrap_err().kind, FailureKind::Status(503), "{it:?}");
        }
    }
}

#[test]
fn each_way_to_fail_has_its_kind() {
    let check = |answer: &'static [u8], expected: FailureKind, part: &str| {
        let address = serve(move |stream, _| {
            stream.write_all(answer).unwrap();
            false
        });
        let mut client = client(address, &[post("x")], settings(1));
        let (drive, exchanges) = drive(&mut client, StopCondition::after_requests(1));
        assert_eq!((drive.exchanges, drive.failures), (1, 1));
        let (kind, detail) = only_failure(&exchanges);
        assert_eq!(kind, expected, "{detail}");
        assert!(detail.contains(part), "{detail}");
    };
    check(b"", FailureKind::Reset, "closed before an answer");
    check(b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", FailureKind::Status(500), "2 bytes");
    check(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny", FailureKind::WrongAnswer, "1 bytes");
    check(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", FailureKind::ShortBody, "ended after");
    check(b"220 ready\r\n", FailureKind::Malformed, "cannot be read");
}

#[test]
fn a_target_that_is_not_there_ends_the_drive_by_its_failures() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let stop = StopCondition { failures_max: Some(1), ..StopCondition::after_requests(100) };
    let (drive, exchanges) = drive(&mut client(address, &[post("x")], settings(1)), stop);
    assert_eq!(drive.ended, DriveEnd::TooManyFailures);
    let (kind, detail) = only_failure(&exchanges);
    assert_eq!(kind, FailureKind::Refused);
    assert!(detail.contains(&address.to_string()), "{detail}");
}

#[test]
fn a_gzip_answer_is_checked_by_what_it_says_and_a_broken_one_is_malformed() {
    let check = |cut: usize| {
        let address = serve(move |stream, body| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&body).unwrap();
            let mut encoded = encoder.finish().unwrap();
            encoded.truncate(encoded.len() - cut);
            let length = encoded.len();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}");
            stream.write_all(&[head.as_bytes(), b"\r\n\r\n", &encoded].concat()).is_ok()
        });
        let mut client = client(address, &[post(vec![b'x'; 100_000])], settings(1));
        drive(&mut client, StopCondition::after_requests(1)).1
    };
    let whole = check(0);
    assert_eq!(whole[0].outcome, Ok(()));
    assert!(whole[0].response_bytes < 5_000);
    assert_eq!(only_failure(&check(9)).0, FailureKind::Malformed);
}

fn serve_unix(path: PathBuf) -> Address {
    let listener = UnixListener::bind(&path).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || converse(stream, &|stream, body| respond(stream, &body)));
        }
    });
    Address::Unix(path)
}

#[test]
fn a_unix_socket_is_an_address_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let address = serve_unix(folder.path().join("target.sock"));
    let large: Vec<u8> = (0..3_000_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let requests = [post("over a file"), post(large)];
    let mut client = LoadClient::new(address, &requests, settings(3), Cancel::default()).unwrap();
    let (drive, _) = drive(&mut client, StopCondition::after_requests(20));
    assert_eq!((drive.exchanges, drive.failures), (20, 0));
}

/// 300 requests in 0.1 s, some of them with answers that no socket's buffer holds.
fn check_open(mut client: LoadClient) {
    let schedule = ArrivalSchedule::constant(3_000.0, Duration::from_millis(100)).unwrap();
    let late_max = Duration::from_mins(1);
    let model = PacingModel::Open(OpenWorkload { schedule, late_max, failures_max: None });
    let mut exchanges = Vec::new();
    let drive = client.follow(&model, &mut |it| exchanges.push(it.clone())).unwrap();
    assert_eq!((drive.exchanges, drive.failures, drive.dropped), (300, 0, 0), "{exchanges:?}");
    for it in &exchanges {
        assert!(it.due_ns <= it.sent_ns && it.sent_ns <= it.done_ns, "{it:?}");
        assert!(it.done_ns <= drive.ended_ns, "{it:?}");
    }
    // Little's law, with arrivals that became known late.
    let service_ns: u64 = exchanges.iter().map(Exchange::service_ns).sum();
    let wall_ns = (drive.ended_ns - drive.began_ns) as f64;
    let expected = service_ns as f64 / wall_ns;
    assert!((drive.in_flight_mean() / expected - 1.0).abs() < 0.01, "{drive:?} {expected}");
}

#[test]
fn an_open_load_is_answered_in_whatever_way_arrivals_are_notified() {
    let large = vec![b'x'; 1_000_000];
    let small = || vec![post("a"), post("bb")];
    let mixed = || vec![post("a"), post(large.clone())];
    let echo = || serve(|stream, body| respond(stream, &body));
    check_open(client(echo(), &small(), settings(20)));
    check_open(client(echo(), &mixed(), settings(3)));

    let (address, pem) = serve_tls();
    let tls = TlsClient::new("localhost", &TlsTrust::Pem(pem)).unwrap();
    let (settings, cancel) = (settings(20), Cancel::default());
    check_open(LoadClient::secured(address, tls, small(), settings, cancel.clone()).unwrap());

    let folder = tempfile::tempdir().unwrap();
    let address = serve_unix(folder.path().join("target.sock"));
    check_open(LoadClient::new(address, small(), settings, cancel).unwrap());
}

/// Serves TLS with a certificate for `localhost`, which is returned in PEM form.
fn serve_tls() -> (SocketAddr, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = made.cert.pem().into_bytes();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let stream = rustls::StreamOwned::new(session, stream);
            thread::spawn(move || converse(stream, &|stream, body| respond(stream, &body)));
        }
    });
    (address, pem)
}

#[test]
fn tls_carries_large_bodies_both_ways_and_survives_renewal() {
    let (address, pem) = serve_tls();
    let body: Vec<u8> = (0..3_000_000).map(|at| u8::try_from(at % 251).unwrap()).collect();
    for trust in [TlsTrust::Pem(pem), TlsTrust::Any] {
        let tls = TlsClient::new("localhost", &trust).unwrap();
        let requests = [post("small"), post(body.clone())];
        let mut client =
            LoadClient::secured(address, tls, &requests, settings(3), Cancel::default()).unwrap();
        for _ in 0..2 {
            let (drive, exchanges) = drive(&mut client, StopCondition::after_requests(9));
            assert_eq!((drive.exchanges, drive.failures), (9, 0), "{exchanges:?}");
            client.renew().unwrap();
        }
    }
}

#[test]
fn a_certificate_that_is_not_trusted_refuses_the_connection() {
    let (address, _) = serve_tls();
    let (_, other) = serve_tls();
    let tls = TlsClient::new("localhost", &TlsTrust::Pem(other)).unwrap();
    let requests = [post("x")];
    let mut client =
        LoadClient::secured(address, tls, &requests, settings(1), Cancel::default()).unwrap();
    let (_, exchanges) = drive(&mut client, StopCondition::after_requests(1));
    let (kind, detail) = only_failure(&exchanges);
    assert_eq!(kind, FailureKind::Refused);
    assert!(detail.contains("certificate"), "{detail}");
}

#[test]
fn a_hanging_target_is_given_up_by_its_time_out_or_by_cancel() {
    let silent = || {
        serve(|_, _| {
            thread::park();
            false
        })
    };
    let timeouts = Timeouts { first_byte: Duration::from_millis(1), ..Timeouts::default() };
    let hurried = ClientSettings { timeouts, ..settings(1) };
    let (_, exchanges) =
        drive(&mut client(silent(), &[post("x")], hurried), StopCondition::after_requests(1));
    assert_eq!(only_failure(&exchanges), (FailureKind::Timeout, "no first byte within 1.00 ms"));

    let cancel = Cancel::default();
    let check = Arc::new(SuccessCheck);
    let request = LoadRequest::get("/", "test", &[], check).unwrap();
    let mut client = LoadClient::new(silent(), &[request], settings(4), cancel.clone()).unwrap();
    let other = thread::spawn(move || cancel.raise());
    let drive = client.drive(StopCondition::after(Duration::from_mins(5)), &mut |_| {}).unwrap();
    assert_eq!((drive.exchanges, drive.ended), (0, DriveEnd::Cancelled));
    other.join().unwrap();
}
