//! Counts what a program calls behind its API, from the bytes that pass between it and a service.
//!
//! Pure: bytes go in as they are cut by the network, counts come out, and any cut gives the same counts. What is
//! kept of a call is its statement with all values taken out: a record must be fit to be published. What cannot be
//! read is counted as bytes and round trips, and says why; no input is an error, as the bytes pass on in any case.

mod detection;
mod http;
mod message;
mod mysql;
mod postgresql;
mod protocol;
mod redis;
mod statement;
mod stream;
mod tally;

pub use protocol::{CallCounting, CallDirection, CallObstacle, CallProtocol};
pub use stream::CallStream;
pub use tally::{CallTally, CallTotals, StatementCount};

/// Why the rest of a stream is not read: it is not what its protocol allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream is not of its protocol")]
struct StreamFault;

#[cfg(test)]
mod tests;
