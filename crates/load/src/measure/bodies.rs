//! Keeps the response times of each request body apart, and of each connection's first request.
//!
//! Bodies differ in size, and the time of a request with them: a quantile over all of them says which
//! bodies were sent as much as how fast they were answered. Within one body, an order statistic below
//! the median leaves out what preemption adds.

use std::collections::BTreeSet;

use hdrhistogram::Histogram;

use crate::Exchange;

/// Bodies that are kept apart at most: each has a histogram of some hundred kilobytes. Later ones
/// share those of the first, the same ones in every launch.
pub const BODIES_MAX: usize = 64;

/// Longest time that is kept apart from a longer one: one hour.
const TIME_NS_MAX: u64 = 3_600_000_000_000;

/// The share of a body's response times that lie below its level.
const LEVEL_QUANTILE: f64 = 0.25;

/// Response times by body. Of those exchanges only that were answered rightly.
#[derive(Debug, Clone, Default)]
pub struct BodyTimes {
    bodies: Vec<Histogram<u64>>,
}

impl BodyTimes {
    /// Takes in an exchange of the body of this number.
    pub fn record(&mut self, body: usize, exchange: &Exchange) {
        if exchange.outcome.is_ok() {
            self.record_ns(body, exchange.response_ns());
        }
    }

    /// Takes in a time of the body of this number.
    pub(super) fn record_ns(&mut self, body: usize, response_ns: u64) {
        let body = body % BODIES_MAX;
        if self.bodies.len() <= body {
            self.bodies.resize_with(body + 1, histogram);
        }
        let response_ns = response_ns.clamp(1, TIME_NS_MAX);
        // Saturating would not let the histogram grow.
        self.bodies[body].record(response_ns).expect("a histogram grows up to an hour");
    }

    /// Adds the times of another part of the same load.
    pub fn merge(&mut self, other: &Self) {
        if self.bodies.len() < other.bodies.len() {
            self.bodies.resize_with(other.bodies.len(), histogram);
        }
        for (times, more) in self.bodies.iter_mut().zip(&other.bodies) {
            times.add(more).expect("a histogram that grows takes any other of its precision");
        }
    }

    /// Returns the level of each body in nanoseconds, none of one that was not answered.
    pub fn levels_ns(&self) -> Vec<Option<u64>> {
        let level = |times: &Histogram<u64>| {
            (!times.is_empty()).then(|| times.value_at_quantile(LEVEL_QUANTILE))
        };
        self.bodies.iter().map(level).collect()
    }
}

/// Grows with the largest value: most hold times of one order of magnitude.
fn histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are a valid precision")
}

/// The response time of the first request on each connection of a launch.
#[derive(Debug, Clone, Default)]
pub struct FirstAnswers {
    connections: BTreeSet<usize>,
    sum_ns: u64,
}

impl FirstAnswers {
    /// Takes an exchange in, whichever it is of its connection. One that failed is not a first answer.
    pub fn record(&mut self, exchange: &Exchange) {
        if exchange.outcome.is_ok() && self.connections.insert(exchange.connection) {
            self.sum_ns = self.sum_ns.saturating_add(exchange.response_ns());
        }
    }

    /// Returns their mean in nanoseconds, if there were any.
    pub fn mean_ns(&self) -> Option<u64> {
        let connections = u64::try_from(self.connections.len()).unwrap_or(u64::MAX);
        self.sum_ns.checked_div(connections)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ExchangeFailure, FailureKind};

    fn exchange(request: usize, connection: usize, response_ns: u64) -> Exchange {
        Exchange {
            request,
            connection,
            due_ns: 0,
            sent_ns: 0,
            done_ns: response_ns,
            lag_ns: 0,
            request_bytes: 10,
            response_bytes: 20,
            flow_ns: None,
            outcome: Ok(()),
        }
    }

    fn failed(exchange: &Exchange) -> Exchange {
        let failure = ExchangeFailure {
            kind: FailureKind::Timeout,
            detail: String::new(),
            answer: Vec::new(),
        };
        Exchange { outcome: Err(failure), ..exchange.clone() }
    }

    fn times(exchanges: &[Exchange]) -> BodyTimes {
        let mut times = BodyTimes::default();
        for exchange in exchanges {
            times.record(exchange.request, exchange);
        }
        times
    }

    #[test]
    fn a_level_is_that_of_one_body_and_leaves_slow_requests_out() {
        let mut exchanges: Vec<_> = (0..8).map(|n| exchange(0, 0, 100 + n)).collect();
        exchanges.extend([
            exchange(2, 0, 900),
            exchange(0, 0, 1_000_000),
            failed(&exchange(0, 0, 1)),
        ]);
        assert_eq!(times(&exchanges).levels_ns(), [Some(102), None, Some(900)]);
        assert!(BodyTimes::default().levels_ns().is_empty());
    }

    #[test]
    fn a_level_may_be_as_long_as_a_time_can_be() {
        let exchanges = [900_000, 40_000_000_000, u64::MAX].map(|ns| exchange(0, 0, ns));
        let level = times(&exchanges[1..2]).levels_ns()[0].unwrap();
        assert!(level.abs_diff(40_000_000_000) < 40_000_000, "{level}");
        assert!(times(&exchanges[..1]).levels_ns()[0].unwrap().abs_diff(900_000) < 900);
        assert!(times(&exchanges[2..]).levels_ns()[0].unwrap() >= TIME_NS_MAX);
    }

    #[test]
    fn a_first_answer_is_that_of_its_connection() {
        let mut first = FirstAnswers::default();
        assert_eq!(first.mean_ns(), None);
        for (connection, response_ns) in [(0, 5_000), (0, 7), (3, 1_000), (0, 9), (3, 9)] {
            first.record(&exchange(0, connection, response_ns));
        }
        first.record(&failed(&exchange(0, 8, 1)));
        assert_eq!(first.mean_ns(), Some(3_000));
    }

    proptest! {
        #[test]
        fn bodies_measured_apart_and_merged_are_measured_together(
            exchanges in proptest::collection::vec((0_usize..200, 0_u64..1 << 40), 0..80),
            cut in any::<prop::sample::Index>(),
        ) {
            let exchanges: Vec<_> = exchanges.into_iter().map(|(body, ns)| exchange(body, 0, ns)).collect();
            let cut = cut.index(exchanges.len() + 1);
            let mut parts = times(&exchanges[..cut]);
            parts.merge(&times(&exchanges[cut..]));
            prop_assert_eq!(parts.levels_ns(), times(&exchanges).levels_ns());
            prop_assert!(parts.levels_ns().len() <= BODIES_MAX);
        }
    }
}
