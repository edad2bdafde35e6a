//! What is happening now, for a display and for monitoring: counters that only rise, and the last state
//! of the targets.
//!
//! Numbers are written by the load once for each request, so there is no lock: each is right by itself,
//! and two of them may be a request apart.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use load::{FailureKind, RequestMethod};
use record::Side;
use suite::Scenario;

/// Parts of each doubling of time: a percentile is off by at most a sixteenth.
const PARTS: usize = 8;
const BUCKETS: usize = 64 * PARTS;

/// Upper bounds of the classic buckets, in nanoseconds: 10 µs to 10 min, so that a fast parser and a batch of a
/// million documents are both resolved. Times are counted in them exactly.
pub const TIME_BOUNDS_NS: [u64; 24] = [
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
    120_000_000_000,
    300_000_000_000,
    600_000_000_000,
];

/// The classic buckets and the one beyond the last bound.
const CLASSIC: usize = TIME_BOUNDS_NS.len() + 1;

/// The numbers of a run that goes on; clones show the same run.
#[derive(Debug, Clone)]
pub struct LiveMetrics(Arc<LiveCounters>);

#[derive(Debug)]
struct LiveCounters {
    launches: AtomicU64,
    /// One for each scenario and side that was driven, in the order in which they began.
    streams: Mutex<Vec<Arc<LiveStream>>>,
    /// Base, then head.
    rss_bytes: [AtomicU64; 2],
    cpu_ns: [AtomicU64; 2],
    /// What is being done while nothing is sent.
    doing: Mutex<Option<String>>,
}

/// The requests of one scenario to one side, over all launches.
#[derive(Debug)]
pub(super) struct LiveStream {
    scenario: String,
    method: Option<RequestMethod>,
    side: Side,
    requests: AtomicU64,
    pairs: AtomicU64,
    time_ns: AtomicU64,
    times: [AtomicU64; BUCKETS],
    classic: [AtomicU64; CLASSIC],
    /// Failures are rare enough for a lock.
    failures: Mutex<BTreeMap<String, u64>>,
}

/// The requests of one scenario to one side at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSnapshot {
    /// The scenario.
    pub scenario: String,
    /// What its requests do; none where they differ.
    pub method: Option<RequestMethod>,
    /// The side.
    pub side: Side,
    /// Requests that ended, rightly or not.
    pub requests: u64,
    /// Those that failed, by the kind of the failure.
    pub failures: BTreeMap<String, u64>,
    /// Units of work answered rightly.
    pub pairs: u64,
    /// Response times of right answers together, in nanoseconds.
    pub time_ns: u64,
    /// Right answers by time: one number for each of [`TIME_BOUNDS_NS`], of those above the bound before and
    /// not above this one, and a last one of those beyond all.
    pub classic: Vec<u64>,
}

/// The numbers at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSnapshot {
    /// Requests that ended, rightly or not.
    pub requests: u64,
    /// Those that failed.
    pub failed: u64,
    /// Units of work answered rightly.
    pub pairs: u64,
    /// Launches that have begun.
    pub launches: u64,
    /// Resident memory of base and head; 0 without a process of ours.
    pub rss_bytes: [u64; 2],
    /// CPU time of base and head since their start.
    pub cpu_ns: [u64; 2],
    /// The same requests by scenario and side.
    pub streams: Vec<StreamSnapshot>,
    times: Vec<u64>,
}

impl Default for LiveMetrics {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self(Arc::new(LiveCounters {
            launches: zero(),
            streams: Mutex::default(),
            rss_bytes: [zero(), zero()],
            cpu_ns: [zero(), zero()],
            doing: Mutex::new(None),
        }))
    }
}

impl LiveMetrics {
    /// Returns the numbers as they are now.
    pub fn snapshot(&self) -> LiveSnapshot {
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let numbers = &*self.0;
        let live: Vec<Arc<LiveStream>> = lock(&numbers.streams).clone();
        let mut times = vec![0; BUCKETS];
        for stream in &live {
            for (total, count) in times.iter_mut().zip(&stream.times) {
                *total += get(count);
            }
        }
        let streams: Vec<StreamSnapshot> = live.iter().map(|it| it.snapshot()).collect();
        LiveSnapshot {
            requests: streams.iter().map(|it| it.requests).sum(),
            failed: streams.iter().map(StreamSnapshot::failed).sum(),
            pairs: streams.iter().map(|it| it.pairs).sum(),
            launches: get(&numbers.launches),
            rss_bytes: [get(&numbers.rss_bytes[0]), get(&numbers.rss_bytes[1])],
            cpu_ns: [get(&numbers.cpu_ns[0]), get(&numbers.cpu_ns[1])],
            streams,
            times,
        }
    }

    /// Returns the counters of a scenario and a side, which go on from launch to launch.
    pub(super) fn stream(&self, scenario: &Scenario, side: Side) -> Arc<LiveStream> {
        let mut streams = lock(&self.0.streams);
        let same = streams.iter().find(|it| it.scenario == scenario.name && it.side == side);
        if let Some(stream) = same {
            return Arc::clone(stream);
        }
        let stream = Arc::new(LiveStream::new(scenario, side));
        streams.push(Arc::clone(&stream));
        stream
    }

    /// Returns what is being done instead of sending requests that are timed, if that is so.
    pub fn doing(&self) -> Option<String> {
        lock(&self.0.doing).clone()
    }

    pub(super) fn does(&self, what: Option<String>) {
        *lock(&self.0.doing) = what;
    }

    pub(super) fn launched(&self) {
        self.0.launches.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn sampled(&self, side: Side, rss_bytes: u64, cpu_ns: u64) {
        let at = match side {
            Side::Base => 0,
            Side::Head => 1,
        };
        self.0.rss_bytes[at].store(rss_bytes, Ordering::Relaxed);
        self.0.cpu_ns[at].store(cpu_ns, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LiveStream {
    fn new(scenario: &Scenario, side: Side) -> Self {
        let zero = || AtomicU64::new(0);
        let method = scenario.first().method;
        let is_only = scenario.operations.iter().all(|operation| operation.method == method);
        Self {
            scenario: scenario.name.clone(),
            method: is_only.then_some(method),
            side,
            requests: zero(),
            pairs: zero(),
            time_ns: zero(),
            times: std::array::from_fn(|_| zero()),
            classic: std::array::from_fn(|_| zero()),
            failures: Mutex::default(),
        }
    }

    pub(super) fn answered(&self, time_ns: u64, pairs: u64) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.pairs.fetch_add(pairs, Ordering::Relaxed);
        self.time_ns.fetch_add(time_ns, Ordering::Relaxed);
        self.times[bucket(time_ns)].fetch_add(1, Ordering::Relaxed);
        let classic = TIME_BOUNDS_NS.partition_point(|bound| *bound < time_ns);
        self.classic[classic].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, kind: FailureKind) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        *lock(&self.failures).entry(kind.to_string()).or_default() += 1;
    }

    fn snapshot(&self) -> StreamSnapshot {
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        StreamSnapshot {
            scenario: self.scenario.clone(),
            method: self.method,
            side: self.side,
            requests: get(&self.requests),
            failures: lock(&self.failures).clone(),
            pairs: get(&self.pairs),
            time_ns: get(&self.time_ns),
            classic: self.classic.iter().map(get).collect(),
        }
    }
}

impl StreamSnapshot {
    /// Returns how many requests failed.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}

impl LiveSnapshot {
    /// Returns what came after `earlier`. The state of the targets and the streams are those of now.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let times = self.times.iter().zip(&earlier.times);
        Self {
            requests: self.requests - earlier.requests,
            failed: self.failed - earlier.failed,
            pairs: self.pairs - earlier.pairs,
            launches: self.launches - earlier.launches,
            times: times.map(|(now, before)| now.saturating_sub(*before)).collect(),
            ..self.clone()
        }
    }

    /// Returns the time in nanoseconds that the share `quantile` of the answers did not exceed, to a
    /// sixteenth; none without answers.
    pub fn quantile_ns(&self, quantile: f64) -> Option<f64> {
        let total: u64 = self.times.iter().sum();
        let rank = quantile * units::exact(total);
        let mut below = 0;
        for (place, count) in self.times.iter().enumerate() {
            below += count;
            if below > 0 && units::exact(below) >= rank {
                return Some(middle_ns(place));
            }
        }
        None
    }
}

fn bucket(time_ns: u64) -> usize {
    let time = time_ns.max(8);
    let power = usize::try_from(time.ilog2()).expect("at most 63");
    let part = usize::try_from(time >> (power - 3) & 7).expect("three bits");
    power * PARTS + part
}

fn middle_ns(bucket: usize) -> f64 {
    let (power, part) = (bucket / PARTS, bucket % PARTS);
    let power = i32::try_from(power).expect("at most 63");
    2.0_f64.powi(power) * (1.0 + (part as f64 + 0.5) / PARTS as f64)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use suite::config::{self, ConfigOverrides};

    use super::*;

    fn scenario() -> Scenario {
        let suite = config::embedded(Path::new("."), &ConfigOverrides::default()).unwrap();
        suite.scenarios[0].clone()
    }

    proptest! {
        #[test]
        fn a_time_is_found_again_to_a_sixteenth(time_ns in 8_u64..1 << 60) {
            let live = LiveMetrics::default();
            live.stream(&scenario(), Side::Head).answered(time_ns, 1);
            let found = live.snapshot().quantile_ns(0.5).unwrap();
            let ratio = found / units::exact(time_ns);
            prop_assert!((0.937..1.0626).contains(&ratio), "{}", ratio);
        }
    }

    #[test]
    fn times_are_counted_in_the_classic_bucket_whose_bound_they_do_not_exceed() {
        let live = LiveMetrics::default();
        for side in [Side::Base, Side::Head] {
            let stream = live.stream(&scenario(), side);
            for time_ns in [1, 10_000, 10_001, 600_000_000_000, 600_000_000_001] {
                stream.answered(time_ns, 2);
            }
        }
        live.stream(&scenario(), Side::Base).failed(FailureKind::Timeout);
        let streams = live.snapshot().streams;
        assert_eq!(streams.len(), 2, "a second launch goes on with the counters of the first");
        let StreamSnapshot { classic, requests, pairs, time_ns, .. } = &streams[0];
        assert_eq!((classic[0], classic[1], classic[23], classic[24]), (2, 1, 1, 1));
        assert_eq!((*requests, *pairs, classic.iter().sum::<u64>()), (6, 10, 5));
        assert_eq!(*time_ns, 1_200_000_020_003);
        assert_eq!((streams[0].failures["timeout"], streams[1].failed()), (1, 0));
    }

    #[test]
    fn what_is_done_instead_of_sending_is_reported_until_it_ends() {
        let live = LiveMetrics::default();
        assert_eq!(live.doing(), None);
        live.clone().does(Some("counting".to_owned()));
        assert_eq!(live.doing().as_deref(), Some("counting"));
        live.does(None);
        assert_eq!(live.doing(), None);
    }

    #[test]
    fn a_later_snapshot_less_an_earlier_one_is_what_came_between() {
        let live = LiveMetrics::default();
        let stream = live.stream(&scenario(), Side::Head);
        stream.answered(1_000, 100);
        let earlier = live.snapshot();
        stream.answered(1_000_000, 100);
        stream.failed(FailureKind::Reset);
        live.sampled(Side::Head, 7, 8);
        let between = live.snapshot().since(&earlier);
        assert_eq!((between.requests, between.failed, between.pairs), (2, 1, 100));
        assert_eq!((between.rss_bytes, between.cpu_ns), ([0, 7], [0, 8]));
        assert!(between.quantile_ns(0.01).unwrap() > 900_000.0);
        assert_eq!(earlier.since(&earlier).quantile_ns(0.5), None);
    }
}
