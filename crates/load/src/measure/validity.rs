//! Says whether a trial tells about its target or about the load generator.
//!
//! A generator that falls behind its schedule, or loses count of its requests, reports a target
//! that is faster than the real one. Such a trial is invalid, not fast.

use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

use super::Measurement;
use crate::DriveOutcome;

/// What a generator must keep to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeneratorLimits {
    /// Longest lag of a request behind the moment at which it could have been handed out …
    pub lag: Duration,
    /// … that more than this share of the requests may exceed.
    pub lagging: units::Ratio,
    /// Largest share of the requests of an open load that may be dropped.
    pub dropped: units::Ratio,
    /// Most requests that were to be in flight at once: the connections of the load.
    pub in_flight_max: usize,
    /// Largest difference between the requests in flight and the rate times their time.
    pub little: units::Ratio,
}

impl Default for GeneratorLimits {
    fn default() -> Self {
        Self {
            lag: Duration::from_millis(1),
            lagging: units::Ratio(0.01),
            dropped: units::Ratio(0.0),
            in_flight_max: usize::MAX,
            little: units::Ratio(0.01),
        }
    }
}

/// Why a trial is no evidence about its target.
#[derive(Debug, Clone, PartialEq, Error, Diagnostic)]
pub enum InvalidityReason {
    /// The generator was late by its own fault.
    #[error("the load generator handed out {share} of the requests more than {lag} late",
        lag = units::duration(*.lag))]
    #[diagnostic(help("give it a processor of its own, or lower the rate"))]
    Lagging {
        /// Share of the requests that lagged.
        share: units::Ratio,
        /// By more than this.
        lag: Duration,
    },
    /// Requests were due and never sent.
    #[error("{dropped} requests were never sent: they waited for a connection for too long")]
    #[diagnostic(help("allow more connections, or lower the rate"))]
    Dropped {
        /// How many.
        dropped: u64,
    },
    /// More requests were in flight than there were connections.
    #[error("{in_flight_max} requests were in flight over {connections} connections")]
    Crowded {
        /// Most that were.
        in_flight_max: usize,
        /// Most that could be.
        connections: usize,
    },
    /// The count of requests in flight contradicts their rate and their time (Little's law).
    #[error(
        "{in_flight:.2} requests were in flight, but their rate times their time is {expected:.2}"
    )]
    Unbalanced {
        /// Mean number in flight, counted.
        in_flight: f64,
        /// Rate times mean service time.
        expected: f64,
    },
}

/// Returns everything that makes `measurement`, the record of this one `drive`, invalid.
pub fn check(
    measurement: &Measurement,
    drive: &DriveOutcome,
    limits: &GeneratorLimits,
) -> Vec<InvalidityReason> {
    let mut invalid = Vec::new();
    let lag = measurement.lag();
    let lagging = lag.len() - lag.count_between(0, units::nanos(limits.lag));
    let share = units::Ratio(lagging as f64 / lag.len().max(1) as f64);
    if share > limits.lagging {
        invalid.push(InvalidityReason::Lagging { share, lag: limits.lag });
    }
    let due = drive.exchanges + drive.dropped;
    if drive.dropped as f64 > limits.dropped.0 * due as f64 {
        invalid.push(InvalidityReason::Dropped { dropped: drive.dropped });
    }
    if drive.in_flight_max > limits.in_flight_max {
        let (in_flight_max, connections) = (drive.in_flight_max, limits.in_flight_max);
        invalid.push(InvalidityReason::Crowded { in_flight_max, connections });
    }
    let wall_ns = drive.wall().as_nanos().max(1) as f64;
    let expected = measurement.held_ns() as f64 / wall_ns;
    let in_flight = drive.in_flight_mean();
    // Below one request in a thousand in flight, rounding to nanoseconds is all there is.
    if (in_flight - expected).abs() > limits.little.0 * expected.max(1e-3) {
        invalid.push(InvalidityReason::Unbalanced { in_flight, expected });
    }
    invalid
}
