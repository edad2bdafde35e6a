//! vegeta 12: its JSON report, and its results as JSON lines.
//!
//! Status 0 is a request without an answer; its time, until it was given up, is among the others. A time
//! begins when a worker sends, which may be later than the rate has it.

use serde_json::Value;

use crate::import::contract::MeasureContract;
use crate::import::failure::ImportError;
use crate::import::fields::{JsonPlace, json_lines};
use crate::import::format::ImportFormat;
use crate::import::oha::is_failure;
use crate::import::series::{ImportedRun, ImportedSeries, TimeSummary};

const PERCENTILES: [(&str, f64); 4] =
    [("50th", 50.0), ("90th", 90.0), ("95th", 95.0), ("99th", 99.0)];

pub(super) fn parse(value: &Value) -> Result<ImportedRun, ImportError> {
    let root = JsonPlace::root(value);
    let latencies = root.need("latencies")?;
    let mut failures = 0;
    for (status, count) in root.need("status_codes")?.fields()? {
        failures += if is_failure(status) { count.count()? } else { 0 };
    }
    let mut percentiles = Vec::new();
    for (key, rank) in PERCENTILES {
        percentiles.extend(latencies.scaled(key, 1.0)?.map(|time| (rank, time)));
    }
    let requests = root.need("requests")?.count()?;
    let series = ImportedSeries {
        name: "all".to_owned(),
        requests: Some(requests),
        failures: Some(failures),
        rate: root.scaled("rate", 1.0)?,
        wall_s: root.scaled("duration", 1e-9)?,
        times: TimeSummary {
            mean: latencies.scaled("mean", 1.0)?,
            deviation: None,
            min: latencies.scaled("min", 1.0)?,
            max: latencies.scaled("max", 1.0)?,
            percentiles,
        },
        values_ns: Vec::new(),
    };
    let series = if requests == 0 { Vec::new() } else { vec![series] };
    Ok(ImportedRun::new(ImportFormat::Vegeta, MeasureContract::SUMMARY, series))
}

/// Reads one JSON object a request.
pub(super) fn parse_records(text: &str) -> Result<ImportedRun, ImportError> {
    let (mut times, mut failures) = (Vec::new(), 0);
    for value in json_lines(text) {
        let value = value?;
        let record = JsonPlace::root(&value);
        times.push(record.need("latency")?.number()?);
        let status = record.need("code")?.count()?;
        failures += u64::from(!(100..400).contains(&status));
    }
    let series = ImportedSeries::of_values("all", times, Some(failures));
    Ok(ImportedRun::new(ImportFormat::VegetaJson, MeasureContract::REQUESTS, vec![series]))
}
