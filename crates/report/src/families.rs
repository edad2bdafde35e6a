//! Metrics in the form that monitoring systems share: families of samples with labels, in base units.
//!
//! One model for every exposition, so that a number has one name and one unit wherever it is read. Labels
//! have few values each: scenarios, metrics, verdicts, sides. A commit is none of them, as each would be a
//! series of its own.

use std::collections::BTreeMap;

use compare::decision::Verdict;
use compare::{Comparison, MetricResult};
use record::Side;
use record::metric::{Metric, MetricDimension};
use units::Ratio;

use crate::json;

/// What a number is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseUnit {
    /// Things: requests, launches, instructions.
    Count,
    /// Things in a second.
    PerSecond,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Bytes in a second.
    BytesPerSecond,
    /// A share: 0.01 is 1 %.
    Ratio,
}

impl BaseUnit {
    /// Returns the end of a name in the manner of Prometheus.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::PerSecond => "_per_second",
            Self::Seconds => "_seconds",
            Self::Bytes => "_bytes",
            Self::BytesPerSecond => "_bytes_per_second",
            Self::Ratio => "_ratio",
        }
    }

    /// Returns the unit in UCUM, as OpenTelemetry writes it.
    pub fn ucum(self) -> &'static str {
        match self {
            Self::Count | Self::Ratio => "1",
            Self::PerSecond => "1/s",
            Self::Seconds => "s",
            Self::Bytes => "By",
            Self::BytesPerSecond => "By/s",
        }
    }
}

/// What a label tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LabelName {
    /// How a request failed.
    ErrorType,
    /// The quantity that a limit is on.
    Limit,
    /// What a request does, in HTTP.
    Method,
    /// The metric that was compared.
    Metric,
    /// What a run came to.
    Outcome,
    /// The scenario, or `scenario/operation`.
    Scenario,
    /// Base or head.
    Side,
    /// What follows for a metric.
    Verdict,
    /// The version of xmlperf.
    Version,
}

impl LabelName {
    /// Returns the name in the manner of Prometheus.
    pub fn prometheus(self) -> &'static str {
        match self {
            Self::ErrorType => "error_type",
            Self::Limit => "limit",
            Self::Method => "method",
            Self::Metric => "metric",
            Self::Outcome => "outcome",
            Self::Scenario => "scenario",
            Self::Side => "side",
            Self::Verdict => "verdict",
            Self::Version => "version",
        }
    }

    /// Returns the name of the attribute in OpenTelemetry: that of its semantic conventions where they have one.
    pub fn otel(self) -> &'static str {
        match self {
            Self::ErrorType => "error.type",
            Self::Limit => "xmlperf.limit",
            Self::Method => "http.request.method",
            Self::Metric => "xmlperf.metric",
            Self::Outcome => "xmlperf.outcome",
            Self::Scenario => "xmlperf.scenario",
            Self::Side => "xmlperf.side",
            Self::Verdict => "xmlperf.verdict",
            Self::Version => "xmlperf.version",
        }
    }
}

/// What kind of number a family has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FamilyKind {
    /// It only rises, until a process starts anew.
    Counter,
    /// It rises and falls.
    Gauge,
    /// Counts by size, which only rise.
    Histogram,
}

/// Metrics of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricFamily {
    /// Name without unit and without what a kind adds, such as `xmlperf_request_duration`.
    pub stem: String,
    /// Name in OpenTelemetry: that of its semantic conventions where they have one.
    pub otel: String,
    /// What it is, as a sentence without its full stop.
    pub help: &'static str,
    /// What its numbers are counted in.
    pub unit: BaseUnit,
    /// What kind of number it has.
    pub kind: FamilyKind,
    /// The numbers.
    pub samples: Vec<FamilySample>,
}

/// One number of a family, or one histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct FamilySample {
    /// What tells it from the others of the family, by name.
    pub labels: Vec<(LabelName, String)>,
    /// The number.
    pub value: SampleValue,
}

/// What a sample has.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleValue {
    /// A number.
    Number(f64),
    /// Counts by size.
    Buckets(BucketCounts),
}

/// Counts of values by size.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketCounts {
    /// Upper bounds, rising, in the unit of the family. A value on a bound lies below it.
    pub bounds: Vec<f64>,
    /// How many values lie in each bucket, and as the last number how many lie beyond all bounds.
    pub counts: Vec<u64>,
    /// All values together.
    pub sum: f64,
}

impl BucketCounts {
    /// Returns how many values there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl MetricFamily {
    /// Returns a family without a number yet, which OpenTelemetry calls like Prometheus, with points.
    pub fn new(stem: &str, help: &'static str, unit: BaseUnit, kind: FamilyKind) -> Self {
        let otel = stem.replacen('_', ".", 1);
        Self { stem: stem.to_owned(), otel, help, unit, kind, samples: Vec::new() }
    }

    /// Returns it under another name in OpenTelemetry.
    #[must_use]
    pub fn called(mut self, otel: &str) -> Self {
        otel.clone_into(&mut self.otel);
        self
    }

    /// Adds a number.
    pub fn push(&mut self, labels: &[(LabelName, &str)], value: f64) {
        self.push_sample(labels, SampleValue::Number(value));
    }

    /// Adds a sample, with its labels in the order of their names.
    pub fn push_sample(&mut self, labels: &[(LabelName, &str)], value: SampleValue) {
        let mut labels: Vec<_> =
            labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        labels.sort();
        self.samples.push(FamilySample { labels, value });
    }

    /// Returns the name with the unit: of a counter, without its `_total`.
    pub fn name(&self) -> String {
        format!("{}{}", self.stem, self.unit.suffix())
    }
}

/// Returns what a run says that began so many seconds after 1970: outcome, levels, changes, verdicts and
/// limits.
pub fn of_comparison(comparison: &Comparison, started_s: f64) -> Vec<MetricFamily> {
    let mut families = vec![outcome(comparison), started(started_s), duration(comparison)];
    families.extend(Metric::ALL.into_iter().filter_map(|metric| levels(comparison, metric)));
    families.extend(changes(comparison));
    families.extend([verdicts(comparison), limits(comparison)]);
    families.retain(|family| !family.samples.is_empty());
    families
}

fn gauge(stem: &str, help: &'static str, unit: BaseUnit) -> MetricFamily {
    MetricFamily::new(stem, help, unit, FamilyKind::Gauge)
}

fn outcome(comparison: &Comparison) -> MetricFamily {
    const OUTCOMES: [&str; 5] = ["pass", "regressed", "improved", "inconclusive", "error"];
    let help = "Whether the last run came to this outcome";
    let family = gauge("xmlperf_run_outcome", help, BaseUnit::Count);
    let mut family = family.called("xmlperf.run.outcome");
    let found = json::outcome(&comparison.outcome);
    for name in OUTCOMES {
        family.push(&[(LabelName::Outcome, name)], f64::from(u8::from(name == found)));
    }
    family
}

fn started(started_s: f64) -> MetricFamily {
    let help = "When the last run began, since 1970";
    let family = gauge("xmlperf_run_start_timestamp", help, BaseUnit::Seconds);
    let mut family = family.called("xmlperf.run.start_timestamp");
    family.push(&[], started_s);
    family
}

fn duration(comparison: &Comparison) -> MetricFamily {
    let help = "How long the last run measured";
    let family = gauge("xmlperf_run_duration", help, BaseUnit::Seconds);
    let mut family = family.called("xmlperf.run.duration");
    family.push(&[], units::exact(comparison.method.wall_ns) / 1e9);
    family
}

/// The levels of a metric on both sides.
fn levels(comparison: &Comparison, metric: Metric) -> Option<MetricFamily> {
    let (unit, scale) = base_unit(metric);
    let stem = format!("xmlperf_{}", metric.key().replace('-', "_"));
    let help = "Level of a metric over all launches of the last run";
    let mut family = gauge(&stem, help, unit);
    for row in comparison.rows.iter().filter(|row| row.metric == metric) {
        let scenario = row.subject();
        let sides = [(Side::Base, row.base), (Side::Head, row.head)];
        for (side, value) in sides {
            let Some(value) = value.filter(|value| value.is_finite()) else { continue };
            let labels = [(LabelName::Scenario, scenario.as_str()), (LabelName::Side, side.name())];
            family.push(&labels, value * scale);
        }
    }
    (!family.samples.is_empty()).then_some(family)
}

/// Head over base less one, as the number itself changed, with the limits of its interval.
fn changes(comparison: &Comparison) -> [MetricFamily; 3] {
    let family = |stem, help| gauge(stem, help, BaseUnit::Ratio);
    let mut families = [
        family("xmlperf_change", "Change of a metric from base to head, 0.01 is 1 % more"),
        family("xmlperf_change_low", "Lower limit of the change of a metric"),
        family("xmlperf_change_high", "Upper limit of the change of a metric"),
    ]
    .map(|family| {
        let otel = family.otel.replace("change_", "change.");
        family.called(&otel)
    });
    for row in &comparison.rows {
        let Some(change) = row.change() else { continue };
        let scenario = row.subject();
        let labels = row_labels(row, &scenario);
        let values = [change.estimate_ln, change.low_ln, change.high_ln];
        for (family, ln) in families.iter_mut().zip(values) {
            if ln.is_finite() {
                family.push(&labels, Ratio::from_ln(ln).0);
            }
        }
    }
    families
}

fn row_labels<'a>(row: &MetricResult, scenario: &'a str) -> [(LabelName, &'a str); 2] {
    [(LabelName::Metric, row.metric.key()), (LabelName::Scenario, scenario)]
}

/// All verdicts of each metric that decides, so that a series does not stop when its verdict changes.
fn verdicts(comparison: &Comparison) -> MetricFamily {
    const VERDICTS: [Verdict; 4] =
        [Verdict::Regressed, Verdict::Improved, Verdict::Unchanged, Verdict::Inconclusive];
    let help = "Whether a metric that decides has this verdict in the last run";
    let mut family = gauge("xmlperf_verdict", help, BaseUnit::Count);
    for row in &comparison.rows {
        let Some(found) = row.verdict() else { continue };
        let scenario = row.subject();
        for verdict in VERDICTS {
            let [metric, scenario] = row_labels(row, &scenario);
            let labels = [metric, scenario, (LabelName::Verdict, verdict.key())];
            family.push(&labels, f64::from(u8::from(verdict == found)));
        }
    }
    family
}

/// A scenario may have two limits on one quantity: one is broken if any is.
fn limits(comparison: &Comparison) -> MetricFamily {
    let help = "Whether a limit is broken in the last run";
    let family = gauge("xmlperf_limit_broken", help, BaseUnit::Count);
    let mut family = family.called("xmlperf.limit.broken");
    let mut broken = BTreeMap::<(String, &str), bool>::new();
    for check in &comparison.limits {
        let scenario = match &check.operation {
            Some(operation) => format!("{}/{operation}", check.scenario),
            None => check.scenario.clone(),
        };
        *broken.entry((scenario, check.limit.quantity.key())).or_default() |= !check.holds();
    }
    for ((scenario, quantity), is_broken) in &broken {
        let labels = [(LabelName::Limit, *quantity), (LabelName::Scenario, scenario.as_str())];
        family.push(&labels, f64::from(u8::from(*is_broken)));
    }
    family
}

/// The base unit of a metric, and what makes a value one of that unit.
pub(super) fn base_unit(metric: Metric) -> (BaseUnit, f64) {
    match metric.dimension() {
        MetricDimension::Time => (BaseUnit::Seconds, 1e-9),
        // Of an answer, so a ratio.
        MetricDimension::Size if metric == Metric::AnswerBytes => (BaseUnit::Count, 1.0),
        MetricDimension::Size => (BaseUnit::Bytes, 1.0),
        MetricDimension::Growth => (BaseUnit::BytesPerSecond, 1.0),
        MetricDimension::Rate => (BaseUnit::PerSecond, 1.0),
        MetricDimension::Count => (BaseUnit::Count, 1.0),
    }
}
