//! Takes one number per launch and metric out of a record.

use hdrhistogram::Histogram;

use crate::metric::{Better, Metric};
use crate::record::{LaunchPair, Slice, Trial, histogram};
use crate::units;

/// One launch with its histogram unpacked, as several metrics read it.
pub(super) struct Launch<'a> {
    trial: &'a Trial,
    histogram: Histogram<u64>,
}

/// A launch pair, unpacked.
pub(super) struct Pair<'a> {
    pub(super) base: Launch<'a>,
    pub(super) head: Launch<'a>,
}

/// Why a metric has no number.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Missing {
    /// The launch was not ours to look into.
    NotOurs,
    /// Fewer requests than the percentile needs in every launch.
    TooFew { requests: u64, needed: u64 },
    /// No lane of this run measures it.
    NotMeasured,
    /// The value is zero, so there is no ratio.
    Zero,
}

impl Missing {
    /// Says it to a person.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::NotOurs => "the target was attached, its process is not ours".to_owned(),
            Self::TooFew { requests, needed } => {
                format!("{requests} requests in a launch, it needs {needed}")
            }
            Self::NotMeasured => "not measured in this run".to_owned(),
            Self::Zero => "a launch measured zero, so there is no ratio".to_owned(),
        }
    }
}

impl<'a> Launch<'a> {
    pub(super) fn new(trial: &'a Trial) -> Result<Self, String> {
        Ok(Self { trial, histogram: histogram::decode(&trial.histogram)? })
    }

    /// The launch's number, in the metric's unit. Percentiles only with enough requests.
    pub(super) fn value(&self, metric: Metric) -> Result<f64, Missing> {
        let trial = self.trial;
        match metric {
            Metric::Cpu => {
                let cpu_ns = trial.cpu_ns.ok_or(Missing::NotOurs)?;
                Ok(units::exact(cpu_ns) / units::exact(trial.pairs))
            }
            Metric::Latency => Ok(mean_ns(&trial.slices)),
            Metric::P50 => self.percentile(0.50),
            Metric::P95 => self.percentile(0.95),
            Metric::P99 => self.percentile(0.99),
            Metric::Throughput => Ok(units::exact(trial.pairs) * 1e9 / units::exact(trial.wall_ns)),
            Metric::Rss => trial.rss_bytes_max.map(units::exact).ok_or(Missing::NotOurs),
            Metric::Work | Metric::Leak | Metric::Allocations => Err(Missing::NotMeasured),
        }
    }

    fn percentile(&self, quantile: f64) -> Result<f64, Missing> {
        let (requests, needed) = (self.histogram.len(), requests_needed(quantile));
        if requests < needed {
            return Err(Missing::TooFew { requests, needed });
        }
        Ok(units::exact(self.histogram.value_at_quantile(quantile)))
    }
}

impl<'a> Pair<'a> {
    pub(super) fn new(pair: &'a LaunchPair) -> Result<Self, String> {
        Ok(Self { base: Launch::new(&pair.base)?, head: Launch::new(&pair.head)? })
    }

    /// The launch pair's number: the logarithm of head over base, above 0 where head is worse.
    ///
    /// The latency level is the median over adjacent slices, so that a neighbour who steals a few of
    /// them moves nothing. Everything else is the ratio of the two launches.
    pub(super) fn difference(&self, metric: Metric) -> Result<f64, Missing> {
        let ln = if metric == Metric::Latency {
            self.latency_level()
        } else {
            (self.head.value(metric)? / self.base.value(metric)?).ln()
        };
        let worse = match metric.better() {
            Better::Lower => ln,
            Better::Higher => -ln,
        };
        if worse.is_finite() { Ok(worse) } else { Err(Missing::Zero) }
    }

    fn latency_level(&self) -> f64 {
        let slices = self.base.trial.slices.iter().zip(&self.head.trial.slices);
        let ratios: Vec<f64> =
            slices.map(|(&base, &head)| (mean_ns(&[head]) / mean_ns(&[base])).ln()).collect();
        if ratios.is_empty() { f64::NAN } else { median(&ratios) }
    }
}

/// The requests that a launch needs, so that ten of them lie beyond the quantile.
fn requests_needed(quantile: f64) -> u64 {
    units::whole((10.0 / (1.0 - quantile)).ceil())
        .expect("a quantile below 1 needs a finite number")
}

/// Mean service time over slices, in nanoseconds; not a number without requests.
fn mean_ns(slices: &[Slice]) -> f64 {
    let requests: u64 = slices.iter().map(|slice| slice.requests).sum();
    let service_ns: u64 = slices.iter().map(|slice| slice.service_ns).sum();
    units::exact(service_ns) / units::exact(requests)
}

/// The value of a metric over all launches: percentiles of the merged histogram, else the median.
pub(super) fn overall(launches: &[&Launch<'_>], metric: Metric) -> Option<f64> {
    let quantile = match metric {
        Metric::P50 => 0.50,
        Metric::P95 => 0.95,
        Metric::P99 => 0.99,
        Metric::Work
        | Metric::Cpu
        | Metric::Latency
        | Metric::Throughput
        | Metric::Rss
        | Metric::Leak
        | Metric::Allocations => {
            let values = launches.iter().map(|launch| launch.value(metric));
            let values: Vec<f64> = values.collect::<Result<_, _>>().ok()?;
            return (!values.is_empty()).then(|| median(&values));
        }
    };
    let merged = merged(launches)?;
    Some(units::exact(merged.value_at_quantile(quantile)))
}

/// The histogram of all launches together. Histograms are merged, percentiles never.
fn merged(launches: &[&Launch<'_>]) -> Option<Histogram<u64>> {
    let (first, rest) = launches.split_first()?;
    let mut merged = first.histogram.clone();
    for launch in rest {
        merged.add(&launch.histogram).ok()?;
    }
    (!merged.is_empty()).then_some(merged)
}

/// The middle value, or the mean of the two middle ones. Asserts that there is one.
fn median(values: &[f64]) -> f64 {
    assert!(!values.is_empty(), "nothing has no median");
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    f64::midpoint(low, high)
}
