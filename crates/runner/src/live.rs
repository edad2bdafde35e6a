//! What is happening now, for a display: counters that only rise, and the last state of the
//! targets.
//!
//! Numbers are written by the load once for each request, so there is no lock: each is right by itself,
//! and two of them may be a request apart.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use record::Side;

/// Parts of each doubling of time: a percentile is off by at most a sixteenth.
const PARTS: usize = 8;
const BUCKETS: usize = 64 * PARTS;

/// The numbers of a run that goes on; clones show the same run.
#[derive(Debug, Clone)]
pub struct LiveMetrics(Arc<LiveCounters>);

#[derive(Debug)]
struct LiveCounters {
    requests: AtomicU64,
    failed: AtomicU64,
    pairs: AtomicU64,
    launches: AtomicU64,
    times: [AtomicU64; BUCKETS],
    /// Base, then head.
    rss_bytes: [AtomicU64; 2],
    cpu_ns: [AtomicU64; 2],
    /// What is being done while nothing is sent.
    doing: Mutex<Option<String>>,
}

/// The numbers at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSnapshot {
    /// Requests that ended, rightly or not.
    pub requests: u64,
    /// Those that failed.
    pub failed: u64,
    /// XML pairs answered rightly.
    pub pairs: u64,
    /// Launches that have begun.
    pub launches: u64,
    /// Resident memory of base and head; 0 without a process of ours.
    pub rss_bytes: [u64; 2],
    /// CPU time of base and head since their start.
    pub cpu_ns: [u64; 2],
    times: Vec<u64>,
}

impl Default for LiveMetrics {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self(Arc::new(LiveCounters {
            requests: zero(),
            failed: zero(),
            pairs: zero(),
            launches: zero(),
            times: std::array::from_fn(|_| zero()),
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
        LiveSnapshot {
            requests: get(&numbers.requests),
            failed: get(&numbers.failed),
            pairs: get(&numbers.pairs),
            launches: get(&numbers.launches),
            rss_bytes: [get(&numbers.rss_bytes[0]), get(&numbers.rss_bytes[1])],
            cpu_ns: [get(&numbers.cpu_ns[0]), get(&numbers.cpu_ns[1])],
            times: numbers.times.iter().map(get).collect(),
        }
    }

    /// Returns what is being done instead of sending requests that are timed, if that is so.
    pub fn doing(&self) -> Option<String> {
        self.0.doing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn does(&self, what: Option<String>) {
        *self.0.doing.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    pub(super) fn answered(&self, time_ns: u64, pairs: u64) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        self.0.pairs.fetch_add(pairs, Ordering::Relaxed);
        self.0.times[bucket(time_ns)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        self.0.failed.fetch_add(1, Ordering::Relaxed);
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

impl LiveSnapshot {
    /// Returns what came after `earlier`. The state of the targets is that of now.
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
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_is_found_again_to_a_sixteenth(time_ns in 8_u64..1 << 60) {
            let live = LiveMetrics::default();
            live.answered(time_ns, 1);
            let found = live.snapshot().quantile_ns(0.5).unwrap();
            let ratio = found / units::exact(time_ns);
            prop_assert!((0.937..1.0626).contains(&ratio), "{}", ratio);
        }
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
        live.answered(1_000, 100);
        let earlier = live.snapshot();
        live.answered(1_000_000, 100);
        live.failed();
        live.sampled(Side::Head, 7, 8);
        let between = live.snapshot().since(&earlier);
        assert_eq!((between.requests, between.failed, between.pairs), (2, 1, 100));
        assert_eq!((between.rss_bytes, between.cpu_ns), ([0, 7], [0, 8]));
        assert!(between.quantile_ns(0.01).unwrap() > 900_000.0);
        assert_eq!(earlier.since(&earlier).quantile_ns(0.5), None);
    }
}
