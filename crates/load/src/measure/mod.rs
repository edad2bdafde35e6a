//! Turns exchanges into histograms and counters.
//!
//! Service time (from *sent*) and response time (from *due*) are kept apart: in a closed load they
//! agree, in an open one their difference is the queue that a stalled target builds up. Histograms
//! can be merged; percentiles are read from them at the end and never merged.

mod bodies;
pub mod validity;

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::{Exchange, ExchangeFailure, FailureKind};

pub use bodies::{BODIES_MAX, BodyTimes, FirstAnswers};

/// Longest time that a histogram tells from a longer one: one hour.
const TIME_NS_MAX: u64 = 3_600_000_000_000;

/// The shortest stretch of a launch in which one side was driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SliceCounts {
    /// Exchanges that were answered rightly.
    pub count: u64,
    /// Sum of their service times, in nanoseconds.
    pub sum_ns: u64,
    /// How long the slice took.
    pub wall: Duration,
}

impl SliceCounts {
    /// Returns the mean service time in nanoseconds, if anything was answered.
    pub fn mean_ns(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_ns as f64 / self.count as f64)
    }
}

/// How often a kind of failure happened, and the first of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureCounts {
    /// How often.
    pub count: u64,
    /// The first one, with the beginning of its answer.
    pub first: ExchangeFailure,
}

/// Which of several operations a request is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationPlace {
    /// Number of the operation, from 0.
    pub operation: usize,
    /// Number of the request among those of the operation, from 0.
    pub body: usize,
}

/// What the exchanges of one trial came to. Times are of those that were answered rightly.
#[derive(Debug, Clone)]
pub struct Measurement {
    service: Histogram<u64>,
    response: Histogram<u64>,
    bodies: BodyTimes,
    flows: BodyTimes,
    lag: Histogram<u64>,
    held_ns: u64,
    slices: Vec<SliceCounts>,
    open: SliceCounts,
    request_bytes: u64,
    response_bytes: u64,
    failures: BTreeMap<FailureKind, FailureCounts>,
    wall: Duration,
    /// What those of each operation came to; empty where they are not distinguished.
    operations: Vec<Self>,
}

impl Default for Measurement {
    fn default() -> Self {
        Self {
            service: histogram(),
            response: histogram(),
            bodies: BodyTimes::default(),
            flows: BodyTimes::default(),
            lag: histogram(),
            held_ns: 0,
            slices: Vec::new(),
            open: SliceCounts::default(),
            request_bytes: 0,
            response_bytes: 0,
            failures: BTreeMap::new(),
            wall: Duration::ZERO,
            operations: Vec::new(),
        }
    }
}

/// Makes an empty histogram of nanoseconds, with three significant digits.
pub fn histogram() -> Histogram<u64> {
    // Three digits: more would claim a precision that no clock of a busy machine has.
    Histogram::new_with_bounds(1, TIME_NS_MAX, 3).expect("the bounds are constant and valid")
}

impl Measurement {
    /// Takes one exchange in.
    pub fn record(&mut self, exchange: &Exchange) {
        self.record_body(exchange.request, exchange);
    }

    /// Takes one exchange in, as one of all and as one of its operation.
    pub fn record_of(&mut self, place: OperationPlace, exchange: &Exchange) {
        self.record(exchange);
        if let Some(flow_ns) = exchange.flow_ns {
            self.flows.record_ns(0, flow_ns);
        }
        if self.operations.len() <= place.operation {
            self.operations.resize_with(place.operation + 1, Self::default);
        }
        self.operations[place.operation].record_body(place.body, exchange);
    }

    fn record_body(&mut self, body: usize, exchange: &Exchange) {
        self.request_bytes += exchange.request_bytes;
        self.response_bytes += exchange.response_bytes;
        self.lag.saturating_record(exchange.lag_ns);
        self.held_ns += exchange.service_ns();
        self.bodies.record(body, exchange);
        match &exchange.outcome {
            Ok(()) => {
                let service_ns = exchange.service_ns();
                self.service.saturating_record(service_ns);
                self.response.saturating_record(exchange.response_ns());
                self.open.count += 1;
                self.open.sum_ns += service_ns;
            }
            Err(failure) => {
                let first = || FailureCounts { count: 0, first: failure.clone() };
                self.failures.entry(failure.kind).or_insert_with(first).count += 1;
            }
        }
    }

    /// Ends the slice that began with the last end, or with the measurement; it took `wall`.
    pub fn end_slice(&mut self, wall: Duration) {
        let slice = std::mem::take(&mut self.open);
        self.slices.push(SliceCounts { wall, ..slice });
        self.wall += wall;
    }

    /// Adds what another measurement of the same kind saw: its slices come after those here.
    pub fn merge(&mut self, other: &Self) {
        let same = "histograms of one make can be added";
        self.service.add(&other.service).expect(same);
        self.response.add(&other.response).expect(same);
        self.bodies.merge(&other.bodies);
        self.flows.merge(&other.flows);
        self.lag.add(&other.lag).expect(same);
        self.held_ns += other.held_ns;
        self.slices.extend_from_slice(&other.slices);
        self.request_bytes += other.request_bytes;
        self.response_bytes += other.response_bytes;
        self.wall += other.wall;
        for (kind, failures) in &other.failures {
            let first = || FailureCounts { count: 0, first: failures.first.clone() };
            self.failures.entry(*kind).or_insert_with(first).count += failures.count;
        }
        if self.operations.len() < other.operations.len() {
            self.operations.resize_with(other.operations.len(), Self::default);
        }
        for (operation, more) in self.operations.iter_mut().zip(&other.operations) {
            operation.merge(more);
        }
    }

    /// Returns what the exchanges of each operation came to. Slices and their time are of all
    /// operations together.
    pub fn operations(&self) -> &[Self] {
        &self.operations
    }

    /// Returns the times from *sent* to *done*, in nanoseconds.
    pub fn service(&self) -> &Histogram<u64> {
        &self.service
    }

    /// Returns the times from *due* to *done*, in nanoseconds.
    pub fn response(&self) -> &Histogram<u64> {
        &self.response
    }

    /// Returns the response times of each request body.
    pub fn bodies(&self) -> &BodyTimes {
        &self.bodies
    }

    /// Returns the level of the time of a flow in nanoseconds, if one was whole.
    pub fn flow_level_ns(&self) -> Option<u64> {
        self.flows.levels_ns().first().copied().flatten()
    }

    /// Returns how much later than possible requests were handed out, in nanoseconds; of all.
    pub fn lag(&self) -> &Histogram<u64> {
        &self.lag
    }

    /// Returns the sum of the service times of all exchanges, failed ones too, in nanoseconds.
    pub fn held_ns(&self) -> u64 {
        self.held_ns
    }

    /// Returns the slices that were ended, in their order.
    pub fn slices(&self) -> &[SliceCounts] {
        &self.slices
    }

    /// Returns how many exchanges were answered rightly.
    pub fn answered(&self) -> u64 {
        self.service.len()
    }

    /// Returns how many exchanges failed.
    pub fn failed(&self) -> u64 {
        self.failures.values().map(|failures| failures.count).sum()
    }

    /// Returns the failures by kind, each with its first example.
    pub fn failures(&self) -> &BTreeMap<FailureKind, FailureCounts> {
        &self.failures
    }

    /// Returns the bytes written, heads and bodies.
    pub fn request_bytes(&self) -> u64 {
        self.request_bytes
    }

    /// Returns the bytes read, heads, framing and bodies.
    pub fn response_bytes(&self) -> u64 {
        self.response_bytes
    }

    /// Returns how long the ended slices took together.
    pub fn wall(&self) -> Duration {
        self.wall
    }

    /// Returns the mean service time in nanoseconds, exact: from the sums, not the histogram.
    pub fn mean_ns(&self) -> Option<f64> {
        let slices = self.slices.iter().chain([&self.open]);
        let (count, sum_ns) =
            slices.fold((0, 0), |(count, sum_ns), it| (count + it.count, sum_ns + it.sum_ns));
        SliceCounts { count, sum_ns, wall: Duration::ZERO }.mean_ns()
    }
}

/// Returns the value in nanoseconds below which the share `quantile` of the times lies, in (0, 1).
///
/// `None` unless at least ten times lie above it: fewer say more about chance than about the target.
pub fn percentile(times: &Histogram<u64>, quantile: f64) -> Option<u64> {
    (times.len() >= requests_needed(quantile)).then(|| times.value_at_quantile(quantile))
}

/// Returns how many requests it takes, so that ten of them lie beyond the quantile, which is below 1.
pub fn requests_needed(quantile: f64) -> u64 {
    // The margin is for shares that have no exact binary form: 10 / (1 - 0.95) is 200.
    units::whole((10.0 / (1.0 - quantile) - 1e-9).ceil())
        .expect("a quantile below 1 needs a finite number")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{DriveEnd, DriveOutcome};

    fn exchange(due_ns: u64, sent_ns: u64, done_ns: u64) -> Exchange {
        let (request_bytes, response_bytes, outcome) = (10, 20, Ok(()));
        let (request, connection) = (0, 0);
        Exchange {
            request,
            connection,
            due_ns,
            sent_ns,
            done_ns,
            lag_ns: 0,
            request_bytes,
            response_bytes,
            flow_ns: None,
            outcome,
        }
    }

    #[test]
    fn operations_are_measured_in_whole_and_apart() {
        let place = |operation, body| OperationPlace { operation, body };
        let mut measurement = Measurement::default();
        measurement.record_of(place(0, 0), &exchange(0, 0, 1_000));
        let mut more = Measurement::default();
        more.record_of(place(2, 1), &Exchange { flow_ns: Some(4_000), ..exchange(0, 0, 3_000) });
        more.record_of(place(2, 1), &failed(FailureKind::Timeout, "slow"));
        measurement.merge(&more);
        assert_eq!((measurement.answered(), measurement.failed()), (2, 1));
        assert!(measurement.flow_level_ns().unwrap().abs_diff(4_000) < 8);
        let apart = measurement.operations().iter();
        let apart: Vec<_> = apart.map(|it| (it.answered(), it.failed())).collect();
        assert_eq!(apart, [(1, 0), (0, 0), (1, 1)]);
        let levels = measurement.operations()[2].bodies().levels_ns();
        assert_eq!((levels.len(), levels[0]), (2, None));
    }

    fn failed(kind: FailureKind, detail: &str) -> Exchange {
        let failure = ExchangeFailure { kind, detail: detail.to_owned(), answer: Vec::new() };
        Exchange { outcome: Err(failure), ..exchange(0, 1, 2) }
    }

    #[test]
    fn service_counts_from_sent_and_response_from_due() {
        let mut measurement = Measurement::default();
        measurement.record(&exchange(0, 900, 1_000));
        assert_eq!(measurement.service().max(), 100);
        assert_eq!(measurement.response().max(), 1_000);
    }

    #[test]
    fn a_failure_is_counted_by_kind_and_never_as_a_time() {
        let mut measurement = Measurement::default();
        measurement.record(&failed(FailureKind::Status(500), "first"));
        measurement.record(&failed(FailureKind::Status(500), "second"));
        measurement.record(&failed(FailureKind::Timeout, "slow"));
        measurement.end_slice(Duration::from_nanos(7));
        assert_eq!((measurement.answered(), measurement.failed()), (0, 3));
        let failures = &measurement.failures()[&FailureKind::Status(500)];
        assert_eq!((failures.count, failures.first.detail.as_str()), (2, "first"));
        assert_eq!(measurement.slices()[0].mean_ns(), None);
        assert_eq!(measurement.mean_ns(), None);
    }

    #[test]
    fn a_percentile_needs_ten_requests_above_it() {
        let mut times = histogram();
        times.record_n(5, 199).unwrap();
        assert_eq!(percentile(&times, 0.95), None);
        times.record(5).unwrap();
        assert_eq!(percentile(&times, 0.95), Some(5));
        assert_eq!(percentile(&times, 0.99), None);
        times.record_n(5, 800).unwrap();
        assert_eq!(percentile(&times, 0.99), Some(5));
    }

    fn drive(exchanges: u64, in_flight_ns: u64, ended_ns: u64) -> DriveOutcome {
        DriveOutcome {
            began_ns: 0,
            ended_ns,
            exchanges,
            failures: 0,
            late: 0,
            dropped: 0,
            resent: 0,
            rendering_ns: 0,
            in_flight_ns,
            in_flight_max: 1,
            ended: DriveEnd::Reached,
        }
    }

    #[test]
    fn a_trial_is_invalid_if_its_generator_was() {
        let mut measurement = Measurement::default();
        for at in 0..100 {
            let lag_ns = if at < 2 { 3_000_000 } else { 900_000 };
            measurement.record(&Exchange { lag_ns, ..exchange(0, 0, 1_000) });
        }
        let sound = drive(100, 100_000, 200_000);
        let limits = validity::GeneratorLimits::default();
        let check = |drive: &DriveOutcome, limits: &validity::GeneratorLimits| {
            let invalid = validity::check(&measurement, drive, limits);
            invalid.iter().map(|it| units::text::diagnosis(it)).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(check(&sound, &limits), @"
        the load generator handed out 2 % of the requests more than 1.00 ms late

        hint: give it a processor of its own, or lower the rate
        ");
        let limits = validity::GeneratorLimits { lag: Duration::from_millis(4), ..limits };
        assert_eq!(check(&sound, &limits), "");
        let broken = DriveOutcome { dropped: 7, ..drive(100, 102_000, 200_000) };
        insta::assert_snapshot!(check(&broken, &limits), @"
        7 requests were never sent: they waited for a connection for too long

        hint: allow more connections, or lower the rate
        0.51 requests were in flight, but their rate times their time is 0.50
        ");
    }

    proptest! {
        #[test]
        fn measuring_apart_and_merging_is_measuring_together(
            times in proptest::collection::vec((0_u64..1_000, 0_u64..1_000, 0_u64..1 << 40), 0..50),
            cut in any::<prop::sample::Index>(),
        ) {
            let exchanges: Vec<_> =
                times.iter().map(|(due, wait, serve)| exchange(*due, due + wait, due + wait + serve)).collect();
            let cut = cut.index(exchanges.len() + 1);
            let measured = |exchanges: &[Exchange]| {
                let mut measurement = Measurement::default();
                for exchange in exchanges {
                    measurement.record(exchange);
                }
                measurement.end_slice(Duration::from_nanos(exchanges.len() as u64));
                measurement
            };
            let whole = measured(&exchanges);
            let mut parts = measured(&exchanges[..cut]);
            parts.merge(&measured(&exchanges[cut..]));
            prop_assert_eq!(parts.service(), whole.service());
            prop_assert_eq!(parts.response(), whole.response());
            prop_assert_eq!(parts.lag(), whole.lag());
            prop_assert_eq!(parts.held_ns(), whole.held_ns());
            prop_assert_eq!(parts.mean_ns(), whole.mean_ns());
            prop_assert_eq!(parts.wall(), whole.wall());
            prop_assert_eq!(parts.slices().len(), 2);
        }
    }
}
