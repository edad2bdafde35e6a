//! How far each percentile of the times moved: a change may be in all requests, or in the slowest only.
//!
//! Of each launch pair the two launches' percentiles make one difference; percentiles of different launches
//! are never merged. A percentile is there only if every launch has requests enough for it.

use record::LatencyBasis;
use stats::evidence;

use crate::values::{PairValues, ScenarioLaunches, SideLaunches};

/// The percentiles of the times of one scenario on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyShift {
    /// The scenario's name.
    pub scenario: String,
    /// Which time of a request it is of.
    pub times: LatencyBasis,
    /// One entry for each percentile that every launch has, rising.
    percentiles: Vec<PercentilePairs>,
}

/// One percentile in every launch pair.
#[derive(Debug, Clone, PartialEq)]
struct PercentilePairs {
    quantile: f64,
    base_ns: f64,
    head_ns: f64,
    differences_ln: Vec<f64>,
}

/// How far one percentile moved. Times are of all requests of a side together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShiftPoint {
    /// The quantile, in (0, 1): 0.95 is p95.
    pub quantile: f64,
    /// Of base, in nanoseconds.
    pub base_ns: f64,
    /// Of head, in nanoseconds.
    pub head_ns: f64,
    /// ln(head / base), estimated within launch pairs.
    pub estimate_ln: f64,
    /// Lower limit; minus infinity with too few launch pairs.
    pub low_ln: f64,
    /// Upper limit; infinity with too few launch pairs.
    pub high_ln: f64,
}

impl LatencyShift {
    /// Returns the percentiles of a scenario that was measured side by side; none without any.
    pub(super) fn of(
        scenario: &str,
        times: LatencyBasis,
        launches: &ScenarioLaunches<'_>,
    ) -> Option<Self> {
        let SideLaunches::Paired(pairs) = &launches.launches else { return None };
        let percentiles: Vec<_> = (0..crate::values::QUANTILES.len())
            .filter_map(|i| of_quantile(i, pairs, launches))
            .collect();
        let enough = percentiles.len() > 1;
        enough.then(|| Self { scenario: scenario.to_owned(), times, percentiles })
    }

    /// Returns how far each percentile moved, with limits that each are wrong with probability `alpha` at
    /// most at whatever launch pair they are looked at. Takes time of the square of the launch pairs.
    pub fn points(&self, alpha: f64) -> Vec<ShiftPoint> {
        let point = |it: &PercentilePairs| {
            let limits = evidence::limits(&[&it.differences_ln], alpha);
            ShiftPoint {
                quantile: it.quantile,
                base_ns: it.base_ns,
                head_ns: it.head_ns,
                estimate_ln: limits.value,
                low_ln: limits.low,
                high_ln: limits.high,
            }
        };
        self.percentiles.iter().map(point).collect()
    }
}

fn of_quantile(
    place: usize,
    pairs: &[PairValues<'_>],
    launches: &ScenarioLaunches<'_>,
) -> Option<PercentilePairs> {
    let quantile = crate::values::QUANTILES[place];
    let difference = |pair: &PairValues<'_>| {
        let [base, head] = [&pair.base, &pair.head].map(|side| side.percentiles_ns()[place]);
        let ln = (head? / base?).ln();
        ln.is_finite().then_some(ln)
    };
    let differences_ln: Option<Vec<f64>> = pairs.iter().map(difference).collect();
    Some(PercentilePairs {
        quantile,
        base_ns: launches.base_times.quantile(quantile)?,
        head_ns: launches.head_times.quantile(quantile)?,
        differences_ln: differences_ln.filter(|it| !it.is_empty())?,
    })
}

#[cfg(test)]
mod tests {
    use record::fixtures::{LEVEL, SampleLaunch, paired};
    use record::metric::Metric;

    use super::ShiftPoint;
    use crate::Comparison;

    #[test]
    fn a_percentile_moves_as_the_row_of_its_metric_says() {
        let slower = SampleLaunch { latency_us: 2_090, ..LEVEL };
        let comparison = Comparison::of(&paired(12, LEVEL, slower)).unwrap();
        let points = comparison.shifts[0].points(comparison.evidence.alpha);
        let percents = points.iter().map(|it| units::whole((it.quantile * 100.0).round()).unwrap());
        let percents: Vec<u64> = percents.collect();
        assert_eq!(percents, [50, 75, 90, 95, 99], "1 000 requests have no p99.9");
        for (metric, quantile) in [(Metric::P50, 0.5), (Metric::P95, 0.95), (Metric::P99, 0.99)] {
            let row = comparison.rows.iter().find(|row| row.metric == metric).unwrap();
            let is_it = |it: &&ShiftPoint| (it.quantile - quantile).abs() < 1e-9;
            let point = points.iter().find(is_it).unwrap();
            assert_eq!(Some(point.head_ns), row.head, "{}", row.label());
            let apart = point.estimate_ln - row.judgement().unwrap().estimate_ln;
            assert!(apart.abs() < 1e-12, "{apart}");
        }
    }
}
