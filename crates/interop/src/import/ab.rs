//! `ApacheBench` 2.3. Percentiles are in whole milliseconds.
//!
//! `Failed requests` has answers of another length than the first among them, and does not have those with
//! an error status, which are counted by `Non-2xx responses`.

use crate::import::contract::MeasureContract;
use crate::import::failure::ImportError;
use crate::import::format::ImportFormat;
use crate::import::printed::PrintedReport;
use crate::import::series::{ImportedRun, ImportedSeries, MissingFact, TimeSummary};

const MILLISECOND: f64 = 1e6;

pub(super) fn parse(text: &str) -> Result<ImportedRun, ImportError> {
    let report = PrintedReport::of(text);
    let failed = report.need("Failed requests:")?.count(0)?;
    let refused = report.find("Non-2xx responses:").map_or(Ok(0), |line| line.count(0))?;
    let reasons = report.lines().find(|line| line.rest.starts_with("(Connect:"));
    // `(Connect: 0, Receive: 0, Length: 9, Exceptions: 0)`
    let of_length = reasons.map_or(Ok(0), |line| line.count(5))?;
    // The first such line is of a request, the second of a request divided by the concurrency.
    let mean = report.need("Time per request:")?.number(0)?;
    let total = report.find("Total:");
    let of_total = |word: usize| total.map(|line| line.number(word)).transpose();
    let scaled = |time: Option<f64>| time.map(|time| time * MILLISECOND);
    let mut percentiles = Vec::new();
    for line in report.lines().filter(|line| is_percentile(line.rest)) {
        percentiles.push((line.percent(0)?, line.number(1)? * MILLISECOND));
    }
    let series = ImportedSeries {
        name: "all".to_owned(),
        requests: Some(report.need("Complete requests:")?.count(0)?),
        failures: Some(failed + refused),
        rate: Some(report.need("Requests per second:")?.number(0)?),
        wall_s: Some(report.need("Time taken for tests:")?.number(0)?),
        times: TimeSummary {
            mean: Some(mean * MILLISECOND),
            deviation: scaled(of_total(2)?),
            min: scaled(of_total(0)?),
            max: scaled(of_total(4)?),
            percentiles,
        },
        values_ns: Vec::new(),
    };
    let missing = if of_length > 0 { vec![MissingFact::LengthFailures] } else { Vec::new() };
    Ok(ImportedRun {
        missing,
        ..ImportedRun::new(
            ImportFormat::Ab,
            MeasureContract::SUMMARY.rounded_to(MILLISECOND),
            vec![series],
        )
    })
}

/// `  95%      4`, or `100%      9 (longest request)`.
fn is_percentile(line: &str) -> bool {
    line.split_once('%').is_some_and(|(rank, _)| rank.parse::<u8>().is_ok())
}
