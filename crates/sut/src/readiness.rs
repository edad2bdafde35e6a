//! Asks a target whether it is ready, with the least HTTP that can tell, and decides by its answers.
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

use thiserror::Error;
use units::cancel::Cancel;

use super::address::TargetAddress;
use super::now;
use super::ready_condition::ReadySign;

/// How long the first probe may take: less than a person notices, more than a busy machine needs.
const PATIENCE_MIN: Duration = Duration::from_secs(1);

/// How often a long probe looks at [`Cancel`].
const SLICE: Duration = Duration::from_millis(500);

/// A status line is never longer, so what is longer is no HTTP.
const STATUS_LINE_BYTES_MAX: u64 = 1024;

/// One question to a target.
#[derive(Debug, Clone, Copy)]
pub struct ProbeQuery<'a> {
    /// Where it listens.
    pub place: &'a TargetAddress,
    /// What is got, with its leading slash.
    pub path: &'a str,
    /// How long the answer may take.
    pub patience: Duration,
    /// Ends it early.
    pub cancel: &'a Cancel,
}

/// Why a target has not answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProbeError {
    /// There is no listener.
    #[error("nothing listens on {place}")]
    Closed {
        /// Where.
        place: TargetAddress,
    },
    /// It has taken the connection and the request.
    #[error("{place} accepts connections, but did not answer within {patience:?}")]
    Late {
        /// Where.
        place: TargetAddress,
        /// How long it was waited for.
        patience: Duration,
    },
    /// It answered with another status than the one that is waited for.
    #[error("`GET {path}` answered {status}")]
    Status {
        /// What was got.
        path: String,
        /// The status.
        status: u16,
    },
    /// It has not written the line that is waited for.
    #[error("its log has no line with {pattern} yet")]
    NoLogLine {
        /// What the line has in it.
        pattern: String,
    },
    /// It answered otherwise than by HTTP, or broke the connection.
    #[error("{0}")]
    Other(String),
}

/// Asks a target with one `GET` of a path for its status.
#[derive(Clone)]
pub struct ReadinessProbe(Arc<StatusQuery>);

type StatusQuery = dyn Fn(&ProbeQuery<'_>) -> Result<u16, ProbeError> + Send + Sync;

impl ReadinessProbe {
    /// Makes one that asks in a way of its own, such as over TLS.
    pub fn new(
        question: impl Fn(&ProbeQuery<'_>) -> Result<u16, ProbeError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(question))
    }

    /// Looks once for a sign that shows on a port; a line of a log does not.
    pub(super) fn sees(&self, sign: &ReadySign, query: &ProbeQuery<'_>) -> Result<(), ProbeError> {
        match sign {
            ReadySign::Answer { path, statuses } => {
                let status = (self.0)(&ProbeQuery { path, ..*query })?;
                judge(path, statuses, status)
            }
            ReadySign::Listener => connect(query),
            ReadySign::LogLine(_) => Ok(()),
        }
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

/// What is known of a target after a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Readiness {
    /// The sign was seen.
    Ready,
    /// It did not, and there is time left.
    NotYet,
    /// It did not in all the time that it had; what the last probe showed.
    TooLate(String),
}

/// Decides whether a target is ready.
#[derive(Debug)]
pub(super) struct ReadinessDecision {
    probe_timeout: Option<Duration>,
    timeout: Duration,
    started: Instant,
    patience: ProbePatience,
}

impl ReadinessDecision {
    /// Begins for a target that has `timeout` from `started` on to be ready, of which one probe may take
    /// `probe_timeout`, if that is given.
    pub(super) fn new(
        probe_timeout: Option<Duration>,
        timeout: Duration,
        started: Instant,
    ) -> Self {
        Self { probe_timeout, timeout, started, patience: ProbePatience::default() }
    }

    /// Returns how long the next probe may take.
    pub(super) fn patience(&self) -> Duration {
        let left = self.timeout.saturating_sub(self.started.elapsed());
        self.probe_timeout.map_or(self.patience, ProbePatience).within(left)
    }

    /// Decides by what a probe has shown.
    pub(super) fn after(&mut self, probe: Result<(), ProbeError>) -> Readiness {
        let Err(error) = probe else { return Readiness::Ready };
        self.patience.note(&error);
        let last = error.to_string();
        if self.started.elapsed() >= self.timeout {
            Readiness::TooLate(last)
        } else {
            Readiness::NotYet
        }
    }
}

/// How long the next probe may take: twice as long as the last one that was too short. A page that
/// always takes long is waited for, and one that hangs once gets another probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ProbePatience(Duration);

impl Default for ProbePatience {
    fn default() -> Self {
        Self(PATIENCE_MIN)
    }
}

impl ProbePatience {
    /// Returns it, bounded by what is left of the time to be ready in.
    fn within(self, left: Duration) -> Duration {
        self.0.min(left.max(PATIENCE_MIN))
    }

    fn note(&mut self, error: &ProbeError) {
        if let ProbeError::Late { .. } = error {
            self.0 = self.0.saturating_mul(2);
        }
    }
}

/// Whether a status is the one that is waited for.
fn judge(path: &str, statuses: &[u16], status: u16) -> Result<(), ProbeError> {
    let is_ready = match statuses {
        [] => (200..300).contains(&status),
        listed => listed.contains(&status),
    };
    if is_ready { Ok(()) } else { Err(ProbeError::Status { path: path.to_owned(), status }) }
}

/// Makes a connection and closes it.
pub(super) fn connect(query: &ProbeQuery<'_>) -> Result<(), ProbeError> {
    let connected = match query.place {
        TargetAddress::Port(address) => {
            TcpStream::connect_timeout(address, query.patience).map(drop)
        }
        TargetAddress::Socket(socket) => UnixStream::connect(socket).map(drop),
    };
    connected.map_err(|error| probe_error(query, &error))
}

fn probe_error(query: &ProbeQuery<'_>, error: &io::Error) -> ProbeError {
    let place = query.place.clone();
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => ProbeError::Closed { place },
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            ProbeError::Late { place, patience: query.patience }
        }
        _ => ProbeError::Other(format!("{place}: {error}")),
    }
}

/// Sends one `GET` and returns the status, or why there is none.
fn poll(query: &ProbeQuery<'_>) -> Result<u16, ProbeError> {
    let place = query.place;
    let answered = match place {
        TargetAddress::Port(address) => over_tcp(*address, query),
        TargetAddress::Socket(socket) => over_socket(socket, query),
    };
    let line = answered.map_err(|error| probe_error(query, &error))?;
    status(&line).ok_or_else(|| {
        ProbeError::Other(format!("{place} does not speak HTTP: it answered {line:?}"))
    })
}

fn over_tcp(address: SocketAddr, query: &ProbeQuery<'_>) -> io::Result<String> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE_MIN)?;
    stream.set_read_timeout(Some(SLICE))?;
    stream.set_write_timeout(Some(PATIENCE_MIN))?;
    exchange(stream, &address.to_string(), query)
}

fn over_socket(socket: &Path, query: &ProbeQuery<'_>) -> io::Result<String> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(SLICE))?;
    stream.set_write_timeout(Some(PATIENCE_MIN))?;
    exchange(stream, "localhost", query)
}

fn exchange(
    mut stream: impl Read + Write,
    host: &str,
    query: &ProbeQuery<'_>,
) -> io::Result<String> {
    let path = query.path;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let stream = UntilDeadline { stream, deadline: now() + query.patience };
    let mut answer = BufReader::new(stream.take(STATUS_LINE_BYTES_MAX));
    let (mut line, mut left) = (Vec::new(), query.patience);
    loop {
        left = left.saturating_sub(SLICE);
        match answer.read_until(b'\n', &mut line) {
            // What has come so far stays in `line`.
            Err(error) if is_time_out(&error) && !left.is_zero() && !query.cancel.is_raised() => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(String::from_utf8_lossy(&line).trim_end().to_owned()),
        }
    }
}

fn is_time_out(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
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

    fn ask(address: SocketAddr, path: &str, patience: Duration) -> Result<u16, ProbeError> {
        let place = TargetAddress::Port(address);
        poll(&ProbeQuery { place: &place, path, patience, cancel: &Cancel::default() })
    }

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
        let found = ask(address, "/health?full=1", PATIENCE_MIN);
        assert!(server.join().unwrap().starts_with("GET /health?full=1 HTTP/1.1\r\n"));
        let found =
            found.map_err(|error| error.to_string().replace(&address.to_string(), "ADDRESS"));
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
    fn a_status_is_right_if_it_is_listed_or_else_2xx() {
        let check = |statuses: &[u16], status| judge("/health", statuses, status).is_ok();
        assert!(check(&[], 204) && !check(&[], 401) && !check(&[], 302));
        assert!(check(&[200, 401], 401) && !check(&[200, 401], 204));
        let wrong = judge("/health", &[], 503).unwrap_err();
        assert_eq!(wrong.to_string(), "`GET /health` answered 503");
    }

    #[test]
    fn a_closed_port_is_named() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let closed = ask(address, "/", PATIENCE_MIN).unwrap_err();
        assert_eq!(closed.to_string(), format!("nothing listens on {address}"));
    }

    /// Says several times that there is nothing to read yet, and then answers.
    struct SlowStream {
        waits: u32,
        answer: &'static [u8],
    }

    impl Read for SlowStream {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            // A piece of the answer comes before each wait.
            let piece = if self.waits > 0 { self.answer.len().min(3) } else { self.answer.len() };
            let (first, rest) = self.answer.split_at(piece);
            if first.is_empty() || (self.waits % 2 == 1) {
                self.waits = self.waits.saturating_sub(1);
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.waits = self.waits.saturating_sub(1);
            self.answer = rest;
            buffer[..piece].copy_from_slice(first);
            Ok(piece)
        }
    }

    impl Write for SlowStream {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_page_is_waited_for_as_long_as_the_patience_lasts() {
        let place = TargetAddress::Socket("/run/api.sock".into());
        let cancel = Cancel::default();
        let ask = |patience: Duration| {
            let stream = SlowStream { waits: 6, answer: b"HTTP/1.1 200 OK\r\n" };
            let query = ProbeQuery { place: &place, path: "/", patience, cancel: &cancel };
            exchange(stream, "localhost", &query).map_err(|error| error.kind())
        };
        assert_eq!(ask(4 * SLICE), Ok("HTTP/1.1 200 OK".to_owned()));
        assert_eq!(ask(3 * SLICE), Err(io::ErrorKind::WouldBlock));
        cancel.raise();
        assert_eq!(ask(100 * SLICE), Err(io::ErrorKind::WouldBlock));
    }

    #[test]
    fn patience_doubles_after_a_late_answer_up_to_what_is_left() {
        let place = TargetAddress::Port(([127, 0, 0, 1], 1).into());
        let late = ProbeError::Late { place: place.clone(), patience: PATIENCE_MIN };
        let mut patience = ProbePatience::default();
        let left = Duration::from_secs(6);
        let mut seen = Vec::new();
        for error in [ProbeError::Closed { place }, late.clone(), late.clone(), late] {
            patience.note(&error);
            seen.push(patience.within(left).as_secs());
        }
        assert_eq!(seen, [1, 2, 4, 6]);
        assert_eq!(patience.within(Duration::ZERO), PATIENCE_MIN);
    }
}
