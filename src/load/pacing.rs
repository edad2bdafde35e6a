//! Decides when the next request is due. Pure: it is told the time.

use std::time::Duration;

use crate::units;

/// When a closed drive has had enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// New requests are sent for at least this long …
    pub at_least: Duration,
    /// … and until there were at least this many.
    pub requests: u64,
    /// No new request is sent after this time, whatever is missing.
    pub at_most: Option<Duration>,
    /// No new request is sent after this many failures.
    pub failures_max: Option<u64>,
}

impl Stop {
    /// Returns the end of a drive of exactly so many requests.
    pub fn after_requests(requests: u64) -> Self {
        Self { at_least: Duration::ZERO, requests, at_most: None, failures_max: None }
    }

    /// Returns the end of a drive of so much time.
    pub fn after(at_least: Duration) -> Self {
        Self { at_least, requests: 0, at_most: None, failures_max: None }
    }
}

/// What to do with a connection that is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Send a request that was due at this time.
    Send { due_ns: u64 },
    /// There will be no other request.
    Nothing,
}

/// Why a drive sends nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It has done what it was asked to.
    Reached,
    /// `at_most` has passed first.
    OutOfTime,
    /// `failures_max` requests have failed.
    TooManyFailures,
    /// Somebody asked to stop; requests in flight were given up.
    Cancelled,
}

/// A connection sends its next request when the last one is answered.
#[derive(Debug)]
pub(super) struct Closed {
    stop: Stop,
    began_ns: u64,
    sent: u64,
    failed: u64,
}

impl Closed {
    pub(super) fn new(stop: Stop, began_ns: u64) -> Self {
        Self { stop, began_ns, sent: 0, failed: 0 }
    }

    pub(super) fn next(&mut self, now_ns: u64) -> Next {
        if self.ended(now_ns).is_some() {
            return Next::Nothing;
        }
        self.sent += 1;
        Next::Send { due_ns: now_ns }
    }

    pub(super) fn failed(&mut self) {
        self.failed += 1;
    }

    pub(super) fn ended(&self, now_ns: u64) -> Option<Ended> {
        let elapsed_ns = now_ns.saturating_sub(self.began_ns);
        let passed = |limit| elapsed_ns >= units::nanos(limit);
        if self.stop.failures_max.is_some_and(|max| self.failed >= max) {
            Some(Ended::TooManyFailures)
        } else if self.sent >= self.stop.requests && passed(self.stop.at_least) {
            Some(Ended::Reached)
        } else if self.stop.at_most.is_some_and(passed) {
            Some(Ended::OutOfTime)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_drive_ends_when_both_time_and_requests_are_reached() {
        let stop = Stop { requests: 3, ..Stop::after(Duration::from_nanos(100)) };
        let mut closed = Closed::new(stop, 1_000);
        assert_eq!(closed.next(1_000), Next::Send { due_ns: 1_000 });
        assert_eq!(closed.next(1_200), Next::Send { due_ns: 1_200 });
        assert_eq!(closed.next(1_300), Next::Send { due_ns: 1_300 });
        assert_eq!(closed.ended(1_099), None);
        assert_eq!(closed.ended(1_100), Some(Ended::Reached));
        assert_eq!(closed.next(1_100), Next::Nothing);
    }

    #[test]
    fn time_and_failures_end_a_drive_that_would_never_get_there() {
        let stop = Stop {
            at_most: Some(Duration::from_nanos(50)),
            failures_max: Some(2),
            ..Stop::after_requests(10)
        };
        let mut closed = Closed::new(stop, 0);
        assert_eq!(closed.next(49), Next::Send { due_ns: 49 });
        assert_eq!(closed.ended(50), Some(Ended::OutOfTime));
        closed.failed();
        assert_eq!(closed.ended(0), None);
        closed.failed();
        assert_eq!(closed.ended(0), Some(Ended::TooManyFailures));
    }
}
