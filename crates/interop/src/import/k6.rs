//! k6's summaries: `--summary-export` and `handleSummary`, and the machine-readable one.
//!
//! Times are in milliseconds. `http_req_failed` is a rate of *failures*, so its `passes` are the requests that
//! failed. In `--summary-export` a threshold is `true` where it was *crossed*; in `handleSummary` it has an `ok`.

use serde_json::Value;

use crate::import::contract::MeasureContract;
use crate::import::failure::ImportError;
use crate::import::fields::JsonPlace;
use crate::import::format::ImportFormat;
use crate::import::series::{
    ImportedRun, ImportedSeries, ImportedThreshold, MissingFact, TimeSummary,
};

const MILLISECOND: f64 = 1e6;
const DURATION: &str = "http_req_duration";

/// Reads an old summary. Its percentiles are those of `summaryTrendStats`.
pub(super) fn parse(value: &Value) -> Result<ImportedRun, ImportError> {
    let root = JsonPlace::root(value);
    let metrics = root.need("metrics")?;
    let mut series = Vec::new();
    if let Some(requests) = metrics.get("http_reqs") {
        let failed = metrics.get("http_req_failed").map(|failed| values(&failed));
        let duration =
            metrics.get(DURATION).map(|duration| times(&values(&duration))).transpose()?;
        series.push(ImportedSeries {
            name: "all".to_owned(),
            requests: Some(values(&requests).need("count")?.count()?),
            failures: failed.map(|failed| failed.counted("passes")).transpose()?.flatten(),
            rate: values(&requests).scaled("rate", 1.0)?,
            wall_s: wall(&root)?,
            times: duration.unwrap_or_default(),
            values_ns: Vec::new(),
        });
    }
    let mut thresholds = Vec::new();
    for (name, metric) in metrics.fields()? {
        for (condition, result) in
            metric.get("thresholds").map_or(Ok(Vec::new()), |it| it.fields())?
        {
            let is_kept = match (result.flag(), result.get("ok").and_then(|ok| ok.flag())) {
                (Some(is_crossed), _) => !is_crossed,
                (None, Some(is_kept)) => is_kept,
                (None, None) => return Err(result.wrong("true, false or an object with `ok`")),
            };
            let (metric, condition) = (name.to_owned(), condition.to_owned());
            thresholds.push(ImportedThreshold { metric, condition, is_kept });
        }
    }
    let missing = if wall(&root)?.is_none() { vec![MissingFact::WallTime] } else { Vec::new() };
    let contract = MeasureContract::SUMMARY;
    Ok(ImportedRun { format: ImportFormat::K6, contract, series, thresholds, missing })
}

/// `handleSummary` puts the values of a metric one level deeper.
fn values<'a>(metric: &JsonPlace<'a>) -> JsonPlace<'a> {
    metric.get("values").unwrap_or_else(|| metric.clone())
}

fn wall(root: &JsonPlace<'_>) -> Result<Option<f64>, ImportError> {
    root.get("state").map_or(Ok(None), |state| state.scaled("testRunDurationMs", 1e-3))
}

fn times(values: &JsonPlace<'_>) -> Result<TimeSummary, ImportError> {
    let mut percentiles = Vec::new();
    for (key, value) in values.fields()? {
        let rank = match key {
            "med" => Some(50.0),
            _ => key.strip_prefix('p').and_then(|rank| rank.trim_matches(['(', ')']).parse().ok()),
        };
        if let Some(rank) = rank {
            percentiles.push((rank, value.number()? * MILLISECOND));
        }
    }
    percentiles.sort_by(|a: &(f64, f64), b| a.0.total_cmp(&b.0));
    percentiles.dedup_by(|a, b| a.0.total_cmp(&b.0).is_eq());
    Ok(TimeSummary {
        mean: values.scaled("avg", MILLISECOND)?,
        deviation: None,
        min: values.scaled("min", MILLISECOND)?,
        max: values.scaled("max", MILLISECOND)?,
        percentiles,
    })
}

/// Reads the machine-readable summary, schema 1. It has no result of a threshold.
pub(super) fn parse_machine(value: &Value) -> Result<ImportedRun, ImportError> {
    let root = JsonPlace::root(value);
    let metrics = root.need("results")?.need("metrics")?.list()?;
    let find = |wanted: &str| {
        let named = metrics
            .iter()
            .find(|metric| metric.get("name").and_then(|name| name.text().ok()) == Some(wanted));
        named.map(|metric| metric.need("values")).transpose()
    };
    let wall = root.get("config").map_or(Ok(None), |config| config.scaled("duration", 1.0))?;
    let mut series = Vec::new();
    if let Some(requests) = find("http_reqs")? {
        let requests = requests.need("count")?.count()?;
        series.push(ImportedSeries {
            name: "all".to_owned(),
            requests: Some(requests),
            failures: find("http_req_failed")?
                .map_or(Ok(None), |failed| failed.counted("matches"))?,
            rate: wall.filter(|wall| *wall > 0.0).map(|wall| units::exact(requests) / wall),
            wall_s: wall,
            times: find(DURATION)?.map_or_else(|| Ok(TimeSummary::default()), |it| times(&it))?,
            values_ns: Vec::new(),
        });
    }
    Ok(ImportedRun {
        format: ImportFormat::K6Machine,
        contract: MeasureContract::SUMMARY,
        series,
        thresholds: Vec::new(),
        missing: vec![MissingFact::ThresholdResults],
    })
}
