//! Keeps a connection for the streams that share it, and makes another when it has ended.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::Ping;
use h2::client::{Builder, SendRequest};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Mutex, Notify};
use tokio::task::AbortHandle;
use tokio::time;
use tokio_rustls::TlsConnector;

use crate::network;
use crate::network::Address;
use crate::settings::{ClientSettings, ConnectionReuse, LoadError};
use crate::tls::TlsClient;

/// Bytes of an answer, and of all answers of a connection together, that the target may send ahead:
/// as for HTTP/1.1, the network is to be the limit, not this.
const WINDOW_BYTES: u32 = 16 << 20;

/// All connections of a client.
pub(super) struct Http2Connections {
    address: Address,
    tls: Option<TlsClient>,
    reuse: ConnectionReuse,
    connect_timeout: Duration,
    /// Streams that may be open on one.
    streams: usize,
    all: Vec<Http2Slot>,
}

#[derive(Default)]
struct Http2Slot {
    connection: Mutex<Option<Http2Connection>>,
    /// Streams that are open.
    open: AtomicUsize,
    /// One has ended.
    freed: Notify,
    /// Those that wait for the end of another.
    waiting: AtomicUsize,
}

impl Http2Slot {
    fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

/// Counts a stream that waits for the end of another, until it is dropped.
struct WaitingStream<'a>(&'a Http2Slot);

impl<'a> WaitingStream<'a> {
    fn begin(line: &'a Http2Slot) -> Self {
        line.waiting.fetch_add(1, Ordering::Relaxed);
        Self(line)
    }
}

impl Drop for WaitingStream<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Http2Connection {
    opener: StreamOpener,
    /// Ends the task that moves its bytes, and so the connection.
    mover: AbortHandle,
}

/// What opens a stream.
#[derive(Clone)]
pub(super) struct StreamOpener {
    pub(super) sender: SendRequest<Bytes>,
    /// With which error the connection has ended. A stream that was cut off with it learns less.
    pub(super) ended: Arc<OnceLock<h2::Error>>,
}

/// What h2 and TLS run over.
trait DuplexStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> DuplexStream for T {}

impl Http2Connections {
    pub(super) fn new(
        address: Address,
        tls: Option<TlsClient>,
        settings: &ClientSettings,
        streams: usize,
    ) -> Self {
        let lines = (0..settings.connections.get()).map(|_| Http2Slot::default()).collect();
        let connect_timeout = settings.timeouts.connect;
        Self { address, tls, reuse: settings.reuse, connect_timeout, streams, all: lines }
    }

    pub(super) fn streams(&self) -> usize {
        self.streams
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Returns what opens a stream at once, for one that is given to [`Http2Connections::freed`] when it has ended;
    /// none if it has to wait for a connection, or for room on it.
    pub(super) fn opener_at_once(&self, line: usize) -> Option<StreamOpener> {
        let line = &self.all[line];
        if self.reuse == ConnectionReuse::PerRequest || line.is_waited_for() {
            return None;
        }
        let connection = line.connection.try_lock().ok()?;
        let (mut opener, open) = (connection.as_ref()?.opener.clone(), line.open());
        let mut context = Context::from_waker(Waker::noop());
        let is_ready = matches!(opener.sender.poll_ready(&mut context), Poll::Ready(Ok(())));
        // The library would take one too many, and let it wait unseen.
        if !is_ready || open >= opener.sender.current_max_send_streams() {
            return None;
        }
        line.open.fetch_add(1, Ordering::Relaxed);
        Some(opener)
    }

    /// Returns what opens a stream, once there is a connection with room for it. The outer error is ours, the inner
    /// one the target's.
    pub(super) async fn opener(&self, line: usize) -> Result<io::Result<StreamOpener>, LoadError> {
        let opener = self.found(self.find(line).await)?;
        self.all[line].open.fetch_add(usize::from(opener.is_ok()), Ordering::Relaxed);
        Ok(opener)
    }

    fn found<T>(&self, found: io::Result<T>) -> Result<io::Result<T>, LoadError> {
        match found {
            Err(source) if network::is_ours(&source) => {
                Err(LoadError::Exhausted { address: self.address.clone(), source })
            }
            found => Ok(found),
        }
    }

    async fn find(&self, line: usize) -> io::Result<StreamOpener> {
        if self.reuse == ConnectionReuse::PerRequest {
            return Ok(self.in_time(self.connect()).await?.opener);
        }
        let line = &self.all[line];
        // What waits already comes first.
        let mut is_turn = !line.is_waited_for();
        loop {
            if is_turn && let Some(opener) = self.in_time(self.connected(line)).await? {
                return Ok(opener);
            }
            // How long streams take is up to the target, and limited by their own time; that one without streams
            // takes none is like a connection that does not come.
            let _waiting = WaitingStream::begin(line);
            let freed = line.freed.notified();
            if line.open() > 0 {
                freed.await;
            } else {
                self.in_time(async {
                    freed.await;
                    Ok(())
                })
                .await?;
            }
            is_turn = true;
        }
    }

    /// Bounds the time that a connection may take to be made.
    async fn in_time<T>(&self, made: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let made = time::timeout(self.connect_timeout, made);
        made.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Makes a connection if there is none; returns nothing if it has no room for a stream.
    async fn connected(&self, line: &Http2Slot) -> io::Result<Option<StreamOpener>> {
        let mut connection = line.connection.lock().await;
        loop {
            if let Some(Http2Connection { opener, .. }) = &*connection
                // An error: it was closed, or takes no new streams; those that are open may still end well.
                && let Ok(sender) = opener.sender.clone().ready().await
            {
                let (open, max) = (line.open(), sender.current_max_send_streams());
                // A new connection may have room for more than one of those that wait.
                if open + 1 < max && line.is_waited_for() {
                    line.freed.notify_one();
                }
                let ended = Arc::clone(&opener.ended);
                return Ok((open < max).then_some(StreamOpener { sender, ended }));
            }
            let Http2Connection { opener, .. } = connection.insert(self.connect().await?);
            if opener.ended.get().is_some() {
                // Its first stream says what it ended with.
                return Ok(Some(opener.clone()));
            }
        }
    }

    /// Wakes what waits for the end of a stream.
    pub(super) fn freed(&self, line: usize) {
        self.all[line].open.fetch_sub(1, Ordering::Relaxed);
        self.all[line].freed.notify_one();
    }

    /// Makes a connection, and where streams share it waits for what the target says of how many it takes at once:
    /// until then it would refuse those beyond.
    async fn connect(&self) -> io::Result<Http2Connection> {
        let stream: Box<dyn DuplexStream> = match &self.address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                network::tune(&stream, address)?;
                Box::new(stream)
            }
            Address::Unix(path) => Box::new(connect_unix(&self.address, path).await?),
        };
        let stream = match &self.tls {
            Some(tls) => secure(stream, tls).await?,
            None => stream,
        };
        let (sender, mut connection) = Builder::new()
            .initial_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .initial_max_send_streams(self.streams)
            .enable_push(false)
            .handshake(stream)
            .await
            .map_err(io::Error::other)?;
        let pings = connection.ping_pong();
        let ended = Arc::new(OnceLock::new());
        let opener = StreamOpener { sender, ended: Arc::clone(&ended) };
        let moving = tokio::spawn(async move {
            if let Err(error) = connection.await {
                ended.get_or_init(|| error);
            }
        });
        let mover = moving.abort_handle();
        if self.reuse != ConnectionReuse::PerRequest
            && let Some(mut pings) = pings
            // Its settings are the first that it sends (RFC 9113, 3.4), so they are here when it answers.
            && pings.ping(Ping::opaque()).await.is_err()
        {
            // Without an answer it has ended, and says with what.
            moving.await.map_err(io::Error::other)?;
        }
        Ok(Http2Connection { opener, mover })
    }

    pub(super) async fn renew(&self) -> Result<(), LoadError> {
        self.close().await;
        if self.reuse == ConnectionReuse::PerRequest {
            return Ok(());
        }
        for line in &self.all {
            // The next drive tries again what was refused, and reports it.
            if self.found(self.in_time(self.connected(line)).await)?.is_err() {
                break;
            }
        }
        Ok(())
    }

    pub(super) async fn close(&self) {
        for line in &self.all {
            if let Some(Http2Connection { mover, .. }) = line.connection.lock().await.take() {
                mover.abort();
            }
            line.open.store(0, Ordering::Relaxed);
        }
    }
}

/// Connects to a socket as soon as its listener has room for another connection.
async fn connect_unix(address: &Address, path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            Err(error) if network::is_full(address, &error) => {
                time::sleep(network::FULL_PAUSE).await;
            }
            connected => return connected,
        }
    }
}

async fn secure(
    stream: Box<dyn DuplexStream>,
    tls: &TlsClient,
) -> io::Result<Box<dyn DuplexStream>> {
    let (config, name) = tls.for_http2();
    let stream = TlsConnector::from(config).connect(name, stream).await?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err(io::Error::other("it does not offer HTTP/2 (`h2` by ALPN)"));
    }
    Ok(Box::new(stream))
}
