//! Systems on which no relay is made: it waits by epoll, with timers and descriptors that only Linux has.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use calls::{CallCounting, CallTally};

use super::{NetworkConditions, RelayError, Traffic};

/// A network to one target, of which there is none here.
#[derive(Debug)]
pub struct Relay(Infallible);

impl Relay {
    /// Fails.
    pub fn start(
        _target: SocketAddr,
        _network: &NetworkConditions,
        _seed: u64,
        _connections: usize,
    ) -> Result<Self, RelayError> {
        Err(none())
    }

    /// Fails.
    pub fn count_calls(_service: SocketAddr, _counting: CallCounting) -> Result<Self, RelayError> {
        Err(none())
    }

    /// Returns where the load connects.
    pub fn address(&self) -> SocketAddr {
        match self.0 {}
    }

    /// Shows what is known of the calls up to now.
    pub fn with_calls<T>(&self, _show: impl FnOnce(&CallTally) -> T) -> Option<T> {
        match self.0 {}
    }

    /// Returns what has passed up to now.
    pub fn traffic(&mut self) -> Result<Traffic, RelayError> {
        match self.0 {}
    }
}

fn none() -> RelayError {
    let reason = "the relay that makes one runs on Linux only";
    RelayError::NotMade(io::Error::new(io::ErrorKind::Unsupported, reason))
}
