//! One request with its answer or failure, as the clock saw it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Largest part of a wrong answer, in bytes, that a failure keeps.
const KEPT_BYTES_MAX: usize = 2048;

/// One request with its answer or failure. Times are nanoseconds since the client was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Place of the request in the list that the client was given, from 0.
    pub request: usize,
    /// The connection that carried it, from 0.
    pub connection: usize,
    /// When it was to be sent: by the schedule, or when its connection was free (closed model).
    pub due_ns: u64,
    /// When its first byte was about to be written; `done_ns`, if none ever was.
    pub sent_ns: u64,
    /// When the last byte of the answer was read, or the failure was seen.
    pub done_ns: u64,
    /// How much later the client handed it out than it could have: the generator's own fault.
    pub lag_ns: u64,
    /// Bytes written, head and body; with HTTP/2 those of the body.
    pub request_bytes: u64,
    /// Bytes read, head, framing and body; with HTTP/2 those of the body.
    pub response_bytes: u64,
    /// Response times of all requests of a flow, if this was the last of one that was answered rightly.
    pub flow_ns: Option<u64>,
    /// Whether it was answered, and rightly.
    pub outcome: Result<(), ExchangeFailure>,
}

impl Exchange {
    /// Returns the time from *sent* to *done*, in nanoseconds.
    pub fn service_ns(&self) -> u64 {
        self.done_ns - self.sent_ns
    }

    /// Returns the time from *due* to *done*, in nanoseconds: what a user would have waited.
    pub fn response_ns(&self) -> u64 {
        self.done_ns - self.due_ns
    }
}

/// Why an exchange failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeFailure {
    /// Which kind of failure it was.
    pub kind: FailureKind,
    /// What happened, as a lowercase fragment.
    pub detail: String,
    /// The beginning of what was answered, if anything was.
    pub answer: Vec<u8>,
}

impl ExchangeFailure {
    /// Keeps the beginning of the answer only.
    pub(super) fn new(kind: FailureKind, detail: String, answer: &[u8]) -> Self {
        Self { kind, detail, answer: answer[..answer.len().min(KEPT_BYTES_MAX)].to_vec() }
    }
}

/// Kinds of failures, as reports count them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// No connection could be made.
    Refused,
    /// The connection broke, or with HTTP/2 the stream was reset, before the first byte of an answer.
    Reset,
    /// Connecting, the first byte or the whole answer took too long.
    Timeout,
    /// The answer has this status and is not the right one.
    Status(u16),
    /// The answer has a status of 2xx and is not the right one.
    WrongAnswer,
    /// The connection, or the stream, ended within an answer.
    ShortBody,
    /// The answer is not HTTP, or larger than allowed.
    Malformed,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("refused"),
            Self::Reset => f.write_str("reset"),
            Self::Timeout => f.write_str("timeout"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::WrongAnswer => f.write_str("wrong answer"),
            Self::ShortBody => f.write_str("short body"),
            Self::Malformed => f.write_str("malformed answer"),
        }
    }
}
