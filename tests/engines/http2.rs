//! HTTP/2 against a server made of the same library, which answers as scripted.

#![expect(clippy::unwrap_used, reason = "a test that cannot reach its own server must fail")]

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use load::pacing::{ArrivalSchedule, OpenWorkload, PacingModel, StopCondition};
use load::{
    BodyFraming, BodyPieces, BodySource, ClientSettings, DriveOutcome, Exchange, FailureKind,
    HttpVersion, LoadClient, LoadRequest, RequestContent, RequestHead, RequestMethod, SuccessCheck,
    Timeouts,
};
use tokio::net::{TcpListener, TcpStream};
use units::cancel::Cancel;

use crate::load::EchoCheck;

/// What a server does with a request.
#[derive(Debug, Clone, Copy)]
enum ServerBehavior {
    Echo,
    /// Echoes, and takes so many streams at once.
    Few(u32),
    /// Echoes so many requests of a connection, then says goodbye.
    Leave(usize),
    Reset,
    /// Resets after the head of an answer.
    HalfAnswer,
    /// Ends an answer before the length it has announced.
    Short,
    GoAway,
    /// Never takes a byte of a body beyond the first window, and never answers.
    Stall,
    /// Is no HTTP/2.
    Garbage,
}

/// Serves until the test ends. Returns where, and the number of its connections.
fn serve(deed: ServerBehavior) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(converse(stream, deed));
            }
        });
    });
    (address, connections)
}

async fn converse(stream: TcpStream, deed: ServerBehavior) -> Option<()> {
    if matches!(deed, ServerBehavior::Garbage) {
        stream.writable().await.ok()?;
        stream.try_write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").ok()?;
        return std::future::pending().await;
    }
    let mut builder = Builder::new();
    if let ServerBehavior::Few(streams) = deed {
        builder.max_concurrent_streams(streams);
    }
    let mut connection = builder.handshake::<_, Bytes>(stream).await.ok()?;
    let mut seen = 0;
    while let Some(Ok((request, respond))) = connection.accept().await {
        seen += 1;
        match deed {
            ServerBehavior::GoAway => connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM),
            ServerBehavior::Leave(after) if seen == after => connection.graceful_shutdown(),
            _ => {}
        }
        tokio::spawn(answer(request.into_body(), respond, deed));
    }
    Some(())
}

async fn answer(
    mut body: RecvStream,
    mut respond: SendResponse<Bytes>,
    deed: ServerBehavior,
) -> Option<()> {
    let head = || hyper::Response::builder().status(200);
    match deed {
        ServerBehavior::Echo | ServerBehavior::Few(_) | ServerBehavior::Leave(_) => {
            let mut whole = Vec::new();
            while let Some(Ok(part)) = body.data().await {
                body.flow_control().release_capacity(part.len()).ok()?;
                whole.extend_from_slice(&part);
            }
            let mut stream = respond.send_response(head().body(()).ok()?, false).ok()?;
            stream.send_data(whole.into(), true).ok()?;
        }
        ServerBehavior::Reset => respond.send_reset(Reason::REFUSED_STREAM),
        ServerBehavior::HalfAnswer => {
            let mut stream = respond.send_response(head().body(()).ok()?, false).ok()?;
            tokio::task::yield_now().await;
            stream.send_reset(Reason::INTERNAL_ERROR);
        }
        ServerBehavior::Short => {
            let head = head().header("content-length", "100").body(()).ok()?;
            let mut stream = respond.send_response(head, false).ok()?;
            stream.send_data("half".into(), true).ok()?;
        }
        ServerBehavior::GoAway | ServerBehavior::Stall | ServerBehavior::Garbage => {
            std::future::pending::<()>().await;
        }
    }
    Some(())
}

fn post(body: impl Into<Bytes>) -> LoadRequest {
    let body = body.into();
    LoadRequest::post("/a?b=c", "test", "text/xml", &[], body.clone(), Arc::new(EchoCheck(body)))
        .unwrap()
}

fn number(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap()
}

fn settings(connections: usize, streams: usize) -> ClientSettings {
    let http = HttpVersion::Two { streams: number(streams) };
    ClientSettings { connections: number(connections), http, ..ClientSettings::default() }
}

fn client(address: SocketAddr, requests: &[LoadRequest], settings: ClientSettings) -> LoadClient {
    LoadClient::new(address, requests, settings, Cancel::default()).unwrap()
}

fn drive(client: &mut LoadClient, stop: StopCondition) -> (DriveOutcome, Vec<Exchange>) {
    let mut exchanges = Vec::new();
    let drive = client.drive(stop, &mut |exchange| exchanges.push(exchange.clone())).unwrap();
    (drive, exchanges)
}

#[test]
fn streams_share_connections_and_every_answer_is_that_to_its_request() {
    let (address, connections) = serve(ServerBehavior::Echo);
    let requests: Vec<_> = (0..7).map(|at| post(vec![b'x'; at * 1_000])).collect();
    let mut client = client(address, &requests, settings(2, 5));
    for round in 1..=2 {
        let (drive, exchanges) = drive(&mut client, StopCondition::after_requests(200));
        assert_eq!((drive.exchanges, drive.failures), (200, 0), "{exchanges:?}");
        assert!((6..=10).contains(&drive.in_flight_max), "{drive:?}");
        assert!(exchanges.iter().any(|it| it.request == 6 && it.response_bytes == 6_000));
        for it in &exchanges {
            assert!(it.due_ns <= it.sent_ns && it.sent_ns < it.done_ns, "{it:?}");
        }
        assert_eq!(connections.load(Ordering::Relaxed), 2 * round);
        client.renew().unwrap();
    }
}

#[test]
fn bodies_of_30_mb_and_answers_of_10_mb_pass_and_do_not_wedge_the_connection() {
    let (address, connections) = serve(ServerBehavior::Echo);
    let large: Bytes = (0..30_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    let requests = [post(large.clone()), post(large.slice(..10_000_000)), post("small")];
    let (drive, exchanges) =
        drive(&mut client(address, &requests, settings(1, 3)), StopCondition::after_requests(6));
    assert_eq!((drive.exchanges, drive.failures), (6, 0), "{:?}", exchanges[0].outcome);
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

/// A body of so many pieces.
struct PieceBody(usize);

struct PieceIterator(usize);

impl BodySource for PieceBody {
    fn begin(&self) -> Box<dyn BodyPieces> {
        Box::new(PieceIterator(self.0))
    }
}

impl BodyPieces for PieceIterator {
    fn next_into(&mut self, out: &mut Vec<u8>) -> bool {
        let more = self.0 > 0;
        if more {
            self.0 -= 1;
            out.resize(out.len() + 100_000, b'x');
        }
        more
    }
}

#[test]
fn a_body_that_is_made_while_it_is_sent_arrives_whole() {
    let (address, _) = serve(ServerBehavior::Echo);
    let check = Arc::new(EchoCheck(vec![b'x'; 5_000_000].into()));
    for framing in [BodyFraming::Length(5_000_000), BodyFraming::Chunked] {
        let (source, check) = (Arc::new(PieceBody(50)), Arc::<EchoCheck>::clone(&check));
        let head = RequestHead {
            method: RequestMethod::Post,
            path: "/",
            host: "test",
            content_type: Some("text/xml"),
            headers: &[],
        };
        let content = RequestContent::Streamed(source, framing);
        let request = LoadRequest::new(head, content, check);
        let mut client = client(address, &[request.unwrap()], settings(1, 2));
        let (drive, exchanges) = drive(&mut client, StopCondition::after_requests(4));
        assert_eq!((drive.exchanges, drive.failures), (4, 0), "{exchanges:?}");
        assert!(exchanges.iter().all(|it| it.request_bytes == 5_000_000));
    }
}

#[test]
fn no_more_streams_are_opened_than_the_target_takes() {
    let (address, _) = serve(ServerBehavior::Few(2));
    let mut client = client(address, &[post("a")], settings(1, 9));
    // A new connection has room again, however many there were.
    for renewed in 0..5 {
        let (drive, exchanges) = drive(&mut client, StopCondition::after_requests(50));
        assert_eq!((drive.exchanges, drive.failures), (50, 0), "{renewed}: {exchanges:?}");
        assert_eq!(drive.in_flight_max, 2);
        client.renew().unwrap();
    }
}

#[test]
fn a_target_that_says_goodbye_between_requests_has_not_failed() {
    let (address, connections) = serve(ServerBehavior::Leave(3));
    let (drive, exchanges) = drive(
        &mut client(address, &[post("a")], settings(1, 1)),
        StopCondition::after_requests(30),
    );
    assert_eq!((drive.exchanges, drive.failures), (30, 0), "{exchanges:?}");
    let connections = connections.load(Ordering::Relaxed);
    assert!((7..=15).contains(&connections), "{connections} connections");
}

#[test]
fn each_way_to_fail_has_its_kind() {
    let hurried = Timeouts { first_byte: Duration::from_millis(20), ..Timeouts::default() };
    for (deed, kind, detail) in [
        (ServerBehavior::Reset, FailureKind::Reset, "RST_STREAM: REFUSED_STREAM"),
        (ServerBehavior::HalfAnswer, FailureKind::ShortBody, "RST_STREAM: INTERNAL_ERROR"),
        (ServerBehavior::Short, FailureKind::ShortBody, " of 100 bytes"),
        (ServerBehavior::GoAway, FailureKind::Reset, "GOAWAY: ENHANCE_YOUR_CALM"),
        (ServerBehavior::Stall, FailureKind::Timeout, "no first byte within 20.0 ms"),
        (ServerBehavior::Garbage, FailureKind::Malformed, "no HTTP/2: "),
    ] {
        let (address, _) = serve(deed);
        // Only what stalls gets more than a window holds, and little time.
        let (bytes, timeouts) = match deed {
            ServerBehavior::Stall => (1_000_000, hurried),
            _ => (10, Timeouts::default()),
        };
        let settings = ClientSettings { timeouts, ..settings(1, 1) };
        let mut client = client(address, &[post(vec![b'x'; bytes])], settings);
        let (drive, exchanges) = drive(&mut client, StopCondition::after_requests(1));
        assert_eq!((drive.exchanges, drive.failures), (1, 1));
        let failure = exchanges[0].outcome.as_ref().unwrap_err();
        assert_eq!(failure.kind, kind, "{deed:?}: {failure:?}");
        assert!(failure.detail.contains(detail), "{deed:?}: {failure:?}");
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_, exchanges) =
        drive(&mut client(free, &[post("a")], settings(1, 1)), StopCondition::after_requests(1));
    assert_eq!(exchanges[0].outcome.as_ref().unwrap_err().kind, FailureKind::Refused);
}

#[test]
fn an_open_load_is_sent_when_due_and_a_wish_to_stop_is_seen() {
    let (address, _) = serve(ServerBehavior::Echo);
    let schedule = |lasts| ArrivalSchedule::constant(3_000.0, lasts).unwrap();
    let model = |lasts| {
        let (schedule, late_max) = (schedule(lasts), Duration::from_mins(1));
        PacingModel::Open(OpenWorkload { schedule, late_max, failures_max: None })
    };
    let request = LoadRequest::get("/", "test", &[("X-Key", "v")], Arc::new(SuccessCheck)).unwrap();
    let cancel = Cancel::default();
    let requests = [request, post("a")];
    let mut client = LoadClient::new(address, &requests, settings(2, 50), cancel.clone()).unwrap();
    let mut exchanges = Vec::new();
    let drive = client
        .follow(&model(Duration::from_millis(100)), &mut |it| exchanges.push(it.clone()))
        .unwrap();
    assert_eq!((drive.exchanges, drive.failures, drive.dropped), (300, 0, 0), "{exchanges:?}");
    let service_ns: u64 = exchanges.iter().map(Exchange::service_ns).sum();
    let expected = service_ns as f64 / (drive.ended_ns - drive.began_ns) as f64;
    assert!((drive.in_flight_mean() / expected - 1.0).abs() < 0.01, "{drive:?} {expected}");

    let mut seen = 0;
    let drive = client.follow(&model(Duration::from_mins(5)), &mut |_| {
        seen += 1;
        if seen == 10 {
            cancel.raise();
        }
    });
    assert_eq!(drive.unwrap().ended, load::DriveEnd::Cancelled);
}

#[test]
fn a_connection_for_each_request_is_one_for_each() {
    let (address, connections) = serve(ServerBehavior::Echo);
    let settings = ClientSettings { reuse: load::ConnectionReuse::PerRequest, ..settings(2, 2) };
    let (drive, _) =
        drive(&mut client(address, &[post("a")], settings), StopCondition::after_requests(9));
    assert_eq!((drive.exchanges, drive.failures), (9, 0));
    assert_eq!(connections.load(Ordering::Relaxed), 9);
}
