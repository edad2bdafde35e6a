//! wrk 4 and wrk2 4.
//!
//! Both print responses with an error status apart and keep their times among the others; what never was
//! answered is in `Socket errors`, has no time, and is not in the number of requests.

use crate::import::contract::{DelayCorrection, MeasureContract};
use crate::import::failure::ImportError;
use crate::import::format::ImportFormat;
use crate::import::printed::{PrintedLine, PrintedReport};
use crate::import::series::{ImportedRun, ImportedSeries, TimeSummary};

pub(super) fn parse(text: &str) -> Result<ImportedRun, ImportError> {
    run(ImportFormat::Wrk, text, "Latency Distribution", MeasureContract::SUMMARY)
}

/// Reads wrk2's first distribution: of the times from when requests were due. `-U` prints a second one, from
/// when they were sent, which is left out.
pub(super) fn parse_corrected(text: &str) -> Result<ImportedRun, ImportError> {
    let contract = MeasureContract { corrected: DelayCorrection::Yes, ..MeasureContract::SUMMARY };
    run(
        ImportFormat::Wrk2,
        text,
        "Latency Distribution (HdrHistogram - Recorded Latency)",
        contract,
    )
}

fn run(
    format: ImportFormat,
    text: &str,
    heading: &str,
    contract: MeasureContract,
) -> Result<ImportedRun, ImportError> {
    let report = PrintedReport::of(text);
    let total = report.lines().find(|line| line.rest.contains(" requests in "));
    let total =
        total.ok_or_else(|| ImportError::Missing { place: "the line of requests".to_owned() })?;
    let wall = total.time_ns(3)?;
    let unanswered = report.find("Socket errors:").map_or(Ok(0), unanswered)?;
    let refused = report.find("Non-2xx or 3xx responses:").map_or(Ok(0), |line| line.count(0))?;
    let latency = report.need("Latency ")?;
    let series = ImportedSeries {
        name: "all".to_owned(),
        requests: Some(total.count(0)? + unanswered),
        failures: Some(refused + unanswered),
        rate: Some(report.need("Requests/sec:")?.number(0)?),
        wall_s: Some(wall / 1e9),
        times: TimeSummary {
            mean: Some(latency.time_ns(0)?),
            deviation: Some(latency.time_ns(1)?),
            max: Some(latency.time_ns(2)?),
            min: None,
            percentiles: percentiles(report, heading)?,
        },
        values_ns: Vec::new(),
    };
    Ok(ImportedRun::new(format, contract, vec![series]))
}

/// `connect 0, read 3, write 0, timeout 2`.
fn unanswered(line: PrintedLine<'_>) -> Result<u64, ImportError> {
    [1, 3, 5, 7].into_iter().map(|word| line.count(word)).sum()
}

fn percentiles(report: PrintedReport<'_>, heading: &str) -> Result<Vec<(f64, f64)>, ImportError> {
    let below = report.lines().skip_while(|line| line.rest != heading).skip(1);
    below
        .take_while(|line| line.word(0).is_ok_and(|word| word.ends_with('%')))
        .map(|line| Ok((line.percent(0)?, line.time_ns(1)?)))
        .collect()
}
