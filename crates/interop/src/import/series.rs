//! What was read.

use serde::{Serialize, Serializer};
use stats::quantile;

use crate::import::contract::MeasureContract;
use crate::import::format::ImportFormat;

/// A result of another tool.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImportedRun {
    /// Which tool's, and which of its forms.
    pub format: ImportFormat,
    /// What its numbers are numbers of.
    pub contract: MeasureContract,
    /// What it measured, at least one.
    pub series: Vec<ImportedSeries>,
    /// What the tool itself was to hold its numbers to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<ImportedThreshold>,
    /// What a reader would look for and the file does not have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingFact>,
}

/// What was measured of one command, endpoint or benchmark.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ImportedSeries {
    /// Its name in the file; `all` where the file has but one without a name.
    pub name: String,
    /// Requests, or processes, that ended one way or the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// Those that failed or were answered by a status from 400 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<u64>,
    /// Requests per second, failures among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// How long it went on, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_s: Option<f64>,
    /// How long requests took.
    pub times: TimeSummary,
    /// The time of each unit, in the file's order, nanoseconds; empty where it has a summary only.
    #[serde(skip)]
    pub values_ns: Vec<f64>,
}

/// How long requests took, nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TimeSummary {
    /// Arithmetic mean.
    #[serde(rename = "mean_ns", skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Standard deviation.
    #[serde(rename = "deviation_ns", skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
    /// The fastest.
    #[serde(rename = "min_ns", skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The slowest.
    #[serde(rename = "max_ns", skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Percentiles by ascending rank, 0 to 100.
    #[serde(
        rename = "percentiles_ns",
        serialize_with = "by_rank",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub percentiles: Vec<(f64, f64)>,
}

/// Something that the tool held its numbers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportedThreshold {
    /// The tool's name of what was held.
    pub metric: String,
    /// The condition, as the tool writes it.
    pub condition: String,
    /// Whether it was kept.
    pub is_kept: bool,
}

/// What a reader would look for and a file does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingFact {
    /// The percentiles have no ranks: they are set where the tool was configured.
    PercentileRanks,
    /// When it began and how long it went on.
    WallTime,
    /// Whether the tool's own thresholds were kept.
    ThresholdResults,
    /// Failures, or their number.
    Failures,
    /// Some of the failures are answers of another length than the first, which a dynamic answer may have.
    LengthFailures,
    /// Times are those of buckets.
    BucketTimes,
    /// Some requests were not sent, as they would have been too late.
    DroppedRequests,
    /// Of the different requests, some were sent by no instance.
    UnsentRequests,
}

impl MissingFact {
    /// Returns what is missing, as a sentence without its full stop.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::PercentileRanks => {
                "the file does not say which percentiles its four are: they are set in gatling.conf"
            }
            Self::WallTime => "the file does not say how long the run went on",
            Self::ThresholdResults => "this form of the file has no results of thresholds",
            Self::Failures => "the file does not count failures",
            Self::LengthFailures => {
                "`Length` failures are answers of another length than the first: of a dynamic answer they \
                 are none, and `ab -l` accepts them"
            }
            Self::BucketTimes => "percentiles are the upper ends of buckets that are 9 % wide",
            Self::DroppedRequests => {
                "some requests were not sent, as every virtual user was taken: the load was not the scenario's"
            }
            Self::UnsentRequests => "some of the different requests were sent by no instance",
        }
    }
}

/// Times of requests by label, in order of their first request, and failures where all of them say so.
#[derive(Debug, Default)]
pub(super) struct LabelledTimes {
    labels: Vec<(String, Vec<f64>, Option<u64>)>,
}

impl LabelledTimes {
    pub(super) fn add(&mut self, label: &str, elapsed_ns: f64, has_failed: Option<bool>) {
        let index = self.labels.iter().position(|(name, ..)| name == label).unwrap_or_else(|| {
            self.labels.push((label.to_owned(), Vec::new(), Some(0)));
            self.labels.len() - 1
        });
        let (_, times, failures) = &mut self.labels[index];
        times.push(elapsed_ns);
        *failures = failures.zip(has_failed).map(|(before, failed)| before + u64::from(failed));
    }

    /// What is missing: failures, if those of a label are not known.
    pub(super) fn missing(&self) -> Vec<MissingFact> {
        let is_unknown = self.labels.iter().any(|(_, _, failures)| failures.is_none());
        if is_unknown { vec![MissingFact::Failures] } else { Vec::new() }
    }

    /// A series a label.
    pub(super) fn series(self) -> Vec<ImportedSeries> {
        let of = |(label, times, failures): (String, _, _)| {
            ImportedSeries::of_values(label, times, failures)
        };
        self.labels.into_iter().map(of).collect()
    }
}

/// The ranks that are made of single values.
const RANKS: [f64; 5] = [50.0, 90.0, 95.0, 99.0, 99.9];

impl ImportedRun {
    /// Returns a result without thresholds, in which nothing is missing.
    pub(super) fn new(
        format: ImportFormat,
        contract: MeasureContract,
        series: Vec<ImportedSeries>,
    ) -> Self {
        Self { format, contract, series, thresholds: Vec::new(), missing: Vec::new() }
    }
}

impl ImportedSeries {
    /// Returns the series of single values, each of which is a unit that took place.
    pub(super) fn of_values(
        name: impl Into<String>,
        values_ns: Vec<f64>,
        failures: Option<u64>,
    ) -> Self {
        Self {
            name: name.into(),
            requests: Some(values_ns.len() as u64),
            failures,
            times: TimeSummary::of_values(&values_ns),
            values_ns,
            ..Self::default()
        }
    }

    /// Returns the share of failures, if requests and failures are known.
    pub fn failure_share(&self) -> Option<f64> {
        let requests = self.requests.filter(|requests| *requests > 0)?;
        Some(units::exact(self.failures?) / units::exact(requests))
    }
}

impl TimeSummary {
    fn of_values(values: &[f64]) -> Self {
        if values.is_empty() {
            return Self::default();
        }
        let rank = |rank: f64| (rank, quantile::type7(values, rank / 100.0));
        Self {
            mean: Some(stats::means::mean(values)),
            deviation: (values.len() > 1).then(|| stats::means::deviation(values)),
            min: values.iter().copied().reduce(f64::min),
            max: values.iter().copied().reduce(f64::max),
            percentiles: RANKS.map(rank).to_vec(),
        }
    }

    /// Returns the percentile of a rank, if it is there.
    pub fn percentile(&self, rank: f64) -> Option<f64> {
        self.percentiles
            .iter()
            .find(|(other, _)| (other - rank).abs() < 1e-9)
            .map(|(_, value)| *value)
    }
}

fn by_rank<S: Serializer>(percentiles: &[(f64, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(percentiles.iter().map(|(rank, value)| (format!("p{rank}"), value)))
}
