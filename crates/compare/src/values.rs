//! Takes one number per launch and metric out of a record.

use std::cell::OnceCell;

use crate::decision::RowDifferences;
use crate::{calls, work};
use record::histogram::{RecordedTimes, TimesSum};
use record::metric::{BetterDirection, Metric};
use record::{
    ContentError, LatencyBasis, LaunchPair, LaunchResult, LaunchResults, ScenarioRun, SliceTotals,
    histogram,
};
use stats::quantile;
use stats::trend;

/// The quantiles that metrics are made of, and those between and beyond them that show where a shift is.
pub(super) const QUANTILES: [f64; 6] = [0.50, 0.75, 0.90, 0.95, 0.99, 0.999];

/// One launch with what several metrics take from its histogram.
pub(super) struct LaunchValues<'a> {
    trial: &'a LaunchResult,
    times: LatencyBasis,
    /// Times that are in the histogram of those that are shown.
    requests: u64,
    /// Their mean; none without any.
    histogram_mean_ns: Option<f64>,
    /// Their percentiles, of [`QUANTILES`], as far as there are enough of them.
    percentiles_ns: [Option<f64>; QUANTILES.len()],
    /// How its memory grew, and the mean of its slowest requests: of each several rows and limits may be, and
    /// most runs have neither.
    growth: OnceCell<Option<MemoryGrowth>>,
    tail_ns: OnceCell<Result<f64, MissingReason>>,
}

/// The histograms of several launches together. Histograms are merged, percentiles never.
#[derive(Default)]
pub(super) struct MergedTimes {
    sum: Option<TimesSum>,
}

impl MergedTimes {
    pub(super) fn add(&mut self, launch: &RecordedTimes) {
        match &mut self.sum {
            Some(sum) => sum.add(launch),
            None => self.sum = Some(TimesSum::of(launch)),
        }
    }

    /// Returns all of their times; none without a histogram, or where one did not fit.
    pub(super) fn whole(&self) -> Option<RecordedTimes> {
        self.sum.as_ref()?.whole()
    }

    /// Returns a quantile of all of them, in nanoseconds, if there are enough times for it.
    pub(super) fn quantile(&self, quantile: f64) -> Option<f64> {
        self.whole()?.percentile_ns(quantile).map(units::exact)
    }
}

/// How resident memory went on once it had settled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct MemoryGrowth {
    /// In bytes per second.
    pub(super) slope: f64,
    /// Logarithm of the end over the beginning of the second half of the load.
    pub(super) ln: f64,
    /// How much there was more at the end of that half than at its beginning.
    pub(super) bytes: f64,
}

/// A launch pair, unpacked.
pub(super) struct PairValues<'a> {
    pub(super) base: LaunchValues<'a>,
    pub(super) head: LaunchValues<'a>,
}

/// All launches of a scenario, unpacked.
pub(super) struct ScenarioLaunches<'a> {
    pub(super) launches: SideLaunches<'a>,
    pub(super) base_times: MergedTimes,
    pub(super) head_times: MergedTimes,
}

/// The launches of both sides, or of one.
pub(super) enum SideLaunches<'a> {
    Paired(Vec<PairValues<'a>>),
    Single(Vec<LaunchValues<'a>>),
}

impl<'a> ScenarioLaunches<'a> {
    pub(super) fn of(scenario: &'a ScenarioRun) -> Result<Self, ContentError> {
        let (mut base_times, mut head_times) = (MergedTimes::default(), MergedTimes::default());
        let unpack = |trial, merged: &mut MergedTimes| {
            let (launch, histogram) = LaunchValues::unpack(trial, scenario.times)?;
            merged.add(&histogram);
            Ok(launch)
        };
        let launches = match &scenario.trials {
            LaunchResults::Paired(pairs) => {
                let pair = |pair: &'a LaunchPair| {
                    let base = unpack(&pair.base, &mut base_times)?;
                    Ok(PairValues { base, head: unpack(&pair.head, &mut head_times)? })
                };
                SideLaunches::Paired(pairs.iter().map(pair).collect::<Result<_, ContentError>>()?)
            }
            LaunchResults::Single(trials) => {
                let launch = |trial| unpack(trial, &mut head_times);
                SideLaunches::Single(
                    trials.iter().map(launch).collect::<Result<_, ContentError>>()?,
                )
            }
        };
        Ok(Self { launches, base_times, head_times })
    }

    pub(super) fn base(&self) -> Vec<&LaunchValues<'a>> {
        match &self.launches {
            SideLaunches::Paired(pairs) => pairs.iter().map(|pair| &pair.base).collect(),
            SideLaunches::Single(_) => Vec::new(),
        }
    }

    pub(super) fn head(&self) -> Vec<&LaunchValues<'a>> {
        match &self.launches {
            SideLaunches::Paired(pairs) => pairs.iter().map(|pair| &pair.head).collect(),
            SideLaunches::Single(launches) => launches.iter().collect(),
        }
    }
}

/// Why a metric has no number.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum MissingReason {
    /// The launch was not ours to look into.
    NotOurs,
    /// Fewer requests than the percentile needs in every launch.
    TooFew { requests: u64, needed: u64 },
    /// No flow was whole in a launch.
    NoFlow,
    /// In each launch pair, one side sent no request of the operation.
    NotSent,
    /// Memory was seen too few times to have a slope.
    TooShort,
    /// No lane of this run measures it.
    NotMeasured,
    /// The record is of a version that did not keep it.
    NotRecorded,
    /// Calls could be counted on one side only.
    HiddenCalls,
    /// The value is zero, so there is no ratio.
    Zero,
}

impl MissingReason {
    /// Says it to a person.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::NotOurs => "the target was attached, its process is not ours".to_owned(),
            Self::TooFew { requests, needed } => {
                format!("{requests} requests in a launch, it needs {needed}")
            }
            Self::NoFlow => "a launch was over before its first flow was".to_owned(),
            Self::NotSent => {
                "in each launch pair a launch was over before its first request".to_owned()
            }
            Self::TooShort => "too short a load, or not our process, to see memory grow".to_owned(),
            Self::NotMeasured => "not measured in this run".to_owned(),
            Self::NotRecorded => "not kept by the version that measured".to_owned(),
            Self::HiddenCalls => {
                "the calls of one side could be counted, those of the other could not: they are \
                                  encrypted, or of a protocol that is not known"
                    .to_owned()
            }
            Self::Zero => "a launch measured zero, so there is no ratio".to_owned(),
        }
    }
}

impl<'a> LaunchValues<'a> {
    pub(super) fn new(trial: &'a LaunchResult, times: LatencyBasis) -> Result<Self, ContentError> {
        Self::unpack(trial, times).map(|(launch, _)| launch)
    }

    /// Returns the launch, and the histogram of the times that are shown.
    pub(super) fn unpack(
        trial: &'a LaunchResult,
        times: LatencyBasis,
    ) -> Result<(Self, RecordedTimes), ContentError> {
        let text = match (times, &trial.response) {
            (LatencyBasis::Response, Some(response)) => response,
            (LatencyBasis::Response, None) => {
                return Err(ContentError::NoResponseTimes);
            }
            (LatencyBasis::Service, _) => &trial.histogram,
        };
        let histogram = histogram::decode(text)?;
        let launch = Self {
            trial,
            times,
            requests: histogram.len(),
            histogram_mean_ns: histogram.mean_ns(),
            percentiles_ns: QUANTILES
                .map(|quantile| histogram.percentile_ns(quantile).map(units::exact)),
            growth: OnceCell::new(),
            tail_ns: OnceCell::new(),
        };
        Ok((launch, histogram))
    }

    /// Returns the percentiles of the times, of [`QUANTILES`], as far as there are enough of them.
    pub(super) fn percentiles_ns(&self) -> &[Option<f64>; QUANTILES.len()] {
        &self.percentiles_ns
    }

    /// The mean of all requests: by slices, which an operation of a mix has none of, else by the histogram. None
    /// without requests.
    fn mean_ns(&self) -> Option<f64> {
        match self.times {
            LatencyBasis::Service if !self.trial.slices.is_empty() => mean_ns(&self.trial.slices),
            LatencyBasis::Service | LatencyBasis::Response => self.histogram_mean_ns,
        }
    }

    /// How memory grew over the second half of the load: before that, a target fills its pools. The
    /// line is one number of the launch, however many points it has.
    pub(super) fn growth(&self) -> Option<MemoryGrowth> {
        *self.growth.get_or_init(|| self.memory_line())
    }

    fn memory_line(&self) -> Option<MemoryGrowth> {
        const POINTS_MIN: usize = 5;
        let series = &self.trial.probes.as_ref()?.series;
        let settled = &series[series.len() / 2..];
        if settled.len() < POINTS_MIN {
            return None;
        }
        let x: Vec<f64> = settled.iter().map(|point| units::exact(point.at_ns) / 1e9).collect();
        let y: Vec<f64> = settled.iter().map(|point| units::exact(point.rss_bytes)).collect();
        let line = trend::theil_sen(&x, &y, 0.05);
        let at = |x: f64| (line.intercept + line.slope * x).max(1.0);
        let (first, last) = (at(x[0]), at(x[x.len() - 1]));
        Some(MemoryGrowth { slope: line.slope, ln: (last / first).ln(), bytes: last - first })
    }

    /// The launch's number, in the metric's unit. Percentiles only with enough requests.
    pub(super) fn value(&self, metric: Metric) -> Result<f64, MissingReason> {
        let trial = self.trial;
        match metric {
            Metric::Cpu => {
                let cpu_ns = trial.cpu_ns.ok_or(MissingReason::NotOurs)?;
                if trial.pairs == 0 && trial.requests > 0 && trial.failed() < trial.requests {
                    return Err(MissingReason::NoFlow);
                }
                Ok(units::exact(cpu_ns) / units::exact(trial.pairs))
            }
            Metric::Latency => self.body_level_ns(),
            Metric::Flow => trial.flow_level_ns.map(units::exact).ok_or(MissingReason::NoFlow),
            Metric::Tail => self.tail_ns.get_or_init(|| self.slowest_ns()).clone(),
            Metric::P50 => self.percentile(0.50),
            Metric::P95 => self.percentile(0.95),
            Metric::P99 => self.percentile(0.99),
            Metric::Throughput => Ok(units::exact(trial.pairs) * 1e9 / units::exact(trial.wall_ns)),
            Metric::Rss => trial.rss_bytes_max.map(units::exact).ok_or(MissingReason::NotOurs),
            Metric::Memory => match (trial.memory_bytes_max, trial.rss_bytes_max) {
                (Some(bytes), _) => Ok(units::exact(bytes)),
                (None, Some(_)) => Err(MissingReason::NotRecorded),
                (None, None) => Err(MissingReason::NotOurs),
            },
            Metric::Ready => Ok(units::exact(trial.ready_ns)),
            Metric::FirstAnswers => {
                trial.first_answer_ns.map(units::exact).ok_or(MissingReason::NotRecorded)
            }
            Metric::AnswerBytes => {
                let answered = trial.requests - trial.failed();
                Ok(units::exact(trial.bytes_received) / units::exact(answered))
            }
            Metric::Leak => self.growth().map(|growth| growth.slope).ok_or(MissingReason::TooShort),
            Metric::Work | Metric::Allocations => Err(MissingReason::NotMeasured),
            Metric::Queries | Metric::RoundTrips => {
                calls::level(&[trial], metric).ok_or(MissingReason::NotRecorded)
            }
        }
    }

    /// The geometric mean of the levels of the request bodies, so that the ratio of two launches is the
    /// mean ratio of a body.
    fn body_level_ns(&self) -> Result<f64, MissingReason> {
        if self.trial.requests == 0 {
            return Err(MissingReason::NotSent);
        }
        if self.trial.body_levels_ns.is_empty() {
            return Err(MissingReason::NotRecorded);
        }
        let levels = self.trial.body_levels_ns.iter().flatten();
        let logs: Vec<f64> = levels.map(|&level| units::exact(level).ln()).collect();
        Ok((logs.iter().sum::<f64>() / logs.len() as f64).exp())
    }

    fn slowest_ns(&self) -> Result<f64, MissingReason> {
        const SHARE: f64 = 0.1;
        let text = self.trial.response.as_ref().ok_or(MissingReason::NotRecorded)?;
        let times = histogram::decode(text).map_err(|_| MissingReason::NotRecorded)?;
        times.slowest_mean_ns(SHARE).ok_or(MissingReason::Zero)
    }

    fn percentile(&self, quantile: f64) -> Result<f64, MissingReason> {
        let (requests, needed) = (self.requests, histogram::requests_needed(quantile));
        let mut known = QUANTILES.iter().zip(self.percentiles_ns);
        let value =
            known.find(|(of, _)| of.total_cmp(&quantile).is_eq()).and_then(|(_, value)| value);
        value.ok_or(MissingReason::TooFew { requests, needed })
    }
}

impl<'a> PairValues<'a> {
    pub(super) fn new(pair: &'a LaunchPair, times: LatencyBasis) -> Result<Self, ContentError> {
        Ok(Self {
            base: LaunchValues::new(&pair.base, times)?,
            head: LaunchValues::new(&pair.head, times)?,
        })
    }

    /// The launch pair's number: the logarithm of head over base, above 0 where head is worse.
    ///
    /// Latency is compared body by body, of those that both sides answered. Memory is compared by how
    /// much more of it grew: its slope can be zero, and has no ratio then. Everything else is the ratio
    /// of the two launches.
    pub(super) fn difference(&self, metric: Metric) -> Result<f64, MissingReason> {
        let ln = if metric == Metric::Latency {
            self.latency_level()?
        } else if metric == Metric::Leak {
            let growth = |launch: &LaunchValues<'_>| launch.growth().ok_or(MissingReason::TooShort);
            growth(&self.head)?.ln - growth(&self.base)?.ln
        } else {
            (self.head.value(metric)? / self.base.value(metric)?).ln()
        };
        let worse = match metric.better() {
            BetterDirection::Lower => ln,
            BetterDirection::Higher => -ln,
        };
        if worse.is_finite() { Ok(worse) } else { Err(MissingReason::Zero) }
    }

    fn latency_level(&self) -> Result<f64, MissingReason> {
        let sides = [&self.base, &self.head];
        if sides.iter().any(|side| side.trial.requests == 0) {
            return Err(MissingReason::NotSent);
        }
        let [base, head] = sides.map(|side| &side.trial.body_levels_ns);
        if base.is_empty() || head.is_empty() {
            return Err(MissingReason::NotRecorded);
        }
        let both = base.iter().zip(head).filter_map(|(base, head)| base.zip(*head));
        let ratios: Vec<f64> =
            both.map(|(base, head)| (units::exact(head) / units::exact(base)).ln()).collect();
        Ok(ratios.iter().sum::<f64>() / ratios.len() as f64)
    }
}

/// The differences of a metric: none of a launch pair in which a side sent no request of what is measured,
/// which says nothing about a change. Without a number in any of them, or for any other reason in one, the
/// metric is missing.
pub(super) fn differences(
    pairs: &[PairValues<'_>],
    metric: Metric,
) -> Result<RowDifferences, MissingReason> {
    let of = |pair: &PairValues<'_>| match pair.difference(metric) {
        Ok(difference) => Ok(Some(difference)),
        Err(MissingReason::NotSent) => Ok(None),
        Err(missing) => Err(missing),
    };
    let found: RowDifferences = pairs.iter().map(of).collect::<Result<_, _>>()?;
    if found.iter().all(Option::is_none) { Err(MissingReason::NotSent) } else { Ok(found) }
}

/// Mean service time over slices, in nanoseconds; none without requests.
fn mean_ns(slices: &[SliceTotals]) -> Option<f64> {
    let requests = units::total(slices.iter().map(|slice| slice.requests));
    let service_ns = units::total(slices.iter().map(|slice| slice.service_ns));
    (requests > 0).then(|| units::exact(service_ns) / units::exact(requests))
}

/// The values of the launches that sent a request of what is measured: the others say nothing about it. None if one
/// is missing for any other reason.
fn sent_values<'a>(
    launches: impl IntoIterator<Item = &'a LaunchValues<'a>>,
    metric: Metric,
) -> Option<Vec<f64>> {
    let values = launches.into_iter().map(|launch| launch.value(metric));
    let sent = values.filter(|value| *value != Err(MissingReason::NotSent));
    sent.collect::<Result<_, _>>().ok()
}

/// The value of a metric over all launches: percentiles of the merged histogram, if it holds enough
/// requests, else the median.
pub(super) fn overall(
    launches: &[&LaunchValues<'_>],
    times: &MergedTimes,
    metric: Metric,
) -> Option<f64> {
    let Some(quantile) = metric.quantile() else {
        let values = sent_values(launches.iter().copied(), metric)?;
        return (!values.is_empty()).then(|| quantile::median(&values));
    };
    times.quantile(quantile)
}

/// The value that is held to a limit on a metric. Where requests are too few for the percentile,
/// the slowest of them stands for it. A limit on latency is about the mean of all requests.
pub(super) fn held_to_limit(
    launches: &[&LaunchValues<'_>],
    times: &MergedTimes,
    metric: Metric,
) -> Option<f64> {
    if metric == Metric::Latency {
        let means: Vec<f64> = launches.iter().filter_map(|launch| launch.mean_ns()).collect();
        return (!means.is_empty()).then(|| quantile::median(&means));
    }
    overall(launches, times, metric).or_else(|| {
        metric.quantile()?;
        times.whole()?.max_ns().map(units::exact)
    })
}

/// Returns what a run says about a metric of a scenario, in the metric's unit: the mean of the better
/// half of its launches' values, since what disturbs a launch only ever makes it worse. Counts are not
/// disturbed: theirs is the mean.
pub fn level(scenario: &ScenarioRun, metric: Metric) -> Option<f64> {
    if metric.is_of_calls() {
        return calls::level(&scenario.head(), metric);
    }
    if metric.is_counted() {
        return work::level(scenario, metric);
    }
    let launches = scenario.head();
    let launches = launches.iter().map(|trial| LaunchValues::new(trial, scenario.times));
    let launches: Vec<LaunchValues<'_>> = launches.collect::<Result<_, _>>().ok()?;
    better_half(sent_values(&launches, metric)?, metric.better())
}

/// The mean of the better half of values; none without any.
pub(super) fn better_half(mut values: Vec<f64>, better: BetterDirection) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    if better == BetterDirection::Higher {
        values.reverse();
    }
    values.truncate(values.len().div_ceil(2));
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::fixtures;

    #[test]
    fn a_limit_on_latency_holds_for_an_operation_which_has_no_slices() {
        let mut times =
            hdrhistogram::Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
        times.record_n(1_000, 10).unwrap();
        let of_operation = |times: &hdrhistogram::Histogram<u64>| LaunchResult {
            histogram: histogram::encode(times),
            slices: Vec::new(),
            ..fixtures::trial(fixtures::LEVEL, 0)
        };
        let sent = of_operation(&times);
        times.clear();
        let unsent = of_operation(&times);
        let launch = |trial| LaunchValues::new(trial, LatencyBasis::Service).unwrap();
        let (sent, unsent) = (launch(&sent), launch(&unsent));
        let held = |launches: &[&LaunchValues<'_>]| {
            held_to_limit(launches, &MergedTimes::default(), Metric::Latency)
        };
        assert_eq!(held(&[&sent, &unsent]), Some(1_000.0));
        assert_eq!(held(&[&unsent]), None);
    }

    #[test]
    fn a_launch_without_a_request_leaves_the_level_to_the_others() {
        let mut scenario =
            fixtures::paired(3, fixtures::LEVEL, fixtures::LEVEL).scenarios.remove(0);
        let LaunchResults::Paired(pairs) = &mut scenario.trials else { panic!("paired") };
        pairs[1].head = LaunchResult { requests: 0, ..pairs[1].head.clone() };
        let with_gap = level(&scenario, Metric::Latency);
        let LaunchResults::Paired(pairs) = &mut scenario.trials else { panic!("paired") };
        pairs.remove(1);
        assert_eq!(with_gap, level(&scenario, Metric::Latency));
        assert!(with_gap.is_some());
    }

    #[test]
    fn few_requests_have_no_percentile_and_the_slowest_of_them_is_held_to_a_promise() {
        let mut times =
            hdrhistogram::Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
        times.record_n(1_000, 66).unwrap();
        times.record(2_000).unwrap();
        let histogram = histogram::encode(&times);
        let trial = LaunchResult { histogram, ..fixtures::trial(fixtures::LEVEL, 0) };
        let (launch, times) = LaunchValues::unpack(&trial, LatencyBasis::Service).unwrap();
        let mut merged = MergedTimes::default();
        merged.add(&times);
        merged.add(&times);
        assert_eq!(overall(&[&launch; 2], &merged, Metric::P95), None);
        assert_eq!(held_to_limit(&[&launch; 2], &merged, Metric::P95), Some(2_000.0));
        // 201 requests in three launches are enough, in none of them alone.
        merged.add(&times);
        assert_eq!(overall(&[&launch; 3], &merged, Metric::P95), Some(1_000.0));
        assert_eq!(
            launch.value(Metric::P95),
            Err(MissingReason::TooFew { requests: 67, needed: 200 })
        );
        assert_eq!(overall(&[&launch; 3], &merged, Metric::P99), None);
    }
}
