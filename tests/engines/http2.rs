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
use load::pacing::{ArrivalSchedule, ClosedWorkload, OpenWorkload, PacingModel, StopCondition};
use load::{
    Address, BodyFraming, BodyPieces, BodySource, ClientSettings, DriveOutcome, Exchange,
    FailureKind, HttpVersion, LoadClient, LoadRequest, RequestContent, RequestHead, RequestMethod,
    SuccessCheck, Timeouts,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
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
    /// Takes so many streams at once, and echoes each after so long.
    Slow(u32, Duration),
    Reset,
    /// Refuses every other stream of a connection, the first one too, and echoes the others.
    RefuseOdd,
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

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    deed: ServerBehavior,
) -> Option<()> {
    if matches!(deed, ServerBehavior::Garbage) {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await.ok()?;
        return std::future::pending().await;
    }
    let mut builder = Builder::new();
    if let ServerBehavior::Few(streams) | ServerBehavior::Slow(streams, _) = deed {
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
        let deed = match deed {
            ServerBehavior::RefuseOdd if seen % 2 == 1 => ServerBehavior::Reset,
            ServerBehavior::RefuseOdd => ServerBehavior::Echo,
            deed => deed,
        };
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
        ServerBehavior::Echo
        | ServerBehavior::Few(_)
        | ServerBehavior::Slow(..)
        | ServerBehavior::Leave(_) => {
            if let ServerBehavior::Slow(_, lasts) = deed {
                tokio::time::sleep(lasts).await;
            }
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
        ServerBehavior::GoAway
        | ServerBehavior::Stall
        | ServerBehavior::RefuseOdd
        | ServerBehavior::Garbage => {
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
fn one_at_a_time_is_one_whatever_streams_there_are() {
    let (address, _) = serve(ServerBehavior::Echo);
    let mut client = client(address, &[post("a")], settings(2, 9));
    let one = ClosedWorkload::one_at_a_time(StopCondition::after_requests(40));
    let mut last_ns = 0;
    let drive = client.follow(&PacingModel::Closed(one), &mut |it| {
        assert!(last_ns <= it.sent_ns, "{it:?}");
        last_ns = it.done_ns;
    });
    let drive = drive.unwrap();
    assert_eq!((drive.exchanges, drive.failures, drive.in_flight_max), (40, 0, 1));
}

/// An open load whose requests are all due within a millisecond.
fn burst(requests: u32) -> PacingModel {
    let per_s = f64::from(requests) * 1_000.0;
    PacingModel::Open(OpenWorkload {
        schedule: ArrivalSchedule::constant(per_s, Duration::from_millis(1)).unwrap(),
        late_max: Duration::from_mins(1),
        failures_max: None,
    })
}

#[test]
fn all_that_the_generator_adds_before_a_request_is_sent_is_lag() {
    let (address, _) = serve(ServerBehavior::Echo);
    // A place for each, so that none waits for another.
    let mut client = client(address, &[post("a")], settings(1, 300));
    client.renew().unwrap();
    let mut seen = 0;
    let drive = client.follow(&burst(300), &mut |it| {
        seen += 1;
        assert_eq!(it.lag_ns, it.sent_ns - it.due_ns, "{it:?}");
    });
    assert_eq!((drive.unwrap().failures, seen), (0, 300));
}

#[test]
fn waiting_for_the_target_is_no_lag_and_lasts_as_long_as_other_streams_do() {
    let (lasts, connect) = (Duration::from_millis(250), Duration::from_millis(400));
    let (address, _) = serve(ServerBehavior::Slow(1, lasts));
    let timeouts = Timeouts { connect, ..Timeouts::default() };
    let mut client = client(address, &[post("a")], ClientSettings { timeouts, ..settings(1, 9) });
    client.renew().unwrap();
    let mut waits = Vec::new();
    let drive = client.follow(&burst(4), &mut |it| {
        assert_eq!(it.outcome, Ok(()));
        waits.push(it.sent_ns - it.due_ns - it.lag_ns);
    });
    assert_eq!(drive.unwrap().exchanges, 4);
    let (first, last) = (waits[0], *waits.last().unwrap());
    assert!(first == 0 && last >= 3 * units::nanos(lasts), "{waits:?}");
}

#[test]
fn a_target_that_takes_no_stream_at_all_is_none() {
    let (address, _) = serve(ServerBehavior::Few(0));
    let timeouts = Timeouts { connect: Duration::from_millis(300), ..Timeouts::default() };
    let mut client = client(address, &[post("a")], ClientSettings { timeouts, ..settings(1, 3) });
    let (_, exchanges) = drive(&mut client, StopCondition::after_failure());
    for it in exchanges {
        let failure = it.outcome.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Timeout, "{failure:?}");
        assert!(failure.detail.contains("no connection with room"), "{failure:?}");
    }
}

#[test]
fn a_stream_that_was_refused_is_opened_once_more() {
    let (address, connections) = serve(ServerBehavior::RefuseOdd);
    let mut client = client(address, &[post("a")], settings(1, 1));
    let (drive, exchanges) = drive(&mut client, StopCondition::after_requests(20));
    assert_eq!((drive.exchanges, drive.failures, drive.resent), (20, 0, 20), "{exchanges:?}");
    assert_eq!(connections.load(Ordering::Relaxed), 1);
    let service_ns: u64 = exchanges.iter().map(Exchange::service_ns).sum();
    assert_eq!(drive.in_flight_ns, service_ns, "from when they were sent for the second time");
}

/// Serves bytes by hand: `converse` gets each connection and its number. Returns where, and the number of connections.
fn serve_by_hand(
    converse: impl Fn(std::net::TcpStream, usize) -> std::io::Result<()> + Send + Sync + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let (counted, converse) = (Arc::clone(&connections), Arc::new(converse));
    thread::spawn(move || {
        for peer in listener.incoming() {
            let (number, converse) =
                (counted.fetch_add(1, Ordering::Relaxed), Arc::clone(&converse));
            // It ends when the client closes.
            thread::spawn(move || converse(peer.unwrap(), number));
        }
    });
    (address, connections)
}

/// A frame of a payload that is shorter than 256 bytes.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

#[test]
fn a_target_that_leaves_before_any_request_fails_each_and_is_not_besieged() {
    use std::io::{Read as _, Write as _};
    let settings_frame = frame(4, 0, 0, &[]);
    let goodbye = frame(7, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 11]);
    let none_at_once = frame(4, 0, 0, &[0, 3, 0, 0, 0, 0]);
    // The first one can be sent a request before it closes.
    let (refused, reset) = (FailureKind::Refused, FailureKind::Reset);
    let early = [&settings_frame[..], &frame(1, 5, 1, &[0x88])].concat();
    let leaves = [&settings_frame[..], &goodbye].concat();
    for (first, kinds, detail) in [
        (settings_frame, [refused, reset], ""),
        (leaves, [reset; 2], "GOAWAY: ENHANCE_YOUR_CALM"),
        (none_at_once, [refused; 2], "no connection to"),
        (early, [FailureKind::Malformed; 2], "an answer before its request"),
    ] {
        let (address, connections) = serve_by_hand(move |mut peer, _| {
            peer.read_exact(&mut [0; 24])?;
            peer.write_all(&first)?;
            peer.shutdown(std::net::Shutdown::Write)?;
            std::io::copy(&mut peer, &mut std::io::sink()).map(|_| ())
        });
        let request = LoadRequest::get("/", "test", &[], Arc::new(SuccessCheck)).unwrap();
        let mut client = client(address, &[request], settings(1, 2));
        let (drive, exchanges) = drive(&mut client, StopCondition::after_requests(4));
        assert_eq!((drive.exchanges, drive.failures), (4, 4), "{exchanges:?}");
        for it in exchanges {
            let failure = it.outcome.unwrap_err();
            assert!(
                kinds.contains(&failure.kind) && failure.detail.contains(detail),
                "{failure:?}"
            );
        }
        let connections = connections.load(Ordering::Relaxed);
        assert!(connections <= 4, "{connections} connections");
    }
}

#[test]
fn a_target_that_hangs_up_does_not_end_the_drive() {
    use std::io::{Read as _, Write as _};
    let (address, _) = serve_by_hand(|mut peer, number| {
        peer.read_exact(&mut [0; 24])?;
        peer.write_all(&frame(4, 0, 0, &[]))?;
        // The first one hangs up on its first request, others later: with bytes unread, so that the client is reset.
        thread::sleep(Duration::from_millis(10));
        for answered in 0..number {
            let stream = u8::try_from(2 * answered + 1).unwrap();
            peer.write_all(&frame(1, 5, stream, &[0x88]))?;
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    });
    let request = LoadRequest::get("/", "test", &[], Arc::new(SuccessCheck)).unwrap();
    let mut client = client(address, &[request], settings(1, 1));
    let (drive, exchanges) = drive(&mut client, StopCondition::after_requests(30));
    assert_eq!(drive.exchanges, 30, "{exchanges:?}");
    assert!((1..30).contains(&drive.failures), "{exchanges:?}");
}

/// The frames of HTTP/2 by hand, as the library says no goodbye that crosses requests: on its first connection the
/// server waits for four requests, answers two of them, says that the others are not processed, and closes. On later
/// ones it answers all.
fn leave_behind(mut peer: std::net::TcpStream, is_first: bool) -> std::io::Result<()> {
    use std::io::{Read as _, Write as _};
    let answer = |stream: u8| frame(1, 5, stream, &[0x88]);
    peer.read_exact(&mut [0; 24])?;
    peer.write_all(&frame(4, 0, 0, &[]))?;
    let mut waiting = Vec::new();
    loop {
        let mut head = [0; 9];
        peer.read_exact(&mut head)?;
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        peer.read_exact(&mut payload)?;
        match head[3] {
            1 => waiting.push(head[8]),
            4 if head[4] == 0 => peer.write_all(&frame(4, 1, 0, &[]))?,
            6 if head[4] == 0 => peer.write_all(&frame(6, 1, 0, &payload))?,
            _ => {}
        }
        if is_first && waiting.len() == 4 {
            let goodbye = frame(7, 0, 0, &[0, 0, 0, waiting[1], 0, 0, 0, 0]);
            let all = [answer(waiting[0]), answer(waiting[1]), goodbye].concat();
            return peer.write_all(&all);
        }
        if !is_first {
            let answers: Vec<u8> = waiting.drain(..).flat_map(answer).collect();
            peer.write_all(&answers)?;
        }
    }
}

#[test]
fn what_a_goodbye_leaves_behind_is_sent_once_more() {
    let (address, _) = serve_by_hand(|peer, number| leave_behind(peer, number == 0));
    let request = LoadRequest::get("/", "test", &[], Arc::new(SuccessCheck)).unwrap();
    let mut client = client(address, &[request], settings(1, 4));
    let (drive, exchanges) = drive(&mut client, StopCondition::after_requests(12));
    assert_eq!((drive.exchanges, drive.failures), (12, 0), "{exchanges:?}");
    // What was handed out between the answers and the goodbye is left behind too.
    assert!((2..=4).contains(&drive.resent), "{drive:?}");
}

#[test]
fn a_header_of_http1_alone_is_named_before_anything_is_sent() {
    let (address, _) = serve(ServerBehavior::Echo);
    let new = |name: &str, value: &str| {
        let request = LoadRequest::get("/", "test", &[(name, value)], Arc::new(SuccessCheck));
        LoadClient::new(address, &[request.unwrap()], settings(1, 1), Cancel::default())
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    for (name, value) in
        [("Keep-Alive", "5"), ("Proxy-Connection", "close"), ("upgrade", "h2c"), ("TE", "gzip")]
    {
        let error = new(name, value).unwrap_err();
        assert!(error.contains(&format!("`{name}: {value}`")), "{error}");
    }
    for (name, value) in [("TE", "trailers"), ("Connection", "keep-alive"), ("X-Te", "gzip")] {
        assert_eq!(new(name, value), Ok(()));
    }
}

#[test]
fn a_socket_whose_queue_is_full_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let family = rustix::net::AddressFamily::UNIX;
    let socket = rustix::net::socket(family, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
    // Room for one connection, which this takes.
    rustix::net::listen(&socket, 0).unwrap();
    let taken = std::os::unix::net::UnixStream::connect(&path).unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // By then the client has been turned away.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let listener = std::os::unix::net::UnixListener::from(socket);
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::UnixListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, ServerBehavior::Echo));
            }
        });
    });
    let (requests, address) = ([post("a")], Address::Unix(path));
    let mut client =
        LoadClient::new(address, &requests, settings(3, 1), Cancel::default()).unwrap();
    let (drive, exchanges) = drive(&mut client, StopCondition::after_requests(9));
    assert_eq!((drive.exchanges, drive.failures), (9, 0), "{exchanges:?}");
    drop(taken);
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
