//! What a client is given, what a drive comes to, and why there may be none.

use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use miette::Diagnostic;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::network::Address;
use super::pacing::DriveEnd;

/// How requests are sent, whatever they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientSettings {
    /// Connections at most. An open load opens those that it needs.
    pub connections: NonZeroUsize,
    /// How requests share a connection.
    pub http: HttpVersion,
    /// How long a connection lives.
    pub reuse: ConnectionReuse,
    /// What is waited for, and how long.
    pub timeouts: Timeouts,
    /// What answers may take in memory: each alone, head and body, and all of the process at once.
    pub answer_bytes_max: usize,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            connections: NonZeroUsize::MIN,
            http: HttpVersion::One,
            reuse: ConnectionReuse::Kept,
            timeouts: Timeouts::default(),
            answer_bytes_max: 256 << 20,
        }
    }
}

impl ClientSettings {
    /// Returns how many requests may be in flight at once.
    pub fn in_flight_max(&self) -> usize {
        match self.http {
            HttpVersion::One => self.connections.get(),
            HttpVersion::Two { streams } => self.connections.get().saturating_mul(streams.get()),
        }
    }
}

/// The version of HTTP, and with it how requests share a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum HttpVersion {
    /// HTTP/1.1: one after the other.
    #[serde(rename = "1.1")]
    One,
    /// HTTP/2, without asking: by prior knowledge, or over TLS by ALPN.
    #[serde(rename = "2")]
    Two {
        /// Requests at once on each connection, as far as the target takes so many.
        streams: NonZeroUsize,
    },
}

/// How long a connection lives, as far as that is up to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionReuse {
    /// Until [`LoadClient::renew`](super::LoadClient::renew), or until the target closes it.
    Kept,
    /// For one request, which says so in its head. Connecting counts into the response time, from
    /// *due*, and not into the service time, from *sent*.
    PerRequest,
}

/// How long each part of an exchange may take; they are looked at every 50 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    /// From the first packet until the connection is there.
    #[serde(rename = "connect_ns", with = "units::duration_ns")]
    #[schemars(with = "u64")]
    pub connect: Duration,
    /// From *sent* until the first byte of the answer.
    #[serde(rename = "first_byte_ns", with = "units::duration_ns")]
    #[schemars(with = "u64")]
    pub first_byte: Duration,
    /// From *sent* until the last byte of the answer.
    #[serde(rename = "total_ns", with = "units::duration_ns")]
    #[schemars(with = "u64")]
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_mins(10),
            total: Duration::from_mins(10),
        }
    }
}

/// Why no load could be made. Whatever the target does wrong is a failed exchange instead.
#[derive(Debug, Error, Diagnostic)]
pub enum LoadError {
    /// The list of requests is empty.
    #[error("there is no request to send")]
    NoRequest,
    /// The system refused a socket, memory for it, or a port to connect from.
    #[error("failed to open a connection to `{address}`")]
    #[diagnostic(help("this machine is out of sockets or ports; ask for fewer connections"))]
    Exhausted {
        /// The target.
        address: Address,
        /// The system's reason.
        source: io::Error,
    },
    /// A request can be sent by HTTP/1.1 only.
    #[error("a request cannot be sent by HTTP/2: {reason}")]
    Http2 {
        /// What the library says.
        reason: String,
    },
    /// The readiness queue failed.
    #[error("failed to wait for connections")]
    Wait(#[from] io::Error),
}

/// What a drive did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriveOutcome {
    /// When it began, in nanoseconds since the client was made.
    pub began_ns: u64,
    /// When the last exchange was done.
    pub ended_ns: u64,
    /// Exchanges that ended, rightly or not.
    pub exchanges: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Those that were due in an open load while every connection was taken.
    pub late: u64,
    /// Requests of an open load that were never sent, because they would have been too late.
    pub dropped: u64,
    /// Requests that were sent once more, as the target had closed their kept connection before any
    /// byte of an answer.
    pub resent: u64,
    /// Time that went into making requests which are not the same each time, before they were sent.
    pub rendering_ns: u64,
    /// Requests in flight, integrated over the time as they came and went.
    pub in_flight_ns: u64,
    /// Most requests that were in flight at once.
    pub in_flight_max: usize,
    /// Why it sent nothing more.
    pub ended: DriveEnd,
}

impl Default for DriveOutcome {
    fn default() -> Self {
        Self::begin(0)
    }
}

impl DriveOutcome {
    pub(super) fn begin(began_ns: u64) -> Self {
        Self {
            began_ns,
            ended_ns: began_ns,
            exchanges: 0,
            failures: 0,
            late: 0,
            dropped: 0,
            resent: 0,
            rendering_ns: 0,
            in_flight_ns: 0,
            in_flight_max: 0,
            ended: DriveEnd::Reached,
        }
    }

    /// Adds another drive of the same client: counts and times are summed.
    pub fn merge(&mut self, other: &Self) {
        self.ended_ns += other.ended_ns - other.began_ns;
        self.exchanges += other.exchanges;
        self.failures += other.failures;
        self.late += other.late;
        self.dropped += other.dropped;
        self.resent += other.resent;
        self.rendering_ns += other.rendering_ns;
        self.in_flight_ns += other.in_flight_ns;
        self.in_flight_max = self.in_flight_max.max(other.in_flight_max);
    }

    /// Returns the time from the beginning to the end of the last exchange.
    pub fn wall(&self) -> Duration {
        Duration::from_nanos(self.ended_ns - self.began_ns)
    }

    /// Returns how many requests were in flight, on average over the time of the drive.
    ///
    /// By Little's law it is the rate times the mean service time. It is counted apart from both, so
    /// that a request which was lost or counted twice shows.
    pub fn in_flight_mean(&self) -> f64 {
        self.in_flight_ns as f64 / ((self.ended_ns - self.began_ns).max(1)) as f64
    }
}
