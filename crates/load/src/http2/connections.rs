//! Keeps a connection for the streams that share it, and makes another when it has ended.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
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

    /// Returns what opens a stream, for one that is given to [`Http2Connections::freed`] when it has ended. The
    /// outer error is ours, the inner one the target's.
    pub(super) async fn opener(&self, line: usize) -> Result<io::Result<StreamOpener>, LoadError> {
        let opener = self.connected(line).await?;
        self.all[line].open.fetch_add(usize::from(opener.is_ok()), Ordering::Relaxed);
        Ok(opener)
    }

    /// Makes a connection that has room for a stream, if there is none.
    async fn connected(&self, line: usize) -> Result<io::Result<StreamOpener>, LoadError> {
        match time::timeout(self.connect_timeout, self.find(line)).await {
            Ok(Err(source)) if network::is_ours(&source) => {
                Err(LoadError::Exhausted { address: self.address.clone(), source })
            }
            Ok(found) => Ok(found),
            Err(_) => Ok(Err(io::ErrorKind::TimedOut.into())),
        }
    }

    async fn find(&self, line: usize) -> io::Result<StreamOpener> {
        if self.reuse == ConnectionReuse::PerRequest {
            return Ok(self.connect().await?.opener);
        }
        let line = &self.all[line];
        loop {
            let mut connection = line.connection.lock().await;
            let open = line.open.load(Ordering::Relaxed);
            if let Some(Http2Connection { opener: StreamOpener { sender, ended }, .. }) =
                &*connection
            {
                match sender.clone().ready().await {
                    // The library would take one too many, and let it wait unseen.
                    Ok(sender) if open < sender.current_max_send_streams() => {
                        return Ok(StreamOpener { sender, ended: Arc::clone(ended) });
                    }
                    Ok(_) => {
                        drop(connection);
                        line.freed.notified().await;
                        continue;
                    }
                    // It was closed, or takes no new streams; those that are open may still end well.
                    Err(_) => {}
                }
            }
            let Http2Connection { opener, .. } = connection.insert(self.connect().await?);
            if opener.ended.get().is_some() {
                // Its first stream says what it ended with.
                return Ok(opener.clone());
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
            Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
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
        for line in 0..self.all.len() {
            // The next drive tries again what was refused, and reports it.
            if self.connected(line).await?.is_err() {
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
