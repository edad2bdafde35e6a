//! Asks a target whether it is ready, with the least HTTP that can tell.
//!
//! Its own few lines instead of a client: a target that is starting refuses connections, resets
//! them, or answers nonsense, and each of these needs a message of its own.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::address::TargetAddress;
use super::now;

/// How long one poll may take: less than a person notices, more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(1);

/// A status line is never longer, so what is longer is no HTTP.
const STATUS_LINE_BYTES_MAX: u64 = 1024;

/// Asks a target with one `GET` of a path for its status, or says in words why there is none.
#[derive(Clone)]
pub struct ReadinessProbe(Arc<StatusQuery>);

type StatusQuery = dyn Fn(&TargetAddress, &str) -> Result<u16, String> + Send + Sync;

impl ReadinessProbe {
    /// Makes one that asks in a way of its own, such as over TLS.
    pub fn new(
        question: impl Fn(&TargetAddress, &str) -> Result<u16, String> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(question))
    }

    pub(super) fn poll(&self, place: &TargetAddress, path: &str) -> Result<u16, String> {
        (self.0)(place, path)
    }
}

/// In plain HTTP/1.1.
impl Default for ReadinessProbe {
    fn default() -> Self {
        Self::new(poll)
    }
}

impl fmt::Debug for ReadinessProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ask").finish()
    }
}

/// Sends one `GET` and returns the status, or why there is none.
fn poll(place: &TargetAddress, path: &str) -> Result<u16, String> {
    let answered = match place {
        TargetAddress::Port(address) => over_tcp(*address, path),
        TargetAddress::Socket(socket) => over_socket(socket, path),
    };
    let line = answered.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            format!("nothing listens on {place}")
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("{place} accepts connections, but did not answer within {PATIENCE:?}")
        }
        _ => format!("{place}: {error}"),
    })?;
    status(&line).ok_or_else(|| format!("{place} does not speak HTTP: it answered {line:?}"))
}

fn over_tcp(address: SocketAddr, path: &str) -> io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    exchange(stream, &address.to_string(), path)
}

fn over_socket(socket: &Path, path: &str) -> io::Result<String> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    exchange(stream, "localhost", path)
}

fn exchange(mut stream: impl Read + Write, host: &str, path: &str) -> io::Result<String> {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut line = Vec::new();
    let stream = UntilDeadline { stream, deadline: now() + PATIENCE };
    BufReader::new(stream.take(STATUS_LINE_BYTES_MAX)).read_until(b'\n', &mut line)?;
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// Ends with a time-out even if a byte comes before each read's own.
struct UntilDeadline<S> {
    stream: S,
    deadline: Instant,
}

impl<S: Read> Read for UntilDeadline<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if now() >= self.deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.read(buffer)
    }
}

fn status(line: &str) -> Option<u16> {
    let mut words = line.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[track_caller]
    fn check(answer: &'static [u8], expect: Result<u16, &str>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(answer).unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let found = poll(&TargetAddress::Port(address), "/health?full=1");
        assert!(server.join().unwrap().starts_with("GET /health?full=1 HTTP/1.1\r\n"));
        let found = found.map_err(|text| text.replace(&address.to_string(), "ADDRESS"));
        assert_eq!(found.as_ref().map(|status| *status).map_err(String::as_str), expect);
    }

    #[test]
    fn the_status_is_read_or_the_reason_is_reported() {
        check(b"HTTP/1.1 200 OK\r\n\r\n", Ok(200));
        check(b"HTTP/1.0 503 Not Yet\r\nx: y\r\n\r\n", Ok(503));
        check(b"HTTP/1.1 204\r\n\r\n", Ok(204));
        check(
            b"220 mail.example ESMTP\r\n",
            Err("ADDRESS does not speak HTTP: it answered \"220 mail.example ESMTP\""),
        );
        check(b"", Err("ADDRESS does not speak HTTP: it answered \"\""));
    }

    #[test]
    fn a_closed_port_is_named() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(
            poll(&TargetAddress::Port(address), "/"),
            Err(format!("nothing listens on {address}"))
        );
    }
}
