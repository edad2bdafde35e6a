//! What the instances of an exported k6 script print, added up: a line `xmlperf-summary {…}` each, in the logs of
//! a k6-operator's pods or of several processes.
//!
//! Counts are summed, and so are the buckets of the times: percentiles of instances cannot be added. It is checked
//! that the lines are of one script, that every instance is there and none twice, and that all sent their part of
//! what is sent in turn.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::import::contract::MeasureContract;
use crate::import::failure::ImportError;
use crate::import::format::ImportFormat;
use crate::import::series::{
    ImportedRun, ImportedSeries, ImportedThreshold, MissingFact, TimeSummary,
};

/// Begins the line of an instance.
pub(super) const MARK: &str = "xmlperf-summary {";

/// Version of the line.
const SCHEMA: u64 = 1;

/// Upper end of the first bucket, nanoseconds; each of the next is larger by the eighth root of two.
const FIRST_NS: f64 = 1e4;
const BUCKETS_IN_OCTAVE: f64 = 8.0;

const MILLISECOND_NS: f64 = 1e6;

/// The percentiles that are read off the buckets.
const RANKS: [f64; 5] = [50.0, 90.0, 95.0, 99.0, 99.9];

/// What one instance counted.
#[derive(Debug, Clone, Deserialize)]
struct InstanceSummary {
    schema: u64,
    scenario: String,
    payload: String,
    /// Instances that there are to be; 0 where the script does not know.
    instances: u64,
    /// Number of this one, from 1; 0 where nothing says.
    instance: u64,
    requests: u64,
    failures: u64,
    dropped: u64,
    wall_ms: f64,
    time: InstanceTimes,
    buckets: Vec<u64>,
    /// Requests by their place.
    sent: Vec<u64>,
    thresholds: Vec<InstanceThreshold>,
}

/// Times of one instance, milliseconds.
#[derive(Debug, Clone, Deserialize)]
struct InstanceTimes {
    total: f64,
    min: Option<f64>,
    max: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
struct InstanceThreshold {
    metric: String,
    condition: String,
    ok: bool,
}

/// Reads the lines, wherever they stand in the text, and adds them up.
pub(super) fn parse(text: &str) -> Result<ImportedRun, ImportError> {
    let mut summaries = Vec::new();
    for (number, line) in (1_u64..).zip(text.lines()) {
        let Some(at) = line.find(MARK) else { continue };
        summaries.push(summary(&line[at + MARK.len() - 1..], number)?);
    }
    let Some(first) = summaries.first() else {
        return Err(ImportError::Missing { place: format!("a line with `{MARK}`") });
    };
    check(first, &summaries)?;
    let mut missing = vec![MissingFact::BucketTimes];
    if summaries.iter().any(|it| it.dropped > 0) {
        missing.push(MissingFact::DroppedRequests);
    }
    let sent = |place: usize| summaries.iter().filter_map(|it| it.sent.get(place)).sum::<u64>();
    if (0..first.sent.len()).any(|place| sent(place) == 0) {
        missing.push(MissingFact::UnsentRequests);
    }
    let thresholds = thresholds(&summaries);
    let series = vec![series(&first.scenario, &summaries)];
    let contract = MeasureContract::SUMMARY;
    Ok(ImportedRun { format: ImportFormat::K6Operator, contract, series, thresholds, missing })
}

fn summary(json: &str, line: u64) -> Result<InstanceSummary, ImportError> {
    let wrong =
        |found: String, wanted| ImportError::Field { place: format!("line {line}"), found, wanted };
    // What a log puts behind the line is none of it.
    let mut values = serde_json::Deserializer::from_str(json).into_iter::<InstanceSummary>();
    let summary = match values.next() {
        Some(Ok(summary)) => summary,
        Some(Err(error)) => return Err(wrong(error.to_string(), "a summary of an instance")),
        None => return Err(wrong(String::new(), "a summary of an instance")),
    };
    if summary.schema != SCHEMA {
        return Err(wrong(summary.schema.to_string(), "a version that is known"));
    }
    Ok(summary)
}

/// Fails unless the summaries are those of one load, whole and each once.
fn check(first: &InstanceSummary, all: &[InstanceSummary]) -> Result<(), ImportError> {
    let other =
        all.iter().find(|it| (&it.scenario, &it.payload) != (&first.scenario, &first.payload));
    if let Some(other) = other {
        return Err(ImportError::OtherScript {
            first: first.scenario.clone(),
            other: other.scenario.clone(),
        });
    }
    let numbers: Vec<u64> = all.iter().map(|it| it.instance).filter(|it| *it > 0).collect();
    let different: BTreeSet<u64> = numbers.iter().copied().collect();
    let is_unknown = numbers.len() < all.len() && all.len() > 1;
    let expected =
        if first.instances > 0 { first.instances } else { different.last().copied().unwrap_or(1) };
    let found = all.len() as u64;
    if is_unknown || found != expected || (!numbers.is_empty() && different.len() < numbers.len()) {
        return Err(ImportError::Instances { expected, found, different: different.len() as u64 });
    }
    Ok(())
}

fn series(name: &str, all: &[InstanceSummary]) -> ImportedSeries {
    let sum = |of: fn(&InstanceSummary) -> u64| all.iter().map(of).sum::<u64>();
    let wall_s = all.iter().map(|it| it.wall_ms / 1e3).fold(0.0, f64::max);
    let requests = sum(|it| it.requests);
    ImportedSeries {
        name: name.to_owned(),
        requests: Some(requests),
        failures: Some(sum(|it| it.failures)),
        rate: (wall_s > 0.0).then(|| units::exact(requests) / wall_s),
        wall_s: Some(wall_s),
        times: times(all),
        values_ns: Vec::new(),
    }
}

fn times(all: &[InstanceSummary]) -> TimeSummary {
    let length = all.iter().map(|it| it.buckets.len()).max().unwrap_or(0);
    let bucket = |at: usize| all.iter().filter_map(|it| it.buckets.get(at)).sum::<u64>();
    let buckets: Vec<u64> = (0..length).map(bucket).collect();
    let count: u64 = buckets.iter().sum();
    let total: f64 = all.iter().map(|it| it.time.total).sum();
    let ends = |of: fn(&InstanceTimes) -> Option<f64>, better: fn(f64, f64) -> f64| {
        all.iter().filter_map(|it| of(&it.time)).reduce(better).map(|ms| ms * MILLISECOND_NS)
    };
    let max = ends(|it| it.max, f64::max);
    let percentile = |rank: f64| {
        let edge = upper_edge(&buckets, rank / 100.0)?;
        Some((rank, max.map_or(edge, |max| edge.min(max))))
    };
    TimeSummary {
        mean: (count > 0).then(|| total * MILLISECOND_NS / units::exact(count)),
        deviation: None,
        min: ends(|it| it.min, f64::min),
        max,
        percentiles: RANKS.into_iter().filter_map(percentile).collect(),
    }
}

/// The upper end of the bucket in which the time of a rank lies.
fn upper_edge(buckets: &[u64], rank: f64) -> Option<f64> {
    let count: u64 = buckets.iter().sum();
    let wanted = (units::exact(count) * rank).ceil().max(1.0);
    let mut below = 0;
    for (at, times) in buckets.iter().enumerate() {
        below += times;
        if *times > 0 && units::exact(below) >= wanted {
            return Some(FIRST_NS * 2_f64.powf(at as f64 / BUCKETS_IN_OCTAVE));
        }
    }
    None
}

/// A threshold is kept where every instance kept it.
fn thresholds(all: &[InstanceSummary]) -> Vec<ImportedThreshold> {
    let mut thresholds: Vec<ImportedThreshold> = Vec::new();
    for InstanceThreshold { metric, condition, ok } in all.iter().flat_map(|it| &it.thresholds) {
        let same = |it: &&mut ImportedThreshold| (&it.metric, &it.condition) == (metric, condition);
        match thresholds.iter_mut().find(same) {
            Some(known) => known.is_kept &= ok,
            None => thresholds.push(ImportedThreshold {
                metric: metric.clone(),
                condition: condition.clone(),
                is_kept: *ok,
            }),
        }
    }
    thresholds
}
