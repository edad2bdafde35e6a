//! Listens, takes connections, and bounds what each of them may do.
//!
//! With one worker everything runs on the calling thread, so that instruction counts repeat. With
//! more, blocks of a batch go to whichever worker is free, and a health check never waits for
//! longer than a block.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use miette::Diagnostic;
use thiserror::Error;
use threads::ThreadError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time;

use crate::answer::ServiceBody;
use crate::budget::Budget;
use crate::engine::EqualitySemantics;
use crate::metrics::ServiceMetrics;
use crate::pool::EnginePool;
use crate::remote::{AllowedHost, RemoteHosts};
use crate::request::BodyLimits;
use crate::routes::{self, ServiceState};
use units::Ratio;

/// How long requests that are being answered may take when the process is to stop.
const GRACE_MAX: Duration = Duration::from_secs(10);
/// How long a connection may be open without a request, or take to send a request's head.
const HEAD_MAX: Duration = Duration::from_mins(5);
/// How long a client may leave an answer unread, in milliseconds.
#[cfg(target_os = "linux")]
const UNREAD_MS_MAX: u32 = 120_000;
/// So much is read from a connection at once.
const READ_BYTES_MAX: usize = 256 << 10;
/// Requests of one connection that are answered at once, with HTTP/2.
const STREAMS_MAX: u32 = 64;
/// Bytes of a connection's bodies that may come before they are wanted, with HTTP/2.
const WINDOW_BYTES: u32 = 1 << 20;
/// Connections over the limit that are refused in words at the same time; the others are closed.
const TURNED_AWAY_MAX: usize = 64;

/// How the service behaves.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where to listen. Port 0 takes a free one.
    pub address: SocketAddr,
    /// Threads that compare; with one, everything runs on the calling thread.
    pub workers: usize,
    /// Share of the comparison work to do twice.
    pub extra_work: Ratio,
    /// Which documents count as equal.
    pub semantics: EqualitySemantics,
    /// Hosts from which documents may be fetched.
    pub allowed_hosts: Vec<AllowedHost>,
    /// The largest body that is taken.
    pub body_bytes_max: u64,
    /// The largest single comparison that is taken.
    pub pair_bytes_max: u64,
    /// What all requests together may keep in memory beyond 2 MiB each.
    pub kept_bytes_max: u64,
    /// How long the next part of a body may take.
    pub idle_max: Duration,
    /// How long a whole body may take.
    pub body_max: Duration,
    /// How many connections may be open.
    pub connections_max: usize,
    /// Memory to lose for good with each batch.
    pub leak_bytes: usize,
    /// Time to wait before a comparison is answered.
    pub delay: Duration,
}

impl Default for ServerSettings {
    /// A free port of this machine, one thread, and the limits of the contract.
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            workers: 1,
            extra_work: Ratio(0.0),
            semantics: EqualitySemantics::XmlCompareApi,
            allowed_hosts: Vec::new(),
            body_bytes_max: 500 << 20,
            pair_bytes_max: 64 << 20,
            kept_bytes_max: 512 << 20,
            idle_max: Duration::from_secs(30),
            body_max: Duration::from_mins(10),
            connections_max: 256,
            leak_bytes: 0,
            delay: Duration::ZERO,
        }
    }
}

/// Why the service cannot run.
#[derive(Debug, Error, Diagnostic)]
pub enum ServeError {
    /// The address is taken, or not of this machine.
    #[error("failed to listen on `{address}`")]
    #[diagnostic(help("`--port 0` takes a free port"))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The system gave no thread.
    #[error("failed to start the server's threads")]
    Threads(#[from] ThreadError),
    /// The system gave no signal handler or timer.
    #[error("failed to make ready to serve")]
    Runtime(#[source] io::Error),
}

/// A service that listens, and answers once [`ReferenceServer::run`] is called.
#[derive(Debug)]
pub struct ReferenceServer {
    listener: TcpListener,
    runtime: Runtime,
    address: SocketAddr,
    shared: Arc<ServiceState>,
    connections_max: usize,
}

impl ReferenceServer {
    /// Listens on the address of `settings`.
    pub fn bind(settings: &ServerSettings) -> Result<Self, ServeError> {
        let address = settings.address;
        let listen = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let runtime = if settings.workers == 1 {
            Builder::new_current_thread().enable_all().build().map_err(ServeError::Runtime)?
        } else {
            threads::start_runtime(settings.workers)?
        };
        let shared = Arc::new(ServiceState {
            pool: Arc::new(EnginePool::new(
                settings.workers,
                settings.semantics,
                settings.extra_work,
            )),
            budget: Arc::new(Budget::new(settings.kept_bytes_max)),
            metrics: ServiceMetrics::default(),
            remote: RemoteHosts::new(settings.allowed_hosts.clone()),
            limits: BodyLimits {
                bytes: settings.body_bytes_max,
                idle: settings.idle_max,
                total: settings.body_max,
            },
            pair_bytes_max: settings.pair_bytes_max,
            leak_bytes: settings.leak_bytes,
            delay: settings.delay,
        });
        let connections_max = settings.connections_max;
        Ok(Self { listener, runtime, address, shared, connections_max })
    }

    /// Returns where the service listens, with the port that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the process is to stop, and then finishes what was begun.
    pub fn run(self) -> Result<(), ServeError> {
        let Self { listener, runtime, shared, connections_max, .. } = self;
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        crate::allocator::keep_freed_memory().map_err(ServeError::Runtime)?;
        runtime.block_on(async move {
            let start = || {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
                let [terminate, interrupt] = signals;
                Ok((listener, [terminate?, interrupt?]))
            };
            let (listener, signals) = start().map_err(ServeError::Runtime)?;
            accept(listener, shared, connections_max, signals).await;
            Ok(())
        })
    }
}

/// Takes connections until a signal comes, then waits for those that are being answered.
async fn accept(
    listener: tokio::net::TcpListener,
    shared: Arc<ServiceState>,
    connections_max: usize,
    [mut terminate, mut interrupt]: [Signal; 2],
) {
    let (stop, stopping) = watch::channel(());
    let places = Arc::new(Semaphore::new(connections_max));
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        let Ok((stream, _)) = accepted else {
            // The client has gone, or file descriptors have run out for now.
            time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            tokio::spawn(connection(stream, place, Arc::clone(&shared), stopping.clone()));
        } else {
            shared.metrics.turned_away();
            if let Ok(place) = Arc::clone(&turned_away).try_acquire_owned() {
                tokio::spawn(turn_away(stream, place));
            }
        }
    }
    drop((listener, stopping));
    stop.send_replace(());
    // Ends when the last connection has dropped its receiver; the others are cut off.
    let _ = time::timeout(GRACE_MAX, stop.closed()).await;
}

async fn connection(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    shared: Arc<ServiceState>,
    mut stopping: watch::Receiver<()>,
) {
    // Without it, the end of an answer could wait for the acknowledgement of its beginning.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, UNREAD_MS_MAX);
    shared.metrics.connected();
    tokio::select! {
        version = version(&stream) => match version {
            Ok(Version::HTTP_2) => serve_http2(stream, &shared, stopping).await,
            Ok(_) => serve_http1(stream, &shared, stopping).await,
            Err(_) => {}
        },
        _ = stopping.changed() => {}
    }
    shared.metrics.disconnected();
    drop(place);
}

/// Looks at what a client sends first: HTTP/2 without asking begins with words of its own.
async fn version(stream: &TcpStream) -> io::Result<Version> {
    const PREFACE: &[u8] = b"PRI ";
    let look = async {
        let mut begin = [0; PREFACE.len()];
        loop {
            let seen = stream.peek(&mut begin).await?;
            if seen == PREFACE.len() && begin == PREFACE {
                return Ok(Version::HTTP_2);
            }
            if seen == 0 || begin[..seen] != PREFACE[..seen] {
                return Ok(Version::HTTP_11);
            }
            // Some of the words only: that there are more is not announced to who has read none.
            time::sleep(Duration::from_millis(5)).await;
        }
    };
    time::timeout(HEAD_MAX, look).await?
}

async fn serve_http1(
    stream: TcpStream,
    shared: &Arc<ServiceState>,
    mut stopping: watch::Receiver<()>,
) {
    let service = service_fn(|request| answer(request, Arc::clone(shared)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(READ_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin::pin!(connection);
    // An error here is a client that went away or sent no HTTP: no peer is left to answer.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn serve_http2(
    stream: TcpStream,
    shared: &Arc<ServiceState>,
    mut stopping: watch::Receiver<()>,
) {
    let service = service_fn(|request| answer(request, Arc::clone(shared)));
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .keep_alive_interval(HEAD_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<ServiceState>,
) -> Result<Response<ServiceBody>, Infallible> {
    Ok(routes::answer(request, &shared).await)
}

/// Tells a client that there are too many. What it sends is read for a while, because closing on
/// unread bytes would reset the connection before the answer is seen.
async fn turn_away(mut stream: TcpStream, place: OwnedSemaphorePermit) {
    const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; \
        charset=utf-8\r\ncontent-length: 21\r\nretry-after: 1\r\nconnection: close\r\n\r\n\
        too many connections\n";
    let _ = time::timeout(Duration::from_secs(1), async {
        stream.write_all(ANSWER).await?;
        stream.shutdown().await?;
        let mut rest = [0; 4096];
        while stream.read(&mut rest).await? > 0 {}
        Ok::<_, io::Error>(())
    })
    .await;
    drop(place);
}
