//! Speaks HTTP for the service: routes, body limits, and answers that are written while they are
//! sent.
//!
//! With one worker everything runs on the calling thread, so that instruction counts repeat. With
//! more, blocks of a batch go to whichever worker is free, and a health check never waits for
//! longer than a block.

use std::convert::Infallible;
use std::io;
use std::mem;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time;

use crate::reference::batch::{Batch, Verdicts};
use crate::reference::contract::Refusal;
use crate::reference::engine::Semantics;
use crate::reference::json::Reader;
use crate::reference::pool::Pool;
use crate::reference::verdict::Log;
use crate::units::Ratio;

const BASE: &str = "/xml-compare-api";
/// An answer is written and sent in pieces of about this size.
const PIECE_BYTES: usize = 64 << 10;
/// A refused body is read on for as long as this, so that the client sees the answer instead of a
/// reset connection.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// How the service behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen. Port 0 takes a free one.
    pub address: SocketAddr,
    /// Threads that compare; with one, everything runs on the calling thread.
    pub workers: usize,
    /// Share of the comparison work to do twice.
    pub extra_work: Ratio,
    /// Which documents count as equal.
    pub semantics: Semantics,
    /// The largest body that is taken.
    pub body_bytes_max: u64,
    /// How long the next part of a request may take.
    pub idle_max: Duration,
}

/// Why the service cannot run.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address is taken, or not of this machine.
    #[error("failed to listen on `{address}`\n\nhint: `--port 0` takes a free port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The system gave no thread, signal handler or timer.
    #[error("failed to start the server's threads")]
    Runtime(#[source] io::Error),
}

/// A service that listens, and answers once [`Server::run`] is called.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    runtime: Runtime,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What all connections use.
#[derive(Debug)]
struct Shared {
    pool: Arc<Pool>,
    body_bytes_max: u64,
    idle_max: Duration,
}

impl Server {
    /// Listens on the address of `settings`.
    pub fn bind(settings: &Settings) -> Result<Self, ServeError> {
        let address = settings.address;
        let listen = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let mut builder = if settings.workers == 1 {
            Builder::new_current_thread()
        } else {
            Builder::new_multi_thread()
        };
        builder.worker_threads(settings.workers).enable_all();
        let runtime = builder.build().map_err(ServeError::Runtime)?;
        let shared = Arc::new(Shared {
            pool: Arc::new(Pool::new(settings.workers, settings.semantics, settings.extra_work)),
            body_bytes_max: settings.body_bytes_max,
            idle_max: settings.idle_max,
        });
        Ok(Self { listener, runtime, address, shared })
    }

    /// Returns where the service listens, with the port that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the process is asked to stop, and then finishes what was begun.
    pub fn run(self) -> Result<(), ServeError> {
        let Self { listener, runtime, shared, .. } = self;
        runtime.block_on(async move {
            let listener =
                tokio::net::TcpListener::from_std(listener).map_err(ServeError::Runtime)?;
            let terminate = signal(SignalKind::terminate()).map_err(ServeError::Runtime)?;
            let interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Runtime)?;
            accept(listener, shared, terminate, interrupt).await;
            Ok(())
        })
    }
}

/// How long requests that are being answered may take when the process is asked to stop.
const GRACE_MAX: Duration = Duration::from_secs(10);

/// Takes connections until a signal comes, then waits for those that are being answered.
async fn accept(
    listener: tokio::net::TcpListener,
    shared: Arc<Shared>,
    mut terminate: Signal,
    mut interrupt: Signal,
) {
    let (stop, stopping) = watch::channel(());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(connection(stream, Arc::clone(&shared), stopping.clone()));
                }
                // The client has gone, or file descriptors have run out for now.
                Err(_) => time::sleep(Duration::from_millis(10)).await,
            },
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    drop((listener, stopping));
    stop.send_replace(());
    // Ends when the last connection has dropped its receiver; the others are cut off.
    let _ = time::timeout(GRACE_MAX, stop.closed()).await;
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, mut stopping: watch::Receiver<()>) {
    // Without it, the end of an answer could wait for the acknowledgement of its beginning.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(request, &shared).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.idle_max)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // An error here is a client that went away or sent no HTTP: nobody is left to tell.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Response<Answer> {
    match route(request, shared).await {
        Ok(response) => response,
        Err(refusal) => refused(&refusal),
    }
}

async fn route(request: Request<Incoming>, shared: &Shared) -> Result<Response<Answer>, Refusal> {
    let path = request.uri().path().strip_prefix(BASE).ok_or(Refusal::NotFound)?;
    match path {
        "/health" => {
            only(&request, &Method::GET)?;
            Ok(whole(StatusCode::OK, "text/plain; charset=utf-8", Bytes::from_static(b"OK")))
        }
        "/api/compare/xml" => compare_one(request, shared).await,
        "/api/compare/xml/batch" => compare_batch(request, shared).await,
        _ => Err(Refusal::NotFound),
    }
}

fn only(request: &Request<Incoming>, method: &Method) -> Result<(), Refusal> {
    if request.method() == method || (method == Method::GET && request.method() == Method::HEAD) {
        return Ok(());
    }
    Err(Refusal::Method { allowed: if method == Method::GET { "GET" } else { "POST" } })
}

async fn compare_one(
    request: Request<Incoming>,
    shared: &Shared,
) -> Result<Response<Answer>, Refusal> {
    let mut body = RequestBody::of(request, shared)?;
    let mut bytes = Vec::new();
    while let Some(part) = body.next().await? {
        bytes.extend_from_slice(&part);
    }
    if let Err(error) = str::from_utf8(&bytes) {
        let at = u64::try_from(error.valid_up_to()).unwrap_or(u64::MAX);
        return Err(Refusal::NotJson { at });
    }
    let mut log = Log::default();
    let malformed = shared.pool.with_engine(|engine| {
        let mut reader = Reader::new(&bytes, 0);
        let malformed = engine.compare_next(&mut reader, 0, &mut log)?;
        reader.end()?;
        Ok(malformed)
    });
    match malformed {
        Ok(None) => {
            let mut json = Vec::with_capacity(256);
            log.cursor().write_next(&mut json);
            Ok(whole(StatusCode::OK, "application/json", Bytes::from(json)))
        }
        Ok(Some((which, malformed))) => Err(Refusal::from_xml(which, malformed)),
        Err(stop) => Err(Refusal::from_stop(stop, 0)),
    }
}

async fn compare_batch(
    request: Request<Incoming>,
    shared: &Shared,
) -> Result<Response<Answer>, Refusal> {
    let mut body = RequestBody::of(request, shared)?;
    let mut batch = Batch::new(Arc::clone(&shared.pool));
    let verdicts = loop {
        let part = body.next().await?;
        let result = match part {
            Some(part) => batch.push(&part).await,
            None => break batch.finish().await?,
        };
        if let Err(refusal) = result {
            drop(batch);
            body.drain().await;
            return Err(refusal);
        }
    };
    let mut pieces = Pieces::new(verdicts);
    let first = pieces.next().unwrap_or_default();
    if pieces.is_done() {
        return Ok(whole(StatusCode::OK, "application/json", first));
    }
    let mut response = Response::new(Answer::Pieces(first, pieces));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

/// A body that arrives within its limits.
struct RequestBody {
    body: Incoming,
    left: u64,
    limit: u64,
    idle_max: Duration,
}

impl RequestBody {
    /// Checks what the request's head says about its body.
    fn of(request: Request<Incoming>, shared: &Shared) -> Result<Self, Refusal> {
        only(&request, &Method::POST)?;
        let head = request.headers();
        if !head.get(header::CONTENT_TYPE).is_some_and(is_json) {
            return Err(Refusal::MediaType);
        }
        if let Some(encoding) = head.get(header::CONTENT_ENCODING)
            && encoding != "identity"
        {
            let encoding = String::from_utf8_lossy(encoding.as_bytes()).into_owned();
            return Err(Refusal::Encoding(encoding));
        }
        let limit = shared.body_bytes_max;
        let body = request.into_body();
        if body.size_hint().lower() > limit {
            return Err(Refusal::TooLarge { limit });
        }
        Ok(Self { body, left: limit, limit, idle_max: shared.idle_max })
    }

    /// Returns the next part, or nothing at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            let frame = time::timeout(self.idle_max, self.body.frame());
            let frame = match frame.await.map_err(|_| Refusal::Slow)? {
                None => return Ok(None),
                Some(frame) => frame.map_err(|_| Refusal::Aborted)?,
            };
            let Ok(part) = frame.into_data() else { continue };
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            self.left =
                self.left.checked_sub(length).ok_or(Refusal::TooLarge { limit: self.limit })?;
            return Ok(Some(part));
        }
    }

    /// Reads on without keeping anything.
    async fn drain(&mut self) {
        let _ =
            time::timeout(DRAIN_MAX, async { while let Ok(Some(_)) = self.next().await {} }).await;
    }
}

/// `application/json`, or any other subtype of it that ends in `+json`.
fn is_json(value: &HeaderValue) -> bool {
    let Ok(value) = value.to_str() else { return false };
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.strip_prefix("application/")
        .is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

/// An answer's body.
enum Answer {
    Whole(Option<Bytes>),
    Pieces(Bytes, Pieces),
}

/// The answer to a batch, as JSON, piece by piece.
struct Pieces {
    verdicts: Verdicts,
    next: Next,
}

/// What the next piece begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    FirstVerdict,
    Verdict,
    Nothing,
}

impl Pieces {
    fn new(verdicts: Verdicts) -> Self {
        Self { verdicts, next: Next::FirstVerdict }
    }

    fn is_done(&self) -> bool {
        self.next == Next::Nothing
    }

    /// Returns the next piece; the last one ends with the totals.
    fn next(&mut self) -> Option<Bytes> {
        if self.is_done() {
            return None;
        }
        let mut out = Vec::with_capacity(PIECE_BYTES.min(256 + self.verdicts.pairs * 128));
        if self.next == Next::FirstVerdict {
            out.extend_from_slice(br#"{"results":["#);
        }
        while out.len() < PIECE_BYTES {
            let Some(log) = self.verdicts.logs.pop_front() else {
                self.write_totals(&mut out);
                break;
            };
            let mut cursor = log.cursor();
            while !cursor.is_at_end() {
                if self.next == Next::Verdict {
                    out.push(b',');
                }
                cursor.write_next(&mut out);
                self.next = Next::Verdict;
            }
        }
        Some(Bytes::from(out))
    }

    fn write_totals(&mut self, out: &mut Vec<u8>) {
        let Verdicts { pairs, failed, .. } = self.verdicts;
        let mut digits = itoa::Buffer::new();
        for (name, value) in [
            (&br#"],"total_comparisons":"#[..], pairs),
            (br#","successful_comparisons":"#, pairs - failed),
            (br#","failed_comparisons":"#, failed),
        ] {
            out.extend_from_slice(name);
            out.extend_from_slice(digits.format(value).as_bytes());
        }
        out.push(b'}');
        self.next = Next::Nothing;
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match self.get_mut() {
            Self::Whole(bytes) => bytes.take(),
            Self::Pieces(first, _) if !first.is_empty() => Some(mem::take(first)),
            Self::Pieces(_, pieces) => pieces.next(),
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Pieces(first, pieces) => first.is_empty() && pieces.is_done(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Self::Pieces(..) => SizeHint::default(),
        }
    }
}

fn whole(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Answer> {
    let mut response = Response::new(Answer::Whole(Some(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn refused(refusal: &Refusal) -> Response<Answer> {
    let mut response =
        whole(refusal.status(), "text/plain; charset=utf-8", Bytes::from(format!("{refusal}\n")));
    if let Refusal::Method { allowed } = refusal {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    }
    response
}
